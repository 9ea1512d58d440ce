"""How many cycles a training sample takes, from its trace.

With a lane per column, E_l row events into layer l, and S_l = sum over its groups of max(1, lines that fire), the
forward pass takes about E_1 + S_1 + ... + S_L cycles: a row event a cycle in layer 1, and each further layer takes the
row events of the one before as they come. Gates take the same scan, with the backward reads behind it at a cycle for
each open gate; the update takes max(E_l), a row event a cycle in all layers at once. Folds multiply events, reads and
pulses of a layer by their number; a thinned update (k > 0) adds a cycle for each four rows. Arrays behind pins take
the times of their pins instead: a settled read in place of a cycle, and so on (section 14 of the specification).
`sample_cycles` is exact to the cycle; where a carry follows the sample, `carry_cycles` come on top.
"""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ..model.config import PIN_CYCLES, ArraySide, Config
from ..model.crossbar import Cells
from ..model.trace import Trace
from . import memory_cycles, pin_cycles
from .activity import patterns
from .geometry import Geometry


def sample_cycles(config: Config, trace: Trace) -> int:
    """Busy cycles of one training sample whose result is accepted at once.

    Parameters
    ----------
    config : Config
    trace : Trace
        Of the golden model or of the hardware.
    """
    side = _side(config)
    geometries = [Geometry.of(config, layer) for layer in range(1, config.layers + 1)]
    released: int = side.forward(config, geometries, trace) + 1
    if trace.has_error:
        update = side.backward(config, geometries, trace, released) if config.layers > 1 else released
        released = side.update(config, geometries, trace, update)
    return released + 1


def most_cycles(config: Config) -> int:
    """Cycles that a sample or a pass, its drawing and its carry included, never takes."""
    lines, lanes = sum(config.sizes), config.lanes or max(config.sizes[1:])
    beats = -(-config.sizes[0] // config.pixels_per_beat)
    work = lines * (2 + max(config.sizes[1:]) // lanes)
    sample = config.input_draws * (4 * (beats + config.sizes[0]) + 16 * work + 1000)
    rows, columns = max(config.sizes) + 1, max(config.sizes[1:])
    pulses = 8 + 2 * (config.carry_base + 1) * config.carry_pulses
    if config.carry_verify:
        pulses += 4 * config.search_bits + 8 * (config.carry_verify + config.carry_digits)
    cycles = sample + rows * (config.carry_digits - 1) * columns * pulses * 2
    if config.array_side is ArraySide.PINS:
        cycles *= 4 * config.pulses_per_step * sum(getattr(config, name) for name in PIN_CYCLES)
    return cycles


def most_access_cycles(config: Config) -> int:
    """Cycles that a cell of an array behind pins is never read or written in; block RAM takes a few."""
    if config.array_side is not ArraySide.PINS:
        return 0
    groups = max(Geometry.of(config, layer).groups for layer in range(1, config.layers + 1))
    steps = min(8 << config.weight_bits, 1 << 16)
    verified = config.settle_cycles + 2 * config.compare_cycles + 16
    written: int = steps * (verified + pin_cycles.pulse_cycles(config) + groups + 4)
    return written


def draw_cycles(config: Config, rows: NDArray[np.int64]) -> int:
    """Cycles in which the input of a sample is drawn, ahead of the layers.

    A beat takes max(1, row events), the last one its row events and two; each further pattern one more than that.

    Parameters
    ----------
    config : Config
    rows : ndarray of int64
        Row events of layer 1, each pattern ended by the bias row.
    """
    cycles = [_pattern_cycles(config, pattern) for pattern in patterns(rows, config.sizes[0])]
    return sum(cycles) + len(cycles) - 1


def carry_cycles(config: Config, cells: Sequence[Cells]) -> int:
    """Busy cycles that a carry adds to its sample.

    Digit after digit of row after row, a read takes a cycle for each group and a few more, a second one of the upper
    neighbour follows where any cell is full, and pulses where any of those carries. Layers carry at the same time.

    Parameters
    ----------
    config : Config
    cells : sequence of ndarray of int32, each of shape (rows, columns * digits)
        Of layers 1 to L, as the carry finds them.
    """
    layers = range(1, config.layers + 1)
    cycles: int = 4 + max(_side(config).carry(Geometry.of(config, layer), config, cells[layer - 1]) for layer in layers)
    return cycles


def _pattern_cycles(config: Config, rows: NDArray[np.int64]) -> int:
    active = np.bincount(rows[:-1] // config.pixels_per_beat, minlength=-(-config.sizes[0] // config.pixels_per_beat))
    return int(np.maximum(active[:-1], 1).sum() + active[-1] + 2)


def _side(config: Config) -> ModuleType:
    return pin_cycles if config.array_side is ArraySide.PINS else memory_cycles
