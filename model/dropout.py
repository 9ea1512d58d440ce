"""Dropout (Srivastava et al., JMLR 2014): which units of which sample are kept."""

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 16
WORDS_PER_DRAW = 4


class Dropout:
    """Masks of samples in the order of training: the mask of a sample depends on its number and the seed alone.

    A unit is dropped if its 16-bit word of PCG64 is below its rate times 2^16.

    Parameters
    ----------
    seed : int
    rates : ndarray of float64, shape (units,)
        How likely each unit is dropped, 0 to less than 1.

    Attributes
    ----------
    samples : int
        Samples whose masks were drawn; set it to go on from there.
    """

    def __init__(self, seed: int, rates: NDArray[np.float64]) -> None:
        self.samples = 0
        self._seed = seed
        self._bounds = np.minimum(np.round(rates * 2**WORD_BITS), 2**WORD_BITS - 1).astype(np.uint16)
        self._draws = -(-len(rates) // WORDS_PER_DRAW)

    def draw(self, samples: int) -> NDArray[np.bool_]:
        """Which units are kept in the next `samples` samples, shape (samples, units)."""
        generator = np.random.PCG64(self._seed)
        generator.advance(self.samples * self._draws)
        words = generator.random_raw(samples * self._draws).astype("<u8", copy=False).view("<u2")
        self.samples += samples
        words = words.reshape(samples, self._draws * WORDS_PER_DRAW)[:, : len(self._bounds)]
        kept: NDArray[np.bool_] = words >= self._bounds
        return kept
