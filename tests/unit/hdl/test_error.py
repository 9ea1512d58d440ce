from itertools import product

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from stochastor.hdl.error import OutputError, sensed_sign
from stochastor.hdl.read import Sensed

from .bench import line_groups, run


@pytest.mark.parametrize("tables", [1, 2, 4])
@pytest.mark.parametrize("outputs", range(1, 6))
def test_the_error_is_target_minus_activation_for_every_output_and_label(outputs, tables):
    component = OutputError(outputs=outputs, groups=-(-outputs // tables), tables=tables)

    async def testbench(ctx):
        for label, fired in product(range(outputs), product((0, 1), repeat=outputs)):
            signs = []
            for group in line_groups(fired, tables):
                ctx.set(component.label, label)
                ctx.set(component.fired, group)
                signs += [ctx.get(sign) for sign in component.signs]
            expected = [int(line == label) - activation for line, activation in enumerate(fired)]
            assert signs == expected + [0] * (-outputs % tables)

    run(component, testbench)


class SensedSign(wiring.Component):
    sensed: In(Sensed(2))
    sign: Out(signed(2))

    def elaborate(self, platform):
        m = Module()
        sensed = Signal(Sensed(2))
        m.d.comb += [sensed.eq(self.sensed), self.sign.eq(sensed_sign(sensed))]
        return m


@pytest.mark.parametrize(("s", "sign"), [(-2, -1), (-1, -1), (0, 0), (1, 1), (2, 1)])
def test_a_backward_sum_has_the_sign_of_its_two_comparisons(s, sign):
    component = SensedSign()

    async def testbench(ctx):
        ctx.set(component.sensed, {"valid": 1, "row": 0, "above_zero": s > 0, "above_minus_one": s > -1})
        return ctx.get(component.sign)

    assert run(component, testbench) == [sign]


def test_a_sum_that_noise_lets_be_both_above_zero_and_below_has_no_sign():
    component = SensedSign()

    async def testbench(ctx):
        ctx.set(component.sensed, {"valid": 1, "row": 0, "above_zero": 1, "above_minus_one": 0})
        return ctx.get(component.sign)

    assert run(component, testbench) == [0]
