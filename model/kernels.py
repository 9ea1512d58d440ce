"""Compiled loops of the learning machine (section 7 of the specification), on the arrays of `machine`.

Layers are counted from 0. Work is proportional to row events; sums are exact: a block of weights adds up in a type that
holds any such sum, and blocks add up in the type of z, which holds any sum over a crossbar.
"""

from typing import Any

import numpy as np
from numba import njit

from .ledger import Count, Total
from .lfsr import Bank, Generator
from .machine import FIXED_WINDOW, RANDOM_WINDOW, ROWS_AT_A_TIME

# Of a type, so that functions are compiled once, and not anew for each constant that they are called with.
INPUT, FIRE, GATE, THIN = (np.int64(generator) for generator in Generator)
TRAIN, INFER = np.int64(Bank.TRAIN), np.int64(Bank.INFER)
SAMPLES, ERRORS, THINNED, CARRIES, PASSES = (int(total) for total in Total)
(
    ROW_EVENTS,
    PASS_ROW_EVENTS,
    BACKWARD_READS,
    ROW_READS,
    COLUMN_DRIVES,
    CELL_READS,
    ROW_PULSES,
    RAISED,
    LOWERED,
    UPPER_READS,
    CARRIED_ROWS,
    CARRIED_UP,
    CARRIED_DOWN,
    RESTORING_READS,
    RESTORED_ROWS,
    RESTORED_UP,
    RESTORED_DOWN,
) = (int(count) for count in Count)

# Loops make no arrays, so references to them need no counting, which takes longer than many a loop. Without it no
# function may return a view of an array: those that do are made part of their callers.
OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False}
compiled = njit(**OPTIONS, forceinline=True)
compiled_apart = njit(**OPTIONS)
compiled_view = njit(**OPTIONS, inline="always")


@compiled
def train(m, s, features, labels, exponent, number):  # type: ignore[no-untyped-def]
    """Train samples in order; `number` samples were trained before."""
    last = len(m.sizes) - 2
    totals, counts = m.counts.totals, m.counts.layers
    for sample in range(len(features)):
        driven = forward(m, s, features[sample], TRAIN)
        count_forward(s, counts, ROW_EVENTS, driven)
        if output_error(m, s, labels[sample]):
            totals[ERRORS] += 1
            totals[THINNED] += exponent > 0
            for layer in range(last):
                open_gates(m, s, layer)
            for layer in range(last - 1, -1, -1):
                s.signs[layer, :] = 0
            for layer in range(last - 1, -1, -1):
                driven = backward(m, s, layer)
                if not driven:
                    break
                count_backward(counts, layer + 1, s.opened[layer], driven)
            for layer in range(last + 1):
                rows, up, down = update(m, s, layer, exponent)
                count_update(counts, layer, rows, up, down)
        if m.period and (number + sample + 1) % m.period == 0:
            totals[CARRIES] += 1
            for layer in range(last + 1):
                carry(m, counts, layer)
    totals[SAMPLES] += len(features)


@compiled
def infer(m, s, features, passes, votes):  # type: ignore[no-untyped-def]
    """Add the votes of `passes` passes of each sample to `votes`, shape (samples, outputs)."""
    last = len(m.sizes) - 1
    for sample in range(len(features)):
        for _ in range(passes):
            driven = forward(m, s, features[sample], INFER)
            count_forward(s, m.counts.layers, PASS_ROW_EVENTS, driven)
            for event in range(s.counts[last] - 1):
                votes[sample, s.events[last, event]] += 1
    m.counts.totals[PASSES] += passes * len(features)


@compiled
def count_forward(s, counts, kind, driven):  # type: ignore[no-untyped-def]
    """Count the row events of a forward pass, `driven` of them into layer 0."""
    counts[0, kind] += driven
    for layer in range(1, len(counts)):
        counts[layer, kind] += s.counts[layer]


@compiled
def count_backward(counts, layer, rows, driven):  # type: ignore[no-untyped-def]
    """Count the backward read of `rows` rows of a layer."""
    if rows:
        counts[layer, BACKWARD_READS] += 1
        counts[layer, ROW_READS] += rows
        counts[layer, COLUMN_DRIVES] += driven
        counts[layer, CELL_READS] += rows * driven


@compiled
def count_update(counts, layer, rows, up, down):  # type: ignore[no-untyped-def]
    """Count `rows` rows pulsed along `up` signs of +1 and `down` of -1."""
    if up + down:
        counts[layer, ROW_PULSES] += rows
        counts[layer, RAISED] += rows * up
        counts[layer, LOWERED] += rows * down


@compiled
def count_carried(counts, layer, up, down):  # type: ignore[no-untyped-def]
    """Count the cells that were left of a digit of a row whose upper neighbours were read."""
    counts[layer, UPPER_READS] += 1
    counts[layer, CARRIED_ROWS] += up + down > 0
    counts[layer, CARRIED_UP] += up
    counts[layer, CARRIED_DOWN] += down


@compiled
def count_restored(counts, layer, up, down):  # type: ignore[no-untyped-def]
    """Count a read that restores weights, and the cells pulsed for it."""
    counts[layer, RESTORING_READS] += 1
    counts[layer, RESTORED_ROWS] += up + down > 0
    counts[layer, RESTORED_UP] += up
    counts[layer, RESTORED_DOWN] += down


@compiled
def draw(m, bank, layer, generator, lines, out):  # type: ignore[no-untyped-def]
    """Draw a byte for each line: an LFSR is linear, so the bytes of a state are the sum of those of its nibbles."""
    slot = m.slots[bank, layer, generator]
    state = m.states[slot]
    jump = m.jumps[layer, generator]
    following = np.uint32(0)
    for place in range(8):
        following ^= jump[place, (state >> np.uint32(4 * place)) & np.uint32(15)]
    m.states[slot] = following
    t0, t1 = m.bytes[0, state & np.uint32(15)], m.bytes[1, (state >> np.uint32(4)) & np.uint32(15)]
    t2 = m.bytes[2, (state >> np.uint32(8)) & np.uint32(15)]
    t3 = m.bytes[3, (state >> np.uint32(12)) & np.uint32(15)]
    for line in range(lines):
        out[line] = t0[line] ^ t1[line] ^ t2[line] ^ t3[line]
    t0 = m.bytes[4, (state >> np.uint32(16)) & np.uint32(15)]
    t1 = m.bytes[5, (state >> np.uint32(20)) & np.uint32(15)]
    t2 = m.bytes[6, (state >> np.uint32(24)) & np.uint32(15)]
    t3 = m.bytes[7, state >> np.uint32(28)]
    for line in range(lines):
        out[line] ^= t0[line] ^ t1[line] ^ t2[line] ^ t3[line]


@compiled_view
def crossbar(m, matrix, layer):  # type: ignore[no-untyped-def]
    """A view of a layer's part of `matrix`, shape (rows, width)."""
    return matrix[m.starts[layer] : m.starts[layer + 1]].reshape(m.sizes[layer] + 1, m.widths[layer + 1])


@compiled
def forward(m, s, features, bank):  # type: ignore[no-untyped-def]
    """Draw the input and fire layer by layer; events[l + 1] are the lines of layer l that fire, and the bias row.

    Returns the row events into layer 0, of all patterns.
    """
    s.z[0, :] = 0
    driven = 0
    for _ in range(m.draws):
        present(m, s, features, bank)
        driven += s.counts[0]
        read_forward(s, crossbar(m, m.weights, 0), s.events[0], s.counts[0], s.z[0])
    for layer in range(len(m.sizes) - 1):
        if layer:
            s.z[layer, :] = 0
            read_forward(s, crossbar(m, m.weights, layer), s.events[layer], s.counts[layer], s.z[layer])
        fire(m, s, layer, bank)
    return driven


@compiled
def present(m, s, features, bank):  # type: ignore[no-untyped-def]
    """Draw a pattern of the input into the row events of the first layer."""
    inputs, drawn, flags = m.sizes[0], s.drawn[0], s.flags
    draw(m, bank, 0, INPUT, inputs, drawn)
    for row in range(inputs):
        flags[row] = features[row] > drawn[row]
    count = 0
    for row in range(inputs):
        s.events[0, count] = row
        count += flags[row]
    s.events[0, count] = inputs
    s.counts[0] = count + 1


@compiled
def read_forward(s, weights, events, count, z):  # type: ignore[no-untyped-def]
    """Add the rows of `events` to z."""
    width, partial = weights.shape[1], s.partial
    for start in range(0, count, s.block):
        end = min(start + s.block, count)
        partial[:width] = 0
        event = start
        while event + ROWS_AT_A_TIME <= end:
            w0, w1, w2, w3 = (
                weights[events[event]],
                weights[events[event + 1]],
                weights[events[event + 2]],
                weights[events[event + 3]],
            )
            w4, w5, w6, w7 = (
                weights[events[event + 4]],
                weights[events[event + 5]],
                weights[events[event + 6]],
                weights[events[event + 7]],
            )
            for column in range(width):
                partial[column] += (
                    w0[column]
                    + w1[column]
                    + w2[column]
                    + w3[column]
                    + w4[column]
                    + w5[column]
                    + w6[column]
                    + w7[column]
                )
            event += ROWS_AT_A_TIME
        while event < end:
            w0 = weights[events[event]]
            for column in range(width):
                partial[column] += w0[column]
            event += 1
        for column in range(width):
            z[column] += partial[column]


@compiled
def fire(m, s, layer, bank):  # type: ignore[no-untyped-def]
    """Compare z with random thresholds."""
    columns = m.sizes[layer + 1]
    z, thresholds, drawn, fired = s.z[layer], m.thresholds[layer], s.drawn[0], s.events[layer + 1]
    draw(m, bank, layer, FIRE, columns, drawn)
    count = 0
    for column in range(columns):
        fired[count] = column
        count += z[column] > thresholds[drawn[column]]
    fired[count] = columns
    s.counts[layer + 1] = count + 1


@compiled
def output_error(m, s, label):  # type: ignore[no-untyped-def]
    """Set the signs of the output layer to target minus activation; whether there is any error."""
    last = len(m.sizes) - 2
    signs = s.signs[last]
    signs[:] = 0
    signs[label] = 1
    count = s.counts[last + 1] - 1
    for event in range(count):
        signs[s.events[last + 1, event]] -= 1
    return count != 1 or signs[label] != 0


@compiled
def open_gates(m, s, layer):  # type: ignore[no-untyped-def]
    """List the columns of a hidden layer whose gate is open."""
    columns = m.sizes[layer + 1]
    z, opened, count = s.z[layer], s.open[layer], 0
    if m.gate == FIXED_WINDOW:
        bound = m.windows[layer, 0]
        for column in range(columns):
            opened[count] = column
            count += abs(z[column]) < bound
    elif m.gate == RANDOM_WINDOW:
        windows, drawn = m.windows[layer], s.drawn[0]
        draw(m, TRAIN, layer, GATE, columns, drawn)
        for column in range(columns):
            opened[count] = column
            count += abs(z[column]) < windows[drawn[column]]
    else:
        thresholds, first, second = m.thresholds[layer], s.drawn[0], s.drawn[1]
        draw(m, TRAIN, layer, GATE, columns, first)
        draw(m, TRAIN, layer, GATE, columns, second)
        for column in range(columns):
            opened[count] = column
            count += (z[column] > thresholds[first[column]]) != (z[column] > thresholds[second[column]])
    s.opened[layer] = count


@compiled
def backward(m, s, layer):  # type: ignore[no-untyped-def]
    """Set the signs of a hidden layer to those of the sums that its open columns see; returns the columns driven."""
    weights = crossbar(m, m.weights, layer + 1)
    upper, signs = s.signs[layer + 1], s.signs[layer]
    columns = m.sizes[layer + 2]
    driven = 0
    for column in range(columns):
        s.kept[driven] = column
        driven += upper[column] != 0
    if driven == 0:
        return driven
    sparse = 8 * driven < columns or columns <= 16
    for event in range(s.opened[layer]):
        row = s.open[layer, event]
        total = 0
        if sparse:
            for drive in range(driven):
                total += weights[row, s.kept[drive]] * upper[s.kept[drive]]
        else:
            total = dot(weights[row], upper, s.z[layer + 1])
        signs[row] = (total > 0) - (total < 0)
    return driven


@compiled
def dot(weights, signs, like):  # type: ignore[no-untyped-def]
    """The sum of weights along signs, in the type of `like`, which holds any sum over a row or a column."""
    total = like.dtype.type(0)
    for column in range(len(weights)):
        total = like.dtype.type(total + weights[column] * signs[column])
    return total


@compiled
def update(m, s, layer, exponent):  # type: ignore[no-untyped-def]
    """Thin the row events and pulse them along the signs of the layer; returns the rows, and the signs up and down."""
    events, count = thin(m, s, layer, exponent)
    width = m.widths[layer + 1]
    signs = s.signs[layer]
    up = down = 0
    for column in range(width):
        up += signs[column] > 0
        down += signs[column] < 0
    if up + down == 0:
        return count, up, down
    bounds = signs.dtype.type(-m.digit_max), signs.dtype.type(m.digit_max)
    cells = crossbar(m, m.cells[0], layer)
    if m.period == 0:
        for event in range(count):
            pulse(cells[events[event]], signs, bounds)
        return count, up, down
    weights = crossbar(m, m.weights, layer)
    for event in range(count):
        pulse_digit(cells[events[event]], weights[events[event]], signs, bounds)
    return count, up, down


@compiled_view
def thin(m, s, layer, exponent):  # type: ignore[no-untyped-def]
    """The row events that are kept, and how many."""
    if exponent == 0:
        return s.events[layer], s.counts[layer]
    draw(m, TRAIN, layer, THIN, m.sizes[layer] + 1, s.drawn[0])
    low_bits = (1 << exponent) - 1
    kept = 0
    for event in range(s.counts[layer]):
        s.kept[kept] = s.events[layer, event]
        kept += s.drawn[0, s.events[layer, event]] & low_bits == 0
    return s.kept, kept


@compiled
def step(cells, signs, column, bounds):  # type: ignore[no-untyped-def]
    """A cell after its step, or as it was if that led over the bounds or wrapped around."""
    moved = cells.dtype.type(cells[column] + signs[column])
    return moved if (moved >= bounds[0]) & (moved <= bounds[1]) else cells[column]


@compiled
def pulse(cells, signs, bounds):  # type: ignore[no-untyped-def]
    """Move a row by its signs."""
    for column in range(len(cells)):
        cells[column] = step(cells, signs, column, bounds)


@compiled
def pulse_digit(cells, weights, signs, bounds):  # type: ignore[no-untyped-def]
    """`pulse`, and the same to the weights that the cells are the lowest digits of."""
    for column in range(len(cells)):
        moved = step(cells, signs, column, bounds)
        weights[column] += moved - cells[column]
        cells[column] = moved


@compiled
def carry(m, counts, layer):  # type: ignore[no-untyped-def]
    """Carry full cells into their upper neighbours; no weight changes."""
    for digit in range(len(m.cells) - 1):
        lower, upper = crossbar(m, m.cells[digit], layer), crossbar(m, m.cells[digit + 1], layer)
        for row in range(len(lower)):
            carry_row(m, counts, layer, lower[row], upper[row])


@compiled
def carry_row(m, counts, layer, lower, upper):  # type: ignore[no-untyped-def]
    """Carry a digit of a row."""
    full = 0
    for column in range(len(lower)):
        full += abs(np.int64(lower[column])) >= m.base * m.pulses
    if full == 0:
        return
    count_up = count_down = 0
    for column in range(len(lower)):
        up = (lower[column] >= m.base * m.pulses) & (upper[column] <= m.digit_max - m.pulses)
        down = (lower[column] <= -m.base * m.pulses) & (upper[column] >= m.pulses - m.digit_max)
        carried = (np.int64(up) - np.int64(down)) * m.pulses
        upper[column] += carried
        lower[column] -= carried * m.base
        count_up += up
        count_down += down
    count_carried(counts, layer, count_up, count_down)
