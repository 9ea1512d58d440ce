"""The LFSRs that every random bit of the machine comes from (section 4 of the specification)."""

from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .philox import SEED_PURPOSE, philox

MASK = 0x80200003
WORD_BITS = 32
LINES_PER_WORD = 4


class Generator(IntEnum):
    """What a layer's generator is for."""

    INPUT = 0
    FIRE = 1
    GATE = 2
    THIN = 3


class Bank(IntEnum):
    """Training and inference draw from states of their own."""

    TRAIN = 0
    INFER = 1


class Lfsr:
    """A 32-bit Galois LFSR that is asked for bytes, one operation at a time.

    Parameters
    ----------
    state : int
        Nonzero, 32 bits.

    Raises
    ------
    ValueError
        If the state is zero (from which an LFSR never leaves) or too wide.
    """

    def __init__(self, state: int) -> None:
        if not 0 < state < 1 << WORD_BITS:
            raise ValueError(f"an LFSR state must be from 1 to 2^32 - 1, not {state!r}")
        self.state = state

    def word(self) -> int:
        """Advance by 32 shifts and return the state."""
        self.state = int(self._following(1)[0])
        return self.state

    def draw(self, lines: int) -> NDArray[np.uint8]:
        """Draw a byte for every line of an operation, shape (lines,)."""
        words = self._following(-(-lines // LINES_PER_WORD))
        self.state = int(words[-1])
        return words.astype("<u4", copy=False).view(np.uint8)[:lines]

    def _following(self, count: int) -> NDArray[np.uint32]:
        """The next `count` words: an LFSR is linear, so those of a state are the sum of those of its bytes."""
        table, state = _words_of_bytes(count), self.state
        low, high = table[0, state & 0xFF] ^ table[1, state >> 8 & 0xFF], table[2, state >> 16 & 0xFF]
        words: NDArray[np.uint32] = low ^ high ^ table[3, state >> 24]
        return words


def shift(state: int) -> int:
    """Shift a state by one bit."""
    return (state >> 1) ^ (MASK if state & 1 else 0)


def shift_back(state: int) -> int:
    """The state that `shift` makes into `state`: its highest bit is the one that left, which no other has met there."""
    left = state >> (WORD_BITS - 1)
    return (state ^ (MASK if left else 0)) << 1 | left


def word_after(state: int) -> int:
    """The word that a generator of `state` offers next, by which hardware is written and read."""
    for _ in range(WORD_BITS):
        state = shift(state)
    return state


def state_before(word: int) -> int:
    """The state of a generator that offers `word` next."""
    for _ in range(WORD_BITS):
        word = shift_back(word)
    return word


def seed(master: int, generator: Generator, bank: Bank, layer: int) -> int:
    """Return the seed of a generator of `layer` (1 to L), never zero."""
    return int(philox(master, generator, bank, layer, SEED_PURPOSE)[0]) or MASK


def words_of_nibbles(count: int) -> NDArray[np.uint32]:
    """The `count` words that follow a state of one nonzero nibble, shape (8, 16, count): by its place and its value."""
    words = _words_of_bytes(count)
    nibbles = np.arange(16)
    places = [part for table in words for part in (table[nibbles], table[nibbles << 4])]
    return np.stack(places)


@cache
def _words_of_bytes(count: int) -> NDArray[np.uint32]:
    """The `count` words that follow a state of one nonzero byte, shape (4, 256, count): by its place and its value."""
    table = np.zeros((WORD_BITS // 8, 256, count), dtype=np.uint32)
    words = _words_of_bits(count)
    for place in range(WORD_BITS // 8):
        for bit in range(8):
            size = 1 << bit
            table[place, size : 2 * size] = table[place, :size] ^ words[8 * place + bit]
    return table


def _words_of_bits(count: int) -> NDArray[np.uint32]:
    """The `count` words that follow each state of one bit, shape (32, count)."""
    states = np.uint32(1) << np.arange(WORD_BITS, dtype=np.uint32)
    words = np.empty((WORD_BITS, count), dtype=np.uint32)
    for index in range(count):
        for _ in range(WORD_BITS):
            states = (states >> np.uint32(1)) ^ np.where(states & np.uint32(1), np.uint32(MASK), np.uint32(0))
        words[:, index] = states
    return words
