"""Measured pulse curves beside those of the fitted device."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.files import write_whole
from ..sim.array.device import Device
from ..sim.array.pulse_curves import DIRECTIONS, PulseCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {"set": "tab:blue", "reset": "tab:red"}
TITLES = {"set": "SET pulses", "reset": "RESET pulses"}


def draw_curves(path: Path, curves: Sequence[PulseCurve], device: Device) -> None:
    """Write a picture of `curves` and of the mean curve of `device`, a panel a direction."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=110, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, direction in zip(panels, DIRECTIONS, strict=True):
        _draw_direction(panel, [curve for curve in curves if curve.direction == direction], device, direction)
    panels[0].set_ylabel("conductance, µS")
    file = BytesIO()
    figure.savefig(file, format="png")
    write_whole(path, file.getvalue())


def _draw_direction(panel: "Axes", curves: Sequence[PulseCurve], device: Device, direction: str) -> None:
    for curve in curves:
        panel.plot(1e6 * curve.conductances_S, ".", color=COLORS[direction], alpha=0.4, markersize=3)
    begin = float(np.mean([curve.conductances_S[0] for curve in curves]))
    pulses = max(len(curve.conductances_S) for curve in curves)
    panel.plot(1e6 * fitted_curve(device, direction, begin, pulses), "k-", linewidth=1.2, label="fitted")
    panel.set(title=TITLES[direction], xlabel="pulses")
    panel.legend(frameon=False)


def fitted_curve(device: Device, direction: str, begin_S: float, pulses: int) -> NDArray[np.float64]:
    """Conductances of `device` without spread, shape (pulses,), from `begin_S` on, in siemens."""
    steps, sign = (device.steps()[0], 1) if direction == "set" else (device.steps()[1], -1)
    factor = 1 + sign * device.mismatch / 2
    span = device.g_max_S - device.g_min_S
    x, curve = (begin_S - device.g_min_S) / span, []
    for _ in range(pulses):
        curve.append(device.g_min_S + span * x)
        x = min(max(x + sign * factor * (float(steps[0]) + float(steps[1]) * x), 0.0), 1.0)
    return np.array(curve)
