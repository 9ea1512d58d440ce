"""The machine on AXI: registers by AXI4-Lite, samples and results by AXI4-Stream."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from amaranth.hdl import ClockDomain, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...model.config import Config
from ...model.crossbar import Weights
from ..array_lines import arrays_of, connect_arrays
from .definition import WORD_BITS, WORD_BYTES
from .machine import RegisteredTrainer
from .register_file import RegisterBus


class Response(IntEnum):
    """How a transaction ended."""

    OKAY = 0
    SLVERR = 2


class AxiLite(wiring.Signature):
    """AXI4-Lite, 32 bits wide, in the direction of the manager; members are called as the signals of the standard.

    Members
    -------
    awaddr, araddr : Out(address_bits)
        Of a byte.
    awprot, arprot : Out(3)
    wdata : Out(32)
    wstrb : Out(4)
    rdata : In(32)
    bresp, rresp : In(2)
    awvalid, wvalid, bready, arvalid, rready : Out(1)
    awready, wready, bvalid, arready, rvalid : In(1)
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "awaddr": Out(address_bits),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(WORD_BITS),
                "wstrb": Out(WORD_BYTES),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_bits),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(WORD_BITS),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class AxiStream(wiring.Signature):
    """AXI4-Stream of 32 bits, in the direction of the transmitter.

    Members
    -------
    tdata : Out(32)
    tlast, tvalid : Out(1)
    tready : In(1)
    """

    def __init__(self) -> None:
        super().__init__({"tdata": Out(WORD_BITS), "tlast": Out(1), "tvalid": Out(1), "tready": In(1)})


class AxiLiteBridge(wiring.Component):
    """Asks for registers as an AXI4-Lite manager does; a read and a write that wait take turns.

    Parameters
    ----------
    address_bits : int
        Of a byte address.

    Members
    -------
    axi : In(AxiLite)
    bus : Out(RegisterBus)

    Latency
    -------
    All outputs come from registers. BVALID and RVALID come 4 cycles after the transfer of what was asked, for a
    register that is no port.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__({"axi": In(AxiLite(address_bits)), "bus": Out(RegisterBus(address_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi, bus = self.axi, self.bus
        write_address, data, strobes = Signal.like(bus.address), Signal(WORD_BITS), Signal(WORD_BYTES)
        read_address = Signal.like(bus.address)
        asked = [
            self._accept(m, axi.awvalid, axi.awready, write_address.eq(axi.awaddr[2:]), bus.done & bus.write),
            self._accept(m, axi.wvalid, axi.wready, [data.eq(axi.wdata), strobes.eq(axi.wstrb)], bus.done & bus.write),
            self._accept(m, axi.arvalid, axi.arready, read_address.eq(axi.araddr[2:]), bus.done & ~bus.write),
        ]
        writes, reads = asked[0] & asked[1] & ~axi.bvalid, asked[2] & ~axi.rvalid
        wrote = Signal()
        m.d.comb += [
            bus.address.eq(Mux(bus.write, write_address, read_address)),
            bus.data.eq(data),
            bus.partial.eq(~strobes.all()),
        ]
        response = Mux(bus.error, Response.SLVERR, Response.OKAY)
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        with m.If(~bus.valid):
            m.d.sync += [bus.valid.eq(writes | reads), bus.write.eq(writes & ~(reads & wrote))]
        with m.Elif(bus.done):
            m.d.sync += [bus.valid.eq(0), wrote.eq(bus.write)]
            with m.If(bus.write):
                m.d.sync += [axi.bvalid.eq(1), axi.bresp.eq(response)]
            with m.Else():
                m.d.sync += [axi.rvalid.eq(1), axi.rresp.eq(response), axi.rdata.eq(bus.value)]
        return m

    def _accept(self, m: Module, valid: Value, ready: Signal, keep: Any, done: Value) -> Signal:
        """Take what a channel brings, and no more until it is dealt with; returns whether it is kept."""
        kept = Signal(name=f"{ready.name}_kept")
        with m.If(valid & ready):
            m.d.sync += [kept.eq(1), ready.eq(0), keep]
        with m.Elif(done):
            m.d.sync += [kept.eq(0), ready.eq(1)]
        with m.Elif(~kept):
            m.d.sync += ready.eq(1)
        return kept


class AxiTrainer(wiring.Component):
    """Trains and classifies the samples that come by AXI4-Stream, or by registers on AXI4-Lite (docs/buses.md).

    Parameters
    ----------
    config : Config
        The machine.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L; those of the configuration's initial weights by default.

    Members
    -------
    aclk : In(1)
        Makes the clock domain `sync`, in which all of it is.
    aresetn : In(1)
        Synchronous, low.
    s_axi : In(AxiLite)
    s_axis_samples : In(AxiStream)
    m_axis_results : Out(AxiStream)
    irq : Out(1)
    array1, array2, ... : Out(ArrayPins)
        As of `Trainer`.

    Latency
    -------
    See `AxiLiteBridge` and `RegisteredTrainer`.
    """

    def __init__(self, config: Config, weights: Sequence[Weights] | None = None) -> None:
        self._machine = RegisteredTrainer(config, weights, streams=True)
        members: dict[str, Any] = {
            "aclk": In(1),
            "aresetn": In(1),
            "s_axi": In(AxiLite(self._machine.address_bits)),
            "s_axis_samples": In(AxiStream()),
            "m_axis_results": Out(AxiStream()),
            "irq": Out(1),
        }
        super().__init__(members | arrays_of(self._machine))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.submodules.machine = machine = self._machine
        m.submodules.bridge = bridge = AxiLiteBridge(machine.address_bits)
        connect(m, flipped(self.s_axi), bridge.axi)
        connect(m, bridge.bus, machine.bus)
        connect_arrays(m, machine, self)
        samples, results = self.s_axis_samples, self.m_axis_results
        m.d.comb += [
            sync.clk.eq(self.aclk),
            sync.rst.eq(~self.aresetn),
            machine.samples.p.value.eq(samples.tdata),
            machine.samples.p.last.eq(samples.tlast),
            machine.samples.valid.eq(samples.tvalid),
            samples.tready.eq(machine.samples.ready),
            results.tdata.eq(machine.results.p.value),
            results.tlast.eq(machine.results.p.last),
            results.tvalid.eq(machine.results.valid),
            machine.results.ready.eq(results.tready),
            self.irq.eq(machine.irq),
        ]
        return m
