"""What carries bytes between host and board."""

from typing import Protocol


class Transport(Protocol):
    """Bytes to and from a board, and the clock that time-outs are counted in.

    Attributes
    ----------
    name : str
        For messages.
    latency_s : float
        How long bytes may take beside their time on the line, there and back.
    """

    name: str
    latency_s: float

    def write(self, content: bytes) -> None:
        """Send bytes; they may still be under way when it returns.

        Raises
        ------
        LinkLostError
            If the line is gone.
        """

    def read(self, timeout_s: float) -> bytes:
        """Bytes that came; empty if there are none for `timeout_s`.

        Raises
        ------
        LinkLostError
            If the line is gone.
        """

    def now(self) -> float:
        """Seconds of the transport's clock."""

    def close(self) -> None:
        """Give the line back."""
