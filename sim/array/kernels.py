"""Compiled loops of the learning machine on an analog array (sections 7 and 13), on the arrays of `machine`.

Layers are counted from 0. `m` and `s` are the machine and its scratch as in the golden model's loops, with weights in
quanta and references instead of codes; `a` and `t` are the array and its scratch.
"""

import numpy as np

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
    count_backward,
    count_forward,
    count_update,
    crossbar,
    draw,
    output_error,
    present,
    read_forward,
    thin,
)
from ...model.machine import FIXED_WINDOW, RANDOM_WINDOW
from .carry_kernels import carry
from .noise_kernels import add_read_noise, compare_noise, detail, read_noise, read_normals
from .pulse_kernels import LOWEST, list_driven, pulse

FORWARD, BACKWARD = np.int64(Read.FORWARD), np.int64(Read.BACKWARD)
FIRST, NO_ROW = np.int64(0), np.int64(0)


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
def forward(m, s, a, t, features, bank, sample):  # type: ignore[no-untyped-def]
    """Draw the input and fire layer by layer; returns the row events into layer 0, of all patterns."""
    s.z[0, :] = 0
    t.variance[:] = 0
    driven = 0
    for _ in range(m.draws):
        present(m, s, features, bank)
        driven += s.counts[0]
        read(m, s, a, t, FIRST)
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
        read_normals(a, t, columns, NO_ROW, sample, detail(0, 0, int(training), FORWARD, 0), layer)
        add_read_noise(z, t.variance, t.normals, columns, a.read_noise)
    for column in range(columns):
        z[column] += offsets[column]


@compiled
def fire(m, s, a, t, layer, bank, sample):  # type: ignore[no-untyped-def]
    """Compare z with random thresholds."""
    columns, error = m.sizes[layer + 1], t.error[0]
    z, thresholds, drawn, fired = s.z[layer], m.thresholds[layer], s.drawn[0], s.events[layer + 1]
    compare_noise(a, columns, NO_ROW, sample, detail(0, 0, int(bank == TRAIN), FORWARD, 0), layer, error)
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
    compare_noise(a, columns, NO_ROW, sample, detail(1, 0, 1, FORWARD, 0), layer, first)
    compare_noise(a, columns, NO_ROW, sample, detail(2, 0, 1, FORWARD, 0), layer, second)
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
        read_normals(a, t, m.sizes[layer + 1], NO_ROW, sample, detail(0, 0, 1, BACKWARD, 0), layer + 1)
        for event in range(opened):
            row, variance = s.open[layer, event], np.int64(0)
            for index in range(driven):
                variance += squares[row, t.driven[index]]
            t.sum[event] += read_noise(a.read_noise, variance, t.normals[row])
    decide_signs(m, s, a, t, layer, sample)
    return driven


@compiled
def decide_signs(m, s, a, t, layer, sample):  # type: ignore[no-untyped-def]
    """Reduce the sums that are held to their signs, by two comparisons each."""
    rows, first, second = m.sizes[layer + 1], t.error[1], t.error[2]
    compare_noise(a, rows, NO_ROW, sample, detail(0, 0, 1, BACKWARD, 0), layer + 1, first)
    compare_noise(a, rows, NO_ROW, sample, detail(1, 0, 1, BACKWARD, 0), layer + 1, second)
    for event in range(s.opened[layer]):
        row = s.open[layer, event]
        positive = t.sum[event] + first[row] > a.sign_codes[0]
        negative = t.sum[event] + second[row] <= a.sign_codes[1]
        s.signs[layer, row] = np.int64(positive) - np.int64(negative)


@compiled
def update(m, s, a, t, layer, exponent, sample):  # type: ignore[no-untyped-def]
    """Thin the row events and pulse them along the signs of the layer; returns the rows, and the signs up and down."""
    events, count = thin(m, s, layer, exponent)
    driven = list_driven(s.signs[layer], m.sizes[layer + 1], t.driven)
    up = 0
    for index in range(driven):
        up += s.signs[layer, t.driven[index]] > 0
    if driven:
        pulse(m, a, t, layer, events[:count], LOWEST, s.signs[layer], driven, sample, detail(0, 0, 1, FORWARD, 0))
    return count, up, driven - up
