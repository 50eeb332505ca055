# `make serve` and `make test` are all that a newcomer needs. Nothing is installed outside of this folder, but for
# PostgreSQL where root runs the tests on Debian.
.PHONY: serve test lint fuzz powerset bench

PORT ?= 8000

## Serve a coding agent on http://127.0.0.1:$(PORT); without credentials a scripted model answers.
serve:
	@scripts/serve.sh --port $(PORT) $(ARGS)

## Everything that can be tested without an account.
test:
	@scripts/test.sh

## Format, lints, documentation, and what each feature needs.
lint:
	@scripts/lint.sh

## Each fuzz target for a minute.
fuzz:
	@fuzz/run.sh

## Every feature, and every two of them, checked by itself. Installs cargo-hack into .local/.
powerset:
	@scripts/powerset.sh

## The load bench: our server beside bare hyper and axum; writes benches/RESULTS.md.
bench:
	@benches/run.sh
