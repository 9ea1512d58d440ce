"""The crossbar port and the integer crossbar in block RAM: the twin of ``model/crossbar.py``."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .pins import ArrayAddress
from .pulse import SaturatingStep
from .read import BackwardRead, CompareRequest, CompareResponse, ForwardRead, Sensed

DUMP_PART = 16  # cells among which the first step of a DUMP chooses


class Operation(enum.Enum, shape=3):
    """What a crossbar can be asked to do with a row."""

    DRIVE = 0
    SENSE = 1
    PULSE = 2
    LOAD = 3
    DUMP = 4


DONE_BY = {
    "drives": Operation.DRIVE,
    "senses": Operation.SENSE,
    "pulses": Operation.PULSE,
    "loads": Operation.LOAD,
    "dumps": Operation.DUMP,
}


class CrossbarPort(wiring.Signature):
    """The one way to an array of weights, from the side that asks.

    Parameters
    ----------
    rows, columns : int
        Bias row included.
    folds, lanes : int
        Column = fold * lanes + lane.
    groups, tables : int
        Lines are compared `tables` at a time, in `groups` groups.
    cell_bits, reference_bits : int
        Widths of cells and reference codes, signed.
    digits : int
        Cells of a weight, side by side; a weight of one is its cell.
    pins : bool
        Whether the array is reached by pins: operations have an address then, and cells cannot be watched.
    cells : bool
        Whether cells are accessed: LOAD and DUMP.

    Members
    -------
    operation : Out(stream)
        `operation` on `row`. DRIVE collects the active rows of a forward read, a whole list for each fold, the `last`
        one of it marked; SENSE reads the row backward; PULSE moves its cells along `signs`; LOAD writes `value` at
        `row`, `fold` and `cell` of the fold's cells; DUMP reads there. Of several digits, PULSE moves those of `digit`,
        and a DRIVE with `alone` reads the cells of `digit` instead of the weights.
    signs : Out(ArrayLayout(signed(2), folds * lanes))
        What drives the columns in SENSE and PULSE; steady from the first one on until a `clear`.
    clear : Out(1)
        Forget the held forward read and the signs, at the next edge.
    address : Out(ArrayAddress)
        Of the operation; `comparison` is the number of its first one. Only with pins.
    request : Out(stream of CompareRequest)
        Compare the held z of the lines of `group` with the codes `lower` and, for a `window`, with ~lower (that is
        -lower - 1, its upper end). Not ready before these lines are held.
    response : In(stream of CompareResponse)
        For each request in order, one bit a line: `above` is [z > lower], `beyond` of a window is [z > ~lower].
    sensed : In(StructLayout)
        `valid` for a cycle with the answer to a SENSE of `row`: [s > 0] and [s > -1].
    dumped : In(StructLayout)
        `valid` for a cycle with the answer to a DUMP.
    written : In(StructLayout)
        For observation: `valid` in the cycle in which the pulsed cells of `row` and `fold` are written; with pins,
        in which the pulses of `row` have ended.
    idle : In(1)
        No operation is under way.
    """

    def __init__(
        self,
        *,
        rows: int,
        columns: int,
        folds: int,
        lanes: int,
        groups: int,
        tables: int,
        cell_bits: int,
        reference_bits: int,
        digits: int = 1,
        pins: bool = False,
        cells: bool = True,
    ) -> None:
        row, fold, cell = (range(max(size, 2)) for size in (rows, folds, lanes * digits))
        value = signed(cell_bits)
        operation = {"operation": Operation, "row": row, "last": 1}
        if cells:
            operation |= {"fold": fold, "cell": cell, "value": value}
        if digits > 1:
            operation |= {"digit": range(digits), "alone": 1}
        written = {"valid": 1, "row": row}
        if not pins:
            written |= {"fold": fold, "cells": data.ArrayLayout(value, lanes)}
        super().__init__(
            {
                **({"address": Out(ArrayAddress())} if pins else {}),
                **({"dumped": In(data.StructLayout({"valid": 1, "value": value}))} if cells else {}),
                "operation": Out(stream.Signature(data.StructLayout(operation))),
                "signs": Out(data.ArrayLayout(signed(2), folds * lanes)),
                "clear": Out(1),
                "request": Out(stream.Signature(CompareRequest(groups, tables, reference_bits))),
                "response": In(stream.Signature(CompareResponse(groups, tables))),
                "sensed": In(Sensed(rows)),
                "written": In(data.StructLayout(written)),
                "idle": In(1),
            }
        )


class IntegerCrossbar(wiring.Component):
    """A crossbar of exact integers in block RAM, the cells of `lanes` columns in a word.

    Parameters
    ----------
    rows, columns, folds, lanes, groups, tables, cell_bits, reference_bits, digits : int
        As in `CrossbarPort`.
    base : int
        A weight is the sum of its cells times `base` to the power of their digits.
    groups_per_fold : int
        Groups of lines in a full fold.
    read_bits, sense_bits : int
        Widths of z and s, signed.
    weights : list of list of int
        Power-up cells, row by row, those of a weight side by side from the lowest digit on.
    backward : bool
        Whether SENSE is needed; without it the adder tree is left out.

    Members
    -------
    port : In(CrossbarPort)

    Latency
    -------
    An operation a cycle; SENSE and PULSE take one for each fold, LOAD four and DUMP five. Its word is read in the next
    cycle, and worked on two cycles later, as in `ForwardRead` and `BackwardRead`; a word on its way to be written is
    read after that.
    """

    def __init__(
        self,
        *,
        rows: int,
        columns: int,
        folds: int,
        lanes: int,
        groups: int,
        groups_per_fold: int,
        tables: int,
        cell_bits: int,
        reference_bits: int,
        read_bits: int,
        sense_bits: int,
        weights: list[list[int]],
        backward: bool,
        digits: int = 1,
        base: int = 0,
    ) -> None:
        self._rows = rows
        self._columns = columns
        self._folds = folds
        self._lanes = lanes
        self._groups = groups
        self._groups_per_fold = groups_per_fold
        self._tables = tables
        self._cell_bits = cell_bits
        self._digits = digits
        self._places = [base**digit for digit in range(digits)]
        self._weight_bits = (sum(self._places) * ((1 << (cell_bits - 1)) - 1)).bit_length() + 1
        self._reference_bits = reference_bits
        self._read_bits = read_bits
        self._sense_bits = sense_bits
        self._weights = weights
        self._backward = backward
        super().__init__(
            {
                "port": In(
                    CrossbarPort(
                        rows=rows,
                        columns=columns,
                        folds=folds,
                        lanes=lanes,
                        groups=groups,
                        tables=tables,
                        cell_bits=cell_bits,
                        reference_bits=reference_bits,
                        digits=digits,
                    )
                )
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port = self.port
        word = data.ArrayLayout(signed(self._cell_bits), self._lanes * self._digits)
        # What is read of a word in the cycle in which it is written is not used: block RAM needs no logic around it.
        m.submodules.weights = weights = memory.Memory(
            shape=word,
            depth=self._rows * self._folds,
            init=self._words(),
            attrs={"ram_style": "block", "no_rw_check": 1},
        )
        read_port = weights.read_port()
        write_port = weights.write_port(granularity=1)
        m.submodules.forward_read = forward_read = ForwardRead(
            lanes=self._lanes,
            groups=self._groups,
            groups_per_fold=self._groups_per_fold,
            tables=self._tables,
            weight_bits=self._weight_bits,
            reference_bits=self._reference_bits,
            read_bits=self._read_bits,
        )
        m.submodules.step = step = SaturatingStep(lanes=self._lanes, weight_bits=self._cell_bits)

        # Address: the word that an operation reads.
        asked, asked_valid = Signal(port.operation.p.shape()), Signal()
        fetched, worked = Signal(self._stage()), Signal(self._stage())
        # LOAD and DUMP wait where they are asked until they are done, so that cell and value need no stages.
        waits = Signal()
        driving = asked.operation == Operation.DRIVE
        accesses = (asked.operation == Operation.LOAD) | (asked.operation == Operation.DUMP)
        each_fold = (asked.operation == Operation.SENSE) | (asked.operation == Operation.PULSE)
        address = Signal.like(read_port.addr)
        drive_fold = Signal.like(fetched.fold)
        inner_fold = Signal.like(fetched.fold)
        fold = Signal.like(fetched.fold)
        accept, last_fold, stale, drive_ends = Signal(), Signal(), Signal(), Signal()
        # Rows are compared a cycle ahead: an operation moves on from where it is asked to where it is fetched.
        same_fetched, same_worked = Signal(), Signal()
        m.d.comb += [
            fold.eq(Mux(driving, drive_fold, Mux(each_fold, inner_fold, asked.fold))),
            last_fold.eq(~each_fold | (inner_fold == self._folds - 1)),
            stale.eq(
                Cat(
                    before.writes & same_row & (before.fold == fold)
                    for before, same_row in ((fetched, same_fetched), (worked, same_worked))
                ).any()
                & (asked.operation != Operation.LOAD)
            ),
            drive_ends.eq(Cat(before.drives & before.last for before in (fetched, worked)).any()),
            accept.eq(asked_valid & ~stale & ~(driving & (forward_read.busy | drive_ends))),
            port.operation.ready.eq(~waits & (~asked_valid | (accept & last_fold & ~accesses))),
            address.eq(Array(index * self._rows for index in range(self._folds))[fold] + asked.row),
            read_port.addr.eq(address),
            read_port.en.eq(asked_valid),
        ]
        m.d.sync += [same_fetched.eq(1), same_worked.eq(same_fetched)]
        with m.If(port.operation.ready):
            m.d.sync += [
                same_fetched.eq(port.operation.p.row == asked.row),
                same_worked.eq(port.operation.p.row == fetched.row),
            ]
            m.d.sync += [asked.eq(port.operation.p), asked_valid.eq(port.operation.valid)]
        m.d.sync += [
            *(fetched[name].eq(accept & (asked.operation == operation)) for name, operation in DONE_BY.items()),
            fetched.writes.eq(accept & ((asked.operation == Operation.PULSE) | (asked.operation == Operation.LOAD))),
            *(fetched[name].eq(asked[name]) for name in self._staged()),
            fetched.fold.eq(fold),
            fetched.last_fold.eq(last_fold),
            fetched.address.eq(address),
            worked.eq(fetched),
        ]
        with m.If(accept & accesses):
            m.d.sync += [asked_valid.eq(0), waits.eq(1)]
        with m.If(accept):
            with m.If(each_fold):
                m.d.sync += inner_fold.eq(Mux(last_fold, 0, inner_fold + 1))
            with m.If(driving & asked.last):
                m.d.sync += drive_fold.eq(Mux(drive_fold == self._folds - 1, 0, drive_fold + 1))

        # Data: what happens to the word.
        cells = Signal(word)
        m.d.sync += cells.eq(read_port.data)
        signs = Signal(data.ArrayLayout(signed(2), self._lanes))
        m.d.comb += [
            signs.eq(port.signs.as_value().word_select(worked.fold, 2 * self._lanes)),
            forward_read.valid.eq(worked.drives),
            forward_read.last.eq(worked.last),
            forward_read.clear.eq(port.clear),
            step.signs.eq(signs),
            write_port.addr.eq(worked.address),
        ]
        dumping = self._dump(m, worked.dumps, asked.cell, cells)
        with m.If(worked.loads | dumping):
            m.d.sync += waits.eq(0)
        weights_read = self._weights_of(m, cells)
        moved = self._select_digit(m, worked, cells, weights_read, forward_read, step)
        connect(m, flipped(port.request), forward_read.request)
        connect(m, forward_read.response, flipped(port.response))
        m.d.comb += [
            *(
                write_port.data[lane * self._digits + digit].eq(Mux(worked.loads, asked.value, step.stepped[lane]))
                for lane in range(self._lanes)
                for digit in range(self._digits)
            ),
            port.written.valid.eq(worked.pulses),
            port.written.row.eq(worked.row),
            port.written.fold.eq(worked.fold),
            port.written.cells.eq(step.stepped),
        ]
        loaded = Signal.like(write_port.en)
        m.d.sync += loaded.eq(Mux(fetched.loads, 1 << asked.cell, 0))
        m.d.comb += write_port.en.eq(Mux(worked.pulses, moved, loaded))

        busy = forward_read.busy
        if self._backward:
            m.submodules.backward_read = backward_read = BackwardRead(
                rows=self._rows, lanes=self._lanes, weight_bits=self._weight_bits, sense_bits=self._sense_bits
            )
            m.d.comb += [
                backward_read.word.eq(weights_read),
                backward_read.signs.eq(signs),
                backward_read.valid.eq(worked.senses),
                backward_read.row.eq(worked.row),
                backward_read.last.eq(worked.last_fold),
                port.sensed.eq(backward_read.sensed),
            ]
            busy = busy | backward_read.busy
        m.d.comb += port.idle.eq(
            ~Cat(asked_valid, *(stage[name] for stage in (fetched, worked) for name in DONE_BY), dumping).any()
            & ~port.dumped.valid
            & ~busy
        )
        return m

    def _staged(self) -> dict[str, Any]:
        """What stages keep of an operation: its members' shapes."""
        left_behind = ("operation", "fold", "cell", "value")
        return {name: field.shape for name, field in self.port.operation.p.shape() if name not in left_behind}

    def _stage(self) -> data.StructLayout:
        """An operation on its way through the memory; what it does is a bit each, for these go to all lanes."""
        return data.StructLayout(
            {
                **dict.fromkeys((*DONE_BY, "writes", "last_fold"), 1),
                **self._staged(),
                "fold": range(max(self._folds, 2)),
                "address": range(self._rows * self._folds),
            }
        )

    def _dump(self, m: Module, dumps: Value, cell: Value, cells: data.View) -> Signal:
        """Choose a cell in two steps, for there are many; returns whether the first one is done."""
        dumping = Signal()
        parts = [
            [cells[place] for place in range(start, min(start + DUMP_PART, self._lanes * self._digits))]
            for start in range(0, self._lanes * self._digits, DUMP_PART)
        ]
        chosen = Signal(data.ArrayLayout(signed(self._cell_bits), len(parts)))
        m.d.sync += [
            dumping.eq(dumps),
            *(chosen[index].eq(Array(part)[cell % DUMP_PART]) for index, part in enumerate(parts)),
            self.port.dumped.valid.eq(dumping),
            self.port.dumped.value.eq(Array(chosen)[cell // DUMP_PART]),
        ]
        return dumping

    def _weights_of(self, m: Module, cells: data.View) -> data.View:
        """The weights that the cells of a word make."""
        if self._digits == 1:
            return cells
        weights = Signal(data.ArrayLayout(signed(self._weight_bits), self._lanes), name="whole_weights")
        for lane in range(self._lanes):
            digits = (cells[lane * self._digits + digit] * place for digit, place in enumerate(self._places))
            m.d.comb += weights[lane].eq(sum(digits))
        return weights

    def _select_digit(
        self,
        m: Module,
        worked: data.View,
        cells: data.View,
        weights: data.View,
        forward_read: ForwardRead,
        step: SaturatingStep,
    ) -> Value:
        """Lead what is asked for to the reads and the step; returns which cells a pulse moves."""
        if self._digits == 1:
            m.d.comb += [forward_read.word.eq(cells), step.word.eq(cells)]
            return step.moves
        enables = []
        for lane in range(self._lanes):
            digits = [cells[lane * self._digits + digit] for digit in range(self._digits)]
            m.d.comb += [
                step.word[lane].eq(Array(digits)[worked.digit]),
                forward_read.word[lane].eq(Mux(worked.alone, step.word[lane], weights[lane])),
            ]
            enables += [step.moves[lane] & (worked.digit == digit) for digit in range(self._digits)]
        return Cat(enables)

    def _words(self) -> list[list[int]]:
        """Power-up words: fold after fold, row after row."""
        lanes = self._lanes * self._digits
        padding = [0] * (self._folds * lanes - self._columns * self._digits)
        starts = range(0, self._folds * lanes, lanes)
        return [[*row, *padding][start : start + lanes] for start in starts for row in self._weights]
