"""The whole board in compiled simulation, by its serial pins."""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Self

from amaranth.back import rtlil

from ...hdl.verilog import to_verilog
from ...model.config import Config
from ...model.crossbar import Weights
from ...sim.verilated import build_library
from ..top import BoardTop, clocks_per_bit

TOP = "stochastor_board"
HARNESS = Path(__file__).with_name("harness.cc")
CLOCK_HZ = 1_000_000
CLOCKS_PER_BIT = 4
LATENCY_CYCLES = 8000


class SimulatedBoard:
    """A transport to a simulated board.

    Simulated time passes while the host reads, and only then; a cycle lasts 1 / `clock_hz` seconds of `now`.

    Parameters
    ----------
    config : Config
        The machine.
    clock_hz, baud : int
        Of the board; by default 1 MHz and four clocks in a bit.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L.

    Raises
    ------
    ToolError
        If Verilator or a C++ compiler is missing or fails.
    ConfigError
        If the clock cannot make the baud rate.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock_hz: int = CLOCK_HZ,
        baud: int = CLOCK_HZ // CLOCKS_PER_BIT,
        weights: Sequence[Weights] | None = None,
    ) -> None:
        self.name = "simulated board"
        self.latency_s = LATENCY_CYCLES / clock_hz
        self._clock_hz = clock_hz
        self._library = _load(_build(config, clock_hz, baud, weights))
        self._board = ctypes.c_void_p(self._library.board_new())

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
        content = ctypes.create_string_buffer(count)
        self._library.board_take(self._board, content)
        return content.raw

    def now(self) -> float:
        """Simulated seconds."""
        return self.cycles / self._clock_hz

    def reset(self) -> None:
        """Reset the board as its button does."""
        self._library.board_reset(self._board)


def _build(config: Config, clock_hz: int, baud: int, weights: Sequence[Weights] | None) -> Path:
    if weights is None:
        return _build_usual(config, clock_hz, baud)
    return _build_top(BoardTop(config, clock_hz=clock_hz, baud=baud, weights=weights), clocks_per_bit(clock_hz, baud))


@cache
def _build_usual(config: Config, clock_hz: int, baud: int) -> Path:
    """Kept, since the way to Verilog is long even where the library is in the cache of builds."""
    return _build_top(BoardTop(config, clock_hz=clock_hz, baud=baud), clocks_per_bit(clock_hz, baud))


def _build_top(top: BoardTop, clocks: int) -> Path:
    verilog = to_verilog(rtlil.convert(top, name=TOP, emit_src=False))
    pins = f"#pragma once\n#define CLOCKS_PER_BIT {clocks}\n"
    return build_library(TOP, verilog, HARNESS, {"pins.h": pins})


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    board, count = ctypes.c_void_p, ctypes.c_uint64
    library.board_new.restype = board
    for name in ("board_cycles", "board_line_errors", "board_run"):
        getattr(library, name).restype = count
    library.board_leds.restype = ctypes.c_uint8
    for name in ("delete", "cycles", "line_errors", "leds", "reset", "sending"):
        getattr(library, f"board_{name}").argtypes = [board]
    library.board_send.argtypes = [board, ctypes.c_char_p, count]
    library.board_run.argtypes = [board, count]
    library.board_take.argtypes = [board, ctypes.c_char_p]
    return library
