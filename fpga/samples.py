"""Samples and results on their way between the link's bytes and the machine's streams."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..hdl.presentation import SampleBeat, Sideband
from ..hdl.trainer import Result
from .protocol import LABEL_BYTES


class SampleFeeder(wiring.Component):
    """Puts bytes together to samples.

    Parameters
    ----------
    inputs, outputs : int
        Of the network.
    per_beat : int
        Features in a beat.

    Members
    -------
    enable : In(1)
        Begin another sample.
    idle : Out(1)
        Between samples.
    sideband : In(Sideband)
        Of the sample; its label comes with a training sample's bytes instead.
    bytes : In(stream of 8)
        For a training sample two of its label, then the features.
    samples : Out(stream of SampleBeat)
    taken : Out(1)
        The last beat of a sample was transferred in the cycle before.

    Latency
    -------
    A byte takes a cycle, a beat two.
    """

    def __init__(self, *, inputs: int, outputs: int, per_beat: int) -> None:
        self._inputs = inputs
        self._per_beat = per_beat
        super().__init__(
            {
                "enable": In(1),
                "idle": Out(1),
                "sideband": In(Sideband(outputs)),
                "bytes": In(stream.Signature(8)),
                "samples": Out(stream.Signature(SampleBeat(outputs, per_beat))),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        label = Signal(8 * LABEL_BYTES)
        label_byte = Signal(range(LABEL_BYTES))
        feature = Signal(range(max(self._inputs, 2)))
        lane = Signal(range(max(self._per_beat, 2)))
        beat = self.samples.p
        features = Signal(beat.features.shape())
        last = Signal()
        m.d.comb += [
            beat.sideband.eq(self.sideband),
            beat.sideband.label.eq(label),
            beat.features.eq(features),
        ]
        with m.FSM(name="feed") as feed:
            m.d.comb += self.idle.eq(feed.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.sync += [label.eq(0), label_byte.eq(0), feature.eq(0), lane.eq(0), last.eq(self._inputs == 1)]
                with m.If(self.enable):
                    m.next = "LABEL"
                    with m.If(self.sideband.infer):
                        m.next = "FEATURES"
            with m.State("LABEL"):
                m.d.comb += self.bytes.ready.eq(1)
                with m.If(self.bytes.valid):
                    m.d.sync += [label.eq(Cat(label[8:], self.bytes.p)), label_byte.eq(label_byte + 1)]
                    with m.If(label_byte == LABEL_BYTES - 1):
                        m.next = "FEATURES"
            with m.State("FEATURES"):
                m.d.comb += self.bytes.ready.eq(1)
                with m.If(self.bytes.valid):
                    m.d.sync += [Array(features[index] for index in range(self._per_beat))[lane].eq(self.bytes.p)]
                    with m.If(last | (lane == self._per_beat - 1)):
                        m.next = "BEAT"
                    with m.Else():
                        m.d.sync += [
                            lane.eq(lane + 1),
                            feature.eq(feature + 1),
                            last.eq(feature == self._inputs - 2),
                        ]
            with m.State("BEAT"):
                m.d.comb += self.samples.valid.eq(1)
                with m.If(self.samples.ready):
                    m.next = "TAKEN"
            with m.State("TAKEN"):
                m.d.comb += self.taken.eq(last)
                m.d.sync += [lane.eq(0), feature.eq(feature + 1), last.eq(feature == self._inputs - 2)]
                m.next = "FEATURES"
                with m.If(last):
                    m.next = "IDLE"
        return m


class ResultBytes(wiring.Component):
    """Takes results apart: votes as bytes, fired outputs of training samples as bits.

    Parameters
    ----------
    outputs : int
        Of the network.

    Members
    -------
    results : In(stream of Result)
    bytes : Out(stream of 8)
    taken : Out(1)
        The last byte of a result is transferred.

    Latency
    -------
    A byte takes a cycle.
    """

    def __init__(self, outputs: int) -> None:
        self._outputs = outputs
        super().__init__(
            {
                "results": In(stream.Signature(Result(outputs))),
                "bytes": Out(stream.Signature(8)),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        result = self.results.p
        outputs = range(self._outputs)
        fired = [Cat(result.votes[output][0] for output in outputs[first : first + 8]) for first in outputs[::8]]
        index = Signal(range(max(self._outputs, 2)))
        last = Mux(result.infer, self._outputs, len(fired)) - 1
        m.d.comb += [
            self.bytes.valid.eq(self.results.valid),
            self.bytes.p.eq(
                Mux(result.infer, Array(result.votes[output] for output in outputs)[index], Array(fired)[index])
            ),
            self.taken.eq(self.results.valid & self.bytes.ready & (index == last)),
            self.results.ready.eq(self.taken),
        ]
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += index.eq(Mux(self.taken, 0, index + 1))
        return m
