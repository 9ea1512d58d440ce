"""Ctrl-C and SIGTERM, held back while a sample is under way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """The process was asked to stop.

    Attributes
    ----------
    exit_code : int
        What a shell expects of a process that ends by this signal: 130 for Ctrl-C.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Interruption:
    """Context in which SIGINT and SIGTERM raise `Interrupted`, though never inside `held`.

    Signals that the process ignores stay ignored. Outside the main thread, which gets no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._holding = False
        self._pending: int | None = None
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive) or signal.SIG_DFL
        return self

    def __exit__(self, *exception: object) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block end before a signal that came during it raises `Interrupted`."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._pending is not None:
            number, self._pending = self._pending, None
            raise Interrupted(number)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self._holding:
            raise Interrupted(number)
        self._pending = number
