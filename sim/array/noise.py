"""Random numbers of the analog array, by the address of what they belong to (section 13 of the specification)."""

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...model.crossbar import Address
from ...model.philox import philox

ONE = 1 << 16
BYTES = 8
CENTRE = BYTES * 255 // 2
LARGEST = BYTES * 255 - CENTRE
# 2^22 / sqrt(8 * (256^2 - 1) / 12), so that a normal has a standard deviation of 2^16.
GAIN = 20066
GAIN_SHIFT = 6
REPETITION_SHIFT = 16


class Purpose(IntEnum):
    """What a random number is for; the high half of the last counter word."""

    READ = 16
    COMPARE = 17
    PULSE = 18
    STEP = 19
    MISMATCH = 20
    LOWER = 21
    UPPER = 22
    FAULT = 23
    OFFSET = 24
    TRAP = 25
    TELEGRAPH = 26
    DRIFT = 27
    ENDURANCE = 28
    THINNING = 29


Normals = NDArray[np.int64]


def counter_words(purpose: Purpose, address: Address) -> tuple[int, int, int]:
    """Counter words c1, c2, c3 of an operation; c0 tells its lines or devices apart."""
    detail = address.comparison + (address.digit << 4) + (address.training << 8) + (int(address.read) << 9)
    detail += address.repetition << REPETITION_SHIFT
    return address.sample & 0xFFFFFFFF, detail, static_word(purpose, address.layer)


def static_word(purpose: Purpose, layer: int) -> int:
    """Counter word c3."""
    return (purpose << 16) + layer


def line_normals(seed: int, purpose: Purpose, address: Address, lines: ArrayLike) -> Normals:
    """A standard normal in 2^-16 for each of `lines`, of shape (lines,)."""
    lines = np.asarray(lines, dtype=np.int64)
    words = philox(seed, (address.row << 16) + (lines >> 1), *counter_words(purpose, address))
    pairs = normals_of(words)
    chosen: Normals = np.take_along_axis(pairs, (lines & 1)[:, np.newaxis], axis=1)[:, 0]
    return chosen


def device_words(
    seed: int, rows: ArrayLike, cell_columns: ArrayLike, c1: int, c2: ArrayLike, c3: int
) -> NDArray[np.uint64]:
    """Random words of the cells at (rows, cell_columns), shape (rows, cell columns, 4)."""
    rows, cell_columns = np.asarray(rows, dtype=np.int64), np.asarray(cell_columns, dtype=np.int64)
    return philox(seed, (rows[:, np.newaxis] << 16) + cell_columns, c1, c2, c3)


def normals_of(words: NDArray[np.uint64]) -> Normals:
    """Standard normals in 2^-16, shape (..., 2), of Philox words, shape (..., 4): sums of bytes."""
    normals: Normals = (sums_of_bytes(words) * GAIN + (1 << (GAIN_SHIFT - 1))) >> GAIN_SHIFT
    return normals


def sums_of_bytes(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Centred sums of the eight bytes of each half of Philox words, shape (..., 2), -1020 to 1020."""
    lanes = words.astype("<u4").view(np.uint8).reshape(*words.shape[:-1], 2, BYTES)
    sums: NDArray[np.int64] = lanes.sum(axis=-1, dtype=np.int64) - CENTRE
    return sums
