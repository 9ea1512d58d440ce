"""A study as a picture: what its learners came to, and how they got there."""

import io
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..model.files import write_whole
from ..model.study import VOTES, MachineLearner, Study
from .picture import BASELINE, MACHINE, QUIET
from .reproducing import Outcomes
from .study_report import Line, lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MACHINES = ("#1b5e9e", "#2f8f83", "#6a4c93", "#7fa6c9", "#0b2f52", "#a3b763", "#444444", "#b04a6f")
FLOATS = ("#d9762b", "#b03a2e", "#e0a458", "#8c5a2b", "#f2c14e")


def draw_study(directory: Path, study: Study, outcomes: Outcomes) -> Path:
    """Draw a study into `directory`.

    Returns
    -------
    Path
        The PNG file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = list(lines(study, outcomes))
    path = directory / f"{study.name}.png"
    file = io.BytesIO()
    with rc_context({"font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left"}):
        height = max(4.0, 1.6 + 0.21 * (len(shown) + len({line.group for line in shown})))
        figure = Figure(figsize=(12, height), dpi=110, layout="constrained")
        points, curves = figure.subplots(1, 2, width_ratios=(1.1, 1))
        figure.suptitle(study.title, x=0.01, ha="left", fontweight="bold")
        _draw_points(points, shown)
        _draw_curves(curves, study, outcomes)
        figure.savefig(file, format="png")
    write_whole(path, file.getvalue())
    return path


def _draw_points(axes: "Axes", shown: list[Line]) -> None:
    """Mean and spread of each line, grouped."""
    heights, labels = [], []
    height, last = 0.0, None
    for line in shown:
        height -= 1.0 if line.group == last else 1.9
        if line.group != last:
            axes.text(0.0, height + 0.75, line.group, transform=axes.get_yaxis_transform(), fontweight="bold")
        last = line.group
        figure = line.figures.get(VOTES) or line.figures[0]
        colour = BASELINE if 0 in line.figures else MACHINE
        axes.errorbar(
            100 * figure.mean, height, xerr=100 * (figure.deviation or 0), fmt="o", ms=4, capsize=2, color=colour
        )
        heights.append(height)
        labels.append(line.label)
    axes.set_yticks(heights, labels)
    axes.set_ylim(height - 1, 0.2)
    axes.set_xlabel("accuracy by 16 votes, or of the float learner, %")
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_curves(axes: "Axes", study: Study, outcomes: Outcomes) -> None:
    """Error by epoch, mean over seeds."""
    used: dict[bool, int] = defaultdict(int)
    few = len(study.rows) <= len(MACHINES) + len(FLOATS)
    for row in study.rows:
        trained = outcomes[row.group, row.label]
        is_machine = isinstance(row.learner, MachineLearner)
        epochs = [epoch for epoch, _ in trained[0].curve]
        error = 100 - 100 * np.mean([[accuracy for _, accuracy in outcome.curve] for outcome in trained], axis=0)
        palette = MACHINES if is_machine else FLOATS
        colour = palette[used[is_machine] % len(palette)] if few else QUIET
        used[is_machine] += 1
        axes.plot(epochs, error, color=colour, lw=1.3 if few else 0.7, label=f"{row.group}: {row.label}")
    axes.set_title("error by epoch, on the first 2,000 samples")
    axes.set_xlabel("epochs trained")
    axes.set_ylabel("error, %")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(color="#dddddd", lw=0.6, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    if few:
        axes.legend(frameon=False, fontsize=7)
