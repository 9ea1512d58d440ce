"""Samples in files of common formats: CSV and NumPy's NPZ."""

import csv
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError

FEATURE_MAX = 255
LABEL_MAX = 65_534
DAMAGE = (ValueError, EOFError, RuntimeError, MemoryError, OverflowError, struct.error, zlib.error, zipfile.BadZipFile)
NPZ_KEYS = ("train_features", "train_labels", "test_features", "test_labels")

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]


def read_csv(path: Path) -> Arrays:
    """Read comma-separated samples: the label in the first column, features after it.

    A first line whose first cell is not a number is a header. The last fifth of the samples (rounded down), in file
    order, is the test set.

    Returns
    -------
    train_features, train_labels, test_features, test_labels : ndarray
        uint8 of shape (samples, inputs) and int64 of shape (samples,).

    Raises
    ------
    DataError
        Naming the line and column at fault, or if there are fewer than 5 samples.
    """
    labels, features = [], bytearray()
    for where, cells in _csv_lines(path):
        label, row = _csv_sample(where, cells)
        labels.append(label)
        features += row
    if len(labels) < 5:
        raise DataError(f"{path}: has {len(labels)} samples, 5 or more are needed: the last fifth is the test set")
    matrix = np.frombuffer(bytes(features), dtype=np.uint8).reshape(len(labels), -1)
    vector = np.array(labels, dtype=np.int64)
    train = len(labels) - len(labels) // 5
    return matrix[:train], vector[:train], matrix[train:], vector[train:]


def read_npz(path: Path) -> Arrays:
    """Read the arrays train_features, train_labels, test_features and test_labels of an NPZ archive.

    Features may have more than one dimension after the first; they are flattened in C order. Any real dtype will do
    where all values are whole numbers in range. Nothing is unpickled.

    Returns
    -------
    train_features, train_labels, test_features, test_labels : ndarray
        uint8 of shape (samples, inputs) and int64 of shape (samples,).

    Raises
    ------
    DataError
        Naming the array and the index at fault.
    """
    arrays = _npz_arrays(path)
    train_features, test_features = (
        _npz_features(f"{path}: {key}", arrays[key]) for key in ("train_features", "test_features")
    )
    train_labels, test_labels = (_npz_labels(f"{path}: {key}", arrays[key]) for key in ("train_labels", "test_labels"))
    return train_features, train_labels, test_features, test_labels


def _csv_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    width = 0
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, strict=True)
            for cells in filter(None, reader):
                where = f"{path}: line {reader.line_num}"
                if len(cells) != (width or len(cells)) or len(cells) < 2:
                    needed = f"{width}, as the lines before" if width else "a label and one feature or more"
                    raise DataError(f"{where} has {len(cells)} comma-separated cells, it must have {needed}")
                if width or _is_number(cells[0]):
                    yield where, cells
                width = len(cells)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not comma-separated text: {error}") from None


def _csv_sample(where: str, cells: list[str]) -> tuple[int, bytes]:
    try:
        label, *features = map(int, cells)
        row = bytes(features)
        if 0 <= label <= LABEL_MAX and not any("_" in cell for cell in cells):
            return label, row
    except ValueError:
        pass
    label, *features = (
        _csv_whole(f"{where}, column {column}: {'feature' if column > 1 else 'label'}", cell, high)
        for column, (cell, high) in enumerate(zip(cells, [LABEL_MAX] + [FEATURE_MAX] * len(cells), strict=False), 1)
    )
    return label, bytes(features)


def _csv_whole(where: str, cell: str, high: int) -> int:
    if not _is_number(cell) or not float(cell).is_integer() or not 0 <= float(cell) <= high:
        raise DataError(f"{where} must be a whole number from 0 to {high}, not {cell[:40]!r}")
    return int(float(cell))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _npz_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise DataError(f"{path}: is not an NPZ archive, or is truncated")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                _check_npz_keys(path, archive.files)
                return {key: _npz_array(path, archive, key) for key in NPZ_KEYS}
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or 'it is damaged'}") from None
    except DAMAGE:
        raise DataError(f"{path}: is a damaged NPZ archive: save it again with numpy.savez") from None


def _check_npz_keys(path: Path, keys: list[str]) -> None:
    missing = [key for key in NPZ_KEYS if key not in keys]
    if missing:
        raise DataError(
            f"{path}: has no array {', '.join(missing)}; it holds {', '.join(keys) or 'none'}, "
            f"but {', '.join(NPZ_KEYS)} are needed"
        )


def _npz_array(path: Path, archive: Any, key: str) -> NDArray[Any]:
    try:
        return np.asarray(archive[key])
    except DAMAGE:
        raise DataError(f"{path}: {key} is damaged or holds Python objects: it must be an array of numbers") from None


def _npz_features(where: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.ndim < 2 or not array.size:
        raise DataError(f"{where} must be of shape (samples, inputs) and not empty, not {array.shape}")
    return _whole_numbers(where, array.reshape(len(array), -1), FEATURE_MAX).astype(np.uint8)


def _npz_labels(where: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.ndim != 1:
        raise DataError(f"{where} must be of shape (samples,), not {array.shape}")
    return _whole_numbers(where, array, LABEL_MAX).astype(np.int64)


def _whole_numbers(where: str, array: NDArray[Any], high: int) -> NDArray[Any]:
    if array.dtype.kind not in "iuf":
        raise DataError(f"{where} must be whole numbers from 0 to {high}, not of type {array.dtype}")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    bad = np.argwhere((array != np.floor(array)) | (array < 0) | (array > high))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise DataError(f"{where}{list(index)} must be a whole number from 0 to {high}, not {array[index]}")
    return array
