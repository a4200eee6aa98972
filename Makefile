# Every target runs in any order on a clean clone, twice, as root or not, and writes only .venv/ and var/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run demo test check chaos soak bench lock packages-test

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
F ?=
SCALE ?= ci
MINUTES ?= 20
B ?=

ENVIRONMENT := $(VENV)/.from-lock
KAFKA := var/kafka/.fetched
BENCH_ENVIRONMENT := var/bench/venv/.from-lock

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 14

setup: $(ENVIRONMENT) $(KAFKA) ## Build .venv from the lock file and fetch Apache Kafka

$(ENVIRONMENT): requirements.lock pyproject.toml
	@PYTHON=$(PYTHON) deploy/packages.sh venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make setup PYTHON=python3.12")'
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(KAFKA): deploy/kafka/pom.xml | $(ENVIRONMENT)
	@deploy/packages.sh java maven
	@rm -rf var/kafka && mkdir -p var/kafka
	@cache="$${HOME:-}/.m2/repository"; { mkdir -p "$$cache" && test -w "$$cache"; } 2>/dev/null || cache="$(CURDIR)/var/maven"; \
	  mvn -q -B -Dstyle.color=never -Dmaven.repo.local="$$cache" -f deploy/kafka/pom.xml \
	    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(CURDIR)/var/kafka/lib"
	@$(RUN) -m municipio.broker archive || echo "Kafka will start a second slower: its classes could not be archived." >&2
	@touch $@

run: setup ## Start everything with the example town; Ctrl-C stops it
	@exec $(VENV)/bin/municipio up --demo

demo: setup ## The same night without waiting for anyone; the last line is its JSON
	@exec $(RUN) -m municipio.demo

test: setup packages-test ## Run every test, on real Kafka and real PostgreSQL
	@$(RUN) -m pytest -n 3 --dist loadscope

check: setup ## Format, lint, types, import contracts, message contracts, documentation examples
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(RUN) -m schemas.export --check
	$(RUN) -m schemas.compat
	$(RUN) -m docs.generate --check
	$(RUN) -m docs.examples

chaos: setup packages-test ## Kill processes under load and count what is lost; F=R1,R3 SCALE=ci|night
	@exec $(RUN) -m tests.chaos $(if $(F),--faults $(F)) --scale $(SCALE)

soak: setup packages-test ## Twenty minutes of random faults: nothing lost, nothing grows; MINUTES=3
	@exec $(RUN) -m tests.chaos.soak --minutes $(MINUTES)

bench: setup ## Every speed figure against a baseline of the same run; B=name,name runs some
	@deploy/packages.sh postgresql
	@case ",$(B)," in ,,|*,triage_vs_quix,*) $(MAKE) --no-print-directory $(BENCH_ENVIRONMENT) ;; esac
	@exec $(RUN) -m bench --only "$(B)"

# Quixstreams wants an older pydantic than ours: an environment of its own.
$(BENCH_ENVIRONMENT): bench/requirements.lock | $(ENVIRONMENT)
	@test -x var/bench/venv/bin/python || $(PYTHON) -m venv var/bench/venv
	var/bench/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.lock
	@touch $@

packages-test:
	@deploy/packages.sh postgresql chromium faketime

lock: $(ENVIRONMENT)
	$(VENV)/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --extra dev --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml
	$(VENV)/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --extra bench --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file bench/requirements.lock pyproject.toml
