"""The studies of devices as pictures."""

import io
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.files import write_whole
from ..model.study import Study
from ..sim.array.config import ArrayConfig
from ..sim.array.pulse_trains import alike, pulse_trains
from ..sim.array.studies import ACCUMULATED, CARRY, ONE_CELL, PULSES, SERIES, Nonideality, level_label, nonidealities
from .device_report import accuracy_of
from .picture import BASELINE, MACHINE, QUIET
from .reproducing import Outcomes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {ONE_CELL: "#7fa6c9", CARRY: MACHINE, PULSES: BASELINE, ACCUMULATED: "#b03a2e"}
MARKERS = {ONE_CELL: "s", CARRY: "o", PULSES: "^", ACCUMULATED: "v"}
ACROSS, NONIDEALITIES_ACROSS = 3, 4
DEVICES_IN_BAND = 200
DEVICES_SHOWN = 5
BAND = (5, 95)
STYLE: dict[Any, Any] = {"font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left"}


def draw_devices(path: Path, study: Study, outcomes: Outcomes) -> None:
    """Draw the accuracy of every learner on every array.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    arrays = list(dict.fromkeys(row.group for row in study.rows))
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 4.4), dpi=110, layout="constrained")
        axes = figure.subplots()
        for index, (series, label) in enumerate(SERIES.items()):
            shift = 0.14 * (index - (len(SERIES) - 1) / 2)
            for place, array in enumerate(arrays):
                found = outcomes.get((array, label))
                if found:
                    accuracy = accuracy_of(found)
                    axes.errorbar(
                        place + shift,
                        100 * accuracy.mean,
                        yerr=100 * (accuracy.deviation or 0),
                        fmt=MARKERS[series],
                        ms=5,
                        capsize=2,
                        color=COLOURS[series],
                        label=label if array == arrays[0] else None,
                    )
        axes.set_xticks(range(len(arrays)), arrays)
        axes.set_ylabel(f"accuracy on {study.evaluated_on}, %")
        _finish(figure, axes, study.title)
        _save(path, figure)


def draw_nonidealities(path: Path, study: Study, outcomes: Outcomes) -> None:
    """Draw accuracy against each non-ideality, a panel each.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    kinds = nonidealities()
    with rc_context(STYLE):
        down = ceil(len(kinds) / NONIDEALITIES_ACROSS)
        figure = Figure(figsize=(12.5, 0.9 + 2.5 * down), dpi=110, layout="constrained")
        panels = figure.subplots(down, NONIDEALITIES_ACROSS, squeeze=False, sharey=True).ravel()
        for panel, kind in zip(panels, kinds, strict=False):
            _draw_kind(panel, kind, outcomes)
        for panel in panels[len(kinds) :]:
            panel.set_visible(False)
        figure.supylabel(f"accuracy on {study.evaluated_on}, %", fontsize=9)
        _finish(figure, panels[0], study.title)
        _save(path, figure)


def draw_pulse_trains(path: Path, arrays: Mapping[str, ArrayConfig]) -> None:
    """Draw pulse curves of devices: SET from end to end, then RESET; bands are from cycle to cycle.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    across = min(ACROSS, len(arrays))
    down = ceil(len(arrays) / across)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.7 * across, 0.8 + 2.7 * down), dpi=110, layout="constrained")
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for panel, (name, array) in zip(panels, arrays.items(), strict=False):
            _draw_trains(panel, name, array)
        for panel in panels[len(arrays) :]:
            panel.set_visible(False)
        figure.supylabel("conductance, µS", fontsize=9)
        _finish(figure, panels[0], "Pulse curves of simulated devices")
        _save(path, figure)


def _draw_kind(panel: "Axes", kind: Nonideality, outcomes: Outcomes) -> None:
    for series in kind.series:
        accuracies = [accuracy_of(outcomes[kind.title, level_label(level, series)]) for level in kind.levels]
        panel.errorbar(
            range(len(kind.levels)),
            [100 * accuracy.mean for accuracy in accuracies],
            yerr=[100 * (accuracy.deviation or 0) for accuracy in accuracies],
            fmt=f"{MARKERS[series]}-",
            ms=4,
            lw=1.2,
            capsize=2,
            color=COLOURS[series],
            label=SERIES[series],
        )
    panel.set_xticks(range(len(kind.levels)), [level.label for level in kind.levels])
    panel.set_title(kind.title)
    panel.set_xlabel(kind.unit)
    panel.grid(axis="y", color="#dddddd", lw=0.6)
    panel.spines[["top", "right"]].set_visible(False)


def _draw_trains(panel: "Axes", name: str, array: ArrayConfig) -> None:
    one_kind = pulse_trains(ArrayConfig(device=alike(array.device), seed=array.seed), DEVICES_IN_BAND)
    different = pulse_trains(array, DEVICES_SHOWN)
    pulses = len(one_kind.set_S) - 1
    for begin, band, examples in (
        (0, one_kind.set_S, different.set_S),
        (pulses, one_kind.reset_S, different.reset_S),
    ):
        counted = begin + np.arange(pulses + 1)
        low, high = 1e6 * np.percentile(band, BAND, axis=1)
        first = begin == 0
        label = f"{BAND[0]} to {BAND[1]} % from cycle to cycle" if first else None
        panel.fill_between(counted, low, high, color=MACHINE, alpha=0.25, lw=0, label=label)
        panel.plot(counted, 1e6 * np.median(band, axis=1), color=MACHINE, lw=1.4, label="median" if first else None)
        lines = panel.plot(counted, 1e6 * examples, color=QUIET, lw=0.6, alpha=0.7)
        if first:
            lines[0].set_label(f"{DEVICES_SHOWN} devices of an array")
    panel.set_title(name)
    panel.set_xlabel("SET pulses, then RESET pulses")
    panel.spines[["top", "right"]].set_visible(False)


def _finish(figure: "Figure", labelled: "Axes", title: str) -> None:
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    handles = labelled.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=len(handles[0]), frameon=False)


def _save(path: Path, figure: "Figure") -> None:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    write_whole(path, file.getvalue())
