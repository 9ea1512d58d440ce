"""The scoreboard: the golden model beside the hardware, whole traces compared, nothing tolerated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hdl.observation import Observed
from ..model.config import ArraySide, Config
from ..model.crossbar import Cells, Weights
from ..model.trace import LayerTrace, Trace
from ..model.trainer import Trainer
from .array.config import ArrayConfig
from .array.pins import SimulatedArray
from .array.trainer import AnalogTrainer

ROW_STAGES = ("rows", "sensed", "pulsed")
CARRY_STAGES = ("carried_up", "carried_down")


@dataclass(frozen=True)
class Difference:
    """The first place where hardware and model differ.

    Attributes
    ----------
    sample : int
        Number of the training sample; -1 for what is compared after the last one.
    layer : int
        1 to L.
    stage : str
        Part of the trace, or "weights", or "plus" and "minus" of conductances in quanta.
    lane : int
        Row in the stages rows, sensed and pulsed; column otherwise, of cells in carries and weights.
    expected, actual : int
        What the model and what the hardware say; in the row stages 1 for a row that is there, in carries for a cell.
    row : int or None
        Row of a weight, or of a cell that carries.
    """

    sample: int
    layer: int
    stage: str
    lane: int
    expected: int
    actual: int
    row: int | None = None

    def __str__(self) -> str:
        where = "after the last sample" if self.sample < 0 else f"sample {self.sample}"
        row = "" if self.row is None else f", row {self.row}"
        return (
            f"{where}, layer {self.layer}, stage {self.stage}{row}, lane {self.lane}: "
            f"model {self.expected}, hardware {self.actual}"
        )


@dataclass(frozen=True)
class Miscount:
    """A counter in which hardware and model differ.

    Attributes
    ----------
    name : str
    layer : int
        1 to L; 0 for a counter of the machine.
    expected, actual : int
        What the model and what the hardware say.
    """

    name: str
    layer: int
    expected: int
    actual: int

    def __str__(self) -> str:
        whose = f"layer {self.layer}, " if self.layer else ""
        return f"after the last sample, {whose}counter {self.name}: model {self.expected}, hardware {self.actual}"


class Scoreboard:
    """Trains the golden model along and compares.

    Parameters
    ----------
    config : Config
        The machine.
    weights : sequence of ndarray, optional
        Power-up weights, if they are not the configuration's initial ones.
    array : ArrayConfig, optional
        The arrays of model and hardware, if they are analog.

    Attributes
    ----------
    model : Trainer
    samples, decisions, counters : int
        Compared so far.
    """

    def __init__(
        self, config: Config, weights: Sequence[Weights] | None = None, array: ArrayConfig | None = None
    ) -> None:
        self.model = Trainer(config) if array is None else AnalogTrainer(config, array)
        if weights is not None:
            self.model.load(weights)
        self._weights = self.model.weights()
        self.samples = 0
        self.decisions = 0
        self.counters = 0

    def check(self, features: NDArray[np.uint8], observed: Observed) -> Difference | None:
        """Train the model with the same sample and return the first difference, if any."""
        trace = self.model.train_sample(features, observed.trace.label, observed.trace.exponent)
        self._last = trace
        self._weights = weights = self.model.weights()
        self.samples += 1
        self.decisions += trace.decisions + sum(matrix.size for matrix in observed.weights)
        return next(_differences(self.model.config, trace, weights, observed), None)

    def check_result(self, votes: NDArray[np.int64]) -> Difference | None:
        """Compare the result of the last sample, shape (outputs,), with the outputs that fired."""
        outputs = self._last.outputs
        self.decisions += len(outputs)
        for lane in np.flatnonzero(outputs != votes):
            return Difference(
                self._last.number, len(self._last.layers), "result", int(lane), int(outputs[lane]), int(votes[lane])
            )
        return None

    def check_weight(self, layer: int, row: int, column: int, actual: int) -> Difference | None:
        """Compare one weight of `layer` (1 to L) after the last sample."""
        self.decisions += 1
        expected = int(self._weights[layer - 1][row, column])
        return None if expected == actual else Difference(-1, layer, "weights", column, expected, actual, row)

    def check_weights(self, weights: Sequence[Weights]) -> Difference | None:
        """Compare all weights, word for word, after the last sample."""
        for index, (expected, actual) in enumerate(zip(self._weights, weights, strict=True), start=1):
            places = np.argwhere(expected != actual)
            if len(places):
                row, column = (int(place) for place in places[0])
                return self.check_weight(index, row, column, int(actual[row, column]))
            self.decisions += expected.size
        return None

    def check_counters(self, counters: Mapping[str, int | list[int]]) -> Miscount | None:
        """Compare all counters after the last sample; the hardware's may be more."""
        for name, expected in self.model.counts.to_dict().items():
            for layer, (model, hardware) in enumerate(zip(_by_layer(expected), _by_layer(counters[name]), strict=True)):
                self.counters += 1
                if model != hardware:
                    return Miscount(name, layer + isinstance(expected, list), model, hardware)
        return None

    def check_conductances(self, arrays: Sequence[SimulatedArray]) -> Difference | None:
        """Compare all conductances of the hardware's arrays, in quanta, with those of the model."""
        assert isinstance(self.model, AnalogTrainer)
        for layer, (model, array) in enumerate(zip(self.model.crossbars, arrays, strict=True), start=1):
            expected, actual = model.conductances, array.crossbar.conductances
            self.decisions += expected.size
            for polarity, digit, row, column in np.argwhere(expected != actual):
                place = polarity, digit, row, column
                cell = int(column) * len(expected[0]) + int(digit)
                stage = ("plus", "minus")[polarity]
                return Difference(-1, layer, stage, cell, int(expected[place]), int(actual[place]), int(row))
        return None


def differences(config: Config, expected: Trace, actual: Trace) -> Iterator[Difference]:
    """Differences of the traces of one sample, stage after stage in the order in which the machine works.

    Parameters
    ----------
    config : Config
        The machine.
    expected, actual : Trace
        Of the model and of the hardware.
    """
    yield from _decided(expected, actual)
    yield from _carried(config, expected, actual)


def _by_layer(count: int | list[int]) -> list[int]:
    return count if isinstance(count, list) else [count]


def _differences(config: Config, trace: Trace, weights: list[Cells], observed: Observed) -> Iterator[Difference]:
    """`differences`, and between them those of the weights that were written."""
    yield from _decided(trace, observed.trace)
    if config.array_side is ArraySide.MEMORY:
        yield from _written(config, trace, weights, observed)
    yield from _carried(config, trace, observed.trace)


def _decided(model_trace: Trace, hardware_trace: Trace) -> Iterator[Difference]:
    pairs = list(enumerate(zip(model_trace.layers, hardware_trace.layers, strict=True), start=1))
    for stages, order in (
        (("rows", "fired"), pairs),
        (("gates", "sensed", "signs"), pairs[::-1]),
        (("pulsed",), pairs),
    ):
        for index, (expected, actual) in order:
            for stage in stages:
                for lane, model, hardware in _compare(stage, expected, actual):
                    yield Difference(model_trace.number, index, stage, lane, model, hardware)


def _written(config: Config, trace: Trace, weights: list[Cells], observed: Observed) -> Iterator[Difference]:
    for index, expected in enumerate(trace.layers, start=1):
        after = _before_carry(config, index, expected, weights[index - 1])[expected.pulsed]
        for place in np.argwhere(after != observed.weights[index - 1]):
            position, column = (int(number) for number in place)
            yield Difference(
                trace.number,
                index,
                "weights",
                column,
                int(after[position, column]),
                int(observed.weights[index - 1][position, column]),
                int(expected.pulsed[position]),
            )


def _carried(config: Config, model_trace: Trace, hardware_trace: Trace) -> Iterator[Difference]:
    for index, (expected, actual) in enumerate(zip(model_trace.layers, hardware_trace.layers, strict=True), start=1):
        for stage in CARRY_STAGES:
            for cell, model, hardware in _compare_cells(getattr(expected, stage), getattr(actual, stage)):
                row, column = divmod(cell, config.cell_columns(index))
                yield Difference(model_trace.number, index, stage, column, model, hardware, row)


def _before_carry(config: Config, layer: int, trace: LayerTrace, cells: Cells) -> Cells:
    """Lowest digits as the update left them, shape (rows, columns), from the cells after the carry."""
    lowest = cells.copy().reshape(-1)
    for carried, sign in ((trace.carried_up, 1), (trace.carried_down, -1)):
        lowest[carried[carried % config.carry_digits == 0]] += sign * config.carry_base * config.carry_pulses
    return lowest.reshape(cells.shape)[:, :: config.carry_digits]


def _compare_cells(model: NDArray[np.int64], hardware: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Cells that only one of the two carried; if there is none, the first that is out of order or too often there."""
    if np.array_equal(model, hardware):
        return
    for cell in np.setxor1d(model, hardware):
        yield int(cell), int(cell in model), int(cell in hardware)
    length = min(len(model), len(hardware))
    differs = np.flatnonzero(model[:length] != hardware[:length])
    cell = hardware[differs[0] if len(differs) else length - 1]
    yield int(cell), int(np.count_nonzero(model == cell)), int(np.count_nonzero(hardware == cell)) + 1


def _compare(stage: str, expected: LayerTrace, actual: LayerTrace) -> Iterator[tuple[int, int, int]]:
    """Lanes of a stage that differ, with both values."""
    model, hardware = getattr(expected, stage), getattr(actual, stage)
    if stage in ROW_STAGES:
        size = int(max(model.max(initial=0), hardware.max(initial=0))) + 1
        if stage == "rows":
            model, hardware = (_by_pattern(rows, int(model[-1]), size) for rows in (model, hardware))
        model, hardware = _counts(model, hardware)
        for key in np.flatnonzero(model != hardware):
            yield int(key) % size, int(model[key]), int(hardware[key])
        return
    if len(model) != len(hardware):
        yield min(len(model), len(hardware)), len(model), len(hardware)
        return
    for lane in np.flatnonzero(model != hardware):
        yield int(lane), int(model[lane]), int(hardware[lane])


def _by_pattern(rows: NDArray[np.int64], bias_row: int, size: int) -> NDArray[np.int64]:
    """Rows numbered through all patterns, `size` numbers for each, so that a row of each is one of its own."""
    ends = (rows == bias_row).astype(np.int64)
    numbered: NDArray[np.int64] = rows + size * (np.cumsum(ends) - ends)
    return numbered


def _counts(model: NDArray[np.int64], hardware: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each row is there; a row that the hardware sends out of order counts as another one more."""
    size = int(max(model.max(initial=0), hardware.max(initial=0))) + 1
    counts = np.bincount(hardware, minlength=size)
    counts[hardware[1:][np.diff(hardware) <= 0]] += 1
    return np.bincount(model, minlength=size), counts
