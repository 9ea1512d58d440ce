"""What has happened to a layer's devices, and what reads see of them for it (section 13).

Half-selects are those of the V/2 scheme (Yu, "Neuro-inspired computing with emerging nonvolatile memories", Proc. IEEE
106, 2018).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.errors import ConfigError, RunError
from .ageing import DECAY_BITS, age_index, decays, half_selects_of_a_step, logarithms, make_ageing
from .config import ArrayConfig
from .device import fixed_point
from .effective import Staleness, attenuation, staleness
from .noise import ONE, Purpose, device_words, static_word
from .population import Population, Whole

UP, DOWN = 0, 1
DEVICES = "life", "programmed"
MOST_TICKS = 1 << 31
SELECTS = "row_selects", "column_selects", "row_selects_done", "column_selects_done"


class History:
    """Pulses, ages, half-selects and traps of a layer's devices.

    Parameters
    ----------
    config : Config
    layer : int
        1 to L.
    array : ArrayConfig
    population : Population

    Attributes
    ----------
    clock : int
        The last training sample that the array was used in.
    life : ndarray of int64, shape (2, digits, rows, columns)
        Pulses left until a device no longer switches; empty where they all last for ever.
    programmed : ndarray of int64, shape (2, digits, rows, columns)
        Tick of a device's last pulse; empty without drift.
    row_selects, column_selects : ndarray of int64, shapes (rows,), (2, digits, columns)
        Pulses of each row, and of each column upward and downward; empty without half-selects.
    row_selects_done, column_selects_done : ndarray of int64
        Those that the devices have been moved by.
    wires : ndarray of int64, shape (2, digits, rows, columns), or of ones
        What the wires leave of a conductance, in 2^-16.
    staleness : list of Staleness
        Of `wires`, at each refresh.
    factors : ndarray of int64, likewise
        What reads see of a conductance, in 2^-16.
    """

    def __init__(self, config: Config, layer: int, array: ArrayConfig, population: Population) -> None:
        rows, columns, digits = config.rows(layer), config.columns(layer), config.carry_digits
        self._array, self._layer, self._population = array, layer, population
        self._shape = 2, digits, rows, columns
        self._ageing = make_ageing(array, layer, rows, columns, digits)
        self._half_selects = half_selects_of_a_step(array)
        device, nothing = array.device, (0, 0, 0, 0)
        self._drifts = bool(device.drift or device.drift_spread)
        self.clock = 0
        self.life: Whole = self._ageing.life.copy() if device.endurance else np.zeros(nothing, dtype=np.int64)
        self.programmed: Whole = np.zeros(self._shape if self._drifts else nothing, dtype=np.int64)
        counted = (rows, columns) if self._half_selects else (0, 0)
        self.row_selects: Whole = np.zeros(counted[0], dtype=np.int64)
        self.column_selects: Whole = np.zeros((2, digits, counted[1]), dtype=np.int64)
        self.row_selects_done, self.column_selects_done = self.row_selects.copy(), self.column_selects.copy()
        self.wires: Whole = np.full(self._shape if array.wires else (1, 1, 1, 1), ONE)
        self.staleness: list[Staleness] = []
        self._wires = array.wires
        self._unsolved = array.wires is not None
        self.settle()

    def advance(self, sample: int, conductances: Whole) -> None:
        """Come to a training sample; half-selects may move `conductances`."""
        self.solve(conductances)
        before, self.clock = self.clock, sample
        refreshed = self._wires is not None and self._passed(before, self._wires.refresh)
        if refreshed:
            fresh = self._attenuation(conductances)
            self.staleness.append(staleness(self.wires, fresh, self.clock))
            self.wires = fresh
        ticked = self._passed(before, self._array.tick_samples)
        if ticked and self._half_selects:
            self._disturb(conductances)
        if refreshed or (ticked and self._drifts) or self._passed(before, self._array.device.trap_samples):
            self.settle()

    def solve(self, conductances: Whole) -> None:
        """Have `wires` fit `conductances` if these were loaded since."""
        if self._unsolved:
            self.wires, self._unsolved = self._attenuation(conductances), False
            self.settle()

    @contextmanager
    def later(self, after_s: float) -> Iterator[None]:
        """Have reads meanwhile see devices as after `after_s` seconds in which they are left alone.

        Raises
        ------
        ConfigError
            If that is negative or further than time reaches.
        """
        before, self.clock = self.clock, self.clock + samples_later(self._array, self.clock, after_s)
        self.settle()
        try:
            yield
        finally:
            self.clock = before
            self.settle()

    def loaded(self) -> None:
        """Note that all devices were programmed."""
        self.programmed[:] = self._tick
        self.replaced()

    def replaced(self) -> None:
        """Note that all conductances are others now."""
        self._unsolved = self._wires is not None
        self.settle()

    def switches(self, chosen: Any) -> NDArray[np.bool_] | bool:
        """Whether devices still switch."""
        return np.asarray(self.life[chosen] > 0) if self.life.size else True

    def pulsed(self, chosen: Any) -> None:
        """Note a pulse of devices."""
        if self.life.size:
            self.life[chosen] = np.maximum(self.life[chosen] - 1, 0)
        if self._drifts:
            self.programmed[chosen] = self._tick
            self.factors[chosen] = np.broadcast_to(self._settled, self._shape)[chosen]

    def selected(self, rows: Whole, signs: NDArray[np.int8], digit: int) -> None:
        """Note a pulse of `rows` along `signs` (columns,)."""
        if self._half_selects and signs.any():
            self.row_selects[rows] += 1
            self.column_selects[UP, digit] += len(rows) * (signs > 0)
            self.column_selects[DOWN, digit] += len(rows) * (signs < 0)

    def seen(self, conductances: Whole, chosen: Any) -> Whole:
        """What reads see of the devices `chosen`, in quanta."""
        seen: Whole = conductances[chosen]
        if self.factors.size > 1:
            seen = (seen * self.factors[chosen] + ONE // 2) >> 16
        return seen

    def settle(self) -> None:
        """Set `factors` as of the clock."""
        self._settled = self.wires
        if self._array.device.trap_share:
            amplitude = fixed_point(self._array.device.trap_amplitude)
            self._settled = (self._settled * (ONE - amplitude * self._occupied()) + ONE // 2) >> 16
        self.factors = self._settled.copy()
        if self._drifts:
            index = age_index(self._tick - self.programmed)
            exponent = (self._ageing.drift * logarithms(self._array)[index]) >> 32 - DECAY_BITS
            table = decays()
            self.factors = (self._settled * table[np.minimum(exponent, len(table) - 1)] + ONE // 2) >> 16

    def state(self) -> dict[str, Whole]:
        """What must be kept to go on, beside the conductances and the clock."""
        names = *DEVICES, *SELECTS, *(("wires",) if self._array.wires else ())
        return {name: getattr(self, name) for name in names if getattr(self, name).size}

    def load_state(self, state: dict[str, Whole]) -> None:
        """Go on from what `state` gave at the same clock."""
        for name, values in self.state().items():
            values[:] = state[name]
        self._unsolved = False
        self.settle()

    @property
    def _tick(self) -> int:
        return self.clock // self._array.tick_samples

    def _passed(self, before: int, period: int) -> bool:
        return before // period != self.clock // period

    def _occupied(self) -> NDArray[np.bool_]:
        """Which traps are occupied."""
        _, digits, rows, columns = self._shape
        block, word = self.clock // self._array.device.trap_samples, static_word(Purpose.TELEGRAPH, self._layer)
        words = device_words(
            self._array.seed, np.arange(rows), np.arange(columns * digits), block & 0xFFFFFFFF, 0, word
        )
        drawn = words[..., :2].reshape(rows, columns, digits, 2).transpose(3, 2, 0, 1)
        return self._ageing.traps & (drawn & 1).astype(np.bool_)

    def _attenuation(self, conductances: Whole) -> Whole:
        return attenuation(conductances, self._array.device.quantum_S, self._wires)

    def _disturb(self, conductances: Whole) -> None:
        """Move devices by the steps that their half-selects have come to, those upward first."""
        low, high, i_set, i_reset, k_set, k_reset = self._population
        switches = self.switches(())
        for direction, intercept, slope in ((UP, i_set, k_set), (DOWN, i_reset, k_reset)):
            due = self._steps_come_to(direction)
            for step in range(int(due.max())):
                moved = (intercept + (slope * (conductances - low) >> 8) + ONE // 2) >> 16
                moved = np.clip(conductances + moved if direction == UP else conductances - moved, low, high)
                conductances[:] = np.where((due > step) & switches, moved, conductances)
        self.row_selects_done[:], self.column_selects_done[:] = self.row_selects, self.column_selects

    def _steps_come_to(self, direction: int) -> Whole:
        """Steps due to each device, shape (2, digits, rows, columns): plus devices go along a pulse, minus against."""
        sides = [direction, 1 - direction]
        now = self.row_selects[:, np.newaxis] + self.column_selects[sides][:, :, np.newaxis]
        done = self.row_selects_done[:, np.newaxis] + self.column_selects_done[sides][:, :, np.newaxis]
        steps: Whole = now // self._half_selects - done // self._half_selects
        return steps


def samples_later(array: ArrayConfig, clock: int, after_s: float) -> int:
    """The training samples that `after_s` seconds after sample `clock` are, to the nearest.

    Raises
    ------
    ConfigError
        If time does not reach as far.
    """
    most = (MOST_TICKS * array.tick_samples - 1 - clock) * array.sample_s
    if not isfinite(after_s) or not 0 <= after_s < most:
        raise ConfigError(f"after_s must be from 0 to {most:.3g} seconds, not {after_s!r}")
    return round(after_s / array.sample_s)


def check_history(given: Sequence[dict[str, Whole]], wanted: Sequence[dict[str, Whole]]) -> None:
    """Check that the history of all layers is one of an array.

    Raises
    ------
    RunError
        If it is not.
    """
    if len(given) != len(wanted):
        raise RunError(f"the history is of {len(given)} layers, the machine has {len(wanted)}")
    for layer, names in enumerate(wanted, start=1):
        _check_state(given[layer - 1], names, layer)


def _check_state(given: dict[str, Whole], wanted: dict[str, Whole], layer: int) -> None:
    for name, values in wanted.items():
        if name not in given:
            raise RunError(f"{name} of layer {layer} is missing")
        if given[name].shape != values.shape:
            raise RunError(f"{name} of layer {layer} must be of shape {values.shape}, not {given[name].shape}")
