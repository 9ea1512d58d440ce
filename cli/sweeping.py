"""The runs of a sweep on Dask: workers of this machine, or those of a scheduler anywhere."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.resource_tracker import ensure_running
from typing import Any, Self
from uuid import uuid4

from ..model.data import FILE_READERS
from ..model.errors import ConfigError, StochastorError, ToolError
from ..model.sweep_run import RunReport, SweepRun

NEEDED = ("distributed", "pandas", "pyarrow")
ADDRESS = re.compile(r"(tcp|tls)://[^/]*[^/:]:\d{1,5}")
CONNECT_SECONDS = 5
RETRIES = 2
SECONDS_BETWEEN_EVENTS = 0.5
# A run is one thread: workers must not fight for cores. Workers of this machine share its memory as they need it.
LOCAL_ENVIRONMENT = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Progress = Callable[[str, float], None]


def check_extra() -> None:
    """Check that what a sweep needs is installed.

    Raises
    ------
    ToolError
        Naming what installs it.
    """
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ToolError(f"a sweep needs {', '.join(missing)}: install with pip install 'stochastor[sweep]'")


class Workers(AbstractContextManager["Workers"]):
    """Dask workers, while the context lasts.

    Parameters
    ----------
    scheduler : str, optional
        Address of an existing scheduler; without it, a cluster is made on this machine.
    processes : int, optional
        Workers of the cluster made here; by default one for each core that this process may use.
    """

    def __init__(self, scheduler: str | None, processes: int | None) -> None:
        self._scheduler = scheduler
        self._processes = processes
        self._cluster: Any = None
        self._client: Any = None

    def __enter__(self) -> Self:
        if self._scheduler is None:
            self._cluster = _local_cluster(self._processes)
            self._client = self._cluster.get_client()
        else:
            self._client = _connect(self._scheduler)
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    @property
    def count(self) -> int:
        """Workers that are there now."""
        return len(self._client.nthreads())

    def perform(self, runs: Sequence[SweepRun], progress: Progress) -> Iterator[tuple[SweepRun, RunReport | str]]:
        """Perform runs; a run whose worker is lost is performed again by another one.

        Parameters
        ----------
        runs : sequence of SweepRun
        progress : callable
            Called from another thread with the name of a run and the share of it that is done, 0 to 1.

        Yields
        ------
        run : SweepRun
            In the order in which they end.
        outcome : RunReport or str
            What went wrong, if it is a string.

        Raises
        ------
        ToolError
            If the scheduler is lost.
        """
        from distributed import as_completed

        topic = f"stochastor-sweep-{uuid4().hex}"
        self._client.subscribe_topic(topic, lambda event: progress(*event[1]))
        futures = {
            self._client.submit(
                perform_run, run.to_dict(), _absolute(run.data), topic, key=f"{run.name}-{topic}", retries=RETRIES
            ): run
            for run in runs
        }
        for future, outcome in as_completed(
            list(futures), loop=self._client.loop, with_results=True, raise_errors=False
        ):
            run = futures.pop(future)
            yield run, self._outcome(future.status, outcome)

    def _outcome(self, status: str, outcome: Any) -> RunReport | str:
        if status == "finished":
            return _report(outcome)
        if status == "error":
            return _what_failed(outcome[1])
        where = self._scheduler or "of this machine"
        raise ToolError(f"the Dask scheduler {where} was lost")


def perform_run(run: Mapping[str, Any], source: str, topic: str) -> dict[str, Any]:
    """Perform a run in a Dask worker.

    Parameters
    ----------
    run : mapping
        Of `SweepRun.to_dict`.
    source : str
        Where the data is.
    topic : str
        Of the events that tell how far the run is: its name and a share of 0 to 1.

    Returns
    -------
    dict
        Of `RunReport.to_dict`; or with the key ``error`` what the user has to mend, which no retry would.
    """
    from distributed import get_worker

    from ..sim.array.sweep import machine_on

    worker = get_worker()
    planned = SweepRun.from_dict(run)
    last = 0.0

    def tell(share: float) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS_BETWEEN_EVENTS:
            last = time.monotonic()
            worker.log_event(topic, [planned.name, share])

    try:
        return planned.perform(source, tell, machine_on).to_dict()
    except StochastorError as error:
        return {"error": f"{error} (on the worker {worker.address})"}


def _local_cluster(processes: int | None) -> Any:
    import logging

    from distributed import LocalCluster

    with _no_interrupts():
        return LocalCluster(
            n_workers=processes or len(os.sched_getaffinity(0)),
            processes=True,
            threads_per_worker=1,
            memory_limit=None,
            env=LOCAL_ENVIRONMENT,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back; processes and threads that are begun meanwhile never get one.

    A terminal sends it to all processes of the command, but to stop is for the one that has the reports.
    """
    ensure_running()  # starting it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _connect(scheduler: str) -> Any:
    from distributed import Client

    if not ADDRESS.fullmatch(scheduler):
        raise ConfigError(f"--scheduler must be tcp://HOST:PORT, or tls:// in place of tcp://, not {scheduler!r}")
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError):
        raise ToolError(
            f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`, and workers with "
            f"`dask worker {scheduler}`"
        ) from None


def _absolute(source: str) -> str:
    """The source for a worker that may have another working directory."""
    kind, _, place = source.partition(":")
    if kind not in FILE_READERS or place.startswith("~"):
        return source
    return f"{kind}:{os.path.abspath(place)}"


def _report(outcome: Mapping[str, Any]) -> RunReport | str:
    if "error" in outcome:
        return str(outcome["error"])
    try:
        return RunReport.from_dict(outcome)
    except (LookupError, TypeError, ValueError):
        return "its worker gave another report than this version of stochastor knows: install the same one there"


def _what_failed(exception: BaseException) -> str:
    from distributed.scheduler import KilledWorker

    if isinstance(exception, KilledWorker):
        return "its worker was lost again and again: a worker may need more memory"
    if isinstance(exception, ModuleNotFoundError):
        return f"a worker has {exception}: install the same stochastor there"
    return f"{type(exception).__name__}: {exception}"
