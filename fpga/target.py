"""What is to be built."""

from dataclasses import dataclass

from ..model.config import Config
from .boards import Board
from .sdram_chip import Chip


@dataclass(frozen=True, kw_only=True)
class Target:
    """A machine, and the board that is to be it.

    Attributes
    ----------
    board : Board
    config : Config
    frequency_MHz : float or None
        The clock; None for the board's usual one, or what the machine meets if that is less.
    counters : bool
        Whether there are counters, which a host can read.
    trace : bool
        Whether the trace of the last training sample is kept, which a host can read.
    memory : bool
        Whether samples can be kept in the board's memory, if it has one.
    """

    board: Board
    config: Config
    frequency_MHz: float | None = None
    counters: bool = True
    trace: bool = False
    memory: bool = True

    @property
    def chip(self) -> Chip | None:
        """The memory that is taken."""
        return self.board.memory if self.memory else None

    @property
    def wanted_MHz(self) -> float:
        """The clock to begin with."""
        return self.board.frequency_MHz if self.frequency_MHz is None else self.frequency_MHz
