"""A bitstream of a machine, tried with one seed of place and route or several, and what is to be said of it."""

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.errors import ToolError
from .fit import check_fit
from .implementation import (
    BITSTREAM,
    NAME,
    Sources,
    check_verilog,
    elaborate,
    pack,
    route,
    slower_clock_MHz,
    synthesize,
)
from .reports import Routing, Synthesis
from .target import Target
from .toolchain import Toolchain

# Where no frequency is asked for and the usual one is not met, the next attempt asks for no more than this share of it.
SLOWER = 0.95


@dataclass(frozen=True, kw_only=True)
class Build:
    """A finished bitstream.

    Attributes
    ----------
    sources : Sources
    synthesis : Synthesis
    routing : Routing
        With the best seed.
    tools : dict of str
        Release of each tool.
    bitstream : bytes
    """

    sources: Sources
    synthesis: Synthesis
    routing: Routing
    tools: dict[str, str]
    bitstream: bytes

    def figures(self) -> dict[str, Any]:
        """What `build.json` says of the hardware."""
        return {
            "luts": self.routing.luts,
            "flip_flops": self.synthesis.flip_flops,
            "block_rams": self.routing.block_rams,
            "fmax_mhz": round(self.routing.fmax_MHz, 2),
            "frequency_mhz": round(self.sources.clocking.frequency_MHz, 4),
            "slowest_path": str(self.routing.slowest),
            "seed": self.routing.seed,
            "tools": self.tools,
            **self.sources.pin_figures(),
        }

    def files(self) -> dict[str, bytes]:
        """Bitstream and Verilog, by name."""
        return {
            BITSTREAM[self.sources.board.family]: self.bitstream,
            f"{NAME}.v": self.sources.verilog().encode("ascii"),
            **self.sources.pin_files(),
        }


def build(
    target: Target,
    *,
    seeds: Sequence[int] = (1,),
    jobs: int = 1,
    told: Callable[[str], None] = lambda stage: None,
) -> Build:
    """Build a machine for a board.

    Parameters
    ----------
    target : Target
    seeds : sequence of int
        Of place and route; the one with the fastest clock is taken.
    jobs : int
        Seeds tried at a time.
    told : callable
        Is told each stage as it begins.

    Raises
    ------
    ConfigError
        If the machine cannot fit, or the board makes no such frequency.
    ToolError
        If a tool is missing or fails, weights are not in block RAM, or timing is not met.
    """
    check_fit(target)
    tools = Toolchain.find(target.board.family)
    wanted = target.wanted_MHz
    while True:
        told("elaboration")
        sources = elaborate(target, wanted)
        with tempfile.TemporaryDirectory(prefix="stochastor-") as scratch:
            directory = Path(scratch)
            synthesis = synthesize(sources, tools, directory, told)
            synthesis.check_weights(target.config)
            routing = _best_routing(sources, tools, directory, seeds, jobs, told)
            if routing.meets(sources.clocking.frequency_MHz):
                bitstream = pack(sources, tools, directory / f"seed{routing.seed}")
                return Build(
                    sources=sources, synthesis=synthesis, routing=routing, tools=tools.versions, bitstream=bitstream
                )
        if target.frequency_MHz is not None:
            raise ToolError(_too_slow(sources, routing, "ask for a lower --frequency-mhz or try more --seeds"))
        slower = slower_clock_MHz(target, SLOWER * routing.fmax_MHz)
        if slower is None:
            raise ToolError(_too_slow(sources, routing, _no_slower(target)))
        wanted = slower


def vendor_sources(target: Target) -> tuple[Sources, dict[str, bytes]]:
    """Verilog, constraints and a Tcl script for Vivado, by name, once Yosys has found every cell and no mistake.

    Raises
    ------
    ConfigError
        If the machine cannot fit, or the board makes no such frequency.
    ToolError
        If a tool is missing, or Yosys finds a mistake.
    """
    check_fit(target)
    tools = Toolchain.find(target.board.family)
    sources = elaborate(target, target.wanted_MHz)
    with tempfile.TemporaryDirectory(prefix="stochastor-") as scratch:
        check_verilog(sources, tools, Path(scratch))
    content = {name: sources.files[name] for name in (f"{NAME}.v", f"{NAME}.xdc", f"{NAME}.tcl")}
    texts = {name: text.encode() if isinstance(text, str) else text for name, text in content.items()}
    return sources, texts | sources.pin_files()


def _best_routing(
    sources: Sources,
    tools: Toolchain,
    directory: Path,
    seeds: Sequence[int],
    jobs: int,
    told: Callable[[str], None],
) -> Routing:
    def attempt(seed: int) -> Routing:
        own = directory / f"seed{seed}"
        own.mkdir()
        for path in directory.iterdir():
            if path.suffix in (".json", ".lpf", ".pcf"):
                (own / path.name).hardlink_to(path)
        prefix = f"seed {seed}: " if len(seeds) > 1 else ""
        return route(sources, tools, own, seed, lambda stage: told(prefix + stage))

    with ThreadPoolExecutor(jobs) as pool:
        routings = pool.map(attempt, seeds) if jobs > 1 else map(attempt, seeds)
        return max(routings, key=lambda routing: routing.fmax_MHz)


def _too_slow(sources: Sources, routing: Routing, remedy: str) -> str:
    asked = sources.clocking.frequency_MHz
    return (
        f"timing is not met: {routing.fmax_MHz:.2f} MHz reached of {asked:g} (seed {routing.seed}); "
        f"the slowest path is {routing.slowest}; {remedy}"
    )


def _no_slower(target: Target) -> str:
    suited = f"{target.config.baud} baud{' and the memory' if target.chip else ''}"
    return f"no clock of {target.board.name} that is met suits {suited}: take a lower --baud or try more --seeds"
