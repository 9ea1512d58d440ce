"""A simulated board behind a pseudo-terminal, as if it were plugged in."""

import os
import pty
import select
import threading
import tty
from contextlib import suppress
from typing import Self

from ...model.errors import StochastorError
from .board import SimulatedBoard

SLICE_S = 0.01
QUIET_S = 1.0
READ_BYTES = 4096


class SimulatedPort:
    """A serial port with a simulated board at its end; time passes while the board is spoken to.

    Parameters
    ----------
    board : SimulatedBoard
        Its simulation runs in a thread of its own until `close`.

    Attributes
    ----------
    path : str
        Name of the port.
    failure : StochastorError or None
        Why the simulation stopped, which pulls the cable.
    """

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self._closing, self._close_now = os.pipe()
        self.failure: StochastorError | None = None
        self._thread = threading.Thread(target=self._run, name="simulated board", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Pull the cable: stop the simulation, and close the port."""
        if self._thread.is_alive():
            os.write(self._close_now, b"x")
            self._thread.join()
        for descriptor in (self._ours, self._theirs, self._closing, self._close_now):
            with suppress(OSError):
                os.close(descriptor)

    def _run(self) -> None:
        try:
            self._pass_bytes()
        except StochastorError as error:
            self.failure = error
            ours, self._ours = self._ours, -1
            os.close(ours)

    def _pass_bytes(self) -> None:
        """Pass bytes on, and rest once the board has been silent for long."""
        quiet_s = QUIET_S
        while True:
            at_rest = quiet_s >= QUIET_S and not self._board.sending
            ready, _, _ = select.select([self._ours, self._closing], [], [], None if at_rest else 0)
            if self._closing in ready:
                return
            if self._ours in ready:
                self._board.write(os.read(self._ours, READ_BYTES))
                quiet_s = 0.0
            content = self._board.read(SLICE_S)
            quiet_s = 0.0 if content else quiet_s + SLICE_S
            while content:
                content = content[os.write(self._ours, content) :]
