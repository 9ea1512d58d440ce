"""A training run on an analog array, on disk: `Run` with the conductances of its arrays."""

import json
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.data import Dataset
from ...model.errors import ConfigError, RunError
from ...model.run import Run
from ...model.run_state import DataRecord, RunState
from .config import ArrayConfig
from .trainer import AnalogTrainer, FastAnalogTrainer, make_analog_trainer

_RECORD = "config"


class AnalogRun(Run):
    """A run whose machine has analog arrays; its directory holds ``array.toml``, too.

    Parameters
    ----------
    path, config, data
        As of `Run`.
    array : ArrayConfig
        The arrays.

    Attributes
    ----------
    trainer : FastAnalogTrainer or AnalogTrainer
    """

    ARRAY = "array.toml"
    trainer: FastAnalogTrainer | AnalogTrainer

    def __init__(self, path: Path, config: Config, data: DataRecord, array: ArrayConfig) -> None:
        self.array = array
        super().__init__(path, config, data)

    @classmethod
    def create_on(
        cls, path: str | os.PathLike[str], config: Config, array: ArrayConfig, dataset: Dataset, source: str
    ) -> Self:
        """Begin a run on `array` in a new directory; otherwise as `Run.create`."""
        run = cls(Path(path), config, DataRecord.of(dataset, source), array)
        run.begin(dataset)
        return run

    def report(self) -> dict[str, Any]:
        """The figures of a finished run, and the array that it was trained on; raises as `Run.report`."""
        return super().report() | {"array": self.array.to_dict()}

    def conductances_S(self, layer: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Conductances of `layer` (1 to L) when the run began and now, each of shape (2, digits, rows, columns)."""
        quantum = self.array.device.quantum_S
        begun, now = self._make_trainer().conductances()[layer - 1], self.trainer.conductances()[layer - 1]
        return quantum * begun.astype(np.float64), quantum * now.astype(np.float64)

    @classmethod
    def _of(cls, path: Path, config: Config, state: RunState) -> Self:
        try:
            array = ArrayConfig.from_toml(path / cls.ARRAY)
        except ConfigError as error:
            raise RunError(str(error)) from None
        return cls(path, config, state.data, array)

    def _make_trainer(self) -> FastAnalogTrainer | AnalogTrainer:
        return make_analog_trainer(self.config, self.array)

    def _files(self) -> dict[str, bytes]:
        return super()._files() | {self.ARRAY: self.array.to_toml().encode("utf-8")}

    def _array_state(self) -> dict[str, NDArray[Any]]:
        layers = {_conductances(layer): g for layer, g in enumerate(self.trainer.conductances(), start=1)}
        return layers | {_RECORD: np.array(json.dumps(self.array.to_dict()))}

    def _restore_array(self, state: dict[str, NDArray[Any]]) -> None:
        if _RECORD not in state:
            raise RunError("was not trained on an analog array")
        begun = json.loads(str(state[_RECORD]))
        if begun != self.array.to_dict():
            raise RunError(
                f"was begun on another array than {self.ARRAY} now describes: put that back, or begin another run"
            )
        layers = [state.get(_conductances(layer)) for layer in range(1, self.config.layers + 1)]
        self.trainer.load_conductances([np.zeros(0, dtype=np.int32) if g is None else g for g in layers])


def open_run(path: str | os.PathLike[str]) -> Run:
    """Read a run on exact or on analog arrays, whichever `path` holds; raises as `Run.open`."""
    kind = AnalogRun if (Path(path) / AnalogRun.ARRAY).exists() else Run
    return kind.open(path)


def _conductances(layer: int) -> str:
    return f"conductances_{layer}"
