"""The learning machine on an analog array, operation by operation, and its fast twin in compiled loops."""

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Cells
from ...model.errors import RunError
from ...model.fast import SLOW, KernelTrainer
from ...model.trainer import Features, Trainer, check_samples, check_weights
from .config import ArrayConfig
from .crossbar import MINUS, PLUS, AnalogCrossbar
from .device import whole_steps
from .history import DEVICES, check_state
from .machine import make_analog
from .noise import ONE

Conductances = NDArray[np.int32]


class FastAnalogTrainer(KernelTrainer):
    """The golden model on an analog array, in compiled loops.

    Parameters
    ----------
    config : Config
        The machine.
    array : ArrayConfig
        Its arrays.

    Raises
    ------
    ConfigError
        If the devices cannot hold the cells, or sums would not fit 64 bits.
    ImportError
        Where Numba is missing.
    """

    def __init__(self, config: Config, array: ArrayConfig) -> None:
        self.array = array
        self._steps = whole_steps(array.device, config.digit_max, config.pulses_per_step)
        self._history_kernels = _history_kernels()
        self.samples_trained = 0
        arrays, self._ageing = make_analog(config, array)
        self._analog = arrays[2]
        super().__init__(config, _kernels(), arrays)

    def train(self, features: Features, labels: Sequence[int] | NDArray[np.int64], exponent: int = 0) -> None:
        """Train samples in the order given; as `KernelTrainer.train`."""
        check_samples(self.config, features, labels, exponent)
        labels, start = np.asarray(labels), 0
        while start < len(features) and self._analog.history.changes:
            self._advance()
            end = start + self._samples_ahead()
            super().train(features[start:end], labels[start:end], exponent)
            start = end
        super().train(features[start:], labels[start:], exponent)

    def weights(self) -> list[Cells]:
        """Cells nearest to the conductances, of layers 1 to L, each of shape (rows, columns * carry_digits)."""
        half, most = self._steps.half_lsb, self.config.digit_max
        cells = []
        for g in self.conductances():
            difference = g[PLUS].astype(np.int64) - g[MINUS]
            nearest = np.clip((difference * ONE + half) // (2 * half), -most, most)
            cells.append(nearest.transpose(1, 2, 0).reshape(g.shape[2], -1).astype(np.int32))
        return cells

    def load(self, weights: Sequence[Cells]) -> None:
        """Program the cells of all layers, each of shape (rows, columns * carry_digits), in steps.

        Raises
        ------
        RunError
            If a shape or a cell does not fit; nothing is changed then.
        """
        config = self.config
        check_weights(config, weights)
        middle = (self._steps.low + self._steps.high) // 2
        for layer, matrix in enumerate(weights, start=1):
            values = matrix.reshape(config.rows(layer), config.columns(layer), config.carry_digits).astype(np.int64)
            shift = (values.transpose(2, 0, 1) * self._steps.half_lsb + ONE // 2) >> 16
            for digit in range(config.carry_digits):
                for polarity, wanted in ((PLUS, middle + shift[digit]), (MINUS, middle - shift[digit])):
                    low, high = (self._bound(bounds, polarity, digit, layer) for bounds in self._bounds())
                    self._devices(polarity, digit, layer)[:] = np.clip(wanted, low, high)
        self._analog.history.programmed[:] = self._clock // self.array.tick_samples
        self._settle()

    def conductances(self) -> list[Conductances]:
        """Conductances of layers 1 to L, each of shape (2, digits, rows, columns), plus devices first, in quanta."""
        config = self.config
        return [
            np.array([[self._devices(p, d, layer) for d in range(config.carry_digits)] for p in (PLUS, MINUS)])
            for layer in range(1, config.layers + 1)
        ]

    def load_conductances(self, conductances: Sequence[Conductances]) -> None:
        """Set all conductances, as `conductances` gives them.

        Raises
        ------
        RunError
            If a shape does not fit; nothing is changed then.
        """
        check_conductances(conductances, self.conductances())
        for layer, values in enumerate(conductances, start=1):
            for polarity in (PLUS, MINUS):
                for digit in range(self.config.carry_digits):
                    self._devices(polarity, digit, layer)[:] = values[polarity, digit]
        self._settle()

    def history(self) -> list[dict[str, NDArray[np.int64]]]:
        """What has happened to the devices of layers 1 to L, by name: what must be kept beside their conductances."""
        return [
            {name: values.astype(np.int64) for name, values in self._history(layer).items()}
            for layer in range(1, self.config.layers + 1)
        ]

    def load_history(self, history: Sequence[dict[str, NDArray[np.int64]]]) -> None:
        """Go on from what `history` gave after as many samples as are trained now.

        Raises
        ------
        RunError
            If something is missing or does not fit; nothing is changed then.
        """
        check_history(history, self.history())
        for layer, given in enumerate(history, start=1):
            for name, values in self._history(layer).items():
                values[...] = given[name]
        self._settle()

    def _advance(self) -> None:
        """Come to the next sample."""
        sample, history, changed = self.samples_trained, self._analog.history, False
        if sample == 0:
            return
        if sample % history.tick_samples == 0:
            changed = bool(history.programmed.size or history.half_selects)
            if history.half_selects:
                self._history_kernels.disturb(self._machine, self._analog, self._ageing)
        if self._ageing.trap_samples and sample % self._ageing.trap_samples == 0:
            changed = True
        if changed:
            self._settle(sample)

    def _samples_ahead(self) -> int:
        """Samples until something happens between two of them."""
        periods = self._analog.history.tick_samples, self._ageing.trap_samples
        return min(period - self.samples_trained % period for period in periods if period)

    @property
    def _clock(self) -> int:
        """The last sample trained."""
        return max(self.samples_trained - 1, 0)

    def _settle(self, sample: int | None = None) -> None:
        """Have the reads see what conductances and history come to, as of the last sample trained or of `sample`."""
        if self._analog.history.factors.size:
            self._history_kernels.settle(self._machine, self._analog, self._ageing, sample or self._clock)
        self._history_kernels.refresh(self._machine, self._analog)

    def _history(self, layer: int) -> dict[str, NDArray[Any]]:
        """Views of what must be kept of the history of a layer."""
        h, rows, columns = self._analog.history, self.config.rows(layer), self.config.columns(layer)
        views: dict[str, NDArray[Any]] = {}
        for name in DEVICES:
            flat = getattr(h, name)[:, :, self._machine.starts[layer - 1] : self._machine.starts[layer]]
            if flat.size:
                views[name] = flat.reshape(2, self.config.carry_digits, rows, -1)[..., :columns]
        if h.half_selects:
            shape = 2, self.config.carry_digits, -1
            for end, selects in (("", h.selects), ("_done", self._ageing.selects_done)):
                views[f"row_selects{end}"] = selects[0, layer - 1, :rows]
                views[f"column_selects{end}"] = selects[1:, layer - 1].reshape(shape)[..., :columns]
        return views

    def _devices(self, polarity: int, digit: int, layer: int) -> NDArray[np.signedinteger]:
        """Conductances of a layer's devices, shape (rows, columns)."""
        return self._part(self._analog.conductances[polarity, digit], layer)

    def _bounds(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return self._analog.low, self._analog.high

    def _bound(self, bounds: NDArray[np.int32], polarity: int, digit: int, layer: int) -> NDArray[np.signedinteger]:
        values = bounds[polarity, digit]
        return values if self._analog.alike else self._part(values, layer)


class AnalogTrainer(Trainer):
    """The golden model on an analog array, operation by operation; `FastAnalogTrainer` is its fast twin.

    Parameters
    ----------
    config : Config
        The machine.
    array : ArrayConfig
        Its arrays.

    Raises
    ------
    ConfigError
        If the devices cannot hold the cells, or sums would not fit 64 bits.
    """

    def __init__(self, config: Config, array: ArrayConfig) -> None:
        self.array = array
        self.crossbars: list[AnalogCrossbar] = []
        super().__init__(config, self._make_crossbar)

    def conductances(self) -> list[Conductances]:
        """Conductances of layers 1 to L, each of shape (2, digits, rows, columns), plus devices first, in quanta."""
        return [crossbar.conductances.astype(np.int32) for crossbar in self.crossbars]

    def load_conductances(self, conductances: Sequence[Conductances]) -> None:
        """Set all conductances, as `conductances` gives them.

        Raises
        ------
        RunError
            If a shape does not fit; nothing is changed then.
        """
        check_conductances(conductances, self.conductances())
        for crossbar, values in zip(self.crossbars, conductances, strict=True):
            crossbar.conductances[:] = values

    def restore(self, weights: Sequence[Cells], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state; raises as `Trainer.restore`."""
        super().restore(weights, generator_states, samples_trained)
        for crossbar in self.crossbars:
            crossbar.history.clock = max(samples_trained - 1, 0)
            crossbar.history.loaded()

    def history(self) -> list[dict[str, NDArray[np.int64]]]:
        """What has happened to the devices of layers 1 to L, by name: what must be kept beside their conductances."""
        return [{name: values.copy() for name, values in c.history.state().items()} for c in self.crossbars]

    def load_history(self, history: Sequence[dict[str, NDArray[np.int64]]]) -> None:
        """Go on from what `history` gave after as many samples as are trained now.

        Raises
        ------
        RunError
            If something is missing or does not fit; nothing is changed then.
        """
        check_history(history, self.history())
        for crossbar, given in zip(self.crossbars, history, strict=True):
            crossbar.history.load_state(given)

    def _make_crossbar(self, config: Config, layer: int) -> AnalogCrossbar:
        self.crossbars.append(AnalogCrossbar(config, layer, self.array))
        return self.crossbars[-1]


def make_analog_trainer(config: Config, array: ArrayConfig) -> FastAnalogTrainer | AnalogTrainer:
    """The fastest golden model on an analog array that can be had: the plain one, with a warning, without Numba."""
    try:
        return FastAnalogTrainer(config, array)
    except ImportError:
        warnings.warn(SLOW, stacklevel=2)
        return AnalogTrainer(config, array)


def check_conductances(given: Sequence[Conductances], wanted: Sequence[Conductances]) -> None:
    """Check that conductances are of the shapes of an array.

    Raises
    ------
    RunError
        If they are not.
    """
    shapes = [g.shape for g in wanted]
    if [g.shape for g in given] != shapes:
        raise RunError(f"conductances must be of shapes {shapes}, not {[g.shape for g in given]}")


def check_history(given: Sequence[dict[str, Any]], wanted: Sequence[dict[str, Any]]) -> None:
    """Check that a history is one of an array.

    Raises
    ------
    RunError
        If it is not.
    """
    if len(given) != len(wanted):
        raise RunError(f"the history is of {len(given)} layers, the machine has {len(wanted)}")
    for layer, names in enumerate(wanted, start=1):
        check_state(given[layer - 1], names, layer)


def _kernels() -> ModuleType:
    """Imported late: Numba takes a while, and need not be there."""
    from . import kernels

    return kernels


def _history_kernels() -> ModuleType:
    from . import history_kernels

    return history_kernels
