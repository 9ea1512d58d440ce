"""The learning machine as one component: the twin of ``model/trainer.py``."""

from collections.abc import Sequence
from itertools import pairwise

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..model.config import ArraySide, Config
from ..model.crossbar import Weights
from ..model.ledger import Total
from ..model.lfsr import Bank, Generator, seed
from ..model.trainer import power_up_weights
from .counters import COUNTER_BITS, LayerCounters
from .geometry import Geometry
from .layer import SAMPLE_BITS, Layer, LayerTrace
from .pins import ArrayPins
from .presentation import NUMBER_BITS, Presentation, Presenter, SampleBeat


class Result(data.StructLayout):
    """What a sample gave.

    Members
    -------
    number, label, infer
        As they came with the sample.
    votes : ArrayLayout(8, outputs)
        Passes in which each output fired; for a training sample 0 or 1.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__(
            {
                "number": NUMBER_BITS,
                "label": range(max(outputs, 2)),
                "infer": 1,
                "votes": data.ArrayLayout(8, outputs),
            }
        )


class Access(data.StructLayout):
    """Read or write one word while no sample is under way.

    Members
    -------
    write : 1
    generator : 1
        The word is the next one of a training generator of `layer`, and `row` its number; otherwise it is a cell.
    layer : range(layers)
        0 for the first layer.
    row, column
        Of the cell; the largest row is the bias row, and the cells of a weight are side by side.
    value : signed(32)
        What to write.
    """

    def __init__(self, config: Config) -> None:
        rows = max(config.rows(layer) for layer in range(1, config.layers + 1))
        super().__init__(
            {
                "write": 1,
                "generator": 1,
                "layer": range(max(config.layers, 2)),
                "row": range(max(rows, len(Generator))),
                "column": range(max(*(config.cell_columns(layer) for layer in range(1, config.layers + 1)), 2)),
                "value": signed(32),
            }
        )


class Counters(data.StructLayout):
    """Totals since reset, wrapping.

    Members
    -------
    samples, errors, thinned, carries : 32
        Training samples, those with an error, of these those with k > 0, and those that a carry follows.
    passes : 32
        Of inference.
    busy_cycles : 32
    layers : ArrayLayout(LayerCounters, layers)
    """

    def __init__(self, layers: int) -> None:
        super().__init__(
            {
                **{total.name.lower(): COUNTER_BITS for total in Total},
                "busy_cycles": COUNTER_BITS,
                "layers": data.ArrayLayout(LayerCounters(), layers),
            }
        )


class Trainer(wiring.Component):
    """Trains and classifies samples as they come.

    Parameters
    ----------
    config : Config
        The machine.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L; those of the configuration's initial weights by default.

    Members
    -------
    samples : In(stream of SampleBeat)
    results : Out(stream of Result)
        One for each sample, in order; the next sample waits until it is taken.
    access : In(stream of Access)
        Accepted between samples.
    values : Out(stream of signed(32))
        One for each read.
    idle : Out(1)
        No sample is being worked on, and none is drawn and waiting.
    counters : Out(Counters)
    sample_done : Out(1)
        For observation: a training sample ends with this cycle.
    trace1, trace2, ... : Out(LayerTrace)
        For observation: what each layer does; only while `training` is 1.
    training : Out(1)
        For observation: a training sample is being worked on.
    array1, array2, ... : Out(ArrayPins)
        The array of each layer. Only where `array_side` is pins.

    Latency
    -------
    See `stochastor.hdl.cycles`.
    """

    def __init__(self, config: Config, weights: Sequence[Weights] | None = None) -> None:
        self._config = config
        self._weights = weights if weights is not None else power_up_weights(config)
        outputs = config.sizes[-1]
        geometries = {layer: Geometry.of(config, layer) for layer in range(1, config.layers + 1)}
        pins = {
            f"array{layer}": Out(ArrayPins(geometry, config.reference_bits))
            for layer, geometry in geometries.items()
            if geometry.pins
        }
        super().__init__(
            {
                **pins,
                "samples": In(stream.Signature(SampleBeat(outputs, config.pixels_per_beat))),
                "results": Out(stream.Signature(Result(outputs))),
                "access": In(stream.Signature(Access(config))),
                "values": Out(stream.Signature(signed(32))),
                "idle": Out(1),
                "counters": Out(Counters(config.layers)),
                "sample_done": Out(1),
                "training": Out(1),
                **{f"trace{layer}": Out(LayerTrace(config, layer)) for layer in range(1, config.layers + 1)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.presenter = presenter = Presenter(
            inputs=config.sizes[0],
            outputs=config.sizes[-1],
            per_beat=config.pixels_per_beat,
            patterns=config.input_draws,
            carry=config.carry_digits > 1,
            seeds=tuple(seed(config.seed, Generator.INPUT, bank, 1) for bank in Bank),
        )
        layers = [Layer(config, index, matrix) for index, matrix in enumerate(self._weights, start=1)]
        for index, layer in enumerate(layers, start=1):
            m.submodules[f"layer{index}"] = layer
            m.d.comb += [
                getattr(self, f"trace{index}").eq(layer.trace),
                self.counters.layers[index - 1].eq(layer.counters),
            ]
        connect(m, flipped(self.samples), presenter.samples)
        connect(m, presenter.events, layers[0].rows)
        for lower, upper in pairwise(layers):
            connect(m, lower.fired, upper.rows)
            connect(m, lower.open_rows, upper.sense)
            m.d.comb += lower.decided.eq(upper.sign)

        presentation = Signal.like(presenter.presentations.p)
        working, accessing = Signal(), Signal()
        self._vote(m, layers[-1], presentation)
        self._sequence(m, presenter, layers, presentation, working, accessing)
        self._count(m, working, presentation, layers)
        if config.array_side is ArraySide.PINS:
            self._reach_arrays(m, presentation, layers)
        self._route_access(m, working, accessing, presenter, layers)
        return m

    def _vote(self, m: Module, output_layer: Layer, presentation: Presentation) -> None:
        """Count how often each output fires over the passes of a sample."""
        result = self.results.p
        geometry = Geometry.of(self._config, self._config.layers)
        fired = output_layer.fired
        m.d.comb += fired.ready.eq(1)
        with m.If(output_layer.start):
            m.d.sync += [
                result.number.eq(presentation.number),
                result.label.eq(presentation.label),
                result.infer.eq(presentation.infer),
            ]
            with m.If(presentation.first):
                m.d.sync += result.votes.eq(0)
        with m.If(fired.valid), m.Switch(fired.p.group):
            for group in range(geometry.groups):
                with m.Case(group):
                    for line, vote in enumerate(range(group * geometry.tables, geometry.columns)[: geometry.tables]):
                        m.d.sync += result.votes[vote].eq(result.votes[vote] + fired.p.bits[line])

    def _sequence(
        self,
        m: Module,
        presenter: Presenter,
        layers: list[Layer],
        presentation: Signal,
        working: Signal,
        accessing: Signal,
    ) -> None:
        """Lead a presentation through its phases, one after the other, and say whether one is worked on."""
        busy = Signal()
        # A register for each layer: what it chooses is at the beginning of long paths.
        banks = [Signal(name=f"bank{index}", attrs={"keep": 1}) for index in range(1, len(layers) + 1)]
        phases = {name: Signal(name=name) for name in ("start", "gate", "update", "release")}
        m.d.comb += [
            busy.eq(Cat(layer.busy for layer in layers).any()),
            presenter.presentations.ready.eq(phases["release"]),
            layers[-1].label.eq(presentation.label),
        ]
        for layer, bank in zip(layers, banks, strict=True):
            m.d.comb += [
                *(getattr(layer, name).eq(phase) for name, phase in phases.items()),
                layer.reseed.eq(phases["start"] & presentation.infer & presentation.reseed & presentation.first),
                layer.bank.eq(bank),
                layer.exponent.eq(presentation.exponent),
            ]
        with m.If(self.results.ready):
            m.d.sync += self.results.valid.eq(0)

        error = layers[-1].any_sign
        carries = presentation.carry & ~presentation.infer if self._config.carry_digits > 1 else None
        hidden = list(range(len(layers) - 1, 0, -1))
        with m.FSM(name="phase") as fsm:
            with m.State("IDLE"):
                m.d.sync += presentation.eq(presenter.presentations.p)
                with m.If(presenter.presentations.valid & ~busy & ~accessing & ~self.results.valid):
                    m.d.sync += [bank.eq(presenter.presentations.p.infer) for bank in banks]
                    m.next = "START"
            with m.State("START"):
                m.d.comb += phases["start"].eq(1)
                m.next = "FORWARD"
            with m.State("FORWARD"), m.If(~busy):
                with m.If(~presentation.last):
                    m.next = "RELEASE"
                with m.Else():
                    m.d.sync += self.results.valid.eq(1)
                    self._end_sample(m, carries)
                    with m.If(~presentation.infer & error):
                        m.next = "GATE" if hidden else "UPDATE"
            if hidden:
                with m.State("GATE"):
                    m.d.comb += phases["gate"].eq(1)
                    m.next = f"BACKWARD{hidden[0]}"
            for index in hidden:
                upper = layers[index]
                started = Signal(name=f"backward{index}_started")
                with m.State(f"BACKWARD{index}"):
                    m.d.comb += upper.backward.eq(upper.any_sign & ~started)
                    m.d.sync += started.eq(1)
                    with m.If(~upper.any_sign | (started & ~upper.busy)):
                        m.d.sync += started.eq(0)
                        m.next = "SETTLE" if index == 1 else f"BACKWARD{index - 1}"
            if hidden:
                with m.State("SETTLE"), m.If(~busy):
                    m.next = "UPDATE"
            with m.State("UPDATE"):
                m.d.comb += phases["update"].eq(1)
                m.next = "UPDATING"
            with m.State("UPDATING"), m.If(~busy):
                self._end_sample(m, carries)
            if carries is not None:
                with m.State("CARRY"):
                    m.d.comb += [layer.carry.eq(1) for layer in layers]
                    m.next = "CARRYING"
                with m.State("CARRYING"), m.If(~busy):
                    m.next = "RELEASE"
            with m.State("RELEASE"):
                m.d.comb += [phases["release"].eq(1), self.sample_done.eq(~presentation.infer)]
                m.d.sync += [bank.eq(Bank.TRAIN) for bank in banks]
                m.next = "IDLE"

        m.d.comb += [
            working.eq(~fsm.ongoing("IDLE")),
            self.training.eq(working & ~presentation.infer),
            self.idle.eq(~working & ~presenter.presentations.valid),
        ]

    def _end_sample(self, m: Module, carries: Value | None) -> None:
        """Go on with the release of a sample, or with the carry that follows it."""
        m.next = "RELEASE"
        if carries is not None:
            with m.If(carries):
                m.next = "CARRY"

    def _count(self, m: Module, working: Signal, presentation: Presentation, layers: list[Layer]) -> None:
        counters = self.counters
        error = self.sample_done & layers[-1].any_sign
        carries = presentation.carry if self._config.carry_digits > 1 else Const(0)
        for counter, counted in (
            (counters.samples, self.sample_done),
            (counters.errors, error),
            (counters.thinned, error & (presentation.exponent != 0)),
            (counters.carries, self.sample_done & carries),
            (counters.passes, layers[-1].release & ~self.training),
            (counters.busy_cycles, working),
        ):
            with m.If(counted):
                m.d.sync += counter.eq(counter + 1)

    def _reach_arrays(self, m: Module, presentation: Presentation, layers: list[Layer]) -> None:
        """Lead the pins of the layers out, and tell them which sample or pass this is."""
        passes = Signal(SAMPLE_BITS)
        layer = layers[0]
        for index, layer in enumerate(layers, start=1):
            connect(m, layer.array, flipped(getattr(self, f"array{index}")))
            m.d.comb += layer.sample.eq(Mux(presentation.infer, passes, presentation.number))
        with m.If(layer.reseed):
            m.d.sync += passes.eq(0)
        with m.Elif(layer.release & presentation.infer):
            m.d.sync += passes.eq(passes + 1)

    def _route_access(
        self, m: Module, working: Signal, accessing: Signal, presenter: Presenter, layers: list[Layer]
    ) -> None:
        """Let an access through while no sample is worked on, and none begin before it is done."""
        access = self.access.p
        waiting, reading, done, taken = Signal(), Signal(), Signal(), Signal()
        asked = self.access.valid & ~done & ~reading
        to_input = access.generator & (access.layer == 0) & (access.row == Generator.INPUT)
        layer_ready = Array(layer.access.ready for layer in layers)[access.layer]
        m.d.comb += [
            self.access.ready.eq(done),
            accessing.eq(asked | waiting),
            taken.eq(waiting & (to_input | layer_ready)),
            presenter.port.load.eq(waiting & to_input & access.write),
            presenter.port.load_word.eq(access.value),
        ]
        m.d.sync += [waiting.eq(asked & ~working & ~taken), done.eq(taken)]
        with m.If(taken & ~access.write):
            m.d.sync += reading.eq(1)
        with m.If(self.values.valid & self.values.ready):
            m.d.sync += [reading.eq(0), self.values.valid.eq(0)]
        with m.If(waiting & to_input & ~access.write):
            m.d.sync += [self.values.valid.eq(1), self.values.p.eq(presenter.port.word)]
        for index, layer in enumerate(layers):
            m.d.comb += [
                layer.access.valid.eq(waiting & ~to_input & (access.layer == index)),
                *(layer.access.p[name].eq(access[name]) for name in ("write", "generator", "row", "column", "value")),
            ]
            with m.If(layer.value.valid):
                m.d.sync += [self.values.valid.eq(1), self.values.p.eq(layer.value.value)]
