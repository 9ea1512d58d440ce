"""Samplers: where random bytes turn numbers into bits (sections 6 and 7 of the specification)."""

import numpy as np
from numpy.typing import NDArray

from .crossbar import Address, Crossbar
from .lfsr import Lfsr

Bits = NDArray[np.bool_]
Codes = NDArray[np.int64]


def bernoulli(features: NDArray[np.uint8], generator: Lfsr) -> Bits:
    """Binarize the input: [x_i > r_i], shape (inputs,)."""
    return features > generator.draw(len(features))


def fire(crossbar: Crossbar, address: Address, thresholds: Codes, generator: Lfsr) -> Bits:
    """Binarize the activation: [z_j > T(r_j)], shape (columns,), of the read that `crossbar` holds."""
    return crossbar.compare(address, thresholds[generator.draw(crossbar.columns)])


def random_window(crossbar: Crossbar, address: Address, windows: Codes, generator: Lfsr) -> Bits:
    """Binarize the derivative: [|z_j| < U(r_j)], shape (columns,), the same r_j at both ends."""
    return _inside(crossbar, address, windows[generator.draw(crossbar.columns)])


def fixed_window(crossbar: Crossbar, address: Address, window: int) -> Bits:
    """Binarize the derivative without randomness: [|z_j| < U], shape (columns,)."""
    return _inside(crossbar, address, np.full(crossbar.columns, window))


def xor(crossbar: Crossbar, address: Address, thresholds: Codes, generator: Lfsr) -> Bits:
    """Binarize the derivative as the difference of two fresh activations, shape (columns,)."""
    first = fire(crossbar, address, thresholds, generator)
    second = fire(crossbar, address._replace(comparison=address.comparison + 1), thresholds, generator)
    return first ^ second


def keep_rows(rows: NDArray[np.int64], line_count: int, exponent: int, generator: Lfsr) -> NDArray[np.int64]:
    """Thin row events: keep a row with probability 2^-exponent.

    Parameters
    ----------
    rows : ndarray of int64
        Row events, ascending.
    line_count : int
        Rows of the crossbar; the lines of the draw.
    exponent : int
        k, 0 to 7; nothing is drawn for 0.
    """
    if exponent == 0:
        return rows
    low_bits = generator.draw(line_count)[rows] & ((1 << exponent) - 1)
    kept: NDArray[np.int64] = rows[low_bits == 0]
    return kept


def _inside(crossbar: Crossbar, address: Address, window: Codes) -> Bits:
    above = crossbar.compare(address, -window)
    beyond = crossbar.compare(address._replace(comparison=address.comparison + 1), window - 1)
    return above & ~beyond
