"""Packets of the host link as bytes (docs/host-link.md)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from ...model.errors import ToolError
from ..protocol import ANSWER_HEADER_BYTES, CRC_BYTES, REQUEST_BYTES, Command

try:
    from cobs import cobs
except ImportError as error:
    raise ToolError("the package cobs is missing: pip install 'stochastor[board]'") from error

DELIMITER = b"\0"
_REQUEST = struct.Struct("<IBBIBB")
_ANSWER = struct.Struct("<IBB")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a host asks, before it belongs to a session.

    Attributes
    ----------
    command : Command
    word, option, count : int
        32, 8 and 8 bits; their meaning is the command's.
    data : bytes
    answer_bytes : int
        Data in the answer.
    may_be_empty : bool
        An answer without data will do, too.
    cycles : int
        Clock cycles that the board takes at most.
    """

    command: Command
    word: int = 0
    option: int = 0
    count: int = 0
    data: bytes = b""
    answer_bytes: int = 0
    may_be_empty: bool = False
    cycles: int = 0

    def frame(self, session: int, sequence: int) -> bytes:
        """As it goes over the line."""
        header = _REQUEST.pack(session, sequence, self.command, self.word, self.option, self.count)
        return framed(header + self.data)

    @property
    def length(self) -> int:
        """Bytes of the packet, CRC included."""
        return REQUEST_BYTES + len(self.data)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a board answers.

    Attributes
    ----------
    session, sequence : int
        Of the request.
    status : int
    data : bytes
    """

    session: int
    sequence: int
    status: int
    data: bytes

    @classmethod
    def of(cls, packet: bytes) -> Self | None:
        """The answer in a packet without its CRC; None if it is none."""
        if len(packet) < ANSWER_HEADER_BYTES:
            return None
        session, sequence, status = _ANSWER.unpack(packet[:ANSWER_HEADER_BYTES])
        if not status & 0x80:
            return None
        return cls(session=session, sequence=sequence, status=status, data=packet[ANSWER_HEADER_BYTES:])

    def frame(self) -> bytes:
        """As it goes over the line."""
        return framed(_ANSWER.pack(self.session, self.sequence, self.status) + self.data)


def framed(packet: bytes) -> bytes:
    """A packet with its CRC, as a frame."""
    checked = packet + zlib.crc32(packet).to_bytes(CRC_BYTES, "little")
    return bytes(cobs.encode(checked)) + DELIMITER


def unframed(frame: bytes) -> bytes | None:
    """The packet in a frame without its delimiter; None if the frame is damaged."""
    try:
        checked = bytes(cobs.decode(frame))
    except cobs.DecodeError:
        return None
    packet, checksum = checked[:-CRC_BYTES], checked[-CRC_BYTES:]
    if len(checked) < CRC_BYTES or zlib.crc32(packet).to_bytes(CRC_BYTES, "little") != checksum:
        return None
    return packet


class Frames:
    """Puts what comes over a line together to packets.

    Attributes
    ----------
    damaged : int
        Frames that were dropped so far.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._begun = bytearray()

    def feed(self, content: bytes) -> Iterator[bytes]:
        """The whole packets that `content` completes."""
        *ended, rest = content.split(DELIMITER)
        for part in ended:
            self._begun += part
            if self._begun:
                packet = unframed(bytes(self._begun))
                self._begun.clear()
                if packet is None:
                    self.damaged += 1
                else:
                    yield packet
        self._begun += rest


def line_bytes(length: int) -> int:
    """Bytes of a frame of `length` bytes of packet, at most."""
    return length + length // 254 + 2
