"""Compiled loops of the learning machine on an analog array (sections 7 and 13), on the arrays of `machine`.

Layers are counted from 0. `m` and `s` are the machine and its scratch as in the golden model's loops, with weights in
quanta and references instead of codes; `a` and `t` are the array and its scratch.
"""

import numpy as np

from ...model.carry import OVER, SEARCH, UNDER
from ...model.crossbar import Read
from ...model.kernels import (
    CARRIES,
    ERRORS,
    FIRE,
    GATE,
    INFER,
    PASS_ROW_EVENTS,
    PASSES,
    ROW_EVENTS,
    SAMPLES,
    THINNED,
    TRAIN,
    compiled,
    compiled_apart,
    count_backward,
    count_carried,
    count_forward,
    count_restored,
    count_update,
    crossbar,
    draw,
    output_error,
    present,
    read_forward,
    thin,
)
from ...model.machine import FIXED_WINDOW, RANDOM_WINDOW
from ...model.philox import MULTIPLIERS, ROUNDS, WEYL
from .history_kernels import note_pulse, note_selects, seen_difference, square, wear
from .noise import CENTRE, GAIN, GAIN_SHIFT, Purpose

READ, COMPARE, PULSE = int(Purpose.READ), int(Purpose.COMPARE), int(Purpose.PULSE)
FORWARD, BACKWARD, DIGIT, WEIGHT = (int(read) for read in Read)
PLUS, MINUS = 0, 1
# Of so many columns one must be driven for it to be faster to go along them all.
SPARSE, SPARSE_NOISY = 8, 4
WORD, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
LANES, LANE_SHIFT, PAIR, PAIR_SHIFT = np.uint64(0x00FF00FF), np.uint64(8), np.uint64(0xFFFF), np.uint64(16)
M0, M1 = np.uint64(MULTIPLIERS[0]), np.uint64(MULTIPLIERS[1])
W0, W1 = np.uint64(WEYL[0]), np.uint64(WEYL[1])


@compiled
def train(m, s, a, t, features, labels, exponent, number):  # type: ignore[no-untyped-def]
    """Train samples in order; `number` samples were trained before."""
    last = len(m.sizes) - 2
    totals, counts = m.counts.totals, m.counts.layers
    for sample in range(len(features)):
        trained = number + sample
        driven = forward(m, s, a, t, features[sample], TRAIN, trained)
        count_forward(s, counts, ROW_EVENTS, driven)
        if output_error(m, s, labels[sample]):
            totals[ERRORS] += 1
            totals[THINNED] += exponent > 0
            for layer in range(last):
                open_gates(m, s, a, t, layer, trained)
            for layer in range(last):
                s.signs[layer, :] = 0
            for layer in range(last - 1, -1, -1):
                driven = backward(m, s, a, t, layer, trained)
                if not driven:
                    break
                count_backward(counts, layer + 1, s.opened[layer], driven)
            for layer in range(last + 1):
                rows, up, down = update(m, s, a, t, layer, exponent, trained)
                count_update(counts, layer, rows, up, down)
        if m.period and (trained + 1) % m.period == 0:
            totals[CARRIES] += 1
            for layer in range(last + 1):
                carry(m, s, a, t, layer, trained)
    totals[SAMPLES] += len(features)


@compiled
def infer(m, s, a, t, features, passes, votes):  # type: ignore[no-untyped-def]
    """Add the votes of `passes` passes of each sample to `votes`, shape (samples, outputs)."""
    last = len(m.sizes) - 1
    for sample in range(len(features)):
        for presentation in range(passes):
            driven = forward(m, s, a, t, features[sample], INFER, sample * passes + presentation)
            count_forward(s, m.counts.layers, PASS_ROW_EVENTS, driven)
            for event in range(s.counts[last] - 1):
                votes[sample, s.events[last, event]] += 1
    m.counts.totals[PASSES] += passes * len(features)


@compiled
def detail(comparison, digit, training, read, repetition):  # type: ignore[no-untyped-def]
    """Counter word c2."""
    return comparison + (digit << 4) + (training << 8) + (read << 9) + (repetition << 16)


@compiled
def draw_normals(a, t, count, sample, c2, purpose, layer):  # type: ignore[no-untyped-def]
    """Two standard normals in 2^-16 for each of the first counter words in `lines`."""
    c1 = np.uint64(sample) & WORD
    c3 = np.uint64((purpose << 16) + layer + 1)
    for index in range(count):
        w0, w1, w2, w3 = words(a.key_low, a.key_high, t.lines[index], c1, np.uint64(c2), c3)
        t.first[index] = normal(w0, w1)
        t.second[index] = normal(w2, w3)


@compiled
def words(key_low, key_high, x0, x1, x2, x3):  # type: ignore[no-untyped-def]
    """Philox4x32-10 of a counter."""
    k0, k1 = np.uint64(key_low), np.uint64(key_high)
    for _ in range(ROUNDS):
        p0, p1 = M0 * x0, M1 * x2
        x0, x1 = (p1 >> HALF) ^ x1 ^ k0, p1 & WORD
        x2, x3 = (p0 >> HALF) ^ x3 ^ k1, p0 & WORD
        k0, k1 = (k0 + W0) & WORD, (k1 + W1) & WORD
    return x0, x1, x2, x3


@compiled
def normal(low, high):  # type: ignore[no-untyped-def]
    """A standard normal in 2^-16 of two words."""
    lanes = (low & LANES) + ((low >> LANE_SHIFT) & LANES) + (high & LANES) + ((high >> LANE_SHIFT) & LANES)
    total = np.int64((lanes & PAIR) + (lanes >> PAIR_SHIFT)) - CENTRE
    return (total * GAIN + (1 << (GAIN_SHIFT - 1))) >> GAIN_SHIFT


@compiled
def draw_columns(a, t, columns, row, sample, c2, purpose, layer):  # type: ignore[no-untyped-def]
    """Draw normals for all columns: those of column j are in `first` or `second`, at j div 2."""
    pairs = (columns + 1) >> 1
    for pair in range(pairs):
        t.lines[pair] = np.uint64((row << 16) + pair)
    draw_normals(a, t, pairs, sample, c2, purpose, layer)


@compiled
def of_column(t, column):  # type: ignore[no-untyped-def]
    """A column's normal of the last draw."""
    return t.second[column >> 1] if column & 1 else t.first[column >> 1]


@compiled
def compare_noise(m, a, t, layer, row, sample, c2, error):  # type: ignore[no-untyped-def]
    """Set what the comparators of the columns add, in quanta; it stays zero without noise."""
    if a.comparator_noise == 0:
        return
    columns = m.sizes[layer + 1]
    draw_columns(a, t, columns, row, sample, c2, COMPARE, layer)
    for column in range(columns):
        error[column] = (a.comparator_noise * of_column(t, column) + (1 << 31)) >> 32


@compiled
def root(value):  # type: ignore[no-untyped-def]
    """floor(sqrt(value)), exactly."""
    found = np.int64(np.sqrt(np.float64(value)))
    if found * found > value:
        found -= 1
    if (found + 1) * (found + 1) <= value:
        found += 1
    return found


@compiled
def read_noise(a, variance, x):  # type: ignore[no-untyped-def]
    """What a read is off, in quanta."""
    return (root(variance) * a.read_noise * x + (1 << 31)) >> 32


@compiled
def forward(m, s, a, t, features, bank, sample):  # type: ignore[no-untyped-def]
    """Draw the input and fire layer by layer; returns the row events into layer 0, of all patterns."""
    s.z[0, :] = 0
    t.variance[:] = 0
    driven = 0
    for _ in range(m.draws):
        present(m, s, features, bank)
        driven += s.counts[0]
        read(m, s, a, t, 0)
    for layer in range(len(m.sizes) - 1):
        if layer:
            s.z[layer, :] = 0
            t.variance[:] = 0
            read(m, s, a, t, layer)
        hold(m, s, a, t, layer, bank == TRAIN, sample)
        fire(m, s, a, t, layer, bank, sample)
    return driven


@compiled
def read(m, s, a, t, layer):  # type: ignore[no-untyped-def]
    """Add the row events to z, and their squares to the variance."""
    read_forward(s, crossbar(m, m.weights, layer), s.events[layer], s.counts[layer], s.z[layer])
    if a.read_noise:
        squares = crossbar(m, a.squares, layer)
        for event in range(s.counts[layer]):
            row = squares[s.events[layer, event]]
            for column in range(len(row)):
                t.variance[column] += row[column]


@compiled
def hold(m, s, a, t, layer, training, sample):  # type: ignore[no-untyped-def]
    """Add the noise of the read, and the comparators' offsets, to z."""
    columns, z, offsets = m.sizes[layer + 1], s.z[layer], a.offsets[FORWARD, layer]
    if a.read_noise:
        draw_columns(a, t, columns, 0, sample, detail(0, 0, int(training), FORWARD, 0), READ, layer)
        for column in range(columns):
            z[column] += read_noise(a, t.variance[column], of_column(t, column))
    for column in range(columns):
        z[column] += offsets[column]


@compiled
def fire(m, s, a, t, layer, bank, sample):  # type: ignore[no-untyped-def]
    """Compare z with random thresholds."""
    columns, error = m.sizes[layer + 1], t.error[0]
    z, thresholds, drawn, fired = s.z[layer], m.thresholds[layer], s.drawn[0], s.events[layer + 1]
    compare_noise(m, a, t, layer, 0, sample, detail(0, 0, int(bank == TRAIN), FORWARD, 0), error)
    draw(m, bank, layer, FIRE, columns, drawn)
    count = 0
    for column in range(columns):
        fired[count] = column
        count += z[column] + error[column] > thresholds[drawn[column]]
    fired[count] = columns
    s.counts[layer + 1] = count + 1


@compiled
def open_gates(m, s, a, t, layer, sample):  # type: ignore[no-untyped-def]
    """List the columns of a hidden layer whose gate is open."""
    columns = m.sizes[layer + 1]
    z, opened, count = s.z[layer], s.open[layer], 0
    first, second = t.error[1], t.error[2]
    compare_noise(m, a, t, layer, 0, sample, detail(1, 0, 1, FORWARD, 0), first)
    compare_noise(m, a, t, layer, 0, sample, detail(2, 0, 1, FORWARD, 0), second)
    if m.gate == FIXED_WINDOW or m.gate == RANDOM_WINDOW:
        lower, upper, drawn = m.windows[layer], a.upper_windows[layer], s.drawn[0]
        if m.gate == RANDOM_WINDOW:
            draw(m, TRAIN, layer, GATE, columns, drawn)
        else:
            drawn[:columns] = 0
        for column in range(columns):
            opened[count] = column
            above = z[column] + first[column] > lower[drawn[column]]
            count += above & (z[column] + second[column] <= upper[drawn[column]])
    else:
        thresholds, one, other = m.thresholds[layer], s.drawn[0], s.drawn[1]
        draw(m, TRAIN, layer, GATE, columns, one)
        draw(m, TRAIN, layer, GATE, columns, other)
        for column in range(columns):
            opened[count] = column
            fires = z[column] + first[column] > thresholds[one[column]]
            count += fires != (z[column] + second[column] > thresholds[other[column]])
    s.opened[layer] = count


@compiled
def list_driven(signs, columns, driven):  # type: ignore[no-untyped-def]
    """List the columns whose sign is not zero; returns how many."""
    count = 0
    for column in range(columns):
        driven[count] = column
        count += signs[column] != 0
    return count


@compiled
def backward(m, s, a, t, layer, sample):  # type: ignore[no-untyped-def]
    """Set the signs of a hidden layer to those of the sums that its open columns see; returns the columns driven."""
    upper, opened = s.signs[layer + 1], s.opened[layer]
    driven = list_driven(upper, m.sizes[layer + 2], t.driven)
    if driven == 0:
        return driven
    weights = crossbar(m, m.weights, layer + 1)
    for event in range(opened):
        row, total = s.open[layer, event], np.int64(0)
        for index in range(driven):
            total += np.int64(weights[row, t.driven[index]]) * upper[t.driven[index]]
        t.sum[event] = total + a.offsets[BACKWARD, layer + 1, row]
    if a.read_noise:
        squares = crossbar(m, a.squares, layer + 1)
        draw_rows(s, a, t, layer, sample, 0, READ)
        for event in range(opened):
            row, variance = s.open[layer, event], np.int64(0)
            for index in range(driven):
                variance += squares[row, t.driven[index]]
            t.sum[event] += read_noise(a, variance, of_row(t, event, row))
    decide_signs(s, a, t, layer, sample)
    return driven


@compiled
def decide_signs(s, a, t, layer, sample):  # type: ignore[no-untyped-def]
    """Reduce the sums that are held to their signs, by two comparisons each."""
    opened = s.opened[layer]
    for comparison in range(2):
        error = t.error[comparison + 1]
        if a.comparator_noise:
            draw_rows(s, a, t, layer, sample, comparison, COMPARE)
            for event in range(opened):
                x = of_row(t, event, s.open[layer, event])
                error[event] = (a.comparator_noise * x + (1 << 31)) >> 32
    for event in range(opened):
        positive = t.sum[event] + t.error[1, event] > a.sign_codes[0]
        negative = t.sum[event] + t.error[2, event] <= a.sign_codes[1]
        s.signs[layer, s.open[layer, event]] = np.int64(positive) - np.int64(negative)


@compiled
def draw_rows(s, a, t, layer, sample, comparison, purpose):  # type: ignore[no-untyped-def]
    """Draw normals for the open columns of `layer`, which are rows of the next."""
    for event in range(s.opened[layer]):
        t.lines[event] = np.uint64(s.open[layer, event] >> 1)
    draw_normals(a, t, s.opened[layer], sample, detail(comparison, 0, 1, BACKWARD, 0), purpose, layer + 1)


@compiled
def of_row(t, event, row):  # type: ignore[no-untyped-def]
    """A row's normal of the last draw."""
    return t.second[event] if row & 1 else t.first[event]


@compiled
def update(m, s, a, t, layer, exponent, sample):  # type: ignore[no-untyped-def]
    """Thin the row events and pulse them along the signs of the layer; returns the rows, and the signs up and down."""
    events, count = thin(m, s, layer, exponent)
    driven = list_driven(s.signs[layer], m.sizes[layer + 1], t.driven)
    up = 0
    for index in range(driven):
        up += s.signs[layer, t.driven[index]] > 0
    if driven:
        pulse(m, a, t, layer, events[:count], 0, s.signs[layer], driven, sample, detail(0, 0, 1, FORWARD, 0))
    return count, up, driven - up


@compiled
def pulse(m, a, t, layer, rows, digit, signs, driven, sample, c2):  # type: ignore[no-untyped-def]
    """Move the cells `digit` of rows a step along `signs`, those of the columns that are driven."""
    c2 += ((c2 >> 16) * (a.pulses_per_step - 1)) << 16
    if len(t.pulses):
        pulse_counted(m, a, t, layer, rows, digit, signs, driven, sample, c2)
    elif a.changes:
        pulse_ageing(m, a, t, layer, rows, digit, signs, driven, sample, c2)
    else:
        for row in rows:
            for number in range(a.pulses_per_step):
                pulse_row(m, a, t, layer, row, digit, signs, driven, sample, c2 + (number << 16))


@compiled
def pulse_row(m, a, t, layer, row, digit, signs, driven, sample, c2):  # type: ignore[no-untyped-def]
    """Give the cells `digit` of a row a pulse."""
    noisy = a.range_spread != 0 or a.step_spread != 0
    if a.alike and not a.read_noise and driven * (SPARSE_NOISY if noisy else SPARSE) > m.sizes[layer + 1]:
        pulse_all(m, a, t, layer, row, digit, signs, noisy, sample, c2)
        return
    if noisy:
        draw_driven(a, t, layer, row, digit, driven, sample, c2)
    start = m.starts[layer] + row * m.widths[layer + 1]
    for index in range(driven):
        column = t.driven[index]
        cell = start + column
        up, x, y = signs[column] > 0, np.int64(0), np.int64(0)
        if noisy:
            x, y = t.first[index], t.second[index]
        before = a.conductances[PLUS, digit, cell] - a.conductances[MINUS, digit, cell]
        if a.read_noise:
            a.squares[cell] -= a.places[digit] ** 2 * plain_square(a, digit, cell)
        move(a, PLUS, digit, cell, up, x)
        move(a, MINUS, digit, cell, not up, y)
        if a.read_noise:
            a.squares[cell] += a.places[digit] ** 2 * plain_square(a, digit, cell)
        after = a.conductances[PLUS, digit, cell] - a.conductances[MINUS, digit, cell]
        m.weights[cell] += a.places[digit] * (after - before)


@compiled
def draw_driven(a, t, layer, row, digit, driven, sample, c2):  # type: ignore[no-untyped-def]
    """Draw the normals of a pulse, those of the columns that are driven."""
    for index in range(driven):
        t.lines[index] = np.uint64((row << 16) + t.driven[index] * a.digits + digit)
    draw_normals(a, t, driven, sample, c2, PULSE, layer)


@compiled_apart
def pulse_counted(m, a, t, layer, rows, digit, signs, driven, sample, c2):  # type: ignore[no-untyped-def]
    """`pulse` that counts; apart, as are those below, so that what they look up does not slow down the rest."""
    for row in rows:
        for number in range(a.pulses_per_step):
            count_pulses(m, a, t, layer, row, digit, signs, driven)
            if a.changes:
                age_row(m, a, t, layer, row, digit, signs, driven, sample, c2 + (number << 16))
            else:
                pulse_row(m, a, t, layer, row, digit, signs, driven, sample, c2 + (number << 16))


@compiled_apart
def pulse_ageing(m, a, t, layer, rows, digit, signs, driven, sample, c2):  # type: ignore[no-untyped-def]
    """`pulse` for devices that change but by pulses."""
    for row in rows:
        for number in range(a.pulses_per_step):
            age_row(m, a, t, layer, row, digit, signs, driven, sample, c2 + (number << 16))


@compiled_apart
def age_row(m, a, t, layer, row, digit, signs, driven, sample, c2):  # type: ignore[no-untyped-def]
    """`pulse_row` for devices that change but by pulses."""
    noisy = a.range_spread != 0 or a.step_spread != 0
    if noisy:
        draw_driven(a, t, layer, row, digit, driven, sample, c2)
    start = m.starts[layer] + row * m.widths[layer + 1]
    for index in range(driven):
        column = t.driven[index]
        cell = start + column
        up, x, y = signs[column] > 0, np.int64(0), np.int64(0)
        if noisy:
            x, y = t.first[index], t.second[index]
        before = seen_difference(a, digit, cell)
        if a.read_noise:
            a.squares[cell] -= a.places[digit] ** 2 * square(a, digit, cell)
        for polarity in (PLUS, MINUS):
            note_pulse(a, polarity, digit, cell, sample)
            if wear(a, polarity, digit, cell):
                move(a, polarity, digit, cell, up == (polarity == PLUS), y if polarity else x)
        if a.read_noise:
            a.squares[cell] += a.places[digit] ** 2 * square(a, digit, cell)
        m.weights[cell] += a.places[digit] * (seen_difference(a, digit, cell) - before)
    if a.half_selects:
        note_selects(a, layer, row, digit, signs, t.driven, driven)


@compiled
def plain_square(a, digit, cell):  # type: ignore[no-untyped-def]
    """The sum of the squares of a pair's conductances."""
    plus, minus = np.int64(a.conductances[PLUS, digit, cell]), np.int64(a.conductances[MINUS, digit, cell])
    return plus * plus + minus * minus


@compiled
def count_pulses(m, a, t, layer, row, digit, signs, driven):  # type: ignore[no-untyped-def]
    """Count the cells of a row that are pulsed, and add up the conductances that the pulses meet."""
    columns = m.sizes[layer + 1]
    start = m.starts[layer] + row * m.widths[layer + 1]
    plus = a.conductances[PLUS, digit, start : start + columns]
    minus = a.conductances[MINUS, digit, start : start + columns]
    met_by_set, met_by_reset = np.int64(0), np.int64(0)
    for column in range(columns):
        up, down = np.int64(signs[column] > 0), np.int64(signs[column] < 0)
        met_by_set += up * plus[column] + down * minus[column]
        met_by_reset += up * minus[column] + down * plus[column]
    t.pulses[layer, 0] += driven
    t.pulses[layer, 1] += met_by_set
    t.pulses[layer, 2] += met_by_reset


@compiled
def pulse_all(m, a, t, layer, row, digit, signs, noisy, sample, c2):  # type: ignore[no-untyped-def]
    """`pulse_row` for devices that are alike, going along all columns: faster where many are driven."""
    columns = m.sizes[layer + 1]
    start = m.starts[layer] + row * m.widths[layer + 1]
    if noisy:
        for column in range(columns):
            t.lines[column] = np.uint64((row << 16) + column * a.digits + digit)
        draw_normals(a, t, columns, sample, c2, PULSE, layer)
    weights, place = m.weights[start : start + columns], a.places[digit]
    plus = a.conductances[PLUS, digit, start : start + columns]
    minus = a.conductances[MINUS, digit, start : start + columns]
    low, high = a.low[0, 0, 0], a.high[0, 0, 0]
    set_0, set_1 = a.set_intercept[0, 0, 0], a.set_slope[0, 0, 0]
    reset_0, reset_1 = a.reset_intercept[0, 0, 0], a.reset_slope[0, 0, 0]
    range_spread, step_spread = a.range_spread, a.step_spread
    first, second = t.first, t.second
    for column in range(columns):
        sign = signs[column]
        up = sign > 0
        g, h = np.int64(plus[column]), np.int64(minus[column])
        x = (set_0 if up else reset_0) + ((set_1 if up else reset_1) * (g - low) >> 8)
        y = (reset_0 if up else set_0) + ((reset_1 if up else set_1) * (h - low) >> 8)
        if noisy:
            x += (range_spread + (step_spread * abs(x) >> 16)) * first[column] >> 16
            y += (range_spread + (step_spread * abs(y) >> 16)) * second[column] >> 16
        x, y = (x + (1 << 15)) >> 16, (y + (1 << 15)) >> 16
        p = min(max(g + sign * x, low), high)
        n = min(max(h - sign * y, low), high)
        plus[column], minus[column] = p, n
        weights[column] += place * ((p - n) - (g - h))


@compiled
def move(a, polarity, digit, cell, up, x):  # type: ignore[no-untyped-def]
    """SET or RESET a device; x is its normal."""
    device = 0 if a.alike else cell
    g = np.int64(a.conductances[polarity, digit, cell])
    low, high = np.int64(a.low[polarity, digit, device]), np.int64(a.high[polarity, digit, device])
    if up:
        step = a.set_intercept[polarity, digit, device] + (a.set_slope[polarity, digit, device] * (g - low) >> 8)
    else:
        step = a.reset_intercept[polarity, digit, device] + (a.reset_slope[polarity, digit, device] * (g - low) >> 8)
    spread = a.range_spread + (a.step_spread * abs(step) >> 16)
    moved = (step + (spread * x >> 16) + (1 << 15)) >> 16
    a.conductances[polarity, digit, cell] = min(max(g + moved if up else g - moved, low), high)


@compiled
def carry(m, s, a, t, layer, sample):  # type: ignore[no-untyped-def]
    """Carry full cells into their upper neighbours, row by row."""
    for row in range(m.sizes[layer] + 1):
        for digit in range(a.digits - 1):
            if outside(m, a, t, layer, row, digit, digit, 0, sample):
                carry_up(m, a, t, layer, row, digit, sample)


@compiled
def outside(m, a, t, layer, row, digit, sensed, comparison, sample):  # type: ignore[no-untyped-def]
    """Set `up` and `down` to the full cells, or, for comparison 2, to those of them with room above; if any."""
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
        draw_columns(a, t, columns, row, sample, detail(comparison, digit, 1, DIGIT, 0), READ, layer)
        for column in range(columns):
            t.sum[column] += read_noise(a, square(a, sensed, start + column), of_column(t, column))
    compare_noise(m, a, t, layer, row, sample, detail(comparison, digit, 1, DIGIT, 0), t.error[1])
    compare_noise(m, a, t, layer, row, sample, detail(comparison + 1, digit, 1, DIGIT, 0), t.error[2])
    return decide_outside(a, t, columns, comparison)


@compiled_apart
def hold_fading(a, t, layer, start, columns, sensed):  # type: ignore[no-untyped-def]
    """Hold the cells of a row as reads see them."""
    for column in range(columns):
        t.sum[column] = seen_difference(a, sensed, start + column) + a.offsets[FORWARD, layer, column]


@compiled
def decide_outside(a, t, columns, comparison):  # type: ignore[no-untyped-def]
    """Compare the cells that are held with the two codes of `outside`."""
    held, first, second, up, down = t.sum, t.error[1], t.error[2], t.up, t.down
    upper, lower = a.carry_codes[comparison], a.carry_codes[comparison + 1]
    found = False
    if comparison:
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


@compiled
def carry_up(m, a, t, layer, row, digit, sample):  # type: ignore[no-untyped-def]
    """Move the full cells of a row into their upper neighbours where these have room."""
    t.row[0] = row
    outside(m, a, t, layer, row, digit, digit + 1, 2, sample)
    columns, up, down = m.sizes[layer + 1], 0, 0
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


@compiled
def search(m, a, t, layer, row, digit, sample):  # type: ignore[no-untyped-def]
    """Find the largest code that each weight of a row that carries is above, bit by bit."""
    columns = m.sizes[layer + 1]
    read_weights(m, a, t, layer, row, sample, detail(SEARCH, digit, 1, WEIGHT, 0))
    t.codes[:columns] = -(1 << (a.search_bits - 1))
    for number in range(a.search_bits):
        compare_noise(m, a, t, layer, row, sample, detail(SEARCH, digit, 1, WEIGHT, number), t.error[1])
        place = 1 << (a.search_bits - 1 - number)
        for column in range(columns):
            if t.up[column] != t.down[column]:
                tried = t.codes[column] + place
                if t.sum[column] + t.error[1, column] > reference(a, tried):
                    t.codes[column] = tried


@compiled
def restore(m, a, t, layer, row, digit, sample):  # type: ignore[no-untyped-def]
    """Pulse cells until the weights are those found again: those of `digit` first, then those below."""
    given = 0
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


@compiled
def off_codes(m, a, t, layer, row, digit, moved, given, sample):  # type: ignore[no-untyped-def]
    """Set `carried` to where the weights that carry are off by half a step of `moved`; how many go up and down."""
    columns, bound, slack = m.sizes[layer + 1], 1 << (a.search_bits - 1), a.places[moved] >> 1
    below = 2 * (digit - moved)
    under, over = detail(UNDER + below, digit, 1, WEIGHT, given), detail(OVER + below, digit, 1, WEIGHT, given)
    read_weights(m, a, t, layer, row, sample, under)
    compare_noise(m, a, t, layer, row, sample, under, t.error[1])
    compare_noise(m, a, t, layer, row, sample, over, t.error[2])
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


@compiled
def read_weights(m, a, t, layer, row, sample, c2):  # type: ignore[no-untyped-def]
    """Hold the weights of a row."""
    columns = m.sizes[layer + 1]
    start = m.starts[layer] + row * m.widths[layer + 1]
    for column in range(columns):
        t.sum[column] = m.weights[start + column] + a.offsets[FORWARD, layer, column]
    if a.read_noise:
        draw_columns(a, t, columns, row, sample, c2, READ, layer)
        for column in range(columns):
            t.sum[column] += read_noise(a, a.squares[start + column], of_column(t, column))


@compiled
def reference(a, code):  # type: ignore[no-untyped-def]
    """What a code is compared with, in quanta."""
    exact = ((2 * code + 1) * a.half_lsb + (1 << 15)) >> 16
    if a.reference_step:
        return (2 * exact + a.reference_step) // (2 * a.reference_step) * a.reference_step
    return exact
