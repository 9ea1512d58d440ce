"""The learning machine on an analog array, operation by operation, and its fast twin in compiled loops."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Cells
from ...model.errors import RunError
from ...model.fast import SLOW, KernelTrainer
from ...model.trainer import Features, Trainer, Votes, check_samples, check_weights
from .config import ArrayConfig
from .crossbar import MINUS, PLUS, AnalogCrossbar
from .effective import Staleness
from .history import check_history
from .history_keeper import HistoryKeeper, State
from .machine import make_analog
from .noise import ONE
from .pulse_count import PulseCount

Conductances = NDArray[np.int32]


class FastAnalogTrainer(KernelTrainer):
    """The golden model on an analog array, in compiled loops.

    Parameters
    ----------
    config : Config
        The machine.
    array : ArrayConfig
        Its arrays.
    counting : bool
        Whether pulses are counted, which takes time.

    Raises
    ------
    ConfigError
        If the devices cannot hold the cells, or sums would not fit 64 bits.
    ImportError
        Where Numba is missing.
    """

    def __init__(self, config: Config, array: ArrayConfig, *, counting: bool = False) -> None:
        self.array = array
        self._steps = array.steps(config.digit_max, config.pulses_per_step)
        arrays, ageing = make_analog(config, array, counting)
        self._analog = arrays[2]
        self._keeper = HistoryKeeper(config, array, arrays[0], arrays[2], ageing)
        super().__init__(config, _kernels(), arrays)

    def train(self, features: Features, labels: Sequence[int] | NDArray[np.int64], exponent: int = 0) -> None:
        """Train samples in the order given; as `KernelTrainer.train`."""
        check_samples(self.config, features, labels, exponent)
        labels = np.asarray(labels)
        for chosen in self.stretches(self.samples_trained, len(features)):
            super().train(features[chosen], labels[chosen], exponent)

    def stretches(self, first: int, count: int) -> Iterator[slice]:
        """Slices of `count` samples from sample `first` on: in each, once it is given, pulses alone change devices."""
        start = 0
        while start < count and self._keeper.changes:
            self._keeper.advance(first + start)
            end = min(start + self._keeper.samples_ahead(), count)
            yield slice(start, end)
            start = end
        if start < count or not self._keeper.changes:
            yield slice(start, count)

    def infer(self, features: Features, passes: int = 16, after_s: float = 0.0) -> Votes:
        """Classify samples, `after_s` seconds after the last one was trained, in which the array was left alone.

        Otherwise as `KernelTrainer.infer`.

        Raises
        ------
        ConfigError
            If `after_s` is negative or further than time reaches.
        """
        if not len(features):
            return super().infer(features, passes)
        with self._keeper.later(after_s):
            return super().infer(features, passes)

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
        for layer, matrix in enumerate(weights, start=1):
            values = matrix.reshape(config.rows(layer), config.columns(layer), config.carry_digits).astype(np.int64)
            shift = (values.transpose(2, 0, 1) * self._steps.device_lsb + ONE // 2) >> 16
            for digit in range(config.carry_digits):
                rest = self._rest(digit, layer)
                for polarity, wanted in ((PLUS, rest + shift[digit]), (MINUS, rest - shift[digit])):
                    low, high = (self._bound(end, polarity, digit, layer) for end in range(2))
                    self._devices(polarity, digit, layer)[:] = np.clip(wanted, low, high)
        self._keeper.programmed()

    def conductances(self) -> list[Conductances]:
        """Conductances of layers 1 to L, each of shape (2, digits, rows, columns), plus devices first, in quanta."""
        config = self.config
        return [
            np.array([[self._devices(p, d, layer) for d in range(config.carry_digits)] for p in (PLUS, MINUS)])
            for layer in range(1, config.layers + 1)
        ]

    def seen(self) -> list[Conductances]:
        """What reads see of `conductances`, likewise."""
        if not self._analog.fades:
            return self.conductances()
        self._keeper.solve()
        return [_faded(*each) for each in zip(self.conductances(), self._keeper.factors(), strict=True)]

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
        self._keeper.replaced()

    def restore(self, weights: Sequence[Cells], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state; as `KernelTrainer.restore`."""
        self._keeper.clock = max(samples_trained - 1, 0)
        super().restore(weights, generator_states, samples_trained)

    def history(self) -> list[State]:
        """What has happened to the devices of layers 1 to L, by name: what must be kept beside their conductances."""
        return self._keeper.state()

    def load_history(self, history: Sequence[State]) -> None:
        """Go on from what `history` gave after as many samples as are trained now.

        Raises
        ------
        RunError
            If something is missing or does not fit; nothing is changed then.
        """
        self._keeper.load(history)

    @property
    def staleness(self) -> list[list[Staleness]]:
        """Of the wires' effective conductances in layers 1 to L, at each refresh."""
        return self._keeper.staleness

    def pulses(self) -> list[PulseCount]:
        """Pulses of layers 1 to L since the machine was made; none where they are not counted."""
        return [PulseCount(*map(int, counts)) for counts in self.arrays[3].pulses]

    def _devices(self, polarity: int, digit: int, layer: int) -> NDArray[np.signedinteger]:
        """Conductances of a layer's devices, shape (rows, columns)."""
        return self._part(self._analog.conductances[polarity, digit], layer)

    def _rest(self, digit: int, layer: int) -> NDArray[np.signedinteger] | int:
        """Conductances of a layer's cells that are 0: mid-range, or those of references."""
        if self.array.moved == 1:
            return self._bound(0, MINUS, digit, layer)
        return (self._steps.low + self._steps.high) // 2

    def _bound(self, end: int, polarity: int, digit: int, layer: int) -> NDArray[np.signedinteger]:
        """Lower (0) or upper (1) ends of the ranges of a layer's devices."""
        values = self._analog.bounds[digit, :, 2 * polarity + end]
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

    def seen(self) -> list[Conductances]:
        """What reads see of `conductances`, likewise."""
        for crossbar in self.crossbars:
            crossbar.history.solve(crossbar.conductances)
        return [_faded(crossbar.conductances, crossbar.history.factors) for crossbar in self.crossbars]

    def infer(self, features: Features, passes: int = 16, after_s: float = 0.0) -> Votes:
        """Classify samples; as `FastAnalogTrainer.infer`."""
        with ExitStack() as stack:
            for crossbar in self.crossbars:
                stack.enter_context(crossbar.history.later(after_s))
            return super().infer(features, passes)

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
            crossbar.history.replaced()

    def restore(self, weights: Sequence[Cells], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state; raises as `Trainer.restore`."""
        super().restore(weights, generator_states, samples_trained)
        for crossbar in self.crossbars:
            crossbar.history.clock = max(samples_trained - 1, 0)
            crossbar.history.loaded()

    def history(self) -> list[State]:
        """What has happened to the devices of layers 1 to L, by name: what must be kept beside their conductances."""
        return [{name: values.copy() for name, values in c.history.state().items()} for c in self.crossbars]

    def load_history(self, history: Sequence[State]) -> None:
        """Go on from what `history` gave after as many samples as are trained now.

        Raises
        ------
        RunError
            If something is missing or does not fit; nothing is changed then.
        """
        check_history(history, self.history())
        for crossbar, given in zip(self.crossbars, history, strict=True):
            crossbar.history.load_state(given)

    @property
    def staleness(self) -> list[list[Staleness]]:
        """Of the wires' effective conductances in layers 1 to L, at each refresh."""
        return [crossbar.history.staleness for crossbar in self.crossbars]

    def pulses(self) -> list[PulseCount]:
        """Pulses of layers 1 to L since the machine was made."""
        return [crossbar.pulses for crossbar in self.crossbars]

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


def _faded(conductances: NDArray[Any], factors: NDArray[Any]) -> Conductances:
    """What factors, in 2^-16, leave of conductances."""
    seen: Conductances = ((conductances.astype(np.int64) * factors + ONE // 2) >> 16).astype(np.int32)
    return seen


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


def _kernels() -> ModuleType:
    """Imported late: Numba takes a while, and need not be there."""
    from . import kernels

    return kernels
