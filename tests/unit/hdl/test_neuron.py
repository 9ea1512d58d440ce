from itertools import product
from random import Random

import numpy as np
import pytest
from stochastor.hdl.neuron import Fire, FixedCodes, Neurons, RandomCodes, WindowGate, XorGate
from stochastor.model import samplers, tables
from stochastor.model.config import Gate
from stochastor.model.crossbar import Address
from stochastor.model.lfsr import Lfsr, state_before

from .bench import STALLS, flat, line_groups, packed, pauses, plain, receive, run, send, sink, source, transfers, watch

ADDRESS = Address(0, 1, True)
SCALE, REFERENCE_BITS = 8, 9
THRESHOLDS, WINDOWS = tables.fire_thresholds(SCALE), tables.random_windows(SCALE)
FIRE_SEEDS, GATE_SEEDS = (0x12345678, 0x9ABCDEF0), (0x0F1E2D3C,)
SHAPES = [(1, 1), (5, 1), (4, 2), (5, 2), (9, 4), (8, 8), (11, 8)]  # columns, tables


def lines(columns, tables):
    return {"columns": columns, "groups": -(-columns // tables), "tables": tables}


def random_codes(columns, tables, operations=1):
    return RandomCodes(
        **lines(columns, tables),
        codes=THRESHOLDS,
        reference_bits=REFERENCE_BITS,
        operations=operations,
        window=False,
        seeds=FIRE_SEEDS,
    )


def fixed_codes(columns, tables, code):
    groups = lines(columns, tables)["groups"]
    return FixedCodes(groups=groups, tables=tables, code=code, reference_bits=REFERENCE_BITS)


async def start(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


def requests(component, starts, groups, stalls):
    """The requests that follow each of several starts."""

    async def testbench(ctx):
        paused, given = pauses("sink", stalls), []
        for _ in range(starts):
            await start(ctx, component.start)
            given.append(await receive(ctx, component.request, lambda received: len(received) == groups, paused))
        return given

    return run(component, testbench)[0]


def offered_for(component, cycles):
    """Cycle of the start, then cycles of the requests, if all are accepted at once."""
    starts, given = [], []

    async def testbench(ctx):
        ctx.set(component.request.ready, 1)
        await ctx.tick().repeat(3)
        await start(ctx, component.start)
        await ctx.tick().repeat(cycles)

    run(
        component,
        testbench,
        background=[watch(component.start, component.start, starts), transfers(component.request, given)],
    )
    return starts[0][0], [cycle for cycle, _ in given]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("operations", [1, 2])
@pytest.mark.parametrize(("columns", "tables"), SHAPES)
def test_random_codes_are_those_of_the_models_draws(columns, tables, operations, stalls):
    starts, shape, generator = 3, lines(columns, tables), Lfsr(FIRE_SEEDS[0])
    given = requests(random_codes(columns, tables, operations), starts, operations * shape["groups"], stalls)
    for group in flat(given):
        present = min(tables, columns - group["group"] * tables)
        group["lower"] = group["lower"][:present]
    drawn = [[THRESHOLDS[byte] for byte in generator.draw(columns)] for _ in range(starts * operations)]
    assert flat(given) == [
        {
            "group": first // tables,
            "last": int(first + tables >= columns),
            "window": 0,
            "lower": codes[first : first + tables],
        }
        for codes in drawn
        for first in range(0, columns, tables)
    ]


def test_random_codes_come_two_cycles_after_the_start_and_then_a_group_a_cycle():
    started, given = offered_for(random_codes(9, 2, operations=2), cycles=30)
    assert given == [started + 2 + index for index in range(10)]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("code", [-256, -1, 0, 255])
@pytest.mark.parametrize(("columns", "tables"), SHAPES)
def test_fixed_codes_are_the_same_for_every_line(columns, tables, code, stalls):
    groups = lines(columns, tables)["groups"]
    operation = [
        {"group": group, "last": int(group == groups - 1), "window": 1, "lower": [code] * tables}
        for group in range(groups)
    ]
    assert requests(fixed_codes(columns, tables, code), 3, groups, stalls) == [operation] * 3


def test_fixed_codes_come_a_cycle_after_the_start_and_then_a_group_a_cycle():
    started, given = offered_for(fixed_codes(9, 2, -32), cycles=30)
    assert given == [started + 1 + index for index in range(5)]


def decided(decision, columns, tables, operations, stalls=None):
    """Groups that a decision makes of operations of (above, beyond) a line; lines that do not exist answer 1."""
    component = decision(**lines(columns, tables))
    responses = []
    for operation in operations:
        padded = [*operation, *[(1, 1)] * (-columns % tables)]
        for group, last, above, beyond in (
            (first // tables, int(first + tables >= columns), *zip(*padded[first : first + tables], strict=True))
            for first in range(0, columns, tables)
        ):
            responses.append({"group": group, "last": last, "above": packed(above), "beyond": packed(beyond)})
    count = len(responses) // (2 if decision is XorGate else 1)
    return run(component, source(component.response, responses, stalls), sink(component.groups, count, stalls))[1]


@pytest.mark.parametrize(
    ("decision", "meaning"), [(Fire, lambda above, beyond: above), (WindowGate, lambda above, beyond: above & ~beyond)]
)
def test_a_decision_without_memory_is_that_of_its_definition(decision, meaning):
    component = decision(**lines(5, 3))

    async def testbench(ctx):
        for group, above, beyond in product(range(2), range(8), range(8)):
            response = {"group": group, "last": group, "above": above, "beyond": beyond}
            ctx.set(component.response.p, response)
            present = 0b011 if group else 0b111
            expected = {"group": group, "last": group, "bits": meaning(above, beyond) & present}
            assert plain(ctx.get(component.groups.p)) == expected

    run(component, testbench)


@pytest.mark.parametrize("decision", [Fire, WindowGate])
def test_a_decision_without_memory_passes_on_when_it_is_accepted(decision):
    component = decision(**lines(5, 3))

    async def testbench(ctx):
        for valid, ready in product((0, 1), repeat=2):
            ctx.set(component.response.valid, valid)
            ctx.set(component.groups.ready, ready)
            assert (ctx.get(component.groups.valid), ctx.get(component.response.ready)) == (valid, ready)

    run(component, testbench)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("columns", "tables"), SHAPES)
def test_the_xor_gate_is_open_where_two_operations_differ(columns, tables, stalls):
    random = Random(columns)
    operations = [[(random.randrange(2), random.randrange(2)) for _ in range(columns)] for _ in range(8)]
    expected = []
    for first, second in zip(operations[::2], operations[1::2], strict=True):
        bits = [a ^ b for (a, _), (b, _) in zip(first, second, strict=True)]
        expected += line_groups(bits, tables)
    assert decided(XorGate, columns, tables, operations, stalls) == expected


def test_the_first_operation_of_the_xor_gate_waits_for_nobody():
    component = XorGate(**lines(5, 2))
    accepted = []

    async def testbench(ctx):
        groups = [{"group": group, "last": int(group == 2), "above": 0, "beyond": 0} for group in range(3)]
        await send(ctx, component.response, groups, lambda: False)
        ctx.set(component.response.valid, 1)
        await ctx.tick().repeat(5)

    run(component, testbench, background=[transfers(component.response, accepted)])
    assert [cycle for cycle, _ in accepted] == [0, 1, 2]


class Held:
    """A crossbar that holds given sums."""

    def __init__(self, sums):
        self.columns = len(sums)
        self.sums = np.array(sums)

    def compare(self, address, codes):
        return self.sums > codes


def neurons(columns, tables, gate):
    return Neurons(
        **lines(columns, tables),
        thresholds=THRESHOLDS,
        windows=(4 * SCALE,) * 256 if gate is Gate.FIXED_WINDOW else WINDOWS,
        gate=gate,
        reference_bits=REFERENCE_BITS,
        fire_seeds=FIRE_SEEDS,
        gate_seeds=GATE_SEEDS,
    )


def comparator(component, held, tables, stalls):
    """A background testbench that compares `held` sums; lines beyond the last are above everything."""

    async def testbench(ctx):
        paused = pauses("comparator", stalls)
        while True:
            (request,) = await receive(ctx, component.request, lambda received: len(received) == 1, paused)
            above, beyond = [], []
            for line, lower in enumerate(request["lower"], start=request["group"] * tables):
                z = held[line] if line < len(held) else 1 << 20
                above.append(z > lower)
                beyond.append(request["window"] and z > -lower - 1)
            response = {name: request[name] for name in ("group", "last")}
            response |= {"above": packed(above), "beyond": packed(beyond)}
            await send(ctx, component.response, [response], paused)

    return testbench


def sums_near_codes(columns, seed):
    """Sums for several samples, many of them on or beside a code."""
    random = Random(seed)
    codes = [*THRESHOLDS, *WINDOWS, *(-width for width in WINDOWS), 4 * SCALE, -4 * SCALE, 0]
    return [[random.choice(codes) + random.randrange(-1, 2) for _ in range(columns)] for _ in range(8)]


def decide(component, samples, tables, stalls, gated):
    """Fired lines and, where `gated`, open gates of every sample, as groups; and the generators' states."""
    held = []

    async def testbench(ctx):
        paused, fired, gates = pauses("sink", stalls), [], []
        for sums, has_error in zip(samples, gated, strict=True):
            held[:] = sums
            await start(ctx, component.fire)
            fired += await receive(ctx, component.fired, lambda got: got[-1:] and got[-1]["last"], paused)
            if has_error:
                await start(ctx, component.gate)
                gates += await receive(ctx, component.gates, lambda got: got[-1:] and got[-1]["last"], paused)
        ports = [getattr(component, name) for name in ("fire_port", "gate_port") if hasattr(component, name)]
        return fired, gates, [state_before(ctx.get(port.word)) for port in ports]

    return run(component, testbench, background=[comparator(component, held, tables, stalls)])[0]


GATES = {
    Gate.RANDOM_WINDOW: lambda crossbar, drawn: samplers.random_window(crossbar, ADDRESS, np.array(WINDOWS), drawn),
    Gate.FIXED_WINDOW: lambda crossbar, drawn: samplers.fixed_window(crossbar, ADDRESS, 4 * SCALE),
    Gate.XOR: lambda crossbar, drawn: samplers.xor(crossbar, ADDRESS, np.array(THRESHOLDS), drawn),
}


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("gate", [*Gate, None])
@pytest.mark.parametrize(("columns", "tables"), SHAPES)
def test_neurons_equal_the_models_samplers(columns, tables, gate, stalls):
    samples = sums_near_codes(columns, seed=columns)
    gated = [gate is not None and bool(sample % 3) for sample in range(len(samples))]
    fire_generator, gate_generator = Lfsr(FIRE_SEEDS[0]), Lfsr(GATE_SEEDS[0])
    fired, gates = [], []
    for sums, has_error in zip(samples, gated, strict=True):
        bits = samplers.fire(Held(sums), ADDRESS, np.array(THRESHOLDS), fire_generator)
        fired += line_groups(bits, tables)
        if has_error:
            gates += line_groups(GATES[gate](Held(sums), gate_generator), tables)
    states = [fire_generator.state] + [gate_generator.state] * (gate in (Gate.RANDOM_WINDOW, Gate.XOR))
    assert decide(neurons(columns, tables, gate), samples, tables, stalls, gated) == (fired, gates, states)
