"""A training run on disk: the machine, the float baseline beside it, and how far the two have come."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .baseline import FloatBaseline
from .config import Config
from .data import Dataset
from .errors import ConfigError, RunError
from .fast import KernelTrainer, make_trainer
from .files import write_whole
from .interruption import Interruption
from .ledger import Total, ledger
from .run_state import DataRecord, EpochRecord, FinalFigures, RunState, is_recorded
from .schedule import exponent, sample_order
from .trace import weights_sha256
from .trainer import Trainer, check_samples, predictions

VOTES = 16
HISTORY_TEST_SAMPLES = 1000
SAMPLES_PER_STEP = 256


class Run:
    """A run in a directory of its own.

    The directory holds ``config.toml``, ``state.npz`` and, once the run is finished, ``report.json``. Each file is
    replaced whole, so that at any moment the directory holds a state to go on from. Make one with `create` or `open`.

    Parameters
    ----------
    path : Path
        The directory.
    config : Config
        The machine and the length of the run.
    data : DataRecord
        The data set to train on.

    Attributes
    ----------
    trainer : FastTrainer or Trainer
        The machine; the plain model where Numba is missing.
    baseline : FloatBaseline
        Fed the same samples in the same order with the same schedule.
    epoch : int
        Epochs finished, 0 to E.
    samples_done : int
        Samples done in the epoch under way.
    history : list of EpochRecord
        One for every epoch finished, in long runs for evenly spaced ones.
    figures : FinalFigures or None
        None until the run is finished.
    """

    CONFIG, STATE, REPORT = "config.toml", "state.npz", "report.json"

    def __init__(self, path: Path, config: Config, data: DataRecord) -> None:
        self.path = path
        self.config = config
        self.data = data
        self.trainer = self._make_trainer()
        self.baseline = FloatBaseline(sizes=config.sizes, seed=config.seed)
        self.epoch = 0
        self.samples_done = 0
        self.history: list[EpochRecord] = []
        self.figures: FinalFigures | None = None
        self._machine_seconds = 0.0
        self._baseline_seconds = 0.0
        self._evaluated = self.trainer.counts.copy()

    @classmethod
    def create(cls, path: str | os.PathLike[str], config: Config, dataset: Dataset, source: str) -> Self:
        """Begin a run in a new directory.

        Parameters
        ----------
        path : path-like
            A directory that does not exist, or is empty.
        config : Config
        dataset : Dataset
            What `source` names.
        source : str
            Recorded, so that the run can be resumed without naming its data again.

        Raises
        ------
        RunError
            If the directory is in use.
        DataError
            If the data set does not fit the machine.
        OSError
            If the directory cannot be written.
        """
        run = cls(Path(path), config, DataRecord.of(dataset, source))
        run.begin(dataset)
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Read a run, finished or not.

        Raises
        ------
        RunError
            If the directory is missing, damaged, or no run.
        """
        path = Path(path)
        _check_is_run(path)
        config = _read_config(path / cls.CONFIG)
        state = RunState.read(path / cls.STATE)
        _check_same_config(path, config, state.config)
        run = cls._of(path, config, state)
        run._restore(state)
        return run

    def begin(self, dataset: Dataset) -> None:
        """Make the directory and write what a new run starts from; raises as `create`."""
        self.check_data(dataset)
        check_free(self.path)
        made, files = not self.path.exists(), self._files()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                write_whole(self.path / name, content)
            self._start_machine()
            self.save()
        except BaseException:
            with suppress(OSError):
                for name in files:
                    (self.path / name).unlink(missing_ok=True)
                if made:
                    self.path.rmdir()
            raise

    @property
    def finished(self) -> bool:
        """Whether all epochs are trained and the final figures are known."""
        return self.figures is not None

    @property
    def samples_trained(self) -> int:
        """Samples trained since the run began."""
        return self.epoch * self.data.train_samples + self.samples_done

    def check_data(self, dataset: Dataset) -> None:
        """Check that `dataset` is the one of this run.

        Raises
        ------
        DataError
            If it does not fit the machine.
        RunError
            If it is another one.
        """
        check_samples(self.config, dataset.train_features, dataset.train_labels)
        check_samples(self.config, dataset.test_features, dataset.test_labels)
        if DataRecord.of(dataset, self.data.source) != self.data:
            raise RunError(
                f"{self.path}: was begun with other data than {dataset.name} now holds: {self.data.source} with "
                f"{self.data.train_samples} training and {self.data.test_samples} test samples, SHA-256 "
                f"{self.data.sha256[:12]}...; name that with --data"
            )

    def move_data(self, source: str) -> None:
        """Record that the data set is now found at `source`."""
        self.data = replace(self.data, source=source)

    def train(self, dataset: Dataset, progress: Callable[[Self], None] = lambda run: None) -> None:
        """Train from where the run stands to its end, evaluate and write the report.

        The state is saved after every epoch, and at the exact sample on Ctrl-C and SIGTERM: to go on from there gives
        the same bits as never to have stopped. A finished run is left as it is.

        Parameters
        ----------
        dataset : Dataset
            The data set of this run.
        progress : callable
            Called with the run every few samples and after every epoch.

        Raises
        ------
        RunError, DataError
            If the data set is another one.
        KeyboardInterrupt
            After the state was saved; `Interrupted` if a signal was the cause.
        OSError
            If the state cannot be written; the last one saved stays.
        """
        self.check_data(dataset)
        if self.finished:
            return
        with Interruption() as interruption:
            try:
                while self.epoch < self.config.epochs:
                    self._train_epoch(dataset, interruption, progress)
                self._finish(dataset, interruption)
            except KeyboardInterrupt:
                with interruption.held():
                    self.trainer.counts.load_inference(self._evaluated)
                    self.save()
                raise

    def save(self) -> None:
        """Write ``state.npz``.

        Raises
        ------
        OSError
            If it cannot be written; the last state saved stays.
        """
        write_whole(self.path / self.STATE, self.state().to_bytes())

    def state(self) -> RunState:
        """The state as it is now."""
        return RunState(
            config=self.config,
            data=self.data,
            weights=self.trainer.weights(),
            array=self._array_state(),
            generator_states=self.trainer.generator_states(),
            baseline=self.baseline.state(),
            epoch=self.epoch,
            samples_done=self.samples_done,
            counts=self.trainer.counts.copy(),
            history=tuple(self.history),
            machine_seconds=self._machine_seconds,
            baseline_seconds=self._baseline_seconds,
            figures=self.figures,
        )

    def report(self) -> dict[str, Any]:
        """The figures of a finished run, as ``report.json`` holds them.

        Raises
        ------
        RunError
            If the run is not finished.
        """
        if self.figures is None:
            raise RunError(
                f"{self.path}: is not finished ({self.epoch} of {self.config.epochs} epochs): "
                f"go on with `stochastor train --resume {self.path}`"
            )
        return {
            "version": version("stochastor"),
            "config": self.config.to_dict(),
            "config_sha256": self.config.digest,
            "weights_sha256": weights_sha256(self.trainer.weights()),
            "data": self.data.source,
            "data_sha256": self.data.sha256,
            "train_samples": self.data.train_samples,
            "test_samples": self.data.test_samples,
            "history_test_samples": min(self.data.test_samples, HISTORY_TEST_SAMPLES),
            "epochs": self.epoch,
            "samples_trained": self.samples_trained,
            **asdict(self.figures),
            "samples_per_second": self.samples_trained / self._machine_seconds,
            "baseline_samples_per_second": self.samples_trained / self._baseline_seconds,
            "ledger": self.ledger(),
            "history": [asdict(record) for record in self.history],
        }

    def ledger(self) -> dict[str, Any]:
        """What was counted (section 15 of the specification): the machine's totals, and events by layer and phase."""
        counts = self.trainer.counts
        totals = {total.name.lower(): int(counts.totals[total]) for total in Total}
        return totals | {"events": [events.to_dict() for events in ledger(self.config, counts)]}

    def write_report(self) -> None:
        """Write ``report.json``.

        Raises
        ------
        RunError
            If the run is not finished.
        OSError
            If it cannot be written.
        """
        write_whole(self.path / self.REPORT, (json.dumps(self.report(), indent=2) + "\n").encode("ascii"))

    def _train_epoch(self, dataset: Dataset, interruption: Interruption, progress: Callable[[Self], None]) -> None:
        order = sample_order(self.config.seed, self.epoch, self.data.train_samples, self.config.shuffle_block)
        while self.samples_done < len(order):
            chosen = order[self.samples_done : self.samples_done + self._samples_per_step()]
            with interruption.held():
                self._train_step(dataset, chosen)
            progress(self)
        recorded = is_recorded(self.epoch + 1, self.config.epochs)
        records = [self._evaluate_epoch(dataset)] if recorded else []
        with interruption.held():
            self.history += records
            self.epoch, self.samples_done = self.epoch + 1, 0
            self._evaluated = self.trainer.counts.copy()
            self.save()
        progress(self)

    def _samples_per_step(self) -> int:
        """Samples between which a run can be interrupted."""
        return SAMPLES_PER_STEP

    def _train_step(self, dataset: Dataset, chosen: NDArray[np.int64]) -> None:
        features, labels = dataset.train_features[chosen], dataset.train_labels[chosen]
        self._train_both(features, labels, exponent(self.epoch, self.config.epochs), chosen)
        self.samples_done += len(labels)

    def _train_both(
        self, features: NDArray[np.uint8], labels: NDArray[np.int64], k: int, chosen: NDArray[np.int64]
    ) -> None:
        """Train machine and baseline; arguments as of `_train_machine`."""
        self._machine_seconds += seconds_of(self._train_machine, features, labels, k, chosen)
        self._baseline_seconds += seconds_of(self.baseline.train, features, labels, k)

    def _train_machine(
        self, features: NDArray[np.uint8], labels: NDArray[np.int64], k: int, chosen: NDArray[np.int64]
    ) -> None:
        """Train samples, which are those of the numbers `chosen` of the data set."""
        self.trainer.train(features, labels, k)

    def _evaluate_epoch(self, dataset: Dataset) -> EpochRecord:
        features = dataset.test_features[:HISTORY_TEST_SAMPLES]
        labels = dataset.test_labels[:HISTORY_TEST_SAMPLES]
        return EpochRecord(
            epoch=self.epoch + 1,
            exponent=exponent(self.epoch, self.config.epochs),
            test_accuracy_votes16=self._accuracy(features, labels, VOTES),
            baseline_test_accuracy=float(self.baseline.accuracy(features, labels)),
        )

    def _finish(self, dataset: Dataset, interruption: Interruption) -> None:
        features, labels = dataset.test_features, dataset.test_labels
        figures = FinalFigures(
            test_accuracy_votes16=self._accuracy(features, labels, VOTES),
            test_accuracy_votes1=self._accuracy(features, labels, 1),
            baseline_test_accuracy=float(self.baseline.accuracy(features, labels)),
        )
        with interruption.held():
            self.figures = figures
            self._evaluated = self.trainer.counts.copy()
            self.write_report()
            self.save()

    def _accuracy(self, features: NDArray[np.uint8], labels: NDArray[np.int64], passes: int) -> float:
        return float(np.mean(predictions(self.trainer.infer(features, passes)) == labels))

    @classmethod
    def _of(cls, path: Path, config: Config, state: RunState) -> Self:
        """The run of a state, not yet restored."""
        return cls(path, config, state.data)

    def _make_trainer(self) -> Trainer | KernelTrainer:
        return make_trainer(self.config)

    def _start_machine(self) -> None:
        """Bring the machine to where a new run starts; one that was just made is there."""

    def _files(self) -> dict[str, bytes]:
        """What is written once, when the run begins."""
        return {self.CONFIG: self.config.to_toml().encode("utf-8")}

    def _array_state(self) -> dict[str, NDArray[Any]]:
        """What the arrays hold beside their cells."""
        return {}

    def _restore_array(self, state: dict[str, NDArray[Any]]) -> None:
        if state:
            raise RunError("was trained on an analog array")

    def _restore(self, state: RunState) -> None:
        samples_trained = state.epoch * state.data.train_samples + state.samples_done
        try:
            self.trainer.restore(state.weights, state.generator_states, samples_trained)
            self._restore_array(state.array)
            self.baseline.restore(state.baseline)
        except RunError as error:
            raise RunError(f"{self.path / self.STATE}: {error}") from None
        self.epoch, self.samples_done = state.epoch, state.samples_done
        self.history = list(state.history)
        self.figures = state.figures
        self.trainer.counts.load(state.counts)
        self._evaluated = state.counts.copy()
        self._machine_seconds = state.machine_seconds
        self._baseline_seconds = state.baseline_seconds


def check_free(path: Path) -> None:
    """Check that a run can begin in the directory `path`.

    Raises
    ------
    RunError
        If there is something.
    """
    if (path / Run.STATE).exists():
        raise RunError(f"{path}: already holds a run; go on with --resume {path}, or choose another --out")
    if path.is_dir() and any(path.iterdir()):
        raise RunError(f"{path}: is not empty; choose a new directory for --out")
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file; choose a new directory for --out")


def seconds_of(work: Callable[..., object], *arguments: Any) -> float:
    """Do `work` and return how long it took, in seconds."""
    start = perf_counter()
    work(*arguments)
    return perf_counter() - start


def _check_is_run(path: Path) -> None:
    if not path.exists():
        raise RunError(f"{path}: there is no such run; begin one with `stochastor train --out {path}`")
    if not path.is_dir():
        raise RunError(f"{path}: is a file; a run is a directory made by `stochastor train --out`")
    for name in (Run.CONFIG, Run.STATE):
        if not (path / name).is_file():
            raise RunError(f"{path}: is no whole run: {name} is missing; name a directory made by `stochastor train`")


def _read_config(path: Path) -> Config:
    try:
        return Config.from_toml(path)
    except ConfigError as error:
        raise RunError(str(error)) from None


def _check_same_config(path: Path, written: Config, trained: Config) -> None:
    for name, value in trained.to_dict().items():
        if written.to_dict()[name] != value:
            raise RunError(
                f"{path / Run.CONFIG}: {name} = {written.to_dict()[name]!r}, but the run was begun with {value!r}: "
                f"put that back, or begin another run"
            )
