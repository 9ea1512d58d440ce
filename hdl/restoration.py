"""The verified part of a carry: weights are searched, and restored; the twin of `_search` and `_restore`."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..model.carry import SEARCH, UNDER
from .crossbar import Operation
from .geometry import Geometry
from .read import CompareRequest, CompareResponse


class Restored(data.StructLayout):
    """What restoring does: a `read`, or a row `pulsed`, `up` and `down` cells of it, each in its cycle."""

    def __init__(self, columns: int) -> None:
        count = range(columns + 1)
        super().__init__({"read": 1, "pulsed": 1, "up": count, "down": count})


class Restoration(wiring.Component):
    """Searches the weights of a row, and pulses cells until they are found again.

    Parameters
    ----------
    geometry : Geometry
        Of a layer with pins and a verified carry.
    reference_bits : int
        Width of a reference code, signed.

    Members
    -------
    search, restore : In(1)
        Search all weights of the row; restore those of `carried`. While not `busy`.
    digit : In(range(digits))
        Where the carry stands.
    carried : In(columns)
        Columns whose weights are restored.
    busy : Out(1)
        Until the crossbar is idle again.
    clear : Out(1)
        Forget the held read and the signs, at the next edge.
    operation : Out(stream)
        DRIVE of the row, all digits weighted, or PULSE of its cells `digit`.
    request, response : Out(stream of CompareRequest), In(stream of CompareResponse)
    signs : Out(ArrayLayout(signed(2), columns))
        What drives the columns in a PULSE.
    comparison, repetition : Out(4), Out(16)
        Of the operation's address.
    idle : In(1)
        The crossbar's.
    restored : Out(Restored)

    Latency
    -------
    A request takes 3 cycles more than its comparison. See `stochastor.hdl.cycles.carry_cycles`.
    """

    def __init__(self, geometry: Geometry, reference_bits: int) -> None:
        self._geometry = geometry
        operation = data.StructLayout({"operation": Operation, "digit": range(geometry.digits)})
        super().__init__(
            {
                "search": In(1),
                "restore": In(1),
                "digit": In(range(geometry.digits)),
                "carried": In(geometry.columns),
                "busy": Out(1),
                "clear": Out(1),
                "operation": Out(stream.Signature(operation)),
                "request": Out(stream.Signature(CompareRequest(geometry.groups, geometry.tables, reference_bits))),
                "response": In(stream.Signature(CompareResponse(geometry.groups, geometry.tables))),
                "signs": Out(data.ArrayLayout(signed(2), geometry.columns)),
                "comparison": Out(4),
                "repetition": Out(16),
                "idle": In(1),
                "restored": Out(Restored(geometry.columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry, operation = self._geometry, self.operation
        searching, second = Signal(), Signal()
        place = Signal(geometry.search_bits)
        moved = Signal.like(self.digit)
        given = Signal(range(geometry.verify + 1))
        group = Signal(range(max(geometry.groups, 2)))
        last, answered = Signal(), Signal()
        up, down = (Signal(geometry.groups * geometry.tables, name=name) for name in ("up", "down"))
        m.d.comb += [
            last.eq(group == geometry.groups - 1),
            operation.p.operation.eq(Operation.DRIVE),
            operation.p.digit.eq(moved),
        ]
        for column, sign in enumerate(self.signs):
            m.d.comb += sign.eq(Cat(up[column] | down[column], down[column]).as_signed())
        self._codes(m, searching, second, place, moved, group, answered)
        self._decide(m, searching, second, group, answered, up, down)
        self._number(m, searching, place, moved, given)
        with m.FSM(name="phase") as phase:
            with m.State("IDLE"):
                m.d.sync += [searching.eq(self.search), moved.eq(self.digit), given.eq(0)]
                with m.If(self.search | self.restore):
                    m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += self.clear.eq(1)
                m.d.sync += [place.eq(1 << (geometry.search_bits - 1)), second.eq(0), group.eq(0)]
                m.next = "DRIVE"
            with m.State("DRIVE"):
                m.d.comb += operation.valid.eq(1)
                with m.If(operation.ready):
                    m.d.comb += self.restored.read.eq(~searching)
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += self.request.valid.eq(1)
                with m.If(self.request.ready):
                    m.next = "ANSWER"
            with m.State("ANSWER"), m.If(self.response.valid):
                m.d.comb += answered.eq(1)
                m.d.sync += group.eq(Mux(last, 0, group + 1))
                m.next = "FETCH"
                with m.If(last):
                    m.d.sync += [place.eq(place >> 1), second.eq(~searching)]
                    with m.If(searching & place[0]):
                        m.next = "IDLE"
                    with m.If(~searching & second):
                        m.next = "DECIDE"
            with m.State("DECIDE"):
                m.next = "CLEAR"
                with m.If((up | down).any()):
                    m.next = "PULSE"
                with m.Else():
                    m.d.sync += moved.eq(moved - 1)
                    with m.If(moved == 0):
                        m.next = "IDLE"
            with m.State("PULSE"):
                m.d.comb += [operation.valid.eq(1), operation.p.operation.eq(Operation.PULSE)]
                with m.If(operation.ready):
                    m.d.comb += self.restored.pulsed.eq(1)
                    m.d.sync += given.eq(given + 1)
                    m.next = "PULSED"
            with m.State("PULSED"), m.If(self.idle):
                m.next = "CLEAR"
                with m.If(given == geometry.verify):
                    m.next = "IDLE"
            m.d.comb += self.busy.eq(~phase.ongoing("IDLE"))
        return m

    def _number(self, m: Module, searching: Signal, place: Signal, moved: Signal, given: Signal) -> None:
        """Give operations their numbers; the line driver counts the second comparison of a restoring read."""
        search_bits = self._geometry.search_bits
        below = (self.digit - moved)[: len(moved)]
        with m.If(searching):
            m.d.comb += self.comparison.eq(SEARCH)
            # A request has the number of its bit, the read before it that of the first one.
            for bit in range(search_bits):
                with m.If(place[bit]):
                    m.d.comb += self.repetition.eq(search_bits - 1 - bit)
        with m.Else():
            m.d.comb += [self.comparison.eq(UNDER + 2 * below), self.repetition.eq(given)]
            with m.If(self.operation.p.operation == Operation.PULSE):
                m.d.comb += self.comparison.eq(self.digit)

    def _codes(
        self,
        m: Module,
        searching: Signal,
        second: Signal,
        place: Signal,
        moved: Signal,
        group: Signal,
        answered: Signal,
    ) -> None:
        """Keep the codes that are found, and ask for those of the group."""
        geometry, request, response = self._geometry, self.request, self.response
        bits = geometry.search_bits
        code, most = signed(bits), (1 << (bits - 1)) - 1
        word = data.ArrayLayout(code, geometry.tables)
        m.submodules.codes = codes = memory.Memory(shape=word, depth=geometry.groups, init=[])
        read_port, write_port = codes.read_port(), codes.write_port()
        slack = Array(geometry.base**digit // 2 for digit in range(geometry.digits))[moved]
        m.d.comb += [
            read_port.addr.eq(group),
            write_port.addr.eq(group),
            write_port.en.eq(answered & searching),
            request.p.group.eq(group),
            request.p.last.eq(~searching & (group == geometry.groups - 1)),
            response.ready.eq(1),
        ]
        for line in range(geometry.tables):
            found, tried = Signal(code, name=f"found{line}"), Signal(code, name=f"tried{line}")
            lower, upper = found - slack, found + 1 + slack
            lowest = Mux(lower < -most - 1, -most - 1, lower)
            highest = Mux(upper > most, most, upper)
            m.d.comb += [
                found.eq(Mux(searching & place[-1], -most - 1, read_port.data[line])),
                # The bit is clear as yet; the highest one, which is negative, is set.
                tried.eq(found ^ place.as_signed()),
                write_port.data[line].eq(Mux(response.p.above[line], tried, found)),
            ]
            m.d.comb += request.p.lower[line].eq(Mux(searching, tried, Mux(second, highest, lowest)))

    def _decide(
        self, m: Module, searching: Signal, second: Signal, group: Signal, answered: Signal, up: Signal, down: Signal
    ) -> None:
        """Keep which weights are under and which are over what was found, and count them."""
        above, tables = self.response.p.above, self._geometry.tables
        carried = Signal.like(up)
        m.d.comb += carried.eq(self.carried)
        chosen = carried.word_select(group, tables)
        with m.If(answered & ~searching & ~second):
            m.d.sync += up.word_select(group, tables).eq(chosen & ~above)
        under = up.word_select(group, tables)
        for lines, restored, off in (
            (up, self.restored.up, under & ~above),
            (down, self.restored.down, chosen & above & ~under),
        ):
            count = Signal(restored.shape(), name=f"{lines.name}_count")
            m.d.comb += restored.eq(count)
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.Elif(answered & second):
                m.d.sync += [
                    lines.word_select(group, tables).eq(off),
                    count.eq(count + sum(off[line] for line in range(tables))),
                ]
