"""Options that lead to a board, and the connection they ask for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.config import Config
from ..model.errors import BoardError, StochastorError
from .console import notices

if TYPE_CHECKING:
    from ..fpga.host.board import Board

PortOption = Annotated[
    str | None,
    typer.Option("--port", metavar="PORT", help="Serial port of the board, as /dev/ttyUSB0.", show_default=False),
]
SimulatedOption = Annotated[
    bool,
    typer.Option("--simulated", help="A board in compiled simulation, serial pins included, instead of a port."),
]
BaudOption = Annotated[
    int | None,
    typer.Option("--baud", metavar="N", help="Baud rate that the board was built with; 1,000,000 by default.", min=1),
]


@contextmanager
def connect(
    config: Config, port: str | None, simulated: bool, baud: int | None, sessions: Iterable[int] = ()
) -> "Iterator[Board]":
    """The board at `port`, or a simulated one behind a pseudo-terminal, checked to be of `config`.

    Raises
    ------
    BoardError
        If not exactly one of port and simulation is wanted, or there is no board.
    ConfigError
        If the board is of another configuration.
    ToolError
        If a package or a tool is missing.
    """
    if (port is not None) == simulated:
        raise BoardError("which board? Give its --port, or --simulated")
    if port is not None:
        from ..fpga.protocol import DEFAULT_BAUD

        with _open(config, port, baud or DEFAULT_BAUD, sessions) as board:
            yield board
        return
    with simulated_port(config, baud) as (path, rate), _open(config, path, rate, sessions) as board:
        yield board


@contextmanager
def simulated_port(config: Config, baud: int | None) -> Iterator[tuple[str, int]]:
    """A simulated board behind a pseudo-terminal: name of the port, and baud rate."""
    from ..fpga.simulated.board import CLOCK_HZ, CLOCKS_PER_BIT, SimulatedBoard
    from ..fpga.simulated.port import SimulatedPort

    rate = baud or CLOCK_HZ // CLOCKS_PER_BIT
    with notices.status("building the simulated board"):
        simulation = SimulatedBoard(config, clock_hz=CLOCKS_PER_BIT * rate, baud=rate)
    with simulation, SimulatedPort(simulation) as port:
        try:
            yield port.path, rate
        except StochastorError:
            # What stopped the simulation comes before what the host saw of it.
            if port.failure is not None:
                raise port.failure from None
            raise


@contextmanager
def _open(config: Config, port: str, baud: int, sessions: Iterable[int]) -> "Iterator[Board]":
    from ..fpga.host.board import Board
    from ..fpga.host.serial_port import SerialPort

    with SerialPort(port, baud) as line:
        yield Board(line, config, sessions=sessions)
