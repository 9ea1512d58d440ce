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
    from ..sim.array.run import AnalogRun
    from ..sim.array.wires import WireNetwork

MOST_LINES = 256


def spice(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run on an analog array.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the circuit goes, for ngspice -b.")],
    layer: Annotated[int, typer.Option("--layer", metavar="N", help="Layer, from 1.")] = 1,
    sample: Annotated[int, typer.Option("--sample", metavar="K", help="Test sample that is read, from 0.")] = 0,
    rows: Annotated[str, typer.Option("--rows", metavar="A:B", help="Rows from A to before B.")] = ":",
    columns: Annotated[
        str, typer.Option("--columns", metavar="A:B", help="Device columns: plus and minus of each cell in turn.")
    ] = ":",
    row_ohm: Annotated[float, typer.Option("--row-ohm", metavar="OHM", help="Row resistance by cell.")] = 2.12,
    column_ohm: Annotated[float, typer.Option("--column-ohm", metavar="OHM", help="Column resistance by cell.")] = 2.12,
    access_ohm: Annotated[float, typer.Option("--access-ohm", metavar="OHM", help="Resistance at line ends.")] = 0.0,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Run ngspice and compare currents.")] = False,
    json: JsonOption = None,
) -> None:
    """Write a layer's array with its wires, and a forward read of a test sample in progress, as a SPICE circuit.

    Rows that the sample drives are at the device's read voltage, all others and the columns at 0 V. What the currents
    come to is printed beside those of an array without line resistance; --check compares with ngspice.

    Examples:

        stochastor spice runs/taox --out layer2.cir --layer 2
        stochastor spice runs/taox --out corner.cir --rows 400:464 --columns 0:64 --check
    """
    check_json_path(json)
    analog = _open(run)
    if not 1 <= layer <= analog.config.layers:
        raise ConfigError(f"--layer must be from 1 to {analog.config.layers}, not {layer}")
    with notices.status("reading"):
        network, voltages = _network(analog, layer, sample, (rows, columns), (row_ohm, column_ohm, access_ohm))
    from ..sim.array.spice import netlist

    write_whole(out, netlist(network, voltages, f"layer {layer} of {run}, test sample {sample}").encode("ascii"))
    figures = _figures(network, voltages, check)
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


def _network(
    run: "AnalogRun", layer: int, sample: int, parts: tuple[str, str], ohm: tuple[float, float, float]
) -> tuple["WireNetwork", NDArray[np.float64]]:
    """The array of a layer with its wires, and the voltages of its rows."""
    from ..sim.array.wires import WireNetwork, Wires

    device = run.array.device
    quanta = run.trainer.conductances()[layer - 1]
    devices = quanta.transpose(2, 3, 1, 0).reshape(quanta.shape[2], -1).astype(np.float64) * device.quantum_S
    voltages = np.zeros(len(devices))
    voltages[_driven_rows(run, layer, sample)] = device.read_voltage_V
    row_part, column_part = (
        _part(text, size, name) for text, size, name in zip(parts, devices.shape, ("rows", "columns"), strict=True)
    )
    wires = Wires(row_ohm=ohm[0], column_ohm=ohm[1], access_ohm=ohm[2])
    return WireNetwork(devices[row_part, column_part], wires), voltages[row_part]


def _driven_rows(run: "AnalogRun", layer: int, sample: int) -> NDArray[np.int64]:
    """Rows that the last pattern of a test sample drives."""
    from ..sim.array.trainer import AnalogTrainer

    dataset = load_data(run.data.source, run.config)
    run.check_data(dataset)
    if not 0 <= sample < len(dataset.test_features):
        raise ConfigError(f"--sample must be from 0 to {len(dataset.test_features) - 1}, not {sample}")
    plain = AnalogTrainer(run.config, run.array)
    plain.load_conductances(run.trainer.conductances())
    plain.infer(dataset.test_features[sample : sample + 1], 1)
    driven = plain.crossbars[layer - 1].driven
    ends = np.flatnonzero(driven == run.config.rows(layer) - 1)
    return driven[ends[-2] + 1 :] if len(ends) > 1 else driven


def _part(text: str, size: int, name: str) -> slice:
    """The lines that A:B names."""
    first, colon, last = text.partition(":")
    try:
        part = slice(int(first or 0), int(last or size))
    except ValueError:
        colon = ""
    if not colon or not 0 <= part.start < part.stop <= size:
        raise ConfigError(f"--{name} must be A:B with 0 <= A < B <= {size}, not {text!r}")
    if part.stop - part.start > MOST_LINES:
        raise ConfigError(
            f"{part.stop - part.start} {name} are too many for a circuit: choose at most {MOST_LINES} with --{name} A:B"
        )
    return part


def _figures(network: "WireNetwork", voltages: NDArray[np.float64], check: bool) -> dict[str, Any]:
    currents, without = network.read(voltages), voltages @ network.conductances_S
    figures: dict[str, Any] = {
        "rows": network.rows,
        "columns": network.columns,
        "driven_rows": int(np.count_nonzero(voltages)),
        "currents_A": currents.tolist(),
        "currents_without_wires_A": without.tolist(),
        "lost_to_wires": float(1 - currents.sum() / without.sum()) if without.any() else 0.0,
        "largest_relative_difference": None,
    }
    if check:
        from ..sim.array.spice import ngspice_currents

        theirs = ngspice_currents(network, voltages)
        if not currents.any():
            raise ToolError("no row of this part is driven: there is nothing to compare; choose other --rows")
        figures["largest_relative_difference"] = float(np.max(np.abs(theirs / currents - 1)))
    return figures


def _print(figures: dict[str, Any], out: Path) -> None:
    rows = [
        ("rows, of them driven", f"{figures['rows']}, {figures['driven_rows']}"),
        ("columns of devices", f"{figures['columns']}"),
        ("sum of currents, uA", f"{1e6 * sum(figures['currents_A']):.4f}"),
        ("without line resistance, uA", f"{1e6 * sum(figures['currents_without_wires_A']):.4f}"),
        ("lost to wires", f"{100 * figures['lost_to_wires']:.2f} %"),
    ]
    if figures["largest_relative_difference"] is not None:
        rows.append(("largest relative difference to ngspice", f"{figures['largest_relative_difference']:.1e}"))
    output.print(make_table("forward read of an array with wires", ("", ""), rows))
    notices.print(f"wrote {out}: ngspice -b {out}")
