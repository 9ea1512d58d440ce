"""One run of a sweep: what is trained, and the report that is left of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from .baseline import FloatBaseline
from .config import Config
from .data import Dataset, load_dataset
from .experiment import Machine, Result, train_experiment
from .run_state import DataRecord

DATA_SETS_KEPT = 2

MachineMaker = Callable[[Config, Mapping[str, Any]], Machine]


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """All that decides the figures of a run.

    Attributes
    ----------
    case : str
        Name of the machine within the sweep.
    config : Config
        The machine, with the seed of this run.
    data : str
        Where the data set is, as `load_dataset` takes it.
    validation : int
        Last training samples to hold out and evaluate on; 0 to evaluate on the test set.
    passes : tuple of int
        Votes to evaluate with, ascending.
    baseline : bool
        Whether a `FloatBaseline` is trained beside the machine.
    array : mapping or None
        The description of the analog array, with the seed of this run; None for exact ones.
    """

    case: str
    config: Config
    data: str
    validation: int
    passes: tuple[int, ...]
    baseline: bool
    array: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """Name of the run, unique in the sweep; also that of its file."""
        return f"{self.case}-{self.config.seed}"

    def to_dict(self) -> dict[str, Any]:
        """Fields as plain values, as JSON takes them."""
        return asdict(self) | {"config": self.config.to_dict(), "passes": list(self.passes)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The run that `to_dict` gave `values` of.

        Raises
        ------
        LookupError, TypeError, ValueError
            If they are not such values.
        """
        return cls(
            case=str(values["case"]),
            config=Config.from_dict(values["config"]),
            data=str(values["data"]),
            validation=int(values["validation"]),
            passes=tuple(values["passes"]),
            baseline=bool(values["baseline"]),
            array=values.get("array"),
        )

    def perform(
        self,
        source: str | None = None,
        progress: Callable[[float], None] = lambda share: None,
        on_array: MachineMaker | None = None,
    ) -> "RunReport":
        """Load the data, train and evaluate.

        Parameters
        ----------
        source : str, optional
            Where this process finds the data, if elsewhere than at `data`.
        progress : callable
            Called with the share of the training that is done, 0 to 1.
        on_array : callable, optional
            Makes the machine of a run that has an array.

        Raises
        ------
        DataError
            If the data cannot be read or does not fit the machine.
        """
        whole, record = _load(source or self.data, self.config.sizes[0], self.config.sizes[-1])
        dataset = whole.hold_out(self.validation) if self.validation else whole
        samples = self.config.epochs * len(dataset.train_labels)
        result = train_experiment(
            self.config,
            dataset,
            passes=self.passes,
            baseline=FloatBaseline(sizes=self.config.sizes, seed=self.config.seed) if self.baseline else None,
            progress=lambda trained: progress(trained / samples),
            machine=on_array(self.config, self.array) if on_array and self.array is not None else None,
        )
        return RunReport(
            run=self,
            result=result,
            data_sha256=record.sha256,
            train_samples=len(dataset.train_labels),
            evaluated_samples=len(dataset.test_labels),
        )


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What a finished run of a sweep leaves.

    Attributes
    ----------
    run : SweepRun
    result : Result
    data_sha256 : str
        Digest of the whole data set.
    train_samples, evaluated_samples : int
        Trained on, without those held out; evaluated on.
    """

    run: SweepRun
    result: Result
    data_sha256: str
    train_samples: int
    evaluated_samples: int

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, as JSON takes them."""
        result = self.result
        return {
            "version": version("stochastor"),
            **self.run.to_dict(),
            "config_sha256": self.run.config.digest,
            "data_sha256": self.data_sha256,
            "train_samples": self.train_samples,
            "evaluated_samples": self.evaluated_samples,
            "accuracy": {str(passes): accuracy for passes, accuracy in result.accuracy.items()},
            "baseline_accuracy": result.baseline_accuracy,
            "samples_trained": result.samples_trained,
            "seconds": result.seconds,
            "baseline_seconds": result.baseline_seconds,
            "samples_per_second": result.samples_per_second,
            "weights_sha256": result.weights_sha256,
        }

    def to_bytes(self) -> bytes:
        """The content of the report's file."""
        return (json.dumps(self.to_dict(), indent=2) + "\n").encode("ascii")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The report that `to_dict` gave `values` of.

        Raises
        ------
        LookupError, TypeError, ValueError
            If they are not such values.
        """
        run = SweepRun.from_dict(values)
        baseline_accuracy = values["baseline_accuracy"]
        result = Result(
            accuracy={passes: _share(values["accuracy"][str(passes)]) for passes in run.passes},
            baseline_accuracy=_share(baseline_accuracy) if run.baseline else None,
            curve=(),
            samples_trained=int(values["samples_trained"]),
            seconds=_positive(values["seconds"]),
            baseline_seconds=float(values["baseline_seconds"]),
            weights_sha256=str(values["weights_sha256"]),
        )
        return cls(
            run=run,
            result=result,
            data_sha256=str(values["data_sha256"]),
            train_samples=int(values["train_samples"]),
            evaluated_samples=int(values["evaluated_samples"]),
        )

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read the file of a report; None if it is damaged.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        content = path.read_bytes()
        try:
            return cls.from_dict(json.loads(content))
        except (LookupError, TypeError, ValueError):
            return None


@lru_cache(maxsize=DATA_SETS_KEPT)
def _load(source: str, inputs: int, outputs: int) -> tuple[Dataset, DataRecord]:
    """A worker trains many runs on the same data: it reads and hashes them once."""
    dataset = load_dataset(source, inputs=inputs, outputs=outputs)
    return dataset, DataRecord.of(dataset, source)


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"an accuracy must be from 0 to 1, not {value!r}")
    return float(value)


def _positive(value: Any) -> float:
    if not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"a duration must be more than 0 seconds, not {value!r}")
    return float(value)
