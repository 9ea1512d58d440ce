"""The pairs of a layer: which of their devices pulses move, and where those rest that they do not (section 13).

Symmetry points are those of Gokmen, Haensch, "Algorithm for training neural networks on resistive device arrays",
Frontiers in Neuroscience 14, 2020: where a SET pulse and a RESET pulse cancel.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...model.config import Config
from .config import ArrayConfig, Pair
from .device import fixed_point
from .noise import Normals, Purpose, device_words, normals_of, static_word
from .population import Population, Whole, cycle_spreads, make_population, pulsed
from .pulse_count import NOTHING, PulseCount

PLUS, MINUS = 0, 1
WORD_BITS = 32
REPETITION_SHIFT = 16


class Pairs(NamedTuple):
    """The devices of a layer, and what it took to place them.

    Attributes
    ----------
    population : Population
        A reference has nowhere to go: its range is where it rests.
    pulses : PulseCount
        Given to find symmetry points.
    """

    population: Population
    pulses: PulseCount


def make_pairs(config: Config, layer: int, array: ArrayConfig) -> Pairs:
    """The pairs of `layer` (1 to L)."""
    population = make_population(config, layer, array)
    if array.pair is Pair.PUSH_PULL:
        return Pairs(population, NOTHING)
    shape = 2, config.carry_digits, config.rows(layer), config.columns(layer)
    low, high = (np.broadcast_to(values, shape).copy() for values in (population.low, population.high))
    wanted, pulses = _symmetry_points(config, layer, array, population)
    rest = np.clip(wanted, low[MINUS], high[MINUS])
    low[MINUS] = high[MINUS] = rest
    return Pairs(population._replace(low=low, high=high), pulses)


def left_out(array: ArrayConfig, words: NDArray[np.uint64], up: ArrayLike) -> NDArray[np.bool_]:
    """Which pulses are left out, SET pulses where `up`, by a word of each."""
    of_set, of_reset = thinning_limits(array)
    return np.asarray(words < np.where(up, of_set, of_reset).astype(np.uint64))


def thinning_limits(array: ArrayConfig) -> tuple[int, int]:
    """Shares of SET and of RESET pulses that are left out, in 2^-32."""
    return fixed_point(max(array.thinning, 0.0), WORD_BITS), fixed_point(max(-array.thinning, 0.0), WORD_BITS)


def _symmetry_points(
    config: Config, layer: int, array: ArrayConfig, population: Population
) -> tuple[Whole, PulseCount]:
    """Where alternating pulses leave plus devices, shape (digits, rows, columns); mid-range without pulses."""
    steps, device = array.steps(config.digit_max, config.pulses_per_step), array.device
    shape = config.carry_digits, config.rows(layer), config.columns(layer)
    devices = Population(*(np.broadcast_to(values, (2, *shape))[PLUS] for values in population))
    g = np.clip(np.full(shape, (steps.low + steps.high) // 2), devices.low, devices.high)
    spreads, count = cycle_spreads(device, steps), NOTHING
    for number in range(2 * array.zero_shifting):
        up = number % 2 == 0
        given = np.ones(shape, dtype=np.bool_)
        if array.thinning:
            given = ~left_out(array, _words(Purpose.THINNING, config, layer, array, number)[..., 0], up)
        x: Normals | int = 0
        if any(spreads):
            x = normals_of(_words(Purpose.PULSE, config, layer, array, number))[..., 0]
        pulses, met = int(given.sum()), int(g[given].sum())
        count += PulseCount(pulses, 0, met, 0) if up else PulseCount(0, pulses, 0, met)
        g = np.where(given, pulsed(g, up, devices, spreads, np.asarray(x)), g)
    return g, count


def _words(purpose: Purpose, config: Config, layer: int, array: ArrayConfig, number: int) -> NDArray[np.uint64]:
    """Words of all pairs for pulse `number` of a search, shape (digits, rows, columns, 4)."""
    rows, columns, digits = config.rows(layer), config.columns(layer), config.carry_digits
    detail, word = number << REPETITION_SHIFT, static_word(purpose, layer)
    words = device_words(array.seed, np.arange(rows), np.arange(columns * digits), 0, detail, word)
    return words.reshape(rows, columns, digits, 4).transpose(2, 0, 1, 3)
