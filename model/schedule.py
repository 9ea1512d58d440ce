"""What a run feeds the machine: the order of samples and the thinning exponent (section 9 of the specification)."""

import numpy as np
from numpy.typing import NDArray

from .philox import SHUFFLE_PURPOSE, philox


def exponent(epoch: int, epochs: int) -> int:
    """k of `epoch` (0 to epochs - 1): 0 for two thirds of the run, then 1, 2, 3, 4 in steps."""
    rest = 3 * epoch - 2 * epochs
    return 0 if rest < 0 else 1 + 4 * rest // epochs


def sample_order(master: int, epoch: int, samples: int, block: int = 1) -> NDArray[np.int64]:
    """Indices of the training samples in the order of `epoch`, shape (samples,); `block` of them stay together."""
    words = philox(master, np.arange(-(-samples // block)), epoch, 0, SHUFFLE_PURPOSE)
    keys = (words[:, 0] << np.uint64(32)) | words[:, 1]
    order = (block * np.argsort(keys, kind="stable")[:, np.newaxis] + np.arange(block)).ravel()
    return order[order < samples]
