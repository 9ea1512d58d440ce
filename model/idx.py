"""IDX, the file format of MNIST: a big-endian header, then the bytes (http://yann.lecun.com/exdb/mnist)."""

import gzip
import hashlib
import math
import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .table_files import Arrays

UNSIGNED_BYTE = 0x08
ELEMENT_TYPES = {0x08: "unsigned byte", 0x09: "signed byte", 0x0B: "short", 0x0C: "int", 0x0D: "float", 0x0E: "double"}
GZIP_MAGIC = b"\x1f\x8b"
SUMS = "SHA256SUMS"
SUMS_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)")


def read_idx_directory(directory: Path) -> Arrays:
    """Read the four files of an MNIST-like set, raw or gzip.

    The files are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same of ``t10k``, with or without
    ``.gz``, or with a dot before ``idx``. A raw file goes before its compressed twin. Where a ``SHA256SUMS`` stands
    beside them, the files that it lists are checked against it.

    Returns
    -------
    train_features, train_labels, test_features, test_labels : ndarray
        uint8 of shape (samples, rows * columns) and int64 of shape (samples,).

    Raises
    ------
    DataError
        If a file is missing, damaged, or not what its name says.
    """
    if not directory.is_dir():
        raise DataError(f"{directory}: is not a directory; idx:DIR needs one with {_names('train', 'images')[0]} in it")
    sums = _read_sums(directory / SUMS)
    return (*_read_part(directory, "train", sums), *_read_part(directory, "t10k", sums))


def parse_idx(data: bytes, dimensions: int, where: str) -> NDArray[np.uint8]:
    """Parse an IDX file of unsigned bytes.

    Parameters
    ----------
    data : bytes
        The file, uncompressed.
    dimensions : int
        Dimensions that it must have: 3 for images, 1 for labels.
    where : str
        The file's name, for messages.

    Returns
    -------
    ndarray of uint8
        Of the shape that the header gives.

    Raises
    ------
    DataError
        If it is another kind of file, truncated, or longer than its header says.
    """
    if len(data) >= 4:
        _check_magic(data[:4], dimensions, where)
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataError(f"{where}: is truncated: {len(data)} bytes, its header alone needs {start}")
    shape = tuple(int.from_bytes(data[at : at + 4]) for at in range(4, start, 4))
    wanted = start + math.prod(shape)
    if len(data) != wanted:
        fault = "is truncated" if len(data) < wanted else f"has {len(data) - wanted} trailing bytes"
        raise DataError(f"{where}: {fault}: {len(data)} bytes, its header {_times(shape)} needs {wanted}")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _check_magic(magic: bytes, dimensions: int, where: str) -> None:
    wanted = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if magic[:2] == bytes(2) and magic[2] in ELEMENT_TYPES and magic[2] != UNSIGNED_BYTE:
        raise DataError(f"{where}: its elements are of type {ELEMENT_TYPES[magic[2]]}, they must be unsigned bytes")
    if magic != wanted:
        raise DataError(
            f"{where}: its magic number is 0x{magic.hex()}, an IDX file of {dimensions}-dimensional unsigned bytes "
            f"has 0x{wanted.hex()}"
        )


def _read_part(directory: Path, part: str, sums: dict[str, str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images_path, labels_path = (_find(directory, _names(part, kind)) for kind in ("images", "labels"))
    images = parse_idx(_read(images_path, sums), 3, str(images_path))
    labels = parse_idx(_read(labels_path, sums), 1, str(labels_path))
    if not images.size:
        raise DataError(f"{images_path}: is empty: its header says {_times(images.shape)}, each must be 1 or more")
    if len(images) != len(labels):
        raise DataError(f"{labels_path}: has {len(labels)} labels for {len(images)} images: one each is needed")
    return images.reshape(len(images), -1), labels.astype(np.int64)


def _names(part: str, kind: str) -> tuple[str, ...]:
    suffix = {"images": "idx3-ubyte", "labels": "idx1-ubyte"}[kind]
    return tuple(f"{part}-{kind}{join}{suffix}{end}" for join in "-." for end in ("", ".gz"))


def _find(directory: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise DataError(f"{directory}: has none of the files {', '.join(names)}")


def _read(path: Path, sums: dict[str, str]) -> bytes:
    data = _read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if digest != sums.get(path.name, digest):
        raise DataError(f"{path}: is damaged: its SHA-256 is {digest}, {SUMS} says {sums[path.name]}")
    if not data.startswith(GZIP_MAGIC):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{path}: is damaged gzip data: fetch or compress it again") from None


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _read_sums(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    sums = {}
    for number, line in enumerate(_read_bytes(path).decode("utf-8", "replace").splitlines(), start=1):
        match = SUMS_LINE.fullmatch(line)
        if line and not match:
            raise DataError(f"{path}: line {number} must be a SHA-256, two spaces and a file name, not {line[:40]!r}")
        if match:
            sums[match[2]] = match[1].lower()
    return sums


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
