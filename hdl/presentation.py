"""Presentations: how samples arrive, are drawn as row events, and drawn again for every pass of an inference."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out, connect, flipped

from .events import RowEvents
from .lfsr import GeneratorPort
from .samplers import Bernoulli

NUMBER_BITS = 32


class Sideband(data.StructLayout):
    """What comes with every beat of a sample.

    Members
    -------
    number : 32
        Comes back with the result.
    label : range(outputs)
    exponent : 3
        Thinning exponent k.
    carry : 1
        A carry follows the training sample; a machine of one digit ignores it.
    infer : 1
        Classify instead of train.
    reseed : 1
        First sample of an inference call.
    passes : 8
        Passes of an inference; 0 counts as 1, and a training sample has one.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__(
            {
                "number": NUMBER_BITS,
                "label": range(max(outputs, 2)),
                "exponent": 3,
                "carry": 1,
                "infer": 1,
                "reseed": 1,
                "passes": 8,
            }
        )


class SampleBeat(data.StructLayout):
    """A beat of a sample: its sideband and `per_beat` features of 8 bits, the first one lowest."""

    def __init__(self, outputs: int, per_beat: int) -> None:
        super().__init__({"sideband": Sideband(outputs), "features": data.ArrayLayout(8, per_beat)})


class Presentation(data.StructLayout):
    """What belongs to one list of row events: the sideband of its sample, and which of the passes this is.

    Members
    -------
    number, label, exponent, infer, reseed
        As in `Sideband`; `carry` too, if the machine has one.
    first, last : 1
        First and last pass of the sample.
    """

    def __init__(self, outputs: int, *, carry: bool = False) -> None:
        unused = {"passes"} if carry else {"passes", "carry"}
        self.taken = {name: field.shape for name, field in Sideband(outputs) if name not in unused}
        super().__init__({**self.taken, "first": 1, "last": 1})


class Presenter(wiring.Component):
    """Receives samples and draws their row events, pass after pass, ahead of the layers.

    Parameters
    ----------
    inputs, outputs : int
        Of the network.
    per_beat : int
        Features in a beat.
    patterns : int
        Patterns drawn for each presentation, one after the other into its list.
    seeds : tuple of int
        Seeds of the training and the inference bank of the input generator.
    carry : bool
        Whether presentations say if a carry follows.

    Members
    -------
    port : In(GeneratorPort())
        Access to the training bank's state; its `bank` and `reseed` are not used.
    samples : In(stream of SampleBeat)
        ceil(inputs / per_beat) beats a sample; the sideband of the first one counts, `infer` must be steady.
    events : Out(stream of range(inputs + 1))
        Lists of patterns, each ended by the bias row; no third list may be accepted while two presentations wait.
    presentations : Out(stream of Presentation)
        One for each list of row events, not before the list is complete.

    Latency
    -------
    Three cycles from a beat to its first event. A beat takes max(1, active features) cycles, the last one two more than
    its active features, its bias row included; every further pattern and pass takes one cycle more than that. A sample
    of another bank begins a cycle later, in which it may reseed; otherwise a reseed takes one.
    """

    def __init__(
        self, *, inputs: int, outputs: int, per_beat: int, patterns: int, seeds: tuple[int, ...], carry: bool = False
    ) -> None:
        self._inputs = inputs
        self._per_beat = per_beat
        self._patterns = patterns
        self._seeds = seeds
        self._presentation = Presentation(outputs, carry=carry)
        super().__init__(
            {
                "port": In(GeneratorPort()),
                "samples": In(stream.Signature(SampleBeat(outputs, per_beat))),
                "events": Out(stream.Signature(range(inputs + 1))),
                "presentations": Out(stream.Signature(self._presentation)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.bernoulli = bernoulli = Bernoulli(self._inputs, self._per_beat, self._seeds)
        m.submodules.row_events = row_events = RowEvents(self._inputs, self._per_beat)
        drawn, groups = bernoulli.groups, row_events.groups
        m.d.comb += drawn.ready.eq(~groups.valid | groups.ready)
        with m.If(drawn.ready):
            m.d.sync += [groups.valid.eq(drawn.valid), groups.p.eq(drawn.p)]
        connect(m, row_events.events, flipped(self.events))
        m.d.comb += [
            bernoulli.port.load.eq(self.port.load),
            bernoulli.port.load_word.eq(self.port.load_word),
            self.port.word.eq(bernoulli.port.word),
        ]
        coming, presentation = Signal(self._presentation), Signal(self._presentation)
        with m.If(groups.valid & groups.ready & (groups.p.group == 0)):
            m.d.sync += presentation.eq(coming)
        pattern_ends = Signal()
        m.d.comb += pattern_ends.eq(self.events.valid & self.events.ready & (self.events.p == self._inputs))
        last_pattern = self._count_patterns(m, pattern_ends)
        self._announce(m, presentation, pattern_ends & last_pattern)
        # With a group on its way, what ends is the pattern of the sample before.
        self._draw(m, bernoulli, coming, pattern_ends & ~groups.valid, last_pattern)
        return m

    def _count_patterns(self, m: Module, pattern_ends: Signal) -> Value:
        """Whether the pattern under way is the last one of its list."""
        if self._patterns == 1:
            return Const(1)
        pattern = Signal(range(self._patterns))
        last = pattern == self._patterns - 1
        with m.If(pattern_ends):
            m.d.sync += pattern.eq(Mux(last, 0, pattern + 1))
        return last

    def _announce(self, m: Module, presentation: Signal, list_ends: Value) -> None:
        """Queue the presentation of every complete list; there are never more than two."""
        m.submodules.queue = queue = SyncFIFO(width=presentation.shape().size, depth=2)
        m.d.comb += [
            queue.w_en.eq(list_ends),
            queue.w_data.eq(presentation),
            self.presentations.valid.eq(queue.r_rdy),
            self.presentations.p.eq(queue.r_data),
            queue.r_en.eq(self.presentations.ready),
        ]

    def _draw(self, m: Module, bernoulli: Bernoulli, coming: Signal, pattern_ends: Value, last_pattern: Value) -> None:
        beats = -(-self._inputs // self._per_beat)
        m.submodules.sample = sample = memory.Memory(
            shape=data.ArrayLayout(8, self._per_beat), depth=beats, init=[], attrs={"no_rw_check": 1}
        )
        write_port = sample.write_port()
        read_port = sample.read_port()
        beat = Signal(range(max(beats, 2)))
        next_beat = Signal.like(beat)
        waits, redrawn = Signal(), Signal()
        passes_left = Signal(8)
        transfer = Signal()
        last_bank, settled = Signal(), Signal()
        m.d.comb += [
            transfer.eq(bernoulli.features.valid & bernoulli.features.ready),
            next_beat.eq(Mux(beat == beats - 1, 0, beat + 1)),
            write_port.addr.eq(beat),
            write_port.data.eq(self.samples.p.features),
            settled.eq(bernoulli.port.bank == last_bank),
        ]
        m.d.sync += last_bank.eq(bernoulli.port.bank)
        with m.If(transfer):
            m.d.sync += beat.eq(next_beat)

        kept = self._read_ahead(m, read_port, Mux(next_beat == beats - 1, 0, next_beat + 1), next_beat, redrawn, waits)
        sideband = self.samples.p.sideband
        more_passes = Signal(8)
        several = self._patterns > 1
        bank = coming.infer if several else 1
        reseeded = Signal()
        wants_reseed = sideband.infer & sideband.reseed & (beat == 0) & ~reseeded
        m.d.comb += more_passes.eq(Mux(sideband.infer & (sideband.passes != 0), sideband.passes - 1, 0))
        with m.FSM(name="source"):
            with m.State("RECEIVE"):
                m.d.comb += [
                    bernoulli.features.valid.eq(self.samples.valid & ~wants_reseed & settled),
                    bernoulli.features.p.eq(self.samples.p.features),
                    self.samples.ready.eq(bernoulli.features.ready & ~wants_reseed & settled),
                    bernoulli.port.bank.eq(Mux(beat == 0, self.samples.valid & sideband.infer, coming.infer)),
                    bernoulli.port.reseed.eq(self.samples.valid & wants_reseed),
                    write_port.en.eq(transfer),
                ]
                with m.If(bernoulli.port.reseed):
                    m.d.sync += reseeded.eq(1)
                with m.If(transfer):
                    m.d.sync += reseeded.eq(0)
                    with m.If(beat == 0):
                        m.d.sync += [
                            *(coming[name].eq(sideband[name]) for name in self._presentation.taken),
                            coming.first.eq(1),
                            coming.last.eq(more_passes == 0),
                            passes_left.eq(more_passes),
                        ]
                    with m.If((next_beat == 0) & (several | (Mux(beat == 0, more_passes, passes_left) != 0))):
                        m.next = "AGAIN"
            with m.State("AGAIN"):
                m.d.comb += [bernoulli.port.bank.eq(bank), waits.eq(1)]
                with m.If(pattern_ends):
                    with m.If(last_pattern):
                        m.d.sync += [
                            coming.first.eq(0),
                            coming.last.eq(passes_left == 1),
                            passes_left.eq(passes_left - 1),
                        ]
                    m.next = "REDRAW"
            with m.State("REDRAW"):
                m.d.comb += [
                    bernoulli.features.valid.eq(1),
                    bernoulli.features.p.eq(kept),
                    bernoulli.port.bank.eq(bank),
                    redrawn.eq(bernoulli.features.ready),
                ]
                with m.If(transfer & (next_beat == 0)):
                    m.next = "RECEIVE"
                    with m.If((passes_left != 0) | ~last_pattern):
                        m.next = "AGAIN"

    def _read_ahead(
        self, m: Module, read_port: memory.ReadPort, beyond: Value, following: Signal, redrawn: Signal, waits: Signal
    ) -> Signal:
        """Return the beat that is drawn again: a register, behind which the next one is read.

        The wait for the first one takes two cycles or more, as long as a last event is on its way.
        """
        kept = Signal(read_port.data.shape())
        waited = Signal(2)
        m.d.sync += waited.eq(Mux(waits, Cat(1, waited[0]), 0))
        m.d.comb += read_port.addr.eq(Mux(redrawn, beyond, Mux(waits & ~waited[0], 0, following)))
        with m.If(redrawn | (waited == 1)):
            m.d.sync += kept.eq(read_port.data)
        return kept
