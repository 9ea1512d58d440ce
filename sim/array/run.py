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
from .effective import Staleness
from .trainer import AnalogTrainer, FastAnalogTrainer, make_analog_trainer

_RECORD, _STALENESS = "config", "staleness"


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
        report = super().report() | {"array": self.array.to_dict()}
        if self.array.wires:
            report["wires_staleness"] = [
                {"layer": layer} | each._asdict()
                for layer, refreshes in enumerate(self.trainer.staleness, start=1)
                for each in refreshes
            ]
        return report

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
        layers: dict[str, NDArray[Any]] = {}
        for layer, g in enumerate(self.trainer.conductances(), start=1):
            layers[_conductances(layer)] = g
        for layer, history in enumerate(self.trainer.history(), start=1):
            layers |= {f"{name}_{layer}": values for name, values in history.items()}
        if self.array.wires:
            layers |= {
                f"{_STALENESS}_{layer}": np.array(refreshes, dtype=np.float64).reshape(-1, len(Staleness._fields))
                for layer, refreshes in enumerate(self.trainer.staleness, start=1)
            }
        return layers | {_RECORD: np.array(json.dumps(self.array.to_dict()))}

    def _restore_array(self, state: dict[str, NDArray[Any]]) -> None:
        if _RECORD not in state:
            raise RunError("was not trained on an analog array")
        if ArrayConfig.from_dict(json.loads(str(state[_RECORD]))) != self.array:
            raise RunError(
                f"was begun on another array than {self.ARRAY} now describes: put that back, or begin another run"
            )
        layers = [state.get(_conductances(layer)) for layer in range(1, self.config.layers + 1)]
        self.trainer.load_conductances([np.zeros(0, dtype=np.int32) if g is None else g for g in layers])
        histories = [_of_layer(state, layer) for layer in range(1, self.config.layers + 1)]
        self.trainer.load_history(histories)
        for refreshes, history in zip(self.trainer.staleness, histories, strict=True):
            saved = history.get(_STALENESS, np.zeros((0, len(Staleness._fields))))
            refreshes[:] = [Staleness(int(samples), *errors) for samples, *errors in saved.tolist()]


def open_run(path: str | os.PathLike[str]) -> Run:
    """Read a run on exact or on analog arrays, whichever `path` holds; raises as `Run.open`."""
    kind = AnalogRun if (Path(path) / AnalogRun.ARRAY).exists() else Run
    return kind.open(path)


def _conductances(layer: int) -> str:
    return f"conductances_{layer}"


def _of_layer(state: dict[str, NDArray[Any]], layer: int) -> dict[str, NDArray[Any]]:
    end = f"_{layer}"
    return {name.removesuffix(end): values for name, values in state.items() if name.endswith(end)}
