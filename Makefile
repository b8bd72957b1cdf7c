# `make demo` and `make test` do everything that is needed first. Neither installs again what is there already.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RECORDING ?= data/examples/menuet_piano.flac
INSTALLED := .venv/.installed
# Two processes of one thread each, a core for each: half of the time that one process of two threads takes.
PYTEST := OMP_NUM_THREADS=1 .venv/bin/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: demo test test-all lint fuzz docs bench digits cifar choices

demo: $(INSTALLED)
	.venv/bin/audiocnn transcribe $(RECORDING) --model notes-piano --formats mid csv png --output build/demo
	@echo "From $(RECORDING):"
	@ls build/demo/$(basename $(notdir $(RECORDING))).*

test: $(INSTALLED)
	$(PYTEST) -m "not slow"

# And what takes long: trainings and notebooks.
test-all: test
	$(PYTEST) -m slow

lint: $(INSTALLED)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright
	.venv/bin/deptry .

# Ten thousand mutated files through every reader and verb, and each verb killed at twenty moments.
fuzz: $(INSTALLED)
	OMP_NUM_THREADS=1 .venv/bin/python tests/fuzz/run.py
	KILLS=20 $(PYTEST) tests/faults

# The index of the lectures, and the reference of every module from its docstrings.
docs: $(INSTALLED)
	.venv/bin/python docs/lectures.py
	.venv/bin/python docs/reference.py

bench: $(INSTALLED)
	.venv/bin/python tests/bench/bench.py
	.venv/bin/python tests/bench/throughput.py
	.venv/bin/python tests/bench/style.py

digits: $(INSTALLED)
	.venv/bin/python tests/bench/digits.py

# Five epochs of a dozen networks, an hour or two; data/cache/cifar10 is there already.
cifar: $(INSTALLED)
	.venv/bin/python tests/bench/cifar.py

choices: $(INSTALLED)
	.venv/bin/python tests/bench/choices.py

$(INSTALLED): pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -c constraints.txt -e '.[dev,onnx]'
	touch $@
