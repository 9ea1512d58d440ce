"""Samplers: bytes for lines, Bernoulli input bits, kept rows; the twin of ``model/samplers.py``."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..model.lfsr import LINES_PER_WORD
from .events import LineGroup
from .lfsr import GeneratorPort, Lfsr


class Draws(wiring.Component):
    """A byte for every line of an operation, a beat of neighbouring lines at a time.

    Parameters
    ----------
    lines : int
        Lines of an operation.
    per_beat : int
        Lines in a beat: 1, 2, 4, 8 or 16.
    seeds : tuple of int
        Reset state of each bank.

    Members
    -------
    port : In(GeneratorPort())
        Bank to draw from, and access to its state between operations.
    bytes : Out(ArrayLayout(8, per_beat))
        Bytes of the beat.
    beat : Out(range(beats))
        Number of the beat in the operation.
    last : Out(1)
        Whether the beat is the last of the operation.
    advance : In(1)
        Accept the beat, at the next edge.

    Latency
    -------
    None; a beat a cycle.
    """

    def __init__(self, lines: int, per_beat: int, seeds: tuple[int, ...]) -> None:
        self._lines = lines
        self._per_beat = per_beat
        self._seeds = seeds
        self._beats = -(-lines // per_beat)
        super().__init__(
            {
                "port": In(GeneratorPort()),
                "bytes": Out(data.ArrayLayout(8, per_beat)),
                "beat": Out(range(max(self._beats, 2))),
                "last": Out(1),
                "advance": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = max(1, self._per_beat // LINES_PER_WORD)
        m.submodules.lfsr = lfsr = Lfsr(self._seeds, words)
        connect(m, flipped(self.port), lfsr.port)
        m.d.comb += self.last.eq(self.beat == self._beats - 1)
        with m.If(self.advance):
            m.d.sync += self.beat.eq(Mux(self.last, 0, self.beat + 1))
        if self._per_beat < LINES_PER_WORD:
            beats_per_word = LINES_PER_WORD // self._per_beat
            part = Signal(range(beats_per_word))
            m.d.comb += [
                part.eq(self.beat),
                self.bytes.eq(lfsr.words.as_value().word_select(part, 8 * self._per_beat)),
                lfsr.step.eq(self.advance & (self.last | (part == beats_per_word - 1))),
            ]
        else:
            last_words = -(-(self._lines - (self._beats - 1) * self._per_beat) // LINES_PER_WORD)
            m.d.comb += self.bytes.eq(lfsr.words.as_value())
            with m.If(self.advance):
                m.d.comb += lfsr.step.eq(Mux(self.last, last_words, words))
        return m


class Bernoulli(wiring.Component):
    """Binarizes features: [x_i > r_i].

    Parameters
    ----------
    inputs : int
        Features of a sample.
    per_beat : int
        Features in a beat.
    seeds : tuple of int
        Seeds of the training and the inference bank.

    Members
    -------
    port : In(GeneratorPort())
    features : In(stream of ArrayLayout(8, per_beat))
        Beats of a sample; what follows the last feature in the last beat is ignored.
    groups : Out(stream of LineGroup)

    Latency
    -------
    None; a beat a cycle.
    """

    def __init__(self, inputs: int, per_beat: int, seeds: tuple[int, ...]) -> None:
        self._inputs = inputs
        self._per_beat = per_beat
        self._seeds = seeds
        super().__init__(
            {
                "port": In(GeneratorPort()),
                "features": In(stream.Signature(data.ArrayLayout(8, per_beat))),
                "groups": Out(stream.Signature(LineGroup(-(-inputs // per_beat), per_beat))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.draws = draws = Draws(self._inputs, self._per_beat, self._seeds)
        connect(m, flipped(self.port), draws.port)
        above = [self.features.p[line] > draws.bytes[line] for line in range(self._per_beat)]
        m.d.comb += [
            self.groups.valid.eq(self.features.valid),
            self.features.ready.eq(self.groups.ready),
            self.groups.p.group.eq(draws.beat),
            self.groups.p.last.eq(draws.last),
            self.groups.p.bits.eq(Cat(above) & present(self._inputs, self._per_beat, draws.last)),
            draws.advance.eq(self.groups.valid & self.groups.ready),
        ]
        return m


class KeepRows(wiring.Component):
    """Thins row events: each is kept with probability 2^-exponent.

    Parameters
    ----------
    rows : int
        Rows of the crossbar, the lines of a draw; the last one, the bias row, ends the events.
    seed : int
        Reset state of the generator.

    Members
    -------
    port : In(GeneratorPort())
    exponent : In(3)
        k; 0 keeps all rows and draws nothing.
    events : In(stream of range(rows))
        Ascending.
    kept : Out(stream of StructLayout({"row": range(rows), "keep": 1}))
        The same events, marked.

    Latency
    -------
    None while k = 0. Otherwise a cycle for each further word of the generator: ceil(rows / 4) - 1 in all, and another
    one before a list that follows at once.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self._rows = rows
        self._seed = seed
        super().__init__(
            {
                "port": In(GeneratorPort()),
                "exponent": In(3),
                "events": In(stream.Signature(range(rows))),
                "kept": Out(stream.Signature(data.StructLayout({"row": range(rows), "keep": 1}))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lfsr = lfsr = Lfsr((self._seed,))
        connect(m, flipped(self.port), lfsr.port)
        row = Signal(max(3, (self._rows - 1).bit_length()))
        word = Signal(len(row) - 2)
        byte = Signal(8)
        reached = Signal()
        done, drop = Signal(), Signal()
        low_bits = Array((1 << exponent) - 1 for exponent in range(8))[self.exponent]
        m.d.comb += [
            row.eq(self.events.p),
            byte.eq(lfsr.words.as_value().word_select(row[:2], 8)),
            reached.eq((self.exponent == 0) | ((row[2:] == word) & ~drop)),
            self.kept.valid.eq(self.events.valid & reached),
            self.kept.p.row.eq(self.events.p),
            self.kept.p.keep.eq((byte & low_bits) == 0),
            self.events.ready.eq(self.kept.ready & reached),
            done.eq(self.kept.valid & self.kept.ready & (self.events.p == self._rows - 1)),
            lfsr.step.eq(drop | ((self.exponent != 0) & self.events.valid & ~reached)),
        ]
        # The last word of a list goes a cycle after the list, so that who takes the list has no part in it.
        m.d.sync += drop.eq(done & (self.exponent != 0))
        with m.If(drop):
            m.d.sync += word.eq(0)
        with m.Elif(lfsr.step):
            m.d.sync += word.eq(word + 1)
        return m


def present(lines: int, size: int, last: Signal) -> Signal | int:
    """Mask of the lines that a group of `size` has; only the last group can be short."""
    missing = -lines % size
    full = (1 << size) - 1
    return Mux(last, full >> missing, full) if missing else full
