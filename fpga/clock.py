"""The clock of a board: its own, or that of a PLL; and the reset that goes with it."""

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import Elaboratable

from .boards import Board, Family
from .pll import Setting

# Block RAM of the iCE40 reads as zeroes for about 3 us after configuration; wait five times that, as Amaranth does.
ICE40_START_s = 15e-6
ICE40_FILTER_MHz = (17, 26, 44, 66, 101)  # upper ends of the ranges 1 to 5 of the phase detector; 6 is above
ECP5_FEEDBACK_DIVIDER = 1


class PllClock(Elaboratable):
    """Drives the domain ``sync`` of the module around it from the PLL; it is in reset until the PLL has locked.

    Parameters
    ----------
    board : Board
    setting : Setting
        Of its PLL.
    """

    def __init__(self, board: Board, setting: Setting) -> None:
        self._board = board
        self._setting = setting

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        locked = Signal()
        clock = Signal(attrs={"keep": "true"})
        clock_io = platform.request(platform.default_clk, dir="-")
        reset: Signal | Const = Const(0)
        if platform.default_rst is not None:
            m.submodules.reset_buffer = reset_buffer = io.Buffer("i", platform.request(platform.default_rst, dir="-"))
            reset = reset_buffer.i
        if self._board.pll_at_pad:
            reference = {"PACKAGEPIN": clock_io.io}
        else:
            m.submodules.clock_buffer = clock_buffer = io.Buffer("i", clock_io)
            reference = {"REFERENCECLK": clock_buffer.i}
        instance = {Family.ICE40: self._ice40, Family.ECP5: self._ecp5, Family.SERIES7: self._series7}[
            self._board.family
        ]
        instance(m, reference, clock, locked)
        m.d.comb += ClockSignal("sync").eq(clock)
        platform.add_clock_constraint(clock, self._setting.output_MHz * 1e6)
        self._reset(m, ~locked | reset)
        return m

    def _reset(self, m: Module, reset: Any) -> None:
        if self._board.family is not Family.ICE40:
            m.submodules.reset_synchronizer = ResetSynchronizer(reset, domain="sync")
            return
        held = Signal()
        m.domains.start = ClockDomain("start", local=True)
        m.d.comb += ClockSignal("start").eq(ClockSignal("sync"))
        m.submodules.reset_synchronizer = ResetSynchronizer(reset, domain="start")
        cycles = int(ICE40_START_s * self._setting.output_MHz * 1e6)
        timer = Signal(range(cycles + 1))
        with m.If(timer == cycles):
            m.d.start += held.eq(1)
        with m.Else():
            m.d.start += timer.eq(timer + 1)
        m.d.comb += ResetSignal("sync").eq(~held)

    def _ice40(self, m: Module, reference: dict[str, Any], clock: Signal, locked: Signal) -> None:
        setting = self._setting
        m.submodules.pll = Instance(
            "SB_PLL40_PAD" if self._board.pll_at_pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(setting.input_divider - 1, 4),
            p_DIVF=Const(setting.multiplier - 1, 7),
            p_DIVQ=Const(setting.output_divider.bit_length() - 1, 3),
            p_FILTER_RANGE=Const(1 + sum(setting.detector_MHz >= end for end in ICE40_FILTER_MHz), 3),
            **{f"i_{name}": value for name, value in reference.items()},
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
        )

    def _ecp5(self, m: Module, reference: dict[str, Any], clock: Signal, locked: Signal) -> None:
        """The feedback goes by the first output, at the phase detector's frequency; the second is the clock."""
        setting = self._setting
        feedback = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_CLKI_DIV=setting.input_divider,
            p_FEEDBK_PATH="CLKOP",
            p_CLKFB_DIV=ECP5_FEEDBACK_DIVIDER,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=setting.multiplier,
            p_CLKOP_CPHASE=setting.multiplier - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_DIV=setting.output_divider,
            p_CLKOS_CPHASE=setting.output_divider - 1,
            p_CLKOS_FPHASE=0,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_CLKI=reference["REFERENCECLK"],
            i_CLKFB=feedback,
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            i_ENCLKOS=Const(0),
            o_CLKOP=feedback,
            o_CLKOS=clock,
            o_LOCK=locked,
        )

    def _series7(self, m: Module, reference: dict[str, Any], clock: Signal, locked: Signal) -> None:
        setting = self._setting
        feedback = Signal()
        unbuffered = Signal()
        m.submodules.pll = Instance(
            "PLLE2_BASE",
            p_CLKIN1_PERIOD=1e3 / setting.input_MHz,
            p_DIVCLK_DIVIDE=setting.input_divider,
            p_CLKFBOUT_MULT=setting.multiplier,
            p_CLKOUT0_DIVIDE=setting.output_divider,
            i_CLKIN1=reference["REFERENCECLK"],
            i_CLKFBIN=feedback,
            i_PWRDWN=Const(0),
            i_RST=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=unbuffered,
            o_LOCKED=locked,
        )
        m.submodules.clock_global = Instance("BUFG", i_I=unbuffered, o_O=clock)
