"""Weights of several cells: their digits, and the carry that moves steps up (sections 6 and 7 of the specification)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .crossbar import Address, Cells, Crossbar, Read, Weights
from .trace import Bits, Rows

Codes = NDArray[np.int64]
# Comparisons of a verified carry: of the search, and the first two of restoring, two more for each digit below.
SEARCH, UNDER, OVER = 4, 5, 6


class Restored(NamedTuple):
    """How weights were restored: reads, rows pulsed, and cells moved up and down."""

    reads: int = 0
    rows: int = 0
    up: int = 0
    down: int = 0


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
    restored : Restored
    """

    up: Rows
    down: Rows
    upper_reads: int
    rows: int
    restored: Restored


class CarryRule(NamedTuple):
    """How cells are carried.

    Attributes
    ----------
    digits, base, digit_max : int
        Of a synapse's cells.
    pulses : int
        Steps that the upper cell moves.
    verify : int
        Most pulses by which the weight is restored; 0 trusts pulses to be exact.
    search_bits : int
        Comparisons that find a weight.
    """

    digits: int
    base: int
    digit_max: int
    pulses: int
    verify: int
    search_bits: int


def carry(crossbar: Crossbar, address: Address, rule: CarryRule) -> Carried:
    """Carry full cells of all rows into their upper neighbours; no weight changes where pulses are exact.

    Parameters
    ----------
    crossbar : Crossbar
    address : Address
        Of the sample before.
    rule : CarryRule
    """
    up: list[NDArray[np.int64]] = []
    down: list[NDArray[np.int64]] = []
    restored: list[Restored] = []
    upper_reads = rows = 0
    for row in range(crossbar.rows):
        for digit in range(rule.digits - 1):
            here = address._replace(read=Read.DIGIT, row=row, digit=digit)
            full, rises, falls = _carry_row(crossbar, here, rule, restored)
            upper_reads += full
            rows += bool((rises | falls).any())
            first = row * crossbar.columns * rule.digits + digit
            up.append(first + rule.digits * np.flatnonzero(rises))
            down.append(first + rule.digits * np.flatnonzero(falls))
    left_up, left_down = (np.concatenate([np.zeros(0, dtype=np.int64), *cells]) for cells in (up, down))
    return Carried(left_up, left_down, upper_reads, rows, Restored(*map(sum, zip(*restored, strict=True))))


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


def _carry_row(
    crossbar: Crossbar, address: Address, rule: CarryRule, restored: list[Restored]
) -> tuple[bool, Bits, Bits]:
    """Carry one digit of one row; whether any cell was full, which columns went up, and which down."""
    full = rule.base * rule.pulses
    up, down = _outside(crossbar, address, address.digit, full)
    if not (up | down).any():
        return False, up, down
    upper = address.digit + 1
    at_top, at_bottom = _outside(crossbar, address._replace(comparison=2), upper, rule.digit_max - rule.pulses + 1)
    rises, falls = up & ~at_top, down & ~at_bottom
    up, down = rises & ~falls, falls & ~rises
    signs = up.astype(np.int8) - down.astype(np.int8)
    if not signs.any():
        return True, up, down
    found = _search(crossbar, address, rule) if rule.verify else None
    rows = np.array([address.row])
    for repetition in range(rule.pulses):
        crossbar.pulse(address._replace(repetition=repetition), rows, signs, upper)
    if found is not None:
        restored.append(_restore(crossbar, address, rule, found, signs != 0))
        return True, up, down
    for repetition in range(rule.pulses, rule.pulses + full):
        crossbar.pulse(address._replace(repetition=repetition), rows, -signs, address.digit)
    return True, up, down


def _outside(crossbar: Crossbar, address: Address, digit: int, bound: int) -> tuple[Bits, Bits]:
    """Columns whose cell is at `bound` or above, and those at -`bound` or below."""
    crossbar.read_digit(address, address.row, digit)
    above = crossbar.compare(address, np.full(crossbar.columns, bound - 1))
    inside = crossbar.compare(address._replace(comparison=address.comparison + 1), np.full(crossbar.columns, -bound))
    return above, ~inside


def _search(crossbar: Crossbar, address: Address, rule: CarryRule) -> Codes:
    """The largest code that each weight of the row is above, bit by bit, shape (columns,)."""
    address = address._replace(read=Read.WEIGHT, comparison=SEARCH)
    crossbar.read_forward(address, np.array([address.row]))
    codes = np.full(crossbar.columns, -1 << (rule.search_bits - 1), dtype=np.int64)
    for repetition in range(rule.search_bits):
        tried = codes + (1 << (rule.search_bits - 1 - repetition))
        codes = np.where(crossbar.compare(address._replace(repetition=repetition), tried), tried, codes)
    return codes


def _restore(crossbar: Crossbar, address: Address, rule: CarryRule, found: Codes, carried: Bits) -> Restored:
    """Pulse cells until the carried weights are those found again: the emptied cells first, then those below them."""
    rows = np.array([address.row])
    bound = 1 << (rule.search_bits - 1)
    reads = up = down = repetition = 0
    for digit in range(address.digit, -1, -1):
        slack = rule.base**digit // 2
        while repetition < rule.verify:
            here = address._replace(read=Read.WEIGHT, repetition=repetition)
            lower, upper = (here._replace(comparison=c + 2 * (address.digit - digit)) for c in (UNDER, OVER))
            crossbar.read_forward(lower, rows)
            reads += 1
            under = ~crossbar.compare(lower, np.maximum(found - slack, -bound))
            over = crossbar.compare(upper, np.minimum(found + 1 + slack, bound - 1))
            signs = (under.astype(np.int8) - over.astype(np.int8)) * carried
            if not signs.any():
                break
            crossbar.pulse(here._replace(comparison=address.digit), rows, signs, digit)
            repetition += 1
            up += int((signs > 0).sum())
            down += int((signs < 0).sum())
    return Restored(reads, repetition, up, down)
