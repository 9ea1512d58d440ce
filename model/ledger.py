"""The ledger: events of training and inference, by layer and phase (section 15 of the specification)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .carry import Carried
from .config import Config, Gate
from .lfsr import LINES_PER_WORD
from .trace import Rows, Trace


class Total(IntEnum):
    """Counters of the machine: training samples, those with an error, of these those with k > 0, carries, passes."""

    SAMPLES = 0
    ERRORS = 1
    THINNED = 2
    CARRIES = 3
    PASSES = 4


class Count(IntEnum):
    """Counters of a layer; those after the second one are of training only."""

    ROW_EVENTS = 0
    PASS_ROW_EVENTS = 1
    BACKWARD_READS = 2
    ROW_READS = 3
    COLUMN_DRIVES = 4
    CELL_READS = 5
    ROW_PULSES = 6
    RAISED = 7
    LOWERED = 8
    UPPER_READS = 9
    CARRIED_ROWS = 10
    CARRIED_UP = 11
    CARRIED_DOWN = 12
    RESTORING_READS = 13
    RESTORED_ROWS = 14
    RESTORED_UP = 15
    RESTORED_DOWN = 16


class Counts(NamedTuple):
    """What is counted; all else in a ledger follows from it and the configuration.

    Attributes
    ----------
    totals : ndarray of int64, shape (len(Total),)
    layers : ndarray of int64, shape (layers, len(Count))
    """

    totals: NDArray[np.int64]
    layers: NDArray[np.int64]

    @classmethod
    def none(cls, layers: int) -> Self:
        """Counts of a machine of `layers` layers that did nothing yet."""
        return cls(np.zeros(len(Total), dtype=np.int64), np.zeros((layers, len(Count)), dtype=np.int64))

    def copy(self) -> Self:
        """Counts of their own."""
        return type(self)(self.totals.copy(), self.layers.copy())

    def load(self, counts: "Counts") -> None:
        """Take over the values of `counts`."""
        self.totals[:] = counts.totals
        self.layers[:] = counts.layers

    def load_inference(self, counts: "Counts") -> None:
        """Take over what `counts` counts of inference."""
        self.totals[Total.PASSES] = counts.totals[Total.PASSES]
        self.layers[:, Count.PASS_ROW_EVENTS] = counts.layers[:, Count.PASS_ROW_EVENTS]

    def to_dict(self) -> dict[str, int | list[int]]:
        """Plain values, named as the hardware names them; those of layers as lists."""
        totals: dict[str, int | list[int]] = {total.name.lower(): int(self.totals[total]) for total in Total}
        return totals | {count.name.lower(): self.layers[:, count].tolist() for count in Count}

    @classmethod
    def from_dict(cls, values: Mapping[str, int | list[int]]) -> Self:
        """Counts from what `to_dict` or the hardware gives; further values are ignored.

        Raises
        ------
        ValueError, LookupError
            If a counter is missing, is negative, or is not of as many layers as the others.
        """
        totals = np.array([values[total.name.lower()] for total in Total], dtype=np.int64)
        layers = np.array([values[count.name.lower()] for count in Count], dtype=np.int64).T.copy()
        if totals.ndim != 1 or layers.ndim != 2 or (totals < 0).any() or (layers < 0).any():
            raise ValueError("no counters of a machine")
        return cls(totals, layers)

    def add_sample(self, trace: Trace, carried: Sequence[Carried]) -> None:
        """Count a training sample.

        Parameters
        ----------
        trace : Trace
        carried : sequence of Carried
            What the carry after it did in each layer; empty without one.
        """
        for total, happened in (
            (Total.SAMPLES, True),
            (Total.ERRORS, trace.has_error),
            (Total.THINNED, trace.has_error and trace.exponent > 0),
            (Total.CARRIES, len(carried) > 0),
        ):
            self.totals[total] += happened
        for index, (counts, layer) in enumerate(zip(self.layers, trace.layers, strict=True)):
            up, down = np.count_nonzero(layer.signs > 0), np.count_nonzero(layer.signs < 0)
            counts[Count.ROW_EVENTS] += len(layer.rows)
            counts[Count.ROW_PULSES] += len(layer.pulsed)
            counts[Count.RAISED] += len(layer.pulsed) * up
            counts[Count.LOWERED] += len(layer.pulsed) * down
            sensed = len(trace.layers[index - 1].sensed) if index else 0
            if sensed:
                counts[Count.BACKWARD_READS] += 1
                counts[Count.ROW_READS] += sensed
                counts[Count.COLUMN_DRIVES] += up + down
                counts[Count.CELL_READS] += sensed * (up + down)
        for counts, layer_carried in zip(self.layers, carried, strict=False):
            counts[Count.UPPER_READS] += layer_carried.upper_reads
            counts[Count.CARRIED_ROWS] += layer_carried.rows
            counts[Count.CARRIED_UP] += len(layer_carried.up)
            counts[Count.CARRIED_DOWN] += len(layer_carried.down)
            counts[Count.RESTORING_READS] += layer_carried.restored.reads
            counts[Count.RESTORED_ROWS] += layer_carried.restored.rows
            counts[Count.RESTORED_UP] += layer_carried.restored.up
            counts[Count.RESTORED_DOWN] += layer_carried.restored.down

    def add_pass(self, rows: Sequence[Sequence[Rows]]) -> None:
        """Count a pass of inference from the row events of each layer, a list for each of its patterns."""
        self.totals[Total.PASSES] += 1
        self.layers[:, Count.PASS_ROW_EVENTS] += [sum(map(len, patterns)) for patterns in rows]


class Phase(StrEnum):
    """What events are of: the steps of a training sample, its carry, and inference, which has a forward read only."""

    FORWARD = "forward"
    GATE = "gate"
    BACKWARD = "backward"
    UPDATE = "update"
    CARRY = "carry"
    INFERENCE = "inference"


@dataclass(frozen=True, kw_only=True)
class Events:
    """Events of a layer in a phase; they are of the layer whose crossbar and generators work.

    Attributes
    ----------
    layer : int
        1 to L.
    phase : Phase
    row_events : int
        Rows driven to read columns.
    column_drives : int
        Columns driven by a sign that is not 0, to read rows or to pulse.
    rows_sensed : int
        Rows read backward.
    cells_read : int
        Differential pairs that conduct into a line that is compared.
    comparisons : int
        Lines compared with a code.
    references : int
        Codes that references are set to.
    row_pulses : int
        Rows pulsed, once each.
    raised, lowered : int
        Cells moved by +1 and by -1, whether or not they saturate.
    set_pulses, reset_pulses : int
        Devices pulsed: a pulse of a cell is one of each.
    random_words : int
        Words that the generators' operations consume.
    """

    layer: int
    phase: Phase
    row_events: int = 0
    column_drives: int = 0
    rows_sensed: int = 0
    cells_read: int = 0
    comparisons: int = 0
    references: int = 0
    row_pulses: int = 0
    raised: int = 0
    lowered: int = 0
    set_pulses: int = 0
    reset_pulses: int = 0
    random_words: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"phase": str(self.phase)}


KINDS = tuple(field.name for field in fields(Events) if field.name not in ("layer", "phase"))


def ledger(config: Config, counts: Counts) -> list[Events]:
    """The events of each layer and phase, in the order of layers; phases that a layer does not have are left out."""
    return [events for layer in range(1, config.layers + 1) for events in _layer_events(config, counts, layer)]


def _layer_events(config: Config, counts: Counts, layer: int) -> Iterator[Events]:
    totals = {total: int(counts.totals[total]) for total in Total}
    count = {kind: int(counts.layers[layer - 1, kind]) for kind in Count}
    yield _forward(config, layer, Phase.FORWARD, totals[Total.SAMPLES], count[Count.ROW_EVENTS])
    if layer < config.layers:
        yield _gate(config, layer, totals[Total.ERRORS])
    if layer > 1:
        yield Events(
            layer=layer,
            phase=Phase.BACKWARD,
            column_drives=count[Count.COLUMN_DRIVES],
            rows_sensed=count[Count.ROW_READS],
            cells_read=count[Count.CELL_READS] * config.carry_digits,
            comparisons=2 * count[Count.ROW_READS],
            references=2 * count[Count.BACKWARD_READS],
        )
    yield Events(
        layer=layer,
        phase=Phase.UPDATE,
        **_pulses(config, count[Count.ROW_PULSES], count[Count.RAISED], count[Count.LOWERED]),
        random_words=totals[Total.THINNED] * _words(config.rows(layer)),
    )
    if config.carry_digits > 1:
        yield _carry(config, layer, totals[Total.CARRIES], count)
    yield _forward(config, layer, Phase.INFERENCE, totals[Total.PASSES], count[Count.PASS_ROW_EVENTS])


def _forward(config: Config, layer: int, phase: Phase, reads: int, row_events: int) -> Events:
    columns = config.columns(layer)
    words = _words(columns) + (config.input_draws * _words(config.sizes[0]) if layer == 1 else 0)
    return Events(
        layer=layer,
        phase=phase,
        row_events=row_events,
        cells_read=row_events * config.cell_columns(layer),
        comparisons=reads * columns,
        references=reads * columns,
        random_words=reads * words,
    )


def _gate(config: Config, layer: int, errors: int) -> Events:
    comparisons = 2 * errors * config.columns(layer)
    draws = {Gate.RANDOM_WINDOW: 1, Gate.FIXED_WINDOW: 0, Gate.XOR: 2}[config.gate]
    return Events(
        layer=layer,
        phase=Phase.GATE,
        comparisons=comparisons,
        references=comparisons if draws else 2 * errors,
        random_words=draws * errors * _words(config.columns(layer)),
    )


def _carry(config: Config, layer: int, carries: int, count: dict[Count, int]) -> Events:
    columns, rows = config.columns(layer), count[Count.CARRIED_ROWS]
    reads = carries * config.rows(layer) * (config.carry_digits - 1) + count[Count.UPPER_READS]
    checks = count[Count.RESTORING_READS]
    searches = rows if checks else 0
    upper, lower = config.carry_pulses, 0 if checks else config.carry_base * config.carry_pulses
    up, down = count[Count.CARRIED_UP], count[Count.CARRIED_DOWN]
    by_line = (config.search_bits * searches + 2 * checks) * columns
    return Events(
        layer=layer,
        phase=Phase.CARRY,
        row_events=reads + searches + checks,
        cells_read=(reads + config.carry_digits * (searches + checks)) * columns,
        comparisons=2 * reads * columns + by_line,
        references=2 * reads + by_line,
        **_pulses(
            config,
            (upper + lower) * rows + count[Count.RESTORED_ROWS],
            upper * up + lower * down + count[Count.RESTORED_UP],
            upper * down + lower * up + count[Count.RESTORED_DOWN],
        ),
    )


def _pulses(config: Config, rows: int, raised: int, lowered: int) -> dict[str, int]:
    """Events of steps of cells: rows, and cells moved up and down."""
    pulses = (raised + lowered) * config.pulses_per_step
    return {
        "row_pulses": rows * config.pulses_per_step,
        "raised": raised,
        "lowered": lowered,
        "column_drives": pulses,
        "set_pulses": pulses,
        "reset_pulses": pulses,
    }


def _words(lines: int) -> int:
    return -(-lines // LINES_PER_WORD)
