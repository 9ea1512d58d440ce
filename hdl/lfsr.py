"""The LFSR that leaps: the twin of ``model/lfsr.py``."""

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..model.lfsr import MASK, WORD_BITS


class GeneratorPort(wiring.Signature):
    """Access to a generator, from the side that asks.

    A generator is written and read by the word that it offers next, which is its state after a word of shifts.

    Members
    -------
    bank : Out(1)
        Which generator everything refers to: 0 training, 1 inference. In the cycle of a change only a reseed does.
    reseed : Out(1)
        Return `bank` to its seed at the next edge.
    load : Out(1)
        Let `load_word` be the next word of `bank`, at the next edge.
    load_word : Out(32)
    word : In(32)
        Next word of `bank`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bank": Out(1),
                "reseed": Out(1),
                "load": Out(1),
                "load_word": Out(WORD_BITS),
                "word": In(WORD_BITS),
            }
        )


class Lfsr(wiring.Component):
    """A Galois LFSR that advances by whole words of 32 shifts.

    The first word offered is what is kept, so that no parities lie between it and whoever compares it. The state of the
    model is the word before. The words of the other bank are parked, so that no choice of a bank comes before parities.

    Parameters
    ----------
    seeds : tuple of int
        Reset state of each bank, the word before its first one; one or two.
    words : int
        Words offered at once.

    Members
    -------
    port : In(GeneratorPort())
    words : Out(ArrayLayout(32, words))
        The next words.
    step : In(range(words + 1))
        How many of them are consumed at the next edge.

    Latency
    -------
    None, but a cycle from a change of bank to its words; a step takes effect in the next cycle.
    """

    def __init__(self, seeds: tuple[int, ...], words: int = 1) -> None:
        if not 1 <= len(seeds) <= 2 or not all(0 < seed < 1 << WORD_BITS for seed in seeds):
            raise ValueError(f"seeds must be one or two nonzero 32-bit states, not {seeds!r}")
        self._seeds = seeds
        self._count = words
        super().__init__(
            {
                "port": In(GeneratorPort()),
                "words": Out(data.ArrayLayout(WORD_BITS, words)),
                "step": In(range(words + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        firsts = Array(_after(seed) for seed in self._seeds)
        kept = Signal(WORD_BITS, init=firsts[0])
        beyond = Signal(WORD_BITS)
        m.d.comb += [
            self.port.word.eq(kept),
            self.words[0].eq(kept),
            *(
                self.words[index].eq(_leap(m, self.words[index - 1], f"word{index}_"))
                for index in range(1, self._count)
            ),
            beyond.eq(_leap(m, self.words[self._count - 1], "")),
        ]
        with m.If(self.step != 0):
            m.d.sync += kept.eq(Array([*self.words, beyond])[self.step])
        if len(self._seeds) > 1:
            self._change_bank(m, kept, firsts)
        with m.If(self.port.load):
            m.d.sync += kept.eq(self.port.load_word)
        with m.Elif(self.port.reseed):
            m.d.sync += kept.eq(firsts[self.port.bank] if len(self._seeds) > 1 else firsts[0])
        return m

    def _change_bank(self, m: Module, kept: Signal, firsts: Array) -> None:
        """Exchange what is kept with what is parked."""
        parked, bank = Signal(WORD_BITS, init=firsts[1]), Signal()
        m.d.sync += bank.eq(self.port.bank)
        with m.If(bank != self.port.bank):
            m.d.sync += [kept.eq(parked), parked.eq(kept)]


def _after(state: int) -> int:
    """The state after a word of shifts."""
    for _ in range(WORD_BITS):
        state = state >> 1 ^ (MASK if state & 1 else 0)
    return state


def _leap(m: Module, state: Value, prefix: str) -> Value:
    """The state after as many shifts as it has bits, by the bits that leave it meanwhile: half the area of 32 parities.

    A bit that leaves goes to all taps, so that later ones meet it: out[i] = fresh[i] + out[i-1] + out[i-2] modulo 2 for
    the taps 0 and 1, fresh[i] = state[i] + out[i-1-tap] for the higher ones. As 1 + x + x^2 divides 1 + x^3, that is
    out[i] = out[i-3] + fresh[i] + fresh[i-1], a sum over every third; every sixth shares a pair of them.
    `prefix` tells the names of one leap from those of others.
    """
    taps = [bit for bit in range(WORD_BITS) if MASK >> bit & 1]
    fresh: list[Value] = []
    pairs: list[Signal] = []
    out: list[Signal] = []
    for index in range(WORD_BITS):
        fresh.append(Cat(state[index], *(out[index - 1 - tap] for tap in taps if 1 < tap < index)).xor())
        pair, left = Signal(name=f"{prefix}pair{index}"), Signal(name=f"{prefix}out{index}")
        pairs.append(pair)
        out.append(left)
        m.d.comb += [
            pair.eq(Cat(fresh[max(index - back, 0) : index - back + 2] for back in (1, 4) if back <= index + 1).xor()),
            left.eq(Cat(pairs[index::-6]).xor()),
        ]
    return Cat(Cat(out[WORD_BITS - 1 - tap + bit] for tap in taps if tap >= bit).xor() for bit in range(WORD_BITS))
