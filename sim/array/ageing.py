"""What time and use do to devices: traps, drift, wear; constants drawn when the array is made (section 13).

Random telegraph noise is a trap that is occupied or not (Machlup, "Noise in semiconductors: spectrum of a two-parameter
random signal", J. Appl. Phys. 25, 1954). Drift is G(t) = G(t0) (t / t0)^-nu (Le Gallo, Sebastian, "An overview of
phase-change memory device physics", J. Phys. D 53, 2020). That lives of devices are lognormal is the habit of
reliability (Balatti et al., "Voltage-controlled cycling endurance of HfOx-based resistive-switching memory", IEEE
Trans. Electron Devices 62, 2015).
"""

from decimal import Decimal, localcontext
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .config import ArrayConfig
from .device import MOST_PULSES, PRECISION, fixed_point, to_integer
from .noise import LARGEST, ONE, Purpose
from .population import Draws, Whole, lognormal_table, scaled

AGE_BITS = 6
DECAY_BITS = 12
LARGEST_DECAY = 8


class Ageing(NamedTuple):
    """Constants of a layer's devices, plus devices first, of shape (2, digits, rows, columns), or of ones without them.

    Attributes
    ----------
    traps : ndarray of bool
    drift : ndarray of int64
        Exponent nu, in 2^-16.
    life : ndarray of int64
        Pulses until a device no longer switches.
    """

    traps: NDArray[np.bool_]
    drift: Whole
    life: Whole


def make_ageing(array: ArrayConfig, layer: int, rows: int, columns: int, digits: int) -> Ageing:
    """The devices of `layer` (1 to L)."""
    device, draws = array.device, Draws(array.seed, layer, rows, columns, digits)
    one = 1, 1, 1, 1
    traps, drift = np.zeros(one, dtype=np.bool_), np.full(one, fixed_point(device.drift))
    life = np.full(one, device.endurance, dtype=np.int64)
    if device.trap_share:
        traps = draws.uniform(Purpose.TRAP) < fixed_point(device.trap_share, 32)
    if device.drift_spread:
        spread = scaled(fixed_point(device.drift_spread), draws.normals(Purpose.DRIFT))
        drift = np.maximum(drift + spread, 0)
    if device.endurance:
        life = np.full((2, digits, rows, columns), device.endurance, dtype=np.int64)
        if device.endurance_spread:
            factor = lognormal_table(device.endurance_spread)[draws.sums(Purpose.ENDURANCE) + LARGEST]
            life = np.minimum(scaled(life, factor), MOST_PULSES - 1)
    return Ageing(traps=traps, drift=drift, life=life)


@cache
def logarithms(array: ArrayConfig) -> Whole:
    """ln(t / t0) in 2^-16 by the index of an age, t being t0 and so many ticks."""
    with localcontext(prec=PRECISION):
        tick = Decimal(array.tick_samples) * Decimal(repr(array.sample_s)) / Decimal(repr(array.device.drift_t0_s))
        return np.array([to_integer((1 + tick * age).ln() * ONE) for age in _ages()], dtype=np.int64)


@cache
def decays() -> Whole:
    """exp(-x) in 2^-16 by x in 2^-12, as far as x = 8."""
    with localcontext(prec=PRECISION):
        ratio, value, found = (Decimal(-1) / (1 << DECAY_BITS)).exp(), Decimal(ONE), []
        for _ in range((LARGEST_DECAY << DECAY_BITS) + 1):
            found.append(to_integer(value))
            value *= ratio
        return np.array(found, dtype=np.int64)


def age_index(ages: Whole) -> Whole:
    """Where an age is in `logarithms`: ages are rounded down to six significant bits."""
    shift = np.zeros_like(ages)
    while (large := ages >> shift >= 1 << AGE_BITS).any():
        shift = shift + large
    return (shift << AGE_BITS - 1) + (ages >> shift)


def half_selects_of_a_step(array: ArrayConfig) -> int:
    """N, half-selects that move a device by a step; 0 where they do nothing."""
    if not array.device.half_select:
        return 0
    with localcontext(prec=PRECISION):
        return to_integer(1 / Decimal(repr(float(array.device.half_select))))


def _ages() -> list[int]:
    """The first age of each index."""
    half = 1 << AGE_BITS - 1
    small = list(range(2 * half))
    return small + [mantissa << shift for shift in range(1, 32 - AGE_BITS) for mantissa in range(half, 2 * half)]
