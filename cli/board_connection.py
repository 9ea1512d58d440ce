"""Options that lead to a board, and the connection they ask for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.config import Config
from ..model.errors import BoardError, StochastorError
from .console import notices

if TYPE_CHECKING:
    from ..fpga.host.board import Board
    from ..fpga.host.stored import Stored

PortOption = Annotated[
    str | None,
    typer.Option("--port", metavar="PORT", help="Serial port of the board, as /dev/ttyUSB0.", show_default=False),
]
SimulatedOption = Annotated[
    bool,
    typer.Option("--simulated", help="A board in compiled simulation, serial pins included, instead of a port."),
]
MemoryOption = Annotated[
    bool, typer.Option("--memory", help="The simulated board has a memory for samples, as a ULX3S has.")
]
TraceOption = Annotated[
    bool, typer.Option("--trace", help="The simulated board keeps traces, as one does that is built with --trace.")
]
BaudOption = Annotated[
    int | None,
    typer.Option("--baud", metavar="RATE", help="Baud rate of the board, instead of the configuration's.", min=1),
]


@contextmanager
def connect(
    config: Config,
    port: str | None,
    simulated: bool,
    baud: int | None,
    *,
    memory: bool = False,
    trace: bool = False,
    sessions: Iterable[int] = (),
    stored: "Stored | None" = None,
) -> "Iterator[Board]":
    """The board at `port`, or a simulated one behind a pseudo-terminal, checked to be of `config`.

    Parameters
    ----------
    config : Config
    port : str, optional
    simulated : bool
    baud : int, optional
    memory, trace : bool
        Whether a simulated board has one, and keeps them.
    sessions, stored
        As of `Board`.

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
    if memory and not simulated:
        raise BoardError("--memory is for --simulated: a board at a --port says itself whether it has a memory")
    if port is not None:
        with _open(config, port, baud or config.baud, sessions, stored) as board:
            yield board
        return
    with (
        simulated_port(config, baud, memory=memory, trace=trace) as (path, rate),
        _open(config, path, rate, sessions, stored) as board,
    ):
        yield board


@contextmanager
def simulated_port(
    config: Config, baud: int | None, *, memory: bool = False, trace: bool = False
) -> Iterator[tuple[str, int]]:
    """A simulated board behind a pseudo-terminal: name of the port, and baud rate."""
    from ..fpga.simulated.board import SimulatedBoard
    from ..fpga.simulated.port import SimulatedPort

    machine = config if baud is None else replace(config, baud=baud)
    with notices.status("building the simulated board"):
        simulation = SimulatedBoard(machine, memory=memory, trace=trace)
    with simulation, SimulatedPort(simulation) as port:
        try:
            yield port.path, machine.baud
        except StochastorError:
            # What stopped the simulation comes before what the host saw of it.
            if port.failure is not None:
                raise port.failure from None
            raise


@contextmanager
def _open(config: Config, port: str, baud: int, sessions: Iterable[int], stored: "Stored | None") -> "Iterator[Board]":
    from ..fpga.host.board import Board
    from ..fpga.host.serial_port import SerialPort
    from ..fpga.host.stored import NOTHING_STORED

    with SerialPort(port, baud) as line:
        yield Board(line, config, sessions=sessions, stored=stored or NOTHING_STORED)
