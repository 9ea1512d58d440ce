"""The machine on Wishbone B4, classic cycles."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...model.config import Config
from ...model.crossbar import Weights
from ..array_lines import arrays_of, connect_arrays
from .definition import WORD_BITS, WORD_BYTES
from .machine import RegisteredTrainer
from .register_file import RegisterBus


class Wishbone(wiring.Signature):
    """Wishbone B4 with classic cycles, 32 bits wide, in the direction of the master.

    Members
    -------
    cyc, stb, we : Out(1)
    adr : Out(address_bits - 2)
        Of a word: ADR_O(n..2).
    sel : Out(4)
    dat_w : Out(32)
        DAT_O of the master.
    dat_r : In(32)
        DAT_I of the master.
    ack, err : In(1)
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "cyc": Out(1),
                "stb": Out(1),
                "we": Out(1),
                "adr": Out(address_bits - 2),
                "sel": Out(WORD_BYTES),
                "dat_w": Out(WORD_BITS),
                "dat_r": In(WORD_BITS),
                "ack": In(1),
                "err": In(1),
            }
        )


class WishboneBridge(wiring.Component):
    """Asks for registers as a Wishbone master does.

    Parameters
    ----------
    address_bits : int
        Of a byte address.

    Members
    -------
    wb : In(Wishbone)
    bus : Out(RegisterBus)

    Latency
    -------
    ACK or ERR comes 3 cycles after STB, for a register that is no port; from a register, and for one cycle.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__({"wb": In(Wishbone(address_bits)), "bus": Out(RegisterBus(address_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wb, bus = self.wb, self.bus
        strobe = wb.cyc & wb.stb
        abandoned = Signal()
        with m.FSM(name="cycle"):
            with m.State("IDLE"), m.If(strobe & ~wb.ack & ~wb.err):
                m.d.sync += [
                    bus.valid.eq(1),
                    bus.write.eq(wb.we),
                    bus.address.eq(wb.adr),
                    bus.data.eq(wb.dat_w),
                    bus.partial.eq(~wb.sel.all()),
                    abandoned.eq(0),
                ]
                m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(~strobe):
                    m.d.sync += abandoned.eq(1)
                with m.If(bus.done):
                    m.d.sync += bus.valid.eq(0)
                    m.next = "IDLE"
        answers = bus.valid & bus.done & strobe & ~abandoned
        m.d.sync += [wb.ack.eq(answers & ~bus.error), wb.err.eq(answers & bus.error), wb.dat_r.eq(bus.value)]
        return m


class WishboneTrainer(wiring.Component):
    """Trains and classifies the samples that come by registers on Wishbone (docs/buses.md).

    Parameters
    ----------
    config : Config
        The machine.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L; those of the configuration's initial weights by default.

    Members
    -------
    wb : In(Wishbone)
    irq : Out(1)
    array1, array2, ... : Out(ArrayPins)
        As of `Trainer`.

    Latency
    -------
    See `WishboneBridge` and `RegisteredTrainer`.
    """

    def __init__(self, config: Config, weights: Sequence[Weights] | None = None) -> None:
        self._machine = RegisteredTrainer(config, weights, streams=False)
        members: dict[str, Any] = {"wb": In(Wishbone(self._machine.address_bits)), "irq": Out(1)}
        super().__init__(members | arrays_of(self._machine))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.machine = machine = self._machine
        m.submodules.bridge = bridge = WishboneBridge(machine.address_bits)
        connect(m, flipped(self.wb), bridge.wb)
        connect(m, bridge.bus, machine.bus)
        connect_arrays(m, machine, self)
        m.d.comb += self.irq.eq(machine.irq)
        return m
