"""``stochastor demo``: the whole chain on handwritten digits."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..model.config import Config
from ..model.errors import ToolError
from ..model.files import write_together, write_whole
from .console import make_table, notices, output, percent
from .cosim import run_cosim
from .options import DEFAULT_DATA, JsonOption, resolve_config
from .report import check_json_path, write_json
from .training import PICTURE, train_run

if TYPE_CHECKING:
    from ..hdl.verilog import Design
    from ..sim.cosim import Simulator


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
    with ThreadPoolExecutor(1) as pool:
        hardware = pool.submit(_make_hardware, config, directory / "verilog")
        report = train_run(directory / "run", config, DEFAULT_DATA)
    figures = report | _cosimulate(*hardware.result(), samples)
    figures["wall_seconds"] = time.monotonic() - began
    picture = directory / PICTURE
    write_whole(picture, (directory / "run" / PICTURE).read_bytes())
    _print(figures, directory)
    write_json(json, figures)
    if figures["differences"]:
        raise typer.Exit(1)


def _make_hardware(config: Config, directory: Path) -> tuple["Design", "Simulator | None"]:
    """Write the Verilog and build the best simulator there is, beside the training."""
    from ..hdl.verilog import generate
    from ..sim.cosim import best_simulator, prepare

    design = generate(config)
    write_together(directory, design.files())
    try:
        simulator = best_simulator()
        prepare(design, simulator)
    except ToolError as error:
        notices.print(f"not co-simulated: {error}")
        return design, None
    return design, simulator


def _cosimulate(design: "Design", simulator: "Simulator | None", samples: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"verilog_lines": design.verilog.count("\n")}
    if simulator is None:
        return figures | {"simulator": None, "differences": None}
    return figures | asdict(run_cosim(design, DEFAULT_DATA, samples, simulator, 0.0))


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
