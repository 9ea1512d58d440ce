"""The machine behind its packets in Amaranth's simulator, as a transport; a byte takes ten cycles."""

from amaranth.sim import Simulator
from stochastor.fpga.identity import Identity
from stochastor.fpga.linked import LinkedTrainer

from .bench import BYTE_CYCLES, CYCLE_S

BAUD = 10 * round(1 / CYCLE_S) // BYTE_CYCLES
SLICE_CYCLES = 20
CYCLE_LIMIT = 10_000


class InterpretedLine:
    """Bytes to and from a machine; time passes while the host reads."""

    name = "interpreted"
    latency_s = 1000 * CYCLE_S

    def __init__(self, config, weights=None, *, counters=True):
        self.machine = LinkedTrainer(config, Identity.of(config, round(1 / CYCLE_S), BAUD), weights, counters=counters)
        self._to_board, self._from_board = bytearray(), bytearray()
        self._cycles = 0
        self._simulator = Simulator(self.machine)
        self._simulator.add_clock(CYCLE_S)
        self._simulator.add_testbench(self._send, background=True)
        self._simulator.add_testbench(self._receive, background=True)

    async def _send(self, ctx):
        received = self.machine.received
        while True:
            if self._to_board:
                ctx.set(received.p, self._to_board.pop(0))
                ctx.set(received.valid, 1)
                await ctx.tick()
                ctx.set(received.valid, 0)
            for _ in range(BYTE_CYCLES - 1):
                await ctx.tick()

    async def _receive(self, ctx):
        sent = self.machine.sent
        ctx.set(sent.ready, 1)
        async for _, _, valid, byte in ctx.tick().sample(sent.valid, sent.p):
            if valid:
                self._from_board.append(byte)

    def write(self, content):
        self._to_board += content

    def read(self, timeout_s):
        until = self._cycles + max(SLICE_CYCLES, round(timeout_s / CYCLE_S))
        while self._cycles < until and 0 not in self._from_board:
            assert self._cycles < CYCLE_LIMIT, "the machine does not answer"
            self._cycles += SLICE_CYCLES
            self._simulator.run_until(self._cycles * CYCLE_S)
        content = bytes(self._from_board)
        self._from_board.clear()
        return content

    def now(self):
        return self._cycles * CYCLE_S

    def close(self):
        pass
