"""Samples in a memory: written once, read in any order ahead of the machine."""

from dataclasses import dataclass
from typing import Self

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect

from ..hdl.presentation import SampleBeat, Sideband
from ..model.config import Config
from .protocol import LABEL_BYTES, MOST_COUNT
from .samples import SampleFeeder
from .sdram import READ_CYCLES, WORD_BITS, MemoryPort, MemoryRequest

WORD_BYTES = WORD_BITS // 8


@dataclass(frozen=True, kw_only=True)
class Slots:
    """How samples lie in a memory: label and features as they cross the link, each sample from a word on.

    Attributes
    ----------
    words : int
        Of a slot.
    count : int
        Slots.
    """

    words: int
    count: int

    @classmethod
    def of(cls, config: Config, address_bits: int) -> Self:
        """In a memory of 2^address_bits words."""
        words = -(-(LABEL_BYTES + config.sizes[0]) // WORD_BYTES)
        return cls(words=words, count=(1 << address_bits) // words)

    @property
    def bits(self) -> int:
        """Of the number of a slot."""
        return (self.count - 1).bit_length()


def read_ahead(slots: Slots) -> int:
    """Words that are read ahead, a power of two: a sample, and what is on its way at any time."""
    return 1 << (slots.words + 2 * READ_CYCLES - 1).bit_length()


class SampleWriter(wiring.Component):
    """Writes samples to slots that follow each other.

    Parameters
    ----------
    inputs : int
        Of the network.
    slots : Slots
    address_bits : int
        Of a word.

    Members
    -------
    first : In
        Slot of the first sample.
    begin : In(1)
        Begin with it.
    bytes : In(stream of 8)
        Two of a label, then the features; sample after sample.
    requests : Out(stream of MemoryRequest)
    idle : Out(1)
        All that came is written.

    Latency
    -------
    A byte takes a cycle, a word another one at least.
    """

    def __init__(self, inputs: int, slots: Slots, address_bits: int) -> None:
        self._bytes = LABEL_BYTES + inputs
        self._slots = slots
        super().__init__(
            {
                "first": In(slots.bits),
                "begin": In(1),
                "bytes": In(stream.Signature(8)),
                "requests": Out(stream.Signature(MemoryRequest(address_bits))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = self.requests.p
        byte = Signal(range(self._bytes))
        last = byte == self._bytes - 1
        m.d.comb += [
            request.write.eq(1),
            self.bytes.ready.eq(~self.requests.valid),
            self.idle.eq(~self.requests.valid),
        ]
        address, word, whole = Signal.like(request.address), Signal.like(request.word), Signal()
        m.d.comb += [request.address.eq(address), request.word.eq(word), self.requests.valid.eq(whole)]
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [byte.eq(Mux(last, 0, byte + 1)), whole.eq(byte[0] | last)]
            with m.If(byte[0]):
                m.d.sync += word[8:].eq(self.bytes.p)
            with m.Else():
                m.d.sync += word.eq(self.bytes.p)
        with m.If(self.requests.valid & self.requests.ready):
            m.d.sync += [whole.eq(0), address.eq(address + 1)]
        with m.If(self.begin):
            m.d.sync += [address.eq(self.first * self._slots.words), byte.eq(0)]
        return m


class SampleReader(wiring.Component):
    """Reads slots, as far ahead as it has room for: a sample at least.

    Parameters
    ----------
    slots : Slots
    address_bits : int
        Of a word.

    Members
    -------
    slots : In(stream of slot)
    memory : Out(MemoryPort)
        Reads only.
    words : Out(stream of 16)
        Of the slots, one after the other.
    drop : In(1)
        Forget all; until `quiet`.
    quiet : Out(1)
        No word is on its way from the memory.

    Latency
    -------
    A word takes a cycle, a slot one more.
    """

    def __init__(self, slots: Slots, address_bits: int) -> None:
        self._slots = slots
        super().__init__(
            {
                "slots": In(stream.Signature(slots.bits)),
                "memory": Out(MemoryPort(address_bits)),
                "words": Out(stream.Signature(WORD_BITS)),
                "drop": In(1),
                "quiet": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words, depth = self._slots.words, read_ahead(self._slots)
        m.submodules.kept = kept = ResetInserter(self.drop)(SyncFIFOBuffered(width=WORD_BITS, depth=depth))
        requests, coming = self.memory.requests, self.memory.words
        asked = requests.valid & requests.ready
        taken = self.words.valid & self.words.ready
        address, left = Signal.like(requests.p.address), Signal(range(words + 1))
        room, on_way = Signal(range(depth + 1), init=depth), Signal(range(depth + 1))
        m.d.comb += [
            requests.p.address.eq(address),
            requests.valid.eq((left != 0) & (room != 0) & ~self.drop),
            self.slots.ready.eq((left == 0) & ~self.drop),
            kept.w_data.eq(coming.p),
            kept.w_en.eq(coming.valid),
            self.words.p.eq(kept.r_data),
            self.words.valid.eq(kept.r_rdy),
            kept.r_en.eq(self.words.ready),
            self.quiet.eq(on_way == 0),
        ]
        m.d.sync += [on_way.eq(on_way + asked - coming.valid), room.eq(room - asked + taken)]
        with m.If(asked):
            m.d.sync += [address.eq(address + 1), left.eq(left - 1)]
        with m.If(self.slots.valid & self.slots.ready):
            m.d.sync += [address.eq(self.slots.p * words), left.eq(words)]
        with m.If(self.drop):
            m.d.sync += [left.eq(0), room.eq(depth)]
        return m


class WordFeeder(wiring.Component):
    """Puts words together to training samples.

    Parameters
    ----------
    inputs, outputs : int
        Of the network.
    per_beat : int
        Features in a beat.

    Members
    -------
    enable, idle, sideband, samples, taken
        As of `SampleFeeder`.
    words : In(stream of 16)
        A label, then the features, the first one lowest; a last one alone is in a word of its own.

    Latency
    -------
    A label takes two cycles, then a word and a beat one each, at the same time.
    """

    def __init__(self, *, inputs: int, outputs: int, per_beat: int) -> None:
        self._inputs = inputs
        self._per_beat = per_beat
        super().__init__(
            {
                "enable": In(1),
                "idle": Out(1),
                "sideband": In(Sideband(outputs)),
                "words": In(stream.Signature(WORD_BITS)),
                "samples": Out(stream.Signature(SampleBeat(outputs, per_beat))),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, per_beat = self.samples.p, self._per_beat
        label = Signal(WORD_BITS)
        kept = Signal(8 * (per_beat + WORD_BYTES))
        held = Signal(range(per_beat + WORD_BYTES + 1))
        coming, left = Signal(range(self._inputs + 1)), Signal(range(self._inputs + 1))
        last = left <= per_beat
        m.d.comb += [
            beat.sideband.eq(self.sideband),
            beat.sideband.label.eq(label),
            beat.features.eq(kept[: 8 * per_beat]),
        ]
        with m.FSM(name="feed") as feed:
            m.d.comb += self.idle.eq(feed.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.enable):
                m.next = "LABEL"
            with m.State("LABEL"):
                m.d.comb += self.words.ready.eq(1)
                m.d.sync += [label.eq(self.words.p), held.eq(0), coming.eq(self._inputs), left.eq(self._inputs)]
                with m.If(self.words.valid):
                    m.next = "FEATURES"
            with m.State("FEATURES"):
                transferred = self.samples.valid & self.samples.ready
                accepted = self.words.valid & self.words.ready
                m.d.comb += [
                    self.words.ready.eq((coming != 0) & (held <= per_beat)),
                    self.samples.valid.eq((held >= per_beat) | (coming == 0)),
                    self.taken.eq(transferred & last),
                ]
                rest, rest_held = Signal.like(kept), Signal.like(held)
                m.d.comb += [rest.eq(kept), rest_held.eq(held)]
                with m.If(transferred):
                    m.d.comb += [rest.eq(kept >> 8 * per_beat), rest_held.eq(held - per_beat)]
                m.d.sync += [kept.eq(rest), held.eq(rest_held)]
                with m.If(accepted):
                    m.d.sync += [
                        held.eq(rest_held + Mux(coming == 1, 1, WORD_BYTES)),
                        coming.eq(Mux(coming == 1, 0, coming - WORD_BYTES)),
                    ]
                    with m.Switch(rest_held):
                        for place in range(per_beat + 1):
                            with m.Case(place):
                                m.d.sync += kept[8 * place : 8 * place + WORD_BITS].eq(self.words.p)
                with m.If(transferred):
                    m.d.sync += left.eq(left - per_beat)
                    with m.If(last):
                        m.next = "IDLE"
        return m


class SampleStore(wiring.Component):
    """Feeds samples as they come over the link, or out of a memory, in which it keeps them.

    Parameters
    ----------
    inputs, outputs : int
        Of the network.
    per_beat : int
        Features in a beat.
    slots : Slots
    address_bits : int
        Of a word.

    Members
    -------
    enable, idle, sideband, bytes, samples, taken
        As of `SampleFeeder`.
    replay : In(1)
        Samples are those of `slots`; steady while one is fed.
    slots : In(stream of slot)
        What to read next; room for 255.
    drop : In(1)
        Forget all slots, and what was read of them; until `quiet`.
    quiet : Out(1)
    keep : In(1)
        `bytes` are of samples to be kept; steady until `kept`.
    first, begin : In
        Slot of the first of them; begin with it.
    kept : Out(1)
        All that came are in the memory.
    memory : Out(MemoryPort)

    Latency
    -------
    See the parts.
    """

    def __init__(self, *, inputs: int, outputs: int, per_beat: int, slots: Slots, address_bits: int) -> None:
        self._shape = {"inputs": inputs, "outputs": outputs, "per_beat": per_beat}
        self._slots = slots
        self._address_bits = address_bits
        super().__init__(
            {
                "enable": In(1),
                "idle": Out(1),
                "sideband": In(Sideband(outputs)),
                "bytes": In(stream.Signature(8)),
                "samples": Out(stream.Signature(SampleBeat(outputs, per_beat))),
                "taken": Out(1),
                "replay": In(1),
                "slots": In(stream.Signature(slots.bits)),
                "drop": In(1),
                "quiet": Out(1),
                "keep": In(1),
                "first": In(slots.bits),
                "begin": In(1),
                "kept": Out(1),
                "memory": Out(MemoryPort(address_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.writer = writer = SampleWriter(self._shape["inputs"], self._slots, self._address_bits)
        m.submodules.reader = reader = SampleReader(self._slots, self._address_bits)
        self._feed(m, writer, reader)
        self._queue(m, reader)
        m.d.comb += [
            writer.first.eq(self.first),
            writer.begin.eq(self.begin),
            self.kept.eq(writer.idle),
            reader.drop.eq(self.drop),
            self.quiet.eq(reader.quiet),
            reader.memory.words.p.eq(self.memory.words.p),
            reader.memory.words.valid.eq(self.memory.words.valid),
        ]
        with m.If(writer.requests.valid):
            connect_stream(m, writer.requests, self.memory.requests)
        with m.Else():
            connect_stream(m, reader.memory.requests, self.memory.requests)
        return m

    def _feed(self, m: Module, writer: SampleWriter, reader: SampleReader) -> None:
        """Feed the samples of the link or those of the reader; what the link brings may be for the writer."""
        m.submodules.byte_feeder = byte_feeder = SampleFeeder(**self._shape)
        m.submodules.word_feeder = word_feeder = WordFeeder(**self._shape)
        connect(m, reader.words, word_feeder.words)
        for feeder, chosen in ((byte_feeder, ~self.replay), (word_feeder, self.replay)):
            m.d.comb += [feeder.enable.eq(self.enable & chosen), feeder.sideband.eq(self.sideband)]
        m.d.comb += [
            self.idle.eq(byte_feeder.idle & word_feeder.idle),
            self.taken.eq(byte_feeder.taken | word_feeder.taken),
        ]
        with m.If(self.keep):
            connect_stream(m, self.bytes, writer.bytes)
        with m.Else():
            connect_stream(m, self.bytes, byte_feeder.bytes)
        with m.If(self.replay):
            connect_stream(m, word_feeder.samples, self.samples)
        with m.Else():
            connect_stream(m, byte_feeder.samples, self.samples)

    def _queue(self, m: Module, reader: SampleReader) -> None:
        """Keep slots until the reader takes them."""
        m.submodules.queue = queue = ResetInserter(self.drop)(
            SyncFIFOBuffered(width=self._slots.bits, depth=MOST_COUNT + 1)
        )
        m.d.comb += [
            queue.w_data.eq(self.slots.p),
            queue.w_en.eq(self.slots.valid),
            self.slots.ready.eq(queue.w_rdy),
            reader.slots.p.eq(queue.r_data),
            reader.slots.valid.eq(queue.r_rdy),
            queue.r_en.eq(reader.slots.ready),
        ]


def connect_stream(m: Module, source: stream.Interface, sink: stream.Interface) -> None:
    """Connect two streams where a condition holds."""
    m.d.comb += [sink.p.eq(source.p), sink.valid.eq(source.valid), source.ready.eq(sink.ready)]
