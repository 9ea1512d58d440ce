"""The trainings of a study: in processes side by side, each kept as a file when it ends."""

import hashlib
import json
import os
import signal
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..model.data import Dataset, load_dataset
from ..model.errors import ToolError
from ..model.files import write_whole
from ..model.study import Outcome, Row, Study
from .console import notices

Outcomes = Mapping[tuple[str, str], tuple[Outcome, ...]]
ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Reproduction:
    """A study to be trained, and where its outcomes are kept.

    Parameters
    ----------
    study : Study
    directory : Path
        Made if it is not there.
    source : str, optional
        Where the data is, instead of where the study says.
    """

    def __init__(self, study: Study, directory: Path, source: str | None = None) -> None:
        self._study = study
        self._directory = directory / study.name
        self._source = source or study.data

    def perform(self, workers: int | None = None) -> Outcomes:
        """Train what is not yet there.

        Parameters
        ----------
        workers : int, optional
            Processes; by default one for each core that this process may use.

        Returns
        -------
        mapping of (group, label) to tuple of Outcome
            For each seed in the order of the study.

        Raises
        ------
        StochastorError
            If the data cannot be read.
        OSError
            If an outcome cannot be written.
        ToolError
            If a process died, for example for want of memory.
        typer.Exit
            If the user interrupts; what is finished is kept.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        jobs = [(row, seed) for row in self._study.rows for seed in self._study.seeds]
        missing = list({self._path(*job): job for job in jobs if self._read(*job) is None}.values())
        if missing:
            _load(self._source)
            different = len({self._path(*job) for job in jobs})
            self._train(missing, workers or len(os.sched_getaffinity(0)), different)
        found = {(row.group, row.label, seed): self._read(row, seed) for row, seed in jobs}
        return {
            (row.group, row.label): tuple(
                outcome for seed in self._study.seeds if (outcome := found[row.group, row.label, seed])
            )
            for row in self._study.rows
        }

    def _train(self, jobs: list[tuple[Row, int]], workers: int, total: int) -> None:
        bar = Progress(
            TextColumn("{task.completed}/{task.total} trainings"),
            BarColumn(bar_width=None),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            console=notices,
            transient=True,
            disable=not notices.is_terminal,
        )
        task = bar.add_task("train", total=total, completed=total - len(jobs), last="")
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker)
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        try:
            with bar:
                pending: dict[Future[Outcome], tuple[Row, int]] = {
                    pool.submit(_perform, self._study, row, seed, self._source): (row, seed) for row, seed in jobs
                }
                while pending:
                    for future in wait(pending, return_when=FIRST_COMPLETED).done:
                        row, seed = pending.pop(future)
                        self._write(row, seed, future.result())
                        line = f"{row.group}: {row.label}, seed {seed}: {_best(future.result())}"
                        bar.update(task, advance=1, last=line)
                        if bar.disable:
                            notices.print(line)
        except BrokenProcessPool:
            raise ToolError(
                f"a training's process died; finished trainings are kept in {self._directory}: the same command goes on"
            ) from None
        except KeyboardInterrupt:
            notices.print(f"interrupted; finished trainings are kept in {self._directory}: the same command goes on")
            raise typer.Exit(130) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _path(self, row: Row, seed: int) -> Path:
        """Where an outcome is kept: named by all that decides it, so that another study never takes it for its own."""
        decides = {"learner": row.learner.to_dict(), "seed": seed, "validation": self._study.validation}
        text = json.dumps(decides, sort_keys=True, separators=(",", ":"))
        return self._directory / f"{hashlib.sha256(text.encode('ascii')).hexdigest()[:24]}.json"

    def _read(self, row: Row, seed: int) -> Outcome | None:
        try:
            return Outcome.from_dict(json.loads(self._path(row, seed).read_bytes())["outcome"])
        except (FileNotFoundError, LookupError, TypeError, ValueError):
            return None

    def _write(self, row: Row, seed: int, outcome: Outcome) -> None:
        content = {
            "group": row.group,
            "label": row.label,
            "seed": seed,
            "learner": row.learner.to_dict(),
            "outcome": outcome.to_dict(),
        }
        write_whole(self._path(row, seed), (json.dumps(content, indent=2) + "\n").encode("ascii"))


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _perform(study: Study, row: Row, seed: int, source: str) -> Outcome:
    return row.learner.learn(study.dataset(_load(source)), seed, lambda share: None)


@lru_cache(maxsize=1)
def _load(source: str) -> Dataset:
    return load_dataset(source)


def _best(outcome: Outcome) -> str:
    return f"{100 * max(outcome.accuracy.values()):.2f} %"
