"""Who takes part in a comparison of training speed."""

from collections.abc import Callable
from typing import Any

from ..model.baseline import FloatBaseline
from ..model.config import Config
from ..model.data import Dataset
from ..model.errors import ToolError
from ..model.fast import make_trainer
from ..model.rivals import TorchTrainer, has_torch
from ..model.speed import Contestant
from ..model.trainer import Trainer
from .console import notices

MODEL = "one bit, golden model, compiled loops"
PLAIN = "one bit, golden model, plain NumPy"
HARDWARE = "one bit, Verilog in compiled simulation"
BATCH_1 = "float32, PyTorch, batch 1"
BATCH_128 = "float32, PyTorch, batch 128"
LOOPS = "float32, compiled loops, batch 1"
NUMPY_1 = "float32, NumPy, batch 1"
NUMPY_128 = "float32, NumPy, batch 128"


def contestants(config: Config, dataset: Dataset, *, hardware: bool) -> list[Contestant]:
    """All that are installed; a notice tells of those that are not."""
    raw = dataset.train_features, dataset.train_labels
    asked = [_contestant(MODEL, lambda: make_trainer(config), raw), _contestant(PLAIN, lambda: Trainer(config), raw)]
    if hardware:
        asked += _hardware(config, raw)
    asked += _torch(config, dataset)
    asked += [
        _contestant(LOOPS, lambda: _baseline(config), raw),
        _contestant(NUMPY_1, lambda: _baseline(config, compiled=False), raw),
        _contestant(NUMPY_128, lambda: _baseline(config, batch=128), raw, step=128),
    ]
    return asked


def _hardware(config: Config, raw: tuple[Any, Any]) -> list[Contestant]:
    from ..sim.compiled import CompiledTrainer

    try:
        CompiledTrainer(config).close()  # builds, which takes up to a minute and is cached
    except ToolError as error:
        notices.print(f"without the Verilog: {error}")
        return []
    return [_contestant(HARDWARE, lambda: CompiledTrainer(config), raw)]


def _torch(config: Config, dataset: Dataset) -> list[Contestant]:
    if not has_torch():
        notices.print("without PyTorch, which is not installed: pip install 'stochastor[bench]'")
        return []
    samples = TorchTrainer.prepare(dataset.train_features, dataset.train_labels)
    return [
        _contestant(name, lambda batch=batch: TorchTrainer(sizes=config.sizes, batch=batch), samples, step=batch)  # type: ignore[misc]
        for name, batch in ((BATCH_1, 1), (BATCH_128, 128))
    ]


def _baseline(config: Config, **options: Any) -> FloatBaseline:
    return FloatBaseline(sizes=config.sizes, seed=config.seed, **options)


def _contestant(name: str, make: Callable[[], Any], samples: tuple[Any, Any], step: int = 1) -> Contestant:
    return Contestant(name=name, make=make, features=samples[0], labels=samples[1], step=step)
