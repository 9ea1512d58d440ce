"""From what the hardware shows on its trace ports to the trace of a sample."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..model.config import Config
from ..model.trace import Bits, LayerTrace, Trace
from .counters import LayerCounters
from .geometry import Geometry
from .layer import LayerTrace as LayerTraceLayout
from .trainer import Counters
from .words import Words, unpack, unpack_array

UNDECIDED = -1


@dataclass(frozen=True)
class Observed:
    """A training sample as the hardware did it.

    Attributes
    ----------
    trace : Trace
        Bits that were never decided are -1.
    weights : tuple of ndarray of int64, each of shape (pulsed rows, columns)
        Weights of layers 1 to L as the pulses of the update left them, in their order; of several digits, the lowest.
        Empty with arrays behind pins, which keep theirs to themselves.
    """

    trace: Trace
    weights: tuple[NDArray[np.int64], ...]


class Observer:
    """Assembles traces.

    Parameters
    ----------
    config : Config
        The machine.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._geometries = [Geometry.of(config, layer) for layer in range(1, config.layers + 1)]
        self.layouts = [LayerTraceLayout(config, layer) for layer in range(1, config.layers + 1)]

    def assemble(self, number: int, label: int, exponent: int, cycles: list[Words]) -> Observed:
        """Assemble the trace of one sample.

        Parameters
        ----------
        number, label, exponent : int
            Of the sample.
        cycles : list of ndarray of uint32, each of shape (cycles, words)
            Trace ports of layers 1 to L in the cycles of the sample; the last cycle is its end.
        """
        layers = []
        weights = []
        for index, (geometry, layout, words) in enumerate(zip(self._geometries, self.layouts, cycles, strict=True)):
            pulsed, written = _written(geometry, layout, words)
            upper = index + 1 < len(cycles)
            carried_up, carried_down = _carried(geometry, layout, words)
            layers.append(
                LayerTrace(
                    rows=_rows(layout, "event", words),
                    fired=_lines(geometry, layout, "fired", words),
                    gates=_lines(geometry, layout, "gate", words) if upper else np.zeros(0, dtype=np.bool_),
                    sensed=_rows(self.layouts[index + 1], "sensed", cycles[index + 1]) if upper else _NO_ROWS,
                    signs=unpack_array(layout, "signs", words[-1:])[0].astype(np.int8),
                    pulsed=pulsed,
                    carried_up=carried_up,
                    carried_down=carried_down,
                )
            )
            weights.append(written)
        trace = Trace(number=number, label=label, exponent=exponent, layers=tuple(layers))
        return Observed(trace, tuple(weights))


_NO_ROWS = np.zeros(0, dtype=np.int64)


def _rows(layout: LayerTraceLayout, stage: str, words: Words) -> NDArray[np.int64]:
    valid = unpack(layout, f"{stage}.valid", words) != 0
    return unpack(layout, f"{stage}.row", words[valid])


def _lines(geometry: Geometry, layout: LayerTraceLayout, stage: str, words: Words) -> Bits:
    valid = words[unpack(layout, f"{stage}.valid", words) != 0]
    if not len(valid):
        return np.zeros(0, dtype=np.bool_)
    lines = np.full((geometry.groups, geometry.tables), UNDECIDED, dtype=np.int8)
    lines[unpack(layout, f"{stage}.group", valid)] = unpack_array(layout, f"{stage}.bits", valid)
    decided = lines.reshape(-1)[: geometry.columns]
    return cast(Bits, decided) if (decided == UNDECIDED).any() else decided.astype(np.bool_)


def _carried(geometry: Geometry, layout: LayerTraceLayout, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells that a carry left upward and downward, as indices into the matrix of cells, in the order of work."""
    if geometry.digits == 1:
        return _NO_ROWS, _NO_ROWS
    valid = words[unpack(layout, "carried.valid", words) != 0]
    first = (unpack(layout, "carried.row", valid) * geometry.columns * geometry.digits)[:, np.newaxis]
    cells = (
        first + unpack(layout, "carried.digit", valid)[:, np.newaxis] + geometry.digits * np.arange(geometry.columns)
    )
    up, down = (unpack_array(layout, f"carried.{name}", valid) != 0 for name in ("up", "down"))
    return cells[up], cells[down]


def _written(geometry: Geometry, layout: LayerTraceLayout, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows pulsed, and their weights; the rows of all folds together, which no model pulses, if the folds differ."""
    valid = words[unpack(layout, "written.valid", words) != 0]
    rows = unpack(layout, "written.row", valid)
    if geometry.pins:
        return rows, np.zeros((len(rows), 0), dtype=np.int64)
    folds = unpack(layout, "written.fold", valid)
    weights = unpack_array(layout, "written.cells", valid)
    by_fold = [rows[folds == fold] for fold in range(geometry.folds)]
    if not all(np.array_equal(fold_rows, by_fold[0]) for fold_rows in by_fold):
        return np.concatenate(by_fold), np.zeros((0, geometry.columns), dtype=np.int64)
    matrix = np.concatenate([weights[folds == fold] for fold in range(geometry.folds)], axis=1)
    return by_fold[0], matrix[:, : geometry.columns]


def read_counters(config: Config, words: Words) -> dict[str, int | list[int]]:
    """The hardware's counters by name, those of layers as lists, from its port, shape (1, words)."""
    layout = Counters(config.layers)
    names = [str(name) for name, _ in layout if name != "layers"]
    counters: dict[str, int | list[int]] = {name: int(unpack(layout, name, words)[0]) for name in names}
    for name, _ in LayerCounters():
        counters[str(name)] = [
            int(unpack(layout, f"layers.{index}.{name}", words)[0]) for index in range(config.layers)
        ]
    return counters
