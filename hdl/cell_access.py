"""Cells of an array behind pins: read by comparisons, written by pulses and comparisons (section 14)."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..model.config import Config
from ..model.crossbar import Read
from .crossbar import Operation
from .geometry import Geometry
from .line_driver import port_of


class CellAccess(wiring.Component):
    """Does LOAD and DUMP by other operations of the crossbar port, and lets these pass.

    Parameters
    ----------
    config : Config
        The machine.
    layer : int
        1 to L.

    Members
    -------
    port : In(CrossbarPort)
        DUMP searches the value by halves. LOAD programs and verifies: a step toward the value for as long as
        comparisons ask for one, at most `most_steps` of them.
    array : Out(CrossbarPort)
        The line driver's, which is never asked for LOAD or DUMP.

    Latency
    -------
    None for what passes.
    """

    def __init__(self, config: Config, layer: int) -> None:
        self._geometry = geometry = Geometry.of(config, layer)
        self.most_steps = min(8 << geometry.cell_bits, 1 << 16)
        super().__init__({"port": In(port_of(config, geometry, cells=True)), "array": Out(port_of(config, geometry))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry, port, array = self._geometry, self.port, self.array
        self._pass(m)
        wanted = Signal.like(port.operation.p)
        column = Signal(range(max(geometry.columns, 2)))
        code, least = (Signal(signed(geometry.cell_bits + 2), name=name) for name in ("code", "least"))
        bit = Signal(range(geometry.cell_bits))
        steps = Signal(range(self.most_steps))
        above, reached, rises, busy = Signal(), Signal(), Signal(), Signal()
        dumps = wanted.operation == Operation.DUMP
        m.d.comb += [
            column.eq(wanted.cell // geometry.digits),
            above.eq(array.response.p.above.bit_select((column % geometry.tables)[:4], 1)),
            code.eq(Mux(dumps, least + (1 << bit) - 1, wanted.value - 1 + reached)),
        ]
        with m.If(busy):
            self._take_over(m, wanted, column, code, rises, steps)
        with m.FSM(name="access") as access:
            with m.State("PASS"):
                kind = port.operation.p.operation
                with m.If((kind == Operation.LOAD) | (kind == Operation.DUMP)):
                    m.d.comb += [array.operation.valid.eq(0), port.operation.ready.eq(array.idle)]
                    with m.If(port.operation.valid & array.idle):
                        m.d.sync += [wanted.eq(port.operation.p), steps.eq(0)]
                        m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += array.clear.eq(1)
                m.d.sync += [least.eq(-geometry.digit_max), bit.eq(geometry.cell_bits - 1), reached.eq(0)]
                m.next = "DRIVE"
            with m.State("DRIVE"):
                m.d.comb += array.operation.valid.eq(1)
                with m.If(array.operation.ready):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += array.request.valid.eq(1)
                with m.If(array.request.ready):
                    m.next = "ANSWER"
            with m.State("ANSWER"), m.If(array.response.valid):
                m.d.comb += array.response.ready.eq(1)
                m.next = "ASK"
                with m.If(dumps):
                    with m.If(above & (code != geometry.digit_max)):
                        m.d.sync += least.eq(code + 1)
                    m.d.sync += bit.eq(bit - 1)
                    with m.If(bit == 0):
                        m.next = "END"
                with m.Else():
                    m.d.sync += [reached.eq(1), rises.eq(~reached)]
                    with m.If(reached & ~above):
                        m.next = "END"
                    with m.Elif(reached | ~above):
                        m.next = "PULSE"
            with m.State("PULSE"):
                m.d.comb += [array.operation.valid.eq(1), array.operation.p.operation.eq(Operation.PULSE)]
                with m.If(array.operation.ready):
                    m.next = "PULSED"
            with m.State("PULSED"), m.If(array.idle):
                m.d.sync += steps.eq(steps + 1)
                m.next = "CLEAR"
                with m.If(steps == self.most_steps - 1):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += [array.clear.eq(1), port.dumped.valid.eq(dumps)]
                m.next = "PASS"
            m.d.comb += busy.eq(~access.ongoing("PASS"))
        m.d.comb += [port.dumped.value.eq(least), port.idle.eq(array.idle & ~busy)]
        return m

    def _pass(self, m: Module) -> None:
        """Let operations and answers pass."""
        port, array = self.port, self.array
        connect(m, flipped(port.request), flipped(array.request))
        connect(m, flipped(array.response), flipped(port.response))
        m.d.comb += [
            array.operation.valid.eq(port.operation.valid),
            *(array.operation.p[name].eq(port.operation.p[name]) for name, _ in array.operation.p.shape()),
            port.operation.ready.eq(array.operation.ready),
            array.signs.eq(port.signs),
            array.clear.eq(port.clear),
            array.address.eq(port.address),
            port.sensed.eq(array.sensed),
            port.written.eq(array.written),
        ]

    def _take_over(self, m: Module, wanted: Signal, column: Signal, code: Signal, rises: Signal, steps: Signal) -> None:
        """Give the array what an access asks of it, and nobody else."""
        geometry, port, array = self._geometry, self.port, self.array
        digit = wanted.cell % geometry.digits
        m.d.comb += [
            port.operation.ready.eq(0),
            port.request.ready.eq(0),
            port.response.valid.eq(0),
            port.written.valid.eq(0),
            array.operation.valid.eq(0),
            array.operation.p.operation.eq(Operation.DRIVE),
            array.operation.p.row.eq(wanted.row),
            array.operation.p.last.eq(1),
            array.request.valid.eq(0),
            array.request.p.group.eq(column // geometry.tables),
            array.request.p.last.eq(1),
            array.request.p.window.eq(0),
            *(lower.eq(code) for lower in array.request.p.lower),
            array.response.ready.eq(0),
            array.address.eq(0),
            array.address.read.eq(Read.DIGIT),
            array.address.row.eq(wanted.row),
            array.address.digit.eq(digit),
            array.address.repetition.eq(steps),
        ]
        if geometry.digits > 1:
            m.d.comb += [array.operation.p.digit.eq(digit), array.operation.p.alone.eq(1)]
        for index in range(geometry.columns):
            driven = column == index
            m.d.comb += array.signs[index].eq(Cat(driven, driven & ~rises).as_signed())
