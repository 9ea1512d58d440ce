"""Samples as beats of the hardware's sample stream."""

import numpy as np
from numpy.typing import NDArray

from ..hdl.presentation import SampleBeat
from ..hdl.words import Words, pack
from ..model.config import Config


def training_beats(
    config: Config, features: NDArray[np.uint8], labels: NDArray[np.int64], exponent: int, first_number: int
) -> Words:
    """Beats that train samples.

    Parameters
    ----------
    features : ndarray of uint8, shape (samples, inputs)
    labels : ndarray of int64, shape (samples,)
    exponent : int
        k of all samples.
    first_number : int
        Number of the first sample.

    Returns
    -------
    ndarray of uint32, shape (samples * beats of a sample, words of a beat)
    """
    numbers = first_number + np.arange(len(features))
    sideband = {
        "number": numbers,
        "label": labels,
        "exponent": np.full(len(features), exponent),
        "carry": np.array([config.carries_after(int(number)) for number in numbers]),
    }
    return _beats(config, features, sideband)


def inference_beats(config: Config, features: NDArray[np.uint8], passes: int) -> Words:
    """Beats of an inference call; as `training_beats`."""
    count = len(features)
    numbers = np.arange(count)
    sideband = {
        "number": numbers,
        "infer": np.ones(count),
        "reseed": numbers == 0,
        "passes": np.full(count, passes),
    }
    return _beats(config, features, sideband)


def _beats(config: Config, features: NDArray[np.uint8], sideband: dict[str, NDArray[np.generic]]) -> Words:
    per_beat = config.pixels_per_beat
    beats = -(-config.sizes[0] // per_beat)
    padded = np.pad(features, ((0, 0), (0, beats * per_beat - config.sizes[0]))).reshape(-1, per_beat)
    fields = {f"sideband.{name}": np.repeat(values, beats) for name, values in sideband.items()}
    fields |= {f"features.{position}": padded[:, position] for position in range(per_beat)}
    return pack(SampleBeat(config.sizes[-1], per_beat), fields, len(padded))
