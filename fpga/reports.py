"""What synthesis and place and route say of a design."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.config import ArraySide, Config
from ..model.errors import ToolError

REPORT = "report.json"
CELLS = "cells.json"
MEMORIES = "memories.txt"
# What Yosys is to leave behind for `read_synthesis`: cells by type, and the names of blocks of RAM.
AFTER_SYNTHESIS = f"tee -q -o {CELLS} stat -json\ntee -q -o {MEMORIES} select -list t:*RAM40* t:DP16KD t:PDPW16KD"

UTILIZATION = re.compile(r"Info:\s+(?P<site>\w+):\s+(?P<used>\d+)/\s*(?P<available>\d+)\s+\d+%")
FLIP_FLOP = re.compile(r"SB_DFF\w*|TRELLIS_FF")
LOGIC_SITES = ("TRELLIS_COMB", "ICESTORM_LC")
BLOCK_RAM_SITES = ("DP16KD", "ICESTORM_RAM")
# What the tools append to the name of a signal for a cell that they make of it.
MADE_OF = re.compile(r"(_(LUT4|SB_LUT4|SB_DFF\w*|TRELLIS_FF|PFUMX|L6MUX21|CCU2C|SB_CARRY|RAM)(_.*)?|\$.*)$")


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """What Yosys made.

    Attributes
    ----------
    flip_flops : int
    memories : tuple of str
        Name of each block of RAM, with hierarchy.
    """

    flip_flops: int
    memories: tuple[str, ...]

    def check_weights(self, config: Config) -> None:
        """Make sure that the weights of every layer are in block RAM, unless they are in arrays outside.

        Raises
        ------
        ToolError
            If they became flip-flops or look-up tables instead.
        """
        if config.array_side is ArraySide.PINS:
            return
        for layer in range(1, config.layers + 1):
            memory = f"layer{layer}.crossbar.weights"
            if not any(f".{memory}." in name for name in self.memories):
                raise ToolError(
                    f"the weights of layer {layer} are not in block RAM: Yosys made {memory} of something else"
                )


@dataclass(frozen=True, kw_only=True)
class SlowestPath:
    """The slowest way from one register to the next.

    Attributes
    ----------
    start, end : str
        Signals by their names in the Verilog, with hierarchy.
    through : tuple of str
        Signals between them, in order.
    delay_ns : float
    """

    start: str
    end: str
    through: tuple[str, ...]
    delay_ns: float

    def __str__(self) -> str:
        way = " -> ".join(dict.fromkeys((self.start, *self.through, self.end)))
        return f"{way} ({self.delay_ns:.1f} ns)"


@dataclass(frozen=True, kw_only=True)
class Routing:
    """What nextpnr made.

    Attributes
    ----------
    seed : int
    luts : int
        Sites taken for logic; on an iCE40, logic cells.
    block_rams : int
    fmax_MHz : float
        Of the machine's clock.
    slowest : SlowestPath
    """

    seed: int
    luts: int
    block_rams: int
    fmax_MHz: float
    slowest: SlowestPath

    def meets(self, frequency_MHz: float) -> bool:
        """Whether the machine runs at `frequency_MHz`."""
        return self.fmax_MHz >= frequency_MHz


def read_synthesis(directory: Path) -> Synthesis:
    """Read what Yosys left in `directory`.

    Raises
    ------
    ToolError
        If it left something else.
    """
    with _reading(CELLS):
        design = json.loads((directory / CELLS).read_text(encoding="utf-8"))["design"]
        cells: dict[str, int] = design["num_cells_by_type"]
    names = (directory / MEMORIES).read_text(encoding="ascii", errors="replace").split("\n")
    return Synthesis(
        flip_flops=sum(count for name, count in cells.items() if FLIP_FLOP.fullmatch(name)),
        memories=tuple(name.split("/", 1)[-1] for name in names if name),
    )


def read_routing(directory: Path, seed: int) -> Routing:
    """Read what nextpnr left in `directory`.

    Raises
    ------
    ToolError
        If it left something else.
    """
    with _reading(REPORT):
        report = json.loads((directory / REPORT).read_text(encoding="utf-8"))
        clock, timing = min(report["fmax"].items(), key=lambda item: item[1]["achieved"])
        utilization = {site: count["used"] for site, count in report["utilization"].items()}
        return Routing(
            seed=seed,
            luts=sum(utilization.get(site, 0) for site in LOGIC_SITES),
            block_rams=sum(utilization.get(site, 0) for site in BLOCK_RAM_SITES),
            fmax_MHz=timing["achieved"],
            slowest=_slowest(report["critical_paths"], clock),
        )


def read_overflow(lines: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Kinds of sites of which nextpnr says that a design takes more than there are: name, taken, there."""
    for line in lines:
        if found := UTILIZATION.match(line):
            used, available = int(found["used"]), int(found["available"])
            if used > available:
                yield found["site"], used, available


def _slowest(paths: list[dict[str, Any]], clock: str) -> SlowestPath:
    """The path within the domain of `clock`."""
    steps = next(path["path"] for path in paths if path["from"] == path["to"] == f"posedge {clock}")
    nets = [signal_name(step["net"]) for step in steps if step["type"] == "routing"]
    return SlowestPath(
        start=signal_name(steps[0]["from"]["cell"]),
        end=signal_name(steps[-1]["to"]["cell"]),
        through=tuple(dict.fromkeys(net for net in nets if net)),
        delay_ns=sum(step["delay"] for step in steps),
    )


def signal_name(cell: str) -> str:
    """The signal of the Verilog that a cell or a net was made of; empty if the tools made it of several."""
    return MADE_OF.sub("", cell).rstrip(".")


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Blame the tools if the file `name` is not there, or holds something else than what is read of it."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        raise ToolError(f"the tools left no {name} that can be read") from None
