"""Simulator builds, cached by the content of everything that goes into them."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def cache_directory() -> Path:
    """Where builds are kept: ``$STOCHASTOR_CACHE_DIR``, or ``stochastor`` in the user's cache directory."""
    chosen = os.environ.get("STOCHASTOR_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stochastor"


def cached(kind: str, contents: Iterable[str | bytes], build: Callable[[Path], None]) -> Path:
    """Return a directory that `build` has filled, from the cache if the same contents were built before.

    Parameters
    ----------
    kind : str
        Human-readable first part of the directory's name.
    contents : iterable of str or bytes
        Everything that decides the build: sources, options, tool versions.
    build : callable
        Fills the directory it is given; if it raises, nothing is kept.
    """
    digest = hashlib.sha256()
    for content in contents:
        data = content.encode() if isinstance(content, str) else content
        digest.update(len(data).to_bytes(8, "little") + data)
    final = cache_directory() / f"{kind}-{digest.hexdigest()[:24]}"
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=final.parent))
    try:
        build(scratch)
        _publish(scratch, final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return final


def _publish(scratch: Path, final: Path) -> None:
    """Move a finished build into place, unless somebody else was faster."""
    try:
        scratch.rename(final)
    except OSError:
        if not final.is_dir():
            raise
