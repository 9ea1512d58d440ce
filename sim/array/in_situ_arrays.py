"""What backpropagation holds beside an analog array, as flat arrays for the compiled loops."""

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.baseline import PURPOSE as WEIGHT_PURPOSE
from ...model.machine import LINE, Machine

Array = NDArray[Any]
PURPOSE = WEIGHT_PURPOSE - 1
WORDS = 4
THRESHOLD, STOCHASTIC, ACCUMULATED = range(3)


class Rounding(StrEnum):
    """How a wanted change of c LSBs becomes whole pulses.

    ``threshold``: a pulse once |c| reaches the threshold, and another one with every LSB more. ``stochastic``: at
    random, so that the mean is c. ``accumulated``: changes add up in a float32 beside each device, and a pulse is given
    for each whole LSB of it (Nandakumar et al., "Mixed-precision deep learning based on computational memory",
    Frontiers in Neuroscience 14, 2020).
    """

    THRESHOLD = "threshold"
    STOCHASTIC = "stochastic"
    ACCUMULATED = "accumulated"


ROUNDINGS = {Rounding.THRESHOLD: THRESHOLD, Rounding.STOCHASTIC: STOCHASTIC, Rounding.ACCUMULATED: ACCUMULATED}


class InSitu(NamedTuple):
    """The learner; layers are counted from 0.

    Attributes
    ----------
    signals : ndarray of float64, shape (layers, lines)
        Of the rows of each layer, bias row included.
    z, errors : ndarray of float64, shape (layers, lines)
    wanted : ndarray of float64, shape (lines,)
        Changes of a row's weights, in LSBs.
    pulses : ndarray of int64, shape (lines,)
        What they are rounded to.
    drawn : ndarray of float64, shape (lines,)
    accumulated : ndarray of float32, shape (cells,), or (0,) without
        In LSBs.
    unit : float
        Weight of a quantum.
    offset : float
        1 less the threshold.
    most_pulses, rounding : int
    softmax : bool
    key_low, key_high : int
        Words of the seed.
    """

    signals: Array
    z: Array
    errors: Array
    wanted: Array
    pulses: Array
    drawn: Array
    accumulated: Array
    unit: float
    offset: float
    most_pulses: int
    rounding: int
    softmax: bool
    key_low: int
    key_high: int


def make_in_situ(
    machine: Machine,
    *,
    unit: float,
    rounding: Rounding,
    threshold: float,
    most_pulses: int,
    softmax: bool,
    seed: int,
) -> InSitu:
    """The learner on the array of `machine`."""
    layers, lines = len(machine.sizes) - 1, int(machine.widths.max()) + LINE
    cells = int(machine.starts[-1]) if rounding is Rounding.ACCUMULATED else 0
    return InSitu(
        signals=np.zeros((layers, lines)),
        z=np.zeros((layers, lines)),
        errors=np.zeros((layers, lines)),
        wanted=np.zeros(lines),
        pulses=np.zeros(lines, dtype=np.int64),
        drawn=np.zeros(lines),
        accumulated=np.zeros(cells, dtype=np.float32),
        unit=float(unit),
        offset=float(1 - threshold),
        most_pulses=most_pulses,
        rounding=ROUNDINGS[rounding],
        softmax=softmax,
        key_low=seed & 0xFFFFFFFF,
        key_high=seed >> 32,
    )
