"""Samples in a memory: written once, read in any order ahead of the machine."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect

from ..hdl.presentation import SampleBeat, Sideband
from .protocol import MOST_COUNT
from .samples import SampleFeeder
from .sdram import READ_CYCLES, WORD_BITS, MemoryPort, MemoryRequest

WORD_BYTES = WORD_BITS // 8
BETWEEN = 64
PAIRS = WORD_BITS  # that a word says of which are not zero


def most_words(inputs: int) -> int:
    """Words of a stored sample at most: how many follow, its label, its pairs of features, and which are not zero."""
    pairs = -(-inputs // WORD_BYTES)
    return 2 + pairs + -(-pairs // PAIRS)


def pairs_at_once(per_beat: int) -> int:
    """Pairs of features that come out of the memory at a time: a beat, or two of one feature."""
    return max(1, per_beat // WORD_BYTES)


def read_ahead(inputs: int) -> int:
    """Words that are read ahead, a power of two: a sample, and what is on its way at any time."""
    return 1 << (most_words(inputs) + 2 * READ_CYCLES - 1).bit_length()


class WordWriter(wiring.Component):
    """Writes words that follow each other.

    Parameters
    ----------
    address_bits : int
        Of a word.

    Members
    -------
    first : In
        Address of the first word.
    begin : In(1)
        Begin with it.
    bytes : In(stream of 8)
        Two of a word, the lower one first.
    requests : Out(stream of MemoryRequest)
    idle : Out(1)
        All that came is written.

    Latency
    -------
    A byte takes a cycle, a word another one at least.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "first": In(address_bits),
                "begin": In(1),
                "bytes": In(stream.Signature(8)),
                "requests": Out(stream.Signature(MemoryRequest(address_bits))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = self.requests.p
        second, whole = Signal(), Signal()
        address, word = Signal.like(request.address), Signal.like(request.word)
        m.d.comb += [
            request.write.eq(1),
            request.address.eq(address),
            request.word.eq(word),
            self.requests.valid.eq(whole),
            self.bytes.ready.eq(~whole),
            self.idle.eq(~whole),
        ]
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [word.eq(Cat(word[8:], self.bytes.p)), second.eq(~second), whole.eq(second)]
        with m.If(self.requests.valid & self.requests.ready):
            m.d.sync += [whole.eq(0), address.eq(address + 1)]
        with m.If(self.begin):
            m.d.sync += [address.eq(self.first), second.eq(0)]
        return m


class StoredWord(data.StructLayout):
    """A word of a stored sample.

    Members
    -------
    word : 16
    last : 1
        It is the last one of its sample.
    """

    def __init__(self) -> None:
        super().__init__({"word": WORD_BITS, "last": 1})


class SampleReader(wiring.Component):
    """Reads stored samples, as far ahead as it has room for: a sample at least.

    Parameters
    ----------
    inputs : int
        Of the network.
    address_bits : int
        Of a word.

    Members
    -------
    places : In(stream of address)
        Where samples begin.
    onward : In(1)
        Where no place is given, go on with the sample behind the last one; steady but for `drop`.
    memory : Out(MemoryPort)
        Reads only.
    words : Out(stream of StoredWord)
        Of the samples, one after the other, but for their first, which says how many follow.
    drop : In(1)
        Forget all; until `quiet`.
    quiet : Out(1)
        No word is on its way from the memory.

    Latency
    -------
    A word takes a cycle. A sample takes two more, and a read of the memory, before which all of the sample before has
    come.
    """

    def __init__(self, inputs: int, address_bits: int) -> None:
        self._inputs = inputs
        self._address_bits = address_bits
        super().__init__(
            {
                "places": In(stream.Signature(address_bits)),
                "onward": In(1),
                "memory": Out(MemoryPort(address_bits)),
                "words": Out(stream.Signature(StoredWord())),
                "drop": In(1),
                "quiet": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = read_ahead(self._inputs)
        m.submodules.kept = kept = ResetInserter(self.drop)(SyncFIFOBuffered(width=StoredWord().size, depth=depth))
        requests, coming = self.memory.requests, self.memory.words
        asked = requests.valid & requests.ready
        taken = self.words.valid & self.words.ready
        address, counted = Signal(self._address_bits), Signal(WORD_BITS)
        # Words to ask for, and words that come; the number of words, which comes first, is none of either.
        left, due = Signal(WORD_BITS), Signal(WORD_BITS)
        room, on_way = Signal(range(depth + 1), init=depth), Signal(range(depth + 1))
        begun = Signal()
        arrived = coming.valid & (due != 0)
        last = due == 1
        m.d.comb += [
            requests.p.address.eq(address),
            kept.w_data.eq(Cat(coming.p, last)),
            kept.w_en.eq(arrived),
            self.words.p.eq(kept.r_data),
            self.words.valid.eq(kept.r_rdy),
            kept.r_en.eq(self.words.ready),
            self.quiet.eq(on_way == 0),
            counted.eq(Mux(coming.p == 0, 1, coming.p)),
        ]
        m.d.sync += [
            on_way.eq(on_way + asked - coming.valid),
            room.eq(room - (asked & (left != 0)) + taken),
            due.eq(due - arrived),
        ]
        with m.If(asked):
            m.d.sync += address.eq(address + 1)
        with m.FSM(name="read"):
            with m.State("IDLE"):
                m.d.comb += self.places.ready.eq(~self.drop & (due == 0))
                with m.If(self.places.ready):
                    with m.If(self.places.valid):
                        m.d.sync += [address.eq(self.places.p), begun.eq(1)]
                    with m.If(self.places.valid | (self.onward & begun)):
                        m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += requests.valid.eq(~self.drop)
                with m.If(asked):
                    m.next = "COUNTED"
                with m.If(self.drop):
                    m.next = "IDLE"
            with m.State("COUNTED"):
                with m.If(coming.valid):
                    m.d.sync += [left.eq(counted), due.eq(counted)]
                    m.next = "WORDS"
                with m.If(self.drop):
                    m.next = "IDLE"
            with m.State("WORDS"):
                m.d.comb += requests.valid.eq((left != 0) & (room != 0) & ~self.drop)
                with m.If(asked):
                    m.d.sync += left.eq(left - 1)
                with m.If((left == 0) | self.drop):
                    m.next = "IDLE"
        with m.If(self.drop):
            m.d.sync += [left.eq(0), due.eq(0), room.eq(depth), begun.eq(0)]
        return m


class PairFiller(wiring.Component):
    """Puts in the pairs of features that are left out of stored samples.

    Parameters
    ----------
    inputs : int
        Of the network.
    at_once : int
        Pairs that it gives at a time: 1, 2, 4 or 8.

    Members
    -------
    stored : In(stream of StoredWord)
        A label, then for each 16 pairs which of them are not zero, and those.
    words : Out(stream of ArrayLayout(16, at_once))
        A label in the first word, then all pairs.

    Latency
    -------
    A cycle for the label, then max(1, pairs that are not zero) for each `at_once`; one more for each 16 pairs the last
    of which is not zero, and for the first 16; words that are too much take one each.
    """

    def __init__(self, inputs: int, at_once: int) -> None:
        self._pairs = -(-inputs // WORD_BYTES)
        self._at_once = at_once
        super().__init__(
            {
                "stored": In(stream.Signature(StoredWord())),
                "words": Out(stream.Signature(data.ArrayLayout(WORD_BITS, at_once))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stored, words, at_once = self.stored, self.words, self._at_once
        parts = -(-self._pairs // at_once)
        left = Signal(range(parts + 1))
        ones, in_group = Signal(PAIRS), Signal(range(PAIRS // at_once))
        following, known, looked = Signal(PAIRS), Signal(), Signal()
        kept = Signal.like(words.p)
        taken, ended = Signal(), Signal()
        m.d.comb += taken.eq(stored.valid & stored.ready)
        with m.If(taken):
            m.d.sync += ended.eq(stored.p.last)
        with m.FSM(name="fill"):
            with m.State("LABEL"):
                m.d.comb += [words.p[0].eq(stored.p.word), words.valid.eq(stored.valid), stored.ready.eq(words.ready)]
                m.d.sync += [left.eq(parts), known.eq(0), Value.cast(kept).eq(0)]
                with m.If(taken):
                    m.next = "GROUP"
            with m.State("GROUP"):
                m.d.comb += stored.ready.eq(~ended)
                m.d.sync += [ones.eq(stored.p.word), in_group.eq(PAIRS // at_once - 1)]
                with m.If(ended | taken):
                    m.next = "PAIRS"
            with m.State("PAIRS"):
                now = Mux(ended, 0, ones[:at_once])
                after, lowest = Signal(at_once), Signal(at_once)
                m.d.comb += [after.eq(now & (now - 1)), lowest.eq(now & ~after)]
                for place in range(at_once):
                    m.d.comb += words.p[place].eq(Mux(lowest[place], stored.p.word, kept[place]))
                m.d.comb += words.valid.eq((after == 0) & ((now == 0) | stored.valid))
                with m.If(now != 0):
                    m.d.comb += stored.ready.eq(1)
                    with m.If(taken):
                        m.d.sync += [kept.eq(words.p), ones[:at_once].eq(after)]
                with m.Elif(ones == 0):
                    # Nothing but zeros is left of the group: look at the next one meanwhile, if there is one.
                    m.d.comb += [stored.ready.eq(~known & ~ended), looked.eq(taken)]
                with m.If(looked):
                    m.d.sync += [following.eq(stored.p.word), known.eq(1)]
                with m.If(words.valid & words.ready):
                    m.d.sync += [
                        Value.cast(kept).eq(0),
                        ones.eq(ones >> at_once),
                        in_group.eq(in_group - 1),
                        left.eq(left - 1),
                    ]
                    with m.If(left == 1):
                        m.next = "REST"
                    with m.Elif(in_group == 0):
                        m.d.sync += [known.eq(0), ones.eq(Mux(known, following, stored.p.word))]
                        with m.If(~known & ~looked):
                            m.next = "GROUP"
            with m.State("REST"):
                m.d.comb += stored.ready.eq(~ended)
                with m.If(ended):
                    m.next = "LABEL"
        return m


class WordFeeder(wiring.Component):
    """Puts words together to training samples.

    Parameters
    ----------
    inputs, outputs : int
        Of the network.
    per_beat : int
        Features in a beat: 1, or an even number.

    Members
    -------
    enable, idle, sideband, samples, taken
        As of `SampleFeeder`.
    words : In(stream of ArrayLayout(16, max(1, per_beat / 2)))
        A label in the first word, then the features, the first one lowest; what is beyond the last one is ignored.

    Latency
    -------
    A label takes two cycles, then a beat one, behind a register.
    """

    def __init__(self, *, inputs: int, outputs: int, per_beat: int) -> None:
        self._inputs = inputs
        self._per_beat = per_beat
        super().__init__(
            {
                "enable": In(1),
                "idle": Out(1),
                "sideband": In(Sideband(outputs)),
                "words": In(stream.Signature(data.ArrayLayout(WORD_BITS, pairs_at_once(per_beat)))),
                "samples": Out(stream.Signature(SampleBeat(outputs, per_beat))),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, bits = self.samples.p, 8 * self._per_beat
        label = Signal(WORD_BITS)
        kept = Signal(self.words.p.shape())
        beats = -(-self._inputs // self._per_beat)
        in_words = len(Value.cast(kept)) // bits
        held, left = Signal(range(in_words + 1)), Signal(range(beats + 1))
        m.d.comb += [
            beat.sideband.eq(self.sideband),
            beat.sideband.label.eq(label),
            beat.features.eq(Value.cast(kept)[:bits]),
        ]
        with m.FSM(name="feed") as feed:
            m.d.comb += self.idle.eq(feed.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.enable):
                m.next = "LABEL"
            with m.State("LABEL"):
                m.d.comb += self.words.ready.eq(1)
                m.d.sync += [label.eq(self.words.p[0]), held.eq(0), left.eq(beats)]
                with m.If(self.words.valid):
                    m.next = "FEATURES"
            with m.State("FEATURES"):
                transferred = self.samples.valid & self.samples.ready
                last = left == 1
                m.d.comb += [
                    self.samples.valid.eq(held != 0),
                    self.taken.eq(transferred & last),
                    self.words.ready.eq((held == 0) | (transferred & (held == 1) & ~last)),
                ]
                with m.If(transferred):
                    m.d.sync += [held.eq(held - 1), left.eq(left - 1), kept.eq(Value.cast(kept) >> bits)]
                    with m.If(last):
                        m.next = "IDLE"
                with m.If(self.words.valid & self.words.ready):
                    m.d.sync += [kept.eq(self.words.p), held.eq(in_words)]
        return m


class SampleStore(wiring.Component):
    """Feeds samples as they come over the link, or out of a memory, in which it keeps them.

    Parameters
    ----------
    inputs, outputs : int
        Of the network.
    per_beat : int
        Features in a beat.
    address_bits : int
        Of a word.

    Members
    -------
    enable, idle, sideband, bytes, samples, taken
        As of `SampleFeeder`.
    replay : In(1)
        Samples are those at `places`; steady while one is fed.
    places : In(stream of address)
        Where the next sample begins; room for 255.
    onward : In(1)
        Behind the last of them follow the samples behind it; steady but for `drop`.
    drop : In(1)
        Forget all places, and what was read from them; until `quiet`.
    quiet : Out(1)
    keep : In(1)
        `bytes` are of words to be kept; steady until `kept`.
    first, begin : In
        Address of the first of them; begin with it.
    kept : Out(1)
        All that came are in the memory.
    memory : Out(MemoryPort)

    Latency
    -------
    See the parts.
    """

    def __init__(self, *, inputs: int, outputs: int, per_beat: int, address_bits: int) -> None:
        self._shape = {"inputs": inputs, "outputs": outputs, "per_beat": per_beat}
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
                "places": In(stream.Signature(address_bits)),
                "onward": In(1),
                "drop": In(1),
                "quiet": Out(1),
                "keep": In(1),
                "first": In(address_bits),
                "begin": In(1),
                "kept": Out(1),
                "memory": Out(MemoryPort(address_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.writer = writer = WordWriter(self._address_bits)
        m.submodules.reader = reader = SampleReader(self._shape["inputs"], self._address_bits)
        self._feed(m, writer, reader)
        self._queue(m, reader)
        m.d.comb += [
            writer.first.eq(self.first),
            writer.begin.eq(self.begin),
            self.kept.eq(writer.idle),
            reader.drop.eq(self.drop),
            reader.onward.eq(self.onward),
            self.quiet.eq(reader.quiet),
            reader.memory.words.p.eq(self.memory.words.p),
            reader.memory.words.valid.eq(self.memory.words.valid),
        ]
        with m.If(writer.requests.valid):
            connect_stream(m, writer.requests, self.memory.requests)
        with m.Else():
            connect_stream(m, reader.memory.requests, self.memory.requests)
        return m

    def _feed(self, m: Module, writer: WordWriter, reader: SampleReader) -> None:
        """Feed the samples of the link or those of the reader; what the link brings may be for the writer."""
        m.submodules.byte_feeder = byte_feeder = SampleFeeder(**self._shape)
        m.submodules.word_feeder = word_feeder = WordFeeder(**self._shape)
        m.submodules.filler = filler = ResetInserter(self.drop)(
            PairFiller(self._shape["inputs"], pairs_at_once(self._shape["per_beat"]))
        )
        # Filler and machine are fast and slow at different places of a sample.
        width = Value.cast(filler.words.p).shape().width
        m.submodules.between = between = ResetInserter(self.drop)(SyncFIFOBuffered(width=width, depth=BETWEEN))
        connect(m, reader.words, filler.stored)
        m.d.comb += [
            between.w_data.eq(filler.words.p),
            between.w_en.eq(filler.words.valid),
            filler.words.ready.eq(between.w_rdy),
            word_feeder.words.p.eq(between.r_data),
            word_feeder.words.valid.eq(between.r_rdy),
            between.r_en.eq(word_feeder.words.ready),
        ]
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
        """Keep places until the reader takes them."""
        m.submodules.queue = queue = ResetInserter(self.drop)(
            SyncFIFOBuffered(width=self._address_bits, depth=MOST_COUNT + 1)
        )
        m.d.comb += [
            queue.w_data.eq(self.places.p),
            queue.w_en.eq(self.places.valid),
            self.places.ready.eq(queue.w_rdy),
            reader.places.p.eq(queue.r_data),
            reader.places.valid.eq(queue.r_rdy),
            queue.r_en.eq(reader.places.ready),
        ]


def connect_stream(m: Module, source: stream.Interface, sink: stream.Interface) -> None:
    """Connect two streams where a condition holds."""
    m.d.comb += [sink.p.eq(source.p), sink.valid.eq(source.valid), source.ready.eq(sink.ready)]
