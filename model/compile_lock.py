"""Loops that several processes need are compiled by one of them: the others wait, and load what it has cached."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from filelock import FileLock


@contextmanager
def compile_lock(kernels: ModuleType, arrays: tuple[Any, ...]) -> Iterator[None]:
    """Be the only process that compiles the loops of `kernels` for arguments of the types of `arrays`.

    Compiling long loops takes minutes, and workers that start together would all do the same work.

    Parameters
    ----------
    kernels : module
    arrays : tuple
        What the loops work on.
    """
    with FileLock(_path(kernels, arrays)):
        yield


def _path(kernels: ModuleType, arrays: tuple[Any, ...]) -> Path:
    """The lock's file: one for each user, module and types of arguments."""
    from numba import typeof

    user = os.getuid() if hasattr(os, "getuid") else 0
    named = hashlib.sha256(f"{kernels.__file__}\n{typeof(arrays)}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"stochastor-{user}-{named}.lock"
