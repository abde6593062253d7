# make test   installs what the tests need and runs everything
# make build  the static binary, bin/usher
# make lint   formatting, vet, staticcheck, module files
# make bench  the benchmarks that stand for a promise, as a table
# make soak   the long form of the tests of the refresh, the stress for SOAK
#             (default 10m), with its figures
# make fuzz   every fuzz target for FUZZTIME each (default 10s)
# make docs   the generated documentation
# make install  the program, its manual pages and what shells complete it with,
#             below PREFIX (default /usr/local), of DESTDIR if that is given
# make clean  removes what the other targets made

FUZZTIME ?= 10s
SOAK ?= 10m
GO ?= go
PREFIX ?= /usr/local
# The modules of this repository; the tools run first as they are the quickest.
MODULES := tools . e2e
PLATFORMS := linux darwin windows
# The tags of variants that only tests build.
VARIANTS := failpoint,leakcanary,nowinner,weakrefresh
STATICCHECK := $(GO) tool -modfile=$(CURDIR)/tools/go.mod staticcheck

# One recipe at a time: the summary of the tests must be the last line.
.NOTPARALLEL:
.PHONY: all build test setup lint fmt vet staticcheck modules unit bench soak fuzz docs install clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/usher ./cmd/usher

test: setup lint unit

setup:
	@tools/setup.sh

lint: fmt modules vet staticcheck

# Files that git does not know yet count too.
fmt:
	@files=$$(git ls-files -co --exclude-standard '*.go' | while read -r f; do [ -f "$$f" ] && echo "$$f"; done | xargs gofmt -l) || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:"; echo "$$files"; exit 1; fi

modules:
	@for m in $(MODULES); do \
		echo "go mod tidy -diff, go mod verify: $$m"; \
		(cd $$m && $(GO) mod tidy -diff && $(GO) mod verify >/dev/null) || exit 1; \
	done

# Without cgo, as there is no cross compiler and the binary has none.
vet:
	@for os in $(PLATFORMS); do \
		echo "go vet: $$os"; \
		CGO_ENABLED=0 GOOS=$$os $(GO) vet ./... || exit 1; \
	done
	@echo "go vet: $(VARIANTS)"; CGO_ENABLED=0 $(GO) vet -tags=$(VARIANTS) ./...
	@for m in tools e2e; do echo "go vet: $$m"; (cd $$m && $(GO) vet ./...) || exit 1; done

staticcheck:
	@for m in $(MODULES); do echo "staticcheck: $$m"; (cd $$m && $(STATICCHECK) ./...) || exit 1; done
	@echo "staticcheck: $(VARIANTS)"; $(STATICCHECK) -tags=$(VARIANTS) ./...

# Each benchmark runs once, briefly, and times nothing: so that it goes on working.
unit:
	@CGO_ENABLED=1 $(GO) -C tools run ./testsum -root .. -allow testdata/allowed-skips.txt \
		-args '-bench=. -benchtime=1x -short' $(MODULES)

bench:
	@$(GO) -C tools run ./benchtable -root ..

soak:
	$(GO) -C e2e test -count=1 -timeout=0 -parallel=16 -v -run='^(TestStress|TestRefreshVariants)$$' . -stress.time=$(SOAK)
	$(GO) -C e2e test -count=1 -timeout=0 -run=TestRefreshSurvives . -crash.long
	$(GO) test -count=1 -timeout=0 -run=TestModel ./token -model.long

fuzz:
	@tools/fuzz.sh $(FUZZTIME)

docs:
	$(GO) -C tools run ./rfcdoc ..
	$(GO) -C tools run ./manpage ..

# Pages of commands that are gone would stay from an older version.
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -m 755 bin/usher $(DESTDIR)$(PREFIX)/bin/usher
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/usher.1 $(DESTDIR)$(PREFIX)/share/man/man1/usher-*.1
	install -m 644 docs/man/man1/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	bin/usher completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/usher
	bin/usher completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_usher
	bin/usher completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/usher.fish

clean:
	rm -rf bin e2e/node_modules e2e/qwencode/node_modules
