"""Executes requests on a machine beside a memory: STORE, REPLAY and REPLAY_BLOCK besides all others."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib.wiring import Out, connect, flipped

from ..model.config import Config
from .executor import Executor, Work
from .identity import Identity
from .protocol import ADDRESS_BYTES, WORD_BYTES, Command, Status
from .sample_store import SampleStore
from .sdram import MemoryPort


class StoringExecutor(Executor):
    """Leads requests from their first byte to the end of their answer, those of stored samples too.

    Parameters
    ----------
    config, identity, counters, trace
        As of `Executor`.
    address_bits : int
        Of a word of the memory.

    Members
    -------
    memory : Out(MemoryPort)
    ...
        The others as of `Executor`.

    Latency
    -------
    As of `Executor`. Addresses of a REPLAY, or the one of a block, are read and checked before its answer begins, at
    a cycle a byte.
    """

    LAST_COMMAND = Command.REPLAY

    def __init__(
        self, config: Config, identity: Identity, *, counters: bool = True, trace: bool = False, address_bits: int
    ) -> None:
        self._address_bits = address_bits
        super().__init__(config, identity, counters=counters, trace=trace)

    def _members(self) -> dict[str, Any]:
        return {**super()._members(), "memory": Out(MemoryPort(self._address_bits))}

    def _make_feeder(self) -> Any:
        return SampleStore(
            inputs=self._config.sizes[0],
            outputs=self._config.sizes[-1],
            per_beat=self._config.pixels_per_beat,
            address_bits=self._address_bits,
        )

    def _trains(self, work: Work) -> Value:
        return super()._trains(work) | _replays(work)

    def _unknown(self, work: Work) -> Value:
        return super()._unknown(work) & (work.command != Command.REPLAY_BLOCK)

    def _silent(self, work: Work) -> Value:
        return work.command == Command.REPLAY_BLOCK

    def _head_bytes(self, work: Work) -> Value:
        return Mux(work.command == Command.REPLAY_BLOCK, ADDRESS_BYTES, 0)

    def _measure(self, m: Module, work: Work) -> None:
        super()._measure(m, work)
        with m.If(work.command == Command.STORE):
            m.d.comb += work.item.eq(WORD_BYTES)
        with m.If(work.command == Command.REPLAY):
            m.d.comb += work.item.eq(ADDRESS_BYTES)

    def _check_places(self, m: Module, work: Work) -> None:
        with m.If((work.command == Command.STORE) & (work.word + work.count > 1 << self._address_bits)):
            m.d.sync += work.status.eq(Status.PLACE)
        with m.If(_replays(work)):
            m.next = "DROP"

    def _branch(self, m: Module, work: Work) -> None:
        super()._branch(m, work)
        with m.If(work.command == Command.STORE):
            m.next = "KEEP"
        with m.If(_replays(work)):
            m.next = "SAMPLES"

    def _samples(self, m: Module, work: Work, feeder: Any, results: Any) -> None:
        super()._samples(m, work, feeder, results)
        connect(m, feeder.memory, flipped(self.memory))
        # Registers: what is compared for them has long been steady, and long paths begin with them.
        m.d.sync += [feeder.replay.eq(_replays(work)), feeder.onward.eq(work.command == Command.REPLAY_BLOCK)]
        self._queue(m, work, feeder)
        self._keep(m, work, feeder)

    def _queue(self, m: Module, work: Work, feeder: Any) -> None:
        """Forget what a session before has left, then take the addresses of a REPLAY, or the one of a block."""
        place = Cat(work.value[-8 * (ADDRESS_BYTES - 1) :], self.bytes.p)
        with m.State("DROP"):
            m.d.comb += feeder.drop.eq(1)
            with m.If(feeder.quiet):
                m.next = "PLACES"
        with m.State("PLACES"):
            m.d.comb += [
                feeder.places.p.eq(place),
                feeder.places.valid.eq(self.bytes.valid & (work.step == ADDRESS_BYTES - 1)),
                self.bytes.ready.eq(1),
            ]
            with m.If(self.bytes.valid):
                m.d.sync += [work.value.eq(Cat(work.value[8:], self.bytes.p)), work.step.eq(work.step + 1)]
            with m.If(feeder.places.valid):
                m.d.sync += work.step.eq(0)
                with m.If(place >> self._address_bits != 0):
                    m.d.sync += work.status.eq(Status.PLACE)
            with m.If(self.left == 0):
                m.next = "WAIT"

    def _keep(self, m: Module, work: Work, feeder: Any) -> None:
        """Write words to the memory."""
        m.d.comb += feeder.first.eq(work.word)
        with m.State("KEEP"):
            m.d.comb += feeder.begin.eq(1)
            m.next = "KEEP_BYTES"
        with m.State("KEEP_BYTES"):
            m.d.comb += [
                feeder.keep.eq(1),
                feeder.bytes.valid.eq(self.bytes.valid),
                self.bytes.ready.eq(feeder.bytes.ready),
            ]
            with m.If((self.left == 0) & feeder.kept):
                m.next = "END"


def _replays(work: Work) -> Value:
    return (work.command == Command.REPLAY) | (work.command == Command.REPLAY_BLOCK)
