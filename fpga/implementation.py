"""From a machine to a bitstream: elaboration, synthesis, place and route, packing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..hdl.verilog import to_verilog
from ..model.config import ArraySide
from ..model.errors import ConfigError, ToolError
from .boards import Board, Family
from .fit import does_not_fit
from .netlist import free_collisions, without_brackets
from .pin_files import pin_files
from .pin_table import PinTable
from .pins import BoardPins
from .pll import Setting, choose_setting, settings
from .reports import AFTER_SYNTHESIS, REPORT, Routing, Synthesis, read_overflow, read_routing, read_synthesis
from .sdram_chip import Timings
from .target import Target
from .toolchain import Toolchain, run
from .top import BoardTop, clocks_per_bit

NAME = "stochastor"
BITSTREAM = {Family.ICE40: f"{NAME}.bin", Family.ECP5: f"{NAME}.bit"}
# Where a path has time, ABC is to save area; nextpnr's routes take about the other half of a period.
LOGIC_SHARE = 0.5
# What timing counts beside the length of wires; nextpnr's own 10 leaves long wires where a path has no time for them.
PLACEMENT = "--placer-heap-timingweight 80"
# nextpnr says what it is at; the words on the left begin such lines.
STAGES = {
    "Info: Packing": "packing",
    "Info: Creating initial": "placing",
    "Info: Running simulated annealing": "refining the placement",
    "Info: Routing": "routing",
    "Info: Running router": "routing",
}


@dataclass(frozen=True, kw_only=True)
class Clocking:
    """The clock that a machine gets: its frequency, and the PLL's setting if it is not the board's own."""

    frequency_MHz: float
    setting: Setting | None

    @classmethod
    def choose(cls, board: Board, platform: Any, wanted_MHz: float) -> "Clocking":
        """The frequency nearest to `wanted_MHz` and not above it.

        Raises
        ------
        ConfigError
            If the board makes no such frequency.
        """
        own_MHz = platform.default_clk_frequency / 1e6
        if abs(wanted_MHz - own_MHz) < 1e-9 and not board.vivado:
            return cls(frequency_MHz=own_MHz, setting=None)
        try:
            setting = choose_setting(board.family, own_MHz, wanted_MHz)
        except ConfigError as error:
            raise ConfigError(f"--frequency-mhz {wanted_MHz:g} on {board.name}: {error}") from None
        return cls(frequency_MHz=setting.output_MHz, setting=setting)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """A machine for a board, ready for the tools.

    Attributes
    ----------
    target : Target
    clocking : Clocking
    files : dict of str or bytes
        Everything that Amaranth's platform writes, by name.
    table : PinTable or None
        Where arrays are, if they are outside.
    """

    target: Target
    clocking: Clocking
    files: dict[str, str | bytes]
    table: PinTable | None

    @property
    def board(self) -> Board:
        """The board."""
        return self.target.board

    def verilog(self) -> str:
        """The whole design, pins and PLL included."""
        if self.board.vivado:
            return _text(self.files[f"{NAME}.v"])
        return to_verilog(_text(self.files[f"{NAME}.il"]))

    def pin_files(self) -> dict[str, bytes]:
        """The table of pins, if there are any, by name."""
        return pin_files(self.table, self.clocking.frequency_MHz) if self.table else {}

    def pin_figures(self) -> dict[str, Any]:
        """What `build.json` says of pins of arrays, if there are any."""
        if self.table is None:
            return {}
        return {"pins": self.table.rows(), "pin_times_ns": self.table.times_ns(self.clocking.frequency_MHz)}

    def extract(self, directory: Path) -> None:
        """Write the files to `directory`."""
        for name, content in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commands(self) -> dict[str, list[str]]:
        """What Amaranth's platform would run, by the tools' plain names, silent or not."""
        commands = json.loads(self.files[f"build_{NAME}.json"])["commands"]
        return {command[0]: [word for word in command[1:] if word not in ("-q", "--quiet")] for command in commands}


def slower_clock_MHz(target: Target, most_MHz: float) -> float | None:
    """The fastest clock not above `most_MHz` that suits baud rate and memory; None if the board makes no such one."""
    platform = target.board.load_platform()
    own_MHz = platform.default_clk_frequency / 1e6
    clocks = {own_MHz, *(setting.output_MHz for setting in settings(target.board.family, own_MHz))}
    slower = sorted((clock for clock in clocks if clock <= most_MHz), reverse=True)
    return next((clock for clock in slower if _suits(target, round(clock * 1e6))), None)


def _suits(target: Target, clock_hz: int) -> bool:
    try:
        clocks_per_bit(clock_hz, target.config.baud)
        if target.chip is not None:
            Timings.of(target.chip, clock_hz)
    except ConfigError:
        return False
    return True


def elaborate(target: Target, frequency_MHz: float) -> Sources:
    """Lay a machine out for a board.

    Parameters
    ----------
    target : Target
    frequency_MHz : float
        Wanted; the board's clock or its PLL makes the nearest one not above it.

    Raises
    ------
    ConfigError
        If the board makes no such frequency, or has too few pins.
    ToolError
        If amaranth-boards is missing.
    """
    board = target.board
    platform = board.load_platform()
    clocking = Clocking.choose(board, platform, frequency_MHz)
    clock_hz = round(clocking.frequency_MHz * 1e6)
    top = BoardTop(target.config, clock_hz=clock_hz, counters=target.counters, trace=target.trace, memory=target.chip)
    options: dict[str, Any] = {}
    if not board.vivado:
        options = {
            "synth_opts": f"-device {board.device}" if board.device else "",
            "script_after_read": _logic_script(board, clocking),
            "script_after_synth": AFTER_SYNTHESIS,
            "nextpnr_opts": f"--report {REPORT} --timing-allow-fail {PLACEMENT}",
        }
    table = PinTable.of(board, target.config) if target.config.array_side is ArraySide.PINS else None
    plan = platform.prepare(BoardPins(board, top, clocking.setting, table), NAME, emit_src=False, **options)
    files = dict(plan.files)
    if not board.vivado:
        files[f"{NAME}.il"] = without_brackets(free_collisions(_text(files[f"{NAME}.il"])))
    return Sources(target=target, clocking=clocking, files=files, table=table)


def _logic_script(board: Board, clocking: Clocking) -> str:
    """How memories and logic are to be mapped.

    Held sums are compared in the cycle in which they are read, so they go where reads are fastest. ABC saves area where
    a path has time, in small chips with more effort.
    """
    script = f"scratchpad -set abc9.D {round(LOGIC_SHARE * 1e6 / clocking.frequency_MHz)}"
    if board.family is Family.ICE40:
        script += "\nscratchpad -copy abc9.script.flow3 abc9.script"
    if board.family is Family.ECP5:
        script += '\nsetattr -set ram_style "distributed" */m:held'
    return script


def synthesize(sources: Sources, tools: Toolchain, directory: Path, told: Callable[[str], None]) -> Synthesis:
    """Run Yosys in `directory`.

    Raises
    ------
    ToolError
        If it fails.
    """
    told("synthesis")
    sources.extract(directory)
    run([tools.paths["yosys"], *sources.commands()["yosys"]], directory, lambda line: None)
    return read_synthesis(directory)


def route(sources: Sources, tools: Toolchain, directory: Path, seed: int, told: Callable[[str], None]) -> Routing:
    """Run nextpnr with `seed` in `directory`, which `synthesize` has filled; a clock that is too fast is no error.

    Raises
    ------
    ConfigError
        If the machine takes more than the chip has.
    ToolError
        If it cannot be routed.
    """
    lines = []

    def heard(line: str) -> None:
        lines.append(line)
        for start, stage in STAGES.items():
            if line.startswith(start):
                told(stage)

    tool = f"nextpnr-{sources.board.family}"
    try:
        run([tools.paths[tool], "--seed", str(seed), *sources.commands()[tool]], directory, heard)
    except ToolError:
        for site, used, available in read_overflow(lines):
            raise does_not_fit(sources.target, f"{used:,} {site} of {available:,}") from None
        raise
    return read_routing(directory, seed)


def pack(sources: Sources, tools: Toolchain, directory: Path) -> bytes:
    """Make the bitstream of what `route` has left in `directory`.

    Raises
    ------
    ToolError
        If it fails.
    """
    tool = "icepack" if sources.board.family is Family.ICE40 else "ecppack"
    run([tools.paths[tool], *sources.commands()[tool]], directory, lambda line: None)
    return (directory / BITSTREAM[sources.board.family]).read_bytes()


def check_verilog(sources: Sources, tools: Toolchain, directory: Path) -> None:
    """Let Yosys read the Verilog with the vendor's cells, and look for wires without a driver or with two.

    Raises
    ------
    ToolError
        If it finds a mistake.
    """
    (directory / f"{NAME}.v").write_text(sources.verilog(), encoding="ascii")
    script = (
        f"read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v; read_verilog {NAME}.v; "
        f"hierarchy -check -top {NAME}; proc; check -assert"
    )
    run([tools.paths["yosys"], "-q", "-p", script], directory, lambda line: None)


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()
