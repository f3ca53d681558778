# A person's commands. `make` prints them.
.DEFAULT_GOAL := help
.PHONY: help run test check bench money soak oracles evals shell docs pictures

PYTHON ?= python3
BIN := .venv/bin
# Named by what it was installed from: a second run is instant, a changed pin installs again.
READY := .venv/ready-$(shell cat requirements.txt requirements-dev.txt | cksum | tr ' ' '-')
# Checks must not depend on whose machine they run on: no .env, and PostgreSQL and Redis for the moment.
CHECK := ENV_FILE=/dev/null $(BIN)/python -m config.local $(BIN)/python manage.py
ARGS ?=

help: ## print these lines
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

run: $(READY) ## start everything here: PostgreSQL, Redis, web, bot, worker, beat, playground
	@exec $(BIN)/python -m config.run

test: check ## check, then all tests; ARGS="tests/billing -k hold" for some of them
	$(BIN)/pytest -n 3 --dist worksteal $(ARGS)

check: $(READY) ## format, lint, types, import contracts, migrations, deploy settings, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(CHECK) makemigrations --check --dry-run
	HTTPS=true $(CHECK) check --deploy --fail-level WARNING
	$(CHECK) docs --check

bench: $(READY) ## measure against the smallest possible bot and print the table
	$(BIN)/python -m tests.bench $(ARGS)

money: $(READY) ## what can go wrong with a dollar, counted while processes are killed: every zero is one, or it fails
	$(BIN)/python -m tests.money $(ARGS)

soak: $(READY) ## the long fault runs
	$(BIN)/pytest -m soak $(ARGS)

oracles: $(READY) ## other people's stand-ins have their say about ours; needs node and npm
	$(BIN)/pytest -rs tests/oracles $(ARGS)

evals: $(READY) ## how often a model calls the right tool with our prompt; ARGS="--model claude-haiku-5-5"
	@$(BIN)/python -m tests.evals $(ARGS)

shell: $(READY) ## a Python shell with the models, on the servers of `make run`
	@$(BIN)/python manage.py shell

docs: $(READY) ## write the generated parts of docs/ again
	$(CHECK) docs

pictures: $(READY) ## draw the pictures of docs/images anew, from a throw-away copy
	$(BIN)/pytest -q tests/browser/pictures.py

$(READY): requirements.txt requirements-dev.txt
	@for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Starling needs Python 3.11 or newer: install it, or name it with make PYTHON=/path/to/python3."; exit 1; \
	fi; \
	if ! [ -x $(BIN)/python ] && ! $$found -m venv .venv; then \
	  rm -rf .venv; echo "No virtual environment could be made: on Debian, install the package python3-venv."; exit 1; \
	fi
	@echo "Installing the pinned packages into .venv …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --requirement requirements-dev.txt
	@rm -f .venv/ready-*
	@touch $@
