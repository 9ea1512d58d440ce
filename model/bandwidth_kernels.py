"""Compiled loops that do nothing but move memory."""

import numpy as np
from numba import njit

compiled = njit(cache=True, error_model="numpy", nogil=True)


@compiled
def read(words, passes):  # type: ignore[no-untyped-def]
    """Read all words `passes` times; a different turn each time, so that no pass can be left out."""
    total = np.uint64(0)
    for turn in range(passes):
        for index in range(len(words)):
            total ^= words[index] + np.uint64(turn)
    return total


@compiled
def update(words, passes):  # type: ignore[no-untyped-def]
    """Read and write all words `passes` times."""
    for turn in range(passes):
        for index in range(len(words)):
            words[index] += np.uint64(turn)
