"""What the machine is measured against: backpropagation in floating point, same topology, same schedule."""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate, pairwise
from math import sqrt
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .dropout import Dropout
from .errors import ConfigError, DataError, RunError
from .philox import philox

TUNED_RATE = 3.0
INITIAL_GAIN = 4.0
FEATURE_SCALE = 255
PREDICT_BATCH = 1024
SAMPLES_PER_CALL = 256
PURPOSE = 0xFFFFFFFF  # far from the machine's own purposes, so that the two never share a word

Matrix = NDArray[np.float32]


class FloatBaseline:
    """Sigmoid hidden layers, softmax output, cross-entropy, plain stochastic gradient descent.

    Features are scaled to 0..1. Weights start uniform within ``+-gain / sqrt(inputs of the layer)``, biases at zero;
    they come from `philox` with key `seed` and counter (index div 4, 0, layer, 2^32 - 1), so they depend on neither
    NumPy's version nor the platform. The defaults were tuned on held-out training samples of digits by
    ``tests/benchmarks/tune_baseline.py``.

    At batch 1 compiled loops train, work proportional to the nonzero inputs; where Numba is missing, and for larger
    batches, NumPy does. The two agree but for rounding.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, then the neurons of each layer.
    learning_rate : float, optional
        Step at k = 0; if not given, ``3 / sqrt(inputs)``.
    gain : float
        Range of the initial weights.
    dropout, input_dropout : float
        Fraction of the hidden units and of the inputs dropped at random in training, the others scaled up (inverted
        dropout); 0 to less than 1, in steps of 2^-16.
    batch : int
        Samples whose mean gradient makes a step; the last batch of a call may be smaller.
    momentum : float
        v = momentum * v - rate * gradient moves the weights; 0 to less than 1, with batches of several samples only.
    compiled : bool
        Whether compiled loops train at batch 1 where they can; NumPy does otherwise.
    seed : int
        64 bits; decides the initial weights and what is dropped.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    def __init__(
        self,
        *,
        sizes: Sequence[int],
        learning_rate: float | None = None,
        gain: float = INITIAL_GAIN,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        batch: int = 1,
        momentum: float = 0.0,
        compiled: bool = True,
        seed: int,
    ) -> None:
        _check_sizes(sizes)
        self.sizes = tuple(sizes)
        self.learning_rate = TUNED_RATE / sqrt(sizes[0]) if learning_rate is None else learning_rate
        _check_parameters(self.learning_rate, gain, seed)
        _check_options(dropout, input_dropout, batch, momentum)
        self.batch = batch
        self.momentum = momentum
        self._network = _network(self.sizes)
        self._weights = _matrices(self._network.weights, self.sizes)
        for layer, weights in enumerate(self._weights, start=1):
            weights[:-1] = float_weights(seed, layer, len(weights) - 1, weights.shape[1], gain)
        self._keep = [np.float32(1 - rate) for rate in (input_dropout, dropout)]
        self._dropout = _dropout(self.sizes, dropout, input_dropout, seed)
        self._velocity = np.zeros_like(self._network.weights) if momentum else None
        self._kernels = _kernels() if compiled and batch == 1 else None
        if self._kernels is not None:
            self._train_online(*_no_samples(self.sizes), np.float32(0))  # compiles, so that no later call has to
        else:
            self._steps = np.zeros_like(self._network.weights)
            self._step_matrices = _matrices(self._steps, self.sizes)
            self._signals = [np.ones((batch, size + 1), dtype=np.float32) for size in self.sizes[:-1]]

    def train(self, features: NDArray[np.uint8], labels: NDArray[np.int64], k: int = 0) -> None:
        """Train one pass over samples, in the order given.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        labels : ndarray of int64, shape (samples,)
        k : int
            The learning rate of this pass is ``learning_rate * 2**-k``.

        Raises
        ------
        DataError
            If the samples do not fit the network, or k is negative.
        """
        self._check_samples(features, labels)
        if k < 0:
            raise DataError(f"k must be 0 or more, not {k}")
        rate = np.float32(self.learning_rate * 2.0**-k)
        if self._kernels is not None:
            self._train_online(features, labels, rate)
        else:
            for start in range(0, len(labels), self.batch):
                batch = slice(start, start + self.batch)
                self._train_batch(features[batch], labels[batch], rate)

    def predict(self, features: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Most probable class of each sample.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)

        Returns
        -------
        ndarray of int64, shape (samples,)

        Raises
        ------
        DataError
            If the samples do not fit the network.
        """
        self._check_samples(features)
        labels = np.empty(len(features), dtype=np.int64)
        for start in range(0, len(features), PREDICT_BATCH):
            batch = slice(start, start + PREDICT_BATCH)
            labels[batch] = self._scores(features[batch]).argmax(axis=1)
        return labels

    def accuracy(self, features: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
        """Fraction of samples whose class is predicted, 0 to 1; arguments as of `train`.

        Raises
        ------
        DataError
            If the samples do not fit the network.
        """
        self._check_samples(features, labels)
        return float(np.mean(self.predict(features) == labels))

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that training changes.

        Returns
        -------
        dict of str to ndarray
            ``weights1`` to ``weightsL``, float32, shape (inputs of the layer + 1, outputs of the layer), the biases in
            the last row; with momentum ``velocity1`` to ``velocityL`` of the same shapes; with dropout
            ``samples_dropped_out``, int64, the samples that masks were drawn for.
        """
        state: dict[str, NDArray[Any]] = _named("weights", self._weights)
        if self._velocity is not None:
            state |= _named("velocity", _matrices(self._velocity, self.sizes))
        if self._dropout is not None:
            state["samples_dropped_out"] = np.array(self._dropout.samples, dtype=np.int64)
        return state

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a saved `state`, as if training had not been interrupted.

        Raises
        ------
        RunError
            If the state is not one of this network; nothing is changed then.
        """
        _check_state(state, self.state())
        for layer, weights in enumerate(self._weights, start=1):
            weights[:] = state[f"weights{layer}"]
        if self._velocity is not None:
            for layer, velocity in enumerate(_matrices(self._velocity, self.sizes), start=1):
                velocity[:] = state[f"velocity{layer}"]
        if self._dropout is not None:
            self._dropout.samples = int(state["samples_dropped_out"])

    def _train_online(self, features: NDArray[np.uint8], labels: NDArray[np.int64], rate: np.float32) -> None:
        assert self._kernels is not None
        for start in range(0, max(len(labels), 1), SAMPLES_PER_CALL):
            # Copies: what is read-only, or no block of memory, would be compiled for anew.
            chosen = np.array(features[start : start + SAMPLES_PER_CALL], order="C")
            targets = np.array(labels[start : start + SAMPLES_PER_CALL], dtype=np.int64)
            self._kernels.train(self._network, chosen, targets, self._masks(len(targets)), *self._keep, rate)

    def _train_batch(self, features: NDArray[np.uint8], labels: NDArray[np.int64], rate: np.float32) -> None:
        signals = [matrix[: len(labels)] for matrix in self._signals]
        masks = self._masks(len(labels))
        errors = self._forward(features, masks, signals)
        errors[np.arange(len(labels)), labels] -= 1
        errors *= rate / np.float32(len(labels))
        for layer in range(len(self._weights) - 1, -1, -1):
            step = self._step_matrices[layer]
            if layer:
                np.dot(errors.T, signals[layer], out=step.T)
                hidden = signals[layer][:, :-1]
                errors = errors @ self._weights[layer][:-1].T
                errors *= hidden * (1 - self._keep[1] * hidden)  # of a dropped unit 0, as its signal is
            else:
                np.dot(signals[layer].T, errors, out=step)
        if self._velocity is None:
            self._network.weights[:] -= self._steps
        else:
            self._velocity *= np.float32(self.momentum)
            self._velocity -= self._steps
            self._network.weights[:] += self._velocity

    def _forward(self, features: NDArray[np.uint8], masks: NDArray[np.bool_], signals: list[Matrix]) -> Matrix:
        """Fill the signals of all layers but the last, and return the probabilities of the classes."""
        inputs = signals[0][:, :-1]
        np.divide(features, FEATURE_SCALE * self._keep[0], out=inputs, dtype=np.float32)
        column = 0
        if self._keep[0] < 1:
            column = self.sizes[0]
            inputs *= masks[:, :column]
        for layer, weights in enumerate(self._weights[:-1], start=1):
            hidden = signals[layer][:, :-1]
            hidden[:] = signals[layer - 1] @ weights
            _sigmoid(hidden)
            if self._keep[1] < 1:
                hidden *= masks[:, column : column + self.sizes[layer]] / self._keep[1]
                column += self.sizes[layer]
        output: Matrix = signals[-1] @ self._weights[-1]
        output -= output.max(axis=1, keepdims=True)
        np.exp(output, out=output)
        output /= output.sum(axis=1, keepdims=True)
        return output

    def _masks(self, samples: int) -> NDArray[np.bool_]:
        """Masks of the next samples, of inputs if those are dropped, then of hidden units if those are."""
        return np.zeros((samples, 0), dtype=np.bool_) if self._dropout is None else self._dropout.draw(samples)

    def _scores(self, features: NDArray[np.uint8]) -> Matrix:
        signals = np.divide(features, FEATURE_SCALE, dtype=np.float32)
        for weights in self._weights[:-1]:
            signals = signals @ weights[:-1] + weights[-1]
            _sigmoid(signals)
        scores: Matrix = signals @ self._weights[-1][:-1] + self._weights[-1][-1]
        return scores

    def _check_samples(self, features: NDArray[np.uint8], labels: NDArray[np.int64] | None = None) -> None:
        if features.dtype != np.uint8 or features.ndim != 2 or features.shape[1] != self.sizes[0]:
            raise DataError(
                f"features must be uint8 of shape (samples, {self.sizes[0]}), not {features.dtype} {features.shape}"
            )
        if labels is None:
            return
        if labels.shape != features.shape[:1]:
            raise DataError(f"labels must be of shape {features.shape[:1]}, one for a sample, not {labels.shape}")
        bad = np.flatnonzero((labels < 0) | (labels >= self.sizes[-1]))
        if len(bad):
            raise DataError(f"label {labels[bad[0]]} of sample {bad[0]} must be from 0 to {self.sizes[-1] - 1}")


class Network(NamedTuple):
    """What the compiled loops work on: vectors that hold one layer after the other, and where each begins.

    Attributes
    ----------
    sizes : ndarray of int64, shape (layers + 1,)
    weights : ndarray of float32
        The first layer's by its inputs, for work follows the nonzero ones; those of the others by their outputs, for
        these are often few, and the processor adds up long rows faster.
    signals : ndarray of float32
        Of the hidden layers, each followed by 1.
    errors : ndarray of float32
        Of the hidden layers and the output.
    weight_starts, signal_starts, error_starts : ndarray of int64
    rows, values : ndarray of int64 and of float32, shape (inputs + 1,)
        Room for the nonzero inputs.
    """

    sizes: NDArray[np.int64]
    weights: Matrix
    signals: Matrix
    errors: Matrix
    weight_starts: NDArray[np.int64]
    signal_starts: NDArray[np.int64]
    error_starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    values: Matrix


def _network(sizes: tuple[int, ...]) -> Network:
    weight_starts = _starts((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    signal_starts = _starts(size + 1 for size in sizes[1:-1])
    error_starts = _starts(sizes[1:])
    return Network(
        sizes=np.array(sizes, dtype=np.int64),
        weights=np.zeros(weight_starts[-1], dtype=np.float32),
        signals=np.ones(signal_starts[-1], dtype=np.float32),
        errors=np.zeros(error_starts[-1], dtype=np.float32),
        weight_starts=weight_starts,
        signal_starts=signal_starts,
        error_starts=error_starts,
        rows=np.zeros(sizes[0] + 1, dtype=np.int64),
        values=np.zeros(sizes[0] + 1, dtype=np.float32),
    )


def _starts(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(accumulate(lengths, initial=0)), dtype=np.int64)


def _matrices(vector: Matrix, sizes: tuple[int, ...]) -> list[Matrix]:
    """Views of the layers' parts of a vector laid out as `Network.weights`, shape (inputs + 1, outputs) each."""
    matrices, start = [], 0
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        end = start + (inputs + 1) * outputs
        part = vector[start:end]
        matrices.append(part.reshape(outputs, inputs + 1).T if layer else part.reshape(inputs + 1, outputs))
        start = end
    return matrices


def _named(name: str, matrices: list[Matrix]) -> dict[str, NDArray[Any]]:
    return {f"{name}{layer}": matrix.copy() for layer, matrix in enumerate(matrices, start=1)}


def _dropout(sizes: tuple[int, ...], dropout: float, input_dropout: float, seed: int) -> Dropout | None:
    inputs, hidden = sizes[0] if input_dropout else 0, sum(sizes[1:-1]) if dropout else 0
    return Dropout(seed, np.repeat([input_dropout, dropout], [inputs, hidden])) if inputs + hidden else None


def _no_samples(sizes: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.zeros((0, sizes[0]), dtype=np.uint8), np.zeros(0, dtype=np.int64)


@cache
def _kernels() -> ModuleType | None:
    """Imported late: Numba takes a while, and need not be there."""
    try:
        from . import baseline_kernels
    except ImportError:
        return None
    return baseline_kernels


def _sigmoid(z: Matrix) -> None:
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5


def float_weights(seed: int, layer: int, inputs: int, outputs: int, gain: float) -> Matrix:
    """Uniform initial weights of `layer` (1 to L) within +-gain / sqrt(inputs), shape (inputs, outputs)."""
    index = np.arange((inputs * outputs + 3) // 4)
    words = philox(seed, index, 0, layer, PURPOSE).reshape(-1)[: inputs * outputs]
    uniform = (2.0 * words + 1.0) / 2.0**32 - 1.0
    return (uniform * (gain / sqrt(inputs))).reshape(inputs, outputs).astype(np.float32)


def _check_sizes(sizes: Sequence[int]) -> None:
    if len(sizes) < 2 or min(sizes) < 1:
        raise ConfigError(f"sizes must list the inputs and the neurons of at least one layer, not {sizes!r}")


def _check_parameters(learning_rate: float, gain: float, seed: int) -> None:
    for name, value in (("learning_rate", learning_rate), ("gain", gain)):
        if not 0 < value < float("inf"):
            raise ConfigError(f"{name} must be a positive number, not {value!r}")
    if not 0 <= seed < 1 << 64:
        raise ConfigError(f"seed must be from 0 to 2^64 - 1, not {seed!r}")


def _check_options(dropout: float, input_dropout: float, batch: int, momentum: float) -> None:
    for name, value in (("dropout", dropout), ("input_dropout", input_dropout), ("momentum", momentum)):
        if not 0 <= value < 1:
            raise ConfigError(f"{name} must be from 0 to less than 1, not {value!r}")
    if batch < 1:
        raise ConfigError(f"batch must be 1 or more, not {batch!r}")
    if momentum and batch == 1:
        raise ConfigError(f"momentum must be 0 at batch 1, not {momentum!r}")


def _check_state(state: dict[str, NDArray[Any]], own: dict[str, NDArray[Any]]) -> None:
    if set(state) != set(own):
        raise RunError(f"the baseline's state must hold {', '.join(own)}, not {', '.join(state) or 'nothing'}")
    for name, array in own.items():
        given = state[name]
        if given.shape != array.shape or given.dtype != array.dtype:
            raise RunError(
                f"{name} of the baseline must be {array.dtype} {array.shape}, not {given.dtype} {given.shape}"
            )
    if state.get("samples_dropped_out", 0) < 0:
        raise RunError(f"samples_dropped_out of the baseline must be 0 or more, not {state['samples_dropped_out']}")
