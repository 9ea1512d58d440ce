"""Samples and results on their way between words of 32 bits and the machine's streams."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ...hdl.presentation import NUMBER_BITS, SampleBeat
from ...hdl.trainer import Result
from .definition import WORD_BITS, WORD_BYTES
from .register_file import assemble
from .registers import RESULT_HEADER, SAMPLE_HEADER


class Word(data.StructLayout):
    """A word of a stream.

    Members
    -------
    value : 32
    last : 1
        It ends a packet.
    """

    def __init__(self) -> None:
        super().__init__({"value": WORD_BITS, "last": 1})


class SampleWords(wiring.Component):
    """Makes beats of the words of samples.

    Parameters
    ----------
    inputs, outputs : int
        Of the network.
    per_beat : int
        Features in a beat.

    Members
    -------
    words : In(stream of 32)
        A header, then four features a word, the first one lowest.
    position : In(32)
        Number of the next training sample.
    samples : Out(stream of SampleBeat)
    taken : Out(1)
        The last beat of a sample is transferred.
    infer : Out(1)
        With `taken`: the sample is to be classified.
    idle : Out(1)
        Between samples.

    Latency
    -------
    A header takes a cycle, a word as many as it fills beats, at least one.
    """

    def __init__(self, *, inputs: int, outputs: int, per_beat: int) -> None:
        self._inputs = inputs
        self._per_beat = per_beat
        super().__init__(
            {
                "words": In(stream.Signature(WORD_BITS)),
                "position": In(NUMBER_BITS),
                "samples": Out(stream.Signature(SampleBeat(outputs, per_beat))),
                "taken": Out(1),
                "infer": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        header = Signal(WORD_BITS)
        called = Signal(NUMBER_BITS)
        sideband = self.samples.p.sideband
        m.d.comb += [
            *(sideband[field.name].eq(header[field.low : field.low + field.width]) for field in SAMPLE_HEADER.fields),
            sideband.number.eq(Mux(sideband.infer, Mux(sideband.reseed, 0, called), self.position)),
            self.infer.eq(sideband.infer),
        ]
        features = Signal()
        last = self._make_beats(m, features)
        with m.FSM(name="words"):
            with m.State("HEADER"):
                m.d.comb += self.idle.eq(1)
                with m.If(self.words.valid):
                    m.d.comb += self.words.ready.eq(1)
                    m.d.sync += header.eq(self.words.p)
                    m.next = "FEATURES"
            with m.State("FEATURES"):
                m.d.comb += features.eq(1)
                with m.If(self.samples.valid & self.samples.ready & last):
                    m.d.comb += self.taken.eq(1)
                    m.next = "HEADER"
                    with m.If(sideband.infer):
                        m.d.sync += called.eq(sideband.number + 1)
        return m

    def _make_beats(self, m: Module, features: Signal) -> Value:
        """Offer a beat, from a part of a word or from several; returns whether it is the last one of its sample."""
        beats = -(-self._inputs // self._per_beat)
        beat = Signal(range(max(beats, 2)))
        last = beat == beats - 1
        transferred = self.samples.valid & self.samples.ready
        with m.If(transferred):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
        if self._per_beat <= WORD_BYTES:
            part = Signal(range(max(WORD_BYTES // self._per_beat, 2)))
            parts = Array(self.words.p.word_select(index, 8 * self._per_beat) for index in range(2 ** len(part)))
            m.d.comb += [
                self.samples.p.features.eq(parts[part] if self._per_beat < WORD_BYTES else self.words.p),
                self.samples.valid.eq(features & self.words.valid),
            ]
            with m.If(features):
                ends = last | (part == WORD_BYTES // self._per_beat - 1)
                m.d.comb += self.words.ready.eq(transferred & ends)
                with m.If(transferred):
                    m.d.sync += part.eq(Mux(ends, 0, part + 1))
            return last
        per_beat = self._per_beat // WORD_BYTES
        words = -(-self._inputs // WORD_BYTES)
        kept = [Signal(WORD_BITS, name=f"kept{index}") for index in range(per_beat - 1)]
        part = Signal(range(per_beat))
        ends = (part == per_beat - 1) | (last & (part == (words - 1) % per_beat))
        m.d.comb += [
            self.samples.p.features.eq(
                Cat(*(Mux(part == index, self.words.p, word) for index, word in enumerate(kept)), self.words.p)
            ),
            self.samples.valid.eq(features & self.words.valid & ends),
        ]
        with m.If(features & self.words.valid):
            m.d.comb += self.words.ready.eq(~ends | self.samples.ready)
            with m.If(self.words.ready):
                m.d.sync += part.eq(Mux(ends, 0, part + 1))
                for index, word in enumerate(kept):
                    with m.If(part == index):
                        m.d.sync += word.eq(self.words.p)
        return last


class ResultWords(wiring.Component):
    """Makes words of results: number, header, four votes a word, the first one lowest.

    Parameters
    ----------
    outputs : int
        Of the network.

    Members
    -------
    results : In(stream of Result)
    room : In(1)
        All words of a result can be taken, one a cycle: only then one begins.
    packet : In(16)
        Results in a packet; 0 counts as 1.
    words : Out(stream of Word)
        Always ready within a result.
    taken : Out(1)
        The last word of a result is transferred.
    idle : Out(1)
        Between results.

    Latency
    -------
    A word takes a cycle.
    """

    def __init__(self, outputs: int) -> None:
        self._outputs = outputs
        super().__init__(
            {
                "results": In(stream.Signature(Result(outputs))),
                "room": In(1),
                "packet": In(16),
                "words": Out(stream.Signature(Word(), always_ready=True)),
                "taken": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        result = self.results.p
        votes = result.votes.as_value()
        words = [
            result.number,
            assemble(RESULT_HEADER, {"label": result.label, "infer": result.infer}),
            *(votes[low : low + WORD_BITS] for low in range(0, len(votes), WORD_BITS)),
        ]
        index = Signal(range(len(words)))
        packed = Signal(16)
        begins = self.results.valid & ((index != 0) | self.room)
        ends_packet = (packed + 1 >= self.packet) | (self.packet == 0)
        m.d.comb += [
            self.idle.eq((index == 0) & ~begins),
            self.words.valid.eq(begins),
            self.words.p.value.eq(Array(words)[index]),
            self.words.p.last.eq((index == len(words) - 1) & ends_packet),
            self.taken.eq(begins & (index == len(words) - 1)),
            self.results.ready.eq(self.taken),
        ]
        with m.If(begins):
            m.d.sync += index.eq(Mux(self.taken, 0, index + 1))
        with m.If(self.taken):
            m.d.sync += packed.eq(Mux(ends_packet, 0, packed + 1))
        return m
