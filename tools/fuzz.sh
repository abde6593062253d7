#!/usr/bin/env bash
# Runs every fuzz target of the main module for the time given (default 10s).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-10s}
count=0
for pkg in $(go list ./...); do
	listed=$(go test -list '^Fuzz' "$pkg")
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "fuzz: $pkg $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$pkg"
		count=$((count + 1))
	done
done
echo "fuzzed $count targets for $time each"
[ "$count" -gt 0 ]
