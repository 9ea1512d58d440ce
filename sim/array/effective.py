"""Effective conductances of arrays in tiles, exactly and fast, and what they leave of each device's conductance.

The nodal equations of `wires` are eliminated row by row. What has been eliminated above a row is seen from its nodes on
the columns as a Norton equivalent: admittances A and, for each row at 1 V, short-circuit currents J. A line segment of
resistance r in each column makes them (1 + r A)^-1 A and (1 + r A)^-1 J, a further row adds its own. Nothing is ever
subtracted from something nearly equal, so that no digits are lost, and a tile of side n costs n dense solutions of n
equations instead of one sparse one of 2 n^2.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .noise import ONE
from .wiring import Wires

Siemens = NDArray[np.float64]
Whole = NDArray[np.int64]
TILES_AT_A_TIME = 4


class Staleness(NamedTuple):
    """How far factors were from fresh ones when these replaced them, relative to the fresh ones.

    Attributes
    ----------
    samples : int
        Training samples before.
    largest, rms : float
        Over the devices of a layer.
    """

    samples: int
    largest: float
    rms: float


def effective_in_tiles(conductances_S: Siemens, wires: Wires) -> Siemens:
    """Effective conductances of arrays, shape (..., rows, columns), in tiles that are driven by themselves.

    Parameters
    ----------
    conductances_S : ndarray of float64, shape (..., rows, columns)
        0 or more; each matrix is an array of its own.
    wires : Wires
    """
    rows, columns = conductances_S.shape[-2:]
    arrays, effective = conductances_S.reshape(-1, rows, columns), np.empty(conductances_S.shape)
    found = effective.reshape(-1, rows, columns)
    tiles = [
        (slice(start, start + TILES_AT_A_TIME), *part)
        for part in _tiles(rows, columns, wires.tile)
        for start in range(0, len(arrays), TILES_AT_A_TIME)
    ]

    def solve(tile: tuple[slice, slice, slice]) -> None:
        found[tile] = effective_conductances(arrays[tile], wires)

    # Matrices this small are solved fastest by a thread each.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(solve, tiles))
    return effective


def effective_conductances(conductances_S: Siemens, wires: Wires) -> Siemens:
    """Effective conductances of tiles, shape (tiles, rows, columns): with the voltages of rows they make the currents
    of columns, and the other way round."""
    tiles, rows, columns = conductances_S.shape
    if columns > rows:
        turned = Wires(row_ohm=wires.column_ohm, column_ohm=wires.row_ohm, access_ohm=wires.access_ohm)
        return _turned(effective_conductances(_turned(conductances_S), turned))
    one, link = np.eye(columns), wires.column_ohm
    left, right = _along_rows(conductances_S, wires)
    admittances, currents = np.zeros((tiles, columns, columns)), np.zeros((tiles, columns, rows))
    for row in range(rows):
        if row:
            both = np.concatenate([admittances, currents[..., :row]], axis=2)
            both = np.linalg.solve(one + link * admittances, both)
            admittances, currents[..., :row] = both[..., :columns], both[..., columns:]
        own_admittances, currents[..., row] = _row(conductances_S[:, row], left[:, row], right[:, row], wires)
        admittances = admittances + own_admittances
    sensed = np.linalg.solve(one + (link + wires.access_ohm) * admittances, currents)
    return np.asarray(sensed.transpose(0, 2, 1), dtype=np.float64)


def attenuation(conductances: Whole, quantum_S: float, wires: Wires | None) -> Whole:
    """What wires leave of conductances in quanta, shape (..., rows, columns): effective by actual, in 2^-16, at most 1.

    Without wires all is left. A device that does not conduct keeps 1; a hair's breadth more than 1, which a device of
    almost no conductance may owe to its neighbours, counts as 1.
    """
    if wires is None:
        return np.full(conductances.shape, ONE)
    actual: Siemens = conductances * np.float64(quantum_S)
    effective = effective_in_tiles(actual, wires)
    share = np.divide(effective, actual, out=np.ones(actual.shape), where=conductances > 0)
    factors: Whole = np.clip(np.rint(share * ONE), 0, ONE).astype(np.int64)
    return factors


def staleness(used: Whole, fresh: Whole, samples: int) -> Staleness:
    """How far `used` factors are from `fresh` ones."""
    relative = np.abs(used - fresh) / np.maximum(fresh, 1)
    return Staleness(samples, float(relative.max()), float(np.sqrt(np.mean(relative**2))))


def _along_rows(conductances_S: Siemens, wires: Wires) -> tuple[Siemens, Siemens]:
    """What nodes on rows see to their left and to their right, all columns at 0 V, shape (tiles, rows, columns)."""
    segment = wires.row_ohm
    left, right = np.empty(conductances_S.shape), np.zeros(conductances_S.shape)
    left[..., 0] = 1 / (wires.row_ohm + wires.access_ohm)
    columns = conductances_S.shape[2]
    for column in range(1, columns):
        beyond = left[..., column - 1] + conductances_S[..., column - 1]
        left[..., column] = beyond / (1 + segment * beyond)
    for column in range(columns - 2, -1, -1):
        beyond = right[..., column + 1] + conductances_S[..., column + 1]
        right[..., column] = beyond / (1 + segment * beyond)
    return left, right


def _row(conductances_S: Siemens, left: Siemens, right: Siemens, wires: Wires) -> tuple[Siemens, Siemens]:
    """Admittances, shape (tiles, columns, columns), and short-circuit currents at 1 V, (tiles, columns), of a row.

    They follow from its impedances: the voltage at one node for a current into another, all columns at 0 V. That is the
    voltage there divided down from node to node, as the segments and what lies to the left of them have it.
    """
    tiles, columns = conductances_S.shape
    end_S, segment = 1 / (wires.row_ohm + wires.access_ohm), wires.row_ohm
    at_node = 1 / (left + right + conductances_S)
    divided = np.ones((tiles, columns, columns))
    divided[:, :, 1:] = 1 / (1 + segment * (left + conductances_S))[:, np.newaxis, :-1]
    divided = np.triu(np.cumprod(np.where(np.tri(columns, dtype=np.bool_), 1.0, divided), axis=2), 1)
    upper = divided * at_node[:, np.newaxis]
    impedances = upper + upper.transpose(0, 2, 1)
    every = np.arange(columns)
    impedances[:, every, every] = at_node
    admittances = -conductances_S[:, :, np.newaxis] * impedances * conductances_S[:, np.newaxis]
    admittances[:, every, every] += conductances_S
    return admittances, conductances_S * impedances[:, 0] * end_S


def _turned(conductances_S: Siemens) -> Siemens:
    """Tiles with rows for columns, their ends where those were."""
    return conductances_S[:, ::-1, ::-1].transpose(0, 2, 1)


def _tiles(rows: int, columns: int, tile: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, rows, tile):
        for left in range(0, columns, tile):
            yield slice(top, top + tile), slice(left, left + tile)
