# Everything here needs Python >= 3.11 and make; the rest is installed into .venv.
#
#   make demo     set up, then run a whole shot of the demo experiment; KEEP=1: stay, with a shot
#                 every minute; QUEUE=1: a short programme of the pulse queue instead
#   make test     everything that checks the project; SHOTLINE_TEST_STARTS=cold: what the tests
#                 start is not forked from a process that has loaded it (docs/decisions/0053)
#   make test-fast  the part of `make test` that starts no daemons, with `make check`
#   make test-queue-server  the tests of bluesky-queueserver itself against the bridge for its
#                 clients; ALL=1: all that it could pass; ONLY="WORDS": those that pytest's -k
#                 finds; SHARES=N: in so many processes
#   make test-slurm  servers on demand with a real Slurm, which must be installed; ALL=1: also what
#                 takes minutes
#   make faults   break the real system on purpose, and count: kills, bad networks, Redis, full disks;
#                 ONLY="NAME …": some of the trials; SCALE=0.1: less of each. make faults-doc: the
#                 table in docs/reliability.md from the last runs
#   make fuzz     mutants of every message through codec and sockets; N=1000000, LIVE=20000 of them
#                 through sockets
#   make soak MINUTES=10  whether memory, descriptors, threads and keys stay flat over many shots
#   make test-browser  the page in a real browser
#   make test-hub the part of `make test` that kills daemons, with broker and dispatcher in one process
#   make sim SEEDS=5000  so many seeds of the simulations, all daemons and their faults on a virtual
#                 clock; SEEDS=7:9 these; without: 200 fresh ones; ONLY=NAME: of one simulation. A core
#                 does some 400 storms a minute; `make test` has 1,000 and 60 fresh ones
#   make sim-mutants  plant bugs in the machines, one by one: the simulations must see each of them;
#                 writes the table in docs/reliability.md
#   make check    only what runs in seconds: format, lint, types, architecture, style
#   make format   lay out the code and mend what the linter can mend
#   make schema   write anew what is written from the code: etc/config.schema.json,
#                 docs/openapi.json, docs/protocol.md, the pictures in docs/architecture.md,
#                 the methods in client/methods.py, the page's types
#   make screenshots  the pictures of the page in docs/images, from the demo, and every tab at four
#                 sizes in var/screenshots, to be looked at
#   make bench    the performance suite, beside its baselines; BENCH="--only W1 W2": other options
#   make bench-doc  the tables in docs/performance.md, from the results of `make bench`
#   make docs     the documents as a site, in build/site; fails on whatever is not in order
#   make install  the virtual environment, of the locked versions; again only when these change
#   make lock     write tests/requirements.lock and, for deployments, etc/requirements.lock anew where
#                 setup.cfg asks for it; UPGRADE=1: with the newest versions of everything
#   make test-newest  `make test` in an environment of its own, with the newest versions of everything
#   make clean    forget what can be made again; make distclean: also .venv and the demo's data

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$python"; break; }; done)
# The hundreds of processes that the tests start find the modules compiled.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
PIP := $(BIN)/python -m pip --disable-pip-version-check
COMMA := ,
EXTRAS := embedded,hdf5,mdsip,mdsplus,docs,dev
CODE := action_server alarms bridges broker client common dispatcher fleet hub monitor providers pulse_queue trees volumes
FAST_TESTS := $(wildcard tests/unit tests/simulation)
REAL_TESTS := $(wildcard tests/integration)
TRIALS := $(wildcard tests/faults tests/fuzz tests/soak)
FAULT_TESTS := $(wildcard tests/integration/test_faults_*.py)
BROWSER_TESTS := $(wildcard tests/browser)

.PHONY: demo docs sim sim-mutants faults faults-doc fuzz soak test test-fast test-browser test-hub test-queue-server test-slurm check check-format check-lint check-types check-architecture check-style \
	check-page screenshots format schema bench bench-doc install lock test-newest clean distclean
.DEFAULT_GOAL := demo

demo: install
	$(BIN)/shotline demo $(if $(KEEP),--keep) $(if $(QUEUE),--queue)

# A file's tests stay together, and files begin in the order of tests/conftest.py.
BY_FILE := --dist loadfile --no-loadscope-reorder

test: install $(if $(shell command -v npm),$(VENV)/page/node_modules)
	$(MAKE) -j4 test-fast test-queue-server test-slurm docs
ifneq ($(REAL_TESTS),)
	$(PYTEST) -n 3 $(BY_FILE) $(REAL_TESTS) $(TRIALS)
endif
	$(MAKE) test-hub
	$(MAKE) test-browser

# What only computes, in the time of those that mostly wait, which have the processors first.
test-fast: install
	nice $(MAKE) check
	nice $(PYTEST) -n 2 $(FAST_TESTS)

test-browser: install
ifneq ($(BROWSER_TESTS),)
	$(PYTEST) -n 2 $(BY_FILE) $(BROWSER_TESTS)
endif

SEEDS := fresh
sim: install
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(ONLY),--only $(ONLY))

sim-mutants: install
	$(BIN)/python -m tests.simulation.mutants docs/reliability.md

# What happens after faults, with broker and dispatcher in one process instead of two.
test-hub: install
ifneq ($(FAULT_TESTS),)
	SHOTLINE_TEST_FORM=hub $(PYTEST) -n 3 $(BY_FILE) -m "not apart" $(FAULT_TESTS)
endif

SCALE := 1
faults: install
	$(BIN)/python -m tests.faults --scale $(SCALE) --keep tests/faults/results.json \
		$(addprefix --only ,$(ONLY))

faults-doc: install
	$(BIN)/python -m tests.faults.document docs/reliability.md

N := 1000000
LIVE := 20000
fuzz: install
	$(BIN)/python -m tests.fuzz --count $(N) --live $(LIVE)

MINUTES := 10
soak: install
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

# Slurm is started by the tests, in a network namespace that they have to themselves.
test-slurm: install
	unshare $(if $(filter 0,$(shell id -u)),-n,-rn) $(PYTEST) $(if $(ALL),,-m "not slow") tests/slurm

# The queue server's packages are not the project's: they have an environment of their own.
QUEUE_SERVER := .venv-queue-server
test-queue-server: install $(QUEUE_SERVER)/.installed
	$(BIN)/python -P tests/queue_server/run.py $(CURDIR)/$(QUEUE_SERVER) $(if $(ALL),--all) \
		$(if $(ONLY),--only "$(ONLY)") $(if $(SHARES),--shares $(SHARES))

$(QUEUE_SERVER)/.installed: tests/queue_server/requirements.lock
	test -x $(QUEUE_SERVER)/bin/python || $(PYTHON) -m venv $(QUEUE_SERVER)
	$(QUEUE_SERVER)/bin/python -m pip --disable-pip-version-check install --quiet \
		--require-hashes -r $<
	$(QUEUE_SERVER)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps \
		--target $(QUEUE_SERVER)/first bluesky-queueserver==0.0.1
	@touch $@

# `make -k check` goes on after the first that fails.
check: check-format check-lint check-types check-architecture check-style check-page

check-format: install
	$(BIN)/ruff format --check .

check-lint: install
	$(BIN)/ruff check .

check-types: install
	$(BIN)/mypy $(addprefix src/shotline/,$(CODE) etc) bench tools

check-architecture: install
	$(BIN)/lint-imports --no-logo

check-style: install
	$(PYTEST) -q tests/unit/test_style.py

# The page's modules: their types by their JSDoc, their logic by node's own test runner. The page
# itself needs neither.
ifneq ($(and $(shell command -v node),$(shell command -v npm)),)
check-page: $(VENV)/page/node_modules
	$(VENV)/page/node_modules/.bin/tsc -p tests/js/tsconfig.json
	node --test --test-timeout=60000 tests/js/
else
check-page:
	@echo "check-page: left out, node and npm are not installed" >&2
endif

$(VENV)/page/node_modules: tests/js/package.json tests/js/package-lock.json | install
	mkdir -p $(VENV)/page
	cp $^ $(VENV)/page/
	npm ci --prefix $(VENV)/page --no-audit --no-fund --silent
	@touch $@

# Needs Chromium.
screenshots: install
	$(BIN)/python -m tests.browser.screenshots docs/images var/screenshots

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: install
	$(BIN)/python -c 'from shotline.common.settings.config import config_schema; print(config_schema(), end="")' \
		> etc/config.schema.json
	$(BIN)/python -c 'from shotline.monitor.http.routes import document; print(document(), end="")' \
		> docs/openapi.json
	$(BIN)/python -m tools.protocol_doc > docs/protocol.md
	$(BIN)/python -m tools.house docs/architecture.md
	$(BIN)/python -m tools.methods client/methods.py
	$(BIN)/python -m tests.support.access docs/security.md
	$(BIN)/python -m tests.support.keys docs/security.md
	$(BIN)/python -m tools.page_types > monitor/static/model/types.js
	$(BIN)/python -m tools.page_verbs > monitor/static/model/verbs.js

# Diagrams are drawn, and search needs no server, by packages of node's; without npm they are shown
# as text, and search needs one.
docs: install $(if $(shell command -v npm),$(VENV)/page/node_modules)
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/mkdocs build

BENCH :=
bench: install
	$(BIN)/python -m bench $(BENCH)

bench-doc: install
	$(BIN)/python -m bench.document docs/performance.md

install: $(STAMP)

# Exactly the locked versions, by their hashes; LOCK= takes the newest that setup.cfg allows.
LOCK := tests/requirements.lock

$(STAMP): setup.cfg pyproject.toml $(LOCK)
	@test -n "$(PYTHON)" || { echo "Shotline needs Python 3.11 or newer:" \
		"install it, or say which one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "The virtual" \
		"environment could not be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
ifneq ($(LOCK),)
	$(PIP) install --quiet --require-hashes -r $(LOCK)
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	$(PIP) check
else
	$(PIP) install --quiet --upgrade --upgrade-strategy eager -e '.[$(EXTRAS)]'
endif
	@touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command 'make lock'

lock: install
	$(COMPILE) $(if $(UPGRADE),--upgrade) \
		$(addprefix --extra ,$(subst $(COMMA), ,$(EXTRAS))) setup.cfg -o $(LOCK)
	$(COMPILE) --upgrade --constraint $(LOCK) \
		--extra hdf5 --extra mdsip --extra mdsplus setup.cfg -o etc/requirements.lock
	$(COMPILE) $(if $(UPGRADE),--upgrade) tests/queue_server/requirements.txt \
		-o tests/queue_server/requirements.lock
	npm install --prefix tests/js --package-lock-only --omit-lockfile-registry-resolved \
		--no-audit --no-fund --silent

test-newest:
	rm -f .venv-newest/.installed
	SHOTLINE_TEST_STARTS=cold $(MAKE) test VENV=.venv-newest LOCK=

clean:
	rm -rf build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find $(CODE) tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) .venv-newest $(QUEUE_SERVER) var
