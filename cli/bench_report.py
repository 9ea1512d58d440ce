"""What ``stochastor bench`` prints."""

import os
import platform
import resource
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ..model.bandwidth import Bandwidth, Traffic
from ..model.config import Config
from ..model.scaling import Point
from ..model.speed import Speed
from ..model.time_to_accuracy import Attempt, best
from .console import make_table, notices, output, percent

PACKAGES = ("numpy", "numba", "torch")


class Steps(AbstractContextManager["Steps"]):
    """A bar over a known number of steps; call it with the name of the one that comes next."""

    def __init__(self, steps: int) -> None:
        self._bar = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=notices,
            transient=True,
            disable=not notices.is_terminal,
        )
        self._task = self._bar.add_task("", total=steps)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, name: str) -> None:
        self._bar.update(self._task, advance=1, description=name)


def print_speeds(config: Config, speeds: Mapping[str, Speed]) -> None:
    """Print samples a second, and how many times the first one's each takes."""
    first = next(iter(speeds.values())).median
    rows = [
        (name, f"{speed.median:,.0f}", f"{speed.slowest:,.0f} to {speed.fastest:,.0f}", f"{first / speed.median:,.1f}")
        for name, speed in speeds.items()
    ]
    columns = ("one thread", "samples/s", "rounds", "ours is faster by")
    output.print(make_table(f"training {_shape(config.sizes)}, first epoch", columns, rows))


def print_bandwidth(traffic: Traffic, bandwidth: Bandwidth, limit: float, speed: Speed) -> None:
    """Print how near to the bandwidth of the caches the compiled loops come."""
    rows = [
        ("weights read per sample, bytes", f"{traffic.read:,.0f}"),
        ("weights read and written per sample, bytes", f"{traffic.updated:,.0f}"),
        ("bandwidth, reading, GB/s", f"{bandwidth.read / 1e9:,.1f}"),
        ("bandwidth, reading and writing, GB/s", f"{bandwidth.updated / 1e9:,.1f}"),
        ("limit, samples/s", f"{limit:,.0f}"),
        ("reached", percent(speed.median / limit)),
        ("peak memory, MB", f"{peak_memory() / 1e6:,.0f}"),
    ]
    output.print(make_table("if only weights had to move", ("", ""), rows))


def print_scaling(points: Sequence[Point]) -> None:
    """Print samples a second of each shape."""
    if points:
        rows = [(point.varied, _shape(point.sizes), f"{point.speed.median:,.0f}") for point in points]
        output.print(make_table("compiled loops on random samples, by shape", ("varied", "network", "samples/s"), rows))


def print_attempts(config: Config, accuracy: float, machine: Sequence[Attempt], torch: Sequence[Attempt]) -> None:
    """Print who reached the accuracy how fast."""
    rows = [
        (f"{name}: {attempt.settings}", str(attempt.epochs), percent(attempt.accuracy), _seconds(attempt))
        for name, attempts in (("one bit", machine), ("PyTorch", torch))
        for attempt in attempts
    ]
    title = f"training {_shape(config.sizes)} to {percent(accuracy)} of the test set, one thread"
    output.print(make_table(title, ("learner", "epochs", "accuracy", "seconds"), rows))
    ours, theirs = best(machine), best(torch)
    if ours and theirs:
        output.print(f"one bit needs {ours.seconds / theirs.seconds:.2f} times the time of PyTorch at its best")


def print_machine() -> None:
    """Print what was measured on."""
    output.print(machine())


def machine() -> str:
    """Processor and versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def peak_memory() -> int:
    """Most memory that this process had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _seconds(attempt: Attempt) -> str:
    return f"{attempt.seconds:.2f}" if attempt.reached else f"not within {attempt.seconds:.2f}"


def _shape(sizes: Sequence[int]) -> str:
    return "-".join(map(str, sizes))
