# `make` lists the targets. `make demo` runs the main job, `make test` passes the tests.
.DEFAULT_GOAL := help
.PHONY: help demo build test check bench clean

help: ## lists these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## builds everything and serves on 127.0.0.1:8000 with simulated devices; prints a request to paste
	cargo run --release --locked -- demo

build: ## builds the program: target/release/showrunner
	cargo build --release --locked

test: ## runs all tests; installs OpenSSH and FRRouting from Debian where it may
	@.ci/test

check: ## formatting, lints, licences
	@.ci/check

bench: ## measures; see docs/performance.md
	cargo bench --locked

clean: ## removes everything that was built
	cargo clean
