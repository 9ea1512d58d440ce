"""A study as a picture: what its learners came to, and how they got there."""

import io
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..model.files import write_whole
from ..model.study import CURVE_SAMPLES, VOTES, MachineLearner, Study
from .picture import BASELINE, MACHINE, QUIET
from .reproducing import Outcomes
from .study_report import Line, lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MACHINES = ("#1b5e9e", "#2f8f83", "#6a4c93", "#7fa6c9", "#0b2f52", "#a3b763", "#444444", "#b04a6f")
NARROW = 4  # times the low end
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
    curved = len(study.rows) <= len(MACHINES) + len(FLOATS)
    path = directory / f"{study.name}.png"
    file = io.BytesIO()
    with rc_context({"font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left"}):
        height = max(4.5, 1.9 + 0.24 * (len(shown) + len({line.group for line in shown})))
        figure = Figure(figsize=(12 if curved else 8, height), dpi=110, layout="constrained")
        figure.suptitle(study.title, x=0.01, ha="left", fontweight="bold")
        points, *curves = figure.subplots(1, 2 if curved else 1, squeeze=False)[0]
        _draw_points(points, shown)
        for axes in curves:
            _draw_curves(axes, study, outcomes)
            labels = axes.get_legend_handles_labels()
            figure.legend(*labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        figure.savefig(file, format="png")
    write_whole(path, file.getvalue())
    return path


def _draw_points(axes: "Axes", shown: list[Line]) -> None:
    """Mean error and spread of each line, grouped."""
    heights, labels = [], []
    height, last = 0.0, None
    for line in shown:
        height -= 1.0 if line.group == last else 1.9
        if line.group != last:
            axes.text(0.0, height + 0.75, line.group, transform=axes.get_yaxis_transform(), fontweight="bold")
        last = line.group
        figure = line.figures.get(VOTES) or line.figures[0]
        error, spread = 100 - 100 * figure.mean, 100 * (figure.deviation or 0)
        colour = BASELINE if 0 in line.figures else MACHINE
        axes.errorbar(error, height, xerr=spread, fmt="o", ms=4, capsize=2, color=colour)
        axes.annotate(
            f"{error:.2f}", (error + spread, height), (6, 0), textcoords="offset points", va="center", color=QUIET
        )
        heights.append(height)
        labels.append(line.label)
    axes.set_yticks(heights, labels)
    axes.set_ylim(height - 1, 0.2)
    axes.set_xlabel("error by 16 votes, or of the float learner, %")
    _logarithmic(axes, "x")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** 0.12)
    axes.grid(axis="x", color="#dddddd", lw=0.6, which="both")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_curves(axes: "Axes", study: Study, outcomes: Outcomes) -> None:
    """Error by epoch, mean over seeds."""
    used: dict[bool, int] = defaultdict(int)
    several = len({row.group for row in study.rows}) > 1
    for row in study.rows:
        trained = outcomes[row.group, row.label]
        is_machine = isinstance(row.learner, MachineLearner)
        epochs = [epoch for epoch, _ in trained[0].curve]
        error = 100 - 100 * np.mean([[accuracy for _, accuracy in outcome.curve] for outcome in trained], axis=0)
        palette = MACHINES if is_machine else FLOATS
        colour = palette[used[is_machine] % len(palette)]
        used[is_machine] += 1
        axes.plot(epochs, error, color=colour, lw=1.3, label=f"{row.group}: {row.label}" if several else row.label)
    axes.set_title(f"error by epoch, on the first {CURVE_SAMPLES:,} samples")
    axes.set_xlabel("epochs trained")
    axes.set_ylabel("error, %")
    _logarithmic(axes, "x")
    _logarithmic(axes, "y")
    axes.grid(color="#dddddd", lw=0.6, which="both")
    axes.spines[["top", "right"]].set_visible(False)


def _logarithmic(axes: "Axes", direction: str) -> None:
    """A logarithmic axis with plain numbers: at 1, 2 and 5 of each decade, or evenly spaced within half of one."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

    low, high = getattr(axes, f"get_{direction}lim")()
    axes.set(**{f"{direction}scale": "log"})
    axis = getattr(axes, f"{direction}axis")
    if low > 0 and high < NARROW * low:
        axis.set_major_locator(MaxNLocator(nbins=6, steps=(1, 2, 2.5, 5, 10)))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())
