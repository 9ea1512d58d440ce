"""A machine as flat arrays of narrow integers: what the compiled loops of `kernels` read and write."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .config import Config, Gate
from .ledger import Counts
from .lfsr import LINES_PER_WORD, Bank, Generator, words_of_nibbles

PADDING = 32
LINE = 64
ROWS_AT_A_TIME = 8
SHORTEST_BLOCK = 4 * ROWS_AT_A_TIME
RANDOM_WINDOW, FIXED_WINDOW, XOR = range(3)
GATES = {Gate.RANDOM_WINDOW: RANDOM_WINDOW, Gate.FIXED_WINDOW: FIXED_WINDOW, Gate.XOR: XOR}
WIDER: dict[type, type] = {np.int8: np.int16, np.int16: np.int32, np.int32: np.int64}

Array = NDArray[Any]


class Machine(NamedTuple):
    """All that the kernels read and write; layers are counted from 0, columns padded to `widths` with zeros.

    Attributes
    ----------
    sizes, widths : ndarray of int64, shape (layers + 1,)
        Lines, and lines padded; a layer's crossbar has sizes[l] + 1 rows of widths[l + 1] weights.
    starts : ndarray of int64, shape (layers + 1,)
        Where the weights of a layer start in `weights`, and in each digit of `cells`.
    weights : ndarray of signed integers, shape (weights,)
        At cache lines, as are all arrays that loops go along.
    cells : ndarray of signed integers, shape (digits, weights)
        Without carry the weights themselves, shape (1, weights).
    thresholds, windows : ndarray of the type of z, shape (layers, 256)
    bytes : ndarray of uint8, shape (8, 16, lines)
        Bytes that an operation draws from a state of one nonzero nibble, by its place and value.
    jumps : ndarray of uint32, shape (layers, generators, 8, 16)
        The state after the operation likewise.
    slots : ndarray of int64, shape (banks, layers, generators)
        Where the state of a generator is in `states`.
    states : ndarray of uint32
    counts : Counts
    gate, draws, weight_max, digit_max, base, pulses, period : int
        Kind of gate; fields of the configuration.
    """

    sizes: Array
    widths: Array
    starts: Array
    weights: Array
    cells: Array
    thresholds: Array
    windows: Array
    bytes: Array
    jumps: Array
    slots: Array
    states: Array
    counts: Counts
    gate: int
    draws: int
    weight_max: int
    digit_max: int
    base: int
    pulses: int
    period: int


class Scratch(NamedTuple):
    """Memory that a sample needs, by layer where the first axis is one.

    Attributes
    ----------
    drawn : ndarray of uint8, shape (2, lines)
    flags : ndarray of uint8, shape (lines,)
    events : ndarray of int32, shape (layers + 1, lines + 1)
        Row events into each layer, the bias row last.
    counts : ndarray of int64, shape (layers + 1,)
    z : ndarray of int32 or int64, shape (layers, columns)
    partial : ndarray of signed integers, shape (columns,)
    signs : ndarray of the type of cells, shape (layers, columns)
    open : ndarray of int32, shape (layers, columns + 1)
        Columns whose gate is open.
    opened : ndarray of int64, shape (layers,)
    kept : ndarray of int32, shape (lines,)
    block : int
        Rows that surely add up in the type of `partial`.
    """

    drawn: Array
    flags: Array
    events: Array
    counts: Array
    z: Array
    partial: Array
    signs: Array
    open: Array
    opened: Array
    kept: Array
    block: int


def make_machine(config: Config) -> Machine:
    """The machine of `config`, all weights and generator states zero."""
    sizes = np.array(config.sizes, dtype=np.int64)
    widths = -(-sizes // PADDING) * PADDING
    starts = np.concatenate(([0], np.cumsum((sizes[:-1] + 1) * widths[1:])))
    weights = zeros(starts[-1], dtype=_narrowest(config.weight_max))
    cells = weights[np.newaxis]
    if config.carry_digits > 1:
        cells = zeros((config.carry_digits, starts[-1]), dtype=_narrowest(config.digit_max))
    most_lines = int(sizes.max()) + 1
    z_type = np.int32 if config.weight_max * most_lines * config.input_draws < 1 << 31 else np.int64
    words = words_of_nibbles(-(-most_lines // LINES_PER_WORD))
    layers = range(1, config.layers + 1)
    slots = np.arange(len(Bank) * config.layers * len(Generator))
    return Machine(
        sizes=sizes,
        widths=widths,
        starts=starts,
        weights=weights,
        cells=cells,
        thresholds=np.array([config.thresholds(layer) for layer in layers], dtype=z_type),
        windows=np.array([config.windows(layer) for layer in layers], dtype=z_type),
        bytes=words.astype("<u4").view(np.uint8),
        jumps=np.array([[words[..., count - 1] for count in _word_counts(config, layer)] for layer in layers]),
        slots=slots.reshape(len(Bank), config.layers, len(Generator)),
        states=np.zeros(len(slots), dtype=np.uint32),
        counts=Counts.none(config.layers),
        gate=GATES[config.gate],
        draws=config.input_draws,
        weight_max=config.weight_max,
        digit_max=config.digit_max,
        base=config.carry_base,
        pulses=config.carry_pulses,
        period=config.carry_period,
    )


def make_scratch(machine: Machine) -> Scratch:
    """Working memory for `machine`."""
    layers, lines = len(machine.sizes) - 1, int(machine.widths.max()) + PADDING
    cell_type, z_type = machine.cells.dtype, machine.thresholds.dtype
    block, partial_type = _block(machine.weight_max)
    return Scratch(
        drawn=zeros((2, lines), dtype=np.uint8),
        flags=zeros(lines, dtype=np.uint8),
        events=zeros((layers + 1, lines), dtype=np.int32),
        counts=np.zeros(layers + 1, dtype=np.int64),
        z=zeros((layers, lines), dtype=z_type),
        partial=zeros(lines, dtype=partial_type),
        signs=zeros((layers, lines), dtype=cell_type),
        open=zeros((layers, lines), dtype=np.int32),
        opened=np.zeros(layers, dtype=np.int64),
        kept=zeros(lines, dtype=np.int32),
        block=block,
    )


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
    """Zeros that start at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + LINE, dtype=np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def _block(weight_max: int) -> tuple[int, DTypeLike]:
    """How many rows add up at once, and the narrowest type that this is worth while in."""
    for kind in WIDER.values():
        rows = int(np.iinfo(kind).max) // weight_max
        if rows >= SHORTEST_BLOCK:
            break
    return rows // ROWS_AT_A_TIME * ROWS_AT_A_TIME, kind


def _narrowest(bound: int) -> DTypeLike:
    """The narrowest type that holds +-`bound`."""
    return next(kind for kind in WIDER if bound <= np.iinfo(kind).max)


def _word_counts(config: Config, layer: int) -> list[int]:
    """Words of an operation of each generator of `layer` (1 to L)."""
    columns, rows = config.columns(layer), config.rows(layer)
    lines = {Generator.INPUT: rows - 1, Generator.FIRE: columns, Generator.GATE: columns, Generator.THIN: rows}
    return [-(-lines[generator] // LINES_PER_WORD) for generator in Generator]
