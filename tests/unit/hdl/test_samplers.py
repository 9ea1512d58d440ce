from random import Random

import numpy as np
import pytest
from stochastor.hdl.samplers import Bernoulli, Draws, KeepRows
from stochastor.model import samplers
from stochastor.model.lfsr import Lfsr, state_before

from .bench import STALLS, flat, line_groups, pauses, receive, run, send, sink, source, transfers

SEED, OTHER_SEED = 0x12345678, 0x9ABCDEF0
LINES = (1, 2, 3, 4, 5, 7, 9, 16, 17, 31)
ROWS = (*range(1, 10), 65)


async def drawn_operation(ctx, draws, lines, per_beat, paused):
    """The bytes, beat numbers and last flags of one operation."""
    beats, collected = -(-lines // per_beat), []
    for _ in range(beats):
        while paused():
            await ctx.tick()
        collected.append(
            ([ctx.get(draws.bytes[line]) for line in range(per_beat)], ctx.get(draws.beat), ctx.get(draws.last))
        )
        ctx.set(draws.advance, 1)
        await ctx.tick()
        ctx.set(draws.advance, 0)
    return collected


def draw(lines, per_beat, operations, stalls, bank=0):
    """Bytes of each operation, their beats, and the state that they leave."""
    draws = Draws(lines, per_beat, (SEED, OTHER_SEED))

    async def testbench(ctx):
        paused = pauses("draws", stalls)
        ctx.set(draws.port.bank, bank)
        await ctx.tick()
        drawn = [await drawn_operation(ctx, draws, lines, per_beat, paused) for _ in range(operations)]
        states = []
        for which in (0, 1):
            ctx.set(draws.port.bank, which)
            await ctx.tick()
            states.append(state_before(ctx.get(draws.port.word)))
        return drawn, states

    (result,) = run(draws, testbench)
    return result


@pytest.mark.parametrize("per_beat", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("lines", LINES)
def test_draws_equal_the_model_for_any_beat_and_pause(lines, per_beat):
    operations, generator = 3, Lfsr(SEED)
    drawn, (state, _) = draw(lines, per_beat, operations, stalls=lines)
    given = [flat(values for values, _, _ in operation)[:lines] for operation in drawn]
    assert given == [generator.draw(lines).tolist() for _ in range(operations)]
    assert state == generator.state


@pytest.mark.parametrize(("lines", "per_beat"), [(1, 4), (5, 1), (5, 2), (9, 4), (17, 8)])
def test_beats_are_numbered_and_the_last_one_marked(lines, per_beat):
    drawn, _ = draw(lines, per_beat, 2, stalls=None)
    beats = -(-lines // per_beat)
    expected = [(beat, int(beat == beats - 1)) for beat in range(beats)]
    assert [[(beat, last) for _, beat, last in operation] for operation in drawn] == [expected] * 2


def test_draws_of_a_bank_leave_the_other_alone():
    generator = Lfsr(OTHER_SEED)
    generator.draw(5)
    _, states = draw(5, 2, 1, stalls=None, bank=1)
    assert states == [SEED, generator.state]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("inputs", "per_beat"), [(1, 1), (5, 1), (5, 2), (4, 4), (9, 4), (3, 8), (13, 8)])
def test_input_bits_equal_the_model_under_stalls(inputs, per_beat, stalls):
    random, generator, operations = Random(inputs), Lfsr(SEED), 4
    component = Bernoulli(inputs, per_beat, (SEED, OTHER_SEED))
    samples = [
        [random.choice((0, 1, 128, 254, 255, random.randrange(256))) for _ in range(inputs)] for _ in range(operations)
    ]
    padding = [255] * (-inputs % per_beat)
    beats = [
        [*sample, *padding][start : start + per_beat] for sample in samples for start in range(0, inputs, per_beat)
    ]
    expected = [samplers.bernoulli(np.array(sample, dtype=np.uint8), generator) for sample in samples]

    async def collect(ctx):
        groups = await receive(
            ctx, component.groups, lambda received: len(received) == len(beats), pauses("sink", stalls)
        )
        return groups, state_before(ctx.get(component.port.word))

    _, (groups, state) = run(component, source(component.features, beats, stalls), collect)
    assert groups == [group for bits in expected for group in line_groups(bits, per_beat)]
    assert state == generator.state


@pytest.mark.parametrize(("more", "active"), [(0, 0), (1, 0b1111)])
def test_an_input_is_active_only_above_its_byte(more, active):
    drawn = Lfsr(SEED).draw(4).tolist()
    assert 255 not in drawn
    component = Bernoulli(4, 4, (SEED, OTHER_SEED))
    beat = [byte + more for byte in drawn]
    _, groups = run(component, source(component.features, [beat]), sink(component.groups, 1))
    assert groups == [{"group": 0, "last": 1, "bits": active}]


def test_a_group_of_input_bits_passes_in_the_cycle_of_its_beat():
    component = Bernoulli(12, 4, (SEED, OTHER_SEED))
    taken, given = [], []
    run(
        component,
        source(component.features, [[128] * 4] * 6),
        sink(component.groups, 6),
        background=[transfers(component.features, taken), transfers(component.groups, given)],
    )
    assert [cycle for cycle, _ in taken] == [cycle for cycle, _ in given] == list(range(6))


def event_lists(rows, count, seed):
    """Random ascending row events, each list ended by the bias row."""
    random = Random(seed)
    return [
        [row for row in range(rows - 1) if random.random() < density] + [rows - 1]
        for density in (random.choice((0, 0.1, 0.5, 1)) for _ in range(count))
    ]


def keep(rows, exponents, lists, stalls):
    """The marked events of every list, the cycles of their transfers, and the state in the end."""
    component = KeepRows(rows, SEED)
    log = []

    async def drive(ctx):
        paused = pauses("source", stalls)
        for exponent, events in zip(exponents, lists, strict=True):
            ctx.set(component.exponent, exponent)
            await send(ctx, component.events, events, paused)
        await ctx.tick()
        return state_before(ctx.get(component.port.word))

    kept = sink(component.kept, sum(map(len, lists)), stalls)
    state, events = run(component, drive, kept, background=[transfers(component.kept, log)])
    return events, [cycle for cycle, _ in log], state


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("rows", ROWS)
def test_kept_rows_equal_the_model_for_every_exponent(rows, stalls):
    exponents = Random(rows).sample([*range(8)] * 3, k=24)
    lists = event_lists(rows, len(exponents), seed=rows)
    generator, expected = Lfsr(SEED), []
    for exponent, events in zip(exponents, lists, strict=True):
        kept = samplers.keep_rows(np.array(events), rows, exponent, generator).tolist()
        expected += [{"row": row, "keep": int(row in kept)} for row in events]
    events, _, state = keep(rows, exponents, lists, stalls)
    assert events == expected
    assert state == generator.state


@pytest.mark.parametrize("exponent", [1, 7])
@pytest.mark.parametrize("rows", ROWS)
def test_thinning_takes_a_cycle_for_each_further_word_and_one_between_lists(rows, exponent):
    lists = event_lists(rows, 8, seed=rows)
    _, cycles, _ = keep(rows, [exponent] * len(lists), lists, stalls=None)
    ends = [sum(map(len, lists[: index + 1])) - 1 for index in range(len(lists))]
    taken = np.diff([-1, *(cycles[end] for end in ends)]).tolist()
    assert taken == [len(events) + -(-rows // 4) - 1 + bool(index) for index, events in enumerate(lists)]


@pytest.mark.parametrize("rows", ROWS)
def test_keeping_every_row_takes_no_further_cycle(rows):
    lists = event_lists(rows, 8, seed=rows)
    _, cycles, _ = keep(rows, [0] * len(lists), lists, stalls=None)
    assert cycles == list(range(sum(map(len, lists))))
