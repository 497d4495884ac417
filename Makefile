# build (the default), static, deb, test, fuzz, ci, bench, man, clean

.PHONY: build static deb tools test fuzz ci format lint docs leftovers clean-tree advisories bench man clean

# Several targets run tests/install-tools, which must not run twice at once.
.NOTPARALLEL:

build:
	cargo build --release

# Of musl, for a static program of glibc loads what the host's nsswitch.conf names, made for another
# glibc perhaps, and dies of it. The program has a list of what it was built of in it.
TARGET ?= $(shell uname -m)-unknown-linux-musl
target_directory = $(or $(CARGO_TARGET_DIR),target)
tools = $(target_directory)/test-tools/bin

# Where it was built is nobody's business, and makes two builds of the same sources differ.
remapped = --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo --remap-path-prefix=$(CURDIR)=/zpki

static:
	tests/install-tools package $(TARGET)
	RUSTFLAGS='$(remapped)' $(tools)/cargo-auditable auditable build --release --locked --target $(TARGET)

deb: static
	packaging/make-parts $(TARGET) $(target_directory)/$(TARGET)/release/zpki
	$(tools)/cargo-deb deb --no-build --target $(TARGET)

# What tests need, to be built (libssl-dev) and to run.
tools:
	tests/install-tools

test: tools deb
	cargo test

# Random graphs of certificates, of which zpki must say what OpenSSL says, and each target of cargo-fuzz
# for SECONDS: see fuzz/run. `make fuzz TARGETS=graphs SEED=7 GRAPHS=1` repeats one graph.
SEED ?= $(shell date +%s)
GRAPHS ?= 100000
SECONDS ?= 600
TARGETS ?=

fuzz:
	tests/install-tools fuzz
	SEED=$(SEED) GRAPHS=$(GRAPHS) SECONDS_EACH=$(SECONDS) fuzz/run $(TARGETS)

# Everything that must hold before a change lands. Tests come last but for the tree, which they
# must leave as it was.
ci: format lint docs leftovers
	$(MAKE) test
	$(MAKE) clean-tree

format:
	cargo fmt --check

lint: tools
	cargo clippy --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps

leftovers:
	! git grep -nE '\b(dbg|todo|unimplemented)!|\b(FIXME|XXX)\b|#\[ignore' -- '*.rs' '*.py'

clean-tree:
	git diff --exit-code
	test -z "$$(git status --porcelain)" || { git status --short; exit 1; }

# Not in `ci`: the database is fetched, and what it says changes without us.
advisories: tools
	$(tools)/cargo-deny check advisories

# Every row of the README's table of speed, which it writes anew.
bench:
	tests/install-tools bench
	benches/run

# The committed pages are generated; tests/man.rs fails when they are stale.
man: tools
	BLESS=1 cargo test man

clean:
	cargo clean
