"""Samples into a memory and out again, behind a controller and a chip."""

import inspect
import textwrap
from random import Random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator
from stochastor.fpga import sample_store
from stochastor.fpga.sample_store import SampleReader, SampleStore, SampleWriter, Slots, WordFeeder
from stochastor.fpga.sdram import SdramController
from stochastor.model.config import Config

from .sdram_chip import SdramChip, Violation
from .test_sdram import SOON

CLOCK_HZ = 50_000_000
OUTPUTS = 7
MOST_CYCLES = 20_000


class Bench:
    """A store with its memory."""

    def __init__(self, inputs, per_beat):
        self.inputs, self.per_beat = inputs, per_beat
        self.slots = Slots.of(Config(sizes=(inputs, OUTPUTS)), SOON.address_bits)
        self.store = SampleStore(
            inputs=inputs, outputs=OUTPUTS, per_beat=per_beat, slots=self.slots, address_bits=SOON.address_bits
        )
        self.chip = SdramChip(1e9 / CLOCK_HZ, SOON.power_up_us)
        self.controller = SdramController(SOON, CLOCK_HZ)
        self.cycle = 0
        self.failure = None

    def run(self, testbench):
        m = Module()
        m.submodules.store = self.store
        m.submodules.controller = self.controller
        connect(m, self.store.memory, self.controller.port)
        simulator = Simulator(m)
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.add_testbench(self._clock, background=True)
        simulator.run()
        if self.failure is not None:
            raise self.failure

    async def _clock(self, ctx):
        pins, way_back = self.controller.pins, [None, None]
        seen = (pins.ras, pins.cas, pins.we, pins.bank, pins.address, pins.mask, pins.out, pins.drive)
        async for _, _, *levels in ctx.tick().sample(*seen):
            self.cycle += 1
            try:
                way_back.append(self.chip.edge(*levels))
            except Violation as violation:
                self.failure = violation
                return
            ctx.set(pins.coming, way_back.pop(0) or 0)

    async def wait(self, ctx, signal):
        begun = self.cycle
        while not ctx.get(signal):
            await ctx.tick()
            assert self.failure is None
            assert self.cycle - begun < MOST_CYCLES, "nothing happens"

    async def keep(self, ctx, first, samples):
        store = self.store
        ctx.set(store.first, first)
        ctx.set(store.begin, 1)
        await ctx.tick()
        ctx.set(store.begin, 0)
        ctx.set(store.keep, 1)
        for label, features in samples:
            for byte in (*label.to_bytes(2, "little"), *features):
                ctx.set(store.bytes.p, byte)
                ctx.set(store.bytes.valid, 1)
                await self.wait(ctx, store.bytes.ready)
                await ctx.tick()
                ctx.set(store.bytes.valid, 0)
        await self.wait(ctx, store.kept)
        ctx.set(store.keep, 0)

    async def ask(self, ctx, slots):
        for slot in slots:
            ctx.set(self.store.slots.p, slot)
            ctx.set(self.store.slots.valid, 1)
            await self.wait(ctx, self.store.slots.ready)
            await ctx.tick()
        ctx.set(self.store.slots.valid, 0)

    async def drop(self, ctx):
        ctx.set(self.store.drop, 1)
        await ctx.tick()
        await self.wait(ctx, self.store.quiet)
        await ctx.tick()
        ctx.set(self.store.drop, 0)

    async def take(self, ctx, pause=lambda: False):
        """The next sample replayed: label and features."""
        store, features, taken = self.store, [], False
        ctx.set(store.replay, 1)
        ctx.set(store.enable, 1)
        while not taken:
            while pause():
                ctx.set(store.samples.ready, 0)
                await ctx.tick()
            ctx.set(store.samples.ready, 1)
            await self.wait(ctx, store.samples.valid)
            ctx.set(store.enable, 0)
            label, taken = ctx.get(store.samples.p.sideband.label), ctx.get(store.taken)
            features += [ctx.get(store.samples.p.features[lane]) for lane in range(self.per_beat)]
            await ctx.tick()
            ctx.set(store.samples.ready, 0)
        assert len(features) == -(-self.inputs // self.per_beat) * self.per_beat
        return label, features[: self.inputs]


def samples_of(inputs, count, seed=1):
    rng = np.random.default_rng(seed)
    return [(int(rng.integers(OUTPUTS)), rng.integers(0, 256, inputs).tolist()) for _ in range(count)]


def check_replay(inputs=9, per_beat=2, pause=lambda: False):
    """Keep samples in two parts of the memory, replay them in another order, one of them twice."""
    bench = Bench(inputs, per_beat)
    samples = samples_of(inputs, 8)
    far = bench.slots.count - 4
    places = [0, 1, 2, 3, far, far + 1, far + 2, far + 3]
    order = [5, 0, 7, 3, 3, 6, 1, 2, 4]
    replayed = []

    async def use(ctx):
        await bench.keep(ctx, 0, samples_of(inputs, 4, seed=9))
        await bench.keep(ctx, far, samples[4:])
        await bench.keep(ctx, 0, samples[:4])
        for part in (order[:4], order[4:]):
            await bench.drop(ctx)
            await bench.ask(ctx, [places[sample] for sample in part])
            replayed.extend([await bench.take(ctx, pause) for _ in part])

    bench.run(use)
    assert replayed == [samples[sample] for sample in order]


@pytest.mark.parametrize(
    ("inputs", "per_beat"), [(1, 1), (2, 1), (5, 2), (6, 2), (9, 4), (12, 4), (7, 3), (3, 8), (33, 16), (600, 4)]
)
def test_samples_come_back_as_they_were_kept_in_any_order(inputs, per_beat):
    check_replay(inputs, per_beat)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_machine_that_pauses_gets_the_same_samples(share):
    random = Random(2)
    check_replay(33, 4, lambda: random.random() < share)


def test_what_was_asked_for_before_a_drop_is_forgotten():
    bench = Bench(40, 4)
    samples = samples_of(40, 3)
    replayed = []

    async def use(ctx):
        await bench.keep(ctx, 0, samples)
        for rest in range(1, 64, 7):
            await bench.ask(ctx, [1, 1, 1])
            await ctx.tick().repeat(rest)
            await bench.drop(ctx)
            await bench.ask(ctx, [2])
            replayed.append(await bench.take(ctx))

    bench.run(use)
    assert replayed == [samples[2]] * 9


@pytest.mark.parametrize(("inputs", "per_beat", "a_cycle"), [(784, 4, 1.6), (784, 1, 0.95), (64, 2, 1.3)])
def test_samples_come_at_a_feature_a_cycle_and_more(inputs, per_beat, a_cycle):
    bench = Bench(inputs, per_beat)
    order = [3, 0, 2, 1, 3, 0, 1, 2]
    cycles = []

    async def use(ctx):
        await bench.keep(ctx, 0, samples_of(inputs, 4))
        await bench.ask(ctx, order)
        await ctx.tick().repeat(inputs)
        begun = bench.cycle
        for _ in order:
            await bench.take(ctx)
        cycles.append(bench.cycle - begun)

    bench.run(use)
    assert len(order) * inputs / cycles[0] >= a_cycle


def test_the_next_sample_is_read_while_one_is_fed():
    bench = Bench(100, 4)

    async def use(ctx):
        await bench.keep(ctx, 0, samples_of(100, 2))
        await bench.ask(ctx, [0, 1])
        await ctx.tick().repeat(200)
        reads = [name for _, name in bench.chip.commands].count("READ")
        assert reads > 51  # words of a slot

    bench.run(use)


def test_slots_lie_one_after_the_other_and_fill_the_memory():
    slots = Slots.of(Config(sizes=(64, 10)), 24)
    assert (slots.words, slots.count, slots.bits) == (33, 508_400, 19)
    assert Slots.of(Config(sizes=(784, 10)), 24).count == 42_690
    assert Slots.of(Config(sizes=(1, 2)), 24) == Slots(words=2, count=1 << 23)


# Class, the code as it is, the code as it is not.
MUTATIONS = [
    (SampleWriter, "self.first * self._slots.words", "self.first"),
    (SampleWriter, "whole.eq(byte[0] | last)", "whole.eq(byte[0])"),
    (SampleWriter, "word[8:].eq(self.bytes.p)", "word[8:].eq(~self.bytes.p)"),
    (SampleWriter, "Mux(last, 0, byte + 1)", "byte + 1"),
    (SampleReader, "address.eq(address + 1)", "address.eq(address + 2)"),
    (SampleReader, "self.slots.p * words", "self.slots.p * (words + 1)"),
    (SampleReader, "(room != 0)", "1"),
    (SampleReader, "on_way + asked - coming.valid", "0"),
    (SampleReader, "left.eq(0), room.eq(depth)", "room.eq(depth)"),
    (WordFeeder, "label.eq(self.words.p)", "label.eq(self.words.p ^ 1)"),
    (WordFeeder, "(held <= per_beat)", "1"),
    (WordFeeder, "kept >> 8 * per_beat", "kept"),
    (WordFeeder, "Mux(coming == 1, 0, coming - WORD_BYTES)", "coming - WORD_BYTES"),
    (WordFeeder, "last = left <= per_beat", "last = left < per_beat"),
    (SampleStore, "reader.drop.eq(self.drop)", "reader.drop.eq(0)"),
]


def check_everything():
    random = Random(2)
    check_replay(9, 4)
    check_replay(8, 4)
    check_replay(33, 4, lambda: random.random() < 0.97)
    test_what_was_asked_for_before_a_drop_is_forgotten()


@pytest.mark.parametrize(
    ("owner", "code", "other"), MUTATIONS, ids=[f"{owner.__name__}: {other}" for owner, _, other in MUTATIONS]
)
def test_one_wrong_line_of_the_store_is_noticed(monkeypatch, owner, code, other):
    source = textwrap.dedent(inspect.getsource(owner.elaborate))
    assert source.count(code) == 1
    namespace = {}
    exec(source.replace(code, other), vars(sample_store), namespace)
    monkeypatch.setattr(owner, "elaborate", namespace["elaborate"])
    monkeypatch.setitem(globals(), "MOST_CYCLES", 1000)
    with pytest.raises(AssertionError):
        check_everything()
