"""Compiled loops of carries on an analog array (sections 6, 7 and 13), on the arrays of `machine`; layers from 0."""

import numpy as np

from ...model.carry import OVER, SEARCH, UNDER
from ...model.crossbar import Read
from ...model.kernels import compiled_apart, count_carried, count_restored
from .history_kernels import seen_difference, square
from .noise_kernels import compare_noise, detail, read_noise, read_normals
from .pulse_kernels import MINUS, PLUS, list_driven, pulse

FORWARD, DIGIT, WEIGHT = np.int64(Read.FORWARD), np.int64(Read.DIGIT), np.int64(Read.WEIGHT)
# First comparisons of the reads of a carry: of what is full, and of what has room.
FULL, ROOM = np.int64(0), np.int64(2)


@compiled_apart
def carry(m, s, a, t, layer, sample):  # type: ignore[no-untyped-def]
    """Carry full cells into their upper neighbours, row by row."""
    for row in range(m.sizes[layer] + 1):
        for digit in range(a.digits - 1):
            if outside(m, a, t, layer, row, digit, digit, FULL, sample):
                carry_up(m, a, t, layer, row, digit, sample)


@compiled_apart
def outside(m, a, t, layer, row, digit, sensed, comparison, sample):  # type: ignore[no-untyped-def]
    """Set `up` and `down` to the full cells, or, for ROOM, to those of them with room above; if any."""
    columns = m.sizes[layer + 1]
    start = m.starts[layer] + row * m.widths[layer + 1]
    if a.fades:
        hold_fading(a, t, layer, start, columns, sensed)
    else:
        plus = a.conductances[PLUS, sensed, start : start + columns]
        minus = a.conductances[MINUS, sensed, start : start + columns]
        total, offsets = t.sum, a.offsets[FORWARD, layer]
        for column in range(columns):
            total[column] = np.int64(plus[column]) - minus[column] + offsets[column]
    if a.read_noise:
        read_normals(a, t, columns, row, sample, detail(comparison, digit, 1, DIGIT, 0), layer)
        for column in range(columns):
            t.sum[column] += read_noise(a.read_noise, square(a, sensed, start + column), t.normals[column])
    compare_noise(a, columns, row, sample, detail(comparison, digit, 1, DIGIT, 0), layer, t.error[1])
    compare_noise(a, columns, row, sample, detail(comparison + 1, digit, 1, DIGIT, 0), layer, t.error[2])
    return decide_outside(a, t, columns, comparison)


@compiled_apart
def hold_fading(a, t, layer, start, columns, sensed):  # type: ignore[no-untyped-def]
    """Hold the cells of a row as reads see them."""
    for column in range(columns):
        t.sum[column] = seen_difference(a, sensed, start + column) + a.offsets[FORWARD, layer, column]


@compiled_apart
def decide_outside(a, t, columns, comparison):  # type: ignore[no-untyped-def]
    """Compare the cells that are held with the two codes of `outside`."""
    held, first, second, up, down = t.sum, t.error[1], t.error[2], t.up, t.down
    upper, lower = a.carry_codes[comparison], a.carry_codes[comparison + 1]
    found = False
    if comparison == ROOM:
        for column in range(columns):
            up[column] &= held[column] + first[column] <= upper
            down[column] &= held[column] + second[column] > lower
            found |= up[column] | down[column]
    else:
        for column in range(columns):
            up[column] = held[column] + first[column] > upper
            down[column] = held[column] + second[column] <= lower
            found |= up[column] | down[column]
    return found


@compiled_apart
def carry_up(m, a, t, layer, row, digit, sample):  # type: ignore[no-untyped-def]
    """Move the full cells of a row into their upper neighbours where these have room."""
    t.row[0] = row
    outside(m, a, t, layer, row, digit, digit + 1, ROOM, sample)
    columns, up, down = m.sizes[layer + 1], np.int64(0), np.int64(0)
    for column in range(columns):
        t.carried[column] = np.int64(t.up[column]) - np.int64(t.down[column])
        up += t.carried[column] > 0
        down += t.carried[column] < 0
    count_carried(m.counts.layers, layer, up, down)
    if up + down == 0:
        return
    driven = list_driven(t.carried, columns, t.driven)
    if a.verify:
        search(m, a, t, layer, row, digit, sample)
    for repetition in range(m.pulses):
        c2 = detail(0, digit + 1, 1, DIGIT, repetition)
        pulse(m, a, t, layer, t.row, digit + 1, t.carried, driven, sample, c2)
    if a.verify:
        restore(m, a, t, layer, row, digit, sample)
        return
    for column in range(columns):
        t.carried[column] = -t.carried[column]
    for repetition in range(m.pulses, m.pulses + m.base * m.pulses):
        pulse(m, a, t, layer, t.row, digit, t.carried, driven, sample, detail(0, digit, 1, DIGIT, repetition))


@compiled_apart
def search(m, a, t, layer, row, digit, sample):  # type: ignore[no-untyped-def]
    """Find the largest code that each weight of a row that carries is above, bit by bit."""
    columns = m.sizes[layer + 1]
    read_weights(m, a, t, layer, row, sample, detail(SEARCH, digit, 1, WEIGHT, 0))
    t.codes[:columns] = -(1 << (a.search_bits - 1))
    for number in range(a.search_bits):
        compare_noise(a, columns, row, sample, detail(SEARCH, digit, 1, WEIGHT, number), layer, t.error[1])
        place = 1 << (a.search_bits - 1 - number)
        for column in range(columns):
            if t.up[column] != t.down[column]:
                tried = t.codes[column] + place
                if t.sum[column] + t.error[1, column] > reference(a, tried):
                    t.codes[column] = tried


@compiled_apart
def restore(m, a, t, layer, row, digit, sample):  # type: ignore[no-untyped-def]
    """Pulse cells until the weights are those found again: those of `digit` first, then those below."""
    given = np.int64(0)
    for moved in range(digit, -1, -1):
        while given < a.verify:
            up, down = off_codes(m, a, t, layer, row, digit, moved, given, sample)
            count_restored(m.counts.layers, layer, up, down)
            if up + down == 0:
                break
            driven = list_driven(t.carried, m.sizes[layer + 1], t.driven)
            c2 = detail(digit, moved, 1, WEIGHT, given)
            pulse(m, a, t, layer, t.row, moved, t.carried, driven, sample, c2)
            given += 1


@compiled_apart
def off_codes(m, a, t, layer, row, digit, moved, given, sample):  # type: ignore[no-untyped-def]
    """Set `carried` to where the weights that carry are off by half a step of `moved`; how many go up and down."""
    columns, bound, slack = m.sizes[layer + 1], 1 << (a.search_bits - 1), a.places[moved] >> 1
    below = 2 * (digit - moved)
    under, over = detail(UNDER + below, digit, 1, WEIGHT, given), detail(OVER + below, digit, 1, WEIGHT, given)
    read_weights(m, a, t, layer, row, sample, under)
    compare_noise(a, columns, row, sample, under, layer, t.error[1])
    compare_noise(a, columns, row, sample, over, layer, t.error[2])
    ups, downs = 0, 0
    for column in range(columns):
        t.carried[column] = 0
        if t.up[column] != t.down[column]:
            lower = reference(a, max(t.codes[column] - slack, -bound))
            upper = reference(a, min(t.codes[column] + 1 + slack, bound - 1))
            is_under = t.sum[column] + t.error[1, column] <= lower
            is_over = t.sum[column] + t.error[2, column] > upper
            t.carried[column] = np.int64(is_under) - np.int64(is_over)
            ups += t.carried[column] > 0
            downs += t.carried[column] < 0
    return ups, downs


@compiled_apart
def read_weights(m, a, t, layer, row, sample, c2):  # type: ignore[no-untyped-def]
    """Hold the weights of a row."""
    columns = m.sizes[layer + 1]
    start = m.starts[layer] + row * m.widths[layer + 1]
    for column in range(columns):
        t.sum[column] = m.weights[start + column] + a.offsets[FORWARD, layer, column]
    if a.read_noise:
        read_normals(a, t, columns, row, sample, c2, layer)
        for column in range(columns):
            t.sum[column] += read_noise(a.read_noise, a.squares[start + column], t.normals[column])


@compiled_apart
def reference(a, code):  # type: ignore[no-untyped-def]
    """What a code is compared with, in quanta."""
    exact = ((2 * code + 1) * a.half_lsb + (1 << 15)) >> 16
    if a.reference_step:
        return (2 * exact + a.reference_step) // (2 * a.reference_step) * a.reference_step
    return exact
