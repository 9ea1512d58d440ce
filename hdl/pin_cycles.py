"""Cycles of the phases of a sample with arrays behind pins (section 14 of the specification)."""

from collections.abc import Sequence

from ..model.config import Config, Gate
from ..model.crossbar import Cells
from ..model.lfsr import LINES_PER_WORD
from ..model.trace import LayerTrace, Trace
from .activity import CODE_LATENCY, LIST_LATENCY, carries, group_sums, patterns
from .geometry import Geometry

HOLD_LATENCY = 3  # from the last row of a pattern latched to the next one, or to the first comparison; and settling
REQUEST_LATENCY = 3  # of a comparison with codes that were found: its code, the request, and the response


def forward(config: Config, geometries: Sequence[Geometry], trace: Trace) -> int:
    """Cycle in which every layer is seen to have fired; 0 is the cycle of the start."""
    held = config.settle_cycles + HOLD_LATENCY
    lists = patterns(trace.layers[0].rows, geometries[0].rows - 1)
    bias_driven = LIST_LATENCY - held + sum(held + len(rows) - 1 for rows in lists)
    fire_ends = 0
    for index, (geometry, layer) in enumerate(zip(geometries, trace.layers, strict=True), start=1):
        fired = group_sums(geometry, layer.fired)
        taking = [max(1, lines) for lines in fired] if index < len(geometries) else [1] * len(fired)
        fire_ends = _answers(bias_driven + held, config.compare_cycles, taking)[-1]
        bias_driven = fire_ends + fired[-1] + 1 + LIST_LATENCY
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
        free = offered = now + 1
        for position, written in enumerate(listed[index][:-1]):
            taken = max(free, written + LIST_LATENCY)
            offered = taken + 1
            free = taken + sense_cycles(config) + (0 if position else upper.groups)
        bias = max(offered, listed[index][-1] + LIST_LATENCY)
        idle = max(bias + 1, free + 1 if len(listed[index]) > 1 else 0) + 2
        now = max(idle, gates_settled[index + 1]) + 1
    return max(now, *gates_settled) + 1


def update(config: Config, geometries: Sequence[Geometry], trace: Trace, start: int) -> int:
    """Cycle of the release, if the update is started in cycle `start`."""
    idle = []
    for index, (geometry, layer) in enumerate(zip(geometries, trace.layers, strict=True)):
        if trace.exponent or layer.signs.any():
            latched = index > 0 and len(trace.layers[index - 1].sensed) > 0
            idle.append(_layer_update(config, geometry, layer, trace.exponent, start, latched))
    return max(idle) + 2


def carry(geometry: Geometry, config: Config, cells: Cells) -> int:
    """Cycles of the carry of a layer."""
    read = config.settle_cycles + HOLD_LATENCY + 2 * config.compare_cycles * geometry.groups + 3
    moves = [_moves(geometry, config, digit) for digit in range(geometry.digits - 1)]
    return sum(
        1 + read * reads + moves[place % len(moves)] * pulsed
        for place, (reads, pulsed) in enumerate(carries(geometry, cells))
    )


def sense_cycles(config: Config) -> int:
    """Cycles of a backward read of a row."""
    return config.settle_cycles + 2 + 2 * config.compare_cycles


def pulse_cycles(config: Config) -> int:
    """Cycles of a pulse of a row."""
    return 2 + 2 * config.pulses_per_step * (config.pulse_cycles + config.recovery_cycles)


def _moves(geometry: Geometry, config: Config, digit: int) -> int:
    """Cycles in which cells `digit` of a row are carried, whatever their number; verified, in exact arrays."""
    pulse, emptying = pulse_cycles(config), geometry.base * geometry.pulses
    raising = geometry.groups + geometry.pulses * pulse + 1
    if not geometry.verify:
        return raising + geometry.groups + emptying * pulse + 1
    request = config.compare_cycles + REQUEST_LATENCY
    search = config.settle_cycles + 4 + geometry.search_bits * geometry.groups * request
    reads = emptying + (1 + digit if geometry.verify > emptying else 0)
    restoring = reads * (config.settle_cycles + 3 + 2 * geometry.groups * request)
    return search + raising + 2 + restoring + emptying * (geometry.groups + pulse + 1)


def _answers(begin: int, cycles: int, taking: Sequence[int]) -> list[int]:
    """Cycles in which groups are decided; whoever takes them is busy with each for the cycles of `taking`."""
    taken: list[int] = []
    free = 0
    for busy in taking:
        ends = max(begin + cycles, taken[-1] + 1 if taken else 0)
        taken.append(max(ends, free))
        free = taken[-1] + busy
        begin = ends
    return taken


def _gate_events(config: Config, geometry: Geometry, layer: LayerTrace, start: int) -> list[int]:
    """Cycles in which the open gates of a layer, and the bias row after them, are written to its list."""
    opened = group_sums(geometry, layer.gates)
    taking = [max(1, lines) for lines in opened]
    begin = start + CODE_LATENCY[config.gate] + 1
    if config.gate is Gate.XOR:
        taken = _answers(begin, config.compare_cycles, [0] * geometry.groups + taking)[geometry.groups :]
    else:
        taken = _answers(begin, 2 * config.compare_cycles, taking)
    cycles = [cycle + position + 1 for cycle, lines in zip(taken, opened, strict=True) for position in range(lines)]
    return [*cycles, cycles[-1] + 1 if opened[-1] else taken[-1] + 1]


def _layer_update(
    config: Config, geometry: Geometry, layer: LayerTrace, exponent: int, start: int, latched: bool
) -> int:
    """Cycle in which a layer is seen to have updated; `latched` if its columns are since a backward read."""
    offered, free, word = start + LIST_LATENCY, 0, 0
    pulsed = set(layer.pulsed.tolist())
    for row in patterns(layer.rows, geometry.rows - 1)[-1].tolist():
        if exponent:
            offered += row // LINES_PER_WORD - word
            word = row // LINES_PER_WORD
        if row in pulsed:
            offered = max(offered, free)
            free = offered + pulse_cycles(config) + (0 if latched else geometry.groups)
            latched = True
        offered += 1
    return max(offered, free) + 1
