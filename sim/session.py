"""What a cocotb simulation is asked to do, and what it reports; passed between processes as files."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..model.config import Config
from ..model.crossbar import Weights
from .array.config import ArrayConfig
from .array.pins import SimulatedArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Samples to train on hardware and model.

    Attributes
    ----------
    config : Config
    features : ndarray of uint8, shape (samples, inputs)
    labels, exponents : ndarray of int64, shape (samples,)
    weights : tuple of ndarray of int32
        Power-up weights of layers 1 to L.
    array : ArrayConfig or None
        Analog arrays of model and hardware.
    stalls : float
        Probability of a stall of each stream in each cycle.
    seed : int
        Of the stalls.
    """

    config: Config
    features: NDArray[np.uint8]
    labels: NDArray[np.int64]
    exponents: NDArray[np.int64]
    weights: tuple[Weights, ...]
    array: ArrayConfig | None
    stalls: float
    seed: int

    def arrays(self) -> list[SimulatedArray]:
        """New arrays of layers 1 to L, programmed to the power-up weights; none without `array`."""
        if self.array is None:
            return []
        cells = enumerate(self.weights, start=1)
        return [SimulatedArray(self.config, layer, self.array, matrix) for layer, matrix in cells]

    def write(self, directory: Path) -> None:
        """Write ``task.json`` and ``task.npz``."""
        settings = {"config": self.config.to_dict(), "stalls": self.stalls, "seed": self.seed}
        settings["array"] = None if self.array is None else self.array.to_dict()
        (directory / "task.json").write_text(json.dumps(settings))
        arrays = {f"weights{layer}": matrix for layer, matrix in enumerate(self.weights, start=1)}
        np.savez(
            directory / "task.npz",
            allow_pickle=False,
            features=self.features,
            labels=self.labels,
            exponents=self.exponents,
            **arrays,
        )

    @classmethod
    def read(cls, directory: Path) -> "Task":
        """Read what `write` wrote."""
        settings = json.loads((directory / "task.json").read_text())
        config = Config.from_dict(settings["config"])
        array = settings["array"]
        with np.load(directory / "task.npz", allow_pickle=False) as arrays:
            return cls(
                config=config,
                features=arrays["features"],
                labels=arrays["labels"],
                exponents=arrays["exponents"],
                weights=tuple(arrays[f"weights{layer}"] for layer in range(1, config.layers + 1)),
                array=None if array is None else ArrayConfig.from_dict(array),
                stalls=settings["stalls"],
                seed=settings["seed"],
            )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a co-simulation found.

    Attributes
    ----------
    samples : int
        Compared, the one that differs included.
    decisions : int
        Entries compared.
    counters : int
        Compared; none after a difference.
    cycles : int
        Clock cycles from the first beat to the end of the last sample.
    busy_cycles : int
        Those in which a sample was worked on.
    difference : str or None
        The first difference: sample, layer, stage, lane, both values; or the first counter, layer and both values.
    """

    samples: int
    decisions: int
    counters: int
    cycles: int
    busy_cycles: int
    difference: str | None

    def write(self, directory: Path) -> None:
        """Write ``outcome.json``."""
        (directory / "outcome.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, directory: Path) -> "Outcome | None":
        """Read what `write` wrote; None if there is nothing, since the simulation broke off."""
        path = directory / "outcome.json"
        return cls(**json.loads(path.read_text())) if path.exists() else None


def spread(count: int, limit: int) -> Sequence[int]:
    """At most `limit` of the numbers 0 to count - 1, evenly spread."""
    return range(count) if count <= limit else [index * count // limit for index in range(limit)]
