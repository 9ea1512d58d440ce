"""The words of the host link that board and host share (docs/host-link.md)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from ..model.config import Config
from ..model.layer import generator_keys
from ..model.ledger import Count, Total
from ..model.lfsr import Bank

PROTOCOL = 4
SLOTS = 8
WINDOW = SLOTS - 1
CRC_BYTES = 4
REQUEST_HEADER_BYTES = 12
REQUEST_BYTES = REQUEST_HEADER_BYTES + CRC_BYTES
ANSWER_HEADER_BYTES = 6
ANSWER_BYTES = ANSWER_HEADER_BYTES + CRC_BYTES
LABEL_BYTES = 2
WORD_BYTES = 2
ADDRESS_BYTES = 3
CELL_BYTES = 2
GENERATOR_BYTES = 4
COUNTER_BYTES = 4
TRACE_BYTES = 4
COUNTERS = (*(total.name.lower() for total in Total), "busy_cycles")
LAYER_COUNTERS = tuple(count.name.lower() for count in Count)
MOST_COUNT = 255
GENERATOR_OPTION = 0x80
CARRY_OPTION = 0x80
CLOCKS_PER_BIT_MIN = 4


class Command(IntEnum):
    """What a host asks of a board."""

    OPEN = 1
    TRAIN = 2
    INFER = 3
    READ = 4
    WRITE = 5
    SEEK = 6
    COUNTERS = 7
    RESET = 8
    STORE = 9
    REPLAY = 10
    TRACE = 11
    REPLAY_BLOCK = 12


class Status(IntEnum):
    """How a board answers; the high bit tells an answer from a request."""

    OK = 0x80
    LENGTH = 0x81
    POSITION = 0x82
    UNKNOWN = 0x83
    CLOSED = 0x84
    PLACE = 0x85


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Lengths of the link's buffers and data, in bytes.

    Attributes
    ----------
    features, fired, votes : int
        A sample, what answers it in training, and in inference.
    counters : int
        All counters.
    buffer : int
        Request buffer, a power of two: at least four requests of a sample.
    slot : int
        An answer buffer, a power of two; it holds a frame.
    answer : int
        Longest answer, CRC included.
    """

    features: int
    fired: int
    votes: int
    counters: int
    buffer: int
    slot: int
    answer: int

    @classmethod
    def of(cls, config: Config) -> Self:
        """Of the board of `config`."""
        features, outputs = config.sizes[0], config.sizes[-1]
        counters = COUNTER_BYTES * (len(COUNTERS) + len(LAYER_COUNTERS) * config.layers)
        longest = ANSWER_BYTES + max(outputs, counters, 112)
        slot = 1 << (longest + longest // 254 + 1).bit_length()
        return cls(
            features=features,
            fired=-(-outputs // 8),
            votes=outputs,
            counters=counters,
            buffer=max(1024, 1 << (4 * (features + REQUEST_BYTES + LABEL_BYTES) - 1).bit_length()),
            slot=slot,
            answer=slot - 2 - slot // 254,
        )


def training_generators(config: Config) -> list[tuple[int, int]]:
    """Layer from 0 and number of each training generator, in the order of their states."""
    return [
        (layer - 1, int(generator))
        for layer in range(1, config.layers + 1)
        for generator, bank in generator_keys(config, layer)
        if bank is Bank.TRAIN
    ]
