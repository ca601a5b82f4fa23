# make demo, make test, make test-all, make docs: each makes .venv and installs what it needs. Needs Python >= 3.11.
PYTHON ?= python3
BIN := .venv/bin
DENDRIX := $(BIN)/dendrix

.PHONY: demo test test-all test-transformers test-lm-eval docs links check lint fuzz wasm page bench audit sbom clean

demo: .venv/.user
	$(DENDRIX) demo

# Types and style are checked while the tests run, as they use one core only. --jobs keeps going: both say what they found.
test: .venv/.dev
	$(MAKE) --no-print-directory --jobs=2 --keep-going lint tests

# One thread for each of the two workers: threads that share a core wait for each other.
.PHONY: tests
tests: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "not extended"

# Also what needs longer or more tools: each test is skipped with a reason where its tool is absent.
test-all: lint .venv/.docs .venv/.browser
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -rs

# The common model tests of transformers: make test-transformers SOURCE=transformers-5.23.0, a checkout or source distribution, which
# has more tests the more complete it is. Every skip is listed with its reason.
test-transformers: .venv/.transformers
	PYTHONPATH=tests OMP_NUM_THREADS=1 SOURCE=$(abspath $(SOURCE)) $(BIN)/pytest -c /dev/null --rootdir . -p no:cacheprovider -rs \
		tests/peers/transformers_common.py

# The tasks of benchmarks/lm_eval in lm_eval, over the server and in transformers, beside `dendrix lm eval`.
test-lm-eval: .venv/.lm-eval
	OMP_NUM_THREADS=1 LM_EVAL=$(abspath .venv/lm-eval/bin/lm_eval) $(BIN)/pytest -rs tests/peers/test_lm_eval.py

# The documentation site, docs/_build/html/index.html. Runs the tutorials and works without a network.
docs: .venv/.docs
	$(BIN)/sphinx-build --fail-on-warning --jobs 2 docs docs/_build/html

# External links of the documentation. Needs a network; `make test` checks the internal ones.
links: .venv/.docs
	$(BIN)/sphinx-build -b linkcheck --jobs 2 docs docs/_build/links

# A quick check while working: types, style, and the tests of the core.
check: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "not slow and not extended" tests/core tests/neurons tests/run_folder \
		tests/test_architecture.py tests/test_exported_members.py tests/test_language.py tests/test_rules.py

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell src docs *.md
	$(BIN)/proselint --config .proselintrc.json check *.md docs/*.md docs/*/*.md src/dendrix/*/*/README.md

# Damaged inputs for every reader of outside bytes: make fuzz SECONDS=60 ENGINE=atheris
SECONDS ?= 20
ENGINE ?= hypothesis
fuzz: .venv/.dev
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -m fuzz --seconds $(SECONDS) --engine $(ENGINE)

# The engine that `dendrix export --to wasm` copies. Wheels take the file as it lies in the repository; a test builds it again.
wasm: .venv/.dev
	$(BIN)/python -m dendrix.deploy.compile

# The engines that only the page has.
page: .venv/.dev
	$(BIN)/python -m dendrix.page.compile

bench: .venv/.bench
	$(DENDRIX) bench --out benchmarks

# Known vulnerabilities of the pinned packages. Needs a network; --strict: a package of which nothing can be learned is a failure.
audit: .venv/.audit
	@.venv/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip || { \
		echo "make audit: expected an answer without a vulnerability for every package of constraints.txt, got the above." \
			"Try again where the package index, with its data on vulnerabilities, can be reached." >&2; exit 1; }

# The software bill of materials of the environment, for a release.
sbom: .venv/.user .venv/.audit
	.venv/audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-file sbom.json $(BIN)/python

clean:
	rm -rf .venv demo runs docs/_build

.venv/.python:
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else f'Python 3.11 or newer is needed, this is {sys.version.split()[0]}. Try make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv .venv
	touch $@

.venv/.user: .venv/.python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[audio,lm,train]"
	touch $@

.venv/.dev: .venv/.python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@ .venv/.user

.venv/.transformers: .venv/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt parameterized
	touch $@

# Apart, as in the environment of somebody who evaluates models without dendrix.
.venv/.lm-eval: .venv/.dev
	$(PYTHON) -m venv .venv/lm-eval
	.venv/lm-eval/bin/pip install --quiet --disable-pip-version-check -c constraints.txt "lm_eval[api,hf]==0.4.13"
	touch $@

.venv/.browser: .venv/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[browser]"
	touch $@

.venv/.docs: .venv/.python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@

# Apart from what they look at.
.venv/.audit: .venv/.python
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/pip install --quiet --disable-pip-version-check pip-audit cyclonedx-bom
	touch $@

# The peers' own dependencies (torchvision, torchaudio, ...) are not needed for what is measured.
.venv/.bench: .venv/.user
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps -r benchmarks/peers.txt
	touch $@
