"""How many samples a second a board trains: in its core, and over its link."""

import numpy as np

from ..model.config import Config
from .host.requests import Requests
from .identity import Identity
from .protocol import REQUEST_BYTES

BITS_PER_BYTE = 10  # a start bit and a stop bit
COBS_BLOCK = 254  # a byte of overhead for each


def link_samples_per_second(config: Config, clock_hz: int, baud: int) -> float:
    """Training samples that the serial line can carry in a second, with requests one behind the other.

    Answers come on the other wire meanwhile, and are shorter.

    Parameters
    ----------
    config : Config
    clock_hz, baud : int
    """
    requests = Requests(config, Identity.of(config, clock_hz, baud))
    many = 1000
    features = np.zeros((many, config.sizes[0]), dtype=np.uint8)
    longest = max(requests.train(features, np.zeros(many, dtype=np.int64), 0, 0), key=lambda request: request.count)
    packet = len(longest.data) + REQUEST_BYTES
    frame = packet + -(-packet // COBS_BLOCK) + 1
    return longest.count * baud / (BITS_PER_BYTE * frame)


def core_samples_per_second(frequency_MHz: float, cycles_per_sample: float) -> float:
    """Training samples in a second at `frequency_MHz`."""
    return 1e6 * frequency_MHz / cycles_per_sample
