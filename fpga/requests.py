"""Requests as they come: frames taken apart, checked, and kept until they are executed."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .checksum import Checksum
from .protocol import CRC_BYTES, REQUEST_BYTES, SLOTS, Command

ENVELOPE_BYTES = 5
LENGTH_BYTES = 2
LENGTH_BITS = 8 * LENGTH_BYTES
FULL_BLOCK = 255


class FrameDecoder(wiring.Component):
    """Takes the stuffing out of frames.

    Members
    -------
    frames : In(stream of 8)
        As on the line; always ready.
    broken : In(1)
        A byte of the frame is missing.
    bytes : Out(stream of 8)
        Contents; always ready.
    ended : Out(1)
        The frame ends; not in a cycle with a byte.
    whole : Out(1)
        With `ended`: nothing is missing in it.

    Latency
    -------
    None.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "frames": In(stream.Signature(8, always_ready=True)),
                "broken": In(1),
                "bytes": Out(stream.Signature(8, always_ready=True)),
                "ended": Out(1),
                "whole": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(8)
        zero_follows = Signal()
        missing = Signal()
        incoming = self.frames.p
        m.d.comb += self.whole.eq((left == 0) & ~missing)
        with m.If(self.broken):
            m.d.sync += missing.eq(1)
        with m.If(self.frames.valid):
            with m.If(incoming == 0):
                m.d.comb += self.ended.eq(1)
                m.d.sync += [left.eq(0), zero_follows.eq(0), missing.eq(0)]
            with m.Elif(left == 0):
                m.d.comb += [self.bytes.valid.eq(zero_follows), self.bytes.p.eq(0)]
                m.d.sync += [left.eq(incoming - 1), zero_follows.eq(incoming != FULL_BLOCK)]
            with m.Else():
                m.d.comb += [self.bytes.valid.eq(1), self.bytes.p.eq(incoming)]
                m.d.sync += left.eq(left - 1)
        return m


class RequestBuffer(wiring.Component):
    """Accepts the requests of a session in order, each once, and hands them out one by one.

    Parameters
    ----------
    size : int
        Bytes that are kept, a power of two.

    Members
    -------
    frames : In(stream of 8)
        As on the line; always ready, if bytes are ten cycles apart or more.
    broken : In(1)
        A byte was damaged.
    bytes : Out(stream of 8)
        Of the oldest request: command, word, option, count, data.
    left : Out(16)
        Bytes of it that are not handed out yet, that of `bytes` included.
    forget : In(1)
        Go on with the next request; while one is handed out, and not in a cycle in which a byte is taken.
    session : Out(32)
        The open one; 0 if there is none.
    asked : Out(32)
        Session of the request that `opening` or `closed` is about.
    opening : Out(1)
        A host opens the session `asked`; until `open`.
    open : In(1)
        Open it, at the next edge: what was accepted is dropped, and the OPEN itself counts as accepted.
    closed : Out(1)
        A request came while there is no session; one cycle.
    again : Out(1)
        A request came that had been accepted before; one cycle.
    sequence : Out(8)
        With `again`: its number.
    damaged : Out(1)
        A frame was dropped that was not whole or had a wrong CRC; one cycle.

    Latency
    -------
    A request is offered seven cycles after its frame ended, then a byte every two cycles.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        super().__init__(
            {
                "frames": In(stream.Signature(8, always_ready=True)),
                "broken": In(1),
                "bytes": Out(stream.Signature(8)),
                "left": Out(LENGTH_BITS),
                "forget": In(1),
                "session": Out(32),
                "asked": Out(32),
                "opening": Out(1),
                "open": In(1),
                "closed": Out(1),
                "again": Out(1),
                "sequence": Out(8),
                "damaged": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = FrameDecoder()
        m.submodules.checksum = checksum = Checksum()
        # A byte that is read while it is written is read again before it is used.
        m.submodules.ring = ring = memory.Memory(shape=8, depth=self._size, init=[], attrs={"no_rw_check": 1})
        write_port = ring.write_port()
        read_port = ring.read_port()
        start, end = Signal(range(self._size)), Signal(range(self._size))
        m.d.comb += [
            decoder.frames.valid.eq(self.frames.valid),
            decoder.frames.p.eq(self.frames.p),
            decoder.broken.eq(self.broken),
            checksum.bytes.p.eq(decoder.bytes.p),
            checksum.bytes.valid.eq(decoder.bytes.valid),
            checksum.start.eq(decoder.ended),
        ]
        self._accept(m, decoder, checksum, write_port, start, end)
        self._hand_out(m, read_port, start, end)
        with m.If(self.open):
            m.d.sync += end.eq(0)
        return m

    def _accept(
        self,
        m: Module,
        decoder: FrameDecoder,
        checksum: Checksum,
        write_port: memory.WritePort,
        start: Signal,
        end: Signal,
    ) -> None:
        """Write what comes behind the newest request, and make it one if it is the next."""
        session, sequence, command = Signal(32), Signal(8), Signal(8)
        position = Signal(LENGTH_BITS)
        kept = Signal(LENGTH_BITS)
        free = Signal(range(self._size))
        fits = Signal()
        expected = Signal(8)
        good = Signal()
        m.d.comb += [
            kept.eq(position - ENVELOPE_BYTES + LENGTH_BYTES),
            free.eq(start - end - 1),
            write_port.addr.eq(end + kept),
            write_port.data.eq(decoder.bytes.p),
            write_port.en.eq(decoder.bytes.valid & (position >= ENVELOPE_BYTES) & fits & (kept < free)),
            good.eq(decoder.ended & decoder.whole & checksum.match & (position >= REQUEST_BYTES)),
            self.damaged.eq(decoder.ended & ~good & ((position != 0) | ~decoder.whole)),
            self.sequence.eq(sequence),
        ]
        with m.If(decoder.bytes.valid):
            m.d.sync += position.eq(position + 1)
            with m.If(position < 4):
                m.d.sync += session.eq(_shifted_in(session, decoder.bytes.p))
            with m.Elif(position == ENVELOPE_BYTES - 1):
                m.d.sync += sequence.eq(decoder.bytes.p)
            with m.Elif(position == ENVELOPE_BYTES):
                m.d.sync += command.eq(decoder.bytes.p)
            with m.If((position >= ENVELOPE_BYTES) & (kept >= free)):
                m.d.sync += fits.eq(0)
        with m.If(decoder.ended):
            m.d.sync += [position.eq(0), fits.eq(1)]

        length = Signal(LENGTH_BITS)
        # Compared ahead of the end of a frame; one that ends as a session opens is dropped.
        ours, zero, none, opened = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            ours.eq(session == self.session),
            zero.eq(session == 0),
            none.eq(self.session == 0),
            opened.eq(self.open),
        ]
        with m.FSM(name="accept"):
            with m.State("RECEIVE"), m.If(good & ~self.opening & ~opened):
                with m.If((command == Command.OPEN) & ~zero & ~ours):
                    m.d.sync += [self.opening.eq(1), self.asked.eq(session)]
                with m.Elif(none):
                    m.d.comb += self.closed.eq(1)
                    m.d.sync += self.asked.eq(session)
                with m.Elif(ours & (sequence != expected)):
                    m.d.comb += self.again.eq((expected - sequence - 1)[:8] < SLOTS - 1)
                with m.Elif(ours & fits):
                    m.d.sync += [length.eq(kept - LENGTH_BYTES - CRC_BYTES), expected.eq(expected + 1)]
                    m.next = "LOW"
            with m.State("LOW"):
                m.d.comb += [write_port.addr.eq(end), write_port.data.eq(length), write_port.en.eq(1)]
                m.next = "HIGH"
            with m.State("HIGH"):
                m.d.comb += [write_port.addr.eq(end + 1), write_port.data.eq(length >> 8), write_port.en.eq(1)]
                m.d.sync += end.eq(end + length + LENGTH_BYTES)
                m.next = "RECEIVE"
        with m.If(self.open):
            m.d.sync += [self.opening.eq(0), self.session.eq(self.asked), expected.eq(1)]

    def _hand_out(self, m: Module, read_port: memory.ReadPort, start: Signal, end: Signal) -> None:
        """Offer byte after byte; memory is read at `start` alone, so that who takes them has no part in an address."""
        m.d.comb += [read_port.addr.eq(start), self.bytes.p.eq(read_port.data)]
        leave = self.forget | self.open
        with m.FSM(name="hand_out"):
            with m.State("LOW"), m.If(start != end):
                m.d.sync += [start.eq(start + 1), self.left[:8].eq(read_port.data)]
                m.next = "FETCH_HIGH"
                with m.If(leave):
                    m.next = "FETCH_LOW"
            with m.State("FETCH_HIGH"):
                m.next = "HIGH"
                with m.If(leave):
                    m.next = "FETCH_LOW"
            with m.State("HIGH"):
                m.d.sync += [start.eq(start + 1), self.left[8:].eq(read_port.data)]
                m.next = "FETCH"
                with m.If(leave):
                    m.next = "FETCH_LOW"
            with m.State("FETCH"):
                m.d.sync += self.bytes.valid.eq(self.left != 0)
                m.next = "BYTES"
                with m.If(leave):
                    m.next = "FETCH_LOW"
            with m.State("BYTES"):
                with m.If(self.bytes.valid & self.bytes.ready):
                    m.d.sync += [start.eq(start + 1), self.left.eq(self.left - 1), self.bytes.valid.eq(0)]
                    m.next = "FETCH"
                with m.If(leave):
                    m.next = "FETCH_LOW"
            with m.State("FETCH_LOW"), m.If(~leave):
                m.next = "LOW"
        with m.If(leave):
            m.d.sync += [start.eq(Mux(self.open, 0, start + self.left)), self.bytes.valid.eq(0)]


def _shifted_in(register: Signal, byte: Value) -> Value:
    """A register of little-endian bytes after one more came."""
    return Cat(register[8:], byte)
