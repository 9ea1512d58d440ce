"""What has happened to all devices as flat arrays: what the compiled loops of `history_kernels` read and write."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.machine import LINE, Machine
from .ageing import Ageing, decays, half_selects_of_a_step, logarithms, make_ageing
from .config import ArrayConfig
from .device import fixed_point
from .noise import ONE

Array = NDArray[Any]


class FlatHistory(NamedTuple):
    """What reads and pulses of all layers meet of `History`. What is off is empty.

    Attributes
    ----------
    life, programmed, factors, settled : ndarray of int32, shape (2, digits, devices)
        `settled` are the factors of devices just pulsed, empty where these are 1.
    selects : ndarray of int64, shape (1 + 2 * digits, layers, lines)
        Pulses of each row; of each column upward, by digit; of each column downward, by digit.
    tick_samples, half_selects : int
        Samples; half-selects of a step, 0 where they do nothing.
    fades, changes : bool
        Whether there are factors; whether anything here is on.
    """

    life: Array
    programmed: Array
    factors: Array
    settled: Array
    selects: Array
    tick_samples: int
    half_selects: int
    fades: bool
    changes: bool


class FlatAgeing(NamedTuple):
    """What history goes by: what loops between samples read beside `FlatHistory`. What is off is empty.

    Attributes
    ----------
    wires : ndarray of int32, shape (2, digits, devices)
    traps : ndarray of bool, shape (2, digits, devices)
    drift : ndarray of int64, shape (2, digits, devices), or (2, digits, 1) where all devices are alike
    logarithms, decays : ndarray of int64
        Tables of `ageing`.
    selects_done : ndarray of int64, shape (1 + 2 * digits, layers, lines)
    trap_samples, trap_amplitude : int
        Samples, 0 without traps; in 2^-16.
    """

    wires: Array
    traps: Array
    drift: Array
    logarithms: Array
    decays: Array
    selects_done: Array
    trap_samples: int
    trap_amplitude: int


def make_flat_history(config: Config, array: ArrayConfig, machine: Machine) -> tuple[FlatHistory, FlatAgeing]:
    """The history of arrays that were just made; layers are counted from 0, columns padded as in `Machine`."""
    device, digits = array.device, config.carry_digits
    drifts, half_selects = bool(device.drift or device.drift_spread), half_selects_of_a_step(array)
    calm = not device.trap_share and array.wires is None
    fades = drifts or not calm
    layers = [
        make_ageing(array, layer, config.rows(layer), config.columns(layer), digits)
        for layer in range(1, config.layers + 1)
    ]
    lines = int(machine.widths.max()) + LINE if half_selects else 0
    selects = np.zeros((1 + 2 * digits, config.layers, lines), dtype=np.int64)

    def devices(wanted: bool, value: int = 0) -> Array:
        return np.full((2, digits, int(machine.starts[-1]) if wanted else 0), value, dtype=np.int32)

    history = FlatHistory(
        life=_flat("life", layers, machine, digits).astype(np.int32) if device.endurance else devices(False),
        programmed=devices(drifts),
        factors=devices(fades, ONE),
        settled=devices(not calm, ONE),
        selects=selects,
        tick_samples=array.tick_samples,
        half_selects=half_selects,
        fades=fades,
        changes=fades or bool(device.endurance or half_selects),
    )
    ageing = FlatAgeing(
        wires=devices(array.wires is not None, ONE),
        traps=(_flat("traps", layers, machine, digits) if device.trap_share else devices(False)).astype(np.bool_),
        drift=_flat("drift", layers, machine, digits),
        logarithms=logarithms(array) if drifts else np.zeros(0, dtype=np.int64),
        decays=decays() if drifts else np.zeros(0, dtype=np.int64),
        selects_done=selects.copy(),
        trap_samples=device.trap_samples if device.trap_share else 0,
        trap_amplitude=fixed_point(device.trap_amplitude),
    )
    return history, ageing


def pad(values: Array, machine: Machine, digits: int, layer: int) -> Array:
    """Constants of the devices of `layer` (from 0), shape (2, digits, rows * width), padded by zeros."""
    rows, columns = int(machine.sizes[layer]) + 1, int(machine.sizes[layer + 1])
    padded = np.zeros((2, digits, rows, int(machine.widths[layer + 1])), dtype=np.int64)
    padded[..., :columns] = values
    return padded.reshape(2, digits, -1)


def _flat(name: str, layers: list[Ageing], machine: Machine, digits: int) -> Array:
    """A constant of all devices, shape (2, digits, devices), or (2, digits, 1) where they are alike."""
    values = [getattr(ageing, name) for ageing in layers]
    if values[0].size == 1:
        return np.full((2, digits, 1), values[0].item(), dtype=np.int64)
    return np.concatenate([pad(v, machine, digits, layer) for layer, v in enumerate(values)], axis=2)
