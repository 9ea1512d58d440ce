# make demo: watch the machine learn.   make test: check everything.
# Both set up what they need: a virtual environment in .venv and, where the user may, Debian or Ubuntu packages.

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
# Where MNIST is, as --data takes it: by default it is downloaded, once; MNIST=idx:DIR has it already.
MNIST ?= mnist

.PHONY: demo test check bench boards clean

demo: $(INSTALLED)
	$(VENV)/bin/stochastor demo

test: check
	$(VENV)/bin/pytest tests/unit --numprocesses auto
	$(VENV)/bin/pytest tests/cosim --numprocesses auto

check: $(INSTALLED)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	mkdir -p build/types && ln -sfn ../.. build/types/stochastor
	MYPYPATH=build/types $(VENV)/bin/mypy -p stochastor.model -p stochastor.hdl -p stochastor.sim -p stochastor.fpga -p stochastor.cli

bench: $(INSTALLED)
	$(VENV)/bin/python tests/benchmarks/digits.py

boards: $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet --editable '.[fpga]'
	$(VENV)/bin/python tests/benchmarks/boards.py --mnist $(MNIST)
	$(VENV)/bin/python tests/benchmarks/cycles.py --preset mnist --data $(MNIST)
	$(VENV)/bin/python tests/benchmarks/replay.py
	$(VENV)/bin/python tests/benchmarks/replay.py --preset mnist --data $(MNIST) --samples 250 --rounds 4 --linked 3 --block 250 \
		--clock-mhz 66

$(INSTALLED): pyproject.toml
	./setup.sh $(PYTHON) $(VENV)
	touch $@

clean:
	rm -rf build dist $(VENV) *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
