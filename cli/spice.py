"""``stochastor spice``: a layer's array and a read of it as a circuit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ..model.errors import ConfigError, RunError, ToolError
from ..model.files import write_whole
from .console import make_table, notices, output
from .options import JsonOption, load_data
from .report import check_json_path, write_json

if TYPE_CHECKING:
    from ..sim.array.read_in_progress import ReadInProgress
    from ..sim.array.run import AnalogRun
    from ..sim.array.wires import WireNetwork
    from ..sim.array.wiring import Wires

CELL_OHM = 2.12
KINDS = ("all", "plus", "minus")


def spice(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run on an analog array.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the circuit goes, for ngspice -b.")],
    layer: Annotated[int, typer.Option("--layer", metavar="N", help="Layer, from 1.")] = 1,
    sample: Annotated[int, typer.Option("--sample", metavar="K", help="Test sample that is read, from 0.")] = 0,
    transposed: Annotated[
        bool, typer.Option("--transposed/--forward", help="Drive columns by the signs that come back; sense rows.")
    ] = False,
    devices: Annotated[
        str, typer.Option("--devices", metavar="KIND", help="all (plus and minus of each cell in turn), plus or minus.")
    ] = "all",
    digit: Annotated[
        int | None,
        typer.Option("--digit", metavar="D", help="Cells of one digit, from 0; else all.", show_default=False),
    ] = None,
    rows: Annotated[str, typer.Option("--rows", metavar="A:B", help="Rows from A to before B.")] = ":",
    columns: Annotated[str, typer.Option("--columns", metavar="A:B", help="Columns of devices.")] = ":",
    row_ohm: Annotated[
        float | None, typer.Option("--row-ohm", metavar="OHM", help="Row resistance by cell.", show_default=False)
    ] = None,
    column_ohm: Annotated[
        float | None, typer.Option("--column-ohm", metavar="OHM", help="Column resistance by cell.", show_default=False)
    ] = None,
    access_ohm: Annotated[
        float | None, typer.Option("--access-ohm", metavar="OHM", help="Resistance at line ends.", show_default=False)
    ] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Run ngspice and compare currents.")] = False,
    json: JsonOption = None,
) -> None:
    """Write a layer's array with its wires, and a read of a test sample in progress, as a SPICE circuit.

    Lines that the sample drives are at the device's read voltage, all others and the sensed ones at 0 V. With
    --transposed these are columns, along the signs that come back in a training step on the sample: plus devices at
    the voltage of the sign, minus devices at its opposite. Resistances are those of the run's [wires], or 2.12 ohm a
    cell without. What the currents come to is printed beside those of an array without line resistance; --check
    compares with ngspice.

    A run with [wires] has plus devices, minus devices and digits in arrays of their own, in tiles: --devices plus
    --digit 0 --rows 0:128 --columns 0:128 is one.

    Examples:

        stochastor spice runs/taox --out layer2.cir --layer 2
        stochastor spice runs/taox --out back.cir --layer 2 --transposed --check
        stochastor spice runs/taox --out corner.cir --rows 400:464 --columns 0:64 --check
    """
    check_json_path(json)
    analog = _open(run)
    _check(analog, layer, devices, digit)
    with notices.status("reading"):
        read = _read(analog, layer, sample, devices, digit, transposed)
        network, voltages = _part(read, rows, columns, _wires(analog, row_ohm, column_ohm, access_ohm), transposed)
    from ..sim.array.spice import netlist

    title = f"layer {layer} of {run}, test sample {sample}"
    write_whole(out, netlist(network, voltages, title, transposed=transposed).encode("utf-8"))
    with notices.status("solving"):
        figures = _figures(network, voltages, transposed, check)
    _print(figures, out)
    write_json(json, figures)
    if check and figures["largest_relative_difference"] > 1e-9:
        raise typer.Exit(1)


def _open(path: Path) -> "AnalogRun":
    from ..sim.array.run import AnalogRun, open_run

    run = open_run(path)
    if not isinstance(run, AnalogRun):
        raise RunError(f"{path}: was trained on exact arrays, which have no conductances; train with --array")
    return run


def _check(run: "AnalogRun", layer: int, devices: str, digit: int | None) -> None:
    if not 1 <= layer <= run.config.layers:
        raise ConfigError(f"--layer must be from 1 to {run.config.layers}, not {layer}")
    if devices not in KINDS:
        raise ConfigError(f"--devices must be one of {', '.join(KINDS)}, not {devices!r}")
    if digit is not None and not 0 <= digit < run.config.carry_digits:
        raise ConfigError(f"--digit must be from 0 to {run.config.carry_digits - 1}, not {digit}")


def _read(
    run: "AnalogRun", layer: int, sample: int, devices: str, digit: int | None, transposed: bool
) -> "ReadInProgress":
    from ..sim.array.read_in_progress import Devices, read_in_progress

    dataset = load_data(run.data.source, run.config)
    run.check_data(dataset)
    if not 0 <= sample < len(dataset.test_features):
        raise ConfigError(f"--sample must be from 0 to {len(dataset.test_features) - 1}, not {sample}")
    return read_in_progress(run, dataset, layer, sample, Devices(devices), digit, transposed=transposed)


def _wires(run: "AnalogRun", row_ohm: float | None, column_ohm: float | None, access_ohm: float | None) -> "Wires":
    """The run's own wires, or usual ones, with what options say instead."""
    from ..sim.array.wiring import Wires

    own = run.array.wires or Wires(row_ohm=CELL_OHM, column_ohm=CELL_OHM)
    return Wires(
        row_ohm=own.row_ohm if row_ohm is None else row_ohm,
        column_ohm=own.column_ohm if column_ohm is None else column_ohm,
        access_ohm=own.access_ohm if access_ohm is None else access_ohm,
    )


def _part(
    read: "ReadInProgress", rows: str, columns: str, wires: "Wires", transposed: bool
) -> tuple["WireNetwork", NDArray[np.float64]]:
    """The chosen lines of an array with its wires, and the voltages of those driven."""
    from ..sim.array.wires import LARGEST_SIDE, WireNetwork

    parts = []
    for name, text, size in zip(("rows", "columns"), (rows, columns), read.conductances_S.shape, strict=True):
        part = _lines(text, size, name)
        if part.stop - part.start > LARGEST_SIDE:
            raise ConfigError(
                f"{part.stop - part.start} {name} are too many to be solved at once: choose at most {LARGEST_SIDE} "
                f"with --{name} A:B"
            )
        parts.append(part)
    return WireNetwork(read.conductances_S[parts[0], parts[1]], wires), read.voltages_V[parts[transposed]]


def _lines(text: str, size: int, name: str) -> slice:
    """The lines that A:B names."""
    first, colon, last = text.partition(":")
    try:
        part = slice(int(first or 0), int(last or size))
    except ValueError:
        colon = ""
    if not colon or not 0 <= part.start < part.stop <= size:
        raise ConfigError(f"--{name} must be A:B with 0 <= A < B <= {size}, not {text!r}")
    return part


def _figures(network: "WireNetwork", voltages: NDArray[np.float64], transposed: bool, check: bool) -> dict[str, Any]:
    read = network.read_backward if transposed else network.read
    conductances = network.conductances_S.T if transposed else network.conductances_S
    currents, without = read(voltages), voltages @ conductances
    figures: dict[str, Any] = {
        "read": "transposed" if transposed else "forward",
        "rows": network.rows,
        "columns": network.columns,
        "driven_lines": int(np.count_nonzero(voltages)),
        "row_ohm": network.wires.row_ohm,
        "column_ohm": network.wires.column_ohm,
        "access_ohm": network.wires.access_ohm,
        "currents_A": currents.tolist(),
        "currents_without_wires_A": without.tolist(),
        "lost_to_wires": float(np.abs(currents - without).sum() / np.abs(without).sum()) if without.any() else 0.0,
        "largest_relative_difference": None,
    }
    if check:
        from ..sim.array.spice import ngspice_currents

        if not currents.any():
            raise ToolError("no line of this part is driven: there is nothing to compare; choose other lines")
        theirs = ngspice_currents(network, voltages, transposed=transposed)
        # Currents of both signs cancel: what counts is what would flow if they did not.
        figures["largest_relative_difference"] = float(np.max(np.abs(theirs - currents) / read(np.abs(voltages))))
    return figures


def _print(figures: dict[str, Any], out: Path) -> None:
    sensed = "sum of currents" if figures["read"] == "forward" else "sum of currents, signs apart"
    rows = [
        ("rows, columns of devices", f"{figures['rows']}, {figures['columns']}"),
        ("lines driven", f"{figures['driven_lines']}"),
        ("row, column, access, ohm", ", ".join(f"{figures[f'{wire}_ohm']:g}" for wire in ("row", "column", "access"))),
        (f"{sensed}, uA", f"{1e6 * np.abs(figures['currents_A']).sum():.4f}"),
        ("without line resistance, uA", f"{1e6 * np.abs(figures['currents_without_wires_A']).sum():.4f}"),
        ("changed by wires", f"{100 * figures['lost_to_wires']:.2f} %"),
    ]
    if figures["largest_relative_difference"] is not None:
        rows.append(("largest relative difference to ngspice", f"{figures['largest_relative_difference']:.1e}"))
    output.print(make_table(f"{figures['read']} read of an array with wires", ("", ""), rows))
    notices.print(f"wrote {out}: ngspice -b {out}")
