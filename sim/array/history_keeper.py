"""What happens to the devices of compiled loops between samples: time, half-selects, wires."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.machine import Machine
from .config import ArrayConfig
from .effective import Staleness, attenuation, staleness
from .flat_history import FlatAgeing
from .history import check_history, samples_later
from .machine import Analog

State = dict[str, NDArray[np.int64]]


class HistoryKeeper:
    """Keeps what reads see of all devices up to date; `History` is its plain twin.

    Parameters
    ----------
    config : Config
    array : ArrayConfig
    machine : Machine
    analog : Analog
    ageing : FlatAgeing

    Attributes
    ----------
    clock : int
        The last training sample that something could have been due before.
    staleness : list of list of Staleness
        Of the wires' factors in layers 1 to L, at each refresh.
    """

    def __init__(
        self, config: Config, array: ArrayConfig, machine: Machine, analog: Analog, ageing: FlatAgeing
    ) -> None:
        self._config, self._array = config, array
        self._machine, self._analog, self._ageing = machine, analog, ageing
        self._wires = array.wires
        self._unsolved = False
        self._kernels = _kernels()
        self.clock = 0
        self.staleness: list[list[Staleness]] = [[] for _ in range(config.layers)]

    @property
    def changes(self) -> bool:
        """Whether devices ever change but by pulses."""
        return self._analog.changes

    def advance(self, sample: int) -> None:
        """Come to the training sample after the last one."""
        self.solve()
        self.clock = sample
        if sample == 0:
            return
        analog, settled = self._analog, self._due(self._ageing.trap_samples)
        if self._wires and self._due(self._wires.refresh):
            self._refresh_wires()
            settled = True
        if self._due(analog.tick_samples):
            settled |= bool(analog.programmed.size or analog.half_selects)
            if analog.half_selects:
                self._kernels.disturb(self._machine, self._analog, self._ageing)
        if settled:
            self.settle()

    def samples_ahead(self) -> int:
        """Samples from the clock's on until something is due again."""
        refresh = self._wires.refresh if self._wires else 0
        periods = self._analog.tick_samples, self._ageing.trap_samples, refresh
        return min(period - self.clock % period for period in periods if period)

    def factors(self) -> list[NDArray[Any]]:
        """What reads see of the conductances of layers 1 to L, in 2^-16."""
        return [self._devices(self._analog.factors, layer) for layer in range(1, self._config.layers + 1)]

    @contextmanager
    def later(self, after_s: float) -> Iterator[None]:
        """Have reads meanwhile see devices as after `after_s` seconds in which they are left alone.

        Raises
        ------
        ConfigError
            If that is negative or further than time reaches.
        """
        self.solve()
        before, self.clock = self.clock, self.clock + samples_later(self._array, self.clock, after_s)
        if self.clock != before:
            self.settle()
        try:
            yield
        finally:
            if self.clock != before:
                self.clock = before
                self.settle()

    def programmed(self) -> None:
        """Note that all devices were programmed."""
        self._analog.programmed[:] = self.clock // self._array.tick_samples
        self.replaced()

    def replaced(self) -> None:
        """Note that all conductances are others now."""
        self._unsolved = self._wires is not None
        self.settle()

    def solve(self) -> None:
        """Have the wires' factors fit conductances that were replaced."""
        if self._wires and self._unsolved:
            for layer in range(1, self._config.layers + 1):
                self._views(layer)["wires"][...] = self._attenuation(layer)
            self._unsolved = False
            self.settle()

    def settle(self) -> None:
        """Have the reads see what conductances and history come to."""
        if self._analog.factors.size:
            self._kernels.settle(self._machine, self._analog, self._ageing, self.clock)
        self._kernels.refresh(self._machine, self._analog)

    def state(self) -> list[State]:
        """What must be kept of layers 1 to L beside the conductances and the clock, by name."""
        layers = range(1, self._config.layers + 1)
        return [{name: values.astype(np.int64) for name, values in self._views(layer).items()} for layer in layers]

    def load(self, state: Sequence[State]) -> None:
        """Go on from what `state` gave at the same clock.

        Raises
        ------
        RunError
            If something is missing or does not fit; nothing is changed then.
        """
        check_history(state, self.state())
        for layer, given in enumerate(state, start=1):
            for name, values in self._views(layer).items():
                values[...] = given[name]
        self._unsolved = False
        self.settle()

    def _due(self, period: int) -> bool:
        return period != 0 and self.clock % period == 0

    def _refresh_wires(self) -> None:
        for layer in range(1, self._config.layers + 1):
            used, fresh = self._views(layer)["wires"], self._attenuation(layer)
            self.staleness[layer - 1].append(staleness(used.astype(np.int64), fresh, self.clock))
            used[...] = fresh

    def _attenuation(self, layer: int) -> NDArray[np.int64]:
        conductances = self._devices(self._analog.conductances, layer).astype(np.int64)
        return attenuation(conductances, self._array.device.quantum_S, self._wires)

    def _views(self, layer: int) -> dict[str, NDArray[Any]]:
        """What must be kept of a layer, to be read and written."""
        analog, rows, columns = self._analog, self._config.rows(layer), self._config.columns(layer)
        flat = {"life": analog.life, "programmed": analog.programmed, "wires": self._ageing.wires}
        views = {name: self._devices(values, layer) for name, values in flat.items() if values.size}
        if analog.half_selects:
            shape = 2, self._config.carry_digits, -1
            for end, selects in (("", analog.selects), ("_done", self._ageing.selects_done)):
                views[f"row_selects{end}"] = selects[0, layer - 1, :rows]
                views[f"column_selects{end}"] = selects[1:, layer - 1].reshape(shape)[..., :columns]
        return views

    def _devices(self, flat: NDArray[Any], layer: int) -> NDArray[Any]:
        """Values of a layer's devices, shape (2, digits, rows, columns)."""
        part = flat[:, :, self._machine.starts[layer - 1] : self._machine.starts[layer]]
        shape = 2, self._config.carry_digits, self._config.rows(layer), -1
        return part.reshape(shape)[..., : self._config.columns(layer)]


def _kernels() -> ModuleType:
    """Imported late: Numba takes a while, and need not be there."""
    from . import history_kernels

    return history_kernels
