"""``conductances.png``: the devices of a run's first layer before and after training."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.files import write_whole
from ..sim.array.crossbar import MINUS, PLUS
from .picture import MACHINE, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 60
NAMES = {PLUS: "plus", MINUS: "minus"}


def draw_conductances(path: Path, before_S: NDArray[np.float64], after_S: NDArray[np.float64]) -> None:
    """Draw maps of conductances before and after training, and how they are spread.

    Parameters
    ----------
    path : Path
        PNG file to write.
    before_S, after_S : ndarray of float64, shape (2, digits, rows, columns)
        Plus devices first, in siemens.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    polarities, digits, rows, columns = before_S.shape
    devices = [(digit, polarity) for digit in range(digits) for polarity in range(polarities)]
    low, high = 1e6 * min(before_S.min(), after_S.min()), 1e6 * max(before_S.max(), after_S.max())
    with rc_context({"font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left"}):
        figure = Figure(figsize=(1.2 + 2.6 * len(devices), 8.2), dpi=110, layout="constrained")
        figure.suptitle(
            f"Conductances of layer 1: {rows} rows (the last is the bias row), {columns} columns",
            x=0.01,
            ha="left",
            fontweight="bold",
        )
        panels = figure.subplots(3, len(devices), squeeze=False, height_ratios=(1, 1, 0.55))
        for place, (digit, polarity) in enumerate(devices):
            name = NAMES[polarity] if digits == 1 else f"cell {digit}, {NAMES[polarity]}"
            before, after = 1e6 * before_S[polarity, digit], 1e6 * after_S[polarity, digit]
            for panel, matrix, when in zip(panels[:2, place], (before, after), ("before", "after"), strict=True):
                image = panel.imshow(matrix, aspect="auto", cmap="viridis", vmin=low, vmax=high)
                panel.set_title(f"{name}, {when}")
            _draw_spread(panels[2, place], before, after, (low, high))
        figure.colorbar(image, ax=panels[:2], label="conductance, µS", fraction=0.03, pad=0.02)
        panels[0, 0].set_ylabel("row")
        panels[1, 0].set_ylabel("row")
        panels[2, 0].set_ylabel("devices")
        panels[2, 0].legend(frameon=False)
        most = max(panel.get_ylim()[1] for panel in panels[2])
        for panel in panels[2]:
            panel.set_ylim(0.8, most)
        file = io.BytesIO()
        figure.savefig(file, format="png")
    write_whole(path, file.getvalue())


def _draw_spread(
    panel: "Axes", before: NDArray[np.float64], after: NDArray[np.float64], bounds: tuple[float, float]
) -> None:
    panel.hist(before.ravel(), BINS, range=bounds, histtype="step", color=QUIET, label="before")
    panel.hist(after.ravel(), BINS, range=bounds, histtype="stepfilled", color=MACHINE, alpha=0.6, label="after")
    panel.set_yscale("log")
    panel.set_xlabel("conductance, µS")
    panel.spines[["top", "right"]].set_visible(False)
