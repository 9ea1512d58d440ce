"""How long training takes to reach an accuracy: the machine by its shortest schedule, PyTorch at its best settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from .config import Config
from .data import Dataset
from .fast import make_trainer
from .rivals import TorchTrainer
from .schedule import exponent, sample_order
from .study import VOTES
from .trainer import predictions

SCHEDULES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60, 90, 120)
BATCHES = (32, 64, 128, 256)
OPTIMIZERS: tuple[dict[str, Any], ...] = (
    {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    {"optimizer": "sgd", "learning_rate": 0.3, "momentum": 0.9},
    {"optimizer": "adam", "learning_rate": 0.001},
    {"optimizer": "adam", "learning_rate": 0.003},
)
MOST_TORCH_EPOCHS = 30

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A training that reached the accuracy, or did not.

    Attributes
    ----------
    settings : str
    epochs : int
    seconds : float
        Of training; evaluations do not count.
    accuracy : float
        At the end, 0 to 1.
    reached : bool
    """

    settings: str
    epochs: int
    seconds: float
    accuracy: float
    reached: bool


def machine_attempts(
    config: Config, dataset: Dataset, accuracy: float, progress: Progress = lambda settings: None
) -> list[Attempt]:
    """Train whole schedules, longer and longer, until one ends at `accuracy` by 16 votes on the test set.

    Returns
    -------
    list of Attempt
        The last one reached it, unless none did.
    """
    make_trainer(config).train(dataset.train_features[:1], dataset.train_labels[:1])  # compiles
    attempts: list[Attempt] = []
    for epochs in SCHEDULES:
        progress(f"machine, {epochs} epochs")
        attempts.append(_train_machine(replace(config, epochs=epochs), dataset, accuracy))
        if attempts[-1].reached:
            break
    return attempts


def torch_attempts(
    sizes: Sequence[int],
    dataset: Dataset,
    accuracy: float,
    *,
    threads: int = 1,
    progress: Progress = lambda settings: None,
) -> list[Attempt]:
    """Train with every batch size and optimizer until an epoch ends at `accuracy` on the test set.

    An attempt that takes longer than the best one so far is given up.

    Raises
    ------
    ToolError
        If PyTorch is missing.
    """
    train = TorchTrainer.prepare(dataset.train_features, dataset.train_labels)
    test = TorchTrainer.prepare(dataset.test_features, dataset.test_labels)
    attempts: list[Attempt] = []
    for batch in BATCHES:
        for optimizer in OPTIMIZERS:
            best = min((attempt.seconds for attempt in attempts if attempt.reached), default=float("inf"))
            trainer = TorchTrainer(sizes=sizes, batch=batch, threads=threads, **optimizer)
            name = f"batch {batch}, " + ", ".join(f"{_words(key)} {value}" for key, value in optimizer.items())
            progress(f"PyTorch, {name}")
            attempts.append(_train_torch(trainer, train, test, accuracy, name, best))
    return attempts


def best(attempts: Sequence[Attempt]) -> Attempt | None:
    """The fastest attempt that reached the accuracy; None if none did."""
    return min((attempt for attempt in attempts if attempt.reached), key=lambda one: one.seconds, default=None)


def _train_machine(config: Config, dataset: Dataset, accuracy: float) -> Attempt:
    machine, seconds = make_trainer(config), 0.0
    for epoch in range(config.epochs):
        start = perf_counter()
        order = sample_order(config.seed, epoch, len(dataset.train_labels), config.shuffle_block)
        machine.train(dataset.train_features[order], dataset.train_labels[order], exponent(epoch, config.epochs))
        seconds += perf_counter() - start
    reached = float(np.mean(predictions(machine.infer(dataset.test_features, VOTES)) == dataset.test_labels))
    settings = f"{config.weight_bits} bits, scale {config.scale}, {str(config.gate).replace('_', ' ')}"
    return Attempt(
        settings=settings, epochs=config.epochs, seconds=seconds, accuracy=reached, reached=reached >= accuracy
    )


def _train_torch(
    trainer: TorchTrainer, train: tuple[Any, Any], test: tuple[Any, Any], accuracy: float, name: str, limit: float
) -> Attempt:
    seconds, epoch, found = 0.0, 0, 0.0
    while epoch < MOST_TORCH_EPOCHS and found < accuracy and seconds < limit:
        start = perf_counter()
        order = sample_order(0, epoch, len(train[1]))
        trainer.train(train[0][order], train[1][order])
        seconds += perf_counter() - start
        found, epoch = trainer.accuracy(*test), epoch + 1
    return Attempt(settings=name, epochs=epoch, seconds=seconds, accuracy=found, reached=found >= accuracy)


def _words(name: str) -> str:
    return name.replace("_", " ")
