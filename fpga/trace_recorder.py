"""Keeps what the machine did in the last training sample, for a host that asks for it."""

from enum import IntEnum

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..hdl.carry import Carried
from ..hdl.geometry import Geometry
from ..hdl.layer import LayerTrace
from ..model.config import Config

WORD_BITS = 32
INDEX_BITS = 24
COUNT_BITS = 24


class TracePart(IntEnum):
    """What is kept of a layer, each in words of 32 bits.

    COUNTS are two words, of the records of STEPS and of CARRIES. A record takes `record_words` words, those behind its
    bits are 0. SIGNS are two bits a column.
    """

    COUNTS = 0
    STEPS = 1
    CARRIES = 2
    SIGNS = 3


class TraceAddress(data.StructLayout):
    """A word of a trace.

    Members
    -------
    index : 24
    part : TracePart
    layer
        From 0.
    """

    def __init__(self, layers: int) -> None:
        super().__init__({"index": INDEX_BITS, "part": 2, "layer": range(max(layers, 2))})


class StepRecord(data.StructLayout):
    """What a layer shows in a cycle: of `LayerTrace` what is neither a sign, nor a carry, nor a cell."""

    def __init__(self, config: Config, layer: int) -> None:
        whole = LayerTrace(config, layer)
        written = {name: shape for name, shape in whole.members["written"].members.items() if name != "cells"}
        kept = {name: shape for name, shape in whole.members.items() if name not in ("signs", "carried")}
        super().__init__(kept | {"written": data.StructLayout(written)})


def most_steps(config: Config, layer: int) -> int:
    """Most cycles of a sample in which `layer` (1 to L) shows something."""
    geometry = Geometry.of(config, layer)
    patterns, sensed = (config.input_draws, 0) if layer == 1 else (1, geometry.rows)
    return patterns * geometry.rows + 2 * geometry.groups + sensed + geometry.rows * geometry.folds


def most_carries(config: Config, layer: int) -> int:
    """Most cycles of a sample in which cells of `layer` (1 to L) carry."""
    return config.rows(layer) * (config.carry_digits - 1)


def traces_of(config: Config) -> list[str]:
    """Names of the trace ports of a machine."""
    return [f"trace{layer}" for layer in range(1, config.layers + 1)]


def record_words(layout: data.Layout) -> int:
    """Words from one record to the next, a power of two."""
    words: int = -(-layout.size // WORD_BITS)
    return 1 << (words - 1).bit_length()


class Log(wiring.Component):
    """Keeps records, one behind the other.

    Parameters
    ----------
    layout : StructLayout
    depth : int
        Records that there are at most.

    Members
    -------
    begin : In(1)
        Forget all records, at the next edge.
    valid : In(1)
        Keep `record`; not together with `begin`.
    record : In(layout)
    count : Out(24)
    index : In(24)
        Word to read.
    word : Out(32)

    Latency
    -------
    A cycle, from `index` to `word`.
    """

    def __init__(self, layout: data.StructLayout, depth: int) -> None:
        self._layout = layout
        self._depth = depth
        super().__init__(
            {
                "begin": In(1),
                "valid": In(1),
                "record": In(layout),
                "count": Out(COUNT_BITS),
                "index": In(INDEX_BITS),
                "word": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.records = records = memory.Memory(
            shape=self._layout.size, depth=self._depth, init=[], attrs={"no_rw_check": 1, "ram_style": "block"}
        )
        write_port, read_port = records.write_port(), records.read_port()
        low_bits = record_words(self._layout).bit_length() - 1
        chosen = Signal(range(1 << low_bits))
        m.d.comb += [
            write_port.addr.eq(self.count),
            write_port.data.eq(self.record),
            write_port.en.eq(self.valid),
            read_port.addr.eq(self.index[low_bits:]),
            self.word.eq(read_port.data.word_select(chosen, WORD_BITS)),
        ]
        m.d.sync += chosen.eq(self.index[:low_bits])
        with m.If(self.valid):
            m.d.sync += self.count.eq(self.count + 1)
        with m.If(self.begin):
            m.d.sync += self.count.eq(0)
        return m


class LayerRecorder(wiring.Component):
    """Keeps the trace of a layer.

    Parameters
    ----------
    config : Config
        The machine.
    layer : int
        1 to L.

    Members
    -------
    trace : In(LayerTrace)
    training : In(1)
        A training sample is being worked on.
    part : In(TracePart)
    index : In(24)
    word : Out(32)

    Latency
    -------
    Two cycles, from `part` and `index` to `word`; a cycle's records can be read two cycles later.
    """

    def __init__(self, config: Config, layer: int) -> None:
        self._config = config
        self._layer = layer
        super().__init__(
            {
                "trace": In(LayerTrace(config, layer)),
                "training": In(1),
                "part": In(TracePart),
                "index": In(INDEX_BITS),
                "word": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        worked = Signal()
        m.d.sync += worked.eq(self.training)
        begin = self.training & ~worked
        m.submodules.steps = steps = Log(StepRecord(self._config, self._layer), most_steps(self._config, self._layer))
        self._keep_steps(m, steps, begin)
        words: dict[TracePart, Value] = {TracePart.STEPS: steps.word, TracePart.SIGNS: self._keep_signs(m)}
        counts = [steps.count]
        if self._config.carry_digits > 1:
            geometry = Geometry.of(self._config, self._layer)
            m.submodules.carries = carries = Log(Carried(geometry), most_carries(self._config, self._layer))
            self._keep_carries(m, carries, begin)
            words[TracePart.CARRIES] = carries.word
            counts.append(carries.count)
        words[TracePart.COUNTS] = Array(counts)[self.index[0]] if len(counts) > 1 else Mux(self.index[0], 0, counts[0])
        part = Signal(TracePart)
        m.d.sync += part.eq(self.part)
        with m.Switch(part):
            for kept, word in words.items():
                with m.Case(kept):
                    m.d.sync += self.word.eq(word)
            with m.Default():
                m.d.sync += self.word.eq(0)
        return m

    def _keep_steps(self, m: Module, steps: Log, begin: Value) -> None:
        """A register before the memory keeps the trace's fan-out off the machine's paths."""
        shown = [getattr(self.trace, name) for name in StepRecord(self._config, self._layer).members]
        m.d.sync += [
            *(
                getattr(steps.record, name)[field].eq(getattr(self.trace, name)[field])
                for name, field in self._fields()
            ),
            steps.valid.eq(self.training & Cat(part.valid for part in shown).any()),
        ]
        m.d.comb += [steps.begin.eq(begin), steps.index.eq(self.index)]

    def _fields(self) -> list[tuple[str, str]]:
        layout = StepRecord(self._config, self._layer)
        return [(name, field) for name, part in layout.members.items() for field in part.members]

    def _keep_carries(self, m: Module, carries: Log, begin: Value) -> None:
        m.d.sync += [carries.record.eq(self.trace.carried), carries.valid.eq(self.training & self.trace.carried.valid)]
        m.d.comb += [carries.begin.eq(begin), carries.index.eq(self.index)]

    def _keep_signs(self, m: Module) -> Value:
        signs = Signal.like(Value.cast(self.trace.signs))
        word = Signal(WORD_BITS)
        with m.If(self.training):
            m.d.sync += signs.eq(self.trace.signs)
        m.d.sync += word.eq(signs.word_select(self.index[: (len(signs) // WORD_BITS).bit_length()], WORD_BITS))
        return word


class TraceRecorder(wiring.Component):
    """Keeps the trace of the last training sample.

    Parameters
    ----------
    config : Config
        The machine.

    Members
    -------
    trace1, trace2, ... : In(LayerTrace)
    training : In(1)
    address : In(TraceAddress)
    word : Out(32)

    Latency
    -------
    Three cycles, from `address` to `word`.
    """

    LATENCY = 3

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {
                **{name: In(LayerTrace(config, layer)) for layer, name in enumerate(traces_of(config), start=1)},
                "training": In(1),
                "address": In(TraceAddress(config.layers)),
                "word": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = []
        for layer, name in enumerate(traces_of(self._config), start=1):
            m.submodules[f"layer{layer}"] = recorder = LayerRecorder(self._config, layer)
            m.d.comb += [
                recorder.trace.eq(getattr(self, name)),
                recorder.training.eq(self.training),
                recorder.part.eq(self.address.part),
                recorder.index.eq(self.address.index),
            ]
            words.append(recorder.word)
        m.d.sync += self.word.eq(Array(words)[self.address.layer])
        return m
