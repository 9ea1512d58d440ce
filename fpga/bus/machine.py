"""The machine behind registers and word streams, whatever bus brings them."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped

from ...hdl.presentation import NUMBER_BITS
from ...hdl.trainer import Trainer
from ...model.config import Config
from ...model.crossbar import Weights
from ..array_lines import arrays_of, connect_arrays
from .counter_bank import CounterBank
from .register_file import RegisterBus, RegisterFile
from .registers import WordCounts, register_map
from .sample_buffer import SampleBuffer
from .words import ResultWords, SampleWords, Word

OUTSTANDING_BITS = 8


class RegisteredTrainer(wiring.Component):
    """Trains and classifies the samples that come by registers or streams (docs/buses.md).

    Parameters
    ----------
    config : Config
        The machine.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L; those of the configuration's initial weights by default.
    streams : bool
        Whether there are streams.

    Attributes
    ----------
    address_bits : int
        Of a byte address.

    Members
    -------
    bus : In(RegisterBus)
    samples : In(stream of Word)
        Only with `streams`.
    results : Out(stream of Word)
        Only with `streams`.
    irq : Out(1)
    array1, array2, ... : Out(ArrayPins)
        As of `Trainer`.

    Latency
    -------
    A register takes a cycle, `value` what the access port takes besides, counters at most 3 more. A sample is begun
    once it is whole; then its words take a cycle each, as far as the machine takes them.
    """

    def __init__(self, config: Config, weights: Sequence[Weights] | None = None, *, streams: bool) -> None:
        self._config = config
        self._streams = streams
        self._registers = register_map(config, streams=streams)
        self._trainer = Trainer(config, weights)
        self.address_bits = self._registers.address_bits
        members: dict[str, Any] = {"bus": In(RegisterBus(self._registers.address_bits)), "irq": Out(1)}
        if streams:
            members |= {"samples": In(stream.Signature(Word())), "results": Out(stream.Signature(Word()))}
        super().__init__(members | arrays_of(self._trainer))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = WordCounts.of(self._config)
        reset = Signal()
        resets = ResetInserter({"sync": reset})
        m.submodules.registers = registers = RegisterFile(self._registers)
        m.submodules.trainer = resets(trainer := self._trainer)
        m.submodules.sample_buffer = resets(
            buffer := SampleBuffer(sample_words=words.sample, depth=words.sample_buffer)
        )
        m.submodules.sample_words = resets(
            samples := SampleWords(
                inputs=self._config.sizes[0],
                outputs=self._config.sizes[-1],
                per_beat=self._config.pixels_per_beat,
            )
        )
        m.submodules.result_words = results = ResultWords(self._config.sizes[-1])
        m.submodules.result_buffer = kept = SyncFIFOBuffered(width=Word().size, depth=words.result_buffer)
        m.submodules.counter_bank = counters = CounterBank(self._config.layers)
        connect(m, flipped(self.bus), registers.bus)
        connect(m, buffer.samples, samples.words)
        connect(m, samples.samples, trainer.samples)
        connect(m, trainer.results, results.results)
        connect(m, registers.counters, counters.port)
        connect_arrays(m, trainer, self)
        asked = registers.value.read | registers.value.write
        resetting, outstanding = Signal(), Signal(OUTSTANDING_BITS)
        idle = samples.idle & (outstanding == 0) & trainer.idle & ~resetting
        m.d.comb += [
            counters.counters.eq(trainer.counters),
            counters.clear.eq(reset),
            buffer.begin.eq(registers.control.run & ~asked),
            buffer.drop.eq(registers.control.abort),
            reset.eq(resetting & results.idle),
            results.room.eq((kept.level <= words.result_buffer - words.result) & ~resetting),
            kept.w_data.eq(results.words.p),
            kept.w_en.eq(results.words.valid),
            registers.status.idle.eq(idle),
            registers.status.training.eq(trainer.training),
            registers.status.empty.eq(buffer.empty),
            registers.errors.cut.set.eq(buffer.cut),
        ]
        with m.If(registers.control.reset):
            m.d.sync += resetting.eq(1)
        with m.If(reset):
            m.d.sync += [resetting.eq(0), outstanding.eq(0)]
        with m.Else():
            m.d.sync += outstanding.eq(outstanding + samples.taken - results.taken)
        self._number(m, registers, samples, idle, reset)
        self._move_words(m, registers, buffer, kept, idle)
        self._reach_cells(m, registers, trainer, idle)
        self._interrupt(m, registers, buffer, kept, idle)
        m.d.comb += results.packet.eq(registers.packet.results if self._streams else 1)
        return m

    def _number(self, m: Module, registers: RegisterFile, samples: SampleWords, idle: Value, reset: Signal) -> None:
        """Count the training samples; software says which one is next."""
        position = Signal(NUMBER_BITS)
        port = registers.position
        m.d.comb += [samples.position.eq(position), port.value.eq(position), port.done.eq(1)]
        with m.If(samples.taken & ~samples.infer):
            m.d.sync += position.eq(position + 1)
        with m.If(port.write & idle):
            m.d.sync += position.eq(port.data)
        with m.If(reset):
            m.d.sync += position.eq(0)

    def _move_words(
        self, m: Module, registers: RegisterFile, buffer: SampleBuffer, kept: SyncFIFOBuffered, idle: Value
    ) -> None:
        """Move words between the buffers and the registers, or the streams."""
        by_streams = Signal(init=1) if self._streams else Const(0)
        sample, result = registers.sample, registers.result
        m.d.comb += [
            registers.room.words.eq(Mux(by_streams, 0, buffer.room)),
            registers.waiting.words.eq(Mux(by_streams, 0, kept.level)),
            sample.done.eq(1),
            result.value.eq(Mux(kept.r_rdy & ~by_streams, Word()(kept.r_data).value, 0)),
            result.done.eq(kept.r_rdy | (kept.level == 0) | by_streams),
            registers.errors.overflow.set.eq(sample.write & (by_streams | ~buffer.words.ready)),
            registers.errors.underflow.set.eq(result.read & ((kept.level == 0) | by_streams)),
        ]
        m.d.comb += buffer.words.p.eq(sample.data)
        with m.If(~by_streams):
            m.d.comb += [buffer.words.valid.eq(sample.write), kept.r_en.eq(result.read & kept.r_rdy)]
        if not self._streams:
            return
        control = registers.control
        with m.If(by_streams):
            m.d.comb += [
                buffer.words.valid.eq(self.samples.valid & control.streams),
                buffer.words.p.eq(self.samples.p),
                self.samples.ready.eq(buffer.words.ready & control.streams),
                self.results.valid.eq(kept.r_rdy),
                kept.r_en.eq(self.results.ready),
            ]
        m.d.comb += [self.results.p.eq(kept.r_data), registers.status.streams.eq(by_streams)]
        with m.If(idle & buffer.empty & ~buffer.words.valid & (kept.level == 0)):
            m.d.sync += by_streams.eq(control.streams)

    def _reach_cells(self, m: Module, registers: RegisterFile, trainer: Trainer, idle: Value) -> None:
        """Read and write cells and generators, one after the other, by `value`."""
        port, target, place = registers.value, registers.target, registers.address
        row, column = Signal(16), Signal(16)
        ends = Array(self._config.cell_columns(layer + 1) - 1 for layer in range(self._config.layers))[target.layer]
        collision = Signal()
        m.d.comb += [
            place.value.eq(Cat(row, column)),
            place.done.eq(1),
            trainer.access.p.write.eq(port.write),
            trainer.access.p.generator.eq(target.generator),
            trainer.access.p.layer.eq(target.layer),
            trainer.access.p.row.eq(row),
            trainer.access.p.column.eq(column),
            trainer.access.p.value.eq(port.data),
            registers.errors.collision.set.eq(collision | (registers.position.write & ~idle)),
        ]
        with m.FSM(name="access"):
            with m.State("IDLE"), m.If(port.read | port.write):
                with m.If(idle):
                    m.next = "ASK"
                with m.Else():
                    m.d.comb += [collision.eq(1), port.done.eq(1)]
            with m.State("ASK"):
                m.d.comb += trainer.access.valid.eq(1)
                with m.If(trainer.access.ready):
                    m.d.comb += port.done.eq(port.write)
                    m.next = "ANSWER"
                    with m.If(port.write):
                        m.next = "IDLE"
            with m.State("ANSWER"):
                m.d.comb += trainer.values.ready.eq(1)
                with m.If(trainer.values.valid):
                    m.d.comb += [port.value.eq(trainer.values.p), port.done.eq(1)]
                    m.next = "IDLE"
        with m.If(port.done & ~collision):
            m.d.sync += column.eq(column + 1)
            with m.If(target.generator | (column == ends)):
                m.d.sync += [column.eq(0), row.eq(row + 1)]
        with m.If(place.write):
            m.d.sync += [row.eq(place.data[:16]), column.eq(place.data[16:])]

    def _interrupt(
        self, m: Module, registers: RegisterFile, buffer: SampleBuffer, kept: SyncFIFOBuffered, idle: Value
    ) -> None:
        wanted = registers.interrupt
        errors = Cat(getattr(registers.errors, name).is_set for name in registers.errors.signature.members)
        m.d.sync += self.irq.eq(
            (wanted.result & (registers.waiting.words != 0))
            | (wanted.done & idle & buffer.empty)
            | (wanted.error & errors.any())
        )
