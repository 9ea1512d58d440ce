"""Samples into a memory and out again, behind a controller and a chip."""

from random import Random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator
from mutation import mutate
from stochastor.fpga.sample_store import PairFiller, SampleReader, SampleStore, WordFeeder, WordWriter, most_words
from stochastor.fpga.sdram import SdramController

from .sdram_chip import SdramChip, Violation
from .test_sdram import SOON

CLOCK_HZ = 50_000_000
OUTPUTS = 7
MOST_CYCLES = 20_000


class Bench:
    """A store with its memory."""

    def __init__(self, inputs, per_beat):
        self.inputs, self.per_beat = inputs, per_beat
        self.store = SampleStore(inputs=inputs, outputs=OUTPUTS, per_beat=per_beat, address_bits=SOON.address_bits)
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

    async def keep(self, ctx, first, words):
        store = self.store
        ctx.set(store.first, first)
        ctx.set(store.begin, 1)
        await ctx.tick()
        ctx.set(store.begin, 0)
        ctx.set(store.keep, 1)
        for word in words:
            for byte in word.to_bytes(2, "little"):
                ctx.set(store.bytes.p, byte)
                ctx.set(store.bytes.valid, 1)
                await self.wait(ctx, store.bytes.ready)
                await ctx.tick()
                ctx.set(store.bytes.valid, 0)
        await self.wait(ctx, store.kept)
        ctx.set(store.keep, 0)

    async def ask(self, ctx, places):
        for place in places:
            ctx.set(self.store.places.p, place)
            ctx.set(self.store.places.valid, 1)
            await self.wait(ctx, self.store.places.ready)
            await ctx.tick()
        ctx.set(self.store.places.valid, 0)

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


def samples_of(inputs, count, seed=1, zeros=0.5):
    """Labels and features, of which the pairs that are all zero are a share of `zeros`."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 256, (count, inputs)) * (rng.random((count, inputs)) >= np.sqrt(zeros))
    return [(int(rng.integers(OUTPUTS)), each.tolist()) for each in features]


def words_of(sample):
    """The words of a stored sample, as docs/host-link.md says."""
    label, features = sample
    pairs = [sum(byte << 8 * i for i, byte in enumerate(features[at : at + 2])) for at in range(0, len(features), 2)]
    words = [label]
    for at in range(0, len(pairs), 16):
        group = pairs[at : at + 16]
        words += [sum((pair != 0) << i for i, pair in enumerate(group)), *filter(None, group)]
    return [len(words), *words]


def laid_out(samples, first=0):
    """Words of samples one behind the other, and the addresses where they begin."""
    words, places = [], []
    for sample in samples:
        places.append(first + len(words))
        words += words_of(sample)
    return words, places


def check_replay(inputs=9, per_beat=2, pause=lambda: False, zeros=0.5):
    """Keep samples in two parts of the memory, replay them in another order, one of them twice."""
    bench = Bench(inputs, per_beat)
    samples = samples_of(inputs, 8, zeros=zeros)
    far = (1 << SOON.address_bits) - 4 * most_words(inputs)
    near_words, near_places = laid_out(samples[:4])
    far_words, far_places = laid_out(samples[4:], far)
    places = near_places + far_places
    order = [5, 0, 7, 3, 3, 6, 1, 2, 4]
    replayed = []

    async def use(ctx):
        await bench.keep(ctx, 0, [word ^ 0xFFFF for word in near_words])
        await bench.keep(ctx, far, far_words)
        await bench.keep(ctx, 0, near_words)
        for part in (order[:4], order[4:]):
            await bench.drop(ctx)
            await bench.ask(ctx, [places[sample] for sample in part])
            replayed.extend([await bench.take(ctx, pause) for _ in part])

    bench.run(use)
    assert replayed == [samples[sample] for sample in order]


@pytest.mark.parametrize(
    ("inputs", "per_beat"), [(1, 1), (2, 1), (5, 2), (6, 2), (9, 4), (12, 4), (3, 8), (33, 16), (600, 4)]
)
def test_samples_come_back_as_they_were_kept_in_any_order(inputs, per_beat):
    check_replay(inputs, per_beat)


@pytest.mark.parametrize("zeros", [0.0, 1.0])
def test_samples_of_no_zeros_and_of_nothing_else_come_back(zeros):
    check_replay(70, 4, zeros=zeros)


def test_words_that_are_no_sample_disturb_no_other_one():
    bench = Bench(40, 4)
    label, features = sample = samples_of(40, 1, zeros=0.0)[0]
    whole = words_of(sample)
    cases = [
        (whole, features),
        ([*whole, 7, 8, 9], features),
        ([0, label], [0] * 40),
        ([1, label], [0] * 40),
        (whole[:10], features[:14] + [0] * 26),
    ]
    replayed = []

    async def use(ctx):
        place, places = 0, []
        for words, _ in cases:
            await bench.keep(ctx, place, [len(words) - 1 if words[0] else 0, *words[1:]])
            places += [place]
            place += len(words)
        await bench.ask(ctx, places)
        replayed.extend([await bench.take(ctx) for _ in cases])

    bench.run(use)
    assert replayed == [(label, expected) for _, expected in cases]


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_machine_that_pauses_gets_the_same_samples(share):
    random = Random(2)
    check_replay(33, 4, lambda: random.random() < share)


def test_what_was_asked_for_before_a_drop_is_forgotten():
    bench = Bench(40, 4)
    samples = samples_of(40, 3)
    words, places = laid_out(samples)
    rests = range(1, 80, 3)
    replayed = []

    async def use(ctx):
        await bench.keep(ctx, 0, words)
        for rest in rests:
            await bench.ask(ctx, [places[1]] * 3)
            await ctx.tick().repeat(rest)
            await bench.drop(ctx)
            await bench.ask(ctx, [places[2]])
            replayed.append(await bench.take(ctx))

    bench.run(use)
    assert replayed == [samples[2]] * len(rests)


def test_samples_behind_a_place_follow_until_a_drop():
    bench = Bench(40, 4)
    samples = samples_of(40, 8)
    words, places = laid_out(samples)
    replayed = []

    async def use(ctx):
        await bench.keep(ctx, 0, words)
        for first, count, onward in ((2, 4, 1), (0, 3, 1), (5, 1, 0), (6, 2, 1)):
            await bench.drop(ctx)
            ctx.set(bench.store.onward, onward)
            await ctx.tick().repeat(50)
            await bench.ask(ctx, [places[first]])
            replayed.extend([await bench.take(ctx) for _ in range(count)])
        ctx.set(bench.store.onward, 0)
        await bench.drop(ctx)
        for number in (5, 7):
            await bench.ask(ctx, [places[number]])
            await ctx.tick().repeat(200)
            replayed.append(await bench.take(ctx))

    bench.run(use)
    assert replayed == [samples[number] for number in (2, 3, 4, 5, 0, 1, 2, 5, 6, 7, 5, 7)]


def test_samples_that_nobody_takes_yet_wait():
    bench = Bench(70, 2)
    samples = samples_of(70, 6, zeros=0.2)
    words, places = laid_out(samples)
    replayed = []

    async def use(ctx):
        await bench.keep(ctx, 0, words)
        await bench.ask(ctx, places)
        await ctx.tick().repeat(600)
        replayed.extend([await bench.take(ctx) for _ in samples])

    bench.run(use)
    assert replayed == samples


SLOW_CYCLES = 12
SLOW_LIMIT = 20_000


def test_words_that_a_slow_memory_still_has_on_its_way_at_a_drop_are_forgotten():
    reader = SampleReader(40, 8)
    words, places = laid_out(samples_of(40, 2))
    read = []

    async def memory(ctx):
        requests, coming = reader.memory.requests, reader.memory.words
        ctx.set(requests.ready, 1)
        on_way = [None] * SLOW_CYCLES
        async for _, _, valid, address in ctx.tick().sample(requests.valid, requests.p.address):
            on_way.append(words[address % len(words)] if valid else None)
            word = on_way.pop(0)
            ctx.set(coming.valid, word is not None)
            ctx.set(coming.p, word or 0)

    async def ask(ctx, place):
        ctx.set(reader.places.p, place)
        ctx.set(reader.places.valid, 1)
        while not ctx.get(reader.places.ready):
            await ctx.tick()
        await ctx.tick()
        ctx.set(reader.places.valid, 0)

    async def use(ctx):
        ctx.set(reader.words.ready, 1)
        for rest in range(1, 3 * SLOW_CYCLES):
            await ask(ctx, places[1])
            await ctx.tick().repeat(rest)
            ctx.set(reader.drop, 1)
            await ctx.tick()
            while not ctx.get(reader.quiet):
                await ctx.tick()
            await ctx.tick()
            ctx.set(reader.drop, 0)
            await ask(ctx, places[0])
            got, last = [], 0
            while not last:
                if ctx.get(reader.words.valid):
                    last = ctx.get(reader.words.p.last)
                    got.append(ctx.get(reader.words.p.word))
                await ctx.tick()
            read.append(got)

    simulator = Simulator(reader)
    simulator.add_clock(1e-6)
    simulator.add_testbench(memory, background=True)
    simulator.add_testbench(use)
    simulator.run_until(1e-6 * SLOW_LIMIT)
    assert read == [words[1 : places[1]]] * (3 * SLOW_CYCLES - 1)


def least_cycles(sample, per_beat):
    """A cycle for each beat, or for each pair in it that is not zero."""
    _, features = sample
    pairs = np.asarray(features).reshape(-1, 2).any(axis=1)
    parts = pairs.reshape(-1, max(1, per_beat // 2)).sum(axis=1)
    return max(int(np.maximum(parts, 1).sum()), len(features) // per_beat)


@pytest.mark.parametrize(
    ("inputs", "per_beat", "zeros"),
    [(784, 4, 0.0), (784, 4, 0.8), (784, 4, 1.0), (784, 16, 0.9), (784, 1, 0.5), (64, 2, 0.0)],
)
def test_samples_come_at_a_beat_a_cycle_or_a_pair_that_is_not_zero(inputs, per_beat, zeros):
    bench = Bench(inputs, per_beat)
    order = [3, 0, 2, 1, 3, 0, 1, 2]
    cycles = []

    samples = samples_of(inputs, 4, zeros=zeros)
    words, places = laid_out(samples)

    async def use(ctx):
        await bench.keep(ctx, 0, words)
        await bench.ask(ctx, [places[sample] for sample in order])
        await ctx.tick().repeat(inputs)
        begun = bench.cycle
        for _ in order:
            await bench.take(ctx)
        cycles.append((bench.cycle - begun) / len(order))

    bench.run(use)
    least = np.mean([least_cycles(samples[sample], per_beat) for sample in order])
    assert least <= cycles[0] <= 1.03 * least + -(-inputs // 32) + 7


def test_a_sample_is_read_while_the_one_before_is_not_taken_yet():
    bench = Bench(100, 4)

    words, places = laid_out(samples_of(100, 2, zeros=0.0))

    async def use(ctx):
        await bench.keep(ctx, 0, words)
        await bench.ask(ctx, places)
        await ctx.tick().repeat(200)
        reads = [name for _, name in bench.chip.commands].count("READ")
        assert reads > places[1]

    bench.run(use)


def test_a_stored_sample_has_a_word_more_for_each_sixteen_pairs():
    assert [most_words(inputs) for inputs in (1, 2, 32, 33, 64, 784)] == [4, 4, 19, 21, 36, 419]


# Class, method, the code as it is, the code as it is not.
MUTATIONS = [
    (WordWriter, "elaborate", "address.eq(self.first)", "address.eq(0)"),
    (WordWriter, "elaborate", "Cat(word[8:], self.bytes.p)", "Cat(self.bytes.p, word[:8])"),
    (WordWriter, "elaborate", "second.eq(~second)", "second.eq(1)"),
    (SampleReader, "elaborate", "address.eq(address + 1)", "address.eq(address + 2)"),
    (SampleReader, "elaborate", "address.eq(self.places.p)", "address.eq(self.places.p + 1)"),
    (SampleReader, "elaborate", "(room != 0)", "1"),
    (SampleReader, "elaborate", "on_way + asked - coming.valid", "0"),
    (SampleReader, "elaborate", "due.eq(0), room.eq(depth)", "due.eq(0)"),
    (SampleReader, "elaborate", "last = due == 1", "last = due == 2"),
    (SampleReader, "elaborate", "Mux(coming.p == 0, 1, coming.p)", "coming.p"),
    (SampleReader, "elaborate", "~self.drop & (due == 0)", "~self.drop"),
    (SampleReader, "elaborate", "self.onward & begun", "0"),
    (SampleReader, "elaborate", "self.onward & begun", "self.onward"),
    (SampleReader, "elaborate", "room.eq(depth), begun.eq(0)", "room.eq(depth)"),
    (SampleReader, "elaborate", "self.onward & begun", "begun"),
    (PairFiller, "elaborate", "Mux(ended, 0, ones[:at_once])", "ones[:at_once]"),
    (PairFiller, "elaborate", "ones.eq(ones >> at_once)", "ones.eq(ones)"),
    (PairFiller, "elaborate", "left == 1", "left == 2"),
    (PairFiller, "elaborate", "in_group == 0", "in_group == 1"),
    (PairFiller, "elaborate", "after.eq(now & (now - 1))", "after.eq(0)"),
    (PairFiller, "elaborate", "lowest.eq(now & ~after)", "lowest.eq(now)"),
    (PairFiller, "elaborate", "kept.eq(words.p), ones", "ones"),
    (PairFiller, "elaborate", "Value.cast(kept).eq(0),\n", "\n"),
    (PairFiller, "elaborate", "m.Elif(ones == 0)", "m.Else()"),
    (PairFiller, "elaborate", "~known & ~ended", "~ended"),
    (PairFiller, "elaborate", "Mux(known, following, stored.p.word)", "following"),
    (PairFiller, "elaborate", "[known.eq(0), ones", "[ones"),
    (WordFeeder, "elaborate", "label.eq(self.words.p[0])", "label.eq(self.words.p[0] ^ 1)"),
    (WordFeeder, "elaborate", "(held == 1) & ~last", "(held == 1)"),
    (WordFeeder, "elaborate", "(transferred & (held == 1) & ~last)", "transferred"),
    (WordFeeder, "elaborate", "Value.cast(kept) >> bits", "kept"),
    (WordFeeder, "elaborate", "last = left == 1", "last = left == 2"),
    (SampleStore, "elaborate", "reader.drop.eq(self.drop)", "reader.drop.eq(0)"),
    (SampleStore, "elaborate", "reader.onward.eq(self.onward)", "reader.onward.eq(0)"),
    (SampleStore, "_feed", "between = ResetInserter(self.drop)(SyncFIFOBuffered(", "between = (SyncFIFOBuffered("),
    (SampleStore, "_feed", "filler.words.ready.eq(between.w_rdy)", "filler.words.ready.eq(1)"),
]


SHORT = 1000


def check_everything():
    random = Random(2)
    check_replay(9, 4)
    check_replay(8, 4)
    check_replay(3, 1)
    check_replay(130, 4, zeros=0.9)
    check_replay(130, 8, zeros=0.6)
    check_replay(33, 4, lambda: random.random() < 0.97)
    check_replay(40, 4)
    test_words_that_are_no_sample_disturb_no_other_one()
    test_samples_behind_a_place_follow_until_a_drop()
    test_samples_that_nobody_takes_yet_wait()
    test_what_was_asked_for_before_a_drop_is_forgotten()
    test_words_that_a_slow_memory_still_has_on_its_way_at_a_drop_are_forgotten()


@pytest.mark.parametrize(
    ("owner", "method", "code", "other"),
    MUTATIONS,
    ids=[f"{owner.__name__}: {other}" for owner, _, _, other in MUTATIONS],
)
def test_one_wrong_line_of_the_store_is_noticed(monkeypatch, owner, method, code, other):
    mutate(monkeypatch, owner, method, code, other)
    monkeypatch.setitem(globals(), "MOST_CYCLES", SHORT)
    with pytest.raises(AssertionError):
        check_everything()


def test_the_store_passes_what_one_wrong_line_does_not(monkeypatch):
    monkeypatch.setitem(globals(), "MOST_CYCLES", SHORT)
    check_everything()
