"""The counter-based generator: everything random that is not an LFSR bit (section 3 of the specification)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORD = 0xFFFFFFFF

SEED_PURPOSE, WEIGHT_PURPOSE, SHUFFLE_PURPOSE = range(3)


def philox(key: int, c0: ArrayLike, c1: ArrayLike, c2: ArrayLike, c3: ArrayLike) -> NDArray[np.uint64]:
    """Philox4x32-10 of Salmon et al., SC11.

    Parameters
    ----------
    key : int
        64 bits; the low word is the first key word.
    c0, c1, c2, c3 : array_like of int
        Counter words, 32 bits each, broadcast against each other.

    Returns
    -------
    ndarray of uint64, shape (..., 4)
        The four 32-bit result words of every counter.
    """
    x0, x1, x2, x3 = np.broadcast_arrays(*(np.asarray(c, dtype=np.uint64) for c in (c0, c1, c2, c3)))
    k0, k1 = key & WORD, key >> 32
    for _ in range(ROUNDS):
        low0, high0 = _multiply(MULTIPLIERS[0], x0)
        low1, high1 = _multiply(MULTIPLIERS[1], x2)
        x0, x1, x2, x3 = high1 ^ x1 ^ np.uint64(k0), low1, high0 ^ x3 ^ np.uint64(k1), low0
        k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
    return np.stack([x0, x1, x2, x3], axis=-1)


def _multiply(multiplier: int, x: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    product = np.uint64(multiplier) * x
    return product & np.uint64(WORD), product >> np.uint64(32)
