"""A board as a Python object with the interface of the golden model."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Cells
from ...model.errors import BoardError, BoardResetError, ConfigError, DataError
from ...model.lfsr import state_before
from ...model.trace import Trace
from ...model.trainer import (
    Features,
    Votes,
    check_generator_states,
    check_passes,
    check_samples,
    check_weights,
    predictions,
)
from ..protocol import COUNTER_BYTES, COUNTERS, LAYER_COUNTERS
from .coding import NO_LAYOUT, Layout, lengths, stored_words
from .link import Link
from .packets import Request
from .requests import Requests
from .stored import NOTHING_STORED, Stored
from .traces import TraceReader
from .transport import Transport

Progress = Callable[[int], None]


def _silent(samples: int) -> None:
    """Progress that nobody asks for."""


class Board:
    """A board at the other end of a transport.

    Parameters
    ----------
    transport : Transport
    config : Config
        The machine that the board must have.
    sessions : iterable of int
        Sessions of an earlier host that this one goes on with.
    stored : Stored
        What an earlier host knew to be in the board's memory.
    new_session : callable, optional
        Gives the number of a session; random by default.

    Attributes
    ----------
    identity : Identity
        What the board says of itself.
    samples_trained : int
        Training samples of which the board has told that they are done; after `open`, all that are done.
    continued : bool
        The board has not been reset since one of this host's sessions.
    stored : Stored
        What is known to be in the board's memory.
    link : Link

    Raises
    ------
    BoardError
        If nothing answers, or it speaks another protocol.
    ConfigError
        If the board has another configuration.
    LinkLostError
        If the line is gone.
    """

    def __init__(
        self,
        transport: Transport,
        config: Config,
        *,
        sessions: Iterable[int] = (),
        stored: Stored = NOTHING_STORED,
        new_session: Callable[[], int] | None = None,
    ) -> None:
        self.config = config
        self.stored = stored
        self._layout = NO_LAYOUT
        self.link = Link(transport, sessions) if new_session is None else Link(transport, sessions, new_session)
        self.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def open(self) -> None:
        """Open a session; what the board had begun is aborted between samples. Raises as the class."""
        opened = self.link.open()
        self.identity = opened.identity
        self.continued = opened.continued
        self.samples_trained = opened.position
        self.stored = self.stored.after(opened.previous, self.link.session)
        _check_identity(self.config, self)
        self._requests = Requests(self.config, opened.identity)

    def reopen(self) -> None:
        """Open a session if there is none, since an exchange was interrupted.

        Raises
        ------
        BoardResetError
            If the board was reset meanwhile.
        """
        if not self.link.session:
            self.open()
            if not self.continued:
                raise BoardResetError("the board was reset: its state is not what it was")

    def abort(self) -> None:
        """Drop what the board has accepted and not begun; the sample under way is finished."""
        self.open()

    def close(self) -> None:
        """Give the line back."""
        self.link.transport.close()

    def train(
        self,
        features: Features,
        labels: Sequence[int] | NDArray[np.int64],
        exponent: int = 0,
        progress: Progress = _silent,
    ) -> Votes:
        """Train samples in the order given.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        labels : sequence of int, shape (samples,)
        exponent : int
            k of all samples.
        progress : callable
            Called with the number of samples done, again and again.

        Returns
        -------
        ndarray of int64, shape (samples, outputs)
            Fired bits of the output layer.

        Raises
        ------
        DataError
            If a sample does not fit the machine; none is trained then.
        LinkLostError, BoardResetError, BoardError
            If the link or the board fails; `samples_trained` counts those that the board told of.
        """
        check_samples(self.config, features, labels, exponent)
        features, labels = np.asarray(features), np.asarray(labels, dtype=np.int64)
        requests = self._requests.train(features, labels, int(exponent), self.samples_trained)
        return self._train(requests, len(labels), progress)

    @property
    def capacity(self) -> int:
        """Words of 16 bits that the board's memory holds; 0 if it has none."""
        return self.identity.capacity

    def room(self, features: Features) -> int:
        """How many of the samples of `features`, shape (samples, inputs), from the first on, fit the memory."""
        return int(np.searchsorted(np.cumsum(lengths(np.asarray(features))), self.capacity, side="right"))

    def store(
        self, features: Features, labels: Sequence[int] | NDArray[np.int64], progress: Progress = _silent
    ) -> None:
        """Keep samples in the board's memory, in place of those that are there, unless they are known to be there.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        labels : sequence of int, shape (samples,)
        progress : callable
            Called with the number of samples stored, again and again.

        Raises
        ------
        DataError
            If a sample does not fit the machine, or not all of them the memory; nothing is stored then.
        LinkLostError, BoardResetError, BoardError
            If the link or the board fails; what is stored is not known then.
        """
        check_samples(self.config, features, labels)
        features, labels = np.asarray(features), np.asarray(labels, dtype=np.int64)
        layout = Layout.of(features)
        if layout.words > self.capacity:
            raise DataError(
                f"{len(labels)} samples take {layout.words:,} words, and the board's memory holds {self.capacity:,}"
            )
        if not self.stored.are(features, labels):
            self.stored = NOTHING_STORED
            self._store(features, labels, layout, progress)
            self.stored = Stored.of(features, labels, self.link.session)
        self._layout = layout
        progress(len(labels))

    def _store(self, features: Features, labels: NDArray[np.int64], layout: Layout, progress: Progress) -> None:
        first = 0
        for words in stored_words(features, labels):
            requests = list(self._requests.store(words, first))
            with closing(self.link.exchange(requests)) as answers:
                for request, _ in zip(requests, answers, strict=True):
                    progress(int(np.searchsorted(layout.places, request.word + request.count)))
            first += len(words)

    def replay(
        self, numbers: Sequence[int] | NDArray[np.int64], exponent: int = 0, progress: Progress = _silent
    ) -> Votes:
        """Train stored samples in the order of `numbers`, which count from 0 in the order in which they were stored.

        Parameters
        ----------
        numbers : sequence of int, shape (samples,)
        exponent : int
            k of all samples.
        progress : callable
            As of `train`.

        Returns
        -------
        ndarray of int64, shape (samples, outputs)
            Fired bits of the output layer.

        Raises
        ------
        DataError
            If `exponent` is out of range.
        BoardError
            If a sample is not known to be in the memory; none is trained then.
        LinkLostError, BoardResetError, BoardError
            As of `train`.
        """
        chosen = self._stored_samples(numbers, exponent)
        requests = self._requests.replay(self._layout.places[chosen], int(exponent), self.samples_trained)
        return self._train(requests, len(chosen), progress)

    def replay_blocks(
        self, numbers: Sequence[int] | NDArray[np.int64], exponent: int = 0, progress: Progress = _silent
    ) -> None:
        """Train stored samples as `replay` does, without asking what fired; raises as that.

        A block, samples whose numbers count up by one, crosses the line as one address, whatever its length.

        Parameters
        ----------
        numbers, exponent, progress
            As of `replay`.
        """
        chosen = self._stored_samples(numbers, exponent)
        follow = np.diff(chosen, prepend=-2) == 1
        requests = list(
            self._requests.replay_blocks(self._layout.places[chosen], int(exponent), self.samples_trained, follow)
        )
        done = 0
        with closing(self.link.exchange(requests)) as answers:
            for request, _ in zip(requests, answers, strict=True):
                self.samples_trained += request.count
                done += request.count
                progress(done)

    def _stored_samples(self, numbers: Sequence[int] | NDArray[np.int64], exponent: int) -> NDArray[np.int64]:
        """`numbers`, if they are known to be stored."""
        chosen = np.asarray(numbers, dtype=np.int64)
        check_samples(self.config, np.zeros((0, self.config.sizes[0]), dtype=np.uint8), None, exponent)
        known = min(self.stored.samples, len(self._layout.places))
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < known:
            raise BoardError(
                f"samples {chosen.min()} to {chosen.max()} are wanted, and {known} are known to be in the board's "
                "memory: store them"
            )
        return chosen

    def _train(self, requests: Iterable[Request], samples: int, progress: Progress) -> Votes:
        outputs, first = self.config.sizes[-1], self.samples_trained
        fired = np.zeros((samples, outputs), dtype=np.int64)
        with closing(self.link.exchange(requests)) as answers:
            for data in answers:
                packed = np.frombuffer(data, dtype=np.uint8).reshape(-1, -(-outputs // 8))
                done = self.samples_trained - first
                fired[done : done + len(packed)] = np.unpackbits(packed, axis=1, bitorder="little")[:, :outputs]
                self.samples_trained += len(packed)
                progress(done + len(packed))
        return fired

    def trace(
        self,
        features: Features,
        labels: Sequence[int] | NDArray[np.int64],
        exponent: int = 0,
        progress: Progress = _silent,
    ) -> list[Trace]:
        """Train samples in the order given, and read after each what the machine did; as the golden model tells.

        Parameters
        ----------
        features, labels, exponent, progress
            As of `train`.

        Returns
        -------
        list of Trace
            Of each sample.

        Raises
        ------
        DataError
            If a sample does not fit the machine; none is trained then.
        BoardError
            If the board was built without traces; none is trained then, and the session is over.
        LinkLostError, BoardResetError, BoardError
            As of `train`.
        """
        check_samples(self.config, features, labels, exponent)
        reader = TraceReader(self.config, self.link, self._requests)
        reader.check()
        traces = []
        for sample, label in zip(np.asarray(features), labels, strict=True):
            number = self.samples_trained
            self.train(sample[np.newaxis], [int(label)], exponent)
            traces.append(reader.read(number, int(label), exponent))
            progress(len(traces))
        return traces

    def infer(self, features: Features, passes: int = 16, progress: Progress = _silent) -> Votes:
        """Classify samples by votes over `passes` stochastic passes; as the golden model does.

        Returns
        -------
        ndarray of int64, shape (samples, outputs)

        Raises
        ------
        DataError
            If the samples do not fit the machine or `passes` is out of range.
        LinkLostError, BoardResetError, BoardError
            If the link or the board fails.
        """
        check_samples(self.config, features)
        check_passes(passes)
        outputs = self.config.sizes[-1]
        votes = np.zeros((len(features), outputs), dtype=np.int64)
        done = 0
        with closing(self.link.exchange(self._requests.infer(np.asarray(features), int(passes)))) as answers:
            for data in answers:
                part = np.frombuffer(data, dtype=np.uint8).reshape(-1, outputs)
                votes[done : done + len(part)] = part
                done += len(part)
                progress(done)
        return votes

    def predict(self, features: Features, passes: int = 16) -> NDArray[np.int64]:
        """Classes with the most votes, shape (samples,); raises as `infer`."""
        return predictions(self.infer(features, passes))

    def weights(self) -> list[Cells]:
        """Cells of layers 1 to L, each of shape (rows, columns * carry_digits), in steps."""
        flat = np.frombuffer(b"".join(self.link.exchange(self._requests.read_cells())), dtype="<i2").astype(np.int32)
        shapes = [(self.config.rows(layer), self.config.cell_columns(layer)) for layer in self._layers()]
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    def load(self, weights: Sequence[Cells]) -> None:
        """Write the cells of all layers.

        Raises
        ------
        RunError
            If a shape or a cell does not fit; nothing is changed then.
        """
        check_weights(self.config, weights)
        self._do(self._requests.write_cells(weights))

    def generator_states(self) -> list[int]:
        """States of the training generators, by layer and generator number."""
        words = self.link.exchange(self._requests.read_generators())
        return [state_before(int.from_bytes(data, "little")) for data in words]

    def restore(self, weights: Sequence[Cells], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state.

        Raises
        ------
        RunError
            If the state is not one of this machine.
        """
        check_generator_states(self.config, generator_states)
        self.load(weights)
        self._do(self._requests.write_generators(generator_states))
        self._do([self._requests.seek(samples_trained)])
        self.samples_trained = samples_trained

    def counters(self) -> dict[str, int | list[int]]:
        """The hardware's counters by name; those of layers as a list. Empty if the board was built without."""
        numbers = np.frombuffer(self.link.ask(self._requests.counters()), dtype=f"<u{COUNTER_BYTES}").tolist()
        if not numbers:
            return {}
        totals, layers = numbers[: len(COUNTERS)], numbers[len(COUNTERS) :]
        counters: dict[str, int | list[int]] = dict(zip(COUNTERS, totals, strict=True))
        return counters | {name: layers[index :: len(LAYER_COUNTERS)] for index, name in enumerate(LAYER_COUNTERS)}

    def reset(self) -> None:
        """Reset the machine: generators, counters and the number of the next sample; cells stay."""
        self._do([self._requests.reset()])
        self.samples_trained = 0

    def _do(self, requests: Iterable[Request]) -> None:
        for _ in self.link.exchange(requests):
            pass

    def _layers(self) -> range:
        return range(1, self.config.layers + 1)


def _check_identity(config: Config, board: Board) -> None:
    name, identity = board.link.transport.name, board.identity
    if identity.config != config.digest:
        raise ConfigError(
            f"{name}: the board has configuration {identity.config}, not {config.digest}: "
            "give the configuration that it was built with"
        )
