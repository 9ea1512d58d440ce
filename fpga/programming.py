"""Loading bitstreams through openFPGALoader."""

import os
import shutil
import subprocess
from pathlib import Path

from ..model.errors import ToolError
from .boards import Board, Family

LOADER = "openFPGALoader"
VARIABLE = "OPENFPGALOADER"


def load_command(loader: str, board: Board, bitstream: Path, *, flash: bool) -> list[str]:
    """The command line that loads `bitstream` into `board`, or into its flash; an iCE40 is loaded by its flash only."""
    to_flash = flash or board.family is Family.ICE40
    return [loader, "--board", board.programmer, "--write-flash" if to_flash else "--write-sram", str(bitstream)]


def load(board: Board, bitstream: Path, *, flash: bool) -> None:
    """Load `bitstream` into `board`.

    Raises
    ------
    ToolError
        If openFPGALoader is missing or fails.
    """
    chosen = os.environ.get(VARIABLE, LOADER)
    loader = shutil.which(chosen)
    if loader is None:
        raise ToolError(f"{chosen} is missing: apt-get install openfpgaloader")
    result = subprocess.run(load_command(loader, board, bitstream, flash=flash), stdin=subprocess.DEVNULL, check=False)
    if result.returncode:
        raise ToolError(
            f"{LOADER} failed with exit code {result.returncode}: is the board connected, and may you use it?"
        )
