"""What the hardware benches share: a run of testbenches, the two ends of a stream, and a watch."""

from itertools import chain
from random import Random

from amaranth.hdl import Value
from amaranth.lib import data
from amaranth.sim import Simulator
from hypothesis import settings

CYCLE_S = 1e-6
CYCLE_LIMIT = 10_000
STALLS = (None, 1, 2)  # seeds of the pauses; None never pauses
fixed_seed = settings(derandomize=True, database=None, deadline=None)


def run(component, *testbenches, background=()):
    """Simulate until every testbench has returned; give what they return, in order."""
    results = [None] * len(testbenches)

    def keeping(index, testbench):
        async def keep(ctx):
            results[index] = await testbench(ctx)

        return keep

    async def limit(ctx):
        await ctx.delay(CYCLE_LIMIT * CYCLE_S)
        raise AssertionError(f"not done after {CYCLE_LIMIT} cycles")

    simulator = Simulator(component)
    simulator.add_clock(CYCLE_S, if_exists=True)
    for testbench in (limit, *background):
        simulator.add_testbench(testbench, background=True)
    for index, testbench in enumerate(testbenches):
        simulator.add_testbench(keeping(index, testbench))
    simulator.run()
    return results


def source(stream, payloads, stalls=None):
    """A testbench that sends `payloads`."""

    async def testbench(ctx):
        await send(ctx, stream, payloads, pauses("source", stalls))

    return testbench


def sink(stream, count, stalls=None):
    """A testbench that receives and returns `count` payloads."""

    async def testbench(ctx):
        return await receive(ctx, stream, lambda received: len(received) == count, pauses("sink", stalls))

    return testbench


def watch(valid, payload, log):
    """A background testbench that notes (cycle, payload) whenever `valid`; watches of a run count the same cycles."""

    async def testbench(ctx):
        cycle = 0
        async for _, _, is_valid, value in ctx.tick().sample(valid, payload):
            if is_valid:
                log.append((cycle, plain(value)))
            cycle += 1

    return testbench


def transfers(stream, log):
    """A background testbench that notes (cycle, payload) of every transfer."""
    return watch(stream.valid & stream.ready, stream.p, log)


async def send(ctx, stream, payloads, paused):
    """Offer payloads one by one; in a pause, what is not offered is wrong in every bit."""
    for payload in payloads:
        ctx.set(stream.p, payload)
        bits = Value.cast(stream.p)
        right = ctx.get(bits)
        while paused():
            ctx.set(bits, ~right)
            await ctx.tick()
        ctx.set(bits, right)
        ctx.set(stream.valid, 1)
        await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)


async def receive(ctx, stream, done, paused):
    """Receive until `done(received)`; an offer must stand until it is taken."""
    received, offer = [], None
    while not done(received):
        accepts = not paused()
        ctx.set(stream.ready, accepts)
        _, _, valid, value = await ctx.tick().sample(stream.valid, stream.p)
        payload = plain(value)
        assert offer is None or (valid and payload == offer)
        offer = payload if valid and not accepts else None
        if valid and accepts:
            received.append(payload)
    ctx.set(stream.ready, 0)
    return received


def pauses(end, stalls):
    """Whether an `end` of a stream pauses, cycle by cycle: never, or at random from the seed `stalls`."""
    if stalls is None:
        return lambda: False
    random = Random(f"{end} {stalls}")
    share = random.choice((0.2, 0.5, 0.8))
    return lambda: random.random() < share


def plain(value):
    """A value of a layout as dicts, lists and numbers."""
    if not isinstance(value, data.Const):
        return value
    layout = value.shape()
    if isinstance(layout, data.ArrayLayout):
        return [plain(value[index]) for index in range(layout.length)]
    return {name: plain(value[name]) for name, _ in layout}


def flat(lists):
    """One list of all that is in several."""
    return list(chain.from_iterable(lists))


def line_groups(bits, size):
    """Bits of lines as the payloads of a stream of LineGroup."""
    count = -(-len(bits) // size)
    return [
        {"group": group, "last": int(group == count - 1), "bits": packed(bits[group * size : (group + 1) * size])}
        for group in range(count)
    ]


def packed(bits):
    """Bits of lines as a number, the first one lowest."""
    return sum(bool(bit) << position for position, bit in enumerate(bits))
