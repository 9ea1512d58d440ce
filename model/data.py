"""Data sets: 8-bit features and labels, from the source that a user names."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .download import DOWNLOADS, fetch
from .errors import DataError
from .idx import read_idx_directory
from .table_files import LABEL_MAX, Arrays, read_csv, read_npz

DIGITS_TEST_SAMPLES = 360
RANDOM_TRAIN_SAMPLES = 1000
RANDOM_TEST_SAMPLES = 200
FILE_READERS = {"idx": read_idx_directory, "npz": read_npz, "csv": read_csv}
LEGAL_SOURCES = f"digits, random, {', '.join(DOWNLOADS)}, idx:DIR, npz:FILE and csv:FILE"


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples to train on and samples to test with.

    Parameters
    ----------
    name : str
        The source, as `load_dataset` takes it.
    train_features, test_features : ndarray of uint8, shape (samples, inputs)
        C-contiguous.
    train_labels, test_labels : ndarray of int64, shape (samples,)
        C-contiguous; 0 to 65,534.

    Raises
    ------
    DataError
        If an array is of another dtype, shape or layout, a set is empty, or a label is out of range.
    """

    name: str
    train_features: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_features: NDArray[np.uint8]
    test_labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        for part, features, labels in self._parts():
            _check_arrays(f"{self.name}: {part}", features, labels)
            _check_labels(f"{self.name}: {part}", labels, LABEL_MAX)
        if self.test_features.shape[1] != self.inputs:
            raise DataError(
                f"{self.name}: test samples have {self.test_features.shape[1]} inputs, train samples have "
                f"{self.inputs}: they must have the same"
            )

    @property
    def inputs(self) -> int:
        """Features of a sample."""
        return int(self.train_features.shape[1])

    @property
    def classes(self) -> int:
        """One more than the largest label of both sets."""
        return 1 + max(int(self.train_labels.max()), int(self.test_labels.max()))

    def hold_out(self, samples: int) -> Self:
        """Make the last `samples` of the train set the test set, for tuning without the real one.

        Raises
        ------
        DataError
            If one of the two sets would be empty.
        """
        if not 0 < samples < len(self.train_labels):
            raise DataError(
                f"{self.name}: samples held out must be from 1 to {len(self.train_labels) - 1}, not {samples}"
            )
        return replace(
            self,
            train_features=self.train_features[:-samples],
            train_labels=self.train_labels[:-samples],
            test_features=self.train_features[-samples:],
            test_labels=self.train_labels[-samples:],
        )

    def _parts(self) -> tuple[tuple[str, NDArray[np.uint8], NDArray[np.int64]], ...]:
        return (
            ("train", self.train_features, self.train_labels),
            ("test", self.test_features, self.test_labels),
        )


def load_dataset(source: str, *, inputs: int | None = None, outputs: int | None = None) -> Dataset:
    """Load the data set that `source` names.

    =============== =====================================================================================
    `digits`        scikit-learn's 8x8 digits; 1,437 train and 360 test samples, a fixed split
    `mnist`         handwritten digits, 28x28; 60,000 train and 10,000 test samples, downloaded once
    `fashion-mnist` pictures of clothes of ten kinds, of the same sizes, likewise
    `random`        uniform features and labels, 1,000 train and 200 test samples, of `inputs` features
                    (64 if not given) and `outputs` classes (10 if not given): for exercising a machine
    `idx:DIR`       the four files of an MNIST-like set, raw or gzip; checked against ``DIR/SHA256SUMS``
                    where there is one
    `npz:FILE`      arrays train_features, train_labels, test_features and test_labels
    `csv:FILE`      a sample a line, its label first; the last fifth of the file is the test set, so a
                    file sorted by label has to be shuffled before
    =============== =====================================================================================

    Parameters
    ----------
    source : str
    inputs : int, optional
        Features that a sample must have.
    outputs : int, optional
        What every label must be less than.

    Raises
    ------
    DataError
        If the source is unknown, cannot be read, is damaged, or does not fit `inputs` and `outputs`.
    ToolError
        If pooch, which downloads, is needed and missing.
    """
    for name, size in (("inputs", inputs), ("outputs", outputs)):
        if size is not None and size < 1:
            raise DataError(f"{name} must be 1 or more, not {size}")
    dataset = _dataset(source, *_arrays(source, inputs, outputs))
    if inputs not in (None, dataset.inputs):
        raise DataError(f"{source}: samples have {dataset.inputs} inputs, the machine takes {inputs}")
    if outputs is not None:
        _check_labels(f"{source}: train", dataset.train_labels, outputs - 1)
        _check_labels(f"{source}: test", dataset.test_labels, outputs - 1)
    return dataset


def _arrays(source: str, inputs: int | None, outputs: int | None) -> Arrays:
    if source == "digits":
        return _digits()
    if source == "random":
        return (
            *_random("train", RANDOM_TRAIN_SAMPLES, inputs or 64, outputs or 10),
            *_random("test", RANDOM_TEST_SAMPLES, inputs or 64, outputs or 10),
        )
    if source in DOWNLOADS:
        return read_idx_directory(fetch(source))
    kind, _, place = source.partition(":")
    if kind not in FILE_READERS or not place:
        raise DataError(f"there is no data source {source!r}; the sources are {LEGAL_SOURCES}")
    return FILE_READERS[kind](Path(os.path.expanduser(place)))


def _dataset(name: str, *arrays: NDArray[np.uint8] | NDArray[np.int64]) -> Dataset:
    train_features, train_labels, test_features, test_labels = arrays
    return Dataset(
        name=name,
        train_features=np.ascontiguousarray(train_features, dtype=np.uint8),
        train_labels=np.ascontiguousarray(train_labels, dtype=np.int64),
        test_features=np.ascontiguousarray(test_features, dtype=np.uint8),
        test_labels=np.ascontiguousarray(test_labels, dtype=np.int64),
    )


def _digits() -> Arrays:
    from sklearn.datasets import load_digits  # a second of import that the other sources need not pay

    sixteenths, labels = load_digits(return_X_y=True)
    features = ((sixteenths.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)
    order = sorted(range(len(labels)), key=lambda index: hashlib.sha256(b"stochastor digits %d" % index).digest())
    train, test = order[:-DIGITS_TEST_SAMPLES], order[-DIGITS_TEST_SAMPLES:]
    return features[train], labels[train].astype(np.int64), features[test], labels[test].astype(np.int64)


def _random(part: str, samples: int, inputs: int, outputs: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    stream = hashlib.shake_128(f"stochastor random {part} {inputs} {outputs}".encode()).digest(samples * (inputs + 8))
    features = np.frombuffer(stream, dtype=np.uint8, count=samples * inputs).reshape(samples, inputs)
    words = np.frombuffer(stream, dtype="<u8", offset=samples * inputs)
    return features, (words % np.uint64(outputs)).astype(np.int64)


def _check_arrays(where: str, features: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    if features.dtype != np.uint8 or features.ndim != 2 or not features.flags.c_contiguous:
        raise DataError(
            f"{where} features must be C-contiguous uint8 of shape (samples, inputs), "
            f"not {features.dtype} {features.shape}"
        )
    if labels.dtype != np.int64 or labels.ndim != 1 or not labels.flags.c_contiguous:
        raise DataError(
            f"{where} labels must be C-contiguous int64 of shape (samples,), not {labels.dtype} {labels.shape}"
        )
    if len(features) != len(labels):
        raise DataError(f"{where} features of {len(features)} samples, but {len(labels)} labels: one each is needed")
    if not features.size:
        raise DataError(f"{where} features of shape {features.shape} are empty: a sample or more is needed")


def _check_labels(where: str, labels: NDArray[np.int64], label_max: int) -> None:
    bad = np.flatnonzero((labels < 0) | (labels > label_max))
    if len(bad):
        raise DataError(f"{where} label {labels[bad[0]]} of sample {bad[0]} must be from 0 to {label_max}")
