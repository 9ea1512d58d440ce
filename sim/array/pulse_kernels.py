"""Compiled loops of pulses (section 13), on the arrays of `machine`.

Cells that are pulsed are listed in a block, `t.cells`, whatever row they are of, moved there, and put back. A block has
a lane for each quantity. It is one array, and its lanes have fixed places, so that loops along them become vector
instructions: of several arrays a compiler must assume that they overlap.
"""

import numpy as np

from ...model.kernels import compiled, compiled_apart
from .cells import CELLS, LANES, STRIDE, VECTOR
from .history_kernels import ONE, note_pulse, note_selects, seen_difference, square, tick_of, wear
from .noise import Purpose
from .noise_kernels import WORD, normals, purpose_word, words

PULSE, THINNING = np.int64(Purpose.PULSE), np.int64(Purpose.THINNING)
PLUS, MINUS = np.int64(0), np.int64(1)
LOWEST = np.int64(0)
ADDED, TAKEN = np.int64(1), np.int64(-1)
CELL, COUNTER, SIGN, PLUS_G, MINUS_G, PLUS_X, MINUS_X = (STRIDE * lane for lane in range(7))
PLUS_LOW, PLUS_HIGH, PLUS_INTERCEPT, PLUS_SLOPE = (STRIDE * lane for lane in range(7, 11))
MINUS_LOW, MINUS_HIGH, MINUS_INTERCEPT, MINUS_SLOPE = (STRIDE * lane for lane in range(11, 15))
# One more than the conductance of a device whose pulse is left out, 0 for the others.
PLUS_LEFT, MINUS_LEFT = (STRIDE * lane for lane in range(15, LANES))
# Of so many columns one must be driven for it to be faster to go along them all.
SPARSE = 8


@compiled
def list_driven(signs, columns, driven):  # type: ignore[no-untyped-def]
    """List the columns whose sign is not zero; returns how many."""
    count = 0
    for column in range(columns):
        driven[count] = column
        count += signs[column] != 0
    return count


@compiled_apart
def pulse(m, a, t, layer, rows, digit, signs, driven, sample, c2):  # type: ignore[no-untyped-def]
    """Move the cells `digit` of rows a step along `signs`, those of the columns that are driven."""
    c2 += ((c2 >> 16) * (a.pulses_per_step - 1)) << 16
    if a.half_selects:
        for row in rows:
            for _ in range(a.pulses_per_step):
                note_selects(a, layer, row, digit, signs, t.driven, driven)
    if goes_along_rows(a, t) and driven * SPARSE > m.sizes[layer + 1]:
        step_rows(m, a, layer, rows, digit, signs)
        return
    for first in range(0, driven, CELLS):
        columns = t.driven[first : min(first + CELLS, driven)]
        at_a_time = CELLS // len(columns)
        for begin in range(0, len(rows), at_a_time):
            count = list_cells(m, a, t, layer, rows[begin : begin + at_a_time], columns, digit, signs)
            pulse_cells(m, a, t, layer, digit, count, sample, c2)


@compiled
def goes_along_rows(a, t):  # type: ignore[no-untyped-def]
    """Whether pulses draw nothing, note nothing, and are the same for all devices."""
    draws = a.range_spread or a.step_spread or a.set_thinning or a.reset_thinning
    return a.alike and not (draws or a.read_noise or a.changes or len(t.pulses))


@compiled_apart
def step_rows(m, a, layer, rows, digit, signs):  # type: ignore[no-untyped-def]
    """`pulse` along all columns of rows, for devices that are alike and draw nothing."""
    low, high = np.int64(a.bounds[0, 0, 0]), np.int64(a.bounds[0, 0, 1])
    set_0, set_1, reset_0, reset_1 = a.steps[0, 0, 0, 0], a.steps[0, 0, 0, 1], a.steps[0, 0, 0, 2], a.steps[0, 0, 0, 3]
    place = a.places[digit]
    for row in rows:
        start = m.starts[layer] + row * m.widths[layer + 1]
        end = start + m.sizes[layer + 1]
        plus, minus = a.conductances[PLUS, digit, start:end], a.conductances[MINUS, digit, start:end]
        weights = m.weights[start:end]
        for _ in range(a.pulses_per_step):
            for column in range(len(weights)):
                sign = signs[column]
                up = sign > 0
                g, h = np.int64(plus[column]), np.int64(minus[column])
                x = (set_0 if up else reset_0) + ((set_1 if up else reset_1) * (g - low) >> 8)
                y = (reset_0 if up else set_0) + ((reset_1 if up else set_1) * (h - low) >> 8)
                x, y = (x + (1 << 15)) >> 16, (y + (1 << 15)) >> 16
                p = min(max(g + sign * x, low), high)
                n = min(max(h - sign * y, low), high)
                plus[column], minus[column] = p, n
                weights[column] += place * ((p - n) - (g - h))


@compiled
def list_cells(m, a, t, layer, rows, columns, digit, signs):  # type: ignore[no-untyped-def]
    """List the cells where rows and columns meet, and what they are now; returns how many."""
    count = len(columns)
    for index in range(count):
        t.along[index] = signs[columns[index]]
    for number in range(len(rows)):
        row, at = rows[number], number * count
        start = m.starts[layer] + row * m.widths[layer + 1]
        list_row(t.cells, at, columns, t.along, start, (row << 16) + digit, a.digits)
    count *= len(rows)
    read_cells(t.cells, count, a.conductances[PLUS, digit], a.conductances[MINUS, digit])
    return count


@compiled_apart
def list_row(cells, at, columns, signs, start, counter, digits):  # type: ignore[no-untyped-def]
    """List the cells of a row, from place `at` on: where they are, their counter words and signs."""
    count = len(columns)
    places, counters = cells[CELL + at : CELL + at + count], cells[COUNTER + at : COUNTER + at + count]
    along = cells[SIGN + at : SIGN + at + count]
    for index in range(count):
        places[index] = start + columns[index]
        counters[index] = counter + columns[index] * digits
        along[index] = signs[index]


@compiled_apart
def read_cells(cells, count, plus, minus):  # type: ignore[no-untyped-def]
    """Read the conductances of the cells listed."""
    for index in range(count):
        cell = np.uint64(cells[CELL + index])
        cells[PLUS_G + index] = plus[cell]
        cells[MINUS_G + index] = minus[cell]


@compiled
def pulse_cells(m, a, t, layer, digit, count, sample, c2):  # type: ignore[no-untyped-def]
    """Give the cells that are listed their pulses, and put them back."""
    cells, place = t.cells, a.places[digit]
    noisy = a.range_spread != 0 or a.step_spread != 0
    thinned = a.set_thinning != 0 or a.reset_thinning != 0
    # Where nothing but drift changes devices, those of weights of one digit are as new after a pulse.
    renewed = renews(a) and not thinned
    if not a.alike:
        read_devices(cells, count, a.bounds[digit], a.steps[digit])
    if a.changes and not renewed:
        add_seen(m, a, cells, digit, count, TAKEN)
    for number in range(a.pulses_per_step):
        if thinned:
            c3 = purpose_word(THINNING, layer)
            thin_cells(a, cells, count, sample, c2 + (number << 16), c3)
        if len(t.pulses):
            count_pulses(cells, count, t.pulses, layer, a.moved)
        if noisy:
            c3 = purpose_word(PULSE, layer)
            draw_cells(a.key_low, a.key_high, cells, count, sample, c2 + (number << 16), c3)
        if a.alike:
            move_alike(cells, count, a.bounds, a.steps, a.range_spread, a.step_spread)
        else:
            move_own(cells, count, a.range_spread, a.step_spread)
        if thinned:
            leave_cells(cells, count)
        if a.changes and not renewed:
            use_cells(a, cells, digit, count, sample)
    if a.changes and not renewed:
        add_seen(m, a, cells, digit, count, ADDED)
        return
    plus, minus = a.conductances[PLUS, digit], a.conductances[MINUS, digit]
    if renewed:
        renew_cells(cells, count, a.programmed[PLUS, digit], a.programmed[MINUS, digit], tick_of(a, sample))
        renew_cells(cells, count, a.factors[PLUS, digit], a.factors[MINUS, digit], np.int64(ONE))
    if a.read_noise:
        write_squares(cells, count, plus, minus, a.squares, place * place)
    if a.digits == 1:
        write_weights(cells, count, plus, minus, m.weights)
    else:
        write_cells(cells, count, plus, minus, m.weights, place)


@compiled
def renews(a):  # type: ignore[no-untyped-def]
    """Whether a pulse leaves a weight as its two conductances are, with nothing else to note but when it was."""
    drifts_alone = a.programmed.shape[2] != 0 and a.settled.shape[2] == 0 and a.life.shape[2] == 0
    return drifts_alone and a.digits == 1 and a.moved == 2 and not a.read_noise


@compiled_apart
def renew_cells(cells, count, plus, minus, value):  # type: ignore[no-untyped-def]
    """Note the same of both devices of the cells that are listed."""
    for index in range(count):
        cell = np.uint64(cells[CELL + index])
        plus[cell], minus[cell] = value, value


@compiled_apart
def read_devices(cells, count, bounds, steps):  # type: ignore[no-untyped-def]
    """Read the bounds of devices, and the steps that their signs ask for."""
    for index in range(count):
        cell, down = np.uint64(cells[CELL + index]), np.uint64(cells[SIGN + index] < 0)
        cells[PLUS_LOW + index], cells[PLUS_HIGH + index] = bounds[cell, 0], bounds[cell, 1]
        cells[MINUS_LOW + index], cells[MINUS_HIGH + index] = bounds[cell, 2], bounds[cell, 3]
        cells[PLUS_INTERCEPT + index], cells[PLUS_SLOPE + index] = steps[cell, down, 0], steps[cell, down, 1]
        cells[MINUS_INTERCEPT + index], cells[MINUS_SLOPE + index] = steps[cell, down, 2], steps[cell, down, 3]


@compiled
def whole_vectors(count):  # type: ignore[no-untyped-def]
    """`count` and the rest of a vector: cells computed for nothing cost less than the last few one by one."""
    return (count + VECTOR - 1) & -VECTOR


@compiled_apart
def draw_cells(key_low, key_high, cells, count, sample, c2, c3):  # type: ignore[no-untyped-def]
    """Draw the normals of a pulse of each pair of devices."""
    c1, c2, c3 = np.uint64(sample) & WORD, np.uint64(c2), np.uint64(c3)
    for index in range(whole_vectors(count)):
        counter = np.uint64(cells[COUNTER + index]) & WORD
        cells[PLUS_X + index], cells[MINUS_X + index] = normals(key_low, key_high, counter, c1, c2, c3)


@compiled_apart
def thin_cells(a, cells, count, sample, c2, c3):  # type: ignore[no-untyped-def]
    """Draw which devices' pulses are left out, and keep their conductances."""
    c1, c2, c3 = np.uint64(sample) & WORD, np.uint64(c2), np.uint64(c3)
    of_set, of_reset = np.uint64(a.set_thinning), np.uint64(a.reset_thinning)
    for index in range(count):
        up, counter = cells[SIGN + index] > 0, np.uint64(cells[COUNTER + index]) & WORD
        plus, minus, _, _ = words(a.key_low, a.key_high, counter, c1, c2, c3)
        cells[PLUS_LEFT + index] = (cells[PLUS_G + index] + 1) * np.int64(plus < (of_set if up else of_reset))
        cells[MINUS_LEFT + index] = (cells[MINUS_G + index] + 1) * np.int64(minus < (of_reset if up else of_set))


@compiled_apart
def leave_cells(cells, count):  # type: ignore[no-untyped-def]
    """Have the devices whose pulses are left out be what they were."""
    for index in range(count):
        plus, minus = cells[PLUS_LEFT + index], cells[MINUS_LEFT + index]
        cells[PLUS_G + index] = plus - 1 if plus else cells[PLUS_G + index]
        cells[MINUS_G + index] = minus - 1 if minus else cells[MINUS_G + index]


@compiled
def moved(g, up, low, high, intercept, slope, x, range_spread, step_spread):  # type: ignore[no-untyped-def]
    """A conductance after a SET or RESET pulse; x is the pulse's normal."""
    step = intercept + (slope * (g - low) >> 8)
    spread = range_spread + (step_spread * abs(step) >> 16)
    change = (step + (spread * x >> 16) + (1 << 15)) >> 16
    return min(max(g + change if up else g - change, low), high)


@compiled_apart
def move_alike(cells, count, bounds, steps, range_spread, step_spread):  # type: ignore[no-untyped-def]
    """Move devices that are alike."""
    low, high = np.int64(bounds[0, 0, 0]), np.int64(bounds[0, 0, 1])
    set_0, set_1, reset_0, reset_1 = steps[0, 0, 0, 0], steps[0, 0, 0, 1], steps[0, 0, 0, 2], steps[0, 0, 0, 3]
    for index in range(whole_vectors(count)):
        up = cells[SIGN + index] > 0
        g, intercept, slope = cells[PLUS_G + index], set_0 if up else reset_0, set_1 if up else reset_1
        x = cells[PLUS_X + index]
        cells[PLUS_G + index] = moved(g, up, low, high, intercept, slope, x, range_spread, step_spread)
        g, intercept, slope = cells[MINUS_G + index], reset_0 if up else set_0, reset_1 if up else set_1
        x = cells[MINUS_X + index]
        cells[MINUS_G + index] = moved(g, not up, low, high, intercept, slope, x, range_spread, step_spread)


@compiled_apart
def move_own(cells, count, range_spread, step_spread):  # type: ignore[no-untyped-def]
    """Move devices that each have bounds and steps of their own."""
    for index in range(whole_vectors(count)):
        up = cells[SIGN + index] > 0
        low, high = cells[PLUS_LOW + index], cells[PLUS_HIGH + index]
        intercept, slope = cells[PLUS_INTERCEPT + index], cells[PLUS_SLOPE + index]
        g, x = cells[PLUS_G + index], cells[PLUS_X + index]
        cells[PLUS_G + index] = moved(g, up, low, high, intercept, slope, x, range_spread, step_spread)
        low, high = cells[MINUS_LOW + index], cells[MINUS_HIGH + index]
        intercept, slope = cells[MINUS_INTERCEPT + index], cells[MINUS_SLOPE + index]
        g, x = cells[MINUS_G + index], cells[MINUS_X + index]
        cells[MINUS_G + index] = moved(g, not up, low, high, intercept, slope, x, range_spread, step_spread)


@compiled_apart
def write_cells(cells, count, plus, minus, weights, place):  # type: ignore[no-untyped-def]
    """Put back conductances, and what they change of weights; `place` is what the digit counts."""
    for index in range(count):
        cell = np.uint64(cells[CELL + index])
        g, h = cells[PLUS_G + index], cells[MINUS_G + index]
        weights[cell] += place * ((g - h) - (np.int64(plus[cell]) - minus[cell]))
        plus[cell], minus[cell] = g, h


@compiled_apart
def write_weights(cells, count, plus, minus, weights):  # type: ignore[no-untyped-def]
    """`write_cells` where weights are of one digit."""
    for index in range(count):
        cell = np.uint64(cells[CELL + index])
        g, h = cells[PLUS_G + index], cells[MINUS_G + index]
        plus[cell], minus[cell], weights[cell] = g, h, g - h


@compiled_apart
def write_squares(cells, count, plus, minus, squares, place):  # type: ignore[no-untyped-def]
    """Put back what conductances change of the squares that read noise goes by, before they are put back."""
    for index in range(count):
        cell = np.uint64(cells[CELL + index])
        g, h = cells[PLUS_G + index], cells[MINUS_G + index]
        old_g, old_h = np.int64(plus[cell]), np.int64(minus[cell])
        squares[cell] += place * ((g * g + h * h) - (old_g * old_g + old_h * old_h))


@compiled_apart
def count_pulses(cells, count, pulses, layer, moved):  # type: ignore[no-untyped-def]
    """Count the pulses that devices are given, and add up the conductances that they meet."""
    sets, resets, met_by_set, met_by_reset = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    second = np.int64(moved == 2)
    for index in range(count):
        up = cells[SIGN + index] > 0
        plus = np.int64(cells[PLUS_LEFT + index] == 0)
        minus = np.int64(cells[MINUS_LEFT + index] == 0) * second
        g, h = cells[PLUS_G + index] * plus, cells[MINUS_G + index] * minus
        sets += plus if up else minus
        resets += minus if up else plus
        met_by_set += g if up else h
        met_by_reset += h if up else g
    pulses[layer, 0] += sets
    pulses[layer, 1] += resets
    pulses[layer, 2] += met_by_set
    pulses[layer, 3] += met_by_reset


@compiled_apart
def add_seen(m, a, cells, digit, count, sign):  # type: ignore[no-untyped-def]
    """Add what reads see of cells to weights and squares, or take it from them."""
    place = a.places[digit]
    for index in range(count):
        cell = cells[CELL + index]
        m.weights[cell] += sign * place * seen_difference(a, digit, cell)
        if a.read_noise:
            a.squares[cell] += sign * place * place * square(a, digit, cell)


@compiled_apart
def use_cells(a, cells, digit, count, sample):  # type: ignore[no-untyped-def]
    """Note the pulses that devices are given, and put back the conductances of those that still switch."""
    for index in range(count):
        cell = cells[CELL + index]
        for polarity in range(a.moved):
            lane, left = (PLUS_G, PLUS_LEFT) if polarity == PLUS else (MINUS_G, MINUS_LEFT)
            if cells[left + index]:
                continue
            if wear(a, polarity, digit, cell):
                a.conductances[polarity, digit, cell] = cells[lane + index]
            else:
                cells[lane + index] = a.conductances[polarity, digit, cell]
            note_pulse(a, polarity, digit, cell, sample)
