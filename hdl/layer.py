"""One layer of the machine, and the order in which its parts work: the twin of ``model/layer.py``."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..model.config import Config
from ..model.crossbar import Read, Weights
from ..model.lfsr import Bank, Generator, seed
from .carry import Carried, Carry
from .counters import EventCounters, LayerCounters
from .crossbar import CrossbarPort, IntegerCrossbar, Operation
from .error import OutputError, sensed_sign
from .events import EventList, LineGroup, RowEvents
from .geometry import Geometry
from .neuron import Neurons
from .pinned_crossbar import PinnedCrossbar
from .pins import ArrayPins
from .samplers import KeepRows

SAMPLE_BITS = 32
Crossbar = IntegerCrossbar | PinnedCrossbar


class LayerTrace(data.StructLayout):
    """What a layer does, for observation; each part is of the cycle in which its `valid` is 1.

    Members
    -------
    event : valid, row
        A row event is driven forward, for the first fold.
    fired : valid, group, bits
        Lines of a group fire.
    gate : valid, group, bits
        Lines of a group are gated. Not in the output layer.
    sensed : valid, row
        The sign of a row of this crossbar is decided. Not in the first layer.
    written : valid, row, fold, cells
        Cells as the pulses of an update leave them; of several digits, the lowest. With pins only valid and row.
    signs : ArrayLayout(signed(2), columns)
        Signs of the columns, steady at the end of a sample.
    carried : Carried
        Cells that a carry moves up. Only of several digits.
    """

    def __init__(self, config: Config, layer: int) -> None:
        geometry = Geometry.of(config, layer)
        row = range(max(geometry.rows, 2))
        fold = range(max(geometry.folds, 2))
        group = data.StructLayout({"valid": 1, "group": range(max(geometry.groups, 2)), "bits": geometry.tables})
        cells = data.ArrayLayout(signed(geometry.cell_bits), geometry.lanes)
        written = {"valid": 1, "row": row} if geometry.pins else {"valid": 1, "row": row, "fold": fold, "cells": cells}
        members = {
            "event": data.StructLayout({"valid": 1, "row": row}),
            "fired": group,
            "written": data.StructLayout(written),
            "signs": data.ArrayLayout(signed(2), geometry.columns),
        }
        if layer < config.layers:
            members["gate"] = group
        if layer > 1:
            members["sensed"] = data.StructLayout({"valid": 1, "row": row})
        if geometry.digits > 1:
            members["carried"] = Carried(geometry)
        super().__init__(members)


class LayerAccess(data.StructLayout):
    """Read or write a cell, or the next word of a training generator (`row` is then its number)."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(
            {
                "write": 1,
                "generator": 1,
                "row": range(max(geometry.rows, len(Generator))),
                "column": range(max(geometry.columns * geometry.digits, 2)),
                "value": signed(32),
            }
        )


class Layer(wiring.Component):
    """A layer around the crossbar port.

    Parameters
    ----------
    config : Config
        The machine.
    index : int
        1 to L.
    weights : ndarray of int32, shape (rows, columns * digits)
        Power-up cells.

    Members
    -------
    rows : In(stream of range(rows))
        Row events of a forward read.
    fired : Out(stream)
        Row events for the next layer; in the output layer, always accepted groups of fired bits.
    sense, sign : In(stream of range(rows)), Out(StructLayout)
        Rows to read backward, ended by the bias row, and their signs. Not in the first layer.
    open_rows, decided : Out(stream of range(columns + 1)), In(StructLayout)
        The other ends of `sense` and `sign` of the next layer. Not in the output layer.
    label : In(range(outputs))
        Class of the sample. Output layer only.
    access, value : In(stream of LayerAccess), Out(StructLayout)
        Access to weights and generators while the layer is not busy; a read is answered by `value`.
    bank : In(1)
        Bank of the generators of a forward read.
    exponent : In(3)
        Thinning exponent k of an update.
    reseed, start, gate, backward, update, release : In(1)
        Return the generators of `bank` to their seeds; start a forward read; start to gate it; start to read backward
        for `sense`; start to update; forget row events, gates and the held read of the sample.
    carry : In(1)
        Start to carry. Only of several digits.
    busy : Out(1)
        What was started is not finished, seen from the next cycle on and a cycle longer than it takes.
    any_sign : Out(1)
        Whether any sign is not 0.
    trace : Out(LayerTrace)
    counters : Out(LayerCounters)
    array, sample : Out(ArrayPins), In(32)
        Pins of the array, and which sample or pass this is. Only with pins.

    Latency
    -------
    See `stochastor.hdl.cycles`.
    """

    def __init__(self, config: Config, index: int, weights: Weights) -> None:
        self._config = config
        self._index = index
        self._weights = weights
        self._geometry = geometry = Geometry.of(config, index)
        self._bias_row = geometry.rows - 1
        self._first = index == 1
        self._output = index == config.layers
        rows = stream.Signature(range(geometry.rows))
        groups = stream.Signature(LineGroup(geometry.groups, geometry.tables))
        next_rows = stream.Signature(range(geometry.columns + 1))
        members = {
            "rows": In(rows),
            "fired": Out(groups if self._output else next_rows),
            "access": In(stream.Signature(LayerAccess(geometry))),
            "value": Out(data.StructLayout({"valid": 1, "value": signed(32)})),
            "bank": In(1),
            "exponent": In(3),
            "reseed": In(1),
            "start": In(1),
            "gate": In(1),
            "backward": In(1),
            "update": In(1),
            "release": In(1),
            "busy": Out(1),
            "any_sign": Out(1),
            "trace": Out(LayerTrace(config, index)),
            "counters": Out(LayerCounters()),
        }
        if geometry.pins:
            members |= {"array": Out(ArrayPins(geometry, config.reference_bits)), "sample": In(SAMPLE_BITS)}
        if geometry.digits > 1:
            members |= {"carry": In(1)}
        if not self._first:
            members |= {"sense": In(rows), "sign": Out(_sign_of(range(geometry.rows)))}
        if not self._output:
            members |= {"open_rows": Out(next_rows), "decided": In(_sign_of(range(geometry.columns + 1)))}
        else:
            members |= {"label": In(range(max(geometry.columns, 2)))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry = self._geometry
        m.submodules.crossbar = crossbar = self._crossbar()
        m.submodules.neurons = neurons = self._neurons()
        m.submodules.row_list = row_list = self._row_list()
        m.submodules.keep_rows = keep_rows = KeepRows(geometry.rows, self._seeds(Generator.THIN, Bank.TRAIN)[0])
        connect(m, flipped(self.rows), row_list.write)
        signs = Signal(2 * max(geometry.folds * geometry.lanes, geometry.groups * geometry.tables))
        gating = Signal()
        fire_ends = Signal()
        m.submodules.event_counters = counters = EventCounters(
            columns=geometry.columns, signs=geometry.tables if self._output else 1
        )
        m.d.comb += [
            row_list.release.eq(self.release),
            neurons.fire.eq(self.start),
            keep_rows.exponent.eq(self.exponent),
            # Whatever the phase, so that none comes before the decision to keep a row.
            keep_rows.events.p.eq(row_list.events.p),
            self.trace.signs.eq(signs),
        ]
        carry = self._share_crossbar(m, crossbar.port, neurons, signs)
        if isinstance(crossbar, PinnedCrossbar):
            connect(m, crossbar.pins, flipped(self.array))
            self._address(m, crossbar.port, carry)
        if self._output:
            self._decide_error(m, neurons, signs, fire_ends, counters)
        else:
            self._pass_events(m, neurons, signs, fire_ends, gating, counters)
        with m.If(self.start):
            m.d.sync += [signs.eq(0), self.any_sign.eq(0)]
        self._work(m, crossbar, row_list, keep_rows, fire_ends, gating, carry)
        self._answer(m, crossbar, neurons, keep_rows)
        self._observe(m, crossbar, neurons, carry)
        self._count(m, crossbar, carry, counters)
        return m

    def _row_list(self) -> EventList:
        if not self._first:
            return EventList(self._geometry.rows)
        return EventList(self._geometry.rows, banks=2, patterns=self._config.input_draws)

    def _crossbar(self) -> Crossbar:
        geometry = self._geometry
        if geometry.pins:
            return PinnedCrossbar(self._config, self._index)
        return IntegerCrossbar(
            rows=geometry.rows,
            columns=geometry.columns,
            folds=geometry.folds,
            lanes=geometry.lanes,
            groups=geometry.groups,
            groups_per_fold=geometry.groups_per_fold,
            tables=geometry.tables,
            cell_bits=geometry.cell_bits,
            reference_bits=self._config.reference_bits,
            read_bits=geometry.read_bits,
            sense_bits=geometry.sense_bits,
            weights=self._weights.tolist(),
            backward=not self._first,
            digits=geometry.digits,
            base=geometry.base,
        )

    def _neurons(self) -> Neurons:
        geometry, config = self._geometry, self._config
        return Neurons(
            columns=geometry.columns,
            groups=geometry.groups,
            tables=geometry.tables,
            thresholds=config.thresholds(self._index),
            windows=config.windows(self._index),
            gate=None if self._output else config.gate,
            reference_bits=config.reference_bits,
            fire_seeds=self._seeds(Generator.FIRE, *Bank),
            gate_seeds=self._seeds(Generator.GATE, Bank.TRAIN),
        )

    def _seeds(self, generator: Generator, *banks: Bank) -> tuple[int, ...]:
        return tuple(seed(self._config.seed, generator, bank, self._index) for bank in banks)

    def _share_crossbar(self, m: Module, port: CrossbarPort, neurons: Neurons, signs: Signal) -> Carry | None:
        """Give comparators and columns to the neurons, and to the carry while it is busy; returns the carry, if any."""
        if self._geometry.digits == 1:
            connect(m, neurons.request, port.request)
            connect(m, port.response, neurons.response)
            m.d.comb += [port.clear.eq(self.start | self.release), port.signs.eq(signs)]
            return None
        m.submodules.carry_unit = carry = Carry(self._geometry, self._config.reference_bits)
        m.d.comb += [
            port.clear.eq(self.start | self.release | carry.clear),
            port.signs.eq(Mux(carry.busy, carry.signs.as_value(), signs[: carry.signs.shape().size])),
            port.request.valid.eq(Mux(carry.busy, carry.request.valid, neurons.request.valid)),
            port.request.p.eq(Mux(carry.busy, carry.request.p.as_value(), neurons.request.p.as_value())),
            carry.request.ready.eq(port.request.ready & carry.busy),
            neurons.request.ready.eq(port.request.ready & ~carry.busy),
            carry.response.p.eq(port.response.p),
            neurons.response.p.eq(port.response.p),
            carry.response.valid.eq(port.response.valid & carry.busy),
            neurons.response.valid.eq(port.response.valid & ~carry.busy),
            port.response.ready.eq(Mux(carry.busy, carry.response.ready, neurons.response.ready)),
            carry.idle.eq(port.idle),
        ]
        return carry

    def _address(self, m: Module, port: CrossbarPort, carry: Carry | None) -> None:
        """Say which operation this is."""
        address = port.address
        m.d.comb += [address.sample.eq(self.sample), address.training.eq(self.bank == Bank.TRAIN)]
        if carry is not None:
            with m.If(carry.busy):
                m.d.comb += [
                    address.read.eq(Mux(carry.weights, Read.WEIGHT, Read.DIGIT)),
                    address.comparison.eq(carry.comparison),
                    address.row.eq(carry.carried.row),
                    address.digit.eq(carry.carried.digit),
                    address.repetition.eq(carry.repetition),
                ]

    def _decide_error(
        self, m: Module, neurons: Neurons, signs: Signal, fire_ends: Signal, counters: EventCounters
    ) -> None:
        """Output layer: the signs are the error of the fired bits."""
        geometry = self._geometry
        m.submodules.output_error = output_error = OutputError(
            outputs=geometry.columns, groups=geometry.groups, tables=geometry.tables
        )
        connect(m, neurons.fired, flipped(self.fired))
        m.d.comb += [
            output_error.label.eq(self.label),
            output_error.fired.eq(neurons.fired.p),
            fire_ends.eq(neurons.fired.valid & neurons.fired.p.last),
        ]
        with m.If(neurons.fired.valid):
            m.d.sync += signs.word_select(neurons.fired.p.group, 2 * geometry.tables).eq(output_error.signs)
            m.d.sync += self.any_sign.eq(self.any_sign | output_error.signs.as_value().any())
            m.d.comb += counters.decided.eq(output_error.signs)

    def _pass_events(
        self,
        m: Module,
        neurons: Neurons,
        signs: Signal,
        fire_ends: Signal,
        gating: Signal,
        counters: EventCounters,
    ) -> None:
        """Hidden layer: fired lines go on as row events, open gates wait as rows that the next layer senses."""
        geometry = self._geometry
        m.submodules.fire_events = fire_events = RowEvents(geometry.columns, geometry.tables)
        m.submodules.gate_events = gate_events = RowEvents(geometry.columns, geometry.tables)
        m.submodules.gate_list = gate_list = EventList(geometry.columns + 1)
        connect(m, neurons.fired, fire_events.groups)
        connect(m, fire_events.events, flipped(self.fired))
        connect(m, neurons.gates, gate_events.groups)
        connect(m, gate_events.events, gate_list.write)
        connect(m, gate_list.events, flipped(self.open_rows))
        m.d.comb += [
            fire_ends.eq(self.fired.valid & self.fired.ready & (self.fired.p == geometry.columns)),
            neurons.gate.eq(self.gate),
            gate_list.replay.eq(self.gate),
            gate_list.release.eq(self.release),
        ]
        with m.If(self.gate):
            m.d.sync += gating.eq(1)
        with m.Elif(gate_list.complete):
            m.d.sync += gating.eq(0)
        with m.If(self.decided.valid):
            m.d.sync += signs.word_select(self.decided.row, 2).eq(self.decided.sign)
            m.d.sync += self.any_sign.eq(self.any_sign | self.decided.sign.any())
            m.d.comb += counters.decided[0].eq(self.decided.sign)

    def _work(
        self,
        m: Module,
        crossbar: Crossbar,
        row_list: EventList,
        keep_rows: KeepRows,
        fire_ends: Signal,
        gating: Signal,
        carry: Carry | None,
    ) -> None:
        """Feed the crossbar with operations, phase after phase."""
        with m.FSM(name="phase") as phase:
            with m.State("IDLE"):
                self._serve_weights(m, crossbar)
                with m.If(self.start):
                    m.d.comb += row_list.replay.eq(1)
                    m.next = "FORWARD"
                if not self._first:
                    with m.If(self.backward):
                        m.next = "BACKWARD"
                with m.If(self.update & (self.any_sign | (self.exponent != 0))):
                    m.d.comb += row_list.replay.eq(1)
                    if "last_pattern" in row_list.signature.members:
                        m.d.comb += row_list.last_pattern.eq(1)
                    m.next = "UPDATE"
                if carry is not None:
                    m.d.comb += carry.start.eq(self.carry)
                    with m.If(self.carry):
                        m.next = "CARRY"
            with m.State("FORWARD"):
                self._drive(m, crossbar, row_list)
                with m.If(fire_ends):
                    m.next = "IDLE"
            if not self._first:
                with m.State("BACKWARD"):
                    self._sense(m, crossbar)
                    with m.If(self.sense.valid & (self.sense.p == self._bias_row)):
                        m.next = "SETTLE"
            with m.State("UPDATE"):
                self._pulse(m, crossbar, row_list, keep_rows)
                with m.If(keep_rows.kept.valid & keep_rows.kept.ready & (keep_rows.kept.p.row == self._bias_row)):
                    m.next = "SETTLE"
            if carry is not None:
                with m.State("CARRY"):
                    self._carry(m, crossbar, carry)
                    with m.If(~carry.busy):
                        m.next = "IDLE"
            with m.State("SETTLE"), m.If(crossbar.port.idle):
                m.next = "IDLE"
        begun = [self.start, self.gate, self.backward, self.update, self.access.valid & self.access.ready]
        if carry is not None:
            begun.append(self.carry)
        active = Cat(*begun, gating, ~phase.ongoing("IDLE"))
        m.d.sync += self.busy.eq((Cat(active, ~crossbar.port.idle) if self._geometry.pins else active).any())

    def _drive(self, m: Module, crossbar: Crossbar, row_list: EventList) -> None:
        """Drive all row events forward, once for each fold."""
        operation = crossbar.port.operation
        fold = Signal.like(operation.p.fold)
        accepted = operation.valid & operation.ready
        m.d.comb += [
            operation.valid.eq(row_list.events.valid),
            operation.p.operation.eq(Operation.DRIVE),
            operation.p.row.eq(row_list.events.p),
            operation.p.last.eq(row_list.last),
            row_list.events.ready.eq(operation.ready),
            self.trace.event.valid.eq(accepted & (fold == 0)),
            self.trace.event.row.eq(row_list.events.p),
        ]
        again = Signal()
        m.d.comb += row_list.replay.eq(again)
        m.d.sync += again.eq(accepted & row_list.last & (fold != self._geometry.folds - 1))
        with m.If(accepted & row_list.last):
            m.d.sync += fold.eq(Mux(fold == self._geometry.folds - 1, 0, fold + 1))

    def _sense(self, m: Module, crossbar: Crossbar) -> None:
        """Read rows backward; the bias row only ends them."""
        operation = crossbar.port.operation
        bias = self.sense.p == self._bias_row
        m.d.comb += [
            operation.valid.eq(self.sense.valid & ~bias),
            operation.p.operation.eq(Operation.SENSE),
            operation.p.row.eq(self.sense.p),
            self.sense.ready.eq(bias | operation.ready),
        ]

    def _pulse(self, m: Module, crossbar: Crossbar, row_list: EventList, keep_rows: KeepRows) -> None:
        """Pulse the row events that are kept; without a sign they are only drawn."""
        operation = crossbar.port.operation
        pulses = keep_rows.kept.p.keep & self.any_sign
        m.d.comb += [
            keep_rows.events.valid.eq(row_list.events.valid),
            row_list.events.ready.eq(keep_rows.events.ready),
            operation.valid.eq(keep_rows.kept.valid & pulses),
            operation.p.operation.eq(Operation.PULSE),
            operation.p.row.eq(keep_rows.kept.p.row),
            keep_rows.kept.ready.eq(operation.ready | ~pulses),
        ]

    def _carry(self, m: Module, crossbar: Crossbar, carry: Carry) -> None:
        operation = crossbar.port.operation
        m.d.comb += [
            operation.valid.eq(carry.operation.valid),
            operation.p.operation.eq(carry.operation.p.operation),
            operation.p.row.eq(carry.operation.p.row),
            operation.p.digit.eq(carry.operation.p.digit),
            operation.p.last.eq(1),
            operation.p.alone.eq(carry.operation.p.alone if self._geometry.verify else 1),
            carry.operation.ready.eq(operation.ready),
        ]

    def _serve_weights(self, m: Module, crossbar: Crossbar) -> None:
        access, operation = self.access, crossbar.port.operation
        cells = self._geometry.lanes * self._geometry.digits
        folded = self._geometry.folds > 1
        m.d.comb += [
            operation.valid.eq(access.valid & ~access.p.generator),
            operation.p.operation.eq(Mux(access.p.write, Operation.LOAD, Operation.DUMP)),
            operation.p.row.eq(access.p.row),
            operation.p.fold.eq(access.p.column // cells if folded else 0),
            operation.p.cell.eq(access.p.column % cells if folded else access.p.column),
            operation.p.value.eq(access.p.value),
            access.ready.eq(access.p.generator | operation.ready),
        ]

    def _answer(self, m: Module, crossbar: Crossbar, neurons: Neurons, keep_rows: KeepRows) -> None:
        """Give access to generators, and answer reads of words and weights."""
        access, dumped = self.access, crossbar.port.dumped
        m.d.comb += [neurons.fire_port.bank.eq(self.bank), neurons.fire_port.reseed.eq(self.reseed)]
        m.d.sync += [self.value.valid.eq(dumped.valid), self.value.value.eq(dumped.value)]
        ports = {Generator.FIRE: neurons.fire_port, Generator.THIN: keep_rows.port}
        if "gate_port" in neurons.signature.members:
            ports[Generator.GATE] = neurons.gate_port
        for generator, port in ports.items():
            selected = access.valid & access.p.generator & (access.p.row == generator)
            m.d.comb += [port.load.eq(selected & access.p.write), port.load_word.eq(access.p.value)]
            with m.If(selected & ~access.p.write):
                m.d.sync += [self.value.valid.eq(1), self.value.value.eq(port.word)]

    def _observe(self, m: Module, crossbar: Crossbar, neurons: Neurons, carry: Carry | None) -> None:
        sensed, written, trace = crossbar.port.sensed, crossbar.port.written, self.trace
        m.d.comb += [
            trace.fired.valid.eq(neurons.fired.valid & neurons.fired.ready),
            trace.fired.group.eq(neurons.fired.p.group),
            trace.fired.bits.eq(neurons.fired.p.bits),
            trace.written.eq(written),
        ]
        if carry is not None:
            m.d.comb += [trace.written.valid.eq(written.valid & ~carry.busy), trace.carried.eq(carry.carried)]
        if not self._first:
            m.d.comb += [
                self.sign.valid.eq(sensed.valid),
                self.sign.row.eq(sensed.row),
                self.sign.sign.eq(sensed_sign(sensed)),
                trace.sensed.valid.eq(sensed.valid),
                trace.sensed.row.eq(sensed.row),
            ]
        if not self._output:
            m.d.comb += [
                trace.gate.valid.eq(neurons.gates.valid & neurons.gates.ready),
                trace.gate.group.eq(neurons.gates.p.group),
                trace.gate.bits.eq(neurons.gates.p.bits),
            ]

    def _count(self, m: Module, crossbar: IntegerCrossbar, carry: Carry | None, counters: EventCounters) -> None:
        operation, event = crossbar.port.operation, self.trace.event.valid
        accepted = operation.valid & operation.ready
        carrying: Value = Const(0)
        if carry is not None:
            carrying = carry.busy
            m.d.comb += [
                counters.full.eq(carry.full),
                counters.carried.eq(carry.carried.valid),
                counters.up.eq(carry.up_count),
                counters.down.eq(carry.down_count),
            ]
            if self._geometry.verify:
                m.d.comb += counters.restored.eq(carry.restored)
        m.d.comb += [
            counters.driven.eq(event & (self.bank == Bank.TRAIN)),
            counters.passed.eq(event & (self.bank == Bank.INFER)),
            counters.clear.eq(self.start),
            counters.backward.eq(self.backward),
            counters.sensed.eq(accepted & (operation.p.operation == Operation.SENSE)),
            counters.pulsed.eq(accepted & (operation.p.operation == Operation.PULSE) & ~carrying),
            self.counters.eq(counters.counters),
        ]


def _sign_of(rows: range) -> data.StructLayout:
    return data.StructLayout({"valid": 1, "row": rows, "sign": signed(2)})
