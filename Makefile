# build (the default), test, ci, bench, man, clean

.PHONY: build test ci format lint docs leftovers clean-tree bench man clean

build:
	cargo build --release

test:
	tests/install-tools
	cargo test

# Everything that must hold before a change lands. Tests come last but for the tree, which they
# must leave as it was.
ci: format lint docs leftovers
	$(MAKE) test
	$(MAKE) clean-tree

format:
	cargo fmt --check

lint:
	cargo clippy --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps

leftovers:
	! git grep -nE '\b(dbg|todo|unimplemented)!|\b(FIXME|XXX)\b|#\[ignore' -- '*.rs' '*.py'

clean-tree:
	git diff --exit-code
	test -z "$$(git status --porcelain)" || { git status --short; exit 1; }

bench:
	cargo bench --no-fail-fast --bench check --bench init

# The committed pages are generated; tests/man.rs fails when they are stale.
man:
	BLESS=1 cargo test man

clean:
	cargo clean
