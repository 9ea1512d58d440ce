"""A machine on the pins of a board."""

from collections.abc import Iterator
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import io
from amaranth.lib.wiring import Component, Elaboratable, connect

from .array_io import ArrayIO
from .array_lines import arrays_of
from .boards import Board
from .clock import PllClock
from .pin_table import PinTable
from .pll import Setting
from .sdram_io import SdramIO


class BoardPins(Elaboratable):
    """Wires a top to the UART, the LEDs, perhaps memory and headers of a board, and the board's clock to it.

    Parameters
    ----------
    board : Board
    top : Component
        With members `rx`, `tx` and `leds`; of the latter the board shows as many as it has, from the lowest on.
    setting : Setting or None
        Of the PLL; without one, the board's clock is taken as it is.
    table : PinTable, optional
        Of a top with pins of arrays.
    """

    def __init__(self, board: Board, top: Component, setting: Setting | None, table: PinTable | None = None) -> None:
        self._board = board
        self._top = top
        self._setting = setting
        self._table = table

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._setting is not None:
            m.domains.sync = ClockDomain("sync")
            m.submodules.clock = PllClock(self._board, self._setting)
        m.submodules.board = top = self._top
        uart = platform.request("uart", 0, dir={pin.name: "-" for pin in platform.lookup("uart", 0).ios})
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [top.rx.eq(rx.i), tx.o.eq(top.tx)]
        for index, (led, port) in enumerate(zip(top.leds, _led_ports(platform), strict=False)):
            m.submodules[f"led{index}"] = buffer = io.Buffer("o", port)
            m.d.comb += buffer.o.eq(led)
        if "sdram" in top.signature.members:
            assert self._board.memory is not None
            m.submodules.sdram_io = sdram_io = SdramIO(self._board.memory)
            connect(m, top.sdram, sdram_io.pins)
        if self._table is not None:
            m.submodules.arrays = arrays = ArrayIO(top, self._table)
            for name in arrays_of(top):
                connect(m, getattr(top, name), getattr(arrays, name))
        return m


def _led_ports(platform: Any) -> Iterator[Any]:
    """LEDs of a board by their numbers; if it has none of one colour, the red, green and blue ones of the others."""
    singles = [key for key in platform.resources if key[0] == "led"]
    for key in singles:
        yield platform.request(*key, dir="-")
    if not singles:
        for key in [key for key in platform.resources if key[0] == "rgb_led"]:
            colours = platform.request(*key, dir=dict.fromkeys("rgb", "-"))
            yield from (colours.r, colours.g, colours.b)
