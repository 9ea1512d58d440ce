"""How far a sweep is: a bar over all runs on a terminal, a line for every run that ends elsewhere."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Self

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..model.sweep_run import SweepRun
from .console import notices


class SweepProgress(AbstractContextManager["SweepProgress"]):
    """Counts runs, each by its epochs, so that the remaining time is one of work and not of numbers of runs.

    Parameters
    ----------
    runs : sequence of SweepRun
        All of the sweep.
    finished : collection of str
        Names of runs that were finished before.
    """

    def __init__(self, runs: Sequence[SweepRun], finished: Collection[str]) -> None:
        self._epochs = {run.name: run.config.epochs for run in runs}
        self._shares = dict.fromkeys(finished, 1.0)
        self._ended = set(finished)
        self._bar = Progress(
            TextColumn("{task.fields[runs]} runs"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}"),
            console=notices,
            transient=True,
            disable=not notices.is_terminal,
        )
        total = sum(self._epochs.values())
        self._task = self._bar.add_task("sweep", total=total, runs=self._count(), last="")
        self._bar.update(self._task, completed=self._done())

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def tell(self, name: str, share: float) -> None:
        """Tell that `share` (0 to 1) of the run `name` is done; any thread may."""
        if name not in self._ended:
            self._shares[name] = share
            self._bar.update(self._task, completed=self._done())

    def end(self, name: str, message: str, *, failed: bool = False) -> None:
        """Tell that the run `name` ended, with the one line `message` about it."""
        self._shares[name] = 1.0
        self._ended.add(name)
        self._bar.update(self._task, completed=self._done(), runs=self._count(), last=f"{name}: {message}"[:60])
        if failed:
            notices.print(f"{name} failed: {message}", style="red")
        elif self._bar.disable:
            notices.print(f"{self._count()} runs: {name}: {message}")

    def _count(self) -> str:
        return f"{len(self._ended)}/{len(self._epochs)}"

    def _done(self) -> float:
        return sum(self._epochs[name] * share for name, share in list(self._shares.items()))
