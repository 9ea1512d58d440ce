"""How many samples a second a board trains: in its core, and over its link."""

from collections.abc import Iterable

import numpy as np

from ..model.config import Config
from .host.packets import Request
from .host.requests import Requests
from .identity import Identity
from .protocol import ANSWER_BYTES, REQUEST_BYTES

BITS_PER_BYTE = 10  # a start bit and a stop bit
COBS_BLOCK = 254  # a byte of overhead for each
MANY = 1000


def link_samples_per_second(config: Config, clock_hz: int) -> float:
    """Training samples that the serial line can carry in a second, with requests one behind the other.

    Answers come on the other wire meanwhile.

    Parameters
    ----------
    config : Config
    clock_hz : int
    """
    features, labels = np.zeros((MANY, config.sizes[0]), dtype=np.uint8), np.zeros(MANY, dtype=np.int64)
    return _samples_per_second(_requests(config, clock_hz).train(features, labels, 0, 0), config.baud)


def replay_samples_per_second(config: Config, clock_hz: int) -> float:
    """Samples of the board's memory whose order the serial line can carry in a second; as above.

    Parameters
    ----------
    config : Config
    clock_hz : int
    """
    return _samples_per_second(_requests(config, clock_hz).replay(np.zeros(MANY, dtype=np.int64), 0, 0), config.baud)


def core_samples_per_second(frequency_MHz: float, cycles_per_sample: float) -> float:
    """Training samples in a second at `frequency_MHz`."""
    return 1e6 * frequency_MHz / cycles_per_sample


def _requests(config: Config, clock_hz: int) -> Requests:
    return Requests(config, Identity.of(config, clock_hz))


def _samples_per_second(requests: Iterable[Request], baud: int) -> float:
    """With requests of the most samples, by whichever wire takes longer."""
    longest = max(requests, key=lambda request: request.count)
    packets = len(longest.data) + REQUEST_BYTES, longest.answer_bytes + ANSWER_BYTES
    frame = max(packet + -(-packet // COBS_BLOCK) + 1 for packet in packets)
    return longest.count * baud / (BITS_PER_BYTE * frame)
