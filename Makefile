# make demo    everything in .venv, the default model, and four processes with a live dashboard on http://localhost:8000
# make test    everything the tests need (Debian packages, too, when root), and all tests; PYTEST_ADDOPTS adds options
# make coverage  the same, and which lines no test reaches; takes twice as long
# make check   formatting, lint, types, and who may import whom
# make bench   what things cost, as ratios in one run: one table (docs/speed.md), then dashboard, decoding, models
# make drills  what takes minutes: the edge under every kind of chaos; KILLS=200 AWAY=3600 make it longer
# make scenarios  what is said of a week, against what was true: docs/scenarios.md; an hour, DAYS=1 for a try
# make docs    the pages and pictures of docs/ that are made from the code and from ../shared/data
# make pictures  api/dashboard/overview.png and docs/pictures/dashboard-*.png, of the running demo with its pump broken
# make lock    requirements/*.lock from pyproject.toml; UPGRADE=1 moves to newer versions
# make clean   removes what make has made: .venv, the built dashboard, caches; the plant's state in .kullager stays
#
# PORT=8001 moves the demo's page; PYTHON=/path/to/python3.11 chooses the interpreter.

SHELL := /bin/bash
PORT ?= 8000
KILLS ?= 20
AWAY ?= 60
DAYS ?= 7
# one more than the smallest machine has cores: half of the time tests wait for other processes; ports are for four at most
WORKERS ?= 3
BIN := .venv/bin
SETUP := requirements/setup.sh
export PYTHON
# packages are installed without bytecode, which is written when they are first imported: starting takes half as long with it
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage check bench drills scenarios docs pictures lock clean dashboard

demo:
	@$(SETUP) demo dashboard && exec $(BIN)/python -m simulator.demo --port $(PORT)

test:
	@$(SETUP) system dev dashboard counterparts
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

coverage: export PYTEST_ADDOPTS += --cov --cov-report=term:skip-covered
coverage: test

check:
	@$(SETUP) dev dashboard
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.venv/npm --prefix api/dashboard run check

dashboard:
	@$(SETUP) dashboard

bench:
	@$(SETUP) system dev dashboard node-red
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench page --json .bench-page.json
	$(BIN)/python -m tests.bench.decoding
	$(BIN)/python -m models benchmark skab ../shared/data/skab
	$(BIN)/python -m models benchmark cwru ../shared/data/cwru
	$(BIN)/python -m models benchmark pronostia ../shared/data/pronostia
	$(BIN)/python -m models benchmark hydraulic ../shared/data/hydraulic
	$(BIN)/python -m models benchmark cmapss ../shared/data/cmapss

drills:
	@$(SETUP) system dev counterparts
	$(BIN)/python -m edge drill --kills $(KILLS) --away $(AWAY)
	$(BIN)/python -m pytest -m drill tests/system

scenarios:
	@$(SETUP) dev
	$(BIN)/python -m docs.scenarios $(DAYS)

docs:
	@$(SETUP) docs
	PYTHONPATH=.venv/docs $(BIN)/python -m docs

pictures:
	@$(SETUP) system dev docs dashboard
	PYTHONPATH=.venv/docs $(BIN)/python -m docs dashboard

lock:
	@$(SETUP) uv
	requirements/lock.sh $(BIN)/uv

clean:
	rm -rf .venv api/dashboard/{dist,node_modules} tests/counterparts/node_modules .coverage .{mypy,ruff,pytest,import_linter}_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
