"""Answers: made into frames, remembered, sent, and sent again."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .checksum import Checksum
from .protocol import CRC_BYTES, SLOTS

FULL_BLOCK = 255


class AnswerByte(data.StructLayout):
    """A byte of an answer.

    Members
    -------
    byte : 8
    end : 1
        The answer is complete before it, and `byte` is none of it.
    """

    def __init__(self) -> None:
        super().__init__({"byte": 8, "end": 1})


class AnswerBuffer(wiring.Component):
    """Remembers the answers to the last requests, as the frames that they are sent in.

    Parameters
    ----------
    slot_bytes : int
        Room for a frame, a power of two.

    Members
    -------
    bytes : In(stream of AnswerByte)
        Answers without their CRC, one after the other.
    slot : In(range(8))
        Where the answer is remembered, steady from its first byte to its end: its sequence number modulo 8.
    busy : Out(1)
        The answer is complete, and its frame not yet, seen from the cycle after `end` on.
    restart : In(1)
        Forget what there is of the answer under way, and all that waits to be sent; while not `busy`.
    again : In(1)
        Send an answer once more; not the one under way.
    again_slot : In(range(8))
    frames : Out(stream of 8)
        Frames as on the line.

    Latency
    -------
    A byte takes nine cycles, and the last of 254 without a zero another one; an answer begins once the one before it
    in its slot is sent. A frame is offered eleven cycles after `end` at the soonest, then a byte every two.
    """

    def __init__(self, slot_bytes: int) -> None:
        self._slot_bytes = slot_bytes
        super().__init__(
            {
                "bytes": In(stream.Signature(AnswerByte())),
                "slot": In(range(SLOTS)),
                "busy": Out(1),
                "restart": In(1),
                "again": In(1),
                "again_slot": In(range(SLOTS)),
                "frames": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A frame is read only once it is complete.
        m.submodules.frames = frames = memory.Memory(
            shape=8, depth=SLOTS * self._slot_bytes, init=[], attrs={"no_rw_check": 1}
        )
        waiting = Signal(SLOTS)
        sending = Signal()
        sent_slot = Signal(range(SLOTS))
        done = Signal()
        self._send(m, frames.read_port(), waiting, sending, sent_slot)
        with m.If(self.again):
            m.d.sync += waiting.bit_select(self.again_slot, 1).eq(1)
        used = waiting.bit_select(self.slot, 1) | (sending & (sent_slot == self.slot))
        self._write(m, frames.write_port(), ~used, done)
        with m.If(done):
            m.d.sync += waiting.bit_select(self.slot, 1).eq(1)
        with m.If(self.restart):
            m.d.sync += waiting.eq(0)
        return m

    def _send(self, m: Module, read_port: memory.ReadPort, waiting: Signal, sending: Signal, sent_slot: Signal) -> None:
        """Send frame after frame, in the order of their slots; a frame ends with its zero."""
        offset = Signal(range(self._slot_bytes))
        m.d.comb += read_port.addr.eq(Cat(offset, sent_slot))
        with m.FSM(name="send") as send:
            m.d.comb += sending.eq(~send.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.sync += offset.eq(0)
                with m.If(waiting.bit_select(sent_slot, 1)):
                    m.d.sync += waiting.bit_select(sent_slot, 1).eq(0)
                    m.next = "FETCH"
                with m.Elif(waiting.any()):
                    m.d.sync += sent_slot.eq(sent_slot + 1)
            with m.State("FETCH"):
                m.next = "READ"
            with m.State("READ"):
                m.d.sync += [self.frames.p.eq(read_port.data), offset.eq(offset + 1)]
                m.next = "BYTE"
            with m.State("BYTE"):
                m.d.comb += self.frames.valid.eq(1)
                with m.If(self.frames.ready):
                    m.next = "READ"
                    with m.If(self.frames.p == 0):
                        m.d.sync += sent_slot.eq(sent_slot + 1)
                        m.next = "IDLE"

    def _write(self, m: Module, write_port: memory.WritePort, free: Value, done: Signal) -> None:
        """Stuff bytes on their way into the slot: where a zero would be, the length of the block before it goes."""
        m.submodules.checksum = checksum = Checksum()
        place, block = Signal(range(self._slot_bytes)), Signal(range(self._slot_bytes))
        length = Signal(8, init=1)
        crc_byte = Signal(range(CRC_BYTES))
        crc_bytes = Array(checksum.crc.word_select(index, 8) for index in range(CRC_BYTES))
        byte = Signal(8)
        put = Signal()
        address = Signal(range(self._slot_bytes))
        coming, came, take = Signal(AnswerByte()), Signal(), Signal()
        m.d.comb += self.bytes.ready.eq(~came)
        with m.If(self.bytes.ready):
            m.d.sync += [coming.eq(self.bytes.p), came.eq(self.bytes.valid)]
        with m.If(take | self.restart):
            m.d.sync += came.eq(0)
        m.d.comb += [
            byte.eq(coming.byte),
            checksum.bytes.p.eq(byte),
            write_port.addr.eq(Cat(address, self.slot)),
            write_port.data.eq(Mux(byte == 0, length, byte)),
            address.eq(Mux(byte == 0, block, place)),
        ]
        begin = [place.eq(1), block.eq(0), length.eq(1)]
        with m.If(put):
            m.d.comb += write_port.en.eq(1)
            m.d.sync += [place.eq(place + 1), length.eq(length + 1)]
            with m.If(byte == 0):
                m.d.sync += [block.eq(place), length.eq(1)]
        with m.FSM(name="write") as write:
            m.d.comb += self.busy.eq((came & coming.end) | (~write.ongoing("BEGIN") & ~write.ongoing("BYTES")))
            with m.State("BEGIN"):
                m.d.comb += checksum.start.eq(checksum.bytes.ready)
                m.d.sync += [*begin, crc_byte.eq(0)]
                with m.If(came & free & checksum.bytes.ready):
                    m.next = "BYTES"
            with m.State("BYTES"):
                with m.If(length == FULL_BLOCK):
                    self._close_block(m, write_port, address, block, place, length)
                with m.Elif(came & checksum.bytes.ready):
                    m.d.comb += [take.eq(1), put.eq(~coming.end), checksum.bytes.valid.eq(put)]
                    with m.If(coming.end):
                        m.next = "CHECKSUM"
                with m.If(self.restart):
                    m.next = "BEGIN"
            with m.State("CHECKSUM"):
                m.d.comb += byte.eq(crc_bytes[crc_byte])
                with m.If(length == FULL_BLOCK):
                    self._close_block(m, write_port, address, block, place, length)
                with m.Else():
                    m.d.comb += put.eq(1)
                    m.d.sync += crc_byte.eq(crc_byte + 1)
                    with m.If(crc_byte == CRC_BYTES - 1):
                        m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += [address.eq(block), write_port.data.eq(length), write_port.en.eq(1)]
                m.next = "ZERO"
            with m.State("ZERO"):
                m.d.comb += [address.eq(place), write_port.data.eq(0), write_port.en.eq(1), done.eq(1)]
                m.next = "BEGIN"

    def _close_block(
        self, m: Module, write_port: memory.WritePort, address: Signal, block: Signal, place: Signal, length: Signal
    ) -> None:
        """A block of 254 bytes ends without a zero."""
        m.d.comb += [address.eq(block), write_port.data.eq(length), write_port.en.eq(1)]
        m.d.sync += [block.eq(place), place.eq(place + 1), length.eq(1)]
