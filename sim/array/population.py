"""The devices of an array, each with its own range and steps: what does not change after the array is made."""

from decimal import Decimal, localcontext
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from .config import ArrayConfig
from .device import Device, Steps, fixed_point, to_integer
from .noise import GAIN, LARGEST, ONE, Purpose, device_words, normals_of, static_word, sums_of_bytes

Whole = NDArray[np.int64]
PRECISION = 30


class Population(NamedTuple):
    """Devices of a layer, plus devices first.

    Arrays are of shape (2, digits, rows, columns), or of ones where all devices are alike.

    Attributes
    ----------
    low, high : ndarray of int64
        Range, in quanta.
    set_intercept, reset_intercept : ndarray of int64
        In 2^-16 quanta.
    set_slope, reset_slope : ndarray of int64
        In 2^-24.
    """

    low: Whole
    high: Whole
    set_intercept: Whole
    reset_intercept: Whole
    set_slope: Whole
    reset_slope: Whole


def make_population(config: Config, layer: int, array: ArrayConfig) -> Population:
    """The devices of `layer` (1 to L)."""
    device, steps = array.device, array.steps(config.digit_max, config.pulses_per_step)
    draws = Draws(array.seed, layer, config.rows(layer), config.columns(layer), config.carry_digits)
    low, high = _bounds(device, steps, draws)
    span, full = high - low, steps.high - steps.low
    set_factor, reset_factor = _factors(device, draws)
    return Population(
        low=low,
        high=high,
        set_intercept=scaled(_divided(steps.set_intercept * span, full), set_factor),
        reset_intercept=scaled(_divided(steps.reset_intercept * span, full), reset_factor),
        set_slope=scaled(steps.set_slope, set_factor),
        reset_slope=scaled(steps.reset_slope, reset_factor),
    )


def pulsed(g: Whole, up: NDArray[np.bool_] | bool, devices: Population, spreads: tuple[int, int], x: Whole) -> Whole:
    """Conductances of devices after a pulse.

    Parameters
    ----------
    g : ndarray of int64
        Before it, in quanta.
    up : bool, or ndarray of bool
        SET, or else RESET.
    devices : Population
        Of these devices alone.
    spreads : tuple of int
        From cycle to cycle, in 2^-16 quanta and as a share of the step in 2^-16.
    x : ndarray of int64
        Normals in 2^-16.
    """
    low, high, i_set, i_reset, k_set, k_reset = devices
    step = np.where(up, i_set, i_reset) + (np.where(up, k_set, k_reset) * (g - low) >> 8)
    spread = spreads[0] + (spreads[1] * np.abs(step) >> 16)
    change = (step + (spread * x >> 16) + ONE // 2) >> 16
    after: Whole = np.clip(np.where(up, g + change, g - change), low, high)
    return after


def cycle_spreads(device: Device, steps: Steps) -> tuple[int, int]:
    """Spreads from cycle to cycle as `pulsed` takes them."""
    of_range = fixed_point(device.cycle_spread_of_range) * (steps.high - steps.low)
    return of_range, fixed_point(device.cycle_spread_of_step)


class Draws:
    """Random numbers of the devices, shape (2, digits, rows, columns)."""

    def __init__(self, seed: int, layer: int, rows: int, columns: int, digits: int) -> None:
        self._seed, self._layer = seed, layer
        self._shape = rows, columns, digits

    def normals(self, purpose: Purpose) -> Whole:
        return self._by_device(normals_of(self._words(purpose)))

    def sums(self, purpose: Purpose) -> Whole:
        return self._by_device(sums_of_bytes(self._words(purpose)))

    def uniform(self, purpose: Purpose) -> Whole:
        return self._by_device(self._words(purpose)[..., :2].astype(np.int64))

    def _words(self, purpose: Purpose) -> NDArray[np.uint64]:
        rows, columns, digits = self._shape
        word = static_word(purpose, self._layer)
        return device_words(self._seed, np.arange(rows), np.arange(columns * digits), 0, 0, word)

    def _by_device(self, pairs: Whole) -> Whole:
        rows, columns, digits = self._shape
        return np.ascontiguousarray(pairs.reshape(rows, columns, digits, 2).transpose(3, 2, 0, 1))


def _bounds(device: Device, steps: Steps, draws: Draws) -> tuple[Whole, Whole]:
    shape = (1, 1, 1, 1)
    low, high = np.full(shape, steps.low), np.full(shape, steps.high)
    middle = (steps.low + steps.high) // 2
    if device.bound_spread:
        spread = fixed_point(device.bound_spread) * (steps.high - steps.low)
        low = np.clip(low + (spread * draws.normals(Purpose.LOWER) >> 32), 0, middle)
        high = np.clip(high + (spread * draws.normals(Purpose.UPPER) >> 32), middle, 2 * steps.high)
    if device.stuck_on or device.stuck_off:
        word = draws.uniform(Purpose.FAULT)
        on = word < fixed_point(device.stuck_on, 32)
        off = ~on & (word < fixed_point(device.stuck_on, 32) + fixed_point(device.stuck_off, 32))
        low = np.where(on, steps.high, np.where(off, steps.low, low))
        high = np.where(on, steps.high, np.where(off, steps.low, high))
    return low, high


def _factors(device: Device, draws: Draws) -> tuple[Whole, Whole]:
    """What multiplies SET steps and RESET steps, in 2^-16."""
    factor = np.full((1, 1, 1, 1), ONE)
    mismatch = np.full((1, 1, 1, 1), fixed_point(device.mismatch))
    if device.step_spread:
        factor = lognormal_table(device.step_spread)[draws.sums(Purpose.STEP) + LARGEST]
    if device.mismatch_spread:
        mismatch = mismatch + scaled(fixed_point(device.mismatch_spread), draws.normals(Purpose.MISMATCH))
        mismatch = np.clip(mismatch, -2 * ONE, 2 * ONE)
    return scaled(factor, ONE + mismatch // 2), scaled(factor, ONE - mismatch // 2)


@cache
def lognormal_table(spread: float) -> Whole:
    """Lognormal factors of mean 1 and relative standard deviation `spread`, in 2^-16, by the sum of bytes plus 1020."""
    with localcontext(prec=PRECISION):
        variance = (1 + Decimal(repr(spread)) ** 2).ln()
        deviation = variance.sqrt() * GAIN / (1 << 22)
        exponents = (deviation * n - variance / 2 for n in range(-LARGEST, LARGEST + 1))
        return np.array([to_integer(exponent.exp() * ONE) for exponent in exponents])


def scaled(value: Whole | int, factor: Whole) -> Whole:
    """value * factor, a factor in 2^-16, rounded."""
    return (value * factor + ONE // 2) >> 16


def _divided(value: Whole, divisor: int) -> Whole:
    """value / divisor, rounded."""
    return (2 * value + divisor) // (2 * divisor)
