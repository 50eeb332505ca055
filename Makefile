# Start with `make serve` and `make test`. Nothing is installed outside of this folder, except PostgreSQL when
# root runs the tests on Debian.
.PHONY: serve test cli-newest chaos lint fuzz powerset bench

PORT ?= 8000

## Serves a coding agent on http://127.0.0.1:$(PORT). Without credentials, a scripted model answers.
serve:
	@scripts/serve.sh --port $(PORT) $(ARGS)

## Runs all tests. No account is needed.
test:
	@scripts/test.sh

## Compares the newest `claude` CLI of npm with the pinned one, and runs the tests of the CLI on the newest.
cli-newest:
	@python3 scripts/cli_newest $(ARGS)

## Runs a campaign of faults (kills, freezes, outages) against the server: FAULTS=1000 STORE=postgres SEED=7.
chaos:
	@scripts/chaos.sh

## Checks the format, lints, the documentation, and the dependencies of each feature.
lint:
	@scripts/lint.sh

## Runs each fuzz target for a minute.
fuzz:
	@fuzz/run.sh

## Checks every feature and every pair of features by itself. Installs cargo-hack into .local/.
powerset:
	@scripts/powerset.sh

## Runs the load bench: our server, bare hyper and axum. Writes benches/RESULTS.md.
bench:
	@benches/run.sh
