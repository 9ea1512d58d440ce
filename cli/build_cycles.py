"""Cycles of a training sample, counted over the first samples of a data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.config import ArraySide, Config
from ..model.data import Dataset
from ..model.errors import ToolError
from ..model.schedule import sample_order
from .console import notices


@dataclass(frozen=True, kw_only=True)
class MeasuredCycles:
    """What was counted.

    Attributes
    ----------
    per_sample : float
        Clock cycles of a training sample that is there when it is wanted.
    how : str
    """

    per_sample: float
    how: str


def measure_cycles(config: Config, data: Dataset, samples: int) -> MeasuredCycles:
    """Count over the first `samples` of training, in compiled simulation; by formula without a compiler.

    By formula, too, where arrays are outside.
    """
    order = sample_order(config.seed, 0, len(data.train_labels), config.shuffle_block)[:samples]
    features, labels = data.train_features[order], data.train_labels[order]
    with notices.status(f"counting cycles over {len(labels):,} samples of {data.name}"):
        total, how = _count(config, features, labels)
    return MeasuredCycles(
        per_sample=total / len(labels), how=f"{how}, over the first {len(labels)} samples of {data.name}"
    )


def _count(config: Config, features: NDArray[np.uint8], labels: NDArray[np.int64]) -> tuple[int, str]:
    if config.array_side is ArraySide.MEMORY:
        try:
            return _simulated(config, features, labels), "in compiled simulation"
        except ToolError as error:
            notices.print(f"cycles are counted by formula: {error}")
    return _by_formula(config, features, labels), "by formula"


def _simulated(config: Config, features: NDArray[np.uint8], labels: NDArray[np.int64]) -> int:
    from ..sim.compiled import CompiledTrainer

    with CompiledTrainer(config) as hardware:
        hardware.train(features, labels)
        return hardware.cycles


def _by_formula(config: Config, features: NDArray[np.uint8], labels: NDArray[np.int64]) -> int:
    """Every sample takes its busy cycles, or the drawing of the next one's input if that is slower."""
    from ..hdl.cycles import carry_cycles, draw_cycles, sample_cycles
    from ..model.trainer import Trainer

    trainer = Trainer(config)
    cycles = 0
    for number, (sample, label) in enumerate(zip(features, labels, strict=True)):
        trace = trainer.train_sample(sample, int(label))
        busy = sample_cycles(config, trace)
        if config.carries_after(number):
            busy += carry_cycles(config, trainer.weights())
        cycles += max(busy, draw_cycles(config, trace.layers[0].rows))
    return cycles
