"""What the benches of the link share: frames into a component, ten cycles a byte, and what comes out."""

from amaranth.sim import Simulator
from stochastor.fpga.host.packets import Request

CYCLE_S = 1e-6
BYTE_CYCLES = 10


def run(component, *testbenches, background=()):
    """Simulate until every testbench has returned; give what they return, in order."""
    results = [None] * len(testbenches)

    def keeping(index, testbench):
        async def keep(ctx):
            results[index] = await testbench(ctx)

        return keep

    simulator = Simulator(component)
    simulator.add_clock(CYCLE_S)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    for index, testbench in enumerate(testbenches):
        simulator.add_testbench(keeping(index, testbench))
    simulator.run()
    return results


async def put(ctx, stream, content, gap=BYTE_CYCLES):
    """Bytes of a line, a byte every `gap` cycles."""
    for byte in content:
        ctx.set(stream.p, byte)
        ctx.set(stream.valid, 1)
        await ctx.tick()
        ctx.set(stream.valid, 0)
        await ctx.tick().repeat(gap - 1)


def request(session, sequence, command, **fields):
    """A frame."""
    return Request(command=command, **fields).frame(session, sequence)


async def until(ctx, signal):
    """Wait for a signal, in a background testbench that may never see it."""
    while not ctx.get(signal):
        await ctx.tick()
