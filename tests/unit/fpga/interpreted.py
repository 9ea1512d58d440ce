"""The machine behind its packets in Amaranth's simulator, as a transport; a byte takes ten cycles."""

from dataclasses import replace
from random import Random

from amaranth.sim import Simulator
from stochastor.fpga.identity import Identity
from stochastor.fpga.linked import LinkedTrainer

from .bench import BYTE_CYCLES, CYCLE_S

BAUD = 10 * round(1 / CYCLE_S) // BYTE_CYCLES
SLICE_CYCLES = 20
MEMORY_CYCLES = 3
CYCLE_LIMIT = 20_000


class InterpretedLine:
    """Bytes to and from a machine; time passes while the host reads."""

    name = "interpreted"
    latency_s = 1000 * CYCLE_S

    def __init__(self, config, weights=None, *, counters=True, trace=False, address_bits=0):
        capacity = 1 << address_bits if address_bits else 0
        identity = Identity.of(replace(config, baud=BAUD), round(1 / CYCLE_S), capacity)
        self.machine = LinkedTrainer(
            config, identity, weights, counters=counters, trace=trace, address_bits=address_bits
        )
        self._to_board, self._from_board = bytearray(), bytearray()
        self._cycles = 0
        self._simulator = Simulator(self.machine)
        self._simulator.add_clock(CYCLE_S)
        self._simulator.add_testbench(self._send, background=True)
        self._simulator.add_testbench(self._receive, background=True)
        if address_bits:
            self._simulator.add_testbench(self._remember, background=True)

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

    async def _remember(self, ctx):
        """A memory that is now busy, now not; its words come after a while."""
        random, words, coming = Random(1), {}, [None] * MEMORY_CYCLES
        requests, answers = self.machine.memory.requests, self.machine.memory.words
        while True:
            ctx.set(requests.ready, random.random() < 0.8)
            valid, request = ctx.get(requests.valid & requests.ready), ctx.get(requests.p)
            await ctx.tick()
            if valid and request.write:
                words[request.address] = request.word
            coming.append(words.get(request.address, 0) if valid and not request.write else None)
            word = coming.pop(0)
            ctx.set(answers.valid, word is not None)
            ctx.set(answers.p, word or 0)

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
