"""Compiled loops of the float baseline at batch 1: one call for many samples, work proportional to nonzero inputs."""

from math import exp

import numpy as np
from numba import njit

# The order of sums is the compiler's, so that they run in parallel; on one machine it is always the same.
compiled = njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract", "nsz", "reassoc"})


@compiled
def train(n, features, labels, kept, keep_input, keep_hidden, rate):  # type: ignore[no-untyped-def]
    """Train samples in order; `kept` holds the mask of a sample's inputs, then of its hidden units, if any."""
    last = len(n.sizes) - 2
    column = n.sizes[0] if keep_input < 1 else 0
    for sample in range(len(features)):
        mask = kept[sample]
        count = gather(n, features[sample], mask, keep_input)
        read_rows(first(n), n.rows, n.values, count, part(n.errors, n.error_starts, 0))
        mask_start = column
        for layer in range(last):
            if layer:
                read(n, layer)
            fire(n, layer, mask[mask_start:], keep_hidden)
            mask_start += n.sizes[layer + 1]
        if last:
            read(n, last)
        softmax(part(n.errors, n.error_starts, last), labels[sample])
        for layer in range(last, 0, -1):
            backward(n, layer, keep_hidden)
        for layer in range(last, 0, -1):
            update(n, layer, rate)
        update_rows(first(n), n.rows, n.values, count, part(n.errors, n.error_starts, 0), rate)


@compiled
def part(vector, starts, layer):  # type: ignore[no-untyped-def]
    """A layer's part of `vector`."""
    return vector[starts[layer] : starts[layer + 1]]


@compiled
def first(n):  # type: ignore[no-untyped-def]
    """Weights of the first layer, shape (inputs + 1, outputs)."""
    return part(n.weights, n.weight_starts, 0).reshape(n.sizes[0] + 1, n.sizes[1])


@compiled
def later(n, layer):  # type: ignore[no-untyped-def]
    """Weights of a layer after the first, shape (outputs, inputs + 1)."""
    return part(n.weights, n.weight_starts, layer).reshape(n.sizes[layer + 1], n.sizes[layer] + 1)


@compiled
def gather(n, features, mask, keep):  # type: ignore[no-untyped-def]
    """List the rows of nonzero inputs and their values, and the bias row; returns how many."""
    scale = np.float32(1) / (np.float32(255) * keep)
    count = 0
    for row in range(len(features)):
        n.rows[count] = row
        n.values[count] = np.float32(features[row]) * scale
        count += (features[row] != 0) & (keep == 1 or mask[row])
    n.rows[count] = len(features)
    n.values[count] = 1
    return count + 1


@compiled
def read_rows(weights, rows, values, count, z):  # type: ignore[no-untyped-def]
    """Set z to the sum of the rows listed, times their values."""
    z[:] = 0
    index = 0
    while index + 4 <= count:
        w0, w1 = weights[rows[index]], weights[rows[index + 1]]
        w2, w3 = weights[rows[index + 2]], weights[rows[index + 3]]
        x0, x1, x2, x3 = values[index], values[index + 1], values[index + 2], values[index + 3]
        for column in range(len(z)):
            z[column] += x0 * w0[column] + x1 * w1[column] + x2 * w2[column] + x3 * w3[column]
        index += 4
    while index < count:
        w0, x0 = weights[rows[index]], values[index]
        for column in range(len(z)):
            z[column] += x0 * w0[column]
        index += 1


@compiled
def read(n, layer):  # type: ignore[no-untyped-def]
    """Set z of a layer after the first."""
    weights = later(n, layer)
    signals = part(n.signals, n.signal_starts, layer - 1)
    z = part(n.errors, n.error_starts, layer)
    for column in range(len(z)):
        row, total = weights[column], np.float32(0)
        for line in range(len(signals)):
            total += row[line] * signals[line]
        z[column] = total


@compiled
def fire(n, layer, mask, keep):  # type: ignore[no-untyped-def]
    """Set the signals of a hidden layer to the sigmoid of z, the dropped ones to 0 and the kept ones scaled up."""
    z = part(n.errors, n.error_starts, layer)
    signals = part(n.signals, n.signal_starts, layer)
    for column in range(len(z)):
        signals[column] = np.float32(1) / (keep * (np.float32(1) + np.float32(exp(-z[column]))))
    if keep < 1:
        for column in range(len(z)):
            signals[column] *= mask[column]


@compiled
def softmax(z, label):  # type: ignore[no-untyped-def]
    """Replace z of the output layer by the slope of the cross-entropy: the softmax less the target."""
    largest = z[0]
    for column in range(1, len(z)):
        largest = max(largest, z[column])
    total = np.float32(0)
    for column in range(len(z)):
        z[column] = np.float32(exp(z[column] - largest))
        total += z[column]
    for column in range(len(z)):
        z[column] /= total
    z[label] -= 1


@compiled
def backward(n, layer, keep):  # type: ignore[no-untyped-def]
    """Set the errors of the layer below; the slope of a dropped signal is 0 as the signal is."""
    weights = later(n, layer)
    upper, errors = part(n.errors, n.error_starts, layer), part(n.errors, n.error_starts, layer - 1)
    signals = part(n.signals, n.signal_starts, layer - 1)
    errors[:] = 0
    for column in range(len(upper)):
        row, error = weights[column], upper[column]
        for line in range(len(errors)):
            errors[line] += error * row[line]
    for line in range(len(errors)):
        errors[line] *= signals[line] * (np.float32(1) - keep * signals[line])


@compiled
def update(n, layer, rate):  # type: ignore[no-untyped-def]
    """Move the weights of a layer after the first down the slope."""
    weights = later(n, layer)
    signals = part(n.signals, n.signal_starts, layer - 1)
    errors = part(n.errors, n.error_starts, layer)
    for column in range(len(errors)):
        row, step = weights[column], rate * errors[column]
        for line in range(len(signals)):
            row[line] -= step * signals[line]


@compiled
def update_rows(weights, rows, values, count, errors, rate):  # type: ignore[no-untyped-def]
    """Move the rows listed down the slope."""
    for column in range(len(errors)):
        errors[column] *= rate
    for index in range(count):
        row, value = weights[rows[index]], values[index]
        for column in range(len(errors)):
            row[column] -= value * errors[column]
