"""An array with its wires as a SPICE netlist, and its currents by ngspice."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...model.errors import ToolError
from ..tools import require, run_tool
from .wires import Amperes, Volts, WireNetwork

NGSPICE = "ngspice"
Ends = Sequence[tuple[str, float]]
_CURRENT = re.compile(r"^i\(vsense(\d+)\) = (\S+)$", re.MULTILINE)


def netlist(network: WireNetwork, voltages_V: Volts, title: str = "array", *, transposed: bool = False) -> str:
    """The circuit of a read, for `ngspice -b`.

    A forward read drives rows at `voltages_V` (rows,) and senses columns at 0 V, a transposed one drives columns at
    `voltages_V` (columns,) and senses rows. Nodes r<i>_<j> and c<i>_<j> are on row and column of the cell in row i and
    column j; the current of line k is that of the source vsense<k>.
    """
    wires, rows, columns = network.wires, network.rows, network.columns
    row_end, column_end = wires.row_ohm + wires.access_ohm, wires.column_ohm + wires.access_ohm
    row_ends = [(f"r{i}_0", row_end) for i in range(rows)]
    column_ends = [(f"c{rows - 1}_{j}", column_end) for j in range(columns)]
    driven, sensed = (column_ends, row_ends) if transposed else (row_ends, column_ends)
    parts = [
        f"* {title}",
        *_drivers(driven, voltages_V),
        *_array(network),
        *_senses(sensed),
        *_analysis(len(sensed)),
        ".end",
        "",
    ]
    return "\n".join(parts)


def ngspice_currents(network: WireNetwork, voltages_V: Volts, *, transposed: bool = False) -> Amperes:
    """Currents of the sensed lines by ngspice, shape (columns,), or transposed (rows,), in amperes.

    Raises
    ------
    ToolError
        If ngspice is missing or fails.
    """
    program = check_ngspice()
    with tempfile.TemporaryDirectory() as directory:
        circuit = Path(directory) / "array.cir"
        circuit.write_text(netlist(network, voltages_V, transposed=transposed))
        output = run_tool([program, "-b", circuit.name], Path(directory))
    found = {int(line): float(current) for line, current in _CURRENT.findall(output)}
    lines = network.rows if transposed else network.columns
    if len(found) != lines:
        raise ToolError(f"ngspice gave {len(found)} currents of {lines}")
    return np.array([found[line] for line in range(lines)])


def check_ngspice() -> str:
    """Path of ngspice.

    Raises
    ------
    ToolError
        If it is missing.
    """
    return require(NGSPICE, NGSPICE)


def _drivers(ends: Ends, voltages_V: Volts) -> Iterator[str]:
    for k, ((node, ohm), volts) in enumerate(zip(ends, voltages_V, strict=True)):
        yield f"vdrive{k} drive{k} 0 dc {float(volts)!r}"
        yield f"rdrive{k} drive{k} {node} {ohm!r}"


def _array(network: WireNetwork) -> Iterator[str]:
    wires, rows, columns = network.wires, network.rows, network.columns
    for i in range(rows):
        yield from (f"rrow{i}_{j} r{i}_{j} r{i}_{j + 1} {wires.row_ohm!r}" for j in range(columns - 1))
    for i, j in np.ndindex(rows, columns):
        if network.conductances_S[i, j]:
            yield f"rcell{i}_{j} r{i}_{j} c{i}_{j} {1 / float(network.conductances_S[i, j])!r}"
    for j in range(columns):
        yield from (f"rcolumn{i}_{j} c{i}_{j} c{i + 1}_{j} {wires.column_ohm!r}" for i in range(rows - 1))


def _senses(ends: Ends) -> Iterator[str]:
    for k, (node, ohm) in enumerate(ends):
        yield f"rsense{k} {node} sense{k} {ohm!r}"
        yield f"vsense{k} sense{k} 0 dc 0"


def _analysis(lines: int) -> Iterator[str]:
    yield ".options klu reltol=1e-12 abstol=1e-18 gmin=1e-30"
    yield ".op"
    yield ".control"
    yield "set numdgt=15"
    yield "run"
    yield from (f"print i(vsense{k})" for k in range(lines))
    yield "quit"
    yield ".endc"
