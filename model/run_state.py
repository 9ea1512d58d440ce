"""The state of a training run as one file, ``state.npz``."""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .crossbar import Weights
from .data import Dataset
from .errors import RunError, StochastorError
from .ledger import Counts

FORMAT = 1
MOST_RECORDS = 50
_BASELINE = "baseline_"
_ARRAY = "array_"
_DAMAGE = (ValueError, TypeError, LookupError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, StochastorError)


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """Which data a run is trained on.

    Attributes
    ----------
    source : str
        As given by the user, for example ``digits`` or ``idx:data/mnist``.
    sha256 : str
        Digest of all features and labels, training and test.
    train_samples, test_samples : int
    """

    source: str
    sha256: str
    train_samples: int
    test_samples: int

    @classmethod
    def of(cls, dataset: Dataset, source: str) -> Self:
        """The record of `dataset`, which `source` names."""
        digest = hashlib.sha256()
        for features, labels in (
            (dataset.train_features, dataset.train_labels),
            (dataset.test_features, dataset.test_labels),
        ):
            digest.update(repr(features.shape).encode("ascii"))
            digest.update(np.ascontiguousarray(features, dtype=np.uint8).tobytes())
            digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
        return cls(
            source=source,
            sha256=digest.hexdigest(),
            train_samples=len(dataset.train_labels),
            test_samples=len(dataset.test_labels),
        )


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What an epoch ended with.

    Attributes
    ----------
    epoch : int
        Epochs trained, 1 to E.
    exponent : int
        Thinning exponent k of the epoch.
    test_accuracy_votes16, baseline_test_accuracy : float
        Share of test samples classified correctly, 0 to 1.
    """

    epoch: int
    exponent: int
    test_accuracy_votes16: float
    baseline_test_accuracy: float


@dataclass(frozen=True, kw_only=True)
class FinalFigures:
    """What a finished run is worth, on the whole test set; accuracies from 0 to 1."""

    test_accuracy_votes16: float
    test_accuracy_votes1: float
    baseline_test_accuracy: float


def is_recorded(epoch: int, epochs: int) -> bool:
    """Whether a run of `epochs` is evaluated after `epoch` (1 to epochs): evenly spaced, the last one always."""
    return epoch == epochs or epoch % -(-epochs // MOST_RECORDS) == 0


@dataclass(frozen=True, kw_only=True)
class RunState:
    """Everything that a later bit, or a figure of the report, depends on.

    Attributes
    ----------
    config : Config
    data : DataRecord
    weights : list of ndarray of int32
        Of layers 1 to L, shape (rows, columns), in LSBs.
    array : dict of ndarray
        State of analog arrays; empty with exact ones.
    generator_states : list of int
        Of the training generators.
    baseline : dict of ndarray
        State of the float baseline.
    epoch, samples_done : int
        The position: epochs finished, and samples done in the one under way.
    counts : Counts
        Events of training and of the evaluations in `history`; from zero where a state of before there were any is gone
        on with.
    history : tuple of EpochRecord
        One for every epoch finished, in long runs for evenly spaced ones (`is_recorded`).
    machine_seconds, baseline_seconds : float
        Time spent training each learner.
    figures : FinalFigures or None
        None until the run is finished.
    """

    config: Config
    data: DataRecord
    weights: list[Weights]
    array: dict[str, NDArray[Any]]
    generator_states: list[int]
    baseline: dict[str, NDArray[Any]]
    epoch: int
    samples_done: int
    counts: Counts
    history: tuple[EpochRecord, ...]
    machine_seconds: float
    baseline_seconds: float
    figures: FinalFigures | None

    def to_bytes(self) -> bytes:
        """The content of ``state.npz``."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {_weights_key(layer): w for layer, w in enumerate(self.weights, start=1)}
        arrays |= {_BASELINE + name: array for name, array in self.baseline.items()}
        arrays |= {_ARRAY + name: array for name, array in self.array.items()}
        arrays["generator_states"] = np.array(self.generator_states, dtype=np.uint32)
        arrays["record"] = np.array(json.dumps(self._record()))
        np.savez(file, **arrays)
        return file.getvalue()

    def _record(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "config": self.config.to_dict(),
            "data": asdict(self.data),
            "epoch": self.epoch,
            "samples_done": self.samples_done,
            "counts": self.counts.to_dict(),
            "history": [asdict(record) for record in self.history],
            "machine_seconds": self.machine_seconds,
            "baseline_seconds": self.baseline_seconds,
            "figures": asdict(self.figures) if self.figures else None,
        }

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``state.npz``.

        Raises
        ------
        RunError
            If the file cannot be read, is damaged, or is of another format.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            arrays = _load(content)
            record = json.loads(str(arrays["record"]))
            written = record["format"]
            if written == FORMAT:
                return cls._of(record, arrays)
        except _DAMAGE:
            raise RunError(f"{path}: is damaged or no state of a run; put a whole copy back, or train anew") from None
        raise RunError(f"{path}: has format {written!r}, this version of stochastor reads format {FORMAT}")

    @classmethod
    def _of(cls, record: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        config = Config.from_dict(record["config"])
        state = cls(
            config=config,
            data=DataRecord(**record["data"]),
            weights=[arrays[_weights_key(layer)] for layer in range(1, config.layers + 1)],
            generator_states=arrays["generator_states"].tolist(),
            baseline=_with_prefix(arrays, _BASELINE),
            array=_with_prefix(arrays, _ARRAY),
            epoch=record["epoch"],
            samples_done=record["samples_done"],
            counts=Counts.from_dict(record["counts"]) if "counts" in record else Counts.none(config.layers),
            history=tuple(EpochRecord(**entry) for entry in record["history"]),
            machine_seconds=record["machine_seconds"],
            baseline_seconds=record["baseline_seconds"],
            figures=FinalFigures(**record["figures"]) if record["figures"] else None,
        )
        if arrays["generator_states"].dtype != np.uint32:
            raise ValueError("generator states are no 32-bit words")
        state._check_position()
        return state

    def _check_position(self) -> None:
        recorded = [epoch for epoch in range(1, self.epoch + 1) if is_recorded(epoch, self.config.epochs)]
        if not 0 <= self.epoch <= self.config.epochs or [record.epoch for record in self.history] != recorded:
            raise ValueError(f"{len(self.history)} epochs recorded at epoch {self.epoch} of {self.config.epochs}")
        if len(self.counts.layers) != self.config.layers:
            raise ValueError(f"events of {len(self.counts.layers)} layers counted")
        if not 0 <= self.samples_done <= self.data.train_samples:
            raise ValueError(f"{self.samples_done} of {self.data.train_samples} samples done")


def _load(content: bytes) -> dict[str, NDArray[Any]]:
    # NumPy allocates what an array's header claims before it meets the checksum: check all of them first.
    damaged = zipfile.ZipFile(io.BytesIO(content)).testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is wrong")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _with_prefix(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _weights_key(layer: int) -> str:
    return f"weights_{layer}"
