from dataclasses import dataclass
from math import gcd
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastor.hdl.crossbar import IntegerCrossbar, Operation
from stochastor.model.crossbar import Address
from stochastor.model.crossbar import IntegerCrossbar as ModelCrossbar

from .bench import STALLS, fixed_seed, pauses, receive, run, send, watch

ADDRESS = Address(0, 1, True)
REFERENCE_BITS = 8


@dataclass(frozen=True)
class Shape:
    """A crossbar and how it is folded."""

    rows: int
    columns: int
    lanes: int
    tables: int
    weight_bits: int
    digits: int = 1
    base: int = 0

    @property
    def weight_max(self):
        return 2 ** (self.weight_bits - 1) - 1

    @property
    def bound(self):
        """Largest weight, all of its cells at their bounds."""
        return self.weight_max * sum(self.base**digit for digit in range(self.digits))

    @property
    def folds(self):
        return -(-self.columns // self.lanes)

    @property
    def groups(self):
        return -(-self.columns // self.tables)

    def crossbar(self, weights, backward):
        return IntegerCrossbar(
            rows=self.rows,
            columns=self.columns,
            folds=self.folds,
            lanes=self.lanes,
            groups=self.groups,
            groups_per_fold=-(-self.lanes // self.tables),
            tables=self.tables,
            cell_bits=self.weight_bits,
            reference_bits=REFERENCE_BITS,
            read_bits=(self.bound * self.rows).bit_length() + 1,
            sense_bits=(self.bound * self.columns).bit_length() + 1,
            weights=weights.tolist(),
            backward=backward,
            digits=self.digits,
            base=self.base,
        )


@st.composite
def shapes(draw):
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    lanes, tables = draw(st.integers(1, columns)), draw(st.sampled_from([1, 2, 4, 8]))
    tables = gcd(tables, lanes) if lanes < columns else min(tables, 1 << (columns - 1).bit_length())
    digits = draw(st.sampled_from([1, 1, 2, 3]))
    return Shape(rows, columns, lanes, tables, draw(st.integers(2, 5)), digits, draw(st.integers(2, 7)))


class Bench:
    """A crossbar beside the model's, which must give the same answer to every operation."""

    def __init__(self, shape, seed, stalls=None, backward=True):
        self.shape = shape
        self.random = Random(seed)
        self.paused = pauses("crossbar", stalls)
        weights = self.random_weights()
        self.crossbar = shape.crossbar(weights, backward)
        self.port = self.crossbar.port
        self.model = ModelCrossbar(shape.rows, shape.columns, shape.weight_max, shape.digits, shape.base)
        self.model.load(weights)
        self.stalls = stalls
        self.requests, self.sensed, self.dumped, self.written = [], [], [], []

    def run(self, testbench):
        watches = [
            watch(self.port.sensed.valid, self.port.sensed, self.sensed),
            watch(self.port.dumped.valid, self.port.dumped, self.dumped),
            watch(self.port.written.valid, self.port.written, self.written),
        ]
        run(self.crossbar, testbench, background=[*watches, self.ask])

    async def ask(self, ctx):
        """Send requests as they come, from the moment a read is begun."""
        paused = pauses("requests", self.stalls)
        while True:
            while not self.requests:
                await ctx.tick()
            await send(ctx, self.port.request, [self.requests[0]], paused)
            self.requests.pop(0)

    async def operate(self, ctx, operation, cells):
        whole = {"operation": operation, "last": 0, "fold": 0, "cell": 0, "value": 0}
        if self.shape.digits > 1:
            whole |= {"digit": 0, "alone": 0}
        payloads = [whole | cell for cell in cells]
        await send(ctx, self.port.operation, payloads, self.paused)

    async def settle(self, ctx):
        while not ctx.get(self.port.idle):
            await ctx.tick()

    async def drive(self, ctx):
        """Read random rows forward, and compare the columns with several codes."""
        rows = [*self.random_rows(self.shape.rows - 1), self.shape.rows - 1]
        self.model.read_forward(ADDRESS, np.array(rows))
        await self.compare(ctx, rows)

    async def read_digit(self, ctx):
        """Read one digit of a random row, and compare the columns with several codes."""
        row, digit = self.random.randrange(self.shape.rows), self.random.randrange(self.shape.digits)
        self.model.read_digit(ADDRESS, row, digit)
        await self.compare(ctx, [row], {"digit": digit, "alone": 1} if self.shape.digits > 1 else {})

    async def compare(self, ctx, rows, part=None):
        ctx.set(self.port.clear, 1)
        await ctx.tick()
        ctx.set(self.port.clear, 0)
        operations = [(self.random_codes(), self.random.randrange(2)) for _ in range(2)]
        self.requests += [request for operation in operations for request in self.requests_for(*operation)]
        count = len(self.requests)
        await self.operate(
            ctx,
            Operation.DRIVE,
            [{"row": row, "last": row == rows[-1]} | (part or {}) for row in rows] * self.shape.folds,
        )
        answers = await receive(ctx, self.port.response, lambda received: len(received) == count, self.paused)
        await self.settle(ctx)
        for index, (codes, window) in enumerate(operations):
            answer = answers[index * self.shape.groups : (index + 1) * self.shape.groups]
            assert self.bits(answer, "above") == self.model.compare(ADDRESS, np.array(codes)).tolist()
            beyond = self.model.compare(ADDRESS, ~np.array(codes)) & bool(window)
            assert self.bits(answer, "beyond") == beyond.tolist()

    async def sense(self, ctx):
        """Read random rows backward along random signs."""
        rows, signs = self.random_rows(self.shape.rows), self.random_signs()
        ctx.set(self.port.signs, self.padded(signs))
        self.sensed.clear()
        await self.operate(ctx, Operation.SENSE, [{"row": row} for row in rows])
        await self.settle(ctx)
        self.model.read_backward(ADDRESS, np.array(signs, dtype=np.int8), np.array(rows, dtype=np.int64))
        zero, minus_one = (self.model.compare(ADDRESS, np.full(len(rows), code)).tolist() for code in (0, -1))
        answers = [(value["row"], value["above_zero"], value["above_minus_one"]) for _, value in self.sensed]
        assert answers == list(zip(rows, zero, minus_one, strict=True))

    async def pulse(self, ctx):
        """Pulse random rows along random signs."""
        rows, signs = self.random_rows(self.shape.rows), self.random_signs()
        digit = self.random.randrange(self.shape.digits)
        ctx.set(self.port.signs, self.padded(signs))
        self.written.clear()
        part = {"digit": digit} if self.shape.digits > 1 else {}
        await self.operate(ctx, Operation.PULSE, [{"row": row} | part for row in rows])
        await self.settle(ctx)
        self.model.pulse(ADDRESS, np.array(rows, dtype=np.int64), np.array(signs, dtype=np.int8), digit)
        folds, lanes, columns = self.shape.folds, self.shape.lanes, self.shape.columns
        weights = self.model.dump()[:, digit :: self.shape.digits]
        expected = [(row, fold, weights[row, fold * lanes :][:lanes].tolist()) for row in rows for fold in range(folds)]
        written = [
            (value["row"], value["fold"], value["cells"][: columns - value["fold"] * lanes])
            for _, value in self.written
        ]
        assert written == expected

    async def load(self, ctx):
        """Write random weights to random places."""
        weights = self.model.dump()
        places = [place for place in np.ndindex(weights.shape) if self.random.random() < 0.5]
        for place in places:
            weights[place] = self.random_weight()
        self.model.load(weights)
        cells = [self.cell(row, column) | {"value": weights[row, column]} for row, column in places]
        await self.operate(ctx, Operation.LOAD, cells)
        await self.settle(ctx)

    async def dump(self, ctx):
        """Read every weight."""
        weights = self.model.dump()
        self.dumped.clear()
        await self.operate(ctx, Operation.DUMP, [self.cell(*place) for place in np.ndindex(weights.shape)])
        await self.settle(ctx)
        assert [value["value"] for _, value in self.dumped] == weights.reshape(-1).tolist()

    def cell(self, row, column):
        fold, cell = divmod(column, self.shape.lanes * self.shape.digits)
        return {"row": row, "fold": fold, "cell": cell}

    def requests_for(self, codes, window):
        tables, groups = self.shape.tables, self.shape.groups
        padded = [*codes, *[0] * (groups * tables - len(codes))]
        return [
            {
                "group": group,
                "last": int(group == groups - 1),
                "window": window,
                "lower": padded[group * tables : (group + 1) * tables],
            }
            for group in range(groups)
        ]

    def bits(self, responses, name):
        tables = self.shape.tables
        lines = [bool(response[name] >> line & 1) for response in responses for line in range(tables)]
        return lines[: self.shape.columns]

    def padded(self, signs):
        return [*signs, *[0] * (self.shape.folds * self.shape.lanes - len(signs))]

    def random_rows(self, count):
        return [row for row in range(count) if self.random.random() < 0.6]

    def random_signs(self):
        return self.random.choices((-1, 0, 1), k=self.shape.columns)

    def random_codes(self):
        return self.random.choices(range(-20, 21), k=self.shape.columns)

    def random_weight(self):
        weight_max = self.shape.weight_max
        return self.random.choice((-weight_max, weight_max, self.random.randint(-weight_max, weight_max)))

    def random_weights(self):
        columns = self.shape.columns * self.shape.digits
        weights = [[self.random_weight() for _ in range(columns)] for _ in range(self.shape.rows)]
        return np.array(weights, dtype=np.int32)


@settings(fixed_seed, max_examples=40)
@given(
    shape=shapes(),
    seed=st.integers(0, 2**32),
    stalls=st.sampled_from(STALLS),
    operations=st.lists(
        st.sampled_from(["drive", "read_digit", "sense", "pulse", "load", "dump"]), min_size=4, max_size=12
    ),
)
def test_any_sequence_of_operations_answers_as_the_model(shape, seed, stalls, operations):
    bench = Bench(shape, seed, stalls)

    async def testbench(ctx):
        for operation in [*operations, "dump"]:
            await getattr(bench, operation)(ctx)

    bench.run(testbench)


@settings(fixed_seed, max_examples=30)
@given(shape=shapes(), seed=st.integers(0, 2**32), stalls=st.sampled_from(STALLS))
def test_pulses_of_a_row_see_what_pulses_shortly_before_have_left(shape, seed, stalls):
    bench = Bench(shape, seed, stalls)
    rows = bench.random.choices(range(min(shape.rows, 3)), k=12)

    async def testbench(ctx):
        signs = bench.random_signs()
        ctx.set(bench.port.signs, bench.padded(signs))
        await bench.operate(ctx, Operation.PULSE, [{"row": row} for row in rows])
        await bench.settle(ctx)
        for row in rows:
            bench.model.pulse(ADDRESS, np.array([row]), np.array(signs, dtype=np.int8))
        await bench.dump(ctx)

    bench.run(testbench)


@settings(fixed_seed, max_examples=10)
@given(shape=shapes(), seed=st.integers(0, 2**32))
def test_weights_at_power_up_are_those_given(shape, seed):
    bench = Bench(shape, seed)
    bench.run(bench.dump)


@pytest.mark.parametrize(("operation", "cycles"), [(Operation.DRIVE, 1), (Operation.LOAD, 4), (Operation.DUMP, 5)])
def test_an_operation_on_a_word_takes_as_many_cycles_as_said(operation, cycles):
    assert cycles_of(operation, Shape(7, 6, 2, 2, 4), rows=6) == [cycles * row for row in range(6)]


@pytest.mark.parametrize("operation", [Operation.SENSE, Operation.PULSE])
def test_an_operation_on_a_row_takes_a_cycle_for_each_fold(operation):
    assert cycles_of(operation, Shape(7, 6, 2, 2, 4), rows=6) == [0, 3, 6, 9, 12, 15]


def cycles_of(operation, shape, rows):
    """Cycles in which operations on rows 0, 1, ... are accepted."""
    bench = Bench(shape, seed=1)
    accepted = []

    async def testbench(ctx):
        await bench.operate(ctx, operation, [{"row": row} for row in range(rows)])

    stream = bench.port.operation
    run(bench.crossbar, testbench, background=[watch(stream.valid & stream.ready, stream.p.row, accepted)])
    return [cycle for cycle, _ in accepted]


def test_a_crossbar_that_only_reads_forward_does_the_rest_as_one_that_reads_backward():
    bench = Bench(Shape(7, 6, 4, 2, 4), seed=2, backward=False)

    async def testbench(ctx):
        for operation in ("drive", "pulse", "load", "drive", "pulse", "dump"):
            await getattr(bench, operation)(ctx)

    bench.run(testbench)
