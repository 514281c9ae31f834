# Everything that a fresh machine needs besides Python 3.11+ and make is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEVELOPED := .venv/.developed
# The system's certificates first, because a proxy's are only there; the installer's own where the system has none.
SYNC = $(BIN)/uv sync --frozen --all-extras --inexact --quiet --python $(BIN)/python
SBOM ?= sbom.cdx.json
LOCK := uv.lock pyproject.toml setup.py deploy/bootstrap.txt $(wildcard trainer/compiled/*.[ch])

# Where it is set, every process compiles all that it imports anew: a night costs some seconds more, the tests minutes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: not-compiled help setup run test test-hostile trust bench sbom audit check fmt clean up down scale alerts logs ps report models size digests clean-data test-stack test-swarm dashboards board-pictures

help: ## show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEVELOPED) ## install everything into .venv (the other targets do it when needed)

# Installed again, the project is compiled again: what lies in the tree is in nobody's cache.
$(INSTALLED): $(LOCK) $(if $(wildcard trainer/compiled/library_plain*.so),,not-compiled)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Nighttrain needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "setting up .venv" >&2; $(PYTHON) -m venv .venv; } || \
	  { echo "No virtual environment could be made (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --default-pip >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/bootstrap.txt
	@$(SYNC) --no-dev --reinstall-package nighttrain --system-certs || $(SYNC) --no-dev --reinstall-package nighttrain
	@command -v nighttrain >/dev/null || echo "installed; to have nighttrain as a command: source $(BIN)/activate" >&2
	@touch $@

$(DEVELOPED): $(INSTALLED)
	@$(SYNC) --system-certs || $(SYNC)
	@touch $@

run: $(INSTALLED) ## train a night on this machine: make run ARGS="--data DIR --trainers 2"
	@$(BIN)/nighttrain run $(ARGS)

test: $(DEVELOPED) ## run the tests: make test ARGS="tests/trainer -k splits"
	@$(BIN)/pytest --ignore tests/stack --ignore tests/swarm -n 2 --dist loadfile $(ARGS)

test-hostile: $(DEVELOPED) ## attack it with hostile input, in minutes: make test-hostile ARGS="--only schema --seed 7"
	@nice $(BIN)/python -m tests.hostile $(ARGS)

trust: $(DEVELOPED) ## measure what can be trusted, in minutes: make trust ARGS="--only ties --seed 7"
	@nice $(BIN)/python -m tests.trust $(ARGS)

bench: $(DEVELOPED) ## measure speed beside joblib, Dask and Ray, in 10 minutes: make bench ARGS="--only start --rounds 5"
	@$(SYNC) --group bench --system-certs || $(SYNC) --group bench
	@$(BIN)/python -m tests.bench $(ARGS)

sbom: $(INSTALLED) ## write sbom.cdx.json: all packages that are installed, with their digests (CycloneDX)
	@$(BIN)/uv export --frozen --all-extras --no-dev --format cyclonedx1.5 --quiet --output-file $(SBOM) >/dev/null
	@echo "wrote $(SBOM)"

audit: $(DEVELOPED) ## ask what is known against these packages (needs PyPI's advisories; exit 3 if they cannot be had)
	@$(BIN)/python -m tests.supply.audit

check: $(DEVELOPED) ## lint, formatting, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(DEVELOPED) ## format the code and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

up: ## build and start the containers, and the night: coordinator, trainers, metrics, dashboards
	@FRESH="$(FRESH)" deploy/stack/stack.sh up

size: ## how many trainers of what size fit this machine, and why
	@deploy/stack/stack.sh size

scale: ## more or fewer trainers, at any time: make scale N=4
	@deploy/stack/stack.sh scale "$(N)"

alerts: ## check deploy/alerting.env and send alerts where it says
	@deploy/stack/stack.sh alerts

digests: ## the lines for .env that pin the images from elsewhere by their digests
	@deploy/stack/stack.sh digests

ps: ## the containers and their health
	@docker compose ps

logs: ## follow the logs: make logs ARGS=trainer
	@docker compose logs --follow --tail 100 $(ARGS)

report: ## the results of the last night in the containers, or the table so far
	@deploy/stack/stack.sh report

models: ## copy promoted models and results out of the containers: make models DIR=my-models
	@deploy/stack/stack.sh models "$(DIR)"

down: ## stop the containers; keeps the night, the models, the metrics
	@deploy/stack/stack.sh down

clean-data: ## say what the containers keep (nights, champions, metrics), ask unless YES=1, and delete it
	@YES="$(YES)" deploy/stack/stack.sh clean-data

test-stack: $(DEVELOPED) ## test the containers on a real Docker engine
	@$(BIN)/pytest tests/stack $(ARGS)

test-swarm: $(DEVELOPED) ## test a Swarm of three hosts that are cut off and killed, in minutes
	@$(BIN)/pytest tests/swarm --log-cli-level INFO $(ARGS)

dashboards: $(DEVELOPED) ## generate grafana/dashboards from the declared metrics
	@$(BIN)/python -m grafana.generator.generate

board-pictures: $(DEVELOPED) ## draw the boards from a small eventful night, into board-pictures
	@nice $(BIN)/python -m tests.grafana.pictures $(ARGS)

clean: ## remove .venv and caches (keeps candles and trained nights)
	rm -rf trainer/compiled/*.so
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
