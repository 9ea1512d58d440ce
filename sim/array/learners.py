"""What is trained on analog arrays in a study."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...model.config import Config
from ...model.data import Dataset
from ...model.study import VOTES, Outcome, Progress, train_epochs
from ...model.trainer import check_samples, predictions
from .config import ArrayConfig
from .in_situ import InSituBackpropagation
from .pulse_count import PulseCount, total
from .trainer import FastAnalogTrainer

PULSES = "pulses_per_sample"
PULSE_ENERGY = "pulse_energy_per_sample_J"


@dataclass(frozen=True, kw_only=True)
class ArrayLearner:
    """The one-bit machine on analog arrays.

    Attributes
    ----------
    config : Config
        Its seed, and the array's, stand for those of the study.
    array : ArrayConfig
    passes : tuple of int
        Votes to evaluate with.
    """

    config: Config
    array: ArrayConfig
    passes: tuple[int, ...] = (VOTES,)

    def to_dict(self) -> dict[str, Any]:
        return {
            "config": {name: value for name, value in self.config.to_dict().items() if name != "seed"},
            "array": _without_seed(self.array),
            "passes": list(self.passes),
        }

    def learn(self, dataset: Dataset, seed: int, progress: Progress) -> Outcome:
        config = replace(self.config, seed=seed)
        check_samples(config, dataset.train_features, dataset.train_labels)
        trainer = FastAnalogTrainer(config, replace(self.array, seed=seed), counting=True)

        def accuracy(count: int, passes: int) -> float:
            votes = trainer.infer(dataset.test_features[:count], passes)
            return float(np.mean(predictions(votes) == dataset.test_labels[:count]))

        curve, seconds = train_epochs(
            dataset, config.epochs, seed, trainer.train, lambda count: accuracy(count, VOTES), progress
        )
        samples = config.epochs * len(dataset.train_labels)
        return Outcome(
            accuracy={passes: accuracy(len(dataset.test_labels), passes) for passes in self.passes},
            curve=curve,
            seconds=seconds,
            samples=samples,
            figures=_figures(total(trainer.pulses()), self.array, samples),
        )


@dataclass(frozen=True, kw_only=True)
class InSituLearner:
    """Backpropagation in floating point on the same arrays.

    Attributes
    ----------
    sizes : tuple of int
    epochs : int
    array : ArrayConfig
        Its seed stands for those of the study.
    options : mapping
        Further arguments of `InSituBackpropagation`.
    """

    sizes: tuple[int, ...]
    epochs: int
    array: ArrayConfig
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {
            "sizes": list(self.sizes),
            "epochs": self.epochs,
            "array": _without_seed(self.array),
            "options": dict(self.options),
        }

    def learn(self, dataset: Dataset, seed: int, progress: Progress) -> Outcome:
        array = replace(self.array, seed=seed)
        learner = InSituBackpropagation(sizes=self.sizes, array=array, seed=seed, **self.options)

        def accuracy(count: int) -> float:
            return learner.accuracy(dataset.test_features[:count], dataset.test_labels[:count])

        curve, seconds = train_epochs(dataset, self.epochs, seed, learner.train, accuracy, progress)
        return Outcome(
            accuracy={0: accuracy(len(dataset.test_labels))},
            curve=curve,
            seconds=seconds,
            samples=learner.samples_trained,
            figures=_figures(learner.pulses(), array, learner.samples_trained),
        )


def _without_seed(array: ArrayConfig) -> dict[str, Any]:
    return {name: value for name, value in array.to_dict().items() if name != "seed"}


def _figures(pulses: PulseCount, array: ArrayConfig, samples: int) -> dict[str, float]:
    return {PULSES: pulses.pulses / samples, PULSE_ENERGY: pulses.energy_J(array.device) / samples}
