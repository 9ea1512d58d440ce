from itertools import product

import numpy as np
import pytest
from stochastor.hdl.pulse import SaturatingStep
from stochastor.model.crossbar import Address, IntegerCrossbar

from .bench import run

ADDRESS = Address(0, 1, True)


def stepped(weight_bits, words):
    """Weights after a step, and which lanes move, for each (weights, signs)."""
    step = SaturatingStep(lanes=len(words[0][0]), weight_bits=weight_bits)

    async def testbench(ctx):
        results = []
        for weights, signs in words:
            ctx.set(step.word, weights)
            ctx.set(step.signs, signs)
            results.append(([ctx.get(weight) for weight in step.stepped], ctx.get(step.moves)))
        return results

    return run(step, testbench)[0]


def pulsed_by_the_model(weight_bits, weights, signs):
    crossbar = IntegerCrossbar(1, len(weights), 2 ** (weight_bits - 1) - 1)
    crossbar.load(np.array([weights]))
    crossbar.pulse(ADDRESS, np.array([0]), np.array(signs, dtype=np.int8))
    return crossbar.dump()[0].tolist()


@pytest.mark.parametrize("weight_bits", [2, 3, 4, 8, 16])
def test_every_weight_moves_by_its_sign_as_in_the_model(weight_bits):
    weight_max = 2 ** (weight_bits - 1) - 1
    weights = {*range(-min(weight_max, 127), min(weight_max, 127) + 1)}
    weights |= {sign * (weight_max - less) for sign in (-1, 1) for less in range(3) if less <= weight_max}
    words = [([weight], [sign]) for weight, sign in product(sorted(weights), (-1, 0, 1))]
    expected = [pulsed_by_the_model(weight_bits, *word) for word in words]
    assert [moved for moved, _ in stepped(weight_bits, words)] == expected


@pytest.mark.parametrize("weight_bits", [2, 3])
def test_lanes_do_not_touch_each_other(weight_bits):
    weight_max = 2 ** (weight_bits - 1) - 1
    lane = list(product(range(-weight_max, weight_max + 1), (-1, 0, 1)))
    words = [tuple(zip(*pair, strict=True)) for pair in product(lane, repeat=2)]
    expected = [pulsed_by_the_model(weight_bits, *word) for word in words]
    assert [moved for moved, _ in stepped(weight_bits, words)] == expected


def test_lanes_with_a_sign_are_pulsed_whether_or_not_they_are_at_the_bound():
    words = [((1, 0, -1), signs) for signs in product((-1, 0, 1), repeat=3)]
    expected = [sum(bool(sign) << lane for lane, sign in enumerate(signs)) for _, signs in words]
    assert [moves for _, moves in stepped(2, words)] == expected
