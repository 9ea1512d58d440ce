"""The carry of weights of several cells, by operations of the crossbar port: the twin of ``model/carry.py``."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .crossbar import Operation
from .geometry import Geometry
from .read import CompareRequest, CompareResponse
from .restoration import Restoration, Restored
from .samplers import present


class CarryOperation(data.StructLayout):
    """What a carry asks of a row: DRIVE or PULSE of a digit; a verified one also DRIVE of all digits, not `alone`."""

    def __init__(self, geometry: Geometry) -> None:
        row, digit = range(max(geometry.rows, 2)), range(geometry.digits)
        alone = {"alone": 1} if geometry.verify else {}
        super().__init__({"operation": Operation, "row": row, "digit": digit} | alone)


class Carried(data.StructLayout):
    """Columns whose cell `digit` of `row` carries up and down; in the cycle in which `valid` is 1."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(
            {
                "valid": 1,
                "row": range(max(geometry.rows, 2)),
                "digit": range(geometry.digits),
                "up": geometry.columns,
                "down": geometry.columns,
            }
        )


class Carry(wiring.Component):
    """Reads digit after digit of row after row, and moves full ones into their upper neighbours.

    Parameters
    ----------
    geometry : Geometry
        Of a layer of several digits.
    reference_bits : int
        Width of a reference code, signed.

    Members
    -------
    start : In(1)
        Carry through all rows; while not `busy`.
    busy : Out(1)
        Until the last row is done and the crossbar is idle.
    clear : Out(1)
        Forget the held read and the signs, at the next edge.
    operation : Out(stream of CarryOperation)
        A DRIVE is a list of its own, once for each fold.
    request, response : Out(stream of CompareRequest), In(stream of CompareResponse)
    signs : Out(2 bits a column of the crossbar, folds padded)
        What drives the columns in a PULSE.
    idle : In(1)
        The crossbar's.
    carried : Out(Carried)
        For observation.
    full : Out(1)
        Any cell is full: the upper digit is read.
    up_count, down_count : Out(range(columns + 1))
        Columns of `carried`.
    comparison, repetition : Out(4), Out(16)
        Of the operation's address: number of the first comparison, and of the pulse. Only with pins.
    weights : Out(1)
        Whole weights are read, or pulsed for what was read of them. Only with pins.
    restored : Out(Restored)
        For observation. Only of a verified carry.

    Latency
    -------
    See `stochastor.hdl.cycles.carry_cycles`.
    """

    def __init__(self, geometry: Geometry, reference_bits: int) -> None:
        self._geometry = geometry
        address = {"comparison": Out(4), "repetition": Out(16), "weights": Out(1)} if geometry.pins else {}
        restored = {"restored": Out(Restored(geometry.columns))} if geometry.verify else {}
        super().__init__(
            {
                **address,
                **restored,
                "start": In(1),
                "busy": Out(1),
                "clear": Out(1),
                "operation": Out(stream.Signature(CarryOperation(geometry))),
                "request": Out(stream.Signature(CompareRequest(geometry.groups, geometry.tables, reference_bits))),
                "response": In(stream.Signature(CompareResponse(geometry.groups, geometry.tables))),
                "signs": Out(data.ArrayLayout(signed(2), geometry.folds * geometry.lanes)),
                "idle": In(1),
                "carried": Out(Carried(geometry)),
                "full": Out(1),
                "up_count": Out(range(geometry.columns + 1)),
                "down_count": Out(range(geometry.columns + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry = self._geometry
        operation = self.operation
        row, digit = Signal.like(self.carried.row), Signal.like(self.carried.digit)
        upper = Signal()
        downward = Signal()
        up, down = (Signal(geometry.groups * geometry.tables, name=name) for name in ("up", "down"))
        fold = Signal(range(max(geometry.folds, 2)))
        pulses = Signal(range(geometry.base * geometry.pulses + 1))
        accepted = operation.valid & operation.ready
        any_carries = Mux(upper, up ^ down, up | down)[: geometry.columns].any()
        reads = Signal()
        searches, restores = Signal(), Signal()
        restoring = Signal() if geometry.verify else Const(0, 1)
        self._compare(m, reads, upper, up, down, restoring)
        if geometry.pins:
            last = Mux(downward, geometry.pulses * (geometry.base + 1) - 1, geometry.pulses - 1)
            pulsing = operation.p.operation == Operation.PULSE
            m.d.comb += self.comparison.eq(Mux(upper & ~pulsing, 2, 0))
            with m.If(pulsing):
                m.d.comb += self.repetition.eq(last - pulses)
        m.d.comb += [
            operation.p.row.eq(row),
            operation.p.digit.eq(digit + upper),
            self.carried.row.eq(row),
            self.carried.digit.eq(digit),
            self.carried.up.eq(up & ~down),
            self.carried.down.eq(down & ~up),
        ]
        for column in range(geometry.columns):
            rises, falls = Mux(downward, down[column], up[column]), Mux(downward, up[column], down[column])
            m.d.comb += self.signs[column].eq(Cat(rises ^ falls, falls & ~rises).as_signed())
        with m.FSM(name="phase") as phase:
            with m.State("IDLE"):
                m.d.sync += [row.eq(0), digit.eq(0), upper.eq(0)]
                with m.If(self.start):
                    m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += [self.clear.eq(1), reads.eq(1)]
                m.next = "DRIVE"
            with m.State("DRIVE"):
                m.d.comb += [operation.valid.eq(1), operation.p.operation.eq(Operation.DRIVE)]
                with m.If(accepted):
                    m.d.sync += fold.eq(Mux(fold == geometry.folds - 1, 0, fold + 1))
                    with m.If(fold == geometry.folds - 1):
                        m.next = "COMPARE"
            with m.State("COMPARE"), m.If(self.response.valid & self.response.p.last):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.sync += upper.eq(~upper)
                m.next = "CLEAR"
                with m.If(~any_carries):
                    m.d.sync += upper.eq(0)
                    m.next = "NEXT"
                with m.Elif(upper):
                    m.d.sync += [upper.eq(1), pulses.eq(geometry.pulses - 1)]
                    m.d.comb += self.carried.valid.eq(1)
                    m.next = "SEARCH" if geometry.verify else "RAISE"
                with m.Else():
                    m.d.comb += self.full.eq(1)
            if geometry.verify:
                with m.State("SEARCH"):
                    m.d.comb += searches.eq(1)
                    m.next = "SEARCHED"
                with m.State("SEARCHED"), m.If(~restoring):
                    m.next = "RAISE"
                with m.State("RESTORE"):
                    m.d.comb += restores.eq(1)
                    m.next = "LOWERED"
            with m.State("RAISE"):
                m.d.comb += [operation.valid.eq(1), operation.p.operation.eq(Operation.PULSE)]
                with m.If(accepted):
                    m.d.sync += pulses.eq(pulses - 1)
                    with m.If(pulses == 0):
                        m.next = "RAISED"
            with m.State("RAISED"), m.If(self.idle):
                m.d.comb += self.clear.eq(1)
                m.d.sync += [upper.eq(0), downward.eq(1), pulses.eq(geometry.base * geometry.pulses - 1)]
                m.next = "RESTORE" if geometry.verify else "LOWER"
            with m.State("LOWER"):
                m.d.comb += [operation.valid.eq(1), operation.p.operation.eq(Operation.PULSE)]
                with m.If(accepted):
                    m.d.sync += pulses.eq(pulses - 1)
                    with m.If(pulses == 0):
                        m.next = "LOWERED"
            with m.State("LOWERED"), m.If(self.idle & ~restoring):
                m.d.sync += downward.eq(0)
                m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += digit.eq(digit + 1)
                m.next = "CLEAR"
                with m.If(digit == geometry.digits - 2):
                    m.d.sync += [digit.eq(0), row.eq(row + 1)]
                    with m.If(row == geometry.rows - 1):
                        m.next = "IDLE"
            m.d.comb += self.busy.eq(~phase.ongoing("IDLE"))
        if geometry.verify:
            m.submodules.restoration = restoration = Restoration(geometry, len(self.request.p.lower[0]))
            m.d.comb += [
                restoration.search.eq(searches),
                restoration.restore.eq(restores),
                restoration.digit.eq(digit),
                restoration.carried.eq(up ^ down),
                restoring.eq(restoration.busy),
                operation.p.alone.eq(1),
            ]
            self._lend_crossbar(m, restoration)
        return m

    def _lend_crossbar(self, m: Module, restoration: Restoration) -> None:
        """Let what searches and restores have the crossbar while it is busy."""
        operation, request = self.operation, self.request
        with m.If(restoration.busy):
            m.d.comb += [
                self.clear.eq(restoration.clear),
                operation.valid.eq(restoration.operation.valid),
                operation.p.operation.eq(restoration.operation.p.operation),
                operation.p.digit.eq(restoration.operation.p.digit),
                operation.p.alone.eq(0),
                request.valid.eq(restoration.request.valid),
                request.p.eq(restoration.request.p),
                self.signs.eq(restoration.signs),
                self.comparison.eq(restoration.comparison),
                self.repetition.eq(restoration.repetition),
                self.weights.eq(1),
            ]
        m.d.comb += [
            restoration.operation.ready.eq(operation.ready),
            restoration.request.ready.eq(request.ready),
            restoration.response.valid.eq(self.response.valid),
            restoration.response.p.eq(self.response.p),
            restoration.idle.eq(self.idle),
            self.restored.eq(restoration.restored),
        ]

    def _compare(self, m: Module, reads: Signal, upper: Signal, up: Signal, down: Signal, restoring: Value) -> None:
        """Ask for every group as soon as a read begins; keep who is full, and then whose neighbour is not."""
        geometry, request, response = self._geometry, self.request, self.response
        asked = Signal(range(geometry.groups + 1), init=geometry.groups)
        bound = Array((geometry.base * geometry.pulses, geometry.digit_max - geometry.pulses + 1))[upper]
        m.d.comb += [
            request.valid.eq(self.busy & (asked != geometry.groups)),
            request.p.group.eq(asked),
            request.p.last.eq(asked == geometry.groups - 1),
            request.p.window.eq(1),
            *(code.eq(bound - 1) for code in request.p.lower),
            response.ready.eq(1),
        ]
        with m.If(request.valid & request.ready & ~restoring):
            m.d.sync += asked.eq(asked + 1)
        with m.If(reads):
            m.d.sync += asked.eq(0)
        answered = response.valid & self.busy & ~restoring
        lines_left = []
        for lines, full in ((up, response.p.above), (down, ~response.p.beyond)):
            group = lines.word_select(response.p.group, geometry.tables)
            left = Signal(geometry.tables, name=f"{lines.name}_left")
            m.d.comb += left.eq(Mux(upper, group & ~full, full))
            lines_left.append(left)
            with m.If(answered):
                m.d.sync += group.eq(left)
        up_left, down_left = lines_left
        mask = present(geometry.columns, geometry.tables, response.p.last)
        for count, left in ((self.up_count, up_left & ~down_left), (self.down_count, down_left & ~up_left)):
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.Elif(answered):
                m.d.sync += count.eq(count + sum((left & mask)[line] for line in range(geometry.tables)))
