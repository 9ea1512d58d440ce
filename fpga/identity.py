"""What a board says of itself."""

import re
from dataclasses import dataclass
from importlib.metadata import version
from struct import Struct
from typing import Self

from ..model.config import Config
from .protocol import PROTOCOL, Sizes

FORMAT = Struct("<B3B32sIIIII")
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The part of a board's identity that never changes.

    Attributes
    ----------
    protocol : int
    version : tuple of int
        Of stochastor: major, minor, patch.
    config : str
        SHA-256 of the configuration, hexadecimal.
    clock_hz, baud : int
    buffer_bytes : int
        Request buffer.
    answer_bytes : int
        Longest answer, CRC included.
    capacity : int
        Words of 16 bits that the memory holds; 0 if there is none.
    """

    protocol: int
    version: tuple[int, int, int]
    config: str
    clock_hz: int
    baud: int
    buffer_bytes: int
    answer_bytes: int
    capacity: int

    @classmethod
    def of(cls, config: Config, clock_hz: int, capacity: int = 0) -> Self:
        """Of a board that is built now."""
        sizes = Sizes.of(config)
        return cls(
            protocol=PROTOCOL,
            version=own_version(),
            config=config.digest,
            clock_hz=clock_hz,
            baud=config.baud,
            buffer_bytes=sizes.buffer,
            answer_bytes=sizes.answer,
            capacity=capacity,
        )

    def to_bytes(self) -> bytes:
        """As it crosses the link."""
        digest = bytes.fromhex(self.config)
        numbers = self.clock_hz, self.baud, self.buffer_bytes, self.answer_bytes, self.capacity
        return FORMAT.pack(self.protocol, *self.version, digest, *numbers)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """What `to_bytes` gave."""
        protocol, major, minor, patch, digest, *numbers = FORMAT.unpack(content)
        clock_hz, baud, buffer_bytes, answer_bytes, capacity = numbers
        return cls(
            protocol=protocol,
            version=(major, minor, patch),
            config=digest.hex(),
            clock_hz=clock_hz,
            baud=baud,
            buffer_bytes=buffer_bytes,
            answer_bytes=answer_bytes,
            capacity=capacity,
        )


def own_version() -> tuple[int, int, int]:
    """Version of this stochastor."""
    found = VERSION.match(version("stochastor"))
    assert found is not None
    major, minor, patch = found.groups()
    return int(major) % 256, int(minor) % 256, int(patch) % 256
