"""Verilog compiled to a shared library: Verilator, a C++ compiler, and a harness that Python calls."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from .cache import cached
from .tools import require, run_tool, verilator, verilator_root

VERILATOR_OPTIONS = (
    "--cc",
    "--no-timing",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "-Wno-fatal",
    "-Wno-lint",
)
COMPILER_OPTIONS = ("-std=c++17", "-O2", "-fPIC", "-fno-strict-aliasing")


def build_library(top: str, verilog: str, harness: Path, headers: Mapping[str, str]) -> Path:
    """Compile the module `top` with its harness, and return the shared library; cached by content.

    Parameters
    ----------
    top : str
        Name of the module; the harness includes ``V<top>.h``.
    verilog : str
    harness : Path
        C++ source.
    headers : mapping
        What else the harness includes: contents by file name.

    Raises
    ------
    ToolError
        If Verilator or a C++ compiler is missing or fails.
    """
    compiler = check_compiler()
    contents: tuple[str | bytes, ...] = (
        verilog,
        *headers.values(),
        harness.read_bytes(),
        *VERILATOR_OPTIONS,
        *COMPILER_OPTIONS,
        compiler,
        str(verilator_root()),
        version("verilator"),
    )

    def compile_(scratch: Path) -> None:
        for name, content in headers.items():
            (scratch / name).write_text(content)
        _compile(scratch, top, verilog, harness, compiler)

    return cached("compiled", contents, compile_) / f"{top}.so"


def check_compiler() -> str:
    """Path of the C++ compiler: ``$CXX``, or g++.

    Raises
    ------
    ToolError
        If it, or Verilator, is missing.
    """
    verilator_root()
    return require(os.environ.get("CXX", "g++"), "g++")


def _compile(scratch: Path, top: str, verilog: str, harness: Path, compiler: str) -> None:
    runtime = cached(
        "verilated",
        (*COMPILER_OPTIONS, compiler, str(verilator_root()), version("verilator")),
        lambda path: _compile_sources(compiler, _runtime_sources(), path, path),
    )
    (scratch / f"{top}.v").write_text(verilog)
    command = [str(verilator()), *VERILATOR_OPTIONS, "--top-module", top, "--Mdir", "generated", f"{top}.v"]
    run_tool(command, scratch, {"VERILATOR_ROOT": str(verilator_root())})
    _compile_sources(compiler, [*sorted(scratch.glob("generated/*.cpp")), harness], scratch, scratch)
    objects = [str(path) for path in (*sorted(scratch.glob("*.o")), *sorted(runtime.glob("*.o")))]
    run_tool([compiler, "-shared", "-o", f"{top}.so", *objects, "-pthread"], scratch)


def _runtime_sources() -> list[Path]:
    return [verilator_root() / "include" / name for name in ("verilated.cpp", "verilated_threads.cpp")]


def _compile_sources(compiler: str, sources: Sequence[Path], directory: Path, include: Path) -> None:
    """Compile each source to an object file in `directory`, all cores at work."""
    runtime = verilator_root() / "include"
    flags = [*COMPILER_OPTIONS, f"-I{include}", f"-I{include / 'generated'}", f"-I{runtime}", f"-I{runtime / 'vltstd'}"]

    def compile_one(source: Path) -> None:
        run_tool([compiler, *flags, "-c", str(source), "-o", str(directory / f"{source.stem}.o")], directory)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, sources))
