"""``results.png``: accuracy along every axis of a sweep."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil, sqrt
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any

from ..model.sweep import Plan, as_cell
from ..model.sweep_run import RunReport
from .picture import BASELINE, MACHINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS_ACROSS = 3
FEWER_VOTES = ("#6fa8d8", "#9cc4e6", "#bcd8ef")
SHIFT = 0.06  # between the series at a value, in steps from value to value
MOST_LABELS = 24
MOST_LINES = 24
LONG_LABELS = 30  # characters of all labels of a panel that fit side by side

Accuracy = Callable[[RunReport], float | None]
Alike = tuple[Any, ...]  # where a machine lies on the other axes
Accuracies = dict[Any, dict[Alike, list[float]]]  # of all seeds, by value on the axis of a panel


def draw_sweep(plan: Plan, reports: Mapping[str, RunReport]) -> bytes:
    """Draw accuracy against every axis of the plan; each panel is over all other axes and seeds.

    Parameters
    ----------
    plan : Plan
    reports : mapping of str to RunReport
        Of finished runs, by name; one at least.

    Returns
    -------
    bytes
        A PNG file.
    """
    # Half a second of import, which no other command needs to pay.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = list(plan.axes) or [""]
    across = min(len(names), PANELS_ACROSS)
    down = ceil(len(names) / across)
    file = io.BytesIO()
    with rc_context({"font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left"}):
        figure = Figure(figsize=(max(7.5, 4.8 * across), 1.2 + 4.2 * down), dpi=120, layout="constrained")
        panels = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
        for panel, name in zip(panels, names, strict=False):
            _draw_panel(panel, plan, reports, name)
        for panel in panels[len(names) :]:
            panel.set_visible(False)
        figure.suptitle(_title(plan, reports), x=0.01, ha="left", fontweight="bold")
        figure.supylabel(_accuracy_label(plan, reports), fontsize=10)
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            title=_explanation(plan),
            loc="outside lower left",
            ncols=len(plan.passes) + 1,
            frameon=False,
            alignment="left",
            title_fontproperties={"size": 9},
        )
        figure.savefig(file, format="png")
    return file.getvalue()


def _title(plan: Plan, reports: Mapping[str, RunReport]) -> str:
    cases = len({report.run.case for report in reports.values()})
    text = f"{cases} {'machine' if cases == 1 else 'machines'} on {plan.data}, {len(reports)} runs"
    return text if len(reports) == len(plan.runs) else f"{text} of {len(plan.runs)}"


def _accuracy_label(plan: Plan, reports: Mapping[str, RunReport]) -> str:
    samples = max(report.evaluated_samples for report in reports.values())
    return f"accuracy on {samples:,} {plan.evaluated_on} samples (%)"


def _explanation(plan: Plan) -> str:
    bars = ", bars: plus and minus one standard deviation over seeds" if len(plan.seeds) > 1 else ""
    lines = ", thin lines: machines that differ in nothing else" if len(plan.axes) > 1 else ""
    return f"circles: means, dots: runs{lines}{bars}"


def _draw_panel(panel: "Axes", plan: Plan, reports: Mapping[str, RunReport], name: str) -> None:
    choices = plan.axes.get(name, ("",))
    ordered = all(isinstance(choice, int | float) for choice in choices)
    values = sorted(choices) if ordered else list(choices)
    series = _series(plan)
    for index, (label, colour, accuracy) in enumerate(series):
        shift = SHIFT * (index - (len(series) - 1) / 2)
        positions = {value: position + shift for position, value in enumerate(values)}
        accuracies = _accuracies(plan, reports, name, accuracy)
        _draw_runs(panel, positions, accuracies, colour)
        _draw_means(panel, positions, accuracies, label=label, colour=colour, line=ordered)
    _label_values(panel, values)
    panel.set_title(name or plan.cases[0].name)
    panel.grid(axis="y", color="0.9")
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _series(plan: Plan) -> list[tuple[str, str, Accuracy]]:
    """What is drawn of a run: name, colour, and which of its accuracies."""
    most, *fewer = reversed(plan.passes)
    colours = {most: MACHINE} | {passes: FEWER_VOTES[i % len(FEWER_VOTES)] for i, passes in enumerate(fewer)}
    series: list[tuple[str, str, Accuracy]] = [
        (f"machine, {passes} {'vote' if passes == 1 else 'votes'}", colour, _machine_accuracy(passes))
        for passes, colour in colours.items()
    ]
    if plan.baseline:
        series.append(("float baseline", BASELINE, lambda report: report.result.baseline_accuracy))
    return series


def _machine_accuracy(passes: int) -> Accuracy:
    return lambda report: report.result.accuracy[passes]


def _accuracies(plan: Plan, reports: Mapping[str, RunReport], name: str, accuracy: Accuracy) -> Accuracies:
    cases = {case.name: case for case in plan.cases}
    found: Accuracies = {}
    for report in reports.values():
        place = dict(cases[report.run.case].place)
        value, share = place.pop(name, ""), accuracy(report)
        if share is not None:
            found.setdefault(value, {}).setdefault(tuple(place.values()), []).append(100 * share)
    return found


def _draw_runs(panel: "Axes", positions: Mapping[Any, float], accuracies: Accuracies, colour: str) -> None:
    """Draw a dot for each run, and a thin line through machines that differ in nothing else than this axis."""
    alike: dict[Alike, list[tuple[float, float]]] = {}
    for value, position in positions.items():
        for place, runs in accuracies.get(value, {}).items():
            panel.plot([position] * len(runs), runs, ".", color=colour, alpha=0.45, markersize=5, markeredgewidth=0)
            alike.setdefault(place, []).append((position, fmean(runs)))
    if 1 < len(alike) <= MOST_LINES:
        for points in alike.values():
            panel.plot(*zip(*points, strict=True), color=colour, alpha=0.35, linewidth=0.8)


def _draw_means(
    panel: "Axes", positions: Mapping[Any, float], accuracies: Accuracies, *, label: str, colour: str, line: bool
) -> None:
    shown = [value for value in positions if value in accuracies]
    panel.errorbar(
        [positions[value] for value in shown],
        [fmean(fmean(runs) for runs in accuracies[value].values()) for value in shown],
        yerr=[_deviation(accuracies[value].values()) for value in shown],
        label=label,
        color=colour,
        marker="o",
        markersize=5.5,
        linewidth=1.8 if line else 0,
        elinewidth=1.4,
        capsize=3,
    )


def _deviation(machines: Iterable[Sequence[float]]) -> float:
    """Standard deviation over seeds, pooled over the machines that have more than one."""
    variances = [variance(runs) for runs in machines if len(runs) > 1]
    return sqrt(fmean(variances)) if variances else 0.0


def _label_values(panel: "Axes", values: Sequence[Any]) -> None:
    labels = [str(as_cell(value)) for value in values]
    step = ceil(len(labels) / MOST_LABELS)
    turned: dict[str, Any] = (
        {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if len("".join(labels)) > LONG_LABELS else {}
    )
    panel.set_xticks(range(0, len(labels), step), labels[::step], **turned)
    panel.set_xlim(-0.5, len(labels) - 0.5)
