"""Compiled loops of backpropagation on an analog array, on the arrays of `machine`; `in_situ` has the plain twin.

Layers are counted from 0; `n` is what the learner holds beside the array. Sums add up in the order of rows and of
columns, so that the plain twin comes to the same floats.
"""

from math import exp, floor

import numpy as np

from ...model.crossbar import Read
from ...model.kernels import compiled, crossbar
from .in_situ_arrays import ACCUMULATED, PURPOSE, STOCHASTIC, WORDS
from .noise_kernels import WORD, detail, words
from .pulse_kernels import LOWEST, list_driven, pulse

FORWARD = np.int64(Read.FORWARD)


@compiled
def train(m, s, a, t, n, features, labels, rate, number):  # type: ignore[no-untyped-def]
    """Train samples in order; `rate` is in LSBs, `number` samples were trained before."""
    last = len(m.sizes) - 2
    for sample in range(len(features)):
        count = present(m, s, n, features[sample])
        for layer in range(last + 1):
            forward(m, s, n, layer, count)
            if layer < last:
                fire(m, n, layer)
        output_error(m, n, labels[sample])
        for layer in range(last, 0, -1):
            backward(m, n, layer)
        for layer in range(last + 1):
            update(m, s, a, t, n, layer, count, rate, number + sample)


@compiled
def present(m, s, n, features):  # type: ignore[no-untyped-def]
    """List the rows of nonzero inputs, and the bias row, and set all signals; returns how many."""
    inputs, count = m.sizes[0], 0
    for row in range(inputs):
        n.signals[0, row] = features[row] / 255.0
        s.events[0, count] = row
        count += features[row] != 0
    n.signals[0, inputs] = 1.0
    s.events[0, count] = inputs
    return count + 1


@compiled
def active(m, layer, count):  # type: ignore[no-untyped-def]
    """How many rows of a layer are driven."""
    return m.sizes[layer] + 1 if layer else count


@compiled
def row_of(s, layer, index):  # type: ignore[no-untyped-def]
    """The row driven at `index`: those of hidden layers are all."""
    return index if layer else s.events[0, index]


@compiled
def forward(m, s, n, layer, count):  # type: ignore[no-untyped-def]
    """Set z of a layer."""
    columns, z = m.sizes[layer + 1], n.z[layer]
    weights = crossbar(m, m.weights, layer)
    z[:] = 0
    for index in range(active(m, layer, count)):
        row = row_of(s, layer, index)
        x, line = n.signals[layer, row], weights[row]
        for column in range(columns):
            z[column] += x * line[column]
    for column in range(columns):
        z[column] *= n.unit


@compiled
def fire(m, n, layer):  # type: ignore[no-untyped-def]
    """Set the signals of a hidden layer, and its bias row."""
    columns = m.sizes[layer + 1]
    for column in range(columns):
        n.signals[layer + 1, column] = sigmoid(n.z[layer, column])
    n.signals[layer + 1, columns] = 1.0


@compiled
def sigmoid(z):  # type: ignore[no-untyped-def]
    """1 / (1 + exp(-z)), never overflowing."""
    if z >= 0:
        return 1.0 / (1.0 + exp(-z))
    e = exp(z)
    return e / (1.0 + e)


@compiled
def output_error(m, n, label):  # type: ignore[no-untyped-def]
    """Set the errors of the output layer: the slope of the cross-entropy by z."""
    last = len(m.sizes) - 2
    columns, z, errors = m.sizes[last + 1], n.z[last], n.errors[last]
    if n.softmax:
        largest, whole = z[0], 0.0
        for column in range(1, columns):
            largest = max(largest, z[column])
        for column in range(columns):
            errors[column] = exp(z[column] - largest)
            whole += errors[column]
        for column in range(columns):
            errors[column] /= whole
    else:
        for column in range(columns):
            errors[column] = sigmoid(z[column])
    errors[label] -= 1.0


@compiled
def backward(m, n, layer):  # type: ignore[no-untyped-def]
    """Set the errors of the layer below."""
    weights, upper, errors = crossbar(m, m.weights, layer), n.errors[layer], n.errors[layer - 1]
    for row in range(m.sizes[layer]):
        line, total, signal = weights[row], 0.0, n.signals[layer, row]
        for column in range(m.sizes[layer + 1]):
            total += line[column] * upper[column]
        errors[row] = total * n.unit * (signal * (1.0 - signal))


@compiled
def update(m, s, a, t, n, layer, count, rate, sample):  # type: ignore[no-untyped-def]
    """Turn the changes that are wanted into whole pulses, row by row."""
    columns, steps = m.sizes[layer + 1], n.z[layer]
    for column in range(columns):
        steps[column] = rate * n.errors[layer, column]
    for index in range(active(m, layer, count)):
        row = row_of(s, layer, index)
        x = n.signals[layer, row]
        for column in range(columns):
            n.wanted[column] = -(x * steps[column])
        largest = round_row(m, n, layer, row, sample)
        t.row[0] = row
        for repetition in range(largest):
            for column in range(columns):
                pulsed = abs(n.pulses[column]) > repetition
                t.carried[column] = np.int8(pulsed) * (np.int8(n.pulses[column] > 0) - np.int8(n.pulses[column] < 0))
            driven = list_driven(t.carried, columns, t.driven)
            pulse(m, a, t, layer, t.row, LOWEST, t.carried, driven, sample, detail(0, 0, 1, FORWARD, repetition))


@compiled
def round_row(m, n, layer, row, sample):  # type: ignore[no-untyped-def]
    """Set the pulses of a row from the changes wanted, in LSBs; returns the most of a column."""
    columns, largest = m.sizes[layer + 1], 0
    start = m.starts[layer] + row * m.widths[layer + 1]
    if n.rounding == STOCHASTIC:
        draw(m, n, layer, row, sample)
    for column in range(columns):
        change = n.wanted[column]
        if n.rounding == ACCUMULATED:
            change += n.accumulated[start + column]
            count = min(floor(abs(change)), n.most_pulses)
        elif n.rounding == STOCHASTIC:
            count = min(floor(abs(change) + n.drawn[column]), n.most_pulses)
        else:
            count = min(floor(abs(change) + n.offset), n.most_pulses)
        signed = count if change > 0 else -count
        if n.rounding == ACCUMULATED:
            n.accumulated[start + column] = change - signed
        n.pulses[column] = signed
        largest = max(largest, count)
    return largest


@compiled
def draw(m, n, layer, row, sample):  # type: ignore[no-untyped-def]
    """Draw a number from 0 to 1 for each column of a row: a word of Philox, four columns a counter."""
    c1, c2, c3 = np.uint64(sample) & WORD, np.uint64(layer + 1), np.uint64(PURPOSE)
    for block in range(-(-m.sizes[layer + 1] // WORDS)):
        drawn = words(n.key_low, n.key_high, np.uint64((row << 16) + block), c1, c2, c3)
        for index in range(WORDS):
            n.drawn[WORDS * block + index] = np.float64(drawn[index]) / 4294967296.0
