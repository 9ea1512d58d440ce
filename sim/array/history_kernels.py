"""Compiled loops of what time and use do to devices (section 13), on the arrays of `machine` and `flat_history`.

Layers are counted from 0; `m` is the machine, `a` the array with its history and `b` what that goes by.
"""

import numpy as np

from ...model.kernels import compiled
from .ageing import AGE_BITS, DECAY_BITS
from .noise import Purpose
from .noise_kernels import WORD, purpose_word, words

TELEGRAPH = np.int64(Purpose.TELEGRAPH)
PLUS, MINUS = np.int64(0), np.int64(1)
ONE, ROUND = 1 << 16, 1 << 15


@compiled
def seen(a, polarity, digit, cell):  # type: ignore[no-untyped-def]
    """What reads see of a device, in quanta."""
    g = np.int64(a.conductances[polarity, digit, cell])
    if a.fades:
        g = (g * a.factors[polarity, digit, cell] + ROUND) >> 16
    return g


@compiled
def seen_difference(a, digit, cell):  # type: ignore[no-untyped-def]
    """What reads see of a pair, in quanta."""
    return seen(a, PLUS, digit, cell) - seen(a, MINUS, digit, cell)


@compiled
def square(a, digit, cell):  # type: ignore[no-untyped-def]
    """The sum of the squares of what reads see of a pair."""
    plus, minus = seen(a, PLUS, digit, cell), seen(a, MINUS, digit, cell)
    return plus * plus + minus * minus


@compiled
def refresh(m, a):  # type: ignore[no-untyped-def]
    """Set weights, and their squares if they are needed, from what reads see of the conductances."""
    for cell in range(len(m.weights)):
        total = np.int64(0)
        for digit in range(a.digits):
            total += a.places[digit] * seen_difference(a, digit, cell)
        m.weights[cell] = total
    for cell in range(len(a.squares)):
        total = np.int64(0)
        for digit in range(a.digits):
            total += a.places[digit] ** 2 * square(a, digit, cell)
        a.squares[cell] = total


@compiled
def settle(m, a, b, sample):  # type: ignore[no-untyped-def]
    """Set what reads see of the devices as of a training sample."""
    for layer in range(len(m.sizes) - 1):
        width = m.widths[layer + 1]
        for row in range(m.sizes[layer] + 1):
            start = m.starts[layer] + row * width
            for column in range(m.sizes[layer + 1]):
                for digit in range(a.digits):
                    settle_pair(a, b, layer, row, column, digit, start + column, sample)


@compiled
def settle_pair(a, b, layer, row, column, digit, cell, sample):  # type: ignore[no-untyped-def]
    """`settle` for a pair of devices."""
    trapped = b.traps.shape[2] != 0 and (b.traps[PLUS, digit, cell] or b.traps[MINUS, digit, cell])
    drawn = np.uint64(0), np.uint64(0)
    if trapped:
        drawn = telegraph_words(a, layer, row, column * a.digits + digit, sample // b.trap_samples)
    for polarity in range(2):
        factor = np.int64(ONE)
        if b.wires.shape[2]:
            factor = np.int64(b.wires[polarity, digit, cell])
        if trapped and b.traps[polarity, digit, cell] and drawn[polarity] & np.uint64(1):
            factor = (factor * (ONE - b.trap_amplitude) + ROUND) >> 16
        if a.settled.shape[2]:
            a.settled[polarity, digit, cell] = factor
        if a.programmed.shape[2]:
            age = tick_of(a, sample) - a.programmed[polarity, digit, cell]
            nu = b.drift[polarity, digit, cell if b.drift.shape[2] > 1 else 0]
            exponent = (nu * b.logarithms[age_index(age)]) >> (32 - DECAY_BITS)
            factor = (factor * b.decays[min(exponent, len(b.decays) - 1)] + ROUND) >> 16
        a.factors[polarity, digit, cell] = factor


@compiled
def tick_of(a, sample):  # type: ignore[no-untyped-def]
    """The tick of a sample; a divisor that cannot be 0 lets a compiler divide before a loop."""
    return np.int64(np.uint64(sample) // max(np.uint64(a.tick_samples), np.uint64(1)))


@compiled
def age_index(age):  # type: ignore[no-untyped-def]
    """Where an age is in the table of logarithms."""
    shift = 0
    while age >> shift >= 1 << AGE_BITS:
        shift += 1
    return (shift << (AGE_BITS - 1)) + (age >> shift)


@compiled
def telegraph_words(a, layer, row, cell_column, block):  # type: ignore[no-untyped-def]
    """The random words of the traps of a pair."""
    c0, c1, c2 = np.uint64((row << 16) + cell_column), np.uint64(block) & WORD, np.uint64(0)
    plus, minus, _, _ = words(a.key_low, a.key_high, c0, c1, c2, np.uint64(purpose_word(TELEGRAPH, layer)))
    return plus, minus


@compiled
def wear(a, polarity, digit, cell):  # type: ignore[no-untyped-def]
    """Take a pulse from a device's life; whether it still switches."""
    if a.life.shape[2] == 0:
        return True
    if a.life[polarity, digit, cell] == 0:
        return False
    a.life[polarity, digit, cell] -= 1
    return True


@compiled
def note_pulse(a, polarity, digit, cell, sample):  # type: ignore[no-untyped-def]
    """Note that a device was pulsed."""
    if a.programmed.shape[2]:
        a.programmed[polarity, digit, cell] = tick_of(a, sample)
        young = a.settled[polarity, digit, cell] if a.settled.shape[2] else ONE
        a.factors[polarity, digit, cell] = young


@compiled
def note_selects(a, layer, row, digit, signs, driven, count):  # type: ignore[no-untyped-def]
    """Note that a row was pulsed along the signs of `driven` columns."""
    if a.half_selects == 0 or count == 0:
        return
    a.selects[0, layer, row] += 1
    for index in range(count):
        column = driven[index]
        a.selects[1 + digit + (0 if signs[column] > 0 else a.digits), layer, column] += 1


@compiled
def disturb(m, a, b):  # type: ignore[no-untyped-def]
    """Move devices by the steps that their half-selects have come to, those upward first."""
    for layer in range(len(m.sizes) - 1):
        for row in range(m.sizes[layer] + 1):
            start = m.starts[layer] + row * m.widths[layer + 1]
            for column in range(m.sizes[layer + 1]):
                for digit in range(a.digits):
                    up = steps_due(a, b, layer, row, column, 1 + digit)
                    down = steps_due(a, b, layer, row, column, 1 + a.digits + digit)
                    creep(a, PLUS, digit, start + column, up, down)
                    creep(a, MINUS, digit, start + column, down, up)
    for which in range(a.selects.shape[0]):
        for layer in range(a.selects.shape[1]):
            for line in range(a.selects.shape[2]):
                b.selects_done[which, layer, line] = a.selects[which, layer, line]


@compiled
def steps_due(a, b, layer, row, column, columns):  # type: ignore[no-untyped-def]
    """Steps that the half-selects of a cell by its row, and by its column in one direction, have come to."""
    now = a.selects[0, layer, row] + a.selects[columns, layer, column]
    done = b.selects_done[0, layer, row] + b.selects_done[columns, layer, column]
    return now // a.half_selects - done // a.half_selects


@compiled
def creep(a, polarity, digit, cell, up, down):  # type: ignore[no-untyped-def]
    """Move a device by so many steps up, and then down, without spread from cycle to cycle."""
    if a.life.shape[2] and a.life[polarity, digit, cell] == 0:
        return
    device, own = 0 if a.alike else cell, 2 * polarity
    low, high = np.int64(a.bounds[digit, device, own]), np.int64(a.bounds[digit, device, own + 1])
    raising, lowering = a.steps[digit, device, polarity], a.steps[digit, device, 1 - polarity]
    g = np.int64(a.conductances[polarity, digit, cell])
    for _ in range(up):
        step = raising[own] + (raising[own + 1] * (g - low) >> 8)
        g = min(max(g + ((step + ROUND) >> 16), low), high)
    for _ in range(down):
        step = lowering[own] + (lowering[own + 1] * (g - low) >> 8)
        g = min(max(g - ((step + ROUND) >> 16), low), high)
    a.conductances[polarity, digit, cell] = g
