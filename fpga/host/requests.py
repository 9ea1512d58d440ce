"""What a host wants, as requests that fit the board's buffers."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...hdl.cycles import most_access_cycles, most_cycles
from ...model.config import Config
from ...model.crossbar import Cells
from ...model.lfsr import word_after
from ..identity import Identity
from ..protocol import (
    ADDRESS_BYTES,
    ANSWER_BYTES,
    CARRY_OPTION,
    CELL_BYTES,
    GENERATOR_BYTES,
    GENERATOR_OPTION,
    LABEL_BYTES,
    MOST_COUNT,
    REQUEST_BYTES,
    TRACE_BYTES,
    WORD_BYTES,
    Command,
    Sizes,
    training_generators,
)
from ..trace_recorder import INDEX_BITS, TracePart
from .packets import Request

BUFFERED = 4
CYCLES_PER_BYTE = 4
WORTH_A_REQUEST = 8  # samples of a block that cost the line less by a request of their own than by an address each


def by_blocks(config: Config) -> bool:
    """Whether epochs of `config` are replayed by blocks."""
    return config.shuffle_block >= WORTH_A_REQUEST


class Requests:
    """Makes requests for the board of `config` that `identity` tells of."""

    def __init__(self, config: Config, identity: Identity) -> None:
        self._config = config
        self._sizes = Sizes.of(config)
        self._most_data = identity.buffer_bytes // BUFFERED - REQUEST_BYTES
        self._most_answer = identity.answer_bytes - ANSWER_BYTES
        self._sample_cycles = most_cycles(config)

    def train(
        self, features: NDArray[np.uint8], labels: NDArray[np.int64], exponent: int, first: int
    ) -> Iterator[Request]:
        """Requests that train samples, the first of which has the number `first`."""
        return self._trained(Command.TRAIN, _sample_bytes(features, labels), exponent, first)

    def replay(self, places: NDArray[np.int64], exponent: int, first: int) -> Iterator[Request]:
        """Requests that train the samples stored at `places`, the first of which has the number `first`."""
        return self._trained(Command.REPLAY, _address_bytes(places), exponent, first)

    def replay_blocks(
        self, places: NDArray[np.int64], exponent: int, first: int, follow: NDArray[np.bool_]
    ) -> Iterator[Request]:
        """Requests that train the samples stored at `places`, without asking what fired.

        Parameters
        ----------
        places : ndarray of int64, shape (samples,)
        exponent, first : int
            As of `replay`.
        follow : ndarray of bool, shape (samples,)
            Whether a sample lies right behind the one before it; such need no address.
        """
        addresses = _address_bytes(places)
        begins = np.flatnonzero(~follow | (np.arange(len(places)) == 0))
        for begin, end in pairwise((*begins.tolist(), len(places))):
            for start, stop, carries in self._parts(begin, end, MOST_COUNT, first):
                yield Request(
                    command=Command.REPLAY_BLOCK,
                    word=(first + start) % (1 << 32),
                    option=exponent | (CARRY_OPTION if carries else 0),
                    count=stop - start,
                    data=addresses[start].tobytes(),
                    cycles=(stop - start) * self._sample_cycles,
                )

    def store(self, words: NDArray[np.uint16], first: int) -> Iterator[Request]:
        """Requests that write words to the memory, from the address `first` on."""
        most = min(MOST_COUNT, self._most_data // WORD_BYTES)
        for start in range(0, len(words), most):
            part = words[start : start + most]
            yield Request(
                command=Command.STORE,
                word=first + start,
                count=len(part),
                data=part.astype("<u2").tobytes(),
                cycles=self._sample_cycles + part.size * WORD_BYTES * CYCLES_PER_BYTE,
            )

    def _trained(self, command: Command, samples: NDArray[np.uint8], exponent: int, first: int) -> Iterator[Request]:
        """Requests of samples as `command` names them, a row each; a carry ends a request."""
        most = self._samples_at_once(samples.shape[1], self._sizes.fired)
        for start, stop, carries in self._parts(0, len(samples), most, first):
            yield Request(
                command=command,
                word=(first + start) % (1 << 32),
                option=exponent | (CARRY_OPTION if carries else 0),
                count=stop - start,
                data=samples[start:stop].tobytes(),
                answer_bytes=(stop - start) * self._sizes.fired,
                cycles=(stop - start) * self._sample_cycles,
            )

    def _parts(self, begin: int, end: int, most: int, first: int) -> Iterator[tuple[int, int, bool]]:
        """Samples from `begin` to `end` in parts of `most` or less, each with whether a carry ends it."""
        start = begin
        while start < end:
            stop = min(start + most, end)
            carries = [i for i in range(start, stop) if self._config.carries_after(first + i)]
            stop = carries[0] + 1 if carries else stop
            yield start, stop, bool(carries)
            start = stop

    def infer(self, features: NDArray[np.uint8], passes: int) -> Iterator[Request]:
        """Requests of an inference call."""
        most = self._samples_at_once(self._sizes.features, self._sizes.votes)
        for start in range(0, len(features), most):
            part = features[start : start + most]
            yield Request(
                command=Command.INFER,
                word=start,
                option=passes,
                count=len(part),
                data=part.tobytes(),
                answer_bytes=len(part) * self._sizes.votes,
                cycles=len(part) * passes * self._sample_cycles,
            )

    def read_cells(self) -> Iterator[Request]:
        """Requests that read all cells, layer by layer."""
        most = min(MOST_COUNT, self._most_answer // CELL_BYTES)
        for layer, _, count, word in self._cells(most):
            yield Request(
                command=Command.READ,
                word=word,
                option=layer,
                count=count,
                answer_bytes=count * CELL_BYTES,
                cycles=self._word_cycles(count),
            )

    def write_cells(self, weights: Sequence[Cells]) -> Iterator[Request]:
        """Requests that write all cells."""
        most = min(MOST_COUNT, self._most_data // CELL_BYTES)
        contents = [matrix.astype("<i2").ravel() for matrix in weights]
        for layer, start, count, word in self._cells(most):
            yield Request(
                command=Command.WRITE,
                word=word,
                option=layer,
                count=count,
                data=contents[layer][start : start + count].tobytes(),
                cycles=self._word_cycles(count),
            )

    def read_generators(self) -> Iterator[Request]:
        """Requests that read the next words of the training generators."""
        for layer, generator in training_generators(self._config):
            yield Request(
                command=Command.READ,
                word=generator,
                option=layer | GENERATOR_OPTION,
                count=1,
                answer_bytes=GENERATOR_BYTES,
                cycles=self._word_cycles(1),
            )

    def write_generators(self, states: Sequence[int]) -> Iterator[Request]:
        """Requests that put the training generators into `states`."""
        for (layer, generator), state in zip(training_generators(self._config), states, strict=True):
            yield Request(
                command=Command.WRITE,
                word=generator,
                option=layer | GENERATOR_OPTION,
                count=1,
                data=word_after(int(state)).to_bytes(GENERATOR_BYTES, "little"),
                cycles=self._word_cycles(1),
            )

    def seek(self, number: int) -> Request:
        """Say which training sample is next."""
        return Request(command=Command.SEEK, word=number % (1 << 32), cycles=self._sample_cycles)

    def counters(self) -> Request:
        """Read the counters; a board may have none."""
        return Request(
            command=Command.COUNTERS,
            answer_bytes=self._sizes.counters,
            may_be_empty=True,
            cycles=self._word_cycles(self._sizes.counters),
        )

    def read_nothing_of_trace(self) -> Request:
        """Ask for no word of a trace: whether there is one."""
        return Request(command=Command.TRACE, cycles=self._sample_cycles)

    def read_trace(self, layer: int, part: TracePart, words: int) -> Iterator[Request]:
        """Requests that read a part of the last sample's trace, `layer` from 0."""
        most = min(MOST_COUNT, self._most_answer // TRACE_BYTES)
        for start in range(0, words, most):
            count = min(most, words - start)
            yield Request(
                command=Command.TRACE,
                word=start | part << INDEX_BITS,
                option=layer,
                count=count,
                answer_bytes=count * TRACE_BYTES,
                cycles=self._word_cycles(count),
            )

    def reset(self) -> Request:
        """Reset the machine."""
        return Request(command=Command.RESET, cycles=self._sample_cycles)

    def _samples_at_once(self, sample_bytes: int, result_bytes: int) -> int:
        fit = min(self._most_data // sample_bytes, self._most_answer // max(result_bytes, 1), MOST_COUNT)
        return max(fit, 1)

    def _cells(self, most: int) -> Iterator[tuple[int, int, int, int]]:
        """Layer from 0, index of the first cell, cells, and the word that says where they are."""
        for layer in range(self._config.layers):
            columns = self._config.cell_columns(layer + 1)
            cells = self._config.rows(layer + 1) * columns
            for start in range(0, cells, most):
                row, column = divmod(start, columns)
                yield layer, start, min(most, cells - start), row | column << 16

    def _word_cycles(self, words: int) -> int:
        return self._sample_cycles + words * (GENERATOR_BYTES * CYCLES_PER_BYTE + most_access_cycles(self._config))


def _address_bytes(places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Addresses, a row each."""
    return places.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :ADDRESS_BYTES]


def _sample_bytes(features: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Samples with their labels, a row each."""
    return np.hstack((labels.astype("<u2").view(np.uint8).reshape(-1, LABEL_BYTES), features))
