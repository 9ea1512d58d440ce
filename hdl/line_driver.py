"""The line driver: the crossbar port on an array that is reached by pins (section 14 of the specification)."""

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..model.config import Config
from ..model.crossbar import Read
from .crossbar import CrossbarPort, Operation
from .geometry import Geometry
from .pins import ArrayPins, Phase

STROBES = ("row_set", "row_clear", "column_set", "zero", "integrate")


class LineDriver(wiring.Component):
    """Does the operations of the crossbar port step by step, as an analog array needs them.

    Parameters
    ----------
    config : Config
        The machine; the times of the pins are its own.
    layer : int
        1 to L.

    Members
    -------
    port : In(CrossbarPort)
        Without LOAD and DUMP.
    pins : Out(ArrayPins)

    Latency
    -------
    With S = `settle_cycles`, N = `compare_cycles`, P = `pulse_cycles`, V = `recovery_cycles`, n = `pulses_per_step` and
    G groups: a row event takes a cycle. After the last one of a pattern, the next pattern is taken S + 3 cycles later,
    or a request S + 2. A request takes N cycles, a window 2N; its response comes one later. A SENSE is sensed
    S + 2 + 2N cycles after it is taken, and then the next one is; a PULSE takes 2 + 2n (P + V). The first of either
    after a `clear` takes G more.
    """

    def __init__(self, config: Config, layer: int) -> None:
        self._config = config
        self._geometry = geometry = Geometry.of(config, layer)
        super().__init__(
            {"port": In(port_of(config, geometry)), "pins": Out(ArrayPins(geometry, config.reference_bits))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port, pins = self.port, self.pins
        held, loaded, last_pattern, resetting = Signal(), Signal(), Signal(), Signal()
        ready, sense, decided = Signal(), Signal(), Signal()
        columns_set = Signal()
        pulses_left = Signal(range(self._config.pulses_per_step))
        m.d.sync += [getattr(pins, name).eq(0) for name in STROBES]
        m.d.sync += [part.valid.eq(0) for part in (port.sensed, port.written)]
        self._compare(m, held & ready, sense, decided)
        after = self._timer(m)
        with m.FSM(name="step"):
            with m.State("READY"):
                m.d.comb += ready.eq(1)
                with m.If(~held):
                    m.d.sync += pins.phase.eq(Phase.IDLE)
                self._accept(m, held, loaded, last_pattern)
            with m.State("COLUMNS"):
                self._set_columns(m, columns_set)
                with m.If(columns_set):
                    m.d.sync += loaded.eq(1)
                    with m.If(pins.transposed):
                        m.next = "SETTLE"
                    with m.Else():
                        m.next = "SELECT"
            with m.State("SETTLE"):
                m.d.sync += pins.phase.eq(Phase.READ)
                with m.If(after(self._config.settle_cycles)):
                    m.next = "SETTLED"
            with m.State("SETTLED"):
                with m.If(pins.transposed):
                    m.d.comb += sense.eq(1)
                    m.next = "SENSE"
                with m.Else():
                    m.d.sync += [pins.integrate.eq(1), held.eq(last_pattern)]
                    m.next = "NEXT_PATTERN"
                    with m.If(last_pattern):
                        m.next = "READY"
            with m.State("NEXT_PATTERN"):
                m.d.sync += [pins.phase.eq(Phase.IDLE), pins.row_clear.eq(1)]
                m.next = "READY"
            with m.State("SENSE"), m.If(decided):
                m.d.sync += [pins.phase.eq(Phase.IDLE), port.sensed.valid.eq(1)]
                m.next = "READY"
            with m.State("SELECT"):
                m.d.sync += [pins.phase.eq(Phase.PROGRAM), resetting.eq(0)]
                m.d.sync += pulses_left.eq(self._config.pulses_per_step - 1)
                m.next = "STROBE"
            with m.State("STROBE"):
                m.d.sync += [pins.set.eq(~resetting), pins.reset.eq(resetting)]
                with m.If(after(self._config.pulse_cycles)):
                    m.next = "RECOVER"
            with m.State("RECOVER"):
                m.d.sync += [pins.set.eq(0), pins.reset.eq(0)]
                with m.If(after(self._config.recovery_cycles)):
                    m.d.sync += resetting.eq(~resetting)
                    m.next = "STROBE"
                    with m.If(resetting):
                        m.d.sync += [
                            pulses_left.eq(pulses_left - 1),
                            pins.address.repetition.eq(pins.address.repetition + 1),
                        ]
                        with m.If(pulses_left == 0):
                            m.d.sync += port.written.valid.eq(1)
                            m.next = "READY"
        with m.If(port.clear):
            m.d.sync += [held.eq(0), loaded.eq(0), pins.phase.eq(Phase.IDLE), pins.row_clear.eq(1), pins.zero.eq(1)]
        m.d.sync += port.written.row.eq(pins.row)
        m.d.comb += port.idle.eq(ready & ~pins.compare & ~port.sensed.valid)
        return m

    def _timer(self, m: Module) -> Callable[[int], Value]:
        """A function that gives, within a state, whether it has lasted a number of cycles."""
        config = self._config
        waited = Signal(range(max(config.settle_cycles, config.pulse_cycles, config.recovery_cycles)))

        def after(cycles: int) -> Value:
            ends = waited == cycles - 1
            m.d.sync += waited.eq(Mux(ends, 0, waited + 1))
            return ends

        return after

    def _accept(self, m: Module, held: Signal, loaded: Signal, last_pattern: Signal) -> None:
        """Begin with an operation, while none is under way."""
        port, pins, operation = self.port, self.pins, self.port.operation
        drives, senses, pulses = (
            operation.p.operation == kind for kind in (Operation.DRIVE, Operation.SENSE, Operation.PULSE)
        )
        m.d.comb += operation.ready.eq(~port.clear & ~pins.compare & ~(drives & held))
        with m.If(operation.valid & operation.ready):
            m.d.sync += [pins.row.eq(operation.p.row), pins.address.eq(port.address)]
            if self._geometry.digits > 1:
                m.d.sync += [pins.digit.eq(operation.p.digit), pins.alone.eq(drives & operation.p.alone)]
            with m.If(drives):
                m.d.sync += [pins.row_set.eq(1), pins.transposed.eq(0), last_pattern.eq(operation.p.last)]
                with m.If(operation.p.last | (operation.p.row == self._geometry.rows - 1)):
                    m.next = "SETTLE"
            with m.If(senses | pulses):
                m.d.sync += [
                    held.eq(0),
                    pins.phase.eq(Phase.IDLE),
                    pins.transposed.eq(senses),
                    pins.address.repetition.eq(port.address.repetition * self._config.pulses_per_step),
                ]
                with m.If(senses):
                    m.d.sync += pins.address.read.eq(Read.BACKWARD)
                    m.next = "SETTLE"
                with m.Else():
                    m.next = "SELECT"
                with m.If(~loaded):
                    m.next = "COLUMNS"

    def _set_columns(self, m: Module, done: Signal) -> None:
        """Write the signs into the latches of the columns, a group a cycle."""
        geometry, pins = self._geometry, self.pins
        group = Signal.like(pins.group)
        signs = Signal(2 * geometry.groups * geometry.tables)
        chosen = Signal(2 * geometry.tables)
        m.d.comb += [
            signs.eq(Cat(self.port.signs.as_value(), Const(0, len(signs) - 2 * geometry.columns))),
            chosen.eq(signs.word_select(group, 2 * geometry.tables)),
            done.eq(group == geometry.groups - 1),
        ]
        m.d.sync += [
            group.eq(Mux(done, 0, group + 1)),
            pins.group.eq(group),
            pins.column_set.eq(1),
            pins.column_plus.eq(chosen[::2] & ~chosen[1::2]),
            pins.column_minus.eq(chosen[1::2]),
        ]

    def _compare(self, m: Module, serves: Value, sense: Signal, decided: Signal) -> None:
        """Lead requests, and codes 0 and -1 for a row that is sensed, through the comparators one after the other."""
        port, pins, request, response = self.port, self.pins, self.port.request, self.port.response
        left = Signal(range(self._config.compare_cycles))
        window, second, last = Signal(), Signal(), Signal()
        first = Signal.like(pins.decision)
        number, following = (Signal.like(pins.address.comparison, name=name) for name in ("number", "following"))
        ends, answered = Signal(), Signal()
        m.d.comb += [
            ends.eq(pins.compare & (left == 0)),
            decided.eq(ends & (second | ~window) & (pins.transposed | ~response.valid | response.ready)),
            answered.eq(decided & ~pins.transposed),
            request.ready.eq(serves & (~pins.compare | decided)),
            following.eq(Mux(answered & last, number + 1 + window, number)),
        ]
        m.d.sync += [number.eq(following), left.eq(Mux(left == 0, 0, left - 1))]
        with m.If(ends & window & ~second):
            m.d.sync += [
                second.eq(1),
                first.eq(pins.decision),
                left.eq(self._config.compare_cycles - 1),
                pins.reference.eq(~pins.reference.as_value()),
                pins.address.comparison.eq(pins.address.comparison + 1),
            ]
        with m.If(response.ready):
            m.d.sync += response.valid.eq(0)
        with m.If(answered):
            m.d.sync += [
                response.valid.eq(1),
                response.p.group.eq(pins.group),
                response.p.last.eq(last),
                response.p.above.eq(Mux(window, first, pins.decision)),
                response.p.beyond.eq(Mux(window, pins.decision, 0)),
            ]
        with m.If(decided):
            m.d.sync += [
                pins.compare.eq(0),
                port.sensed.row.eq(pins.row),
                port.sensed.above_zero.eq(first[0]),
                port.sensed.above_minus_one.eq(pins.decision[0]),
            ]
        begins = Signal()
        requested = request.valid & request.ready
        m.d.comb += begins.eq(requested | sense)
        with m.If(begins):
            m.d.sync += [pins.compare.eq(1), second.eq(0), left.eq(self._config.compare_cycles - 1), window.eq(1)]
        with m.If(sense):
            m.d.sync += pins.reference.eq(0)
        with m.If(requested):
            m.d.sync += [
                window.eq(request.p.window),
                last.eq(request.p.last),
                pins.group.eq(request.p.group),
                pins.reference.eq(request.p.lower),
                pins.address.comparison.eq(following),
                pins.address.repetition.eq(port.address.repetition),
            ]
        with m.If(port.clear):
            m.d.sync += number.eq(port.address.comparison)


def port_of(config: Config, geometry: Geometry, *, cells: bool = False) -> CrossbarPort:
    """The port of a layer with pins; with or without access to cells."""
    return CrossbarPort(
        rows=geometry.rows,
        columns=geometry.columns,
        folds=geometry.folds,
        lanes=geometry.lanes,
        groups=geometry.groups,
        tables=geometry.tables,
        cell_bits=geometry.cell_bits,
        reference_bits=config.reference_bits,
        digits=geometry.digits,
        pins=True,
        cells=cells,
    )
