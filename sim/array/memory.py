"""What an array takes of a machine's memory."""

import os
from collections.abc import Sequence

from ...model.config import Config
from ...model.errors import ConfigError
from .config import ArrayConfig


def check_memory(config: Config, array: ArrayConfig, layers: Sequence[int]) -> None:
    """Check that the arrays of `layers` (1 to L) fit the memory of this machine, before any is made.

    Raises
    ------
    ConfigError
        Saying how large they are.
    """
    devices = sum(2 * config.carry_digits * config.rows(layer) * config.columns(layer) for layer in layers)
    needed, there = devices * bytes_per_device(array), memory_bytes()
    if needed > there:
        size = f"{needed / 1e9:,.1f} GB, but this machine has {there / 1e9:,.1f} GB"
        raise ConfigError(f"an array of {devices:,} devices takes {size}: lower sizes or carry_digits")


def bytes_per_device(array: ArrayConfig) -> int:
    """Memory that a device takes, about: its conductance and share of a weight, its constants, its history."""
    device = array.device
    drawn = (device.step_spread, device.mismatch_spread, *device.bound_spreads, device.stuck_on, device.stuck_off)
    drifts = bool(device.drift or device.drift_spread)
    fades = drifts or bool(device.trap_share) or array.wires is not None
    size = 8 + 40 * any(drawn) + 4 * bool(device.read_noise)
    size += 8 * fades + 4 * drifts + 8 * bool(device.drift_spread) + 4 * bool(device.endurance)
    return size + bool(device.trap_share) + 4 * (array.wires is not None)


def memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
