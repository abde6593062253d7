#!/usr/bin/env bash
# Makes the machine ready for `make test`: a C compiler for the race detector,
# strace for the tests that watch system calls, curl for the commands of the
# documents, git, kubectl and skopeo, which ask usher for tokens, and the npm
# packages of e2e/ by their lock files, among them a Node.js 22 where the
# machine's own is older.
#
# As root it installs what is missing with apt-get. Otherwise it names what is
# missing, with the command that installs it, and fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A compiler without the C library's headers is no use to cgo.
has_compiler() {
	# Not by a pipe: a compiler that ends before it reads would fail printf.
	gcc -x c - -o /dev/null 2>/dev/null <<<$'#include <stdlib.h>\nint main(void) { return 0; }'
}

# missing_packages prints the Debian packages of what is not there.
missing_packages() {
	has_compiler || echo gcc libc6-dev
	command -v strace >/dev/null || echo strace
	command -v curl >/dev/null || echo curl
	command -v git >/dev/null || echo git
	command -v kubectl >/dev/null || echo kubernetes-client
	command -v skopeo >/dev/null || echo skopeo
	command -v node >/dev/null || echo nodejs
	command -v npm >/dev/null || echo npm
}

# The independent authorization server in e2e/ wants Node.js 22.12 or newer.
node_is_new() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) ? 0 : 1)'
}

install_packages() {
	local missing
	missing=$(missing_packages | xargs)
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
		echo "setup: installing $missing" >&2
		# shellcheck disable=SC2086 # one word per package
		apt-get update -qq >&2 &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
		echo "setup: took $SECONDS s" >&2
		missing=$(missing_packages | xargs)
		[ -n "$missing" ] || return 0
	fi
	echo "setup: the tests need what is missing here: $missing" >&2
	echo "setup: on Debian and Ubuntu: sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
	return 1
}

# npm writes node_modules/.package-lock.json last, so its age tells whether the
# folder belongs to the lock file of today.
is_installed() {
	[ node_modules/.package-lock.json -nt package-lock.json ] && [ node_modules/.package-lock.json -nt package.json ]
}

# Nothing in the lock files needs a script at installation.
install_by_lock_file() {
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >&2
	touch node_modules/.package-lock.json
}

install_node_modules() {
	cd e2e
	# Node.js 22 itself is an optional dependency: 120 MB that a machine with a
	# new one does without.
	if node_is_new; then
		is_installed || install_by_lock_file --omit=optional
		return
	fi
	if is_installed && [ -x node_modules/.bin/node ]; then return; fi
	install_by_lock_file
	node_modules/.bin/node --version >/dev/null || {
		echo "setup: this machine has Node.js $(node --version), e2e/ needs 22.12 or newer, and npm has none for this platform" >&2
		return 1
	}
}

# What qwen-code offers optionally is larger than itself, and compiled.
install_qwen_code() {
	cd e2e/qwencode
	is_installed || install_by_lock_file --omit=optional
}

install_packages
(install_node_modules)
(install_qwen_code)
