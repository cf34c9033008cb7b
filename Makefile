# Lamplighter's commands. `make` alone lists them.
#
# Nothing has to be installed first except make and Python 3.11 or newer (with its venv module): each
# command builds the environments that it needs. Handy variables:
#   ARGS='...'      handed on to the command (make run ARGS='--port 9443', make test ARGS='-k phases -x')
#   T=path          the tests to run (make test T=tests/deployments)
#   WORKERS=2       that many test processes at once, each with an engine of its own (0: none besides pytest itself);
#                   without it, three for two cores: tests wait for other programs half of their time
#   PHASES=10,30    the demo in phases of these shares and the rest, with retries and an abort
#   STORY=bad-release  the demo of a bad release that stops itself, and of what an operator does then
#   MINUTES=60      how long make soak runs, with DEVICES=40 devices and the plan of SEED=1
#   STAGE=prod      the stage to package, to deploy or to remove
#   URL=https://... the server to check, with EMAIL and PASSWORD of a user (make smoke)
#   PYTHON=python   the interpreter that .venv is made from; also the Lambda runtime that is packaged for

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.PHONY: help run demo reset manage ui pictures test cover bench soak fleet cost heat check lint types imports spelling docs-check \
        licences audit templates lock format docs docs-site package deploy rollback releases drill undeploy smoke env clean distclean

STAGE ?= prod
ARGS ?=
T ?=
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 2)
PHASES ?=
STORY ?=
MINUTES ?= 10
DEVICES ?= 30
SEED ?= 1
PY := .venv/bin/python
READY := .venv/.ready
ENGINE := .venv-engine/.ready
AUDIT := .venv-audit/.ready
CHECKOV := .venv-templates/.ready
SITE := .venv-docs/.ready
NODE := .venv-ui/.ready
CONSOLE := $(PY) -m infra.scripts.console
PIP := bin/python -m pip install --require-hashes --quiet --disable-pip-version-check --no-input

##@ Use it

run: $(READY) $(ENGINE) ## Serve everything on this machine, data kept across restarts
	@$(CONSOLE) --or-go-on
	@$(PY) -m infra.local.run $(ARGS)

demo: $(READY) $(ENGINE) ## Watch simulated devices take an update (PHASES=10,30, STORY=bad-release)
	@$(CONSOLE) --or-go-on
	@$(PY) -m tests.simulator.demo $(if $(PHASES),--devices 200 --phases $(PHASES)) $(if $(STORY),--story $(STORY)) $(ARGS)

reset: $(READY) ## Throw the one-machine server's data away (keys are kept; it must be running)
	@$(PY) -m infra.manage reset $(ARGS)

manage: $(READY) ## Tenants, users, limits, signing keys (ARGS='tenant list')
	@$(PY) -m infra.manage $(ARGS)

##@ Work on it

ui: $(READY) ## Build the console from ui/, unless that has not changed (run, test, package and deploy do so too)
	@$(CONSOLE)

pictures: $(READY) $(ENGINE) ## Take pictures of the console into .local/pictures (ARGS='--docs': also those of docs/)
	@$(CONSOLE)
	@$(PY) -m tests.console.browser.pictures $(ARGS)

test: $(READY) $(ENGINE) ## Run the test suite (T=path, ARGS='-k word')
	@$(CONSOLE) --or-go-on
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal $(T) $(ARGS)

cover: $(READY) $(ENGINE) ## The test suite with branch coverage, which may not fall (nor is it checked with T=path)
	@$(CONSOLE) --or-go-on
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report= $(T) $(ARGS)
	@$(PY) -m coverage report --skip-covered --include='app.py,chalicelib/*' $(if $(T),,--fail-under=98)
	@$(PY) -m coverage report --skip-covered --include='infra/*' $(if $(T),,--fail-under=66)

cost: $(READY) ## What a fleet costs on AWS (ARGS='--devices 10000 --poll 1800')
	@$(PY) -m infra.scripts.cost $(ARGS)

heat: $(READY) ## Which keys of DynamoDB become hot (ARGS='--devices 100000 --poll 300')
	@$(PY) -m infra.heat $(ARGS)

bench: $(READY) $(ENGINE) ## Measure cost and speed
	@$(PY) -m tests.bench $(ARGS)

soak: $(READY) $(ENGINE) ## Run the server under faults and kills, then compare all records (MINUTES=10 DEVICES=30 SEED=1)
	@$(PY) -m tests.soak --minutes $(MINUTES) --devices $(DEVICES) --seed $(SEED) $(ARGS)

fleet: $(READY) $(ENGINE) ## Measure the one-machine server with a fleet and a busy operator (DEVICES=10000)
	@$(PY) -m tests.bench.fleet --devices $(if $(filter file,$(origin DEVICES)),10000,$(DEVICES)) $(ARGS)

check: lint types imports spelling docs-check licences test ## Everything that CI runs, in its order

lint: $(READY) ## Ruff: rules and layout
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: $(READY) ## mypy, strict, and TypeScript, strict
	@$(PY) -m mypy
	@$(CONSOLE) --types

# No cache: it does not notice that the name in "from package import name" has become a module.
imports: $(READY) ## Who may import whom
	@.venv/bin/lint-imports --no-cache

spelling: $(READY) ## Common misspellings
	@.venv/bin/codespell

docs-check: $(READY) ## Are the generated pages up to date?
	@$(PY) -m infra.scripts.compatibility --check
	@$(PY) -m infra.scripts.limits_page --check
	@$(PY) -m infra.scripts.roles_page --check
	@$(PY) -m infra.scripts.cost_page --check
	@$(PY) -m infra.heat.page --check
	@$(PY) -m infra.scripts.openapi --check
	@$(PY) -m infra.scripts.chalice_config --check

licences: $(READY) ## May everything that is installed be used, and what ships be shipped?
	@$(PY) -m infra.scripts.licences

audit: $(READY) ## Known vulnerabilities in what ships (skipped with a line where the database is out of reach)
	@if $(MAKE) $(AUDIT); then $(PY) -m infra.scripts.audit .venv-audit/bin/pip-audit; \
	else echo "audit SKIPPED, pip-audit cannot be installed here"; fi

templates: $(READY) $(CHECKOV) ## What checkov advises on the templates and on what `make package` built, where we do not
	@.venv-templates/bin/checkov --config-file infra/checkov.yaml \
	    --file infra/templates/*.yaml $(wildcard build/$(STAGE)/sam.json)

lock: $(READY) $(AUDIT) ## Write requirements*.txt from requirements*.in (ARGS=--upgrade, ARGS='--upgrade-package NAME')
	@$(PY) -m infra.scripts.lock .venv-audit/bin/uv $(ARGS)

format: $(READY) ## Bring the layout in order and mend what can be mended by itself
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix-only .

docs: $(READY) ## Write again what is generated: pages, and the configuration in .chalice
	@$(PY) -m infra.scripts.compatibility
	@$(PY) -m infra.scripts.limits_page
	@$(PY) -m infra.scripts.roles_page
	@$(PY) -m infra.scripts.cost_page
	@$(PY) -m infra.heat.page
	@$(PY) -m infra.scripts.openapi
	@$(PY) -m infra.scripts.chalice_config
	@$(PY) -m infra.scripts.deployed_page

docs-site: $(READY) $(SITE) ## The pages as a site, in build/site; fails at a link that leads nowhere
	@NO_MKDOCS_2_WARNING=1 $(PY) -m infra.scripts.site .venv-docs/bin/mkdocs && echo "The site is in build/site"

##@ Ship it

package: $(READY) ## Build what CloudFormation deploys (STAGE=prod) into build/STAGE
	@$(CONSOLE) --or-go-on
	@$(PY) -m infra.scripts.package --stage $(STAGE) --out build/$(STAGE) $(ARGS)

deploy: $(READY) $(ENGINE) ## Deploy a stage with its storage and check it (STAGE=dev; local-aws: on this machine)
	@$(CONSOLE) --or-go-on
	@$(PY) -m infra.scripts.deploy deploy --stage $(STAGE) $(ARGS)

rollback: $(READY) ## Call the release before the live one again (STAGE=prod, ARGS='--to NUMBER')
	@$(PY) -m infra.scripts.deploy rollback --stage $(STAGE) $(ARGS)

releases: $(READY) ## Which releases of a stage one can go back to (STAGE=prod)
	@$(PY) -m infra.scripts.deploy releases --stage $(STAGE) $(ARGS)

drill: $(READY) $(ENGINE) ## Fail every call that deploying, updating and removing make, and start each again; go on from a backup
	@$(PY) -m tests.drills.deploying $(ARGS)
	@$(PY) -m tests.drills.restoring

undeploy: $(READY) ## Remove a stage's functions and APIs; what is stored stays (STAGE=dev)
	@$(PY) -m infra.scripts.deploy undeploy --stage $(STAGE) $(ARGS)

smoke: $(READY) ## Does a server work? (URL=... EMAIL=... PASSWORD=...; without: what was deployed last from here)
	@$(PY) -m infra.scripts.smoke $(if $(URL),--url $(URL)) $(if $(WEBSOCKET),--websocket $(WEBSOCKET)) $(ARGS)

##@ Housekeeping

env: $(READY) $(ENGINE) ## Only build the environments

clean: ## Remove what builds and checks leave behind
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	       .coverage .coverage.* .chalice/deployments .chalice/venv chalicelib/console/built
	@find . \( -name .git -o -name '.venv*' -o -name .local -o -name node_modules \) -prune \
	       -o -type d -name __pycache__ -exec rm -rf {} +

distclean: clean ## ... and the environments
	rm -rf .venv .venv-engine .venv-audit .venv-docs .venv-templates .venv-ui ui/node_modules

help: ## This list
	@awk 'BEGIN { FS = ":.*## "; print "make COMMAND" } \
	     /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	     /^[a-z][a-z-]*:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Environments. A version manager may leave a python3.13 on the path that only prints an error, so each
# candidate has to show that it runs, is new enough and can make an environment.
PROBE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
define make-venv
	@set -e; \
	if ! $(1)/bin/python -c '$(PROBE)' >/dev/null 2>&1; then \
	    found=; \
	    for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python); do \
	        if "$$python" -c '$(PROBE)' >/dev/null 2>&1; then found=$$python; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "Lamplighter needs Python 3.11 or newer with its venv module; $(or $(PYTHON),nothing on PATH) is none." >&2; \
	        echo "On Debian or Ubuntu: apt-get install python3 python3-venv. Or: make PYTHON=/path/to/python3" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(1) with $$("$$found" --version)"; \
	    rm -rf $(1); \
	    "$$found" -m venv $(1); \
	fi; \
	echo "Installing $(2) into $(1)"; \
	$(1)/$(PIP) -r $(2)
	@touch $@
endef

$(READY): requirements-dev.txt
	$(call make-venv,.venv,requirements-dev.txt)

$(ENGINE): requirements-engine.txt
	$(call make-venv,.venv-engine,requirements-engine.txt)

$(CHECKOV): requirements-templates.txt
	$(call make-venv,.venv-templates,requirements-templates.txt)

$(SITE): requirements-docs.txt
	$(call make-venv,.venv-docs,requirements-docs.txt)

$(AUDIT): requirements-audit.txt
	$(call make-venv,.venv-audit,requirements-audit.txt)

$(NODE): requirements-ui.txt
	$(call make-venv,.venv-ui,requirements-ui.txt)
