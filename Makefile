# `make` lists the targets. `make demo` runs the main job, `make test` passes the tests.
.DEFAULT_GOAL := help
.PHONY: help demo build test check bench soak templates clean

help: ## lists these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: templates ## builds everything and serves on 127.0.0.1:8000 with simulated devices; prints a request to paste
	cargo run --release --locked -- demo

build: templates ## builds the program: target/release/showrunner
	cargo build --release --locked

test: templates ## runs all tests; installs OpenSSH and FRRouting from Debian where it may
	@.ci/test

check: ## formatting, lints, licences
	@.ci/check

bench: templates ## measures; see docs/performance.md
	cargo bench --locked --bench gate --bench parsing --bench speed

soak: templates ## 50,000 device sessions, one of ten with a fault; fails if anything is wrong, left or grows; see docs/reliability.md
	cargo bench --locked --bench soak

templates: ## fetches the library of parser templates with pip; version and hash are pinned
	@deploy/templates/fetch

clean: ## removes everything that was built
	cargo clean
