"""How many cycles a training sample takes, from its trace.

With a lane per column, E_l row events into layer l, and S_l = sum over its groups of max(1, lines that fire), the
forward pass takes about E_1 + S_1 + ... + S_L cycles: a row event a cycle in layer 1, and each further layer takes the
row events of the one before as they come. Gates take the same scan, with the backward reads behind it at a cycle for
each open gate; the update takes max(E_l), a row event a cycle in all layers at once. Folds multiply events, reads and
pulses of a layer by their number; a thinned update (k > 0) adds a cycle for each four rows.
`sample_cycles` is exact to the cycle; where a carry follows the sample, `carry_cycles` come on top.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.config import Config, Gate
from ..model.crossbar import Cells
from ..model.lfsr import LINES_PER_WORD
from ..model.trace import LayerTrace, Trace
from .geometry import Geometry

LIST_LATENCY = 2  # from a row event written, or a replay started, to the event offered
HOLD_LATENCY = 4  # from the last row of a fold driven to its first group decided
GATE_LATENCY = {Gate.RANDOM_WINDOW: 3, Gate.FIXED_WINDOW: 2, Gate.XOR: 3}  # from gating started to a group decided


def sample_cycles(config: Config, trace: Trace) -> int:
    """Busy cycles of one training sample whose result is accepted at once.

    Parameters
    ----------
    config : Config
    trace : Trace
        Of the golden model or of the hardware.
    """
    geometries = [Geometry.of(config, layer) for layer in range(1, config.layers + 1)]
    released = _forward(geometries, trace) + 1
    if trace.has_error:
        update = _backward(config, geometries, trace, released) if config.layers > 1 else released
        released = _update(geometries, trace, update)
    return released + 1


def most_cycles(config: Config) -> int:
    """Cycles that a sample or a pass, its drawing and its carry included, never takes."""
    lines, lanes = sum(config.sizes), config.lanes or max(config.sizes[1:])
    beats = -(-config.sizes[0] // config.pixels_per_beat)
    work = lines * (2 + max(config.sizes[1:]) // lanes)
    sample = config.input_draws * (4 * (beats + config.sizes[0]) + 16 * work + 1000)
    rows, columns = max(config.sizes) + 1, max(config.sizes[1:])
    pulses = 8 + 2 * (config.carry_base + 1) * config.carry_pulses
    return sample + rows * (config.carry_digits - 1) * columns * pulses * 2


def draw_cycles(config: Config, rows: NDArray[np.int64]) -> int:
    """Cycles in which the input of a sample is drawn, ahead of the layers.

    A beat takes max(1, row events), the last one its row events and two; each pattern takes as long.

    Parameters
    ----------
    config : Config
    rows : ndarray of int64
        Row events of layer 1, each pattern ended by the bias row.
    """
    return sum(_pattern_cycles(config, pattern) for pattern in _patterns(rows, config.sizes[0]))


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
    return 3 + max(_layer_carry(Geometry.of(config, layer), cells[layer - 1]) for layer in layers)


def _layer_carry(geometry: Geometry, cells: Cells) -> int:
    folds = geometry.folds
    last_group = geometry.groups - 1 - (folds - 1) * geometry.groups_per_fold
    read = 1 + (folds - 1) * (geometry.groups_per_fold + 2) + HOLD_LATENCY + last_group + 2
    raising, lowering = (_repeated(pulses, folds) for pulses in (geometry.pulses, geometry.base * geometry.pulses))
    threshold = geometry.base * geometry.pulses
    cycles = 0
    for row in cells.reshape(geometry.rows, geometry.columns, geometry.digits).copy():
        for digit in range(geometry.digits - 1):
            lower, upper = row[:, digit], row[:, digit + 1]
            full = (lower >= threshold).astype(int) - (lower <= -threshold)
            carried = np.where(full * upper <= geometry.digit_max - geometry.pulses, full, 0)
            upper += geometry.pulses * carried
            lower -= threshold * carried
            cycles += 1 + read * (2 if full.any() else 1) + (raising + 2 + lowering + 2 if carried.any() else 0)
    return cycles


def _repeated(pulses: int, folds: int) -> int:
    """Cycles of pulses on the same row, one after the other: a word just written waits a cycle."""
    return pulses * folds if folds > 1 else 2 * pulses - 1


def _forward(geometries: Sequence[Geometry], trace: Trace) -> int:
    """Cycle in which every layer is seen to have fired; 0 is the cycle of the start."""
    bias_driven = LIST_LATENCY + len(trace.layers[0].rows) - 1
    fire_ends = 0
    for index, (geometry, layer) in enumerate(zip(geometries, trace.layers, strict=True), start=1):
        hidden = index < len(geometries)
        free = 0
        for group, fired in enumerate(_group_sums(geometry, layer.fired)):
            fold, group_in_fold = divmod(group, geometry.groups_per_fold)
            fold_driven = bias_driven + fold * (geometry.groups_per_fold + len(layer.rows) + 1)
            fire_ends = max(free, fold_driven + HOLD_LATENCY + group_in_fold)
            free = fire_ends + (max(1, fired) if hidden else 1)
        if hidden:
            bias_driven = fire_ends + fired + 1 + LIST_LATENCY
    return fire_ends + 1


def _backward(config: Config, geometries: Sequence[Geometry], trace: Trace, start: int) -> int:
    """Cycle of the update, if gates are started in cycle `start`."""
    listed = [_gate_events(config, *pair, start) for pair in zip(geometries[:-1], trace.layers[:-1], strict=True)]
    gates_settled = [events[-1] + 2 for events in listed] + [0]
    now = start + 1
    for index in reversed(range(len(listed))):
        upper, upper_layer = geometries[index + 1], trace.layers[index + 1]
        if not upper_layer.signs.any():
            now += 1
            continue
        free = now + 1
        settled = 0
        for written in listed[index][:-1]:
            free = max(free, written + LIST_LATENCY) + upper.folds
            settled = free + 1 + _sense_levels(upper)
        bias = max(free, listed[index][-1] + LIST_LATENCY)
        idle = max(bias + 1, settled) + 1
        now = max(idle, gates_settled[index + 1]) + 1
    return max(now, *gates_settled)


def _gate_events(config: Config, geometry: Geometry, layer: LayerTrace, start: int) -> list[int]:
    """Cycles in which the open gates of a layer, and the bias row after them, are written to its list."""
    free = start + GATE_LATENCY[config.gate] + (geometry.groups if config.gate is Gate.XOR else 0)
    cycles = []
    for is_open in _group_sums(geometry, layer.gates):
        cycles += [free + position + 1 for position in range(is_open)]
        free += max(1, is_open)
    return [*cycles, cycles[-1] + 1 if is_open else free]


def _update(geometries: Sequence[Geometry], trace: Trace, start: int) -> int:
    """Cycle of the release, if the update is started in cycle `start`."""
    idle = [
        _layer_update(geometry, layer, trace.exponent, start)
        for geometry, layer in zip(geometries, trace.layers, strict=True)
        if trace.exponent or layer.signs.any()
    ]
    return max(idle) + 1


def _layer_update(geometry: Geometry, layer: LayerTrace, exponent: int, start: int) -> int:
    """Cycle in which a layer is seen to have updated."""
    words = (geometry.rows - 1) // LINES_PER_WORD if exponent else 0
    pulses = len(layer.pulsed)
    rows = len(_patterns(layer.rows, geometry.rows - 1)[-1])
    done = start + LIST_LATENCY + words + rows + pulses * (geometry.folds - 1)
    return done + (2 if pulses and layer.pulsed[-1] == geometry.rows - 1 else 1)


def _pattern_cycles(config: Config, rows: NDArray[np.int64]) -> int:
    active = np.bincount(rows[:-1] // config.pixels_per_beat, minlength=-(-config.sizes[0] // config.pixels_per_beat))
    return int(np.maximum(active[:-1], 1).sum() + active[-1] + 2)


def _patterns(rows: NDArray[np.int64], bias_row: int) -> list[NDArray[np.int64]]:
    """Row events by pattern."""
    return np.split(rows, np.flatnonzero(rows == bias_row)[:-1] + 1)


def _sense_levels(geometry: Geometry) -> int:
    return (geometry.lanes - 1).bit_length() + 1


def _group_sums(geometry: Geometry, lines: NDArray[np.bool_]) -> list[int]:
    """Lines at 1 in each group."""
    padded = np.pad(lines.astype(np.int64), (0, geometry.groups * geometry.tables - len(lines)))
    return [int(count) for count in padded.reshape(geometry.groups, geometry.tables).sum(axis=1)]
