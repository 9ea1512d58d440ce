"""``stochastor verilog``: the files it writes, whose weights they hold, and what it refuses."""

import errno
import hashlib
import json
import os

import numpy as np
import pytest
from stochastor.cli.main import run
from stochastor.hdl.verilog import Design, generate
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.run import Run
from stochastor.model.trace import weights_sha256

CONFIG = Config(sizes=(4, 3, 2), epochs=1)
FILES = ["stochastor.f", "stochastor.json", "stochastor.v", "stochastor.vlt", "stochastor.weights"]


def verilog(*arguments):
    """Exit code of ``stochastor verilog``."""
    with pytest.raises(SystemExit) as leaving:
        run(["verilog", *map(str, arguments)])
    return leaving.value.code or 0


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(CONFIG.to_toml())
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    dataset = load_dataset("random", inputs=4, outputs=2)
    run = Run.create(tmp_path_factory.mktemp("runs") / "run", CONFIG, dataset, "random")
    run.train(dataset)
    return run


def test_it_writes_the_files_of_the_design(small, tmp_path):
    assert verilog("--config", small, "--out", tmp_path / "a" / "b") == 0
    assert contents(tmp_path / "a" / "b") == generate(CONFIG).files()
    assert sorted(contents(tmp_path / "a" / "b")) == FILES


def test_it_writes_over_a_design_and_leaves_other_files(small, tmp_path):
    (tmp_path / "stochastor.v").write_text("old")
    (tmp_path / "mine.v").write_text("mine")
    assert verilog("--config", small, "--out", tmp_path) == 0
    assert contents(tmp_path) == generate(CONFIG).files() | {"mine.v": b"mine"}


def test_the_design_of_a_run_powers_up_with_its_weights(trained, tmp_path):
    assert verilog("--weights", trained.path, "--out", tmp_path) == 0
    design = Design.read(tmp_path)
    assert design.config == CONFIG
    for written, learned in zip(design.weights, trained.trainer.weights(), strict=True):
        assert np.array_equal(written, learned)
    assert design.description["weights_sha256"] != weights_sha256(generate(CONFIG).weights)
    assert contents(tmp_path) == generate(CONFIG, trained.trainer.weights()).files()


def test_a_run_may_go_into_other_lanes(trained, tmp_path):
    (tmp_path / "lanes.toml").write_text(Config(sizes=(4, 3, 2), lanes=2, tables=1, epochs=9, baud=9600).to_toml())
    assert verilog("--weights", trained.path, "--config", tmp_path / "lanes.toml", "--out", tmp_path / "out") == 0
    design = Design.read(tmp_path / "out")
    assert [layer["lanes"] for layer in design.description["layers"]] == [2, 2]
    assert design.description["weights_sha256"] == weights_sha256(trained.trainer.weights())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config(sizes=(4, 5, 2)), "sizes = [4, 3, 2], not [4, 5, 2]"),
        (Config(sizes=(4, 3, 2), seed=1), "seed = 0, not 1"),
        (Config(sizes=(4, 3, 2), gate="xor"), "gate = random_window, not xor"),
        (Config(sizes=(4, 3, 2), weight_bits=7), "weight_bits = 8, not 7"),
        (Config(sizes=(4, 3, 2), scale=32), "scale = 64, not 32"),
        (Config(sizes=(4, 3, 2), reference_bits=13), "reference_bits = 12, not 13"),
    ],
)
def test_weights_of_another_machine_are_refused(trained, tmp_path, capsys, config, message):
    (tmp_path / "other.toml").write_text(config.to_toml())
    assert verilog("--weights", trained.path, "--config", tmp_path / "other.toml", "--out", tmp_path / "out") == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_run_may_go_to_arrays_behind_pins(trained, tmp_path):
    assert verilog("--weights", trained.path, "--pins", "--out", tmp_path / "out") == 0
    design = Design.read(tmp_path / "out")
    assert design.config.array_side == "pins"
    assert {"array1__decision", "array2__set"} <= design.description["ports"].keys()
    assert design.description["weights_sha256"] == weights_sha256(trained.trainer.weights())


def test_files_hashes_layers_and_ports_are_printed(small, tmp_path, capsys):
    assert verilog("--config", small, "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    assert CONFIG.digest in printed
    for name in (*FILES, "lanes", "folds", "samples__payload", "trace2"):
        assert name in printed


def test_the_json_file_has_the_description_and_the_files_hashes(small, tmp_path):
    assert verilog("--config", small, "--out", tmp_path / "out", "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    files = figures.pop("files")
    assert figures == json.loads((tmp_path / "out" / "stochastor.json").read_text())
    assert files == {name: hashlib.sha256(text).hexdigest() for name, text in contents(tmp_path / "out").items()}


def test_all_files_are_written_or_none(small, tmp_path, monkeypatch, capsys):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "stochastor.v").write_text("old")
    fsync, written = os.fsync, []

    def fill_the_disk(descriptor):
        written.append(descriptor)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fill_the_disk)
    assert verilog("--config", small, "--out", tmp_path / "old") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert contents(tmp_path / "old") == {"stochastor.v": b"old"}
    written.clear()
    assert verilog("--config", small, "--out", tmp_path / "new" / "deep") == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--preset", "none", "--out", "out"), "there is no preset 'none'"),
        (("--preset", "tiny", "--config", "c.toml", "--out", "out"), "--preset and --config exclude each other"),
        (("--weights", "none", "--out", "out"), "none: there is no such run"),
        (("--preset", "tiny", "--out", "taken"), "taken: is a file; --out takes a directory"),
        (("--preset", "tiny", "--out", "out", "--json", "."), "is a directory; --json takes a file"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    assert verilog(*options) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert message in printed
    assert not (tmp_path / "out").exists()


def test_help_gives_an_example(capsys):
    assert verilog("--help") == 0
    assert "stochastor verilog --preset tiny --out build/tiny" in capsys.readouterr().out
