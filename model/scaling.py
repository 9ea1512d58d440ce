"""How training speed depends on rows, columns and layers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .fast import make_trainer
from .speed import Contestant, Speed, compare

CLASSES = 10
INPUTS, COLUMNS = 784, 256
ROWS = (196, 392, 784, 1568)
WIDTHS = (64, 128, 256, 512, 1024)
LAYERS = (1, 2, 3, 4)
SAMPLES = 4000
DENSITY = 0.19  # of MNIST's pixels that are not 0
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Point:
    """Speed of one shape.

    Attributes
    ----------
    varied : str
        rows, columns or layers.
    sizes : tuple of int
    speed : Speed
    """

    varied: str
    sizes: tuple[int, ...]
    speed: Speed


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """What is varied, and the sizes of the machine, of every point."""
    yield from (("rows", (rows, COLUMNS, CLASSES)) for rows in ROWS)
    yield from (("columns", (INPUTS, columns, CLASSES)) for columns in WIDTHS)
    yield from (("layers", (INPUTS, *[COLUMNS] * (layers - 1), CLASSES)) for layers in LAYERS)


def measure_scaling(
    config: Config, *, seconds: float, rounds: int, progress: Callable[[str], None] = lambda name: None
) -> list[Point]:
    """Measure machines like `config` of all shapes, on random samples as dense as MNIST's and with random labels.

    Parameters
    ----------
    config : Config
        Its sizes are replaced.
    seconds, rounds, progress
        As of `compare`.
    """
    asked = list(shapes())
    contestants = [
        Contestant(
            name=f"{varied} {'-'.join(map(str, sizes))}",
            make=lambda sizes=sizes: make_trainer(_machine(config, sizes)),  # type: ignore[misc]
            features=features,
            labels=labels,
        )
        for varied, sizes in asked
        for features, labels in [_samples(sizes[0])]
    ]
    speeds = compare(contestants, seconds=seconds, rounds=rounds, progress=progress)
    return [
        Point(varied=varied, sizes=sizes, speed=speed)
        for (varied, sizes), speed in zip(asked, speeds.values(), strict=True)
    ]


def _machine(config: Config, sizes: tuple[int, ...]) -> Config:
    """With references of 24 bits, which hold the codes of any of these shapes."""
    return replace(config, sizes=sizes, reference_bits=max(config.reference_bits, 24))


def _samples(inputs: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    generator = np.random.default_rng(SEED)
    features = generator.integers(0, 256, (SAMPLES, inputs), dtype=np.uint8)
    features[generator.random(features.shape) >= DENSITY] = 0
    return features, generator.integers(0, CLASSES, SAMPLES)
