"""Figures for other programs to read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..model.files import write_whole


def check_json_path(path: Path | None) -> None:
    """Fail before hours of work rather than after, if figures could not be written to `path`.

    Raises
    ------
    OSError
        If `path` is a directory, or its parent is not one.
    """
    if path is None:
        return
    if path.is_dir():
        raise IsADirectoryError(None, "is a directory; --json takes a file", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(None, "there is no such directory to write --json to", str(path.parent))


def write_json(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write `figures` to `path`, whole or not at all; do nothing without a path.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if path is not None:
        write_whole(path, (json.dumps(figures, indent=2) + "\n").encode("ascii"))
