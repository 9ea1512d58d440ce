"""The crossbar port, the one way to an array of weights, and its integer implementation (section 6)."""

from enum import IntEnum
from math import isqrt
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .philox import WEIGHT_PURPOSE, philox

Cells = NDArray[np.int32]
Weights = NDArray[np.int32]


class Read(IntEnum):
    """What a crossbar holds."""

    FORWARD = 0
    BACKWARD = 1
    DIGIT = 2
    WEIGHT = 3


class Address(NamedTuple):
    """Which operation this is; an array with noise draws it from here.

    Attributes
    ----------
    sample : int
        Samples trained before this one, or passes made before this one in an inference call.
    layer : int
        1 to L.
    training : bool
        Whether the operation belongs to a training sample.
    read : Read
        Kind of the read, or of the read that a comparison is of; a pulse is of the kind that decided it.
    comparison : int
        Number of a comparison among those of one held read.
    row, digit : int
        Where a carry stands; 0 outside of a carry.
    repetition : int
        Number of a pulse, a search or a verification among those of one carry.
    """

    sample: int
    layer: int
    training: bool
    read: Read = Read.FORWARD
    comparison: int = 0
    row: int = 0
    digit: int = 0
    repetition: int = 0


class Crossbar(Protocol):
    """What the learning machine may ask of a layer's array; it answers with comparator decisions.

    Attributes
    ----------
    rows, columns : int
        Bias row included.
    exact : bool
        Whether a pulse is a step; then nothing need be verified.
    """

    rows: int
    columns: int
    exact: bool

    def read_forward(self, address: Address, rows: NDArray[np.int64]) -> None:
        """Hold z_j, the sum over the active `rows`, for every column j.

        `rows` are one pattern or more, each ascending and ended by the bias row; a row counts once for each pattern.
        """

    def read_digit(self, address: Address, row: int, digit: int) -> None:
        """Hold the value of the cell `digit` of `row`, for every column j."""

    def read_backward(self, address: Address, signs: NDArray[np.int8], rows: NDArray[np.int64]) -> None:
        """Hold s_i, the sum over columns weighted by `signs` (columns,), for each of `rows`."""

    def compare(self, address: Address, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Decide [held > code] strictly, line by line; repeatable while the read is held."""

    def pulse(self, address: Address, rows: NDArray[np.int64], signs: NDArray[np.int8], digit: int = 0) -> None:
        """Move the cells `digit` of `rows` by one step along `signs` (columns,), saturating."""

    def load(self, cells: Cells) -> None:
        """Write all cells, shape (rows, columns * digits), in steps; those of a synapse stand side by side."""

    def dump(self) -> Cells:
        """Read all cells, shape (rows, columns * digits), in steps."""


class IntegerCrossbar:
    """A crossbar of exact integers.

    Parameters
    ----------
    rows, columns : int
        Bias row included.
    digit_max : int
        Cells saturate at +-digit_max.
    digits : int
        Cells of a synapse, the least significant one first.
    base : int
        Steps of a cell that make one step of the next.
    """

    exact = True

    def __init__(self, rows: int, columns: int, digit_max: int, digits: int = 1, base: int = 0) -> None:
        self.rows = rows
        self.columns = columns
        self.digit_max = digit_max
        self._places = base ** np.arange(digits, dtype=np.int64)
        self._cells = np.zeros((rows, columns, digits), dtype=np.int32)
        self._held: NDArray[np.int64] = np.zeros(columns, dtype=np.int64)

    @classmethod
    def of(cls, config: Config, layer: int) -> Self:
        """The crossbar of `layer` (1 to L) of a machine."""
        shape = config.rows(layer), config.columns(layer)
        return cls(*shape, config.digit_max, config.carry_digits, config.carry_base)

    def read_forward(self, address: Address, rows: NDArray[np.int64]) -> None:
        self._held = self._cells[rows].sum(axis=0, dtype=np.int64) @ self._places

    def read_digit(self, address: Address, row: int, digit: int) -> None:
        self._held = self._cells[row, :, digit].astype(np.int64)

    def read_backward(self, address: Address, signs: NDArray[np.int8], rows: NDArray[np.int64]) -> None:
        drive = np.outer(signs, self._places).reshape(-1)
        self._held = np.matmul(self._cells[rows].reshape(len(rows), len(drive)), drive, dtype=np.int64)

    def compare(self, address: Address, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        return self._held > codes

    def pulse(self, address: Address, rows: NDArray[np.int64], signs: NDArray[np.int8], digit: int = 0) -> None:
        moved = self._cells[rows, :, digit] + signs
        self._cells[rows, :, digit] = np.clip(moved, -self.digit_max, self.digit_max)

    def load(self, cells: Cells) -> None:
        self._cells[:] = cells.reshape(self._cells.shape)

    def dump(self) -> Cells:
        return self._cells.reshape(self.rows, -1).copy()


def initial_weights(master: int, layer: int, rows: int, columns: int, scale: int, weight_max: int) -> Weights:
    """Uniform initial weights of `layer` (1 to L), at most `weight_max`, shape (rows, columns), in LSBs."""
    bound = min(_initial_bound(layer, rows - 1, scale), weight_max)
    blocks = np.arange(-(-rows * columns // 4))
    words = philox(master, blocks, 0, layer, WEIGHT_PURPOSE).reshape(-1)[: rows * columns]
    uniform = (words * np.uint64(2 * bound + 1) >> np.uint64(32)).astype(np.int32)
    return (uniform - np.int32(bound)).reshape(rows, columns)


def _initial_bound(layer: int, fan_in: int, scale: int) -> int:
    """floor(scale / sqrt(c * fan_in)) with c = 0.15 for the first layer and 0.5 after it, in whole numbers."""
    square = 20 * scale**2 // (3 * fan_in) if layer == 1 else 2 * scale**2 // fan_in
    return isqrt(square)
