"""The machine on a bus as a Python object with the interface of the golden model."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Cells
from ...model.errors import BoardError, ConfigError
from ...model.lfsr import state_before, word_after
from ...model.trainer import (
    Features,
    Votes,
    check_generator_states,
    check_passes,
    check_samples,
    check_weights,
    predictions,
)
from ..protocol import COUNTERS, LAYER_COUNTERS, training_generators
from .definition import WORD_BITS, WORD_BYTES
from .registers import DIGEST_WORDS, IDENTITY, LAYOUT, RESULT_HEADER_WORDS, SAMPLE_HEADER, WordCounts, register_map

Words = NDArray[np.uint32]
MOST_RESULTS = 1024
MOST_POLLS = 1000


class BusMachine:
    """A machine whose registers can be read and written.

    Parameters
    ----------
    read : callable
        Reads the word at an offset in bytes; as ``MMIO.read`` of PYNQ.
    write : callable
        Writes a word at an offset; as ``MMIO.write`` of PYNQ.
    config : Config
        The machine that is expected.
    transfer : callable, optional
        Sends words to the stream of samples as one packet, and returns so many words of one packet of results; without
        it, words go through registers.

    Raises
    ------
    BoardError
        If it is no stochastor, or one with other registers.
    ConfigError
        If it has another configuration.
    """

    def __init__(
        self,
        read: Callable[[int], int],
        write: Callable[[int, int], None],
        config: Config,
        transfer: Callable[[Words, int], Words] | None = None,
    ) -> None:
        self.config = config
        self._read = read
        self._write = write
        self._transfer = transfer
        self._counts = WordCounts.of(config)
        # The offsets are the same with streams and without.
        self._map = register_map(config, streams=True)
        self._offsets = self._map.offsets
        self._check_identity()
        self._choose_way()

    def get(self, name: str) -> int:
        """Read a register."""
        return int(self._read(self._offsets[name]))

    def set(self, name: str, **fields: int) -> None:
        """Write a register, fields by name; the others become 0."""
        self._write(self._offsets[name], self._map[name].word(**fields))

    def fields(self, name: str) -> dict[str, int]:
        """Read a register, field by field."""
        word = self.get(name)
        return {field.name: field.value(word) for field in self._map[name].fields}

    @property
    def samples_trained(self) -> int:
        """Number of the next training sample."""
        return self.get("position")

    def train(self, features: Features, labels: Sequence[int] | NDArray[np.int64], exponent: int = 0) -> Votes:
        """Train samples in the order given.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        labels : sequence of int, shape (samples,)
        exponent : int
            k of all samples.

        Returns
        -------
        ndarray of int64, shape (samples, outputs)
            Fired bits of the output layer.

        Raises
        ------
        DataError
            If a sample does not fit the machine; none is trained then.
        BoardError
            If the machine reports an error.
        """
        check_samples(self.config, features, labels, exponent)
        first = self.samples_trained
        headers = [
            SAMPLE_HEADER.word(label=int(label), exponent=exponent, carry=int(self.config.carries_after(number)))
            for number, label in enumerate(labels, start=first)
        ]
        return self._exchange(np.asarray(features), np.array(headers, dtype=np.uint32), first)

    def infer(self, features: Features, passes: int = 16) -> Votes:
        """Classify samples by votes over `passes` stochastic passes, shape (samples, outputs); raises as `train`."""
        check_samples(self.config, features)
        check_passes(passes)
        headers = np.full(len(features), SAMPLE_HEADER.word(infer=1, passes=passes), dtype=np.uint32)
        headers[:1] |= SAMPLE_HEADER.word(reseed=1)
        return self._exchange(np.asarray(features), headers, 0)

    def predict(self, features: Features, passes: int = 16) -> NDArray[np.int64]:
        """Classes with the most votes, shape (samples,); raises as `train`."""
        return predictions(self.infer(features, passes))

    def weights(self) -> list[Cells]:
        """Cells of layers 1 to L, each of shape (rows, columns * carry_digits), in steps."""
        cells = []
        for layer in range(self.config.layers):
            self._go_to(layer)
            shape = self.config.rows(layer + 1), self.config.cell_columns(layer + 1)
            words = [self.get("value") for _ in range(shape[0] * shape[1])]
            cells.append(np.array(words, dtype=np.uint32).view(np.int32).reshape(shape))
        self.check_errors()
        return cells

    def load(self, weights: Sequence[Cells]) -> None:
        """Write the cells of all layers.

        Raises
        ------
        RunError
            If a shape or a cell does not fit; nothing is changed then.
        """
        check_weights(self.config, weights)
        for layer, matrix in enumerate(weights):
            self._go_to(layer)
            for cell in matrix.ravel().tolist():
                self.set("value", value=cell % (1 << WORD_BITS))
        self.check_errors()

    def generator_states(self) -> list[int]:
        """States of the training generators, by layer and generator number."""
        states = []
        for layer, generator in training_generators(self.config):
            self._go_to(layer, generator=generator)
            states.append(state_before(self.get("value")))
        self.check_errors()
        return states

    def restore(self, weights: Sequence[Cells], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state.

        Raises
        ------
        RunError
            If the state is not one of this machine.
        """
        check_generator_states(self.config, generator_states)
        self.load(weights)
        for (layer, generator), state in zip(training_generators(self.config), generator_states, strict=True):
            self._go_to(layer, generator=generator)
            self.set("value", value=word_after(int(state)))
        self.set("position", value=samples_trained % (1 << WORD_BITS))
        self.check_errors()

    def counters(self) -> dict[str, int | list[int]]:
        """The hardware's counters by name; those of layers as a list."""
        layers = range(self.config.layers)
        counters: dict[str, int | list[int]] = {name: self._counter(name) for name in COUNTERS}
        for name in LAYER_COUNTERS:
            counters[name] = [self._counter(f"layers[{layer}].{name}") for layer in layers]
        return counters

    def reset(self) -> None:
        """Reset the machine: generators, counters and the number of the next sample; cells stay."""
        self._act(reset=1)

    def abort(self) -> None:
        """Drop the samples that are not begun; the one under way is finished, and results in registers are dropped."""
        self._act(abort=1)

    def check_errors(self) -> None:
        """Look whether the machine reports errors, and clear them.

        Raises
        ------
        BoardError
            Naming them.
        """
        if errors := {name: 1 for name, value in self.fields("errors").items() if value}:
            self.set("errors", **errors)
            raise BoardError(f"the machine reports {' and '.join(errors)}: see `errors` in docs/buses.md")

    def _act(self, **fields: int) -> None:
        """Set bits of CONTROL besides those that are, and wait for the end of what is under way."""
        self._write(self._offsets["control"], self.get("control") | self._map["control"].word(**fields))
        idle = False
        while not idle or self.get("waiting"):
            idle = bool(self.fields("status")["idle"])
            for _ in range(self.get("waiting")):
                self.get("result")

    def _exchange(self, features: NDArray[np.uint8], headers: Words, first: int) -> Votes:
        """Send samples, the first one of number `first`, and take their results."""
        samples = self._words(features, headers)
        exchange = self._by_registers if self._transfer is None else self._by_streams
        parts = [samples[start : start + MOST_RESULTS] for start in range(0, len(samples), MOST_RESULTS)]
        nothing = np.zeros((0, self._counts.result), dtype=np.uint32)
        results = np.concatenate([nothing, *(exchange(part) for part in parts)])
        # A training sample's result comes before its update.
        while not self.fields("status")["idle"]:
            pass
        self.check_errors()
        numbers = (first + np.arange(len(samples))).astype(np.uint32)
        if not np.array_equal(results[:, 0], numbers):
            raise BoardError("the machine's results are not those of the samples: was another host at it?")
        votes = results[:, RESULT_HEADER_WORDS:].astype("<u4").view(np.uint8)
        return votes[:, : self.config.sizes[-1]].astype(np.int64)

    def _words(self, features: NDArray[np.uint8], headers: Words) -> Words:
        """Samples as words, shape (samples, words)."""
        inputs = WORD_BYTES * (self._counts.sample - 1)
        padded = np.pad(features, ((0, 0), (0, inputs - features.shape[1])))
        words: Words = np.column_stack([headers, padded.view("<u4")]).astype(np.uint32)
        return words

    def _by_streams(self, samples: Words) -> Words:
        assert self._transfer is not None
        self.set("packet", results=len(samples))
        return self._transfer(samples.ravel(), len(samples) * self._counts.result).reshape(len(samples), -1)

    def _by_registers(self, samples: Words) -> Words:
        """Write words as there is room, and read what waits."""
        results: list[int] = []
        words = iter(samples.ravel().tolist())
        wanted = len(samples) * self._counts.result
        while len(results) < wanted:
            for _, word in zip(range(self.get("room")), words, strict=False):
                self.set("sample", value=word)
            results += [self.get("result") for _ in range(self.get("waiting"))]
        return np.array(results, dtype=np.uint32).reshape(len(samples), -1)

    def _go_to(self, layer: int, generator: int | None = None) -> None:
        self.set("target", layer=layer, generator=int(generator is not None))
        self.set("address", row=generator or 0)

    def _choose_way(self) -> None:
        """Have samples and results come by the streams, or by registers."""
        streams = int(self._transfer is not None)
        self.set("control", run=1, streams=streams)
        for _ in range(MOST_POLLS):
            if self.fields("status")["streams"] == streams:
                return
        raise BoardError("the machine holds samples or results of another host: take them, or reset the bus")

    def _counter(self, name: str) -> int:
        low = self.get(f"{name}_low")
        return low | self.get(f"{name}_high") << WORD_BITS

    def _check_identity(self) -> None:
        if self.get("identity") != IDENTITY:
            raise BoardError("there is no stochastor at this address")
        layout = self.fields("version")["layout"]
        if layout != LAYOUT:
            raise BoardError(f"the machine has registers of layout {layout}, not {LAYOUT}")
        digest = b"".join(self.get(f"config{index}").to_bytes(WORD_BYTES, "little") for index in range(DIGEST_WORDS))
        if digest.hex() != self.config.digest:
            raise ConfigError(
                f"the machine has configuration {digest.hex()}, not {self.config.digest}: "
                "give the configuration that it was built with"
            )
