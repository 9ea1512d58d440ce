"""An array with its wires as a SPICE netlist, and its currents by ngspice."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...model.errors import ToolError
from ..tools import require, run_tool
from .wires import Amperes, Volts, WireNetwork

NGSPICE = "ngspice"
_CURRENT = re.compile(r"^i\(vsense(\d+)\) = (\S+)$", re.MULTILINE)


def netlist(network: WireNetwork, voltages_V: Volts, title: str = "array") -> str:
    """The circuit of a forward read, for `ngspice -b`: rows driven at `voltages_V` (rows,), columns sensed at 0 V.

    Nodes r<i>_<j> and c<i>_<j> are on row and column of the cell in row i and column j; the current of column j is
    that of the source vsense<j>.
    """
    return "\n".join([f"* {title}", *_devices(network, voltages_V), *_analysis(network), ".end", ""])


def ngspice_currents(network: WireNetwork, voltages_V: Volts) -> Amperes:
    """Currents of the columns by ngspice, shape (columns,), in amperes.

    Raises
    ------
    ToolError
        If ngspice is missing or fails.
    """
    program = check_ngspice()
    with tempfile.TemporaryDirectory() as directory:
        circuit = Path(directory) / "array.cir"
        circuit.write_text(netlist(network, voltages_V))
        output = run_tool([program, "-b", circuit.name], Path(directory))
    found = {int(column): float(current) for column, current in _CURRENT.findall(output)}
    if len(found) != network.columns:
        raise ToolError(f"ngspice gave {len(found)} currents of {network.columns}")
    return np.array([found[column] for column in range(network.columns)])


def check_ngspice() -> str:
    """Path of ngspice.

    Raises
    ------
    ToolError
        If it is missing.
    """
    return require(NGSPICE, NGSPICE)


def _devices(network: WireNetwork, voltages_V: Volts) -> Iterator[str]:
    wires, rows, columns = network.wires, network.rows, network.columns
    row_end, column_end = wires.row_ohm + wires.access_ohm, wires.column_ohm + wires.access_ohm
    for i in range(rows):
        yield f"vdrive{i} drive{i} 0 dc {float(voltages_V[i])!r}"
        yield f"rdrive{i} drive{i} r{i}_0 {row_end!r}"
        yield from (f"rrow{i}_{j} r{i}_{j} r{i}_{j + 1} {wires.row_ohm!r}" for j in range(columns - 1))
    for i, j in np.ndindex(rows, columns):
        if network.conductances_S[i, j]:
            yield f"rcell{i}_{j} r{i}_{j} c{i}_{j} {1 / float(network.conductances_S[i, j])!r}"
    for j in range(columns):
        yield from (f"rcolumn{i}_{j} c{i}_{j} c{i + 1}_{j} {wires.column_ohm!r}" for i in range(rows - 1))
        yield f"rsense{j} c{rows - 1}_{j} sense{j} {column_end!r}"
        yield f"vsense{j} sense{j} 0 dc 0"


def _analysis(network: WireNetwork) -> Iterator[str]:
    yield ".options klu reltol=1e-12 abstol=1e-18 gmin=1e-30"
    yield ".op"
    yield ".control"
    yield "set numdgt=15"
    yield "run"
    yield from (f"print i(vsense{j})" for j in range(network.columns))
    yield "quit"
    yield ".endc"
