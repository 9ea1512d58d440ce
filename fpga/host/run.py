"""A training run on a board, on disk: `Run` that goes on where the board is, if it is still the same."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Cells
from ...model.data import Dataset
from ...model.errors import RunError
from ...model.fast import make_trainer
from ...model.files import write_whole
from ...model.ledger import Counts
from ...model.run import Run, seconds_of
from ...model.run_state import DataRecord, RunState
from ...model.trainer import Features, Votes
from .board import Board, Progress
from .requests import by_blocks
from .stored import NOTHING_STORED, Stored

SESSIONS_KEPT = 8
SAMPLES_PER_STEP = 2048  # by blocks, so that the board seldom waits for the host


class BoardRun(Run):
    """A run whose machine is a board; its directory holds ``board.json``, too: the sessions with it.

    As long as the board was not reset and nobody else opened a session, a run that broke off goes on with the sample
    that the board says is next; otherwise with the state that was saved last. Either way it ends in the same bits.

    Parameters
    ----------
    path, config, data
        As of `Run`.
    board : Board
        Of this configuration.
    """

    SESSIONS = "board.json"

    def __init__(self, path: Path, config: Config, data: DataRecord, board: Board) -> None:
        self._board = board
        self._replays = False
        super().__init__(path, config, data)

    @classmethod
    def create_on(
        cls, path: str | os.PathLike[str], config: Config, board: Board, dataset: Dataset, source: str
    ) -> Self:
        """Begin a run on `board` in a new directory, as `Run.create`; nothing is sent before the directory is there."""
        run = cls(Path(path), config, DataRecord.of(dataset, source), board)
        run.begin(dataset)
        return run

    @classmethod
    def open_on(cls, path: str | os.PathLike[str], board: Board) -> Self:
        """Go on with a run on `board`, which was opened with the sessions of `sessions`; raises as `Run.open`."""
        begun = Run.open(path)
        run = cls(begun.path, begun.config, begun.data, board)
        run._restore(begun.state())
        run._write_sessions()
        return run

    @classmethod
    def sessions(cls, path: str | os.PathLike[str]) -> set[int]:
        """Sessions in which this run was trained.

        Raises
        ------
        RunError
            If the run was not trained on a board.
        """
        return set(cls._sessions_file(path)["sessions"])

    @classmethod
    def stored(cls, path: str | os.PathLike[str]) -> Stored:
        """What was known to be in the board's memory; raises as `sessions`."""
        content = cls._sessions_file(path)
        return Stored.from_dict(content["stored"]) if "stored" in content else NOTHING_STORED

    def store(self, dataset: Dataset, progress: Progress) -> None:
        """Train from the board's memory from now on: put the samples there, unless they are known to be.

        Raises
        ------
        RunError, DataError
            If the data set is another one, or does not fit.
        LinkLostError, BoardResetError, BoardError
            If the link or the board fails.
        """
        self.check_data(dataset)
        self._board.store(dataset.train_features, dataset.train_labels, progress)
        self._write_sessions()
        self._replays = True

    def save(self) -> None:
        """Write ``state.npz``, and which sessions it was trained in."""
        super().save()
        self._write_sessions()

    def report(self) -> dict[str, Any]:
        """The figures of a finished run, and the board that it was trained on; raises as `Run.report`."""
        identity = self._board.identity
        board = {"clock_hz": identity.clock_hz, "baud": identity.baud, "capacity": identity.capacity}
        return super().report() | {"board": board}

    def _write_sessions(self) -> None:
        stored = self._board.stored
        kept = replace(stored, sessions=stored.sessions[-SESSIONS_KEPT:])
        content = {"sessions": self._board.link.sessions[-SESSIONS_KEPT:], "stored": kept.to_dict()}
        write_whole(self.path / self.SESSIONS, json.dumps(content).encode("ascii"))

    @classmethod
    def _sessions_file(cls, path: str | os.PathLike[str]) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((Path(path) / cls.SESSIONS).read_text())
            set(content["sessions"])
            if "stored" in content:
                Stored.from_dict(content["stored"])
        except (OSError, ValueError, KeyError, TypeError):
            raise RunError(f"{path}: was not begun on a board: {cls.SESSIONS} is missing or damaged") from None
        return content

    def _samples_per_step(self) -> int:
        if self._replays and by_blocks(self.config):
            return self.config.shuffle_block * max(1, SAMPLES_PER_STEP // self.config.shuffle_block)
        return super()._samples_per_step()

    def _train_both(
        self, features: NDArray[np.uint8], labels: NDArray[np.int64], k: int, chosen: NDArray[np.int64]
    ) -> None:
        """Train the baseline on the host while the board trains."""
        with ThreadPoolExecutor(1) as beside:
            baseline = beside.submit(seconds_of, self.baseline.train, features, labels, k)
            self._machine_seconds += seconds_of(self._train_machine, features, labels, k, chosen)
            self._baseline_seconds += baseline.result()

    def _train_machine(
        self, features: NDArray[np.uint8], labels: NDArray[np.int64], k: int, chosen: NDArray[np.int64]
    ) -> None:
        if self._replays:
            self._machine.replay(chosen, k)
        else:
            super()._train_machine(features, labels, k, chosen)

    def _start_machine(self) -> None:
        start = make_trainer(self.config)
        self._board.restore(start.weights(), start.generator_states(), 0)

    def _make_trainer(self) -> "BoardTrainer":  # type: ignore[override]
        self._machine = BoardTrainer(self._board)
        return self._machine

    @classmethod
    def _of(cls, path: Path, config: Config, state: RunState) -> Self:
        raise RunError(f"{path}: goes on with its board: open it with open_on")


class BoardTrainer:
    """What a run asks of its machine, of a board that may be ahead of what was saved.

    Parameters
    ----------
    board : Board

    Attributes
    ----------
    samples_trained : int
        Where the run is.
    counts : Counts
        None: the board counts for itself (`Board.counters`), from its last reset on.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.samples_trained = 0
        self.counts = Counts.none(board.config.layers)

    def train(self, features: Features, labels: Any, exponent: int = 0) -> None:
        """Train samples, but for those that the board trained before the link was lost."""
        ahead = self._board.samples_trained - self.samples_trained
        self._board.train(features[ahead:], labels[ahead:], exponent)
        self.samples_trained += len(labels)

    def replay(self, numbers: NDArray[np.int64], exponent: int) -> None:
        """Train stored samples, but for those that the board trained before the link was lost."""
        ahead = self._board.samples_trained - self.samples_trained
        replay = self._board.replay_blocks if by_blocks(self._board.config) else self._board.replay
        replay(numbers[ahead:], exponent)
        self.samples_trained += len(numbers)

    def infer(self, features: Features, passes: int = 16) -> Votes:
        """As `Board.infer`."""
        return self._board.infer(features, passes)

    def weights(self) -> list[Cells]:
        """As `Board.weights`, of a session of its own if the last one was interrupted."""
        self._board.reopen()
        return self._board.weights()

    def generator_states(self) -> list[int]:
        """As `Board.generator_states`."""
        return self._board.generator_states()

    def restore(self, weights: list[Cells], generator_states: list[int], samples_trained: int) -> None:
        """Go on from a saved state, or from the board's own, if it comes after that."""
        if not (self._board.continued and self._board.samples_trained >= samples_trained):
            self._board.restore(weights, generator_states, samples_trained)
        self.samples_trained = samples_trained
