"""What tests of small boards share: samples, files of a few of them, and when board and model are the same."""

from pathlib import Path

import numpy as np
from stochastor.fpga.host.board import Board
from stochastor.model.config import Config
from stochastor.model.trainer import Trainer

RNG = np.random.default_rng(1)
FEATURES = RNG.integers(0, 256, (600, 9), dtype=np.uint8)
LABELS = RNG.integers(0, 10, 600)


def write_files(directory: Path, config: Config, train: int = 150) -> Path:
    """Write `config` as small.toml and a data set of `train` samples as small.npz; return the directory."""
    (directory / "small.toml").write_text(config.to_toml())
    np.savez(
        directory / "small.npz",
        train_features=FEATURES[:train],
        train_labels=LABELS[:train],
        test_features=FEATURES[150:180],
        test_labels=LABELS[150:180],
    )
    return directory


def assert_same(board: Board, model: Trainer) -> None:
    for ours, theirs in zip(model.weights(), board.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert board.generator_states() == model.generator_states()
    assert board.samples_trained == model.samples_trained
