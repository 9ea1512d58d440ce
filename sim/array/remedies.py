"""What is tried against mismatch and soft bounds, each on devices that are ideal otherwise."""

from dataclasses import replace
from typing import Any

from .config import ArrayConfig, Pair
from .device import Device, Response
from .studies import CARRY, IDEAL, ONE_CELL, Level, Nonideality

NOTHING, THINNED = "nothing", "thinning"
MIDDLE, SHIFTED, MIDDLE_THINNED = "reference at mid-range", "zero-shifted reference", "reference at mid-range, thinning"
# As many pairs of pulses as lead a device from end to end: four times what soft bounds decay by 1/e in.
ZERO_SHIFTING = 128
MISMATCH, BOUND_SPREAD = 0.3, 0.1


def remedies() -> tuple[Nonideality, ...]:
    """Devices, and as levels what is done about them."""
    soft = replace(IDEAL, response=Response.SOFT_BOUNDS)
    mismatch = f"mismatch of {MISMATCH:.0%}".replace("%", " %")
    spread = f"soft bounds that spread by {BOUND_SPREAD:.0%}".replace("%", " %")
    return (
        _tried("ideal", IDEAL, NOTHING, MIDDLE),
        _tried(mismatch, replace(IDEAL, mismatch=MISMATCH), NOTHING, THINNED, MIDDLE, SHIFTED, MIDDLE_THINNED),
        _tried("soft bounds", soft, NOTHING, MIDDLE, SHIFTED),
        _tried(
            f"soft bounds, {mismatch}", replace(soft, mismatch=MISMATCH), NOTHING, THINNED, MIDDLE, SHIFTED,
            MIDDLE_THINNED,
        ),
        _tried(spread, replace(soft, bound_spread=BOUND_SPREAD), NOTHING, MIDDLE, SHIFTED),
    )  # fmt: skip


def matched_thinning(device: Device) -> float:
    """The thinning that makes the mean steps of SET and RESET at mid-range equal."""
    (set_0, set_1), (reset_0, reset_1) = device.steps()
    up = float(set_0 + set_1 / 2) * (1 + device.mismatch / 2)
    down = float(reset_0 + reset_1 / 2) * (1 - device.mismatch / 2)
    return 1 - down / up if up > down else up / down - 1


def _tried(title: str, device: Device, *names: str) -> Nonideality:
    thinning = matched_thinning(device)
    fields: dict[str, dict[str, Any]] = {
        NOTHING: {},
        THINNED: {"thinning": thinning},
        MIDDLE: {"pair": Pair.REFERENCE},
        SHIFTED: {"pair": Pair.REFERENCE, "zero_shifting": ZERO_SHIFTING},
        MIDDLE_THINNED: {"pair": Pair.REFERENCE, "thinning": thinning},
    }
    levels = tuple(Level(label=name, array=ArrayConfig(device=device, **fields[name])) for name in names)
    return Nonideality(title=title, unit="", levels=levels, series=(ONE_CELL, CARRY))
