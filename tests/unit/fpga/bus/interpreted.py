"""The machine behind its registers and streams in Amaranth's simulator, driven by the host that drives a bus."""

from random import Random

import numpy as np
from amaranth.sim import Simulator
from stochastor.fpga.bus.host import BusMachine
from stochastor.fpga.bus.machine import RegisteredTrainer

CYCLE_S = 1e-6
CYCLE_LIMIT = 1500


class InterpretedMachine:
    """Registers that can be read and written, and streams that pause at random."""

    def __init__(self, config, weights=None):
        self.trainer = RegisteredTrainer(config, weights, streams=True)
        self.stalls = 0.3
        self.result_stalls = 0.3
        self._random = Random(4)
        self._asked, self._answers = [], []
        self._to_stream, self.from_stream = [], []
        self.irq = 0
        self._cycles = 0
        self._simulator = Simulator(self.trainer)
        self._simulator.add_clock(CYCLE_S)
        for process in (self._use_registers, self._send, self._receive, self._watch):
            self._simulator.add_testbench(process, background=True)

    def host(self, config, *, streams=True):
        """A host of the machine."""
        return BusMachine(self.read, self.write, config, self.transfer if streams else None)

    def read(self, offset):
        return self._ask(offset, None)

    def write(self, offset, word):
        self._ask(offset, word)

    def transfer(self, words, count):
        self.send(words.tolist())
        self._run(lambda: sum(last for _, last in self.from_stream))
        packet, self.from_stream = self.from_stream, []
        assert [last for _, last in packet] == [0] * (count - 1) + [1]
        return np.array([word for word, _ in packet], dtype=np.uint32)

    def send(self, words):
        """Offer the words of a packet."""
        self._to_stream += [(word, index == len(words) - 1) for index, word in enumerate(words)]

    def _ask(self, offset, word):
        self._asked.append((offset, word))
        self._run(lambda: self._answers)
        value, error = self._answers.pop()
        assert not error, f"the register at {offset:#x} was refused"
        return value

    def _run(self, done):
        limit = self._cycles + CYCLE_LIMIT
        while not done():
            assert self._cycles < limit, "the machine does not answer"
            self._cycles += 1
            self._simulator.run_until(self._cycles * CYCLE_S)

    async def _use_registers(self, ctx):
        bus = self.trainer.bus
        while True:
            if not self._asked:
                await ctx.tick()
                continue
            offset, word = self._asked.pop()
            ctx.set(bus.address, offset // 4)
            ctx.set(bus.write, word is not None)
            ctx.set(bus.data, word or 0)
            ctx.set(bus.valid, 1)
            answer = await ctx.tick().sample(bus.value, bus.error).until(bus.done)
            ctx.set(bus.valid, 0)
            self._answers.append(answer)

    async def _send(self, ctx):
        samples = self.trainer.samples
        while True:
            if not self._to_stream or self._random.random() < self.stalls:
                await ctx.tick()
                continue
            word, last = self._to_stream.pop(0)
            ctx.set(samples.p.value, word)
            ctx.set(samples.p.last, last)
            ctx.set(samples.valid, 1)
            await ctx.tick().until(samples.ready)
            ctx.set(samples.valid, 0)

    async def _receive(self, ctx):
        results = self.trainer.results
        before = None
        while True:
            ready = self._random.random() >= self.result_stalls
            ctx.set(results.ready, ready)
            *_, valid, value, last = await ctx.tick().sample(results.valid, results.p.value, results.p.last)
            offered = (value, last) if valid else None
            assert before in (None, offered), "what was offered has changed"
            before = None if ready else offered
            if valid and ready:
                self.from_stream.append(offered)

    async def _watch(self, ctx):
        async for *_, irq in ctx.tick().sample(self.trainer.irq):
            self.irq = irq
