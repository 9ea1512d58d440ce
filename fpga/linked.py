"""The machine behind the packets of the host link, whatever brings their bytes."""

from collections.abc import Sequence

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..hdl.trainer import Trainer
from ..model.config import Config
from ..model.crossbar import Weights
from .answers import AnswerBuffer
from .array_lines import arrays_of, connect_arrays
from .executor import Executor
from .identity import Identity
from .protocol import Sizes
from .requests import RequestBuffer
from .sdram import MemoryPort
from .storing import StoringExecutor
from .trace_recorder import TraceRecorder, traces_of


class LinkStatus(data.StructLayout):
    """What there is to see from outside.

    Members
    -------
    error : 1
        Since the session was opened, a packet was damaged or refused.
    session : 1
        A session is open.
    training, classifying : 1
        A sample is under way.
    resent : 1
        An answer is sent again; one cycle.
    """

    def __init__(self) -> None:
        super().__init__({"error": 1, "session": 1, "training": 1, "classifying": 1, "resent": 1})


class LinkedTrainer(wiring.Component):
    """Trains and classifies as frames of requests say, and answers in frames (docs/host-link.md).

    Parameters
    ----------
    config : Config
        The machine.
    identity : Identity
        What OPEN tells of the board.
    counters : bool
        Whether there are counters, which a host can read.
    trace : bool
        Whether the trace of the last training sample is kept, which a host can read.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L; those of the configuration's initial weights by default.
    address_bits : int
        Of a word of a memory for samples, as many as the identity tells of; 0 if there is none.

    Members
    -------
    received : In(stream of 8)
        From the host; always ready, if bytes are ten cycles apart or more.
    broken : In(1)
        A byte from the host was damaged.
    sent : Out(stream of 8)
        To the host.
    status : Out(LinkStatus)
    memory : Out(MemoryPort)
        Only with a memory.
    array1, array2, ... : Out(ArrayPins)
        As of `Trainer`.

    Latency
    -------
    See the parts.
    """

    def __init__(
        self,
        config: Config,
        identity: Identity,
        weights: Sequence[Weights] | None = None,
        *,
        counters: bool = True,
        trace: bool = False,
        address_bits: int = 0,
    ) -> None:
        self._config = config
        self._trace = trace
        self._identity = identity
        self._counters = counters
        self._address_bits = address_bits
        self._trainer = Trainer(config, weights)
        super().__init__(
            {
                "received": In(stream.Signature(8, always_ready=True)),
                "broken": In(1),
                "sent": Out(stream.Signature(8)),
                "status": Out(LinkStatus()),
                **({"memory": Out(MemoryPort(address_bits))} if address_bits else {}),
                **arrays_of(self._trainer),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sizes = Sizes.of(self._config)
        trainer = self._trainer
        m.submodules.requests = requests = RequestBuffer(sizes.buffer)
        m.submodules.answers = answers = AnswerBuffer(sizes.slot)
        m.submodules.executor = executor = self._make_executor()
        m.submodules.trainer = ResetInserter({"sync": executor.reset_machine})(trainer)
        connect(m, flipped(self.received), requests.frames)
        connect(m, requests.bytes, executor.bytes)
        connect(m, executor.answer, answers.bytes)
        connect(m, answers.frames, flipped(self.sent))
        connect(m, executor.samples, trainer.samples)
        connect(m, executor.access, trainer.access)
        connect(m, trainer.results, executor.results)
        connect_arrays(m, trainer, self)
        if self._address_bits:
            connect(m, executor.memory, flipped(self.memory))
        m.d.comb += [
            requests.broken.eq(self.broken),
            *(getattr(executor, name).eq(getattr(requests, name)) for name in _FROM_REQUESTS),
            requests.open.eq(executor.open),
            requests.forget.eq(executor.forget),
            answers.slot.eq(executor.slot),
            answers.restart.eq(executor.restart),
            answers.again.eq(executor.resend),
            answers.again_slot.eq(executor.resend_slot),
            executor.busy.eq(answers.busy),
            executor.values.valid.eq(trainer.values.valid),
            executor.values.p.eq(trainer.values.p),
            trainer.values.ready.eq(executor.values.ready),
            executor.idle.eq(trainer.idle),
            self.status.session.eq(requests.session != 0),
            self.status.training.eq(executor.training),
            self.status.classifying.eq(executor.classifying),
            self.status.resent.eq(executor.resend),
        ]
        if self._counters:
            m.d.comb += executor.counters.eq(trainer.counters)
        if self._trace:
            self._record(m, executor, trainer)
        with m.If(requests.damaged | executor.refused):
            m.d.sync += self.status.error.eq(1)
        with m.If(executor.open):
            m.d.sync += self.status.error.eq(0)
        return m

    def _make_executor(self) -> Executor:
        read = {"counters": self._counters, "trace": self._trace}
        if self._address_bits:
            return StoringExecutor(self._config, self._identity, **read, address_bits=self._address_bits)
        return Executor(self._config, self._identity, **read)

    def _record(self, m: Module, executor: Executor, trainer: Trainer) -> None:
        m.submodules.recorder = recorder = TraceRecorder(self._config)
        m.d.comb += [
            *(getattr(recorder, name).eq(getattr(trainer, name)) for name in traces_of(self._config)),
            recorder.training.eq(trainer.training),
            recorder.address.eq(executor.trace_address),
            executor.trace_word.eq(recorder.word),
        ]


_FROM_REQUESTS = ("left", "session", "asked", "opening", "closed", "again", "sequence")
