"""Line resistance: the exact nodal solution of an array with its wires, and its effective conductances.

Row i is driven or sensed at its left end, column j at its lower end, each through the access resistance; lines that
take no part are held at 0 V. Every cell of an m x n array has a node on its row and one on its column. The currents are
linear in the voltages, and the network of resistors is reciprocal: what column j draws when row i is at 1 V is what row
i draws when column j is, so that one matrix of effective conductances serves forward and transposed reads.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import SuperLU, splu

from ...model.errors import ConfigError
from .wiring import Wires as Wires

Siemens = NDArray[np.float64]
Amperes = NDArray[np.float64]
Volts = NDArray[np.float64]
LARGEST_SIDE = 1024


class WireNetwork:
    """An array of devices with the resistance of its lines.

    Parameters
    ----------
    conductances_S : ndarray of float64, shape (rows, columns)
        Of the devices, in siemens, 0 or more.
    wires : Wires

    Raises
    ------
    ConfigError
        If a conductance is impossible, or the array is too large to be solved at once.
    """

    def __init__(self, conductances_S: Siemens, wires: Wires) -> None:
        _check_conductances(conductances_S)
        self.conductances_S = np.asarray(conductances_S, dtype=np.float64)
        self.wires = wires
        self.rows, self.columns = self.conductances_S.shape

    def read(self, voltages_V: Volts) -> Amperes:
        """Currents of the columns (columns,), in amperes, with rows at `voltages_V` (rows,) and columns at 0 V."""
        potentials = self._solve(self._injected(rows=np.asarray(voltages_V, dtype=np.float64)))
        return self._column_end_S * potentials[self._column_ends]

    def read_backward(self, voltages_V: Volts) -> Amperes:
        """Currents of the rows (rows,), in amperes, with columns at `voltages_V` (columns,) and rows at 0 V."""
        potentials = self._solve(self._injected(columns=np.asarray(voltages_V, dtype=np.float64)))
        return self._row_end_S * potentials[self._row_ends]

    @cached_property
    def effective_S(self) -> Siemens:
        """Effective conductances, shape (rows, columns), in siemens: with voltages they make the currents of reads."""
        if self.rows <= self.columns:
            injected = np.zeros((2 * self.rows * self.columns, self.rows))
            injected[self._row_ends, np.arange(self.rows)] = self._row_end_S
            return (self._column_end_S * self._solve(injected)[self._column_ends]).T
        injected = np.zeros((2 * self.rows * self.columns, self.columns))
        injected[self._column_ends, np.arange(self.columns)] = self._column_end_S
        return self._row_end_S * self._solve(injected)[self._row_ends]

    @property
    def _row_end_S(self) -> float:
        return 1 / (self.wires.row_ohm + self.wires.access_ohm)

    @property
    def _column_end_S(self) -> float:
        return 1 / (self.wires.column_ohm + self.wires.access_ohm)

    @cached_property
    def _row_ends(self) -> NDArray[np.int64]:
        """Nodes of the rows' first cells."""
        return np.arange(0, self.rows * self.columns, self.columns, dtype=np.int64)

    @cached_property
    def _column_ends(self) -> NDArray[np.int64]:
        """Nodes of the columns' last cells."""
        end = 2 * self.rows * self.columns
        return np.arange(end - self.columns, end, dtype=np.int64)

    def _injected(self, rows: Volts | None = None, columns: Volts | None = None) -> Amperes:
        """Currents into the nodes at line ends."""
        injected = np.zeros(2 * self.rows * self.columns)
        if rows is not None:
            injected[self._row_ends] = self._row_end_S * rows
        if columns is not None:
            injected[self._column_ends] = self._column_end_S * columns
        return injected

    def _solve(self, injected: Amperes) -> Volts:
        """Potentials of the nodes."""
        potentials: Volts = self._factors.solve(injected)
        return potentials

    @cached_property
    def _factors(self) -> SuperLU:
        """The factored nodal matrix; it is symmetric, which the order of elimination uses."""
        return splu(self._matrix(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def _matrix(self) -> csc_array:
        cells = self.rows * self.columns
        node = np.arange(cells).reshape(self.rows, self.columns)
        branches = [
            (node[:, :-1], node[:, 1:], np.full((self.rows, self.columns - 1), 1 / self.wires.row_ohm)),
            (node[:-1] + cells, node[1:] + cells, np.full((self.rows - 1, self.columns), 1 / self.wires.column_ohm)),
            (node, node + cells, self.conductances_S),
        ]
        one, other, siemens = (np.concatenate([branch[k].ravel() for branch in branches]) for k in range(3))
        ends = np.zeros(2 * cells)
        ends[self._row_ends] = self._row_end_S
        ends[self._column_ends] = self._column_end_S
        diagonal = ends + np.bincount(one, siemens, 2 * cells) + np.bincount(other, siemens, 2 * cells)
        every = np.arange(2 * cells)
        values = np.concatenate([-siemens, -siemens, diagonal])
        places = np.concatenate([one, other, every]), np.concatenate([other, one, every])
        return csc_array((values, places), shape=(2 * cells, 2 * cells))


def _check_conductances(conductances_S: Siemens) -> None:
    values = np.asarray(conductances_S)
    if values.ndim != 2 or 0 in values.shape:
        raise ConfigError(f"conductances must be of shape (rows, columns), not {values.shape}")
    if max(values.shape) > LARGEST_SIDE:
        raise ConfigError(
            f"an array of {values.shape[0]} x {values.shape[1]} is too large to be solved at once: "
            f"at most {LARGEST_SIDE} x {LARGEST_SIDE}, or tiles"
        )
    wrong = np.argwhere(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        row, column = wrong[0]
        raise ConfigError(
            f"the conductance at row {row}, column {column} must be 0 or more siemens, not {values[row, column]}"
        )
