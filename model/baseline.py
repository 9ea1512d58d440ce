"""What the machine is measured against: online backpropagation in floating point, same topology, same schedule."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError, DataError, RunError
from .philox import philox

TUNED_RATE = 3.0
INITIAL_GAIN = 4.0
FEATURE_SCALE = 255
PREDICT_BATCH = 1024
PURPOSE = 0xFFFFFFFF  # far from the machine's own purposes, so that the two never share a word

Matrix = NDArray[np.float32]


class FloatBaseline:
    """Sigmoid hidden layers, softmax output, cross-entropy, plain stochastic gradient descent at batch 1.

    Features are scaled to 0..1. Weights start uniform within ``+-gain / sqrt(inputs of the layer)``, biases at zero;
    they come from `philox` with key `seed` and counter (index div 4, 0, layer, 2^32 - 1), so they depend on neither
    NumPy's version nor the platform. The defaults were tuned on held-out training samples by
    ``tests/benchmarks/tune_baseline.py``.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, then the neurons of each layer.
    learning_rate : float, optional
        Step at k = 0; if not given, ``3 / sqrt(inputs)``.
    gain : float
        Range of the initial weights.
    seed : int
        64 bits; decides the initial weights.

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
        seed: int,
    ) -> None:
        _check_sizes(sizes)
        self.sizes = tuple(sizes)
        self.learning_rate = TUNED_RATE / sqrt(sizes[0]) if learning_rate is None else learning_rate
        _check_parameters(self.learning_rate, gain, seed)
        self._weights = [
            _initial_weights(seed, layer, inputs, outputs, gain)
            for layer, (inputs, outputs) in enumerate(pairwise(sizes), start=1)
        ]
        self._activations = [np.ones(size + 1, dtype=np.float32) for size in self.sizes[:-1]]
        self._errors = [np.zeros(size, dtype=np.float32) for size in self.sizes[1:]]
        self._slopes = [np.zeros(size, dtype=np.float32) for size in self.sizes[1:-1]]
        self._steps = [np.zeros_like(weights) for weights in self._weights[1:]]

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
        inputs = self._activations[0][:-1]
        for sample, label in zip(features, labels.tolist(), strict=True):
            np.divide(sample, FEATURE_SCALE, out=inputs, dtype=np.float32)
            self._forward()
            self._errors[-1][label] -= 1
            self._backward()
            self._update(rate)

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

    def state(self) -> dict[str, Matrix]:
        """Copies of all that training changes: ``weights1`` to ``weightsL``.

        Returns
        -------
        dict of str to ndarray of float32, shape (inputs of the layer + 1, outputs of the layer)
            The last row holds the biases.
        """
        return {f"weights{layer}": weights.copy() for layer, weights in enumerate(self._weights, start=1)}

    def restore(self, state: dict[str, Matrix]) -> None:
        """Go on from a saved `state`, as if training had not been interrupted.

        Raises
        ------
        RunError
            If the state is not one of this network; nothing is changed then.
        """
        own = self.state()
        if set(state) != set(own):
            raise RunError(f"the baseline's state must hold {', '.join(own)}, not {', '.join(state) or 'nothing'}")
        for name, weights in own.items():
            given = state[name]
            if given.shape != weights.shape or given.dtype != np.float32:
                raise RunError(
                    f"{name} of the baseline must be float32 {weights.shape}, not {given.dtype} {given.shape}"
                )
        for name, weights in zip(own, self._weights, strict=True):
            weights[:] = state[name]

    def _forward(self) -> None:
        for weights, activations, following in zip(
            self._weights, self._activations, self._activations[1:], strict=False
        ):
            hidden = following[:-1]
            np.dot(activations, weights, out=hidden)
            _sigmoid(hidden)
        output = self._errors[-1]
        np.dot(self._activations[-1], self._weights[-1], out=output)
        output -= output.max()
        np.exp(output, out=output)
        output /= output.sum()

    def _backward(self) -> None:
        for layer in range(len(self._weights) - 1, 0, -1):
            hidden, slope, error = self._activations[layer][:-1], self._slopes[layer - 1], self._errors[layer - 1]
            np.dot(self._weights[layer][:-1], self._errors[layer], out=error)
            np.subtract(1, hidden, out=slope)
            slope *= hidden
            error *= slope

    def _update(self, rate: np.float32) -> None:
        for error in self._errors:
            error *= rate
        rows = np.flatnonzero(self._activations[0])  # an input of 0 moves nothing: skipping it is exact and fast
        self._weights[0][rows] -= self._activations[0][rows, np.newaxis] * self._errors[0]
        for weights, activations, error, step in zip(
            self._weights[1:], self._activations[1:], self._errors[1:], self._steps, strict=True
        ):
            np.multiply(activations[:, np.newaxis], error, out=step)
            weights -= step

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


def _sigmoid(z: Matrix) -> None:
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5


def _initial_weights(seed: int, layer: int, inputs: int, outputs: int, gain: float) -> Matrix:
    index = np.arange((inputs * outputs + 3) // 4)
    words = philox(seed, index, 0, layer, PURPOSE).reshape(-1)[: inputs * outputs]
    uniform = (2.0 * words + 1.0) / 2.0**32 - 1.0
    weights = np.zeros((inputs + 1, outputs), dtype=np.float32)
    weights[:-1] = (uniform * (gain / sqrt(inputs))).reshape(inputs, outputs)
    return weights


def _check_sizes(sizes: Sequence[int]) -> None:
    if len(sizes) < 2 or min(sizes) < 1:
        raise ConfigError(f"sizes must list the inputs and the neurons of at least one layer, not {sizes!r}")


def _check_parameters(learning_rate: float, gain: float, seed: int) -> None:
    for name, value in (("learning_rate", learning_rate), ("gain", gain)):
        if not 0 < value < float("inf"):
            raise ConfigError(f"{name} must be a positive number, not {value!r}")
    if not 0 <= seed < 1 << 64:
        raise ConfigError(f"seed must be from 0 to 2^64 - 1, not {seed!r}")
