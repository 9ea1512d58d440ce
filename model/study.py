"""Studies: learners trained side by side on one data set with several seeds, and what came out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean, stdev
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .baseline import FloatBaseline
from .config import Config
from .data import Dataset
from .fast import FastTrainer
from .schedule import exponent, sample_order
from .trainer import check_samples, predictions
from .variant import PLAIN, Variant

VOTES = 16
SAMPLES_PER_STEP = 2000
CURVE_POINTS = 24
CURVE_SAMPLES = 2000

Progress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What training a learner with one seed came to.

    Attributes
    ----------
    accuracy : mapping of int to float
        By passes, 0 to 1; a float learner has one figure, of 0 passes.
    curve : tuple of (int, float)
        Epochs trained, and the accuracy then on the first `CURVE_SAMPLES` samples evaluated on.
    seconds : float
        Of training.
    samples : int
        Trained.
    figures : mapping of str to float
        What else was measured, by name.
    """

    accuracy: Mapping[int, float]
    curve: tuple[tuple[int, float], ...]
    seconds: float
    samples: int
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Fields as plain values, as JSON takes them."""
        return {
            "accuracy": {str(passes): accuracy for passes, accuracy in self.accuracy.items()},
            "curve": [list(point) for point in self.curve],
            "seconds": self.seconds,
            "samples": self.samples,
            "figures": dict(self.figures),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Outcome":
        """The outcome that `to_dict` gave `values` of.

        Raises
        ------
        LookupError, TypeError, ValueError
            If they are not such values.
        """
        return cls(
            accuracy={int(passes): float(accuracy) for passes, accuracy in values["accuracy"].items()},
            curve=tuple((int(epoch), float(accuracy)) for epoch, accuracy in values["curve"]),
            seconds=float(values["seconds"]),
            samples=int(values["samples"]),
            figures={name: float(figure) for name, figure in values.get("figures", {}).items()},
        )


class Learner(Protocol):
    """What can be trained in a study."""

    def to_dict(self) -> dict[str, Any]:
        """All that decides the outcome but the data and the seed, as plain values."""

    def learn(self, dataset: Dataset, seed: int, progress: Progress) -> Outcome:
        """Train with `seed` and evaluate on the test set; tell `progress` the share done, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class MachineLearner:
    """The one-bit machine, or a variant of it.

    Attributes
    ----------
    config : Config
        Its seed stands for those of the study.
    passes : tuple of int
        Votes to evaluate with.
    variant : Variant
    """

    config: Config
    passes: tuple[int, ...] = (1, VOTES)
    variant: Variant = PLAIN

    def to_dict(self) -> dict[str, Any]:
        return {
            "config": {name: value for name, value in self.config.to_dict().items() if name != "seed"},
            "passes": list(self.passes),
            "variant": self.variant.to_dict(),
        }

    def learn(self, dataset: Dataset, seed: int, progress: Progress) -> Outcome:
        config = replace(self.config, seed=seed)
        seen = self.variant.dataset(dataset)
        check_samples(config, seen.train_features, seen.train_labels)
        trainer = FastTrainer(config, self.variant.machine(config))

        def train(features: NDArray[np.uint8], labels: NDArray[np.int64], k: int) -> None:
            trainer.train(features, labels, self.variant.exponent(k))

        def accuracy(count: int, passes: int) -> float:
            votes = trainer.infer(seen.test_features[:count], passes)
            return float(np.mean(predictions(votes) == seen.test_labels[:count]))

        curve, seconds = train_epochs(seen, config.epochs, seed, train, lambda count: accuracy(count, VOTES), progress)
        return Outcome(
            accuracy={passes: accuracy(len(seen.test_labels), passes) for passes in self.passes},
            curve=curve,
            seconds=seconds,
            samples=config.epochs * len(seen.train_labels),
        )


@dataclass(frozen=True, kw_only=True)
class FloatLearner:
    """Backpropagation in floating point.

    Attributes
    ----------
    sizes : tuple of int
    epochs : int
    options : mapping
        Further arguments of `FloatBaseline`.
    """

    sizes: tuple[int, ...]
    epochs: int
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {"sizes": list(self.sizes), "epochs": self.epochs, "options": dict(self.options)}

    def learn(self, dataset: Dataset, seed: int, progress: Progress) -> Outcome:
        baseline = FloatBaseline(sizes=self.sizes, seed=seed, **self.options)

        def accuracy(count: int) -> float:
            return baseline.accuracy(dataset.test_features[:count], dataset.test_labels[:count])

        curve, seconds = train_epochs(dataset, self.epochs, seed, baseline.train, accuracy, progress)
        return Outcome(
            accuracy={0: accuracy(len(dataset.test_labels))},
            curve=curve,
            seconds=seconds,
            samples=self.epochs * len(dataset.train_labels),
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a study.

    Attributes
    ----------
    group : str
        What it is compared with.
    label : str
        Unique in its group.
    learner : Learner
    """

    group: str
    label: str
    learner: Learner


@dataclass(frozen=True, kw_only=True)
class Study:
    """Rows to train, and the data to train them on.

    Attributes
    ----------
    name : str
    title : str
    data : str
        As `load_dataset` takes it.
    validation : int
        Last training samples held out and evaluated on; 0 evaluates on the test set.
    seeds : tuple of int
    rows : tuple of Row
    """

    name: str
    title: str
    data: str
    validation: int
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def evaluated_on(self) -> str:
        """What accuracies are of."""
        return f"the last {self.validation:,} training samples, held out" if self.validation else "the test set"

    def dataset(self, whole: Dataset) -> Dataset:
        """What is trained and evaluated on."""
        return whole.hold_out(self.validation) if self.validation else whole


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Mean and sample standard deviation over seeds, 0 to 1; no deviation of a single one."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Of the values of all seeds."""
        return cls(mean=mean(values), deviation=stdev(values) if len(values) > 1 else None)


def train_epochs(
    dataset: Dataset,
    epochs: int,
    seed: int,
    train: Callable[[NDArray[np.uint8], NDArray[np.int64], int], None],
    accuracy: Callable[[int], float],
    progress: Progress,
) -> tuple[tuple[tuple[int, float], ...], float]:
    """Train all epochs in the order and with the schedule of a run; the learning curve, and the seconds spent."""
    count, seconds = len(dataset.train_labels), 0.0
    curve: list[tuple[int, float]] = []
    for epoch in range(epochs):
        order = sample_order(seed, epoch, count)
        for start in range(0, count, SAMPLES_PER_STEP):
            chosen = order[start : start + SAMPLES_PER_STEP]
            features, labels = dataset.train_features[chosen], dataset.train_labels[chosen]
            begun = perf_counter()
            train(features, labels, exponent(epoch, epochs))
            seconds += perf_counter() - begun
            progress((epoch * count + start + len(chosen)) / (epochs * count))
        if (epoch + 1) % -(-epochs // CURVE_POINTS) == 0 or epoch + 1 == epochs:
            curve.append((epoch + 1, accuracy(CURVE_SAMPLES)))
    return tuple(curve), seconds
