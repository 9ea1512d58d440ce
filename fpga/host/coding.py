"""Samples as words of a board's memory (docs/host-link.md, "Stored samples")."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..protocol import WORD_BYTES
from ..sample_store import PAIRS

HEAD_WORDS = 2  # how many follow, and the label
AT_A_TIME = 4096
Words = NDArray[np.uint16]


@dataclass(frozen=True)
class Layout:
    """Where samples lie in a memory, one behind the other.

    Attributes
    ----------
    places : ndarray of int64, shape (samples,)
        Address of the first word of each.
    words : int
        Of all of them.
    """

    places: NDArray[np.int64]
    words: int

    @classmethod
    def of(cls, features: NDArray[np.uint8]) -> Self:
        """Of samples of `features`, shape (samples, inputs)."""
        ends = np.cumsum(lengths(features), dtype=np.int64)
        return cls(places=np.concatenate(([0], ends))[:-1], words=int(ends[-1]) if len(ends) else 0)


NO_LAYOUT = Layout(np.zeros(0, dtype=np.int64), 0)


def lengths(features: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Words of stored samples of `features`, shape (samples, inputs)."""
    groups = -(-features.shape[1] // (WORD_BYTES * PAIRS))
    kept = [np.count_nonzero(pairs, axis=1) for pairs in _pairs(features)]
    words: NDArray[np.int64] = HEAD_WORDS + groups + np.concatenate([np.zeros(0, dtype=np.int64), *kept])
    return words


def stored_words(features: NDArray[np.uint8], labels: NDArray[np.int64]) -> Iterator[Words]:
    """The words of samples, one behind the other, some thousand samples at a time.

    Parameters
    ----------
    features : ndarray of uint8, shape (samples, inputs)
    labels : ndarray of int64, shape (samples,)

    Yields
    ------
    ndarray of uint16
    """
    start = 0
    for pairs in _pairs(features):
        count = len(pairs)
        groups = np.pad(pairs, ((0, 0), (0, -pairs.shape[1] % PAIRS))).reshape(count, -1, PAIRS)
        ones = ((groups != 0) << np.arange(PAIRS)).sum(axis=2, dtype=np.uint16)
        body = np.concatenate((ones[..., np.newaxis], groups), axis=2).reshape(count, -1)
        kept = np.concatenate((np.ones_like(ones, dtype=np.bool_)[..., np.newaxis], groups != 0), axis=2)
        kept = np.pad(kept.reshape(count, -1), ((0, 0), (HEAD_WORDS, 0)), constant_values=True)
        head = np.stack((kept.sum(axis=1) - 1, labels[start : start + count]), axis=1).astype(np.uint16)
        yield np.concatenate((head, body), axis=1)[kept]
        start += count


def _pairs(features: NDArray[np.uint8]) -> Iterator[Words]:
    """Features two by two, the first one lower, some thousand samples at a time."""
    for start in range(0, len(features), AT_A_TIME):
        part = features[start : start + AT_A_TIME]
        whole = np.ascontiguousarray(np.pad(part, ((0, 0), (0, part.shape[1] % WORD_BYTES))))
        yield whole.view("<u2")
