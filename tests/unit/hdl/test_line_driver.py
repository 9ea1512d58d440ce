import re
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastor.hdl.crossbar import Operation
from stochastor.hdl.geometry import Geometry
from stochastor.hdl.line_driver import LineDriver
from stochastor.hdl.pins import Phase
from stochastor.model.config import Config
from stochastor.model.crossbar import Address, Read
from stochastor.model.crossbar import IntegerCrossbar as ModelCrossbar

from .bench import STALLS, fixed_seed, pauses, plain, receive, run, send, watch

SPECIFICATION = Path(__file__).parents[3] / "docs" / "specification.md"
ADDRESS = Address(0, 1, True)
SHOWN = ("row", "row_set", "row_clear", "group", "column_set", "column_plus", "column_minus", "phase", "transposed")
SHOWN += ("zero", "integrate", "set", "reset", "compare", "reference", "decision")
LEVELS = ("row_set", "row_clear", "column_set", "transposed", "zero", "integrate", "set", "reset", "compare")


class PlainArray:
    """Whole numbers behind the pins: a pulse is a SET of one device of a pair and a RESET of the other."""

    def __init__(self, config, cells):
        self.geometry = Geometry.of(config, 1)
        self.places = [config.carry_base**digit for digit in range(config.carry_digits)]
        self.pulses = config.pulses_per_step
        self.pairs = self.pulses * np.stack([cells, -cells]).reshape(2, *cells.shape[:1], -1, config.carry_digits)
        self.latched = set()
        self.signs = np.zeros(self.geometry.groups * self.geometry.tables, dtype=int)
        self.held = np.zeros(self.geometry.columns, dtype=int)
        self.before = {"set": 0, "reset": 0}
        self.stuck = False

    def cells(self):
        return ((self.pairs[0] - self.pairs[1]) // (2 * self.pulses)).reshape(self.geometry.rows, -1)

    def weights(self, pins):
        cells = self.cells().reshape(self.geometry.rows, -1, len(self.places))
        return cells[:, :, pins["digit"]] if pins.get("alone") else cells @ self.places

    def see(self, pins):
        tables = self.geometry.tables
        lines = slice(pins["group"] * tables, (pins["group"] + 1) * tables)
        if pins["row_clear"]:
            self.latched.clear()
        if pins["row_set"]:
            self.latched.add(pins["row"])
        if pins["column_set"]:
            for line in range(tables):
                plus, minus = pins["column_plus"] >> line & 1, pins["column_minus"] >> line & 1
                self.signs[pins["group"] * tables + line] = plus - minus
        if pins["zero"]:
            self.held[:] = 0
        if pins["integrate"]:
            self.held += self.weights(pins)[sorted(self.latched)].sum(axis=0)
        signs = self.signs[: self.geometry.columns]
        for name, moved in (("set", 1), ("reset", -1)):
            if pins[name] and not self.before[name] and not self.stuck:
                for device, driven in ((0, moved), (1, -moved)):
                    cells = self.pairs[device, pins["row"], :, pins.get("digit", 0)]
                    most = self.geometry.digit_max * self.pulses
                    cells[signs == driven] = np.clip(cells[signs == driven] + moved, -most, most)
            self.before[name] = pins[name]
        if not pins["compare"]:
            return 0
        if pins["transposed"]:
            return int(self.weights(pins)[pins["row"]] @ signs > pins["reference"][0])
        return sum(
            bool(z > code) << line
            for line, (z, code) in enumerate(zip(self.held[lines], pins["reference"], strict=False))
        )


class Bench:
    """A line driver with a plain array, beside the model's crossbar; `seen` are the pins of each cycle."""

    def __init__(self, config, seed=1, stalls=None):
        self.config, self.geometry = config, Geometry.of(config, 1)
        self.random = Random(seed)
        self.paused, self.stalls = pauses("driver", stalls), stalls
        most, shape = config.digit_max, (self.geometry.rows, config.cell_columns(1))
        cells = np.array([[self.random.randint(-most, most) for _ in range(shape[1])] for _ in range(shape[0])])
        self.model = ModelCrossbar.of(config, 1)
        self.model.load(cells)
        self.array = PlainArray(config, cells)
        self.driver = LineDriver(config, 1)
        self.port = self.driver.port
        self.seen, self.sensed, self.requests = [], [], []

    unused: ClassVar[dict[str, int]] = {}

    def run(self, testbench):
        sensed = watch(self.port.sensed.valid, self.port.sensed, self.sensed)
        run(self.driver, testbench, background=[self.answer, sensed, self.ask])

    async def answer(self, ctx):
        pins = self.driver.pins
        names = [name for name in pins.signature.members if name != "decision"]
        while True:
            levels = {name: plain(ctx.get(getattr(pins, name))) for name in names}
            levels["phase"] = Phase(levels["phase"])
            decision = self.array.see(levels)
            ctx.set(pins.decision, decision)
            self.seen.append(levels | {"decision": decision})
            await ctx.tick()

    async def ask(self, ctx):
        paused = pauses("requests", self.stalls)
        while True:
            while not self.requests:
                await ctx.tick()
            await send(ctx, self.port.request, [self.requests[0]], paused)
            self.requests.pop(0)

    async def operate(self, ctx, operation, rows, **part):
        whole = {"operation": operation, "last": 0} | self.unused
        if self.geometry.digits > 1:
            whole |= {"digit": 0, "alone": 0} | part
        last = len(rows) - 1
        payloads = [whole | {"row": row, "last": int(index == last)} for index, row in enumerate(rows)]
        await send(ctx, self.port.operation, payloads, self.paused)

    async def clear(self, ctx):
        ctx.set(self.port.clear, 1)
        await ctx.tick()
        ctx.set(self.port.clear, 0)

    async def settle(self, ctx):
        while not ctx.get(self.port.idle):
            await ctx.tick()

    async def drive(self, ctx):
        """Read several patterns forward."""
        bias = self.geometry.rows - 1
        patterns = [[*self.random_rows(bias), bias] for _ in range(self.random.randint(1, 3))]
        rows = [row for pattern in patterns for row in pattern]
        self.model.read_forward(ADDRESS, np.array(rows))
        await self.compare(ctx, rows)

    async def read_digit(self, ctx):
        row, digit = self.random.randrange(self.geometry.rows), self.random.randrange(self.geometry.digits)
        self.model.read_digit(ADDRESS, row, digit)
        await self.compare(ctx, [row], digit=digit, alone=1)

    async def compare(self, ctx, rows, **part):
        await self.clear(ctx)
        tables, groups = self.geometry.tables, self.geometry.groups
        operations = [(self.random_codes(), self.random.randrange(2)) for _ in range(2)]
        self.requests += [
            {"group": g, "last": int(g == groups - 1), "window": window, "lower": codes[g * tables : (g + 1) * tables]}
            for codes, window in operations
            for g in range(groups)
        ]
        count = len(self.requests)
        await self.operate(ctx, Operation.DRIVE, rows, **part)
        answers = await receive(ctx, self.port.response, lambda received: len(received) == count, self.paused)
        for index, (codes, window) in enumerate(operations):
            answer = answers[index * groups : (index + 1) * groups]
            lower = np.array(codes[: self.geometry.columns])
            assert self.bits(answer, "above") == self.model.compare(ADDRESS, lower).tolist()
            assert self.bits(answer, "beyond") == (self.model.compare(ADDRESS, ~lower) & bool(window)).tolist()

    async def sense(self, ctx):
        rows, signs = self.random_rows(self.geometry.rows), self.random_signs()
        await self.clear(ctx)
        ctx.set(self.port.signs, signs)
        self.sensed.clear()
        await self.operate(ctx, Operation.SENSE, rows)
        await self.settle(ctx)
        self.model.read_backward(ADDRESS, np.array(signs, dtype=np.int8), np.array(rows, dtype=np.int64))
        zero, minus_one = (self.model.compare(ADDRESS, np.full(len(rows), code)).tolist() for code in (0, -1))
        answers = [(value["row"], value["above_zero"], value["above_minus_one"]) for _, value in self.sensed]
        assert answers == list(zip(rows, zero, minus_one, strict=True))

    async def pulse(self, ctx):
        rows, signs = self.random_rows(self.geometry.rows), self.random_signs()
        digit = self.random.randrange(self.geometry.digits)
        await self.clear(ctx)
        ctx.set(self.port.signs, signs)
        await self.operate(ctx, Operation.PULSE, rows, digit=digit)
        await self.settle(ctx)
        self.model.pulse(ADDRESS, np.array(rows, dtype=np.int64), np.array(signs, dtype=np.int8), digit)
        assert self.array.cells().tolist() == self.model.dump().tolist()

    def bits(self, responses, name):
        tables = self.geometry.tables
        return [bool(answer[name] >> line & 1) for answer in responses for line in range(tables)][
            : self.geometry.columns
        ]

    def random_rows(self, count):
        return [row for row in range(count) if self.random.random() < 0.6]

    def random_signs(self):
        return self.random.choices((-1, 0, 1), k=self.geometry.columns)

    def random_codes(self):
        return self.random.choices(range(-20, 21), k=self.geometry.groups * self.geometry.tables)


def pinned(**fields):
    return Config(**{"scale": 1, "reference_bits": 8, "weight_bits": 4, "array_side": "pins"} | fields)


CARRY = {"carry_digits": 3, "carry_base": 4, "carry_period": 1}
machines = st.builds(
    lambda carry, **fields: pinned(**fields, **carry),
    carry=st.sampled_from([{}, CARRY]),
    sizes=st.tuples(st.integers(1, 7), st.integers(1, 9)),
    tables=st.sampled_from([1, 2, 4, 8]),
    pulses_per_step=st.sampled_from([1, 1, 3]),
    **{name: st.integers(1, 3) for name in ("settle_cycles", "compare_cycles", "pulse_cycles", "recovery_cycles")},
)


@settings(fixed_seed, max_examples=25)
@given(
    config=machines,
    seed=st.integers(0, 2**32),
    stalls=st.sampled_from(STALLS),
    operations=st.lists(st.sampled_from(["drive", "read_digit", "sense", "pulse"]), min_size=2, max_size=6),
)
def test_a_plain_array_behind_the_pins_answers_as_the_model(config, seed, stalls, operations):
    bench = Bench(config, seed, stalls)

    async def testbench(ctx):
        for operation in operations:
            if operation != "read_digit" or config.carry_digits > 1:
                await getattr(bench, operation)(ctx)

    bench.run(testbench)


def test_pins_are_at_safe_levels_out_of_reset():
    bench = Bench(pinned(sizes=(4, 3)))

    async def testbench(ctx):
        await ctx.tick().repeat(2)

    bench.run(testbench)
    acting = [{name for name in SHOWN if name != "reference" and levels[name]} for levels in bench.seen]
    assert acting[:3] == [{"row_clear", "zero"}, set(), set()]
    assert bench.seen[0]["phase"] == Phase.IDLE


@pytest.mark.parametrize("read", [Read.FORWARD, Read.DIGIT])
def test_comparisons_are_numbered_from_the_first_and_a_window_has_two(read):
    bench = Bench(pinned(sizes=(4, 3), tables=2, **CARRY))

    async def testbench(ctx):
        ctx.set(bench.port.address.comparison, 2)
        ctx.set(bench.port.address.read, read)
        await bench.clear(ctx)
        bench.requests += [
            {"group": group, "last": group, "window": window, "lower": [0, 0]}
            for window in (0, 1, 0)
            for group in (0, 1)
        ]
        ctx.set(bench.port.response.ready, 1)
        await bench.operate(ctx, Operation.DRIVE, [2])
        await ctx.tick().repeat(40)

    bench.run(testbench)
    numbers = [(p["group"], p["address"]["comparison"]) for p in bench.seen if p["compare"]]
    assert numbers == [(0, 2), (1, 2), (0, 3), (0, 4), (1, 3), (1, 4), (0, 5), (1, 5)]
    assert {p["address"]["read"] for p in bench.seen if p["compare"]} == {read}


def test_a_request_has_the_repetition_of_its_time_and_keeps_its_number_until_the_last():
    bench = Bench(pinned(sizes=(4, 3), tables=2, **CARRY))
    port = bench.port

    async def testbench(ctx):
        ctx.set(port.address.comparison, 4)
        ctx.set(port.address.read, Read.WEIGHT)
        await bench.clear(ctx)
        ctx.set(port.response.ready, 1)
        await bench.operate(ctx, Operation.DRIVE, [2])
        for repetition, last in ((0, 0), (1, 1), (5, 0)):
            ctx.set(port.address.repetition, repetition)
            request = {"group": repetition % 2, "last": last, "window": 0, "lower": [0, 0]}
            await send(ctx, port.request, [request], lambda: False)
        await ctx.tick().repeat(4)

    bench.run(testbench)
    addresses = [pins["address"] for pins in bench.seen if pins["compare"]]
    assert [(a["comparison"], a["repetition"]) for a in addresses] == [(4, 0), (4, 1), (5, 5)]


def test_the_pulses_of_a_step_are_numbered_one_after_the_other():
    bench = Bench(pinned(sizes=(4, 3), pulses_per_step=3, pulse_cycles=1, recovery_cycles=2, **CARRY))
    address = {"sample": 9, "training": 1, "read": Read.WEIGHT, "comparison": 1, "row": 2, "digit": 1, "repetition": 5}

    async def testbench(ctx):
        ctx.set(bench.port.address, address)
        ctx.set(bench.port.signs, [1, 0, -1])
        await bench.operate(ctx, Operation.PULSE, [2, 4])
        await bench.settle(ctx)

    bench.run(testbench)
    strobes = [(p["row"], "set" if p["set"] else "reset", p["address"]) for p in bench.seen if p["set"] or p["reset"]]
    numbered = [address | {"repetition": 15 + number} for number in range(3)]
    assert strobes == [(row, name, there) for row in (2, 4) for there in numbered for name in ("set", "reset")]
    begun = [cycle for cycle, pins in enumerate(bench.seen) if pins["phase"] == Phase.PROGRAM]
    assert len(begun) == 2 * (1 + 2 * 3 * (1 + 2))


async def forward(ctx, bench):
    bench.requests += [{"group": g, "last": g, "window": 1, "lower": [3, -2]} for g in (0, 1)]
    ctx.set(bench.port.response.ready, 1)
    await bench.operate(ctx, Operation.DRIVE, [1, 2, 4])
    await ctx.tick().repeat(8)


async def backward(ctx, bench):
    ctx.set(bench.port.signs, [1, 0, -1])
    await bench.operate(ctx, Operation.SENSE, [0, 3])
    await ctx.tick().repeat(7)


async def pulse(ctx, bench):
    ctx.set(bench.port.signs, [1, 0, -1])
    await bench.operate(ctx, Operation.PULSE, [2, 4])
    await ctx.tick().repeat(10)


@pytest.mark.parametrize("operation", [forward, backward, pulse])
def test_the_timing_diagrams_of_the_specification_are_what_the_driver_does(operation):
    config = pinned(sizes=(4, 3), tables=2, settle_cycles=2, compare_cycles=1, pulse_cycles=2, recovery_cycles=1)
    bench = Bench(config)

    async def testbench(ctx):
        await ctx.tick()
        await operation(ctx, bench)

    bench.run(testbench)
    drawn = diagram(bench.seen[1:-1])
    assert drawn in diagrams(SPECIFICATION.read_text())


def diagrams(text):
    return [block.strip("\n") for block in re.findall(r"```\n(pin .*?)```", text, re.DOTALL)]


def diagram(cycles):
    """Levels of the pins that move, a column of three characters a cycle."""
    lines = ["pin          " + "".join(f"{cycle:3}" for cycle in range(len(cycles)))]
    for name in SHOWN:
        values = [levels[name] for levels in cycles]
        if all(value == values[0] for value in values):
            continue
        draw = _level if name in LEVELS else _value
        lines.append(f"{name:13}" + "".join(draw(*pair) for pair in pairwise([None, *values])))
    return "\n".join(line.rstrip() for line in lines)


def _level(before, value):
    return ("___", "‾‾‾")[value]


def _value(before, value):
    """A dot where nothing changes; phases by their first letter, and of references the first line's."""
    if value == before:
        return "  ."
    if isinstance(value, Phase):
        return f"{value.name[0]:>3}"
    return f"{value[0] if isinstance(value, list) else value:3}"
