"""Pulse trains on simulated devices: up from end to end, and down again."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Address
from .config import ArrayConfig
from .crossbar import PLUS, AnalogCrossbar
from .device import Device

NO_SPREAD = {
    "step_spread": 0.0, "mismatch_spread": 0.0, "bound_spread": 0.0, "lower_bound_spread": None,
    "stuck_on": 0.0, "stuck_off": 0.0,
}  # fmt: skip
BITS = 8


class PulseTrains(NamedTuple):
    """Conductances after each pulse of a train on several devices, in siemens.

    Attributes
    ----------
    set_S, reset_S : ndarray of float64, shape (pulses + 1, devices)
        The first ones before any pulse.
    """

    set_S: NDArray[np.float64]
    reset_S: NDArray[np.float64]


def alike(device: Device) -> Device:
    """`device` without any spread from device to device."""
    return replace(device, **NO_SPREAD)  # type: ignore[arg-type]


def pulse_trains(array: ArrayConfig, devices: int) -> PulseTrains:
    """Trains of as many pulses as lead from end to end: SET from the lower ends, then RESET.

    Parameters
    ----------
    array : ArrayConfig
        Its devices; one whose number of states is open has those of cells of 8 bits.
    devices : int
    """
    bits = BITS if array.device.states == 0 else 2
    crossbar = AnalogCrossbar(Config(sizes=(devices - 1 or 1, 1), weight_bits=bits, scale=1), 1, array)
    pulses = array.device.with_states((1 << (bits - 1)) - 1).states - 1
    crossbar.conductances[:] = np.broadcast_to(crossbar.population.low, crossbar.conductances.shape)
    up = _train(crossbar, pulses, 1, 0)
    down = _train(crossbar, pulses, -1, pulses)
    quantum = array.device.quantum_S
    return PulseTrains(
        set_S=quantum * up[:, :devices].astype(np.float64), reset_S=quantum * down[:, :devices].astype(np.float64)
    )


def _train(crossbar: AnalogCrossbar, pulses: int, sign: int, begin: int) -> NDArray[np.int64]:
    """Conductances of plus devices, shape (pulses + 1, rows), in quanta; pulse n belongs to sample begin + n."""
    rows, signs = np.arange(crossbar.rows), np.array([sign], dtype=np.int8)
    curve = [crossbar.conductances[PLUS, 0, :, 0].copy()]
    for pulse in range(pulses):
        crossbar.pulse(Address(begin + pulse, 1, training=True), rows, signs)
        curve.append(crossbar.conductances[PLUS, 0, :, 0].copy())
    return np.array(curve)
