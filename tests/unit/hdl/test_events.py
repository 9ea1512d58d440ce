from itertools import product
from random import Random

import pytest
from stochastor.hdl.events import EventList, RowEvents

from .bench import STALLS, flat, line_groups, pauses, receive, run, send, sink, source, transfers, watch

LIST_LATENCY = 3


def row_events(lines, size, patterns, stalls=None):
    """Row events of each pattern of bits in turn; the transfers of groups and of events with their cycles."""
    component = RowEvents(lines, size)
    groups = [group for bits in patterns for group in line_groups(bits, size)]
    count = sum(map(sum, patterns)) + len(patterns)
    taken, given = [], []
    _, events = run(
        component,
        source(component.groups, groups, stalls),
        sink(component.events, count, stalls),
        background=[transfers(component.groups, taken), transfers(component.events, given)],
    )
    return events, taken, given


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("lines", "size"), [(1, 1), (3, 1), (4, 2), (5, 2), (4, 4), (5, 4), (6, 4), (3, 8)])
def test_every_pattern_gives_its_lines_in_order_and_then_the_bias_row(lines, size, stalls):
    patterns = list(product((0, 1), repeat=lines))
    Random(lines).shuffle(patterns)
    events, _, _ = row_events(lines, size, patterns, stalls)
    assert events == [line for bits in patterns for line, bit in enumerate((*bits, 1)) if bit]


@pytest.mark.parametrize("ones", range(5))
def test_a_group_takes_as_many_cycles_as_it_has_events_but_at_least_one(ones):
    _, taken, _ = row_events(8, 4, [[1] * ones + [0] * (4 - ones) + [1] * 4])
    (first, _), (second, _) = taken
    assert second - first == max(1, ones)


@pytest.mark.parametrize("ones", range(1, 5))
def test_the_first_event_comes_a_cycle_after_its_group(ones):
    _, taken, given = row_events(4, 4, [[0] * (4 - ones) + [1] * ones])
    assert given[0] == (taken[0][0] + 1, 4 - ones)


@pytest.mark.parametrize("ones", range(1, 5))
def test_the_bias_row_follows_the_events_of_the_last_group_in_a_cycle_of_its_own(ones):
    _, taken, given = row_events(4, 4, [[1] * ones + [0] * (4 - ones)])
    assert given[-1] == (taken[0][0] + 1 + ones, 4)


def lists_of(rows, count, seed):
    """Random lists of row events, each ended by the bias row."""
    random = Random(seed)
    return [[*sorted(random.sample(range(rows - 1), random.randrange(rows))), rows - 1] for _ in range(count)]


async def pulse(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


async def replay(ctx, component, paused, done):
    """Start a replay and receive from it until `done(received)`."""
    await pulse(ctx, component.replay)
    return await receive(ctx, component.events, done, paused)


async def forget(ctx, component):
    """Wait for the oldest list to be complete, and release it."""
    while not ctx.get(component.complete):
        await ctx.tick()
    await pulse(ctx, component.release)


def whole(rows):
    return lambda received: received[-1:] == [rows - 1]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.parametrize("rows", [2, 3, 5, 8, 9])
def test_a_list_is_replayed_as_written_again_and_again(rows, banks, stalls):
    component = EventList(rows, banks)
    lists = lists_of(rows, 8, seed=rows)

    async def read(ctx):
        paused, replays = pauses("sink", stalls), []
        for _ in lists:
            replays.append([await replay(ctx, component, paused, whole(rows)) for _ in range(3)])
            await forget(ctx, component)
        return replays

    _, replays = run(component, source(component.write, flat(lists), stalls), read)
    assert replays == [[events] * 3 for events in lists]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("banks", [1, 2])
def test_an_unfinished_replay_leaks_into_no_other(banks, stalls):
    rows = 7
    component = EventList(rows, banks)
    lists = lists_of(rows, 12, seed=3)

    async def read(ctx):
        paused, random, replays = pauses("sink", stalls), Random(4), []
        for events in lists:
            for _ in range(random.randrange(3)):
                count = random.randrange(len(events) + 1)
                await replay(ctx, component, paused, lambda received, count=count: len(received) == count)
            replays.append(await replay(ctx, component, paused, whole(rows)))
            if random.random() < 0.5:
                await pulse(ctx, component.replay)
                for _ in range(random.randrange(4)):
                    await ctx.tick()
            await forget(ctx, component)
        return replays

    _, replays = run(component, source(component.write, flat(lists), stalls), read)
    assert replays == lists


@pytest.mark.parametrize("banks", [1, 2])
def test_nothing_of_a_list_is_offered_before_its_replay(banks):
    component = EventList(9, banks)
    first, second = [0, 1, 2, 3, 8], [4, 5, 6, 7, 8]

    async def read(ctx):
        await replay(ctx, component, lambda: False, lambda received: len(received) == 2)
        await forget(ctx, component)
        ctx.set(component.events.ready, 1)
        offered = []
        for _ in range(20):
            _, _, valid, row = await ctx.tick().sample(component.events.valid, component.events.p)
            offered += [row] * valid
        return offered

    _, offered = run(component, source(component.write, first + second), read)
    assert not set(offered) & set(second)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("patterns", [2, 3])
@pytest.mark.parametrize(("rows", "banks"), [(2, 1), (5, 2), (8, 2)])
def test_a_list_of_patterns_is_replayed_whole_or_from_its_last_pattern(rows, banks, patterns, stalls):
    component = EventList(rows, banks, patterns)
    written = lists_of(rows, 6 * patterns, seed=rows)
    lists = [written[start : start + patterns] for start in range(0, len(written), patterns)]

    async def read(ctx):
        paused, replays = pauses("sink", stalls), []
        for _ in lists:
            whole_list = lambda received: received.count(rows - 1) == patterns  # noqa: E731
            replays.append([await replay(ctx, component, paused, whole_list)])
            for last in (1, 0, 1):
                ctx.set(component.last_pattern, last)
                replays[-1].append(await replay(ctx, component, paused, whole(rows) if last else whole_list))
            ctx.set(component.last_pattern, 0)
            await forget(ctx, component)
        return replays

    _, replays = run(component, source(component.write, flat(written), stalls), read)
    assert replays == [[flat(patterns), patterns[-1], flat(patterns), patterns[-1]] for patterns in lists]


def test_the_last_event_of_a_list_is_marked():
    component, marks = EventList(5, patterns=2), []

    async def read(ctx):
        await replay(ctx, component, pauses("sink", 1), lambda received: received.count(4) == 2)

    watches = [watch(component.events.valid & component.events.ready, component.last, marks)]
    run(component, source(component.write, [0, 2, 4, 1, 4]), read, background=watches)
    assert [last for _, last in marks] == [0, 0, 0, 0, 1]


def test_a_replay_ends_after_the_bias_row():
    component = EventList(4)

    async def read(ctx):
        ctx.set(component.events.ready, 1)
        await pulse(ctx, component.replay)
        offered = []
        for _ in range(20):
            _, _, valid, row = await ctx.tick().sample(component.events.valid, component.events.p)
            offered += [row] * valid
        return offered

    _, offered = run(component, source(component.write, [1, 3]), read)
    assert offered == [1, 3]


@pytest.mark.parametrize("banks", [1, 2])
def test_nothing_is_accepted_while_every_bank_is_complete(banks):
    component = EventList(5, banks)
    lists = lists_of(5, banks + 2, seed=5)
    accepted = []

    async def read(ctx):
        counts = []
        for _ in range(3):
            await ctx.tick().repeat(30)
            counts.append(len(accepted))
            await pulse(ctx, component.release)
        return counts

    written = source(component.write, flat(lists))
    _, counts = run(component, written, read, background=[transfers(component.write, accepted)])
    assert counts == [sum(map(len, lists[: banks + more])) for more in range(3)]


@pytest.mark.parametrize("banks", [1, 2])
def test_a_list_is_complete_with_its_bias_row_until_it_is_released(banks):
    component = EventList(4, banks)

    async def testbench(ctx):
        seen = []
        for row in (0, 2, 3):
            seen.append(ctx.get(component.complete))
            await send(ctx, component.write, [row], lambda: False)
        seen.append(ctx.get(component.complete))
        await pulse(ctx, component.release)
        return [*seen, ctx.get(component.complete)]

    assert run(component, testbench) == [[0, 0, 0, 1, 0]]


def test_a_list_that_is_not_complete_cannot_be_released():
    component = EventList(4)

    async def read(ctx):
        await ctx.tick().repeat(10)
        await pulse(ctx, component.release)
        await send(ctx, component.write, [2, 3], lambda: False)
        return await replay(ctx, component, lambda: False, whole(4))

    _, events = run(component, source(component.write, [0, 1]), read)
    assert events == [0, 1, 2, 3]


def test_the_banks_take_turns():
    component = EventList(3, banks=2)

    async def read(ctx):
        seen = []
        for _ in range(4):
            await ctx.tick().repeat(20)
            seen.append((ctx.get(component.read_bank), ctx.get(component.write_bank)))
            await pulse(ctx, component.release)
        return seen

    _, seen = run(component, source(component.write, [0, 2, 1, 2, 2]), read)
    assert seen == [(0, 0), (1, 1), (0, 1), (1, 1)]


def test_the_first_event_comes_three_cycles_after_the_replay_and_then_one_a_cycle():
    component = EventList(5)
    replays, given = [], []

    async def read(ctx):
        await ctx.tick().repeat(10)
        for _ in range(2):
            await replay(ctx, component, lambda: False, whole(5))

    watches = [transfers(component.events, given), watch(component.replay, component.events.p, replays)]
    run(component, source(component.write, [0, 1, 3, 4]), read, background=watches)
    starts = [cycle for cycle, _ in replays]
    assert [cycle for cycle, _ in given] == [start + LIST_LATENCY + index for start in starts for index in range(4)]


@pytest.mark.parametrize("stalls", STALLS)
def test_a_replay_follows_the_writer_by_three_cycles(stalls):
    component = EventList(9)
    written, given = [], []

    async def read(ctx):
        await replay(ctx, component, lambda: False, whole(9))

    watches = [transfers(component.write, written), transfers(component.events, given)]
    run(component, read, source(component.write, [0, 1, 4, 5, 8], stalls), background=watches)
    assert [(cycle + LIST_LATENCY, row) for cycle, row in written] == given
