"""The pulse: every driven weight of a row moves by one step and saturates."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class SaturatingStep(wiring.Component):
    """Moves each weight of a word by its sign, within +-(2^(weight_bits - 1) - 1).

    Parameters
    ----------
    lanes : int
        Weights in a word.
    weight_bits : int
        Width of a signed weight.

    Members
    -------
    word : In(ArrayLayout(signed(weight_bits), lanes))
    signs : In(ArrayLayout(signed(2), lanes))
    stepped : Out(ArrayLayout(signed(weight_bits), lanes))
    moves : Out(lanes)
        Lanes whose sign is not 0: the devices that are pulsed.

    Latency
    -------
    None.
    """

    def __init__(self, *, lanes: int, weight_bits: int) -> None:
        self._lanes = lanes
        self._weight_bits = weight_bits
        word = data.ArrayLayout(signed(weight_bits), lanes)
        super().__init__(
            {
                "word": In(word),
                "signs": In(data.ArrayLayout(signed(2), lanes)),
                "stepped": Out(word),
                "moves": Out(lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bound = (1 << (self._weight_bits - 1)) - 1
        for lane in range(self._lanes):
            weight, sign = self.word[lane], self.signs[lane]
            at_bound = Signal(name=f"at_bound{lane}")
            m.d.comb += [
                at_bound.eq(((weight == bound) & (sign == 1)) | ((weight == -bound) & (sign == -1))),
                self.stepped[lane].eq(weight + sign),
            ]
            with m.If(at_bound):
                m.d.comb += self.stepped[lane].eq(weight)
            with m.If(sign != 0):
                m.d.comb += self.moves[lane].eq(1)
        return m
