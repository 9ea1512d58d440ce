"""Yosys, nextpnr and the packers: native ones where they are found, otherwise the YoWASP wheels."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..model.errors import ToolError
from .boards import Family

TOOLS = {
    Family.ICE40: ("yosys", "nextpnr-ice40", "icepack"),
    Family.ECP5: ("yosys", "nextpnr-ecp5", "ecppack"),
    Family.SERIES7: ("yosys",),
}
INSTALL = "pip install 'stochastor[fpga]'"


@dataclass(frozen=True)
class Toolchain:
    """Where each tool is, and what it says it is.

    Attributes
    ----------
    paths, versions : dict of str
        By the tool's plain name.
    """

    paths: dict[str, str]
    versions: dict[str, str]

    @classmethod
    def find(cls, family: Family) -> Self:
        """Find the tools of `family`.

        What the environment names (YOSYS, NEXTPNR_ECP5, ...) goes before all. Of the others, native ones are taken if
        all of them are on PATH, as releases of different years misread each other's files; otherwise the wheels.

        Raises
        ------
        ToolError
            If one is missing, naming the line that installs it.
        """
        chosen = {tool: _chosen(tool) for tool in TOOLS[family]}
        native, wheels = ({tool: chosen[tool] or find(tool) for tool in chosen} for find in (shutil.which, _find_wheel))
        paths = native if all(native.values()) else wheels
        for tool, path in paths.items():
            if path is None:
                raise ToolError(f"{tool} is missing: {INSTALL}")
        found = {tool: str(path) for tool, path in paths.items()}
        return cls(found, {tool: _version(tool, path) for tool, path in found.items()})


def _chosen(tool: str) -> str | None:
    variable = tool.upper().replace("-", "_")
    chosen = os.environ.get(variable)
    if not chosen:
        return None
    found = shutil.which(chosen)
    if found is None:
        raise ToolError(f"{variable}={chosen} in the environment is no program: unset it, or name {tool} there")
    return found


def _find_wheel(tool: str) -> str | None:
    """Where pip has put a tool: on PATH, or beside the interpreter."""
    name = f"yowasp-{tool}"
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def run(command: Sequence[str], directory: Path, heard: Callable[[str], None]) -> None:
    """Run a tool in `directory`; `heard` gets every line that it prints as it comes.

    Raises
    ------
    ToolError
        If it fails, with its first error, or the last that it said.
    """
    errors: list[str] = []
    last = "it said nothing"
    with subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                if line.startswith("ERROR"):
                    errors.append(line)
                last = line if line.strip() else last
                heard(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        reason = " ".join((errors[0] if errors else last).split())
        raise ToolError(f"{Path(command[0]).name} failed with exit code {process.returncode}: {reason}")


def _version(tool: str, path: str) -> str:
    """The release that a tool names, or the name of its program: icepack names none."""
    if tool == "icepack":
        return Path(path).name
    result = subprocess.run(
        [path, "-V" if tool == "yosys" else "--version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    release = re.search(r"Yosys \S+|nextpnr-[0-9]\S*[^\s)]|Version \S*[^\s)]", result.stdout)
    return release.group().removeprefix("Version ") if release else Path(path).name
