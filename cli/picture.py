"""``learning.png``: how a run learned, and what its first layer looks like."""

import io
from collections.abc import Mapping
from math import ceil, isqrt, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.files import write_whole
from ..model.schedule import exponent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS_SHOWN = 64
EPOCHS_MARKED = 60
MACHINE, BASELINE, QUIET = "#1b5e9e", "#d9762b", "#6b6b6b"


def draw_learning(path: Path, report: Mapping[str, Any], weights: NDArray[np.int64]) -> None:
    """Draw a finished run.

    Parameters
    ----------
    path : Path
        PNG file to write.
    report : mapping
        As in ``report.json``.
    weights : ndarray of int64, shape (rows, columns)
        Final weights of layer 1, in LSBs; the last row is the bias row.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    # Half a second of import, which no other command needs to pay.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    file = io.BytesIO()
    with rc_context({"font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left"}):
        figure = Figure(figsize=(13, 5.6), dpi=120, layout="constrained")
        accuracy, image = figure.subplots(1, 2, width_ratios=(1.15, 1))
        figure.suptitle(_title(report), x=0.01, ha="left", fontweight="bold")
        _draw_accuracy(accuracy, report)
        _draw_weights(figure, image, weights)
        figure.savefig(file, format="png")
    write_whole(path, file.getvalue())


def receptive_fields(weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Arrange the weights of the first hidden units as a mosaic of square images.

    Parameters
    ----------
    weights : ndarray of int64, shape (inputs + 1, columns)
        With a square number of inputs.

    Returns
    -------
    ndarray of float64
        The images side by side, NaN between them.
    """
    side = isqrt(len(weights) - 1)
    units = min(weights.shape[1], UNITS_SHOWN)
    across = ceil(sqrt(units))
    mosaic = np.full((ceil(units / across) * (side + 1) - 1, across * (side + 1) - 1), np.nan)
    for unit in range(units):
        top, left = (side + 1) * (unit // across), (side + 1) * (unit % across)
        mosaic[top : top + side, left : left + side] = weights[:-1, unit].reshape(side, side)
    return mosaic


def _title(report: Mapping[str, Any]) -> str:
    sizes = "-".join(map(str, report["config"]["sizes"]))
    return f"{sizes} on {report['data']}, {report['train_samples']:,} training samples"


def _draw_accuracy(axes: "Axes", report: Mapping[str, Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    history = report["history"]
    epochs = [record["epoch"] for record in history]
    marker = "o" if len(epochs) <= EPOCHS_MARKED else ""
    for key, name, colour in (
        ("test_accuracy_votes16", "machine, 16 votes", MACHINE),
        ("baseline_test_accuracy", "float baseline", BASELINE),
    ):
        label = f"{name}: {100 * report[key]:.2f} %"
        curve = [100 * record[key] for record in history]
        axes.plot(epochs, curve, color=colour, label=label, linewidth=1.8, marker=marker, markersize=3.5)
    _mark_schedule(axes, report["epochs"])
    axes.set_title("Test accuracy by epoch")
    axes.set_xlabel("epochs trained")
    axes.set_ylabel(f"accuracy on {report['history_test_samples']:,} test samples (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, report["epochs"] + 0.5)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    legend = "final" if report["test_samples"] == report["history_test_samples"] else "final, whole test set"
    axes.legend(title=legend, loc="lower right", framealpha=1, edgecolor="0.85", alignment="left")


def _mark_schedule(axes: "Axes", epochs: int) -> None:
    """Mark where the probability p = 2^-k that a row is pulsed goes down."""
    exponents = [exponent(epoch, epochs) for epoch in range(epochs)]
    steps = [epoch for epoch in range(1, epochs) if exponents[epoch] != exponents[epoch - 1]]
    for epoch in steps:
        edge, share = epoch + 0.5, f"1/{2 ** exponents[epoch]}"
        axes.axvline(edge, color=QUIET, linewidth=0.9, linestyle=(0, (2, 3)))
        text = f"p = {share}" if epoch == steps[0] else share
        axes.text(edge, 1.01, text, color=QUIET, fontsize=8.5, ha="center", transform=axes.get_xaxis_transform())


def _draw_weights(figure: "Figure", axes: "Axes", weights: NDArray[np.int64]) -> None:
    inputs, columns = len(weights) - 1, weights.shape[1]
    bound = max(int(np.abs(weights).max()), 1)
    style: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound, "interpolation": "nearest"}
    if isqrt(inputs) ** 2 == inputs and inputs > 1:
        image = axes.imshow(receptive_fields(weights), **style)
        axes.set_axis_off()
        shown = min(columns, UNITS_SHOWN)
        axes.set_title(f"Weights of layer 1: receptive fields of {shown} of {columns} units")
    else:
        image = axes.imshow(weights, aspect="auto", **style)
        axes.set_title("Weights of layer 1")
        axes.set_xlabel("column")
        axes.set_ylabel("row (the last is the bias row)")
    figure.colorbar(image, ax=axes, label="weight (LSB)", fraction=0.046, pad=0.03)
