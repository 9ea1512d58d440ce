"""One experiment from first sample to final figures, in memory: no files, nothing to go on from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from .baseline import FloatBaseline
from .config import Config
from .data import Dataset
from .fast import KernelTrainer, make_trainer
from .schedule import exponent, sample_order
from .trace import weights_sha256
from .trainer import Trainer, check_passes, check_samples, predictions

SAMPLES_PER_STEP = 1000

Machine = Trainer | KernelTrainer


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """How good the learners were after an epoch.

    Attributes
    ----------
    epoch : int
        Epochs trained, 1 to E.
    accuracy : float
        The machine's with the most passes asked for, 0 to 1.
    baseline_accuracy : float or None
        None without a baseline.
    """

    epoch: int
    accuracy: float
    baseline_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an experiment ended with; all accuracies are of the dataset's whole test set, from 0 to 1.

    Attributes
    ----------
    accuracy : dict of int to float
        The machine's, by passes.
    baseline_accuracy : float or None
        None without a baseline.
    curve : tuple of CurvePoint
        As many as were asked for, evenly spaced, the last one at the end.
    samples_trained : int
    seconds, baseline_seconds : float
        Time spent training each learner; evaluations do not count.
    weights_sha256 : str
        Digest of the final weights.
    """

    accuracy: dict[int, float]
    baseline_accuracy: float | None
    curve: tuple[CurvePoint, ...]
    samples_trained: int
    seconds: float
    baseline_seconds: float
    weights_sha256: str

    @property
    def samples_per_second(self) -> float:
        """Samples that the machine trained in a second."""
        return self.samples_trained / self.seconds


def train_experiment(
    config: Config,
    dataset: Dataset,
    *,
    passes: Sequence[int] = (1, 16),
    baseline: FloatBaseline | None = None,
    curve_points: int = 0,
    progress: Callable[[int], None] = lambda samples: None,
    machine: Machine | None = None,
) -> Result:
    """Train a machine as `Run` does, bit for bit, and evaluate it.

    Parameters
    ----------
    config : Config
    dataset : Dataset
        Evaluated on its test set; `Dataset.hold_out` puts a validation set there.
    passes : sequence of int
        Votes to evaluate with, each 1 to 255.
    baseline : FloatBaseline, optional
        Trained beside the machine with the same samples, order and schedule.
    curve_points : int
        Most points of the learning curve.
    progress : callable
        Called with the samples trained so far, every few samples.
    machine : Trainer or KernelTrainer, optional
        Of `config`, not trained yet; the fastest one on exact arrays by default.

    Raises
    ------
    DataError
        If the data set does not fit the machine, or a number of passes is out of range.
    """
    _check(config, dataset, passes)
    learners = _Learners(machine or make_trainer(config), baseline)
    curve: list[CurvePoint] = []
    for epoch in range(config.epochs):
        order = sample_order(config.seed, epoch, len(dataset.train_labels), config.shuffle_block)
        for start in range(0, len(order), SAMPLES_PER_STEP):
            chosen = order[start : start + SAMPLES_PER_STEP]
            learners.train(dataset.train_features[chosen], dataset.train_labels[chosen], exponent(epoch, config.epochs))
            progress(learners.samples_trained)
        if _is_recorded(epoch + 1, config.epochs, curve_points):
            accuracy, baseline_accuracy = learners.accuracy(dataset, max(passes)), learners.baseline_accuracy(dataset)
            curve.append(CurvePoint(epoch=epoch + 1, accuracy=accuracy, baseline_accuracy=baseline_accuracy))
    return Result(
        accuracy={votes: learners.accuracy(dataset, votes) for votes in passes},
        baseline_accuracy=learners.baseline_accuracy(dataset),
        curve=tuple(curve),
        samples_trained=learners.samples_trained,
        seconds=learners.seconds,
        baseline_seconds=learners.baseline_seconds,
        weights_sha256=weights_sha256(learners.machine.weights()),
    )


class _Learners:
    """The machine and the baseline beside it, and the time that each took."""

    def __init__(self, machine: Machine, baseline: FloatBaseline | None) -> None:
        self.machine = machine
        self.baseline = baseline
        self.samples_trained = 0
        self.seconds = 0.0
        self.baseline_seconds = 0.0

    def train(self, features: NDArray[np.uint8], labels: NDArray[np.int64], k: int) -> None:
        start = perf_counter()
        self.machine.train(features, labels, k)
        between = perf_counter()
        self.seconds += between - start
        if self.baseline is not None:
            self.baseline.train(features, labels, k)
            self.baseline_seconds += perf_counter() - between
        self.samples_trained += len(labels)

    def accuracy(self, dataset: Dataset, passes: int) -> float:
        return float(np.mean(predictions(self.machine.infer(dataset.test_features, passes)) == dataset.test_labels))

    def baseline_accuracy(self, dataset: Dataset) -> float | None:
        if self.baseline is None:
            return None
        return float(self.baseline.accuracy(dataset.test_features, dataset.test_labels))


def _check(config: Config, dataset: Dataset, passes: Sequence[int]) -> None:
    check_samples(config, dataset.train_features, dataset.train_labels)
    check_samples(config, dataset.test_features, dataset.test_labels)
    for votes in passes:
        check_passes(votes)


def _is_recorded(epoch: int, epochs: int, points: int) -> bool:
    return points > 0 and (epoch == epochs or epoch % -(-epochs // points) == 0)
