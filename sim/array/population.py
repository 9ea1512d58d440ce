"""The devices of an array, each with its own range and steps: what does not change after the array is made.

With X, Y, Z normal and fixed for a device, and its position x in its own range from lo to hi, a pulse is

    SET    F (1 + m / 2) (c_0 + c_1 x),        m  = mismatch + mismatch_spread X
    RESET  F (1 - m / 2) (c'_0 + c'_1 x),      lo = G_min + lower_bound_spread (G_max - G_min) Y
    F      lognormal, mean 1,                  hi = G_max + bound_spread (G_max - G_min) Z
           relative deviation step_spread

Spreads of steps, of their imbalance and of bounds, each relative to its mean, are how resistive processing units have
been described since Gokmen and Vlasov, "Acceleration of deep neural network training with resistive cross-point
devices", Frontiers in Neuroscience 10, 2016, with 30 % for steps and for bounds and 2 % for the imbalance of up and
down, all normal. aihwkit (Rasch et al., AICAS 2021) calls them dw_min_dtod, w_max_dtod and w_min_dtod, up_down_dtod:
its SET takes 1 + beta where this one takes 1 + m / 2, and its bounds spread relative to w_max and w_min, half a range
each. Steps are lognormal here, as aihwkit's with dw_min_dtod_log_normal are, for a step is never less than 0 and
measured ones spread by factors (Gong, Rasch et al., IEDM 2022); there dw_min is the median and dw_min_dtod the standard
deviation of the logarithm, s, so that a mean is exp(s^2 / 2) times as much and step_spread sqrt(exp(s^2) - 1).
"""

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
    """The devices of `layer` (1 to L); equations and sources at the head of this file."""
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
    """Ranges (lo, hi) in quanta: spread, lo up to the middle of the range and hi from there to 2 G_max; or stuck.

    A stuck device has lo = hi: G_max with probability `stuck_on`, G_min with `stuck_off`. In a 4-Mb array of HfO2
    9.04 % of the cells were stuck at 1 and 1.75 % at 0 (Chen et al., "RRAM defect modeling and failure analysis based
    on march test and a novel squeeze-search scheme", IEEE Trans. Computers 64, 2015, as later work quotes it).
    """
    shape = (1, 1, 1, 1)
    low, high = np.full(shape, steps.low), np.full(shape, steps.high)
    middle = (steps.low + steps.high) // 2
    of_low, of_high = (fixed_point(spread) * (steps.high - steps.low) for spread in device.bound_spreads)
    if of_low:
        low = np.clip(low + (of_low * draws.normals(Purpose.LOWER) >> 32), 0, middle)
    if of_high:
        high = np.clip(high + (of_high * draws.normals(Purpose.UPPER) >> 32), middle, 2 * steps.high)
    if device.stuck_on or device.stuck_off:
        word = draws.uniform(Purpose.FAULT)
        on = word < fixed_point(device.stuck_on, 32)
        off = ~on & (word < fixed_point(device.stuck_on, 32) + fixed_point(device.stuck_off, 32))
        low = np.where(on, steps.high, np.where(off, steps.low, low))
        high = np.where(on, steps.high, np.where(off, steps.low, high))
    return low, high


def _factors(device: Device, draws: Draws) -> tuple[Whole, Whole]:
    """What multiplies SET steps and RESET steps, F (1 + m / 2) and F (1 - m / 2), in 2^-16; |m| is at most 2."""
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
    """Lognormal factors of mean 1 and relative standard deviation s = `spread`, in 2^-16, by sum of bytes plus 1020.

    F = exp(sigma X - sigma^2 / 2) with sigma^2 = ln(1 + s^2): the moments of the lognormal distribution (Johnson, Kotz,
    Balakrishnan, "Continuous univariate distributions" 1, 1994, chapter 14) solved for mean 1.
    """
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
