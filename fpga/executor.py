"""Executes requests on the machine, one after the other, and answers them."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..hdl.presentation import SampleBeat
from ..hdl.trainer import Access, Counters, Result
from ..model.config import Config
from .answers import AnswerByte
from .identity import Identity
from .protocol import (
    ANSWER_HEADER_BYTES,
    CELL_BYTES,
    GENERATOR_BYTES,
    LABEL_BYTES,
    SLOTS,
    TRACE_BYTES,
    WINDOW,
    Command,
    Sizes,
    Status,
)
from .requests import LENGTH_BITS
from .samples import ResultBytes, SampleFeeder
from .trace_recorder import WORD_BITS, TraceAddress, TraceRecorder

ARGUMENT_BYTES = 6


class Executor(wiring.Component):
    """Leads each request from its first byte to the end of its answer.

    Parameters
    ----------
    config : Config
        The machine.
    identity : Identity
        The board's.
    counters : bool
        Whether the machine's counters can be read.
    trace : bool
        Whether a `TraceRecorder` keeps traces, which can be read.

    Members
    -------
    bytes, left, forget, session, asked, opening, open, closed, again, sequence
        The request buffer's.
    answer, slot, busy, restart, resend, resend_slot
        The answer buffer's bytes, slot, busy, restart, again, again_slot.
    samples, results, access, values, idle, counters
        The machine's; the last only where it can be read.
    trace_address, trace_word
        The recorder's `address` and `word`, only where there is one.
    reset_machine : Out(1)
        Reset the machine, at the next edge.
    training, classifying : Out(1)
        A sample is under way.
    refused : Out(1)
        A request is answered with another status than OK; one cycle.

    Latency
    -------
    A byte of a request or an answer takes up to three cycles, a check of lengths a cycle for each item; the machine's
    cycles come on top.
    """

    LAST_COMMAND = Command.RESET

    def __init__(self, config: Config, identity: Identity, *, counters: bool = True, trace: bool = False) -> None:
        self._config = config
        self._identity = identity
        self._counters = counters
        self._trace = trace
        self._sizes = Sizes.of(config)
        super().__init__(self._members())

    def _members(self) -> dict[str, Any]:
        outputs = self._config.sizes[-1]
        return {
            "bytes": In(stream.Signature(8)),
            "left": In(LENGTH_BITS),
            "forget": Out(1),
            "session": In(32),
            "asked": In(32),
            "opening": In(1),
            "open": Out(1),
            "closed": In(1),
            "again": In(1),
            "sequence": In(8),
            "answer": Out(stream.Signature(AnswerByte())),
            "slot": Out(range(SLOTS)),
            "busy": In(1),
            "restart": Out(1),
            "resend": Out(1),
            "resend_slot": Out(range(SLOTS)),
            "samples": Out(stream.Signature(SampleBeat(outputs, self._config.pixels_per_beat))),
            "results": In(stream.Signature(Result(outputs))),
            "access": Out(stream.Signature(Access(self._config))),
            "values": In(stream.Signature(32)),
            "idle": In(1),
            **({"counters": In(Counters(self._config.layers))} if self._counters else {}),
            **self._trace_members(),
            "reset_machine": Out(1),
            "training": Out(1),
            "classifying": Out(1),
            "refused": Out(1),
        }

    def _trace_members(self) -> dict[str, Any]:
        if not self._trace:
            return {}
        return {"trace_address": Out(TraceAddress(self._config.layers)), "trace_word": In(WORD_BITS)}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        work = Work(self._config)
        m.submodules.feeder = feeder = self._make_feeder()
        m.submodules.result_bytes = results = ResultBytes(self._config.sizes[-1])
        connect(m, flipped(self.results), results.results)
        connect(m, feeder.samples, flipped(self.samples))
        m.d.comb += [
            self.slot.eq(work.current),
            feeder.bytes.p.eq(self.bytes.p),
            self.training.eq(~feeder.idle & self._trains(work)),
            self.classifying.eq(~feeder.idle & (work.command == Command.INFER)),
        ]
        m.d.sync += [
            self.resend.eq(self.again & ~self.open & ((work.current - self.sequence - 1)[:8] < WINDOW)),
            self.resend_slot.eq(self.sequence),
        ]
        self._sideband(m, feeder, work)
        self._address_access(m, work)
        self._measure(m, work)
        with m.If(self.closed):
            m.d.sync += work.unheard.eq(1)
        with m.FSM(name="request"):
            self._take(m, work)
            self._check(m, work)
            self._begin_answer(m, work)
            self._samples(m, work, feeder, results)
            self._read(m, work)
            self._write(m, work)
            self._tell_identity(m, work)
            if self._counters:
                self._tell_counters(m, work)
            if self._trace:
                self._tell_trace(m, work)
            self._finish(m, work)
        return m

    def _make_feeder(self) -> Any:
        return SampleFeeder(
            inputs=self._config.sizes[0], outputs=self._config.sizes[-1], per_beat=self._config.pixels_per_beat
        )

    def _trains(self, work: "Work") -> Value:
        return work.command == Command.TRAIN

    def _sideband(self, m: Module, feeder: Any, work: "Work") -> None:
        """Say of a sample what its request says; what is compared for it has long been steady."""
        sideband = feeder.sideband
        infers, reseeds = Signal(), Signal()
        m.d.sync += [infers.eq(work.command == Command.INFER), reseeds.eq(infers & (work.word == 0))]
        m.d.comb += [
            sideband.number.eq(work.position),
            sideband.exponent.eq(work.option),
            sideband.carry.eq(work.option[7] & (work.count == 1)),
            sideband.infer.eq(infers),
            sideband.reseed.eq(reseeds),
            sideband.passes.eq(work.option),
        ]

    def _head_bytes(self, work: "Work") -> Value:
        """Bytes before the items of the request's data; here there are none."""
        return Const(0)

    def _measure(self, m: Module, work: "Work") -> None:
        """Bytes of an item of the request's data."""
        with m.Switch(work.command):
            with m.Case(Command.TRAIN):
                m.d.comb += work.item.eq(self._sizes.features + LABEL_BYTES)
            with m.Case(Command.INFER):
                m.d.comb += work.item.eq(self._sizes.features)
            with m.Case(Command.WRITE):
                m.d.comb += work.item.eq(work.word_bytes)

    def _take(self, m: Module, work: "Work") -> None:
        """Wait for a request, or for what comes beside the requests."""
        with m.State("IDLE"):
            m.d.sync += [work.step.eq(0), work.outstanding.eq(0), work.status.eq(Status.OK)]
            with m.If(self.opening), m.If(self.idle):
                m.d.comb += [self.open.eq(1), self.restart.eq(1)]
                m.d.sync += [
                    work.current.eq(0),
                    work.value.eq(self.session),
                    work.unheard.eq(0),
                    work.command.eq(Command.OPEN),
                ]
                m.next = "ANSWER"
            with m.Elif(work.unheard):
                m.d.sync += [work.status.eq(Status.CLOSED), work.current.eq(0)]
                m.next = "ANSWER"
            with m.Elif(self.bytes.valid):
                m.d.comb += self.bytes.ready.eq(1)
                m.d.sync += work.command.eq(self.bytes.p)
                m.next = "ARGUMENTS"
        with m.State("ARGUMENTS"):
            m.d.comb += self.bytes.ready.eq(1)
            with m.If(self.bytes.valid):
                m.d.sync += [work.arguments.eq(Cat(work.arguments[8:], self.bytes.p)), work.step.eq(work.step + 1)]
                with m.If(work.step == ARGUMENT_BYTES - 1):
                    m.d.sync += [work.step.eq(0), work.needed.eq(self._head_bytes(work)), work.counted.eq(0)]
                    m.next = "CHECK"

    def _check(self, m: Module, work: "Work") -> None:
        """Refuse what cannot be done before any of it is."""
        with m.State("CHECK"):
            m.d.sync += [work.needed.eq(work.needed + work.item), work.counted.eq(work.counted + 1)]
            with m.If((work.counted == work.count) | (work.item == 0)):
                m.next = "WAIT"
                with m.If(work.needed != self.left):
                    m.d.sync += work.status.eq(Status.LENGTH)
                with m.Elif(self._trains(work) & (work.word != work.position)):
                    m.d.sync += work.status.eq(Status.POSITION)
                with m.Elif(self._unknown(work)):
                    m.d.sync += work.status.eq(Status.UNKNOWN)
                with m.Else():
                    self._check_places(m, work)
        with m.State("WAIT"), m.If(self.idle | self._trains(work) | (work.command == Command.INFER)):
            m.next = "ANSWER"

    def _unknown(self, work: "Work") -> Value:
        unknown = (work.command <= Command.OPEN) | (work.command > self.LAST_COMMAND)
        return unknown & (work.command != Command.TRACE) if self._trace else unknown

    def _check_places(self, m: Module, work: "Work") -> None:
        """Refuse addresses that are not there; here there are none."""

    def _begin_answer(self, m: Module, work: "Work") -> None:
        session = Mux(work.unheard, self.asked, self.session)
        header = Cat(session, work.current, work.status)
        with m.State("ANSWER"):
            m.d.comb += [self.answer.valid.eq(1), self.answer.p.byte.eq(header.word_select(work.step[:3], 8))]
            with m.If(self.answer.ready):
                m.d.sync += work.step.eq(work.step + 1)
                with m.If(work.step == ANSWER_HEADER_BYTES - 1):
                    m.d.sync += work.step.eq(0)
                    m.d.comb += self.refused.eq(work.status != Status.OK)
                    with m.If(work.status != Status.OK):
                        m.next = "END"
                    with m.Else():
                        self._branch(m, work)

    def _branch(self, m: Module, work: "Work") -> None:
        m.next = "END"
        with m.Switch(work.command):
            with m.Case(Command.OPEN):
                m.next = "IDENTITY"
            with m.Case(Command.TRAIN, Command.INFER):
                m.next = "SAMPLES"
            with m.Case(Command.READ):
                m.next = "READ"
            with m.Case(Command.WRITE):
                m.next = "WRITE"
            with m.Case(Command.SEEK):
                m.d.sync += work.position.eq(work.word)
            if self._counters:
                with m.Case(Command.COUNTERS):
                    m.next = "COUNTERS"
            if self._trace:
                with m.Case(Command.TRACE):
                    m.next = "TRACE"
            with m.Case(Command.RESET):
                m.d.comb += self.reset_machine.eq(1)
                m.d.sync += work.position.eq(0)

    def _samples(self, m: Module, work: "Work", feeder: Any, results: ResultBytes) -> None:
        """Feed samples and take results, at the same time; a session that opens ends it between samples."""
        begins, silent = (work.count != 0) & ~self.opening, self._silent(work)
        with m.State("SAMPLES"):
            m.d.comb += [
                feeder.enable.eq(begins),
                feeder.bytes.valid.eq(self.bytes.valid),
                self.bytes.ready.eq(feeder.bytes.ready),
                self.answer.valid.eq(results.bytes.valid & ~silent),
                self.answer.p.byte.eq(results.bytes.p),
                results.bytes.ready.eq(self.answer.ready | silent),
            ]
            m.d.sync += work.outstanding.eq(work.outstanding + feeder.taken - results.taken)
            with m.If(feeder.taken):
                # Only the first sample of a call reseeds: those behind it are not number 0.
                m.d.sync += [work.word[0].eq(1), work.count.eq(work.count - 1)]
                with m.If(self._trains(work)):
                    m.d.sync += work.position.eq(work.position + 1)
            with m.If(feeder.idle & ~begins & (work.outstanding == 0)):
                m.next = "END"
                with m.If(self.opening):
                    m.next = "IDLE"

    def _silent(self, work: "Work") -> Value:
        """Whether results are not answered; here they always are."""
        return Const(0)

    def _read(self, m: Module, work: "Work") -> None:
        with m.State("READ"):
            m.next = "END"
            with m.If(work.count != 0):
                m.d.comb += self.access.valid.eq(1)
                with m.If(~self.access.ready):
                    m.next = "READ"
                with m.Else():
                    m.next = "VALUE"
        with m.State("VALUE"):
            m.d.comb += [
                self.answer.valid.eq(self.values.valid),
                self.answer.p.byte.eq(self.values.p.word_select(work.step[:2], 8)),
            ]
            with m.If(self.values.valid & self.answer.ready):
                m.d.sync += work.step.eq(work.step + 1)
                with m.If(work.step == work.word_bytes - 1):
                    m.d.comb += self.values.ready.eq(1)
                    self._next_word(m, work)
                    m.next = "READ"

    def _write(self, m: Module, work: "Work") -> None:
        with m.State("WRITE"):
            with m.If(work.count == 0):
                m.next = "END"
            with m.Else():
                m.d.comb += self.bytes.ready.eq(1)
                with m.If(self.bytes.valid):
                    m.d.sync += [work.value.eq(Cat(work.value[8:], self.bytes.p)), work.step.eq(work.step + 1)]
                    with m.If(work.step == work.word_bytes - 1):
                        m.next = "STORE"
        with m.State("STORE"):
            m.d.comb += self.access.valid.eq(1)
            with m.If(self.access.ready):
                self._next_word(m, work)
                m.next = "WRITE"

    def _address_access(self, m: Module, work: "Work") -> None:
        """Offer place and value of a word at all times: no state of a request comes before the machine's logic."""
        # A cell came in the upper bytes of the value; it has no more bits than its own.
        cell = work.value[8 * (GENERATOR_BYTES - CELL_BYTES) :]
        value = Cat(Mux(work.generator, work.value[: len(cell)], cell), work.value[len(cell) :])
        m.d.comb += [
            self.access.p.write.eq(work.command == Command.WRITE),
            self.access.p.generator.eq(work.generator),
            self.access.p.layer.eq(work.option),
            self.access.p.row.eq(work.row),
            self.access.p.column.eq(work.column),
            self.access.p.value.eq(value),
        ]

    def _next_word(self, m: Module, work: "Work") -> None:
        """Cells follow each other along a row, generators by their number."""
        columns = Array(self._config.cell_columns(layer + 1) for layer in range(self._config.layers))
        row, column = (work.word[low : low + len(self.access.p[name])] for low, name in ((0, "row"), (16, "column")))
        m.d.sync += [work.step.eq(0), work.count.eq(work.count - 1), column.eq(column + 1)]
        with m.If(work.generator | (column == columns[work.option[:7]] - 1)):
            m.d.sync += [column.eq(0), row.eq(row + 1)]

    def _tell_identity(self, m: Module, work: "Work") -> None:
        """Answer with what never changes, out of a memory, then with the session before and the position."""
        fixed = self._identity.to_bytes()
        m.submodules.identity = identity = memory.Memory(
            shape=8, depth=len(fixed), init=fixed, attrs={"ram_style": "block"}
        )
        read_port = identity.read_port()
        words = Cat(work.value, work.position)
        byte = Signal(8)
        m.d.comb += read_port.addr.eq(work.step)
        with m.State("IDENTITY"):
            m.next = "IDENTITY_READ"
        with m.State("IDENTITY_READ"):
            m.d.sync += byte.eq(read_port.data)
            with m.If(work.step >= len(fixed)):
                m.d.sync += byte.eq(words.word_select((work.step - len(fixed))[:3], 8))
            m.next = "IDENTITY_BYTE"
        with m.State("IDENTITY_BYTE"):
            m.d.comb += [self.answer.valid.eq(1), self.answer.p.byte.eq(byte)]
            with m.If(self.answer.ready):
                m.d.sync += work.step.eq(work.step + 1)
                m.next = "IDENTITY"
                with m.If(work.step == len(fixed) + len(words) // 8 - 1):
                    m.next = "END"

    def _tell_counters(self, m: Module, work: "Work") -> None:
        """Answer with the counters, byte by byte."""
        counters = Value.cast(self.counters)
        with m.State("COUNTERS"):
            m.d.comb += [self.answer.valid.eq(1), self.answer.p.byte.eq(counters.word_select(work.step, 8))]
            with m.If(self.answer.ready):
                m.d.sync += work.step.eq(work.step + 1)
                with m.If(work.step == len(counters) // 8 - 1):
                    m.next = "END"

    def _tell_trace(self, m: Module, work: "Work") -> None:
        """Answer with words of the trace, one behind the other."""
        address = self.trace_address
        m.d.comb += [address.layer.eq(work.option), Cat(address.index, address.part).eq(work.word)]
        index = work.word[: len(address.index)]
        with m.State("TRACE"):
            m.d.sync += work.step.eq(work.step + 1)
            with m.If(work.count == 0):
                m.next = "END"
            with m.Elif(work.step == TraceRecorder.LATENCY):
                m.d.sync += [work.value.eq(self.trace_word), work.step.eq(0)]
                m.next = "TRACE_BYTES"
        with m.State("TRACE_BYTES"):
            m.d.comb += [self.answer.valid.eq(1), self.answer.p.byte.eq(work.value[:8])]
            with m.If(self.answer.ready):
                m.d.sync += [work.value.eq(work.value >> 8), work.step.eq(work.step + 1)]
                with m.If(work.step == TRACE_BYTES - 1):
                    m.d.sync += [work.step.eq(0), work.count.eq(work.count - 1), index.eq(index + 1)]
                    m.next = "TRACE"

    def _finish(self, m: Module, work: "Work") -> None:
        with m.State("END"):
            m.d.comb += [self.answer.valid.eq(1), self.answer.p.end.eq(1)]
            with m.If(self.answer.ready):
                m.next = "CLOSE"
        with m.State("CLOSE"), m.If(~self.busy):
            m.next = "IDLE"
            m.d.sync += work.unheard.eq(0)
            with m.If(~work.unheard):
                m.d.sync += work.current.eq(work.current + 1)
            with m.If(~work.unheard & (work.command != Command.OPEN)):
                m.d.comb += self.forget.eq(1)


class Work:
    """Registers of the request under way.

    Attributes
    ----------
    current : 8
        Its sequence number.
    unheard : 1
        A request without a session waits for its answer.
    position : 32
        Number of the next training sample.
    value : 32
        Word to write; of an OPEN, the session before.
    step : 8
        Byte of the header, the word or the answer.
    outstanding : 8
        Samples without a result.
    """

    def __init__(self, config: Config) -> None:
        self.current = Signal(8)
        self.unheard = Signal()
        self.position = Signal(32)
        self.command = Signal(8)
        self.arguments = Signal(8 * ARGUMENT_BYTES)
        self.status = Signal(Status)
        self.step = Signal(8)
        self.item = Signal(range(config.sizes[0] + LABEL_BYTES + GENERATOR_BYTES))
        self.needed = Signal(range(256 * (config.sizes[0] + LABEL_BYTES + GENERATOR_BYTES)))
        self.counted = Signal(8)
        self.outstanding = Signal(8)
        self.value = Signal(32)
        self.word = self.arguments[:32]
        self.row, self.column = self.word[:16], self.word[16:]
        self.option = self.arguments[32:40]
        self.count = self.arguments[40:]
        self.generator = self.option[7]
        self.word_bytes = Mux(self.generator, GENERATOR_BYTES, CELL_BYTES)
