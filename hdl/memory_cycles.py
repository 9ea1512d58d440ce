"""Cycles of the phases of a sample with weights in block RAM (section 12 of the specification)."""

from collections.abc import Sequence

from ..model.config import Config, Gate
from ..model.crossbar import Cells
from ..model.lfsr import LINES_PER_WORD
from ..model.trace import LayerTrace, Trace
from .activity import CODE_LATENCY, LIST_LATENCY, carries, group_sums, patterns
from .geometry import Geometry

WORK_LATENCY = 3  # from an operation accepted to its word worked on, if it is the first one of its row
RESPONSE_LATENCY = 2  # from a comparison asked for to its decision
HOLD_LATENCY = WORK_LATENCY + 2 + RESPONSE_LATENCY  # from the last row of a fold driven to its first group decided


def forward(config: Config, geometries: Sequence[Geometry], trace: Trace) -> int:
    """Cycle in which every layer is seen to have fired; 0 is the cycle of the start."""
    bias_driven = LIST_LATENCY + len(trace.layers[0].rows) - 1
    fire_ends = 0
    for index, (geometry, layer) in enumerate(zip(geometries, trace.layers, strict=True), start=1):
        hidden = index < len(geometries)
        free = 0
        for group, fired in enumerate(group_sums(geometry, layer.fired)):
            fold, group_in_fold = divmod(group, geometry.groups_per_fold)
            fold_driven = bias_driven + fold * (geometry.groups_per_fold + len(layer.rows) + 2)
            fire_ends = max(free, fold_driven + HOLD_LATENCY + group_in_fold)
            free = fire_ends + (max(1, fired) if hidden else 1)
        if hidden:
            bias_driven = fire_ends + fired + 1 + LIST_LATENCY
    return fire_ends + 2


def backward(config: Config, geometries: Sequence[Geometry], trace: Trace, start: int) -> int:
    """Cycle of the update, if gates are started in cycle `start`."""
    listed = [_gate_events(config, *pair, start) for pair in zip(geometries[:-1], trace.layers[:-1], strict=True)]
    gates_settled = [events[-1] + 3 for events in listed] + [0]
    now = start + 1
    for index in reversed(range(len(listed))):
        upper, upper_layer = geometries[index + 1], trace.layers[index + 1]
        if not upper_layer.signs.any():
            now += 1
            continue
        offered = free = now + 1
        settled = 0
        for written in listed[index][:-1]:
            accepted = max(offered, free, written + LIST_LATENCY)
            offered, free = accepted + 1, accepted + upper.folds
            settled = free - 1 + WORK_LATENCY + _sense_levels(upper) + 1
        bias = max(offered, listed[index][-1] + LIST_LATENCY)
        idle = max(bias + 1, settled) + 2
        now = max(idle, gates_settled[index + 1]) + 1
    return max(now, *gates_settled) + 1


def update(config: Config, geometries: Sequence[Geometry], trace: Trace, start: int) -> int:
    """Cycle of the release, if the update is started in cycle `start`."""
    idle = [
        _layer_update(geometry, layer, trace.exponent, start)
        for geometry, layer in zip(geometries, trace.layers, strict=True)
        if trace.exponent or layer.signs.any()
    ]
    return max(idle) + 2


def carry(geometry: Geometry, config: Config, cells: Cells) -> int:
    """Cycles of the carry of a layer."""
    folds = geometry.folds
    last_group = geometry.groups - 1 - (folds - 1) * geometry.groups_per_fold
    read = 1 + (folds - 1) * (geometry.groups_per_fold + 3) + HOLD_LATENCY + last_group + 2
    raising, lowering = (_repeated(pulses, folds) for pulses in (geometry.pulses, geometry.base * geometry.pulses))
    return sum(
        1 + read * reads + (raising + lowering + 2 * (WORK_LATENCY + 1)) * pulsed
        for reads, pulsed in carries(geometry, cells)
    )


def _gate_events(config: Config, geometry: Geometry, layer: LayerTrace, start: int) -> list[int]:
    """Cycles in which the open gates of a layer, and the bias row after them, are written to its list."""
    free = start + CODE_LATENCY[config.gate] + RESPONSE_LATENCY + (geometry.groups if config.gate is Gate.XOR else 0)
    cycles = []
    for is_open in group_sums(geometry, layer.gates):
        cycles += [free + position + 1 for position in range(is_open)]
        free += max(1, is_open)
    return [*cycles, cycles[-1] + 1 if is_open else free]


def _layer_update(geometry: Geometry, layer: LayerTrace, exponent: int, start: int) -> int:
    """Cycle in which a layer is seen to have updated."""
    offered, free, word, settled = start + LIST_LATENCY, 0, 0, 0
    pulsed = set(layer.pulsed.tolist())
    for row in patterns(layer.rows, geometry.rows - 1)[-1].tolist():
        if exponent:
            offered += row // LINES_PER_WORD - word
            word = row // LINES_PER_WORD
        if row in pulsed:
            offered = max(offered, free)
            free = offered + geometry.folds
            settled = free - 1 + WORK_LATENCY + 1
        offered += 1
    return max(offered, settled) + 1


def _repeated(pulses: int, folds: int) -> int:
    """Cycles of pulses on the same row, one after the other: a word is read again in the third cycle or later."""
    return (pulses - 1) * max(folds, WORK_LATENCY) + folds


def _sense_levels(geometry: Geometry) -> int:
    return (geometry.lanes - 1).bit_length() + 2
