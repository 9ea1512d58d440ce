"""A read of a trained layer as its arrays meet it: conductances of devices, and voltages of the lines driven."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.data import Dataset
from ...model.errors import ConfigError
from .crossbar import MINUS, PLUS
from .run import AnalogRun
from .trainer import AnalogTrainer

POLARITIES = (PLUS, MINUS)


class Devices(StrEnum):
    """Which devices of a layer: plus and minus of each cell in turn, as columns of one array, or those of one kind."""

    ALL = "all"
    PLUS = "plus"
    MINUS = "minus"


class ReadInProgress(NamedTuple):
    """A read.

    Attributes
    ----------
    conductances_S : ndarray of float64, shape (rows, columns)
        Of the devices, as pulses left them.
    voltages_V : ndarray of float64, shape (rows,), or transposed (columns,)
    """

    conductances_S: NDArray[np.float64]
    voltages_V: NDArray[np.float64]


def read_in_progress(
    run: AnalogRun, dataset: Dataset, layer: int, sample: int, devices: Devices, digit: int | None, *, transposed: bool
) -> ReadInProgress:
    """The read of a test sample.

    Parameters
    ----------
    run : AnalogRun
    dataset : Dataset
        That of the run.
    layer, sample : int
        1 to L; number of a test sample, from 0.
    devices : Devices
    digit : int or None
        Which cells of a weight; None for all of them.
    transposed : bool
        The backward read of a training step on the sample, instead of the last forward read of a pass of inference.

    Raises
    ------
    ConfigError
        If the read does not happen: columns of layer 1 are never driven, nor any if all outputs are right.
    """
    if transposed and layer == 1:
        raise ConfigError("layer 1 is never read transposed: nothing is before it; choose another layer")
    kinds = {Devices.ALL: POLARITIES, Devices.PLUS: (PLUS,), Devices.MINUS: (MINUS,)}[devices]
    quanta = run.trainer.conductances()[layer - 1][list(kinds)]
    quanta = quanta if digit is None else quanta[:, [digit]]
    siemens = quanta.transpose(2, 3, 1, 0).reshape(quanta.shape[2], -1) * np.float64(run.array.device.quantum_S)
    volts = run.array.device.read_voltage_V
    trainer = _plain(run)
    features = dataset.test_features[sample : sample + 1]
    if transposed:
        signs = trainer.train_sample(features[0], int(dataset.test_labels[sample])).layers[layer - 1].signs
        if not signs.any():
            raise ConfigError(f"no sign comes back to layer {layer} for test sample {sample}: choose another sample")
        return ReadInProgress(siemens, volts * _of_devices(signs, kinds, quanta.shape[1]))
    trainer.infer(features, 1)
    driven = np.zeros(len(siemens))
    driven[_last_pattern(trainer.crossbars[layer - 1].driven, run.config.rows(layer) - 1)] = volts
    return ReadInProgress(siemens, driven)


def _plain(run: AnalogRun) -> AnalogTrainer:
    """The machine of a run as it is, operation by operation."""
    trainer, theirs = AnalogTrainer(run.config, run.array), run.trainer
    trainer.restore(theirs.weights(), theirs.generator_states(), theirs.samples_trained)
    trainer.load_conductances(theirs.conductances())
    trainer.load_history(theirs.history())
    return trainer


def _of_devices(signs: NDArray[np.int8], kinds: Sequence[int], digits: int) -> NDArray[np.float64]:
    """Signs of columns of devices: plus devices are driven along that of their column, minus devices against it."""
    along = np.array([1.0 if kind == PLUS else -1.0 for kind in kinds])
    return np.asarray(np.repeat(signs, digits)[:, np.newaxis] * along).reshape(-1)


def _last_pattern(driven: NDArray[np.int64], bias_row: int) -> NDArray[np.int64]:
    """Rows of the last pattern; a pattern ends with the bias row."""
    ends = np.flatnonzero(driven == bias_row)
    return driven[ends[-2] + 1 :] if len(ends) > 1 else driven
