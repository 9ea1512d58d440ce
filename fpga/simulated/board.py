"""The whole board in compiled simulation, by its serial pins."""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Fragment

from ...hdl.verilog import to_verilog
from ...model.config import ArraySide, Config
from ...model.crossbar import Weights
from ...model.errors import ConfigError, StochastorError
from ...sim.array.config import ArrayConfig
from ...sim.array.pins import Levels, SimulatedArray
from ...sim.bridge import ANSWER, ARRAYS_HEADER, ArrayBridge, array_ports, verilated
from ...sim.verilated import build_library
from ..array_lines import LEAST_COMPARE_CYCLES, pins_brought_out
from ..boards import BOARDS, Board
from ..pin_table import INPUT, PinTable, boards_with_pins
from ..pins import BoardPins
from ..sdram_chip import Chip
from ..top import BoardTop, clocks_per_bit
from .platform import SimulatedPlatform

TOP = "stochastor_board"
HARNESS = Path(__file__).with_name("harness.cc")
SDRAM_HEADER = Path(__file__).with_name("sdram.h")
CLOCKS_PER_BIT = 4
USUAL_MEMORY_CLOCK_HZ = 25_000_000
LATENCY_CYCLES = 8000
MOST_WORDS = 1024


class Clock(NamedTuple):
    """What a simulated board runs at.

    Attributes
    ----------
    hz : int
    per_bit : int
        Cycles in a bit of the serial line.
    memory_hz : int
        What a memory is timed for: it has to be refreshed so often that with few cycles in a bit this is more.
    """

    hz: int
    per_bit: int
    memory_hz: int

    @classmethod
    def of(cls, config: Config, clock_hz: int | None) -> Self:
        """`clock_hz`, or as few cycles in a bit as a board takes."""
        if clock_hz is None:
            return cls(CLOCKS_PER_BIT * config.baud, CLOCKS_PER_BIT, USUAL_MEMORY_CLOCK_HZ)
        return cls(clock_hz, clocks_per_bit(clock_hz, config.baud), clock_hz)


class MemoryViolation(StochastorError):
    """Something was done to a memory that its data sheet forbids."""


class SimulatedBoard:
    """A transport to a simulated board.

    Simulated time passes while the host reads, and only then.

    Parameters
    ----------
    config : Config
        The machine.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L.
    board : Board, optional
        Whose pins a machine with arrays outside is put on; by default a board that has enough.
    arrays : sequence of SimulatedArray, optional
        Behind those pins, layers 1 to L; by default ideal ones whose cells are 0. Their comparators take all the time
        that the configuration leaves them.
    trace : bool
        Whether the trace of the last training sample is kept.
    memory : bool
        Whether samples can be kept in an SDRAM, behind the pins of a board that has one.
    clock_hz : int, optional
        By default there are four clock cycles in a bit of the serial line, and the SDRAM takes the cycles that it would
        take at 25 MHz.

    Raises
    ------
    ToolError
        If Verilator or a C++ compiler is missing or fails.
    ConfigError
        If the clock cannot make the baud rate, or no board has pins enough, and a memory if it is asked for.
    PinViolation, MemoryViolation
        From `read`.
    """

    def __init__(
        self,
        config: Config,
        *,
        weights: Sequence[Weights] | None = None,
        board: Board | None = None,
        arrays: Sequence[SimulatedArray] = (),
        trace: bool = False,
        memory: bool = False,
        clock_hz: int | None = None,
    ) -> None:
        self.name = "simulated board"
        clock = Clock.of(config, clock_hz)
        self._clock_hz = clock.hz
        self.latency_s = LATENCY_CYCLES / self._clock_hz
        self._bridge: ArrayBridge | None = None
        self._arrays: Sequence[SimulatedArray] = ()
        if config.array_side is ArraySide.PINS or memory:
            chosen = board or _board_for(config, memory)
            self._library = _load(_build_with_pins(config, clock, chosen, memory, trace, weights))
        else:
            self._library = _load(_build(config, clock, trace, weights))
        self._board = ctypes.c_void_p(self._library.board_new())
        if config.array_side is ArraySide.PINS:
            self._arrays = arrays or _ideal_arrays(config)
            self._bridge = ArrayBridge(self._arrays, _wired(config))
            self._library.board_arrays(self._board, self._bridge.answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the simulation."""
        if self._board:
            self._library.board_delete(self._board)
            self._board = ctypes.c_void_p()

    @property
    def cycles(self) -> int:
        """Clock cycles so far."""
        return int(self._library.board_cycles(self._board))

    @property
    def leds(self) -> int:
        """The LEDs, number 0 lowest."""
        return int(self._library.board_leds(self._board))

    @property
    def line_errors(self) -> int:
        """Bytes from the board that had no stop bit."""
        return int(self._library.board_line_errors(self._board))

    @property
    def sending(self) -> bool:
        """Whether bytes are still on their way to the board."""
        return bool(self._library.board_sending(self._board))

    def write(self, content: bytes) -> None:
        """Send bytes to the board; they go as time passes."""
        self._library.board_send(self._board, content, len(content))

    def read(self, timeout_s: float) -> bytes:
        """Let time pass until a frame ends, at most `timeout_s`; return the bytes that came."""
        count = self._library.board_run(self._board, max(1, round(timeout_s * self._clock_hz)))
        if self.violation is not None:
            raise self.violation
        content = ctypes.create_string_buffer(count)
        self._library.board_take(self._board, content)
        return content.raw

    def now(self) -> float:
        """Simulated seconds."""
        return self.cycles / self._clock_hz

    def reset(self) -> None:
        """Reset the board as its button does."""
        self._library.board_reset(self._board)
        for array in self._arrays:
            array.interrupt()

    @property
    def violation(self) -> Exception | None:
        """What the machine did with an array or a memory and must not; the simulation has stopped then."""
        fault = self._library.board_memory_fault(self._board)
        if fault is not None:
            return MemoryViolation(fault.decode("ascii"))
        return None if self._bridge is None else self._bridge.violation

    def levels(self, layer: int) -> Levels:
        """What the pins of the array of `layer` (1 to L) say now, those that are not brought out as 0."""
        assert self._bridge is not None
        words = (ctypes.c_uint32 * MOST_WORDS)()
        self._library.board_pins(self._board, layer - 1, words)
        return self._bridge.levels(layer - 1, words)


def _build(config: Config, clock: Clock, trace: bool, weights: Sequence[Weights] | None) -> Path:
    if weights is None:
        return _build_usual(config, clock, trace)
    return _build_top(BoardTop(config, clock_hz=clock.hz, weights=weights, trace=trace), clock)


@cache
def _build_usual(config: Config, clock: Clock, trace: bool) -> Path:
    """Kept, since the way to Verilog is long even where the library is in the cache of builds."""
    return _build_top(BoardTop(config, clock_hz=clock.hz, trace=trace), clock)


def _build_top(top: BoardTop, clock: Clock) -> Path:
    verilog = to_verilog(rtlil.convert(top, name=TOP, emit_src=False))
    pins = [
        "#pragma once",
        f"#define CLOCKS_PER_BIT {clock.per_bit}",
        "#define RX rx",
        "#define TX tx",
        "#define LEDS(top) top.leds",
    ]
    return build_library(TOP, verilog, HARNESS, {"pins.h": "\n".join(pins) + "\n"})


def _board_for(config: Config, memory: bool) -> Board:
    """The board with the fewest pins that are enough, or the largest that has a memory."""
    boards = boards_with_pins(config) if config.array_side is ArraySide.PINS else reversed(BOARDS.values())
    try:
        return next(board for board in boards if board.memory is not None or not memory)
    except StopIteration:
        wanted = "a memory, and as many pins" if memory else "as many pins"
        raise ConfigError(f"no board here has {wanted} as the arrays of this machine need") from None


def _ideal_arrays(config: Config) -> list[SimulatedArray]:
    layers = range(1, config.layers + 1)
    zeros = [np.zeros((config.rows(layer), config.cell_columns(layer)), dtype=np.int32) for layer in layers]
    return [SimulatedArray(config, layer, ArrayConfig(), cells) for layer, cells in zip(layers, zeros, strict=True)]


def _wired(config: Config) -> list[dict[str, int]]:
    """Widths of the pins that go out, of layers 1 to L."""
    layers = (pins_brought_out(config, layer) for layer in range(1, config.layers + 1))
    return [{name: width for name, width in pins.items() if name != INPUT} for pins in layers]


def _build_with_pins(
    config: Config, clock: Clock, board: Board, memory: bool, trace: bool, weights: Sequence[Weights] | None
) -> Path:
    chip = board.memory if memory else None
    if weights is None:
        return _build_usual_with_pins(config, clock, board, chip, trace)
    return _build_board(_top_beside(chip, config, clock, trace, weights), config, clock, board, chip)


@cache
def _build_usual_with_pins(config: Config, clock: Clock, board: Board, chip: Chip | None, trace: bool) -> Path:
    return _build_board(_top_beside(chip, config, clock, trace), config, clock, board, chip)


def _top_beside(
    chip: Chip | None, config: Config, clock: Clock, trace: bool, weights: Sequence[Weights] | None = None
) -> BoardTop:
    return BoardTop(
        config, clock_hz=clock.hz, weights=weights, trace=trace, memory=chip, memory_clock_hz=clock.memory_hz
    )


def _build_board(top: BoardTop, config: Config, clock: Clock, board: Board, chip: Chip | None) -> Path:
    """The whole of a board, by the ports that its constraints give balls to."""
    outside = config.array_side is ArraySide.PINS
    platform = SimulatedPlatform(board)
    table = PinTable.of(board, config) if outside else None
    fragment = Fragment.get(BoardPins(board, top, None, table), platform)
    verilog = to_verilog(rtlil.convert(fragment, name=TOP, ports=platform.ports, emit_src=False))
    lines = [
        "#pragma once",
        f"#define CLOCKS_PER_BIT {clock.per_bit}",
        f"#define RX {verilated('uart_0__rx__io')}",
        f"#define TX {verilated('uart_0__tx__io')}",
        f"#define LEDS(top) {_leds(platform)}",
    ]
    headers = {}
    if outside:
        slack = config.compare_cycles - LEAST_COMPARE_CYCLES
        lines += array_ports(config, _wired(config), lambda layer, pin: f"array_{layer}__{pin}__io", slack)
        headers[ARRAYS_HEADER.name] = ARRAYS_HEADER.read_text()
    if chip is not None:
        lines += _sdram_ports(chip, clock)
        headers[SDRAM_HEADER.name] = SDRAM_HEADER.read_text()
    return build_library(TOP, verilog, HARNESS, {"pins.h": "\n".join(lines) + "\n", **headers})


def _sdram_ports(chip: Chip, clock: Clock) -> list[str]:
    """What ``sdram.h`` must know, as lines of the header of a board."""
    port = verilated("sdram_0__")
    return [
        f"#define SDRAM_PIN(top, pin) ((top).{port}##pin##{verilated('__io')})",
        f"#define SDRAM_DATA(top, side) ((top).{port}dq{verilated('__io')}_##side)",
        f"#define BANK_BITS {chip.bank_bits}",
        f"#define ROW_BITS {chip.row_bits}",
        f"#define COLUMN_BITS {chip.column_bits}",
        f"#define REFRESH_CYCLES {int(chip.refresh_interval_ns * clock.memory_hz / 1e9)}",
    ]


def _leds(platform: SimulatedPlatform) -> str:
    """The LEDs as a number, 1 where one is lit."""
    names = [port.name for port in platform.ports if "led_" in port.name]
    levels = (f"(top.{verilated(name)} ^ {int(name in platform.inverted)})" for name in names)
    return f"uint8_t({' | '.join(f'{level} << {index}' for index, level in enumerate(levels))})"


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    board, count = ctypes.c_void_p, ctypes.c_uint64
    library.board_new.restype = board
    for name in ("board_cycles", "board_line_errors", "board_run"):
        getattr(library, name).restype = count
    library.board_leds.restype = ctypes.c_uint8
    library.board_memory_fault.restype = ctypes.c_char_p
    if hasattr(library, "board_arrays"):
        library.board_arrays.argtypes = [board, ANSWER]
        library.board_pins.argtypes = [board, ctypes.c_uint32, ctypes.c_void_p]
    for name in ("delete", "cycles", "line_errors", "leds", "reset", "sending", "memory_fault"):
        getattr(library, f"board_{name}").argtypes = [board]
    library.board_send.argtypes = [board, ctypes.c_char_p, count]
    library.board_run.argtypes = [board, count]
    library.board_take.argtypes = [board, ctypes.c_char_p]
    return library
