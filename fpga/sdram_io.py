"""From the controller of an SDRAM to the balls of a board and back."""

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In

from .sdram import WORD_BITS, SdramPins
from .sdram_chip import Chip


class SdramIO(wiring.Component):
    """Puts the pins of an SDRAM on balls.

    Parameters
    ----------
    chip : Chip

    Members
    -------
    pins : In(SdramPins)

    Latency
    -------
    The chip's clock rises in the middle of a cycle, so that what goes out, a cycle late, is steady half a cycle before
    and after. What the chip drives is sampled with the next such edge, and comes in with the cycle after it.
    """

    def __init__(self, chip: Chip) -> None:
        super().__init__({"pins": In(SdramPins(chip))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pins = self.pins
        balls = platform.request("sdram", 0, dir={pin.name: "-" for pin in platform.lookup("sdram", 0).ios})
        m.submodules.clock = clock = io.DDRBuffer("o", balls.clk)
        m.d.comb += [clock.o[0].eq(0), clock.o[1].eq(1)]
        levels = {
            "clk_en": Const(1),
            "cs": Const(1),
            "ras": pins.ras,
            "cas": pins.cas,
            "we": pins.we,
            "ba": pins.bank,
            "a": pins.address,
            "dqm": pins.mask,
        }
        for name, level in levels.items():
            m.submodules[name] = leaving = io.FFBuffer("o", getattr(balls, name))
            m.d.comb += leaving.o.eq(level)
        m.domains.falling = ClockDomain("falling", clk_edge="neg", reset_less=True, local=True)
        m.d.comb += ClockSignal("falling").eq(ClockSignal("sync"))
        m.submodules.dq = data = io.Buffer("io", balls.dq)
        out, drive, sampled = Signal(WORD_BITS), Signal(), Signal(WORD_BITS)
        m.d.comb += [data.o.eq(out), data.oe.eq(drive)]
        m.d.falling += sampled.eq(data.i)
        m.d.sync += [out.eq(pins.out), drive.eq(pins.drive), pins.coming.eq(sampled)]
        return m
