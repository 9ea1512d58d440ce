"""Keeps the words of samples until a sample is whole: one that has begun always ends, whatever the bus does."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .definition import WORD_BITS
from .words import Word


class SampleBuffer(wiring.Component):
    """Takes words of samples, and hands out samples that are whole.

    Parameters
    ----------
    sample_words : int
        Words of a sample, 2 or more.
    depth : int
        Words that are kept, a power of two: at least two samples.

    Members
    -------
    words : In(stream of Word)
        Samples, one after the other; a packet may hold several, but ends with a sample.
    begin : In(1)
        Another sample may be begun.
    samples : Out(stream of 32)
        Words of whole samples.
    drop : In(1)
        Forget all samples that are not begun, at the next edge; the next word that comes is a header.
    cut : Out(1)
        A packet ended within a sample, which is dropped; one cycle.
    room : Out(range(depth + 1))
        Words that can be taken.
    empty : Out(1)
        No word is kept.

    Latency
    -------
    A sample is offered in the cycle after its last word came; words take a cycle on either side.
    """

    def __init__(self, *, sample_words: int, depth: int) -> None:
        self._sample_words = sample_words
        self._depth = depth
        super().__init__(
            {
                "words": In(stream.Signature(Word())),
                "begin": In(1),
                "samples": Out(stream.Signature(WORD_BITS)),
                "drop": In(1),
                "cut": Out(1),
                "room": Out(range(depth + 1)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=WORD_BITS, depth=self._depth, init=[])
        write_port, read_port = ring.write_port(), ring.read_port()
        # One bit more than an address, so that full and empty differ.
        end, whole, start = (Signal(range(2 * self._depth), name=name) for name in ("end", "whole", "start"))
        taken, given = Signal(range(self._sample_words)), Signal(range(self._sample_words))
        last = self._sample_words - 1
        m.d.comb += [
            self.room.eq(self._depth - (end - start)[: len(end)]),
            self.empty.eq(end == start),
            self.words.ready.eq((self.room != 0) & ~self.drop),
            write_port.addr.eq(end),
            write_port.data.eq(self.words.p.value),
            write_port.en.eq(self.words.valid & self.words.ready),
        ]
        with m.If(write_port.en):
            with m.If(taken == last):
                m.d.sync += [end.eq(end + 1), whole.eq(end + 1), taken.eq(0)]
            with m.Elif(self.words.p.last):
                m.d.comb += self.cut.eq(1)
                m.d.sync += [end.eq(whole), taken.eq(0)]
            with m.Else():
                m.d.sync += [end.eq(end + 1), taken.eq(taken + 1)]

        following = Signal.like(start)
        begun = given != 0
        m.d.comb += [
            self.samples.valid.eq(begun | ((start != whole) & self.begin & ~self.drop)),
            self.samples.p.eq(read_port.data),
            following.eq(start),
            read_port.addr.eq(following),
        ]
        m.d.sync += start.eq(following)
        with m.If(self.samples.valid & self.samples.ready):
            m.d.comb += following.eq(start + 1)
            m.d.sync += given.eq(Mux(given == last, 0, given + 1))
        with m.If(self.drop):
            ends = Mux(begun, start + self._sample_words - given, start)
            m.d.sync += [end.eq(ends), whole.eq(ends), taken.eq(0)]
        return m
