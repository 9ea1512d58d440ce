"""``stochastor board program``: load a bitstream into a board."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from ..model.errors import RunError
from .build import FIGURES
from .console import output


def program(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `stochastor build` has written.")],
    flash: Annotated[bool, typer.Option("--flash", help="Write to flash, so that the board starts with it.")] = False,
) -> None:
    """Load a bitstream into the board that it was built for, through openFPGALoader.

    Examples:

        stochastor board program build/ulx3s
        stochastor board program build/icebreaker --flash
    """
    from ..fpga.boards import board
    from ..fpga.implementation import BITSTREAM
    from ..fpga.programming import load

    chosen = board(_board_of(directory))
    bitstream = directory / BITSTREAM[chosen.family]
    if not bitstream.is_file():
        raise RunError(f"{bitstream}: there is no such file; stochastor build writes it")
    load(chosen, bitstream, flash=flash)
    output.print(f"{bitstream} {'written to the flash of' if flash else 'loaded into'} {chosen.title}")


def _board_of(directory: Path) -> str:
    """The board that `directory` was built for.

    Raises
    ------
    RunError
        If it is not what `stochastor build` writes.
    """
    where = directory / FIGURES
    try:
        name = json_format.loads(where.read_text(encoding="ascii"))["board"]
    except OSError as error:
        raise RunError(f"{where}: cannot be read: {error.strerror}; stochastor build writes it") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{where}: is not what stochastor build writes") from None
    return str(name)
