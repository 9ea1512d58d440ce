"""What cycles depend on: lines by group, row events by pattern, cells that carry."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..model.config import Gate
from ..model.crossbar import Cells
from .geometry import Geometry

LIST_LATENCY = 3  # from a row event written, or a replay started, to the event offered
CODE_LATENCY = {Gate.RANDOM_WINDOW: 2, Gate.FIXED_WINDOW: 1, Gate.XOR: 2}  # from gating started to its first request


def patterns(rows: NDArray[np.int64], bias_row: int) -> list[NDArray[np.int64]]:
    """Row events by pattern."""
    return np.split(rows, np.flatnonzero(rows == bias_row)[:-1] + 1)


def group_sums(geometry: Geometry, lines: NDArray[np.bool_]) -> list[int]:
    """Lines at 1 in each group."""
    padded = np.pad(lines.astype(np.int64), (0, geometry.groups * geometry.tables - len(lines)))
    return [int(count) for count in padded.reshape(geometry.groups, geometry.tables).sum(axis=1)]


def carries(geometry: Geometry, cells: Cells) -> Iterator[tuple[int, bool]]:
    """Of each digit of each row in turn, how often a carry reads, and whether it pulses."""
    threshold = geometry.base * geometry.pulses
    for row in cells.reshape(geometry.rows, geometry.columns, geometry.digits).copy():
        for digit in range(geometry.digits - 1):
            lower, upper = row[:, digit], row[:, digit + 1]
            full = (lower >= threshold).astype(int) - (lower <= -threshold)
            carried = np.where(full * upper <= geometry.digit_max - geometry.pulses, full, 0)
            upper += geometry.pulses * carried
            lower -= threshold * carried
            yield 1 + bool(full.any()), bool(carried.any())
