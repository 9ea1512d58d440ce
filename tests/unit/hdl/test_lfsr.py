from random import Random

import pytest
from stochastor.hdl.lfsr import Lfsr
from stochastor.model.lfsr import shift

from .bench import run

SEED, OTHER_SEED = 0x12345678, 0x9ABCDEF0
STATES = [1 << bit for bit in range(32)] + [Random(1).randrange(1, 1 << 32) for _ in range(20)]


def following(state, words):
    """The state after that many words, shift by shift."""
    for _ in range(32 * words):
        state = shift(state)
    return state


async def load(ctx, lfsr, word):
    ctx.set(lfsr.port.load_word, word)
    ctx.set(lfsr.port.load, 1)
    await ctx.tick()
    ctx.set(lfsr.port.load, 0)


@pytest.mark.parametrize("words", [1, 2, 4])
def test_the_words_offered_are_32_shifts_apart(words):
    lfsr = Lfsr((SEED,), words)

    async def testbench(ctx):
        for word in STATES:
            await load(ctx, lfsr, word)
            offered = [ctx.get(lfsr.words[index]) for index in range(words)]
            assert offered == [following(word, index) for index in range(words)]

    run(lfsr, testbench)


@pytest.mark.parametrize("words", [1, 2, 4])
def test_a_step_consumes_as_many_words_as_it_says(words):
    lfsr = Lfsr((SEED,), words)

    async def testbench(ctx):
        state = SEED
        for step in Random(words).choices(range(words + 1), k=40):
            ctx.set(lfsr.step, step)
            await ctx.tick()
            state = following(state, step)
            assert ctx.get(lfsr.port.word) == following(state, 1)

    run(lfsr, testbench)


@pytest.mark.parametrize("seeds", [(SEED,), (SEED, OTHER_SEED)])
def test_every_bank_starts_from_its_seed(seeds):
    lfsr = Lfsr(seeds)

    async def testbench(ctx):
        for bank, seed in enumerate(seeds):
            ctx.set(lfsr.port.bank, bank)
            await ctx.tick()
            assert ctx.get(lfsr.port.word) == following(seed, 1)

    run(lfsr, testbench)


def test_an_unchosen_bank_keeps_its_state():
    lfsr = Lfsr((SEED, OTHER_SEED))
    firsts = [following(seed, 1) for seed in (SEED, OTHER_SEED)]
    words = firsts.copy()

    async def testbench(ctx):
        random = Random(3)
        for _ in range(60):
            bank, change = random.randrange(2), random.choice(["step", "load", "reseed"])
            ctx.set(lfsr.port.bank, bank)
            if change != "reseed":
                await ctx.tick()
            ctx.set(lfsr.port.load, change == "load")
            ctx.set(lfsr.port.load_word, 77)
            ctx.set(lfsr.port.reseed, change == "reseed")
            ctx.set(lfsr.step, change == "step")
            words[bank] = {"step": following(words[bank], 1), "load": 77, "reseed": firsts[bank]}[change]
            await ctx.tick()
            for name in ("load", "reseed"):
                ctx.set(getattr(lfsr.port, name), 0)
            ctx.set(lfsr.step, 0)
            assert ctx.get(lfsr.port.word) == words[bank]
            ctx.set(lfsr.port.bank, 1 - bank)
            await ctx.tick()
            assert ctx.get(lfsr.port.word) == words[1 - bank]

    run(lfsr, testbench)


def test_a_loaded_word_is_the_one_that_goes_on():
    lfsr = Lfsr((SEED,))

    async def testbench(ctx):
        for word in STATES:
            await load(ctx, lfsr, word)
            ctx.set(lfsr.step, 1)
            await ctx.tick()
            ctx.set(lfsr.step, 0)
            assert ctx.get(lfsr.port.word) == following(word, 1)

    run(lfsr, testbench)


@pytest.mark.parametrize("bank", [0, 1])
def test_a_reseed_returns_the_bank_to_its_seed(bank):
    lfsr = Lfsr((SEED, OTHER_SEED))

    async def testbench(ctx):
        ctx.set(lfsr.port.bank, bank)
        ctx.set(lfsr.step, 1)
        await ctx.tick().repeat(3)
        ctx.set(lfsr.port.reseed, 1)
        await ctx.tick()
        assert ctx.get(lfsr.port.word) == following((SEED, OTHER_SEED)[bank], 1)

    run(lfsr, testbench)


@pytest.mark.parametrize("seeds", [(0,), (SEED, 0), (-1,), (1 << 32,), (), (1, 2, 3)])
def test_seeds_that_no_generator_can_have_are_refused(seeds):
    with pytest.raises(ValueError, match="seeds must be one or two nonzero 32-bit states, not"):
        Lfsr(seeds)
