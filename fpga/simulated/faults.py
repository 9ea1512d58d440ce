"""A bad line: frames get lost, damaged, cut, doubled, and noise comes between them."""

from collections.abc import Iterator
from random import Random

from ..host.transport import Transport

DELIMITER = b"\0"
FAULTS = ("lose", "damage", "cut", "repeat", "repeat an old one", "noise")
REMEMBERED = 20


class FaultyLine:
    """A transport that does to every frame, in both directions, what bad lines do.

    Parameters
    ----------
    transport : Transport
        The good line.
    share : float
        Of the frames that something happens to.
    seed : int
        Of what happens; the same seed gives the same faults.

    Attributes
    ----------
    faults : dict of int
        How often each fault happened.
    """

    def __init__(self, transport: Transport, share: float, seed: int) -> None:
        self.name = transport.name
        self.latency_s = transport.latency_s
        self.share = share
        self.faults = dict.fromkeys(FAULTS, 0)
        self._transport = transport
        self._random = Random(seed)
        self._out = _Frames()
        self._in = _Frames()

    def write(self, content: bytes) -> None:
        """Send bytes, or what is left of them."""
        self._transport.write(b"".join(self._spoil(frame, self._out) for frame in self._out.feed(content)))

    def read(self, timeout_s: float) -> bytes:
        """Bytes that came, or what is left of them."""
        content = self._transport.read(timeout_s)
        return b"".join(self._spoil(frame, self._in) for frame in self._in.feed(content))

    def now(self) -> float:
        """Seconds of the line's clock."""
        return self._transport.now()

    def close(self) -> None:
        """Give the line back."""
        self._transport.close()

    def _spoil(self, frame: bytes, direction: "_Frames") -> bytes:
        if self._random.random() >= self.share:
            return frame
        fault = self._random.choice(FAULTS)
        self.faults[fault] += 1
        if fault == "lose":
            return b""
        if fault == "damage":
            position = self._random.randrange(len(frame))
            wrong = frame[position] ^ 1 << self._random.randrange(8)
            return frame[:position] + bytes([wrong]) + frame[position + 1 :]
        if fault == "cut":
            start, stop = sorted(self._random.randrange(len(frame) + 1) for _ in range(2))
            return frame[:start] + frame[stop:]
        if fault == "repeat":
            return frame + frame
        if fault == "repeat an old one":
            return frame + self._random.choice(direction.old)
        return self._random.randbytes(self._random.randrange(1, 20)) + frame


class _Frames:
    """Cuts a direction into frames, and remembers some."""

    def __init__(self) -> None:
        self.old = [DELIMITER]
        self._begun = b""

    def feed(self, content: bytes) -> Iterator[bytes]:
        *ended, self._begun = (self._begun + content).split(DELIMITER)
        for frame in ended:
            self.old = [*self.old, frame + DELIMITER][-REMEMBERED:]
            yield frame + DELIMITER
