"""The LFSRs that every random bit of the machine comes from (section 4 of the specification)."""

from enum import IntEnum

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
        for _ in range(WORD_BITS // 8):
            self.state = (self.state >> 8) ^ _EIGHT_SHIFTS[self.state & 0xFF]
        return self.state

    def draw(self, lines: int) -> NDArray[np.uint8]:
        """Draw a byte for every line of an operation, shape (lines,)."""
        words = [self.word() for _ in range(-(-lines // LINES_PER_WORD))]
        return np.array(words, dtype="<u4").view(np.uint8)[:lines]


def shift(state: int) -> int:
    """Shift a state by one bit."""
    return (state >> 1) ^ (MASK if state & 1 else 0)


def seed(master: int, generator: Generator, bank: Bank, layer: int) -> int:
    """Return the seed of a generator of `layer` (1 to L), never zero."""
    return int(philox(master, generator, bank, layer, SEED_PURPOSE)[0]) or MASK


def _eight_shifts(low_byte: int) -> int:
    state = low_byte
    for _ in range(8):
        state = shift(state)
    return state


_EIGHT_SHIFTS = [_eight_shifts(low_byte) for low_byte in range(256)]
