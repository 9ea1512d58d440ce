"""Error signs: of the outputs against the target, and of the sums read backward."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .events import LineGroup
from .read import Sensed


class OutputError(wiring.Component):
    """The sign of target minus activation, t - a, for a group of outputs.

    Parameters
    ----------
    outputs, groups, tables : int
        Outputs, `tables` of them in each of `groups` groups.

    Members
    -------
    label : In(range(outputs))
        Class whose target is 1.
    fired : In(LineGroup)
    signs : Out(ArrayLayout(signed(2), tables))

    Latency
    -------
    None.
    """

    def __init__(self, *, outputs: int, groups: int, tables: int) -> None:
        self._tables = tables
        super().__init__(
            {
                "label": In(range(max(outputs, 2))),
                "fired": In(LineGroup(groups, tables)),
                "signs": Out(data.ArrayLayout(signed(2), tables)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for line in range(self._tables):
            target = Signal(name=f"target{line}")
            activation = Signal(name=f"activation{line}")
            m.d.comb += [
                target.eq(self.label == self.fired.group * self._tables + line),
                activation.eq(self.fired.bits[line]),
            ]
            with m.If(target & ~activation):
                m.d.comb += self.signs[line].eq(1)
            with m.Elif(activation & ~target):
                m.d.comb += self.signs[line].eq(-1)
        return m


def sensed_sign(sensed: Sensed) -> Signal:
    """The sign of a backward sum from its two comparisons: [s > 0] - [not s > -1]; 0 if noise lets both be 1."""
    negative = ~sensed.above_minus_one
    return Cat(sensed.above_zero ^ negative, negative & ~sensed.above_zero).as_signed()
