"""What the machine on an analog array is measured against: backpropagation in floating point on the same devices."""

from collections.abc import Sequence
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.baseline import FEATURE_SCALE, INITIAL_GAIN, float_weights
from ...model.compile_lock import compile_lock
from ...model.config import Config
from ...model.crossbar import Address, Cells
from ...model.errors import ConfigError, DataError
from ...model.philox import philox
from ...model.trainer import check_samples
from .config import ArrayConfig
from .crossbar import MINUS, PLUS
from .in_situ_arrays import PURPOSE, WORDS, Rounding, make_in_situ
from .noise import ONE
from .pulse_count import PulseCount, total
from .trainer import AnalogTrainer, Conductances, FastAnalogTrainer

Floats = NDArray[np.float64]
SAMPLES_PER_CALL = 256
OUTPUTS = ("softmax", "sigmoid")
MOST_PULSES = 1 << 15


class InSituBackpropagation:
    """Sigmoid hidden layers, cross-entropy, stochastic gradient descent, one sample at a time, on an analog array.

    The array is the machine's: the same devices, spread, cycle-to-cycle noise by address, saturation, history and
    wires; a weight is a pair of devices. Reads are exact, forward and backward, as if DACs, ADCs and devices made no
    noise: what is measured is what whole pulses on such devices cost backpropagation. A change of a weight becomes
    whole pulses, on both devices of the pair in opposite directions, as the machine's are.

    Where Numba is missing, NumPy trains, to the same conductances.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, then the neurons of each layer.
    array : ArrayConfig
    weight_bits : int
        Levels of a cell: how many states the devices have where they leave it open, and initial weights are rounded to.
    scale : float
        LSBs of a weight of 1, an LSB being what a pulse moves a weight at mid-range.
    learning_rate : float
        Step at k = 0.
    rounding : Rounding
    threshold : float
        Of `Rounding.THRESHOLD`, 0 to 1 LSB; 0.5 rounds to the nearest.
    most_pulses : int
        Most pulses that a change becomes; with ``accumulated`` the others stay due.
    output : str
        ``softmax``, or ``sigmoid``: independent outputs, as the machine's.
    gain : float
        Initial weights are uniform within ``+-gain / sqrt(inputs of the layer)``.
    compiled : bool
        Whether compiled loops train where they can.
    seed : int
        64 bits; decides initial weights and rounding.

    Attributes
    ----------
    samples_trained : int

    Raises
    ------
    ConfigError
        If a value is out of range, or the devices cannot hold the weights.
    """

    def __init__(
        self,
        *,
        sizes: Sequence[int],
        array: ArrayConfig,
        weight_bits: int = 7,
        scale: float = 16.0,
        learning_rate: float = 0.1,
        rounding: Rounding = Rounding.STOCHASTIC,
        threshold: float = 0.5,
        most_pulses: int = 1,
        output: str = "softmax",
        gain: float = INITIAL_GAIN,
        compiled: bool = True,
        seed: int,
    ) -> None:
        _check(scale, learning_rate, gain, threshold, most_pulses, output)
        self._config = Config(sizes=tuple(sizes), weight_bits=weight_bits, scale=1, seed=seed)
        self.array = array
        self.scale = scale
        self.learning_rate = learning_rate
        self.rounding = _rounding(rounding)
        self.samples_trained = 0
        self._threshold, self._most_pulses, self._softmax = threshold, most_pulses, output == "softmax"
        self._unit = ONE / (2 * array.steps(self._config.digit_max).half_lsb * scale)
        self._machine = _machine(self._config, array, compiled)
        self._machine.load([self._initial_cells(layer, gain) for layer in range(1, self._config.layers + 1)])
        if isinstance(self._machine, FastAnalogTrainer):
            self._kernels = _kernels()
            self._learner = self._make_learner(self._machine)
            with compile_lock(self._kernels, (*self._machine.arrays, self._learner)):
                self._train_compiled(self._machine, *_no_samples(self._config), 0.0)  # no later call has to compile
        else:
            self._accumulated = [np.zeros(w.shape, dtype=np.float32) for w in self.weights()]

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
        check_samples(self._config, features, labels)
        if k < 0:
            raise DataError(f"k must be 0 or more, not {k}")
        rate = self.learning_rate * 2.0**-k * self.scale
        if isinstance(self._machine, FastAnalogTrainer):
            for stretch in self._machine.stretches(self.samples_trained, len(labels)):
                for start in range(stretch.start, stretch.stop, SAMPLES_PER_CALL):
                    chosen = slice(start, min(start + SAMPLES_PER_CALL, stretch.stop))
                    self._train_compiled(self._machine, features[chosen], labels[chosen], rate)
        else:
            for sample, label in zip(features, labels, strict=True):
                self._train_plain(self._machine, sample, int(label), rate)

    def weights(self) -> list[Floats]:
        """Weights that reads see of layers 1 to L, each of shape (inputs of the layer + 1, outputs), biases last."""
        return [self._unit * (g[PLUS, 0].astype(np.int64) - g[MINUS, 0]) for g in self._machine.seen()]

    def conductances(self) -> list[Conductances]:
        """Conductances of layers 1 to L, each of shape (2, 1, rows, columns), plus devices first, in quanta."""
        return self._machine.conductances()

    def pulses(self) -> PulseCount:
        """All pulses so far."""
        return total(self._machine.pulses())

    def predict(self, features: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Most probable class of each sample.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)

        Raises
        ------
        DataError
            If the samples do not fit the network.
        """
        check_samples(self._config, features)
        *hidden, last = self.weights()
        signals = features / FEATURE_SCALE
        for weights in hidden:
            signals = 0.5 + 0.5 * np.tanh(0.5 * (signals @ weights[:-1] + weights[-1]))
        classes: NDArray[np.int64] = (signals @ last[:-1] + last[-1]).argmax(axis=1)
        return classes

    def accuracy(self, features: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
        """Fraction of samples whose class is predicted, 0 to 1; arguments as of `train`.

        Raises
        ------
        DataError
            If the samples do not fit the network.
        """
        check_samples(self._config, features, labels)
        return float(np.mean(self.predict(features) == labels))

    def _initial_cells(self, layer: int, gain: float) -> Cells:
        inputs, outputs = self._config.sizes[layer - 1 : layer + 1]
        most = self._config.digit_max
        cells = np.zeros((inputs + 1, outputs), dtype=np.int32)
        wanted = self.scale * float_weights(self._config.seed, layer, inputs, outputs, gain).astype(np.float64)
        cells[:-1] = np.clip(np.rint(wanted), -most, most)
        return cells

    def _make_learner(self, machine: FastAnalogTrainer) -> Any:
        return make_in_situ(
            machine.arrays[0],
            unit=self._unit,
            rounding=self.rounding,
            threshold=self._threshold,
            most_pulses=self._most_pulses,
            softmax=self._softmax,
            seed=self._config.seed,
        )

    def _train_compiled(
        self, machine: FastAnalogTrainer, features: NDArray[np.uint8], labels: NDArray[np.int64], rate: float
    ) -> None:
        # Copies: what is read-only, or no block of memory, would be compiled for anew.
        chosen, targets = np.array(features, order="C"), np.array(labels, dtype=np.int64)
        self._kernels.train(*machine.arrays, self._learner, chosen, targets, float(rate), self.samples_trained)
        self.samples_trained += len(targets)

    def _train_plain(self, machine: AnalogTrainer, features: NDArray[np.uint8], label: int, rate: float) -> None:
        for crossbar in machine.crossbars:
            crossbar.history.advance(self.samples_trained, crossbar.conductances)
        weights = [(g[PLUS, 0].astype(np.int64) - g[MINUS, 0]) for g in machine.seen()]
        signals = [np.append(features / FEATURE_SCALE, 1.0)]
        for matrix in weights[:-1]:
            signals.append(np.append([_sigmoid(z) for z in self._unit * _sums(signals[-1], matrix)], 1.0))
        errors = [self._output_error(self._unit * _sums(signals[-1], weights[-1]), label)]
        for matrix, signal in zip(weights[:0:-1], signals[:0:-1], strict=True):
            below = _sums(errors[0], matrix[:-1].T) * self._unit * (signal[:-1] * (1.0 - signal[:-1]))
            errors.insert(0, below)
        for layer, (signal, error) in enumerate(zip(signals, errors, strict=True), start=1):
            self._update(machine, layer, signal, rate * error)
        self.samples_trained += 1

    def _output_error(self, z: Floats, label: int) -> Floats:
        if self._softmax:
            error = np.array([exp(value - z.max()) for value in z])
            error /= np.cumsum(error)[-1]  # one after the other
        else:
            error = np.array([_sigmoid(value) for value in z])
        error[label] -= 1.0
        return error

    def _update(self, machine: AnalogTrainer, layer: int, signal: Floats, steps: Floats) -> None:
        crossbar = machine.crossbars[layer - 1]
        rows = np.flatnonzero(signal) if layer == 1 else np.arange(len(signal))
        for row in rows:
            wanted = -(signal[row] * steps)
            pulses = self._round(layer, int(row), wanted)
            for repetition in range(int(np.abs(pulses).max())):
                signs = np.where(np.abs(pulses) > repetition, np.sign(pulses), 0).astype(np.int8)
                address = Address(self.samples_trained, layer, training=True, repetition=repetition)
                crossbar.pulse(address, np.array([row]), signs)

    def _round(self, layer: int, row: int, wanted: Floats) -> NDArray[np.int64]:
        """Whole pulses of a row's changes, in LSBs."""
        due, offset = wanted, self._offset(layer, row, len(wanted))
        if self.rounding is Rounding.ACCUMULATED:
            due = self._accumulated[layer - 1][row] + wanted
        rounded = np.minimum(np.floor(np.abs(due) + offset), self._most_pulses) * np.sign(due)
        if self.rounding is Rounding.ACCUMULATED:
            self._accumulated[layer - 1][row] = due - rounded
        whole: NDArray[np.int64] = rounded.astype(np.int64)
        return whole

    def _offset(self, layer: int, row: int, columns: int) -> Floats | float:
        """What is added to a change before it is rounded down, shape (columns,) or one for all."""
        if self.rounding is Rounding.THRESHOLD:
            return 1 - self._threshold
        if self.rounding is Rounding.ACCUMULATED:
            return 0.0
        blocks = (row << 16) + np.arange(-(-columns // WORDS))
        words = philox(self._config.seed, blocks, self.samples_trained & 0xFFFFFFFF, layer, PURPOSE)
        drawn: Floats = words.reshape(-1)[:columns] / 2.0**32
        return drawn


def _machine(config: Config, array: ArrayConfig, compiled: bool) -> FastAnalogTrainer | AnalogTrainer:
    """Who holds the array; its own way of learning is not used."""
    if compiled:
        try:
            return FastAnalogTrainer(config, array, counting=True)
        except ImportError:
            pass
    return AnalogTrainer(config, array)


def _kernels() -> Any:
    """Imported late: Numba takes a while, and need not be there."""
    from . import in_situ_kernels

    return in_situ_kernels


def _no_samples(config: Config) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.zeros((0, config.sizes[0]), dtype=np.uint8), np.zeros(0, dtype=np.int64)


def _sums(signals: Floats, weights: NDArray[np.int64]) -> Floats:
    """Sums over rows, one row after the other, shape (columns,)."""
    sums = np.zeros(weights.shape[1])
    for signal, line in zip(signals, weights, strict=True):
        sums += signal * line
    return sums


def _sigmoid(z: float) -> float:
    if z >= 0:
        return 1.0 / (1.0 + exp(-z))
    return exp(z) / (1.0 + exp(z))


def _rounding(rounding: str) -> Rounding:
    try:
        return Rounding(rounding)
    except ValueError:
        raise ConfigError(f"rounding must be one of {', '.join(Rounding)}, not {rounding!r}") from None


def _check(scale: float, learning_rate: float, gain: float, threshold: float, most_pulses: int, output: str) -> None:
    for name, value in (("scale", scale), ("learning_rate", learning_rate), ("gain", gain)):
        if not 0 < value < float("inf"):
            raise ConfigError(f"{name} must be a positive number, not {value!r}")
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold must be more than 0 and at most 1 LSB, not {threshold!r}")
    if type(most_pulses) is not int or not 1 <= most_pulses <= MOST_PULSES:
        raise ConfigError(f"most_pulses must be from 1 to {MOST_PULSES:,}, not {most_pulses!r}")
    if output not in OUTPUTS:
        raise ConfigError(f"output must be one of {', '.join(OUTPUTS)}, not {output!r}")
