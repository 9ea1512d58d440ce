"""Training speed of several trainers, side by side in one run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

SHORTEST = 0.25
MOST_A_CALL = 2000


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A trainer to measure.

    Attributes
    ----------
    name : str
        Unique in a comparison.
    make : callable
        Returns a new trainer: an object with ``train(features, labels)``, and ``close()`` if it needs that.
    features, labels : array
        Samples as its `train` takes them.
    step : int
        Samples that a call has to have a multiple of, for example a batch.
    """

    name: str
    make: Callable[[], Any]
    features: Any
    labels: Any
    step: int = 1


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Samples a second of one contestant: the median of the rounds, and the slowest and fastest of them.

    Attributes
    ----------
    median, slowest, fastest : float
    samples : int
        Trained in a round: the whole first epoch, or what of it fitted the time.
    """

    median: float
    slowest: float
    fastest: float
    samples: int


def compare(
    contestants: Sequence[Contestant],
    *,
    seconds: float,
    rounds: int,
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, Speed]:
    """Measure all contestants in turn, `rounds` times over, so that what else the machine does meets them all.

    In a round a contestant starts from its initial weights and trains the first epoch in the order of the data set, or
    as much of it as fits `seconds`; epochs of less than a quarter of a second are repeated from the start. Making
    the trainer does not count, nor does a first round of a few samples that compiles and warms up.

    Parameters
    ----------
    contestants : sequence of Contestant
    seconds : float
    rounds : int
    progress : callable
        Called with the name of the contestant that comes next.

    Returns
    -------
    dict of str to Speed
        By name, in the order given.
    """
    found: dict[str, list[tuple[float, int]]] = {contestant.name: [] for contestant in contestants}
    for contestant in contestants:
        progress(contestant.name)
        with _open(contestant.make()) as trainer:
            trainer.train(contestant.features[: contestant.step], contestant.labels[: contestant.step])
    for _ in range(rounds):
        for contestant in contestants:
            progress(contestant.name)
            found[contestant.name].append(_round(contestant, seconds))
    return {name: _speed(results) for name, results in found.items()}


def _round(contestant: Contestant, seconds: float) -> tuple[float, int]:
    """Samples a second, and how many samples of the epoch were trained."""
    spent, trained, most = 0.0, 0, 0
    while spent < min(SHORTEST, seconds):
        here, count = _epoch(contestant, seconds)
        spent, trained, most = spent + here, trained + count, max(most, count)
    return trained / spent, most


def _epoch(contestant: Contestant, seconds: float) -> tuple[float, int]:
    spent, count = 0.0, 0
    with _open(contestant.make()) as trainer:
        for chunk in _chunks(contestant):
            start = perf_counter()
            trainer.train(contestant.features[chunk], contestant.labels[chunk])
            spent += perf_counter() - start
            count = chunk.stop
            if spent > seconds:
                break
    return spent, count


def _chunks(contestant: Contestant) -> Iterator[slice]:
    """Parts of the data, longer and longer, so that slow contestants can stop early and calls cost fast ones little."""
    start, length, total = 0, contestant.step, len(contestant.labels)
    while start < total:
        stop = min(total, start + length)
        yield slice(start, stop)
        start, length = stop, min(2 * length, max(MOST_A_CALL // contestant.step, 1) * contestant.step)


def _open(trainer: Any) -> Any:
    return closing(trainer) if hasattr(trainer, "close") else nullcontext(trainer)


def _speed(results: list[tuple[float, int]]) -> Speed:
    speeds = [speed for speed, _ in results]
    return Speed(
        median=median(speeds), slowest=min(speeds), fastest=max(speeds), samples=max(count for _, count in results)
    )
