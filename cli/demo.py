"""``stochastor demo``: the whole chain on handwritten digits."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ..model.errors import ToolError
from ..model.files import write_whole
from ..model.run import Run
from .console import make_table, notices, output, percent
from .cosim import run_cosim
from .options import DEFAULT_DATA, JsonOption, resolve_config
from .report import check_json_path, write_json
from .training import PICTURE, train_run


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Directory to make; a number is added if it is there.")
    ] = Path("runs/demo"),
    samples: Annotated[int, typer.Option("--samples", metavar="N", help="Samples to co-simulate.", min=1)] = 200,
    json: JsonOption = None,
) -> None:
    """Watch one-bit logic learn to read digits, next to floating point, next to the proof that the Verilog agrees.

    Trains the preset `digits` and the baseline, writes the Verilog of the machine, lets the best simulator that is
    installed train the first samples on it, and compares every bit with the golden model.

    Examples:

        stochastor demo
        stochastor demo --out runs/first --samples 1000
    """
    check_json_path(json)
    began = time.monotonic()
    directory = _free(out)
    config = resolve_config("digits", None)
    report = train_run(directory / "run", config, DEFAULT_DATA)
    figures = report | _verilog_and_cosim(directory, samples)
    figures["wall_seconds"] = time.monotonic() - began
    picture = directory / PICTURE
    write_whole(picture, (directory / "run" / PICTURE).read_bytes())
    _print(figures, directory)
    write_json(json, figures)
    if figures["differences"]:
        raise typer.Exit(1)


def _verilog_and_cosim(directory: Path, samples: int) -> dict[str, Any]:
    from ..hdl.verilog import generate
    from ..sim.cosim import best_simulator

    config = Run.open(directory / "run").config
    with notices.status("generating Verilog"):
        design = generate(config)
    target = directory / "verilog"
    target.mkdir()
    for name, content in design.files().items():
        write_whole(target / name, content)
    figures: dict[str, Any] = {"verilog_lines": design.verilog.count("\n")}
    try:
        cosim = run_cosim(design, DEFAULT_DATA, samples, best_simulator(), 0.0)
    except ToolError as error:
        notices.print(f"not co-simulated: {error}")
        return figures | {"simulator": None, "differences": None}
    return figures | {
        "simulator": cosim.simulator,
        "samples": cosim.samples,
        "decisions": cosim.decisions,
        "differences": cosim.differences,
        "first_difference": cosim.first_difference,
        "cycles_per_sample": cosim.cycles_per_sample,
    }


def _print(figures: dict[str, Any], directory: Path) -> None:
    sizes = "-".join(map(str, figures["config"]["sizes"]))
    rows = [
        ("one-bit machine, 16 votes", percent(figures["test_accuracy_votes16"])),
        ("float baseline", percent(figures["baseline_test_accuracy"])),
        ("training samples per second, golden model", f"{figures['samples_per_second']:,.0f}"),
        ("lines of Verilog", f"{figures['verilog_lines']:,}"),
    ]
    if figures["simulator"] is not None:
        rows += [
            (f"samples trained on the Verilog ({figures['simulator']})", f"{figures['samples']:,}"),
            ("clock cycles per sample", f"{figures['cycles_per_sample']:,.1f}"),
            ("decisions compared", f"{figures['decisions']:,}"),
            ("differences", f"{figures['differences']:,}"),
        ]
    title = f"{sizes} on {figures['data']}: {figures['test_samples']} test samples, {figures['epochs']} epochs"
    output.print(make_table(title, ("", ""), rows))
    if figures.get("first_difference"):
        output.print(f"first difference: {figures['first_difference']}", style="bold red")
    output.print(f"look at {directory / PICTURE}; the Verilog is in {directory / 'verilog'}")


def _free(wanted: Path) -> Path:
    """`wanted`, or the first numbered name beside it that is free."""
    candidate, number = wanted, 2
    while candidate.exists():
        candidate = wanted.with_name(f"{wanted.name}-{number}")
        number += 1
    return candidate
