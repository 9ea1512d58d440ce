"""Compiled draws of the array's random numbers, by the address of what they belong to (section 13).

Layers are counted from 0. Loops that draw read nothing but numbers and write one array, so that they become vector
instructions.
"""

import numpy as np

from ...model.kernels import compiled, compiled_apart
from ...model.philox import MULTIPLIERS, ROUNDS, WEYL
from .noise import CENTRE, GAIN, GAIN_SHIFT, Purpose

READ, COMPARE = np.int64(Purpose.READ), np.int64(Purpose.COMPARE)
WORD, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
# A product with FOURFOLD has the sum of the four 16-bit parts of the other factor in its highest part.
EVEN_BYTES, BYTE = np.uint64(0x00FF00FF00FF00FF), np.uint64(8)
FOURFOLD, HIGHEST = np.uint64(0x0001000100010001), np.uint64(48)
M0, M1 = np.uint64(MULTIPLIERS[0]), np.uint64(MULTIPLIERS[1])
W0, W1 = np.uint64(WEYL[0]), np.uint64(WEYL[1])


@compiled
def detail(comparison, digit, training, read, repetition):  # type: ignore[no-untyped-def]
    """Counter word c2."""
    return comparison + (digit << 4) + (training << 8) + (read << 9) + (repetition << 16)


@compiled
def purpose_word(purpose, layer):  # type: ignore[no-untyped-def]
    """Counter word c3."""
    return (purpose << 16) + layer + 1


@compiled
def words(key_low, key_high, x0, x1, x2, x3):  # type: ignore[no-untyped-def]
    """Philox4x32-10 of a counter."""
    k0, k1 = np.uint64(key_low), np.uint64(key_high)
    for _ in range(ROUNDS):
        p0, p1 = M0 * x0, M1 * x2
        x0, x1 = (p1 >> HALF) ^ x1 ^ k0, p1 & WORD
        x2, x3 = (p0 >> HALF) ^ x3 ^ k1, p0 & WORD
        k0, k1 = (k0 + W0) & WORD, (k1 + W1) & WORD
    return x0, x1, x2, x3


@compiled
def normals(key_low, key_high, x0, x1, x2, x3):  # type: ignore[no-untyped-def]
    """Two standard normals in 2^-16 of a counter, of words 0 and 1 and of words 2 and 3.

    Of a sum of bytes it does not matter where they are, so the last round leaves them in the products.
    """
    k0, k1 = np.uint64(key_low), np.uint64(key_high)
    for _ in range(ROUNDS - 1):
        p0, p1 = M0 * x0, M1 * x2
        x0, x1 = (p1 >> HALF) ^ x1 ^ k0, p1 & WORD
        x2, x3 = (p0 >> HALF) ^ x3 ^ k1, p0 & WORD
        k0, k1 = (k0 + W0) & WORD, (k1 + W1) & WORD
    return normal(M1 * x2 ^ ((x1 ^ k0) << HALF)), normal(M0 * x0 ^ ((x3 ^ k1) << HALF))


@compiled
def normal(both):  # type: ignore[no-untyped-def]
    """A standard normal in 2^-16 of eight bytes."""
    pairs = (both & EVEN_BYTES) + ((both >> BYTE) & EVEN_BYTES)
    total = np.int64((pairs * FOURFOLD) >> HIGHEST) - CENTRE
    return (total * GAIN + (1 << (GAIN_SHIFT - 1))) >> GAIN_SHIFT


@compiled_apart
def draw_lines(key_low, key_high, out, lines, row, sample, c2, c3):  # type: ignore[no-untyped-def]
    """Draw a normal in 2^-16 for each of the first lines."""
    first, c1, c2, c3 = np.uint64(row << 16), np.uint64(sample) & WORD, np.uint64(c2), np.uint64(c3)
    for pair in range((lines + 1) >> 1):
        counter = (first + np.uint64(pair)) & WORD
        out[2 * pair], out[2 * pair + 1] = normals(key_low, key_high, counter, c1, c2, c3)


@compiled_apart
def draw_errors(key_low, key_high, out, lines, row, sample, c2, c3, deviation):  # type: ignore[no-untyped-def]
    """Draw what comparators add to each of the first lines, in quanta; `deviation` is in 2^-16 of them."""
    draw_lines(key_low, key_high, out, lines, row, sample, c2, c3)
    for line in range(lines):
        out[line] = (deviation * out[line] + (1 << 31)) >> 32


@compiled
def read_normals(a, t, lines, row, sample, c2, layer):  # type: ignore[no-untyped-def]
    """Draw the normals of a read."""
    draw_lines(a.key_low, a.key_high, t.normals, lines, row, sample, c2, purpose_word(READ, layer))


@compiled
def compare_noise(a, lines, row, sample, c2, layer, error):  # type: ignore[no-untyped-def]
    """Set what the comparators of lines add, in quanta; it stays zero without noise."""
    if a.comparator_noise:
        c3 = purpose_word(COMPARE, layer)
        draw_errors(a.key_low, a.key_high, error, lines, row, sample, c2, c3, a.comparator_noise)


@compiled
def root(value):  # type: ignore[no-untyped-def]
    """floor(sqrt(value)), exactly."""
    found = np.int64(np.sqrt(np.float64(value)))
    found -= found * found > value
    found += (found + 1) * (found + 1) <= value
    return found


@compiled
def read_noise(share, variance, x):  # type: ignore[no-untyped-def]
    """What a read is off, in quanta; `share` is the read noise in 2^-16."""
    return (root(variance) * share * x + (1 << 31)) >> 32


@compiled_apart
def add_read_noise(z, variance, normals, lines, share):  # type: ignore[no-untyped-def]
    """Add to z of each of the first lines what its read is off."""
    for line in range(lines):
        z[line] += read_noise(share, variance[line], normals[line])
