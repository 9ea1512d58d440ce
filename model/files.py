"""Writing files so that a reader meets the old content or the new, never a part."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content`, durably, or leave it as it was.

    Raises
    ------
    OSError
        Naming `path`, if it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            _write_durably(draft, content)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_together(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files by name into `directory`, which is made if need be; none of them if one cannot be written.

    Raises
    ------
    OSError
        If one cannot be written; what was there before stays.
    """
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    draft = directory / f".{os.getpid()}.tmp"
    try:
        draft.mkdir(parents=True)
        for name, content in files.items():
            write_whole(draft / name, content)
        for name in files:
            os.replace(draft / name, directory / name)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):
            for path in made:
                path.rmdir()
        raise
    draft.rmdir()


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """Make names in `directory` durable, where the platform can."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
