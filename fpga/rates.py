"""How many samples a second a board trains: in its core, and over its link."""

from collections.abc import Iterable

import numpy as np

from ..model.config import Config
from .host.packets import Request
from .host.requests import Requests, by_blocks
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
    return _samples_per_second([_longest(_requests(config, clock_hz).train(features, labels, 0, 0))], config.baud)


def replay_samples_per_second(config: Config, clock_hz: int) -> float:
    """Samples of the board's memory whose order the serial line can carry in a second; as above.

    Parameters
    ----------
    config : Config
        With a `shuffle_block` of many samples, blocks are replayed.
    clock_hz : int
    """
    requests = _requests(config, clock_hz)
    if by_blocks(config):
        block = np.zeros(config.shuffle_block, dtype=np.int64)
        return _samples_per_second(requests.replay_blocks(block, 0, 0, block == 0), config.baud)
    return _samples_per_second([_longest(requests.replay(np.zeros(MANY, dtype=np.int64), 0, 0))], config.baud)


def core_samples_per_second(frequency_MHz: float, cycles_per_sample: float) -> float:
    """Training samples in a second at `frequency_MHz`."""
    return 1e6 * frequency_MHz / cycles_per_sample


def _requests(config: Config, clock_hz: int) -> Requests:
    return Requests(config, Identity.of(config, clock_hz))


def _longest(requests: Iterable[Request]) -> Request:
    """The one of the most samples."""
    return max(requests, key=lambda request: request.count)


def _samples_per_second(requests: Iterable[Request], baud: int) -> float:
    """Those of `requests`, by whichever wire takes longer."""
    samples, sent, answered = 0, 0, 0
    for request in requests:
        samples += request.count
        sent += _frame_bytes(len(request.data) + REQUEST_BYTES)
        answered += _frame_bytes(request.answer_bytes + ANSWER_BYTES)
    return samples * baud / (BITS_PER_BYTE * max(sent, answered))


def _frame_bytes(packet: int) -> int:
    return packet + -(-packet // COBS_BLOCK) + 1
