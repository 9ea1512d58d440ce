"""How fast training could be if moving weights were all there is to it: bytes touched, and bytes that a core moves."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .fast import FastTrainer
from .machine import make_machine
from .trace import Trace
from .trainer import Features, Trainer

PLACES = 8
SAMPLES_A_PLACE = 50
STREAM_SECONDS = 0.2
STREAMS = 5


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes of weights that a training sample touches in the mean, padding included.

    Attributes
    ----------
    read : float
        Of rows that are summed up: forward, and backward for each open column.
    updated : float
        Of rows that are pulsed; each byte is read and written.
    """

    read: float
    updated: float

    def samples_per_second(self, bandwidth: "Bandwidth") -> float:
        """Samples that could be trained in a second if nothing else took time."""
        return 1 / (self.read / bandwidth.read + self.updated / bandwidth.updated)


@dataclass(frozen=True, kw_only=True)
class Bandwidth:
    """Bytes that one core moves in a second, in an array as large as the weights, so at the same level of cache.

    Attributes
    ----------
    read : float
        Read in order.
    updated : float
        Read and written back in order, each byte counted once.
    """

    read: float
    updated: float


def weight_bytes(config: Config) -> int:
    """Bytes of all weights as the compiled loops hold them."""
    return int(make_machine(config).weights.nbytes)


def measure_traffic(config: Config, features: Features, labels: NDArray[np.int64]) -> Traffic:
    """Count what the samples touch when they are trained in order from the initial weights.

    The compiled model trains all of them; at `PLACES` evenly spaced places the plain model goes on from its state for
    `SAMPLES_A_PLACE` samples, and their traces are counted.

    Parameters
    ----------
    features : ndarray of uint8, shape (samples, inputs)
    labels : ndarray of int64, shape (samples,)

    Raises
    ------
    DataError
        If the samples do not fit the machine.
    """
    machine = make_machine(config)
    row_bytes = machine.widths[1:] * machine.weights.dtype.itemsize
    fast, plain = FastTrainer(config), Trainer(config)
    counted: list[tuple[int, int]] = []
    for place in np.linspace(0, max(0, len(labels) - SAMPLES_A_PLACE), PLACES).astype(int):
        before = slice(fast.samples_trained, place)
        fast.train(features[before], labels[before])
        plain.restore(fast.weights(), fast.generator_states(), fast.samples_trained)
        here = slice(place, place + SAMPLES_A_PLACE)
        counted += [_count(trace, row_bytes, config) for trace in plain.train(features[here], labels[here])]
    read, updated = np.mean(counted, axis=0)
    return Traffic(read=float(read), updated=float(updated))


def measure_bandwidth(size: int) -> Bandwidth:
    """Measure what one core moves within `size` bytes, the best of several goes.

    Raises
    ------
    ImportError
        Where Numba is missing.
    """
    from .bandwidth_kernels import read, update

    words = np.zeros(max(1, size // 8), dtype=np.uint64)
    return Bandwidth(read=_best(read, words), updated=_best(update, words))


def _count(trace: Trace, row_bytes: NDArray[np.int64], config: Config) -> tuple[int, int]:
    read = sum(len(layer.rows) * width for layer, width in zip(trace.layers, row_bytes, strict=True))
    read += sum(len(layer.sensed) * width for layer, width in zip(trace.layers[:-1], row_bytes[1:], strict=True))
    updated = sum(len(layer.pulsed) * width for layer, width in zip(trace.layers, row_bytes, strict=True))
    return read, updated * (2 if config.carry_digits > 1 else 1)  # with carry the lowest digit and the weight move


def _best(stream, words: NDArray[np.uint64]) -> float:  # type: ignore[no-untyped-def]
    """Bytes a second, the best of several goes."""
    stream(words, 1)
    passes = 1
    while _seconds(stream, words, passes) < STREAM_SECONDS / 2:
        passes *= 2
    return max(words.nbytes * passes / _seconds(stream, words, passes) for _ in range(STREAMS))


def _seconds(stream, words: NDArray[np.uint64], passes: int) -> float:  # type: ignore[no-untyped-def]
    start = perf_counter()
    stream(words, passes)
    return perf_counter() - start
