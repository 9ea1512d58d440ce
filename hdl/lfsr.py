"""The LFSR that leaps: the twin of ``model/lfsr.py``."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..model.lfsr import MASK, WORD_BITS


class GeneratorPort(wiring.Signature):
    """Access to a generator's state, from the side that asks.

    Members
    -------
    bank : Out(1)
        Which state everything refers to: 0 training, 1 inference.
    reseed : Out(1)
        Return the state of `bank` to its seed at the next edge.
    load : Out(1)
        Write `load_state` to the state of `bank` at the next edge.
    load_state : Out(32)
    state : In(32)
        State of `bank`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bank": Out(1),
                "reseed": Out(1),
                "load": Out(1),
                "load_state": Out(WORD_BITS),
                "state": In(WORD_BITS),
            }
        )


class Lfsr(wiring.Component):
    """A Galois LFSR that advances by whole words of 32 shifts.

    Parameters
    ----------
    seeds : tuple of int
        Reset state of each bank; one or two.
    words : int
        Words offered at once.

    Members
    -------
    port : In(GeneratorPort())
    words : Out(ArrayLayout(32, words))
        The words that follow the state.
    step : In(range(words + 1))
        How many of them are consumed at the next edge.

    Latency
    -------
    None from state to words; a step takes effect in the next cycle.
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
        states = [Signal(WORD_BITS, init=seed, name=f"state{bank}") for bank, seed in enumerate(self._seeds)]
        state = Signal(WORD_BITS)
        m.d.comb += [
            state.eq(Array(states)[self.port.bank] if len(states) > 1 else states[0]),
            self.port.state.eq(state),
        ]
        for count in range(self._count):
            for bit, taps in enumerate(_leap(WORD_BITS * (count + 1))):
                m.d.comb += self.words[count][bit].eq((state & taps).xor())
        following = Signal(WORD_BITS)
        m.d.comb += following.eq(Array([state, *self.words])[self.step])
        for bank, (register, seed) in enumerate(zip(states, self._seeds, strict=True)):
            with m.If(self.port.bank == bank if len(states) > 1 else 1):
                with m.If(self.port.load):
                    m.d.sync += register.eq(self.port.load_state)
                with m.Elif(self.port.reseed):
                    m.d.sync += register.eq(seed)
                with m.Else():
                    m.d.sync += register.eq(following)
        return m


def _leap(shifts: int) -> list[int]:
    """For each bit after `shifts`, the mask of the state bits that it is the parity of."""
    bits = [1 << position for position in range(WORD_BITS)]
    for _ in range(shifts):
        out, bits = bits[0], [*bits[1:], 0]
        bits = [taps ^ (out if MASK >> position & 1 else 0) for position, taps in enumerate(bits)]
    return bits
