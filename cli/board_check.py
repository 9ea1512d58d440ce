"""Board and golden model side by side."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..hdl.geometry import Geometry
from ..model.config import ArraySide, Config
from ..model.data import Dataset
from ..model.errors import DataError
from ..model.schedule import exponent, sample_order
from ..model.trace import Trace
from ..model.trainer import Trainer
from .console import make_table, output, sample_progress

if TYPE_CHECKING:
    from ..fpga.host.board import Board

CHUNK = 64
TEST_SAMPLES = 20
PASSES = 3


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a comparison found.

    Attributes
    ----------
    samples : int
        Training samples compared.
    compared : int
        Fired outputs, weights, generators, counters and votes compared, and the entries of traces.
    first_difference : str or None
        What differs first, with both values.
    samples_per_second : float
        Training samples over the link, by the wall clock.
    retries : int
        Times that packets were sent again.
    counters : bool
        Whether counters were among them; a board may be built without.
    replayed : int
        Training samples that came from the board's memory.
    traced : bool
        Whether traces were compared.
    """

    samples: int
    compared: int
    first_difference: str | None
    samples_per_second: float
    retries: int
    counters: bool
    replayed: int
    traced: bool

    def to_dict(self) -> dict[str, Any]:
        """The figures as --json takes them."""
        return asdict(self)


def check_board(board: "Board", dataset: Dataset, samples: int, trace: bool = False) -> CheckReport:
    """Train the first samples of the first epoch on a board and on the golden model, both anew, and compare.

    Parameters
    ----------
    board : Board
    dataset : Dataset
        That fits the board's configuration.
    samples : int
        How many of its training samples.
    trace : bool
        Whether to compare traces, too; samples then come one by one, and none from the board's memory.

    Returns
    -------
    CheckReport
        With the first difference, if there is one; nothing is trained after that.

    Raises
    ------
    DataError
        If there are not as many samples.
    BoardError
        If the board refuses a request, or keeps no traces and is asked for them.
    LinkLostError, BoardResetError
        If the board does not answer any more, or was reset meanwhile.
    """
    config = board.config
    available = len(dataset.train_labels)
    if samples > available:
        raise DataError(f"{dataset.name} has {available} training samples, fewer than the {samples} of --samples")
    order = sample_order(config.seed, 0, available, config.shuffle_block)[:samples]
    model = Trainer(config)
    board.reset()
    board.restore(model.weights(), model.generator_states(), 0)
    comparison = _Comparison()
    if config.array_side is ArraySide.PINS and not _programmed(comparison, board, model):
        return CheckReport(
            samples=0,
            compared=comparison.compared,
            first_difference=comparison.first,
            samples_per_second=0.0,
            retries=board.link.retries,
            counters=False,
            replayed=0,
            traced=trace,
        )
    stored = 0 if trace else _store(board, dataset, order)
    replayed = 0
    traces: list[Trace] = []
    seconds = 0.0
    with sample_progress("compare", samples) as progress:
        for start in range(0, samples, CHUNK):
            chosen = order[start : start + CHUNK]
            part = dataset.train_features[chosen], dataset.train_labels[chosen], exponent(start, samples)
            told: list[Trace] = []
            begun = perf_counter()
            if trace:
                told = board.trace(*part, progress=partial(_from, progress, start))
                fired = np.array([sample.outputs for sample in told], dtype=np.int64)
            elif start // CHUNK % 2 == 0 and start + len(chosen) <= stored:
                fired = board.replay(stored - 1 - np.arange(start, start + len(chosen)), part[2])
                replayed += len(chosen)
            else:
                fired = board.train(*part)
            seconds += perf_counter() - begun
            traces += model.train(*part)
            expected = np.array([sample.outputs for sample in traces[start:]], dtype=np.int64)
            same = comparison.same_traces(config, traces[start:], told)
            if not (same and comparison.same(expected, fired, "sample {0}, output {1}", first=start)):
                break
            progress(start + len(chosen))
    counters = board.counters()
    _compare_state(comparison, board, counters, model, traces)
    test = dataset.test_features[:TEST_SAMPLES]
    votes = model.infer(test, PASSES), board.infer(test, PASSES)
    comparison.same(*votes, "test sample {0}, votes for output {1}")
    return CheckReport(
        samples=len(traces),
        compared=comparison.compared,
        first_difference=comparison.first,
        samples_per_second=len(traces) / seconds,
        retries=board.link.retries,
        counters=bool(counters),
        replayed=replayed,
        traced=trace,
    )


def print_check(report: CheckReport, config: Config) -> None:
    """Print what was compared and what differs."""
    rows = [
        ("samples", f"{report.samples:,}"),
        *([("of them from the memory", f"{report.replayed:,}")] if report.replayed else []),
        ("words compared", f"{report.compared:,}"),
        ("traces among them", "yes" if report.traced else "no"),
        ("counters among them", "yes" if report.counters else "no: the board has none"),
        ("training samples per second", f"{report.samples_per_second:,.1f}"),
        ("packets sent again", f"{report.retries:,}"),
        ("differences", f"{int(report.first_difference is not None)}"),
    ]
    sizes = "-".join(map(str, config.sizes))
    output.print(make_table(f"{sizes} on the board, against the golden model", ("", ""), rows))
    if report.first_difference is not None:
        output.print(f"first difference: {report.first_difference}", style="bold red")


def _from(progress: Callable[[int], None], start: int, done: int) -> None:
    progress(start + done)


class _Comparison:
    """Counts what is compared, and keeps the first difference."""

    def __init__(self) -> None:
        self.compared = 0
        self.first: str | None = None

    def same(self, expected: NDArray[Any], actual: NDArray[Any], where: str, first: int = 0) -> bool:
        """Compare two arrays of one shape; `where` is the place of an index, whose first number begins at `first`."""
        self.compared += expected.size
        different = np.argwhere(expected != actual)
        if len(different) and self.first is None:
            at = tuple(different[0])
            place = where.format(first + at[0], *at[1:])
            self.first = f"{place}: model {expected[at]}, board {actual[at]}"
        return not len(different)

    def same_traces(self, config: Config, expected: Sequence[Trace], actual: Sequence[Trace]) -> bool:
        """Compare traces, sample by sample; none if the board told of none."""
        from ..sim.scoreboard import differences

        for model, board in zip(expected, actual, strict=bool(actual)):
            self.compared += model.decisions
            difference = next(differences(config, model, board), None)
            if difference is not None:
                self.first = self.first or str(difference).replace("hardware", "board")
                return False
        return True


def _store(board: "Board", dataset: Dataset, order: NDArray[np.int64]) -> int:
    """Store samples in an order that is not theirs, the last one first, as many as fit; how many."""
    stored = order[: board.room(dataset.train_features[order])][::-1]
    if len(stored):
        with sample_progress("store", len(stored)) as progress:
            board.store(dataset.train_features[stored], dataset.train_labels[stored], progress)
    return len(stored)


def _programmed(comparison: _Comparison, board: "Board", model: Trainer) -> bool:
    """Whether cells of arrays outside read back as they were programmed; a wrong wire shows here first."""
    for layer, (expected, actual) in enumerate(zip(model.weights(), board.weights(), strict=True), start=1):
        if not comparison.same(expected, actual, f"layer {layer}, row {{0}}, cell column {{1}}, read back"):
            geometry = Geometry.of(board.config, layer)
            column = int(np.argwhere(expected != actual)[0][1])
            comparison.first = (
                f"{comparison.first} (array{layer}.decision[{column // geometry.digits % geometry.tables}])"
            )
            return False
    return True


def _compare_state(
    comparison: _Comparison,
    board: "Board",
    counters: dict[str, int | list[int]],
    model: Trainer,
    traces: Sequence[Trace],
) -> None:
    for layer, (expected, actual) in enumerate(zip(model.weights(), board.weights(), strict=True), start=1):
        comparison.same(expected, actual, f"layer {layer}, row {{0}}, cell column {{1}}")
    states = np.array(model.generator_states()), np.array(board.generator_states())
    comparison.same(*states, "generator {0}")
    for name, count in _counters(traces).items() if counters else ():
        comparison.same(np.atleast_1d(count), np.atleast_1d(counters[name]), f"counter {name}, number {{0}}")


def _counters(traces: Sequence[Trace]) -> dict[str, int | list[int]]:
    """Counters that follow from traces."""
    layers = range(len(traces[0].layers))
    sensed = [[0] + [len(trace.layers[layer - 1].sensed) for layer in layers[1:]] for trace in traces]
    return {
        "samples": len(traces),
        "errors": sum(trace.has_error for trace in traces),
        "row_events": [sum(len(trace.layers[layer].rows) for trace in traces) for layer in layers],
        "row_reads": np.sum(sensed, axis=0).tolist(),
        "row_pulses": [sum(len(trace.layers[layer].pulsed) for trace in traces) for layer in layers],
    }
