"""Weights of several cells: their digits, and the carry that moves steps up (sections 6 and 7 of the specification)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .crossbar import Address, Cells, Crossbar, Read, Weights
from .trace import Bits, Rows


class Carried(NamedTuple):
    """What a carry did in a layer.

    Attributes
    ----------
    up, down : ndarray of int64
        Cells left upward and downward, as indices into the matrix of cells, in the order of work.
    upper_reads : int
        Digits read for cells below that were full.
    rows : int
        Digits of rows from which any cell was left.
    """

    up: Rows
    down: Rows
    upper_reads: int
    rows: int


def carry(crossbar: Crossbar, address: Address, *, digits: int, base: int, pulses: int, digit_max: int) -> Carried:
    """Carry full cells of all rows into their upper neighbours; no weight changes.

    Parameters
    ----------
    crossbar : Crossbar
    address : Address
        Of the sample before.
    digits, base, pulses, digit_max : int
        Of a synapse's cells; a carry moves the upper one by `pulses` steps.
    """
    up: list[NDArray[np.int64]] = []
    down: list[NDArray[np.int64]] = []
    upper_reads = rows = 0
    for row in range(crossbar.rows):
        for digit in range(digits - 1):
            here = address._replace(read=Read.DIGIT, row=row, digit=digit)
            full, rises, falls = _carry_row(crossbar, here, base, pulses, digit_max)
            upper_reads += full
            rows += bool((rises | falls).any())
            first = row * crossbar.columns * digits + digit
            up.append(first + digits * np.flatnonzero(rises))
            down.append(first + digits * np.flatnonzero(falls))
    left_up, left_down = (np.concatenate([np.zeros(0, dtype=np.int64), *cells]) for cells in (up, down))
    return Carried(left_up, left_down, upper_reads, rows)


def split_digits(weights: Weights, digits: int, base: int) -> Cells:
    """The cells of weights: digits of the magnitude with its sign, lowest first, the last one what remains.

    Parameters
    ----------
    weights : ndarray of int32, shape (rows, columns)
    digits, base : int

    Returns
    -------
    ndarray of int32, shape (rows, columns * digits)
    """
    cells, rest = [], weights
    for _ in range(digits - 1):
        cells.append(np.fmod(rest, base))
        rest = (rest - cells[-1]) // base
    return np.stack([*cells, rest], axis=-1).reshape(len(weights), -1)


def join_digits(cells: Cells, digits: int, base: int) -> NDArray[np.int64]:
    """The weights that cells of shape (rows, columns * digits) make, shape (rows, columns), in LSBs."""
    weights: NDArray[np.int64] = cells.reshape(len(cells), -1, digits) @ base ** np.arange(digits, dtype=np.int64)
    return weights


def _carry_row(crossbar: Crossbar, address: Address, base: int, pulses: int, digit_max: int) -> tuple[bool, Bits, Bits]:
    """Carry one digit of one row; whether any cell was full, which columns went up, and which down."""
    up, down = _outside(crossbar, address, address.digit, base * pulses)
    if not (up | down).any():
        return False, up, down
    upper = address.digit + 1
    at_top, at_bottom = _outside(crossbar, address._replace(comparison=2), upper, digit_max - pulses + 1)
    rises, falls = up & ~at_top, down & ~at_bottom
    up, down = rises & ~falls, falls & ~rises
    signs = up.astype(np.int8) - down.astype(np.int8)
    if signs.any():
        rows = np.array([address.row])
        for repetition in range(pulses):
            crossbar.pulse(address._replace(repetition=repetition), rows, signs, upper)
        for repetition in range(pulses, pulses + base * pulses):
            crossbar.pulse(address._replace(repetition=repetition), rows, -signs, address.digit)
    return True, up, down


def _outside(crossbar: Crossbar, address: Address, digit: int, bound: int) -> tuple[Bits, Bits]:
    """Columns whose cell is at `bound` or above, and those at -`bound` or below."""
    crossbar.read_digit(address, address.row, digit)
    above = crossbar.compare(address, np.full(crossbar.columns, bound - 1))
    inside = crossbar.compare(address._replace(comparison=address.comparison + 1), np.full(crossbar.columns, -bound))
    return above, ~inside
