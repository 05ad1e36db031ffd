# Every habit of this project is a target here; `make` lists them.

PYTHON ?= python3
PORT ?= 8080
STATE_DIR ?= var

stack := $(PYTHON) deploy/local --state "$(STATE_DIR)"
bin := .venv/bin
pytest := $(bin)/pytest
# Most tests wait for something most of the time. A file's tests share what they have started; the
# files stay in the order of tests/conftest.py.
at_once := --numprocesses=3 --dist=loadfile --no-loadscope-reorder
# Test files that start no server and no process.
starts_something := \bserver?\b|serve_raw|Popen|subprocess|redis|postgres|\bstack\b|unix_server|certificate
at_rest := $(shell grep -rLE '$(starts_something)' --include='test_*.py' tests/unit | sort)
# What coverage is measured on: the tracer doubles the time of what computes, so tests that measure
# time, or wait for outages, run without it. `make test` runs these once, with the tracer.
library := tests/unit/django_websocket
traced := $(at_rest) $(addprefix $(library)/,connection server compat rfc6455 test_wsgi.py \
    test_database.py test_load.py pubsub/roster pubsub/test_api.py pubsub/test_dispatcher.py \
    pubsub/test_history.py pubsub/test_reader.py pubsub/test_subscriptions.py \
    pubsub/test_whispers.py pubsub/brokers/postgresql/test_address.py \
    management/commands/test_websockets.py management/test_hops.py management/test_reach.py)
not_vagrant := --ignore tests/deploy/test_vagrant.py
shell_scripts := .ci/run deploy/local/install-packages $(wildcard deploy/bin/*) tests/deploy/vagrant/validate \
    $(filter-out %.py,$(wildcard ansible/roles/app/files/* ansible/roles/base/files/*))

# Django compares Host with its own list, and nginx refuses a request that names two; how many files nginx
# may open is deploy/local/sizes.py's.
gixy_skips := host_spoofing,worker_rlimit_nofile_vs_connections

.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The stack

run: ## Start everything behind nginx (PORT=8080, STATE_DIR=var); Ctrl-C ends everything
	@$(stack) run --port $(PORT)

stop: ## End a stack that runs in another terminal
	@$(stack) stop

status: ## What runs
	@$(stack) status

restart: ## Restart one gunicorn after another, each when the previous one is ready
	@$(stack) restart

logs: ## Follow all logs
	@$(stack) logs

# The checks

check: ## In under three minutes: lint, types, the unit tests that start no server
	@$(MAKE) --no-print-directory --jobs=2 --output-sync lint types
	$(pytest) --quiet --numprocesses=2 $(at_rest)

# What fails runs a second time, alone: see tests/support/retry_alone.py.
test: prepare ## Everything but the scenarios, the matrix, a real `vagrant up`, and the benchmarks
	@$(MAKE) --no-print-directory --jobs=3 --output-sync lint types validate-vagrant lab environments
	$(pytest) $(at_once) --retry-alone -m "not scenario" $(not_vagrant) $(addprefix --ignore=,$(sort $(traced))) tests
	@$(MAKE) --no-print-directory coverage test-edges

test-all: test test-scenarios test-matrix test-vagrant ## Everything but the benchmarks; takes hours

test-scenarios: lab ## What else may happen to the playbooks' hosts; takes long, skipped with the reason where none boots
	$(pytest) $(at_once) --retry-alone -m scenario $(not_vagrant) tests/deploy

test-matrix: ## The library's unit tests on each Python and Django, on the lowest and newest packages
	PATH="$(CURDIR)/$(bin):$$PATH" $(bin)/nox

# Those that touch most of what gunicorn, gevent, websockets and Django may change.
edges := rfc6455 patches connection server/test_handler.py test_wsgi.py test_worker.py test_database.py
test-edges: ## Some of the library's unit tests, on the lowest and on the newest of all versions
	PATH="$(CURDIR)/$(bin):$$PATH" $(bin)/nox --tags edges -- $(addprefix $(library)/,$(edges))

prepare: ## Install what the tests need, from Debian and for Python
	@$(PYTHON) deploy/local prepare

lab: ## What the hosts of the tests start from
	@$(bin)/python tests/deploy/lab prepare

environments: ## The newest releases of what teams have installed, each in one of its own
	@$(bin)/python tests/support/company/environments.py

lint: ## Style, architecture, security, shell scripts, YAML
	$(bin)/ruff check
	$(bin)/ruff format --check
	PYTHONPATH=app $(bin)/lint-imports
	$(bin)/shellcheck $(shell_scripts)
	$(bin)/yamllint --strict .
	$(bin)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive app deploy
	cd deploy/nginx && ../../$(bin)/gixy --skips $(gixy_skips) nginx.conf
	cd ansible && PATH="$(CURDIR)/$(bin):$$PATH" ansible-lint -q

format: ## Put the code into its one form
	$(bin)/ruff check --fix
	$(bin)/ruff format

types: ## Type-check everything but the tests
	$(bin)/mypy

coverage: ## The library's branches that its quicker unit tests run, in gunicorn's workers as well; has a floor
	rm -rf build/coverage
	$(bin)/coverage run -m pytest --quiet $(at_once) --retry-alone $(sort $(traced))
	$(bin)/coverage combine --quiet
	$(bin)/coverage report

unit: ## The tests without a stack
	$(pytest) tests/unit

integration: ## The tests through the real stack, and of the files in deploy/
	$(pytest) tests/integration

browser: ## The tests in a real browser
	$(pytest) tests/browser

attack: ## Attack a stack of its own, on loopback, as SECURITY.md lists; takes some minutes
	cd tests && PYTHONPATH=.:../app DJANGO_SETTINGS_MODULE=project.settings ../$(bin)/python -m attack

audit: ## Known vulnerabilities of what is pinned; asks the package index
	$(bin)/pip-audit --strict --disable-pip --require-hashes -r requirements.txt
	$(bin)/pip-audit --strict --disable-pip --require-hashes -r requirements-dev.txt

test-deploy: lab ## The playbooks, on hosts that boot; skipped with the reason where none can
	$(pytest) $(at_once) $(not_vagrant) tests/deploy

validate-vagrant: ## The Vagrantfile in each of its forms, as far as Vagrant can read it
	@tests/deploy/vagrant/validate

test-vagrant: validate-vagrant ## A real `vagrant up`, with LXC; skipped with the reason where it cannot run
	@$(bin)/python tests/deploy/lab prepare-vagrant
	$(pytest) tests/deploy/test_vagrant.py

conformance: ## The protocol, against Autobahn|Testsuite
	tests/conformance/run

bench: ## Measure, beside others of our kind
	benchmarks/run

bench-quick: ## The same, a small part of it, in under two minutes
	benchmarks/run --quick

storm: ## Let 5,000 chat sockets come within a second; prints how they fared
	cd tests && PYTHONPATH=.:../app ../$(bin)/python -m support.storm

full-host: ## Fill two gunicorns with 9,000 sockets, restart them, lose one; prints what it cost
	cd tests && PYTHONPATH=.:../app ../$(bin)/python -m support.full_host

faults: ## Let each fault happen once, under load; prints what it cost (FAULTS="--write" for the docs)
	cd tests && PYTHONPATH=.:../app ../$(bin)/python -m faults $(FAULTS)

faults-all: ## More faults, among them Sentinel, Cluster, a full disk, another clock
	$(MAKE) --no-print-directory faults FAULTS="--all $(FAULTS)"

docs: ## Build the documentation's site into build/docs; a warning is an error
	$(bin)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs
	@echo "See build/docs/index.html"

dist: ## Build the sdist and the wheel into dist/, and check both as an index does
	rm -rf dist
	$(bin)/uv build --quiet --no-build-isolation --python $(bin)/python --out-dir dist .
	$(bin)/twine check --strict dist/*.whl dist/*.tar.gz
	$(bin)/check-wheel-contents dist/*.whl

# The rest

requirements: ## Pin the newest allowed packages, with hashes
	$(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade requirements.in -o requirements.txt
	$(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade requirements-dev.in -o requirements-dev.txt
	$(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade benchmarks/requirements.in -o benchmarks/requirements.txt

clean: ## Remove what was made: virtual environment, state, caches
	rm -rf .venv "$(STATE_DIR)" build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help run stop status restart logs check test test-all test-scenarios test-matrix test-edges prepare lab environments lint format types coverage \
        unit integration browser attack audit test-deploy validate-vagrant test-vagrant conformance bench bench-quick storm full-host faults faults-all docs dist requirements clean
