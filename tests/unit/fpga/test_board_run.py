"""``stochastor board`` at the end of a line to a second board: what it refuses, and what it says."""

import json
import re
import shlex
from contextlib import contextmanager

import numpy as np
import pytest
from stochastor.cli import board as command
from stochastor.cli.main import run
from stochastor.fpga.host.board import Board
from stochastor.fpga.host.run import BoardRun
from stochastor.fpga.host.stored import NOTHING_STORED
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.errors import LinkLostError, RunError
from stochastor.model.fast import make_trainer
from stochastor.model.run import Run

from .peer import Peer

CONFIG = Config(sizes=(5, 3, 2), scale=4, weight_bits=4, epochs=2)
rng = np.random.default_rng(1)


def board(*arguments):
    """Exit code of ``stochastor board``."""
    with pytest.raises(SystemExit) as leaving:
        run(["board", *map(str, arguments)])
    return leaving.value.code or 0


class Cable:
    """A line to a peer that is pulled after so many writes."""

    def __init__(self, peer, writes):
        self._peer = peer
        self.left = writes
        self.name, self.latency_s, self.now, self.close = peer.name, peer.latency_s, peer.now, peer.close

    def write(self, content):
        self.left -= 1
        if self.left < 0:
            raise LinkLostError("pulled")
        self._peer.write(content)

    def read(self, timeout_s):
        return self._peer.read(timeout_s)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "small.npz"
    parts = {"train": 150, "test": 30}
    features = {f"{part}_features": rng.integers(0, 256, (count, 5), dtype=np.uint8) for part, count in parts.items()}
    labels = {f"{part}_labels": rng.integers(0, 2, count) for part, count in parts.items()}
    np.savez(path, **features, **labels)
    return f"npz:{path}"


@pytest.fixture
def machine(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(CONFIG.to_toml())
    return path


@pytest.fixture
def line(monkeypatch):
    """A line to a peer, which ``stochastor board`` connects to; `asked` has what it asked for."""
    cable = Cable(Peer(CONFIG), 1 << 30)
    cable.peer, cable.asked = cable._peer, []

    @contextmanager
    def connect(config, *wanted, sessions=(), stored=None, **options):
        cable.asked.append((*wanted, options))
        yield Board(cable, config, sessions=sessions, stored=stored or NOTHING_STORED)

    monkeypatch.setattr(command, "connect", connect)
    return cable


@pytest.mark.parametrize(
    ("place", "error"), [("run", RunError), ("full", RunError), ("file", RunError), ("file/run", OSError)]
)
def test_a_run_that_cannot_begin_leaves_the_board_as_it_was(source, tmp_path, place, error):
    peer, data = Peer(CONFIG), load_dataset(source)
    trained = Board(peer, CONFIG)
    trained.train(data.train_features, data.train_labels)
    Run.create(tmp_path / "run", CONFIG, data, source)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").touch()
    (tmp_path / "file").touch()
    before, packets = peer.machine.weights(), peer.packets
    with pytest.raises(error):
        BoardRun.create_on(tmp_path / place, CONFIG, trained, data, source)
    assert peer.packets == packets
    for ours, theirs in zip(before, peer.machine.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_cannot_be_trained_is_refused_before_a_port_is_opened(source, machine, tmp_path, line, capsys):
    port, other = ("--port", "/dev/ttyNONE"), tmp_path / "other.npz"
    begin = "train", *port, "--config", machine
    assert board(*begin, "--data", source, "--out", tmp_path / "run") == 0
    line.asked.clear()
    assert board(*begin, "--data", source, "--out", tmp_path / "run") == 2
    assert f"{tmp_path / 'run'}: already holds a run; go on with --resume" in capsys.readouterr().err
    assert board(*begin, "--data", "digits", "--out", tmp_path / "new") == 2
    assert "64" in capsys.readouterr().err
    arrays = dict(np.load(source.removeprefix("npz:")))
    np.savez(other, **arrays | {"train_features": arrays["train_features"] ^ 1})
    assert board("train", *port, "--resume", tmp_path / "run", "--data", f"npz:{other}") == 2
    assert "was begun with other data" in capsys.readouterr().err
    assert line.asked == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "/dev/ttyUSB 0"],
        ["--port", "/dev/ttyUSB1", "--baud", "115200", "--no-replay"],
        ["--simulated", "--memory"],
    ],
    ids=["port", "rate", "simulated"],
)
def test_what_goes_on_with_a_run_is_told_in_full_and_ends_in_the_weights_of_the_model(
    source, machine, tmp_path, line, capsys, options
):
    path, figures = tmp_path / "a run", tmp_path / "figures.json"
    asked = [*options, "--json", figures]
    line.left = 40
    assert board("train", *asked, "--config", machine, "--data", source, "--out", path) == 3
    told = re.search(r"go on with: stochastor board (.*)", capsys.readouterr().err)[1]
    assert shlex.split(told) == ["train", *map(str, asked), "--resume", str(path)]
    line.left = 1 << 30
    assert board(*shlex.split(told)) == 0
    assert line.asked[0] == line.asked[1]
    assert figures.exists()
    model = Run.create(tmp_path / "model", CONFIG, data := load_dataset(source), source)
    model.train(data)
    assert Run.open(path).report()["weights_sha256"] == model.report()["weights_sha256"]
    assert line.peer.trained == list(range(300))


def test_without_a_run_there_is_nothing_to_go_on_with(source, machine, tmp_path, line, capsys):
    line.left = 4
    options = "--port", "/dev/ttyUSB0", "--config", machine, "--data", source
    assert board("train", *options, "--out", tmp_path / "run") == 3
    error = capsys.readouterr().err
    assert "pulled" in error
    assert "go on with" not in error
    assert not (tmp_path / "run").exists()


def test_samples_classified_per_second_are_told(source, machine, tmp_path, line, capsys, monkeypatch):
    monkeypatch.setattr(command, "perf_counter", iter((100.0, 108.0)).__next__)
    options = "--port", "/dev/ttyUSB0", "--config", machine, "--data", source, "--json", tmp_path / "figures.json"
    assert board("infer", *options) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["samples"], figures["samples_per_second"]) == (30, 3.75)
    assert "3.8 samples classified per second" in capsys.readouterr().out
    votes = make_trainer(CONFIG).infer(load_dataset(source).test_features, figures["passes"])
    assert figures["accuracy"] == np.mean(votes.argmax(axis=1) == load_dataset(source).test_labels)
