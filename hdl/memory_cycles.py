"""Cycles of the phases of a sample with weights in block RAM (section 12 of the specification)."""

from collections.abc import Sequence

from ..model.config import Config, Gate
from ..model.crossbar import Cells
from ..model.lfsr import LINES_PER_WORD
from ..model.trace import LayerTrace, Trace
from .activity import GATE_LATENCY, LIST_LATENCY, carries, group_sums, patterns
from .geometry import Geometry

HOLD_LATENCY = 4  # from the last row of a fold driven to its first group decided


def forward(config: Config, geometries: Sequence[Geometry], trace: Trace) -> int:
    """Cycle in which every layer is seen to have fired; 0 is the cycle of the start."""
    bias_driven = LIST_LATENCY + len(trace.layers[0].rows) - 1
    fire_ends = 0
    for index, (geometry, layer) in enumerate(zip(geometries, trace.layers, strict=True), start=1):
        hidden = index < len(geometries)
        free = 0
        for group, fired in enumerate(group_sums(geometry, layer.fired)):
            fold, group_in_fold = divmod(group, geometry.groups_per_fold)
            fold_driven = bias_driven + fold * (geometry.groups_per_fold + len(layer.rows) + 1)
            fire_ends = max(free, fold_driven + HOLD_LATENCY + group_in_fold)
            free = fire_ends + (max(1, fired) if hidden else 1)
        if hidden:
            bias_driven = fire_ends + fired + 1 + LIST_LATENCY
    return fire_ends + 1


def backward(config: Config, geometries: Sequence[Geometry], trace: Trace, start: int) -> int:
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


def update(config: Config, geometries: Sequence[Geometry], trace: Trace, start: int) -> int:
    """Cycle of the release, if the update is started in cycle `start`."""
    idle = [
        _layer_update(geometry, layer, trace.exponent, start)
        for geometry, layer in zip(geometries, trace.layers, strict=True)
        if trace.exponent or layer.signs.any()
    ]
    return max(idle) + 1


def carry(geometry: Geometry, config: Config, cells: Cells) -> int:
    """Cycles of the carry of a layer."""
    folds = geometry.folds
    last_group = geometry.groups - 1 - (folds - 1) * geometry.groups_per_fold
    read = 1 + (folds - 1) * (geometry.groups_per_fold + 2) + HOLD_LATENCY + last_group + 2
    raising, lowering = (_repeated(pulses, folds) for pulses in (geometry.pulses, geometry.base * geometry.pulses))
    return sum(1 + read * reads + (raising + 2 + lowering + 2) * pulsed for reads, pulsed in carries(geometry, cells))


def _gate_events(config: Config, geometry: Geometry, layer: LayerTrace, start: int) -> list[int]:
    """Cycles in which the open gates of a layer, and the bias row after them, are written to its list."""
    free = start + GATE_LATENCY[config.gate] + (geometry.groups if config.gate is Gate.XOR else 0)
    cycles = []
    for is_open in group_sums(geometry, layer.gates):
        cycles += [free + position + 1 for position in range(is_open)]
        free += max(1, is_open)
    return [*cycles, cycles[-1] + 1 if is_open else free]


def _layer_update(geometry: Geometry, layer: LayerTrace, exponent: int, start: int) -> int:
    """Cycle in which a layer is seen to have updated."""
    words = (geometry.rows - 1) // LINES_PER_WORD if exponent else 0
    pulses = len(layer.pulsed)
    rows = len(patterns(layer.rows, geometry.rows - 1)[-1])
    done = start + LIST_LATENCY + words + rows + pulses * (geometry.folds - 1)
    return done + (2 if pulses and layer.pulsed[-1] == geometry.rows - 1 else 1)


def _repeated(pulses: int, folds: int) -> int:
    """Cycles of pulses on the same row, one after the other: a word just written waits a cycle."""
    return pulses * folds if folds > 1 else 2 * pulses - 1


def _sense_levels(geometry: Geometry) -> int:
    return (geometry.lanes - 1).bit_length() + 1
