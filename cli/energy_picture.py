"""Energy of a training sample by phase and part, and of a multiply-accumulate beside other hardware."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.files import write_whole
from ..sim.energy import PARTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#1f6fb4", "#7fb2dd", "#e08a1e", "#c0392b", "#e9a39b", "#6a9a3a", "#8a8a8a")
OURS, THEIRS = "#1f6fb4", "#9a9a9a"


def draw_energy(path: Path, figures: Mapping[str, Any]) -> None:
    """Write a picture of a report's figures: energy by phase, stacked by part, and by MAC on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), dpi=110, layout="constrained")
    phases, macs = figure.subplots(1, 2)
    _draw_phases(phases, figures["energy"]["by_phase_J_per_sample"])
    _draw_macs(macs, figures)
    array = "assumed array" if figures["array_assumed"] else "array"
    source = figures["array"]["device"]["source"] or "ideal devices"
    figure.suptitle(f"{'-'.join(map(str, figures['sizes']))}, {array}: {source}", x=0.01, ha="left", fontsize=10)
    file = BytesIO()
    figure.savefig(file, format="png")
    write_whole(path, file.getvalue())


def _draw_phases(panel: "Axes", phases: Mapping[str, Mapping[str, float]]) -> None:
    shown = {phase: parts for phase, parts in phases.items() if any(parts.values())}
    below = [0.0] * len(shown)
    for part, color in zip(PARTS, COLORS, strict=True):
        heights = [1e9 * parts[part] for parts in shown.values()]
        panel.bar(list(shown), heights, bottom=below, color=color, label=part, width=0.65)
        below = [sum(pair) for pair in zip(below, heights, strict=True)]
    panel.set_title("a training sample", loc="left", fontsize=10)
    panel.set_ylabel("energy, nJ")
    panel.legend(frameon=False, fontsize=8)


def _draw_macs(panel: "Axes", figures: Mapping[str, Any]) -> None:
    energy = figures["energy"]
    bars = [
        ("this machine, array reads alone", energy["forward_array_J_per_mac"], OURS),
        ("this machine, forward", energy["forward_J_per_mac"], OURS),
        ("this machine, training step by synapse", energy["step_J_per_synapse"], OURS),
        *((other["name"], other["mac_J"], THEIRS) for other in figures["alternatives"]),
    ]
    names, values, colors = zip(*reversed(bars), strict=True)
    panel.barh(names, [1e15 * value for value in values], color=colors, log=True)
    for index, value in enumerate(values):
        femtojoules = 1e15 * value
        text = f" {femtojoules:,.0f}" if femtojoules >= 100 else f" {femtojoules:.3g}"
        panel.annotate(text, (femtojoules, index), va="center", fontsize=8)
    panel.margins(x=0.2)
    panel.tick_params(axis="y", labelsize=8)
    panel.set_title("a multiply-accumulate", loc="left", fontsize=10)
    panel.set_xlabel("energy, fJ")
