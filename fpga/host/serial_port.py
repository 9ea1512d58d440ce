"""A serial port of the operating system as a transport."""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from ...model.errors import BoardError, LinkLostError, ToolError

try:
    import serial
except ImportError as error:
    raise ToolError("the package pyserial is missing: pip install 'stochastor[board]'") from error

LATENCY_S = 0.25
WRITE_TIMEOUT_S = 10.0
_REASONS = {
    errno.ENOENT: "there is no such port; plug the board in, or name another port",
    errno.EACCES: "permission denied; put yourself into the group that owns the port (often dialout), and log in anew",
    errno.EPERM: "permission denied; put yourself into the group that owns the port (often dialout), and log in anew",
    errno.EBUSY: "another program uses the port",
    errno.EAGAIN: "another program uses the port",
    errno.EWOULDBLOCK: "another program uses the port",
    errno.ENOTTY: "is no serial port",
    errno.EISDIR: "is no serial port",
    errno.EIO: "the port does not work; is its device still there?",
}


class SerialPort:
    """A serial port.

    Parameters
    ----------
    port : str
        As the system names it, such as ``/dev/ttyUSB0``.
    baud : int

    Attributes
    ----------
    name, latency_s
        As of `Transport`.

    Raises
    ------
    BoardError
        If the port is missing, busy, forbidden, or none, or cannot have the baud rate.
    """

    def __init__(self, port: str, baud: int) -> None:
        self.name = port
        self.latency_s = LATENCY_S
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True)
        except (serial.SerialException, OSError) as error:
            raise BoardError(f"{port}: {_reason(error)}") from None
        except ValueError as error:
            raise BoardError(f"{port}: cannot be set to {baud} baud: {error}") from None
        with suppress(Exception):  # Only some adapters can, and only on Linux.
            self._serial.set_low_latency_mode(True)
        with self._lost():
            self._serial.reset_input_buffer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write(self, content: bytes) -> None:
        """Send bytes."""
        with self._lost():
            self._serial.write(content)

    def read(self, timeout_s: float) -> bytes:
        """Bytes that came; empty if there are none for `timeout_s`."""
        with self._lost():
            self._serial.timeout = timeout_s
            first = self._serial.read(1)
            return bytes(first + self._serial.read(self._serial.in_waiting))

    def now(self) -> float:
        """Seconds of the host's clock."""
        return time.monotonic()

    def close(self) -> None:
        """Close the port."""
        with suppress(OSError, serial.SerialException):
            self._serial.close()

    @contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except (OSError, serial.SerialException, TypeError) as error:
            # pyserial meets a port that is closed under it with a TypeError.
            raise LinkLostError(f"{self.name}: the port is gone: {error}") from None


def _reason(error: Exception) -> str:
    """What is wrong with a port; pyserial keeps the number of some errors to itself."""
    number: Any = getattr(error, "errno", None)
    if number is None and error.__context__ is not None and error.__context__.args:
        number = error.__context__.args[0]
    return _REASONS.get(number, str(error))
