"""The learning machine: trains one sample at a time, votes over passes (sections 7 and 8 of the specification)."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .carry import Carried, split_digits
from .config import Config
from .crossbar import Address, Cells, Crossbar, IntegerCrossbar, initial_weights
from .errors import DataError, RunError
from .layer import Layer, generator_keys, row_events
from .ledger import Counts
from .lfsr import Bank
from .trace import Bits, LayerTrace, Rows, Signs, Trace

MAX_EXPONENT = 7
MAX_PASSES = 255
Features = NDArray[np.uint8]
Votes = NDArray[np.int64]
CrossbarFactory = Callable[[Config, int], Crossbar]
NOTHING_CARRIED = np.zeros(0, dtype=np.int64)


class Trainer:
    """The golden model of the whole machine.

    Parameters
    ----------
    config : Config
        The machine.
    crossbar : callable
        Called with the configuration and the number of each layer, 1 to L; returns its array.

    Attributes
    ----------
    samples_trained : int
    counts : Counts
        Events since the trainer was made.
    """

    def __init__(self, config: Config, crossbar: CrossbarFactory = IntegerCrossbar.of) -> None:
        self.config = config
        self.samples_trained = 0
        self.counts = Counts.none(config.layers)
        self._layers = [Layer(config, layer, crossbar(config, layer)) for layer in range(1, config.layers + 1)]
        self.load(power_up_weights(config))

    def train_sample(self, features: Features, label: int, exponent: int = 0) -> Trace:
        """Train one sample.

        Parameters
        ----------
        features : ndarray of uint8, shape (inputs,)
        label : int
            Class, 0 to outputs - 1.
        exponent : int
            k of the schedule, 0 to 7.

        Raises
        ------
        DataError
            If the sample does not fit the machine.
        """
        return self.train(np.asarray(features)[np.newaxis], [label], exponent)[0]

    def _train(self, features: Features, label: int, exponent: int) -> Trace:
        rows, fired = self._forward(features, self.samples_trained, Bank.TRAIN)
        error = (np.arange(self.config.sizes[-1]) == label).astype(np.int8) - fired[-1].astype(np.int8)
        gates, signs = self._backward(error)
        pulsed = self._update(rows, signs, exponent)
        carried = self._carry()
        cells_carried = [(c.up, c.down) for c in carried] or [(NOTHING_CARRIED, NOTHING_CARRIED) for _ in rows]
        sensed = [_sensed(g, upper) for g, upper in zip(gates, [*signs[1:], None], strict=True)]
        trace = Trace(
            number=self.samples_trained,
            label=label,
            exponent=exponent,
            layers=tuple(
                LayerTrace(
                    rows=np.concatenate(patterns),
                    fired=f,
                    gates=g,
                    sensed=s,
                    signs=d,
                    pulsed=p,
                    carried_up=up,
                    carried_down=down,
                )
                for patterns, f, g, s, d, p, (up, down) in zip(
                    rows, fired, gates, sensed, signs, pulsed, cells_carried, strict=True
                )
            ),
        )
        self.counts.add_sample(trace, carried)
        self.samples_trained += 1
        return trace

    def train(self, features: Features, labels: Sequence[int] | NDArray[np.int64], exponent: int = 0) -> list[Trace]:
        """Train samples in the order given.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        labels : sequence of int, shape (samples,)
        exponent : int
            k of all samples.

        Raises
        ------
        DataError
            If any sample does not fit the machine; none is trained then.
        """
        check_samples(self.config, features, labels, exponent)
        return [self._train(sample, int(label), exponent) for sample, label in zip(features, labels, strict=True)]

    def infer(self, features: Features, passes: int = 16) -> Votes:
        """Classify samples by votes over `passes` stochastic passes; training is not affected.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        passes : int
            T, 1 to 255.

        Returns
        -------
        ndarray of int64, shape (samples, outputs)
            Votes of each class; `predictions` turns them into labels.

        Raises
        ------
        DataError
            If the samples do not fit the machine or `passes` is out of range.
        """
        check_samples(self.config, features)
        check_passes(passes)
        for layer in self._layers:
            layer.reseed(Bank.INFER)
        votes = np.zeros((len(features), self.config.sizes[-1]), dtype=np.int64)
        for index, sample in enumerate(features):
            for presentation in range(passes):
                rows, fired = self._forward(sample, index * passes + presentation, Bank.INFER)
                self.counts.add_pass(rows)
                votes[index] += fired[-1]
        return votes

    def weights(self) -> list[Cells]:
        """Cells of layers 1 to L, each of shape (rows, columns * carry_digits), in steps."""
        return [layer.crossbar.dump() for layer in self._layers]

    def load(self, weights: Sequence[Cells]) -> None:
        """Write the cells of all layers, each of shape (rows, columns * carry_digits), in steps.

        Raises
        ------
        RunError
            If a shape or a cell does not fit; nothing is changed then.
        """
        check_weights(self.config, weights)
        for layer, matrix in zip(self._layers, weights, strict=True):
            layer.crossbar.load(matrix)

    def generator_states(self) -> list[int]:
        """States of the training generators, by layer and generator number."""
        return [lfsr.state for layer in self._layers for (_, bank), lfsr in layer.generators.items() if not bank]

    def restore(self, weights: Sequence[Cells], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state.

        Raises
        ------
        RunError
            If the state is not one of this machine.
        """
        check_generator_states(self.config, generator_states)
        self.load(weights)
        states = iter(generator_states)
        for layer in self._layers:
            for (_, bank), lfsr in layer.generators.items():
                if bank is Bank.TRAIN:
                    lfsr.state = int(next(states))
        self.samples_trained = samples_trained

    def _forward(self, features: Features, sample: int, bank: Bank) -> tuple[list[list[Rows]], list[Bits]]:
        """The row events of each layer, a list for each of its patterns, and what it fired."""
        rows = [self._layers[0].draw_input(features, bank)]
        fired: list[Bits] = []
        for layer in self._layers:
            address = Address(sample, layer.index, bank is Bank.TRAIN)
            fired.append(layer.forward(address, np.concatenate(rows[-1]), bank))
            rows.append([row_events(fired[-1])])
        return rows[:-1], fired

    def _backward(self, error: Signs) -> tuple[list[Bits], list[Signs]]:
        gates = [np.zeros(0, dtype=np.bool_) for _ in self._layers]
        signs = [np.zeros(columns, dtype=np.int8) for columns in self.config.sizes[1:-1]] + [error]
        if not error.any():
            return gates, signs
        for index, layer in enumerate(self._layers[:-1]):
            gates[index] = layer.open_gates(self._address(layer))
        for index in reversed(range(len(self._layers) - 1)):
            if not signs[index + 1].any():
                break
            upper = self._layers[index + 1]
            open_rows = np.flatnonzero(gates[index])
            signs[index][open_rows] = upper.backward(self._address(upper), signs[index + 1], open_rows)
        return gates, signs

    def _update(self, rows: list[list[Rows]], signs: list[Signs], exponent: int) -> list[Rows]:
        if not signs[-1].any():
            return [patterns[-1][:0] for patterns in rows]
        return [
            layer.update(self._address(layer), patterns[-1], layer_signs, exponent)
            for layer, patterns, layer_signs in zip(self._layers, rows, signs, strict=True)
        ]

    def _carry(self) -> list[Carried]:
        """What each layer carried; empty without a carry."""
        if not self.config.carries_after(self.samples_trained):
            return []
        return [layer.carry(self._address(layer)) for layer in self._layers]

    def _address(self, layer: Layer) -> Address:
        return Address(self.samples_trained, layer.index, training=True)


def power_up_weights(config: Config) -> list[Cells]:
    """Initial cells of layers 1 to L, each of shape (rows, columns * carry_digits), in steps."""
    digits, base = config.carry_digits, config.carry_base
    most = config.digit_max * base ** (digits - 1) + (base ** (digits - 1) - 1)
    weights = [
        initial_weights(config.seed, layer, config.rows(layer), config.columns(layer), config.scale, most)
        for layer in range(1, config.layers + 1)
    ]
    return [split_digits(matrix, digits, base) for matrix in weights]


def predictions(votes: Votes) -> NDArray[np.int64]:
    """Classes with the most votes, shape (samples,); ties go to the lowest class."""
    best: NDArray[np.int64] = votes.argmax(axis=1)
    return best


def check_samples(
    config: Config,
    features: Features,
    labels: Sequence[int] | NDArray[np.int64] | None = None,
    exponent: int = 0,
) -> None:
    """Check that samples, and their labels if they have any, fit the machine.

    Raises
    ------
    DataError
        On another dtype or shape, a label or an exponent out of range, or not as many labels as samples.
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] != config.sizes[0] or features.dtype != np.uint8:
        raise DataError(
            f"features must be uint8 of shape (samples, {config.sizes[0]}), not {features.dtype} {features.shape}"
        )
    if labels is not None:
        _check_labels(config, np.asarray(labels), len(features))
    if not isinstance(exponent, int | np.integer) or not 0 <= exponent <= MAX_EXPONENT:
        raise DataError(f"the thinning exponent must be a whole number from 0 to {MAX_EXPONENT}, not {exponent}")


def check_passes(passes: int) -> None:
    """Check the number of passes of an inference call.

    Raises
    ------
    DataError
        If it is not 1 to 255.
    """
    if not isinstance(passes, int | np.integer) or not 1 <= passes <= MAX_PASSES:
        raise DataError(f"passes must be from 1 to {MAX_PASSES}, not {passes}")


def check_weights(config: Config, weights: Sequence[Cells]) -> None:
    """Check that weights fit the machine.

    Raises
    ------
    RunError
        Naming the layer, row and cell column at fault.
    """
    if len(weights) != config.layers:
        raise RunError(f"weights of {len(weights)} layers given, the machine has {config.layers}")
    for layer, matrix in enumerate(weights, start=1):
        shape = config.rows(layer), config.cell_columns(layer)
        if matrix.shape != shape or not np.issubdtype(matrix.dtype, np.integer):
            raise RunError(f"weights of layer {layer} must be integers {shape}, not {matrix.dtype} {matrix.shape}")
        wide = np.argwhere((matrix > config.digit_max) | (matrix < -config.digit_max))
        if len(wide):
            row, column = wide[0]
            raise RunError(
                f"weight {matrix[row, column]} of layer {layer}, row {row}, column {column} overflows "
                f"weight_bits = {config.weight_bits}: it must be within +-{config.digit_max}"
            )


def check_generator_states(config: Config, states: Sequence[int]) -> None:
    """Check saved states of the training generators.

    Raises
    ------
    RunError
        If there are not as many as the machine has, or one is zero or too wide.
    """
    wanted = sum(not bank for layer in range(1, config.layers + 1) for _, bank in generator_keys(config, layer))
    if len(states) != wanted:
        raise RunError(f"{len(states)} generator states given, the machine has {wanted}")
    for index, state in enumerate(states):
        if not isinstance(state, int | np.integer) or not 0 < state < 1 << 32:
            raise RunError(f"generator state {index} must be from 1 to 2^32 - 1, not {state}")


def _check_labels(config: Config, labels: NDArray[np.int64], samples: int) -> None:
    if labels.shape != (samples,):
        raise DataError(f"there must be a label for each of the {samples} samples, not labels of shape {labels.shape}")
    if samples and not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels must be whole numbers, not {labels.dtype}")
    for index in np.flatnonzero((labels < 0) | (labels >= config.sizes[-1])):
        raise DataError(f"label {labels[index]} of sample {index} must be from 0 to {config.sizes[-1] - 1}")


def _sensed(gates: Bits, upper_signs: Signs | None) -> Rows:
    if upper_signs is None or not upper_signs.any():
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(gates)
