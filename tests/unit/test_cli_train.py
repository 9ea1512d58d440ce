"""``stochastor train``: what it writes, how it goes on, and the one line it gives for every mistake."""

import errno
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
from stochastor.cli import picture
from stochastor.cli.main import run
from stochastor.model.config import Config, preset
from stochastor.model.data import load_dataset
from stochastor.model.run import HISTORY_TEST_SAMPLES, Run

CONFIG = Config(sizes=(64, 12, 10), epochs=2, seed=5)
FILES = ["config.toml", "learning.png", "report.json", "state.npz"]
TIMES = ("samples_per_second", "baseline_samples_per_second")


def stochastor(*arguments):
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as leaving:
        run([str(argument) for argument in arguments])
    return leaving.value.code or 0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small configuration and a small data set."""
    folder = tmp_path_factory.mktemp("files")
    digits = load_dataset("digits")
    (folder / "small.toml").write_text(CONFIG.to_toml())
    np.savez(
        folder / "small.npz",
        train_features=digits.train_features[:200],
        train_labels=digits.train_labels[:200],
        test_features=digits.test_features[:50],
        test_labels=digits.test_labels[:50],
    )
    return folder


@pytest.fixture
def small(files):
    """Options that make a run small."""
    return ("--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}")


@pytest.fixture(scope="module")
def finished(files):
    """A finished run and the file that --json wrote."""
    out, figures = files / "finished", files / "figures.json"
    options = ("--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}")
    assert stochastor("train", *options, "--out", out, "--json", figures) == 0
    return out, figures


def report_of(out):
    return json.loads((out / "report.json").read_text())


def without_times(report):
    return {key: value for key, value in report.items() if key not in TIMES}


def contents(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_finished_run_holds_its_four_files(finished):
    out, _ = finished
    assert sorted(path.name for path in out.iterdir()) == FILES


def test_the_report_has_the_figures(finished):
    report = report_of(finished[0])
    for key in ("test_accuracy_votes16", "test_accuracy_votes1", "baseline_test_accuracy"):
        assert 0 <= report[key] <= 1
    assert all(report[key] > 0 for key in TIMES)


def test_the_report_says_what_was_trained(finished, files):
    report = report_of(finished[0])
    assert report["version"] == version("stochastor")
    assert report["config"] == CONFIG.to_dict()
    assert report["config_sha256"] == CONFIG.digest
    assert report["data"] == f"npz:{files / 'small.npz'}"
    assert (report["epochs"], report["train_samples"], report["samples_trained"]) == (2, 200, 400)
    assert len(report["weights_sha256"]) == 64


def test_the_report_has_a_history_by_epoch(finished):
    report = report_of(finished[0])
    assert [(record["epoch"], record["exponent"]) for record in report["history"]] == [(1, 0), (2, 0)]
    assert report["history"][-1]["test_accuracy_votes16"] == report["test_accuracy_votes16"]


def test_a_large_test_set_is_cut_for_the_history_only(files, tmp_path):
    random = load_dataset("random", inputs=4, outputs=2)
    np.savez(
        tmp_path / "large.npz",
        train_features=random.train_features[:5],
        train_labels=random.train_labels[:5],
        test_features=np.tile(random.test_features, (6, 1)),
        test_labels=np.tile(random.test_labels, 6),
    )
    (tmp_path / "machine.toml").write_text("sizes = [4, 2]\nepochs = 1")
    options = ("--config", tmp_path / "machine.toml", "--data", f"npz:{tmp_path / 'large.npz'}")
    assert stochastor("train", *options, "--out", tmp_path / "run") == 0
    report = report_of(tmp_path / "run")
    assert (report["history_test_samples"], report["test_samples"]) == (HISTORY_TEST_SAMPLES, 1200)
    assert report["history"][0]["test_accuracy_votes16"] != report["test_accuracy_votes16"]


def test_the_json_file_equals_the_report(finished):
    out, figures = finished
    assert figures.read_bytes() == (out / "report.json").read_bytes()


def test_the_picture_is_a_png(finished):
    assert (finished[0] / "learning.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_figures_are_printed_beside_the_baseline(small, tmp_path, capsys):
    assert stochastor("train", *small, "--out", tmp_path / "run") == 0
    report, printed = report_of(tmp_path / "run"), capsys.readouterr()
    for key in ("test_accuracy_votes16", "test_accuracy_votes1", "baseline_test_accuracy"):
        assert f"{100 * report[key]:.2f} %" in printed.out
    assert f"wrote {tmp_path / 'run'}" in printed.err


def test_progress_without_a_terminal_is_a_line_an_epoch(small, tmp_path, capsys):
    assert stochastor("train", *small, "--out", tmp_path / "run") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]


def test_the_same_command_gives_the_same_run(small, tmp_path, finished):
    assert stochastor("train", *small, "--out", tmp_path / "run") == 0
    assert without_times(report_of(tmp_path / "run")) == without_times(report_of(finished[0]))


def test_seed_and_epochs_replace_those_of_the_configuration(small, tmp_path):
    assert stochastor("train", *small, "--seed", 77, "--epochs", 1, "--out", tmp_path / "run") == 0
    config = report_of(tmp_path / "run")["config"]
    assert (config["seed"], config["epochs"]) == (77, 1)
    assert Config.from_toml(tmp_path / "run/config.toml").to_dict() == config


@pytest.mark.parametrize(("options", "name"), [((), "digits"), (("--preset", "tiny"), "tiny")])
def test_the_preset_is_digits_unless_another_is_named(tmp_path, monkeypatch, options, name):
    machines = []
    monkeypatch.setattr("stochastor.cli.train.train_run", lambda *run: machines.append(run) or report_like(run))
    assert stochastor("train", *options, "--out", tmp_path / "run") == 0
    assert machines == [(tmp_path / "run", preset(name), "digits", None)]


def report_like(run):
    figures = dict.fromkeys(("test_accuracy_votes16", "test_accuracy_votes1", "baseline_test_accuracy", *TIMES), 1.0)
    return figures | {"config": run[1].to_dict(), "data": run[2], "epochs": 1, "train_samples": 1, "test_samples": 1}


def test_ctrl_c_saves_the_run_and_resuming_ends_in_the_same_bits(small, tmp_path, capsys):
    options = [str(option) for option in (*small, "--epochs", 6)]
    command = [sys.executable, "-c", "from stochastor.cli.main import run; run()", "train", *options]
    child = subprocess.Popen([*command, "--out", str(tmp_path / "cut")], stderr=subprocess.PIPE, text=True)
    first = child.stderr.readline()
    child.send_signal(signal.SIGINT)
    rest = child.stderr.read()
    assert child.wait() == 130, rest
    assert first.startswith("epoch 1/6:")
    assert rest.splitlines()[-1].startswith("interrupted ")
    assert rest.endswith(f"stochastor train --resume {tmp_path / 'cut'}\n")
    assert not Run.open(tmp_path / "cut").finished
    assert stochastor("train", "--resume", tmp_path / "cut") == 0
    assert stochastor("train", *options, "--out", tmp_path / "whole") == 0
    assert without_times(report_of(tmp_path / "cut")) == without_times(report_of(tmp_path / "whole"))


def test_resuming_a_finished_run_says_so_and_changes_nothing(finished, capsys):
    before = contents(finished[0])
    assert stochastor("train", "--resume", finished[0]) == 0
    assert "is finished (2 of 2 epochs): nothing to do" in capsys.readouterr().err
    assert contents(finished[0]) == before


@pytest.mark.parametrize("name", ["report.json", "learning.png"])
def test_resuming_a_finished_run_puts_a_deleted_file_back(finished, name):
    before = contents(finished[0])
    (finished[0] / name).unlink()
    assert stochastor("train", "--resume", finished[0]) == 0
    assert contents(finished[0]) == before


def test_a_run_goes_on_with_data_that_moved(files, tmp_path):
    there, here = tmp_path / "there.npz", tmp_path / "here.npz"
    there.write_bytes((files / "small.npz").read_bytes())
    Run.create(tmp_path / "run", CONFIG, load_dataset(f"npz:{there}"), f"npz:{there}")
    there.rename(here)
    assert stochastor("train", "--resume", tmp_path / "run") == 2
    assert stochastor("train", "--resume", tmp_path / "run", "--data", f"npz:{here}") == 0
    assert report_of(tmp_path / "run")["data"] == f"npz:{here}"


def test_a_run_does_not_go_on_with_other_data(files, tmp_path, capsys):
    source = f"npz:{files / 'small.npz'}"
    Run.create(tmp_path / "run", CONFIG, load_dataset(source), source)
    assert stochastor("train", "--resume", tmp_path / "run", "--data", "digits") == 2
    assert "was begun with other data than digits now holds" in capsys.readouterr().err


def test_a_run_is_not_overwritten(finished, small, capsys):
    before = contents(finished[0])
    assert stochastor("train", *small, "--out", finished[0]) == 2
    assert f"already holds a run; go on with --resume {finished[0]}" in capsys.readouterr().err
    assert contents(finished[0]) == before


def test_a_damaged_run_is_named(finished, tmp_path, capsys):
    for name, content in contents(finished[0]).items():
        (tmp_path / name).write_bytes(content[:-30] if name == "state.npz" else content)
    assert stochastor("train", "--resume", tmp_path) == 2
    assert f"error: {tmp_path / 'state.npz'}: is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("sizes = [64, 10]\nlearning_rate = 1", "bad.toml: unknown key 'learning_rate'; the keys are sizes, "),
        ("sizes = [64, 0, 10]", "bad.toml: sizes[1] must be a whole number from 1 to 65535, not 0"),
        ("scale = 64", "bad.toml: the key 'sizes' is missing"),
        ("sizes = [64, 10", "bad.toml: is not TOML: "),
        ("sizes = [65, 10]", "samples have 64 inputs, the machine takes 65"),
        ("sizes = [64, 9]", "label 9 of sample "),
    ],
)
def test_a_bad_configuration_is_one_line(files, tmp_path, capsys, toml, message):
    (tmp_path / "bad.toml").write_text(toml)
    data = f"npz:{files / 'small.npz'}"
    assert stochastor("train", "--config", tmp_path / "bad.toml", "--data", data, "--out", tmp_path / "run") == 2
    assert_one_line(capsys, message)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "{}/run", "--preset", "huge"), "there is no preset 'huge'; the presets are tiny, digits, mnist"),
        (("--out", "{}/run", "--config", "{}/none.toml"), "none.toml: cannot be read: No such file or directory"),
        (("--out", "{}/run", "--config", "x", "--preset", "tiny"), "--preset and --config exclude each other"),
        (("--out", "{}/run", "--data", "npz:{}/none.npz"), "none.npz: cannot be read: No such file or directory"),
        (("--out", "{}/run", "--data", "pictures"), "there is no data source 'pictures'; the sources are digits, "),
        (("--out", "{}/run", "--preset", "mnist"), "samples have 64 inputs, the machine takes 784"),
        (("--out", "{}/run", "--epochs", "0"), "epochs must be a whole number from 1 to 100000, not 0"),
        (("--out", "{}/run", "--seed", "-1"), "seed must be a whole number from 0 to"),
        (("--out", "{}/file/run"), "/file/run: Not a directory"),
        (("--out", "{}/file"), "/file: is a file; choose a new directory for --out"),
        (("--out", "{}"), "is not empty; choose a new directory for --out"),
        (("--out", "{}/run", "--json", "{}/none/f.json"), "/none: there is no such directory to write --json to"),
        (("--out", "{}/run", "--json", "{}"), "is a directory; --json takes a file"),
        (("--resume", "{}/run"), "/run: there is no such run; begin one with `stochastor train --out "),
        (("--resume", "{}/a [bold] :x:"), "/a [bold] :x:: there is no such run"),
        (("--resume", "{}"), "is no whole run: config.toml is missing"),
        (
            ("--resume", "{}/run", "--seed", "1"),
            "--resume goes on as the run was begun: --seed cannot be given with it",
        ),
        (
            ("--resume", "{}/run", "--out", "{}/b"),
            "--resume goes on as the run was begun: --out cannot be given with it",
        ),
        ((), "nowhere to put the run: name a new directory with --out"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(tmp_path, capsys, options, message):
    (tmp_path / "file").write_text("")
    assert stochastor("train", *(option.replace("{}", str(tmp_path)) for option in options)) == 2
    assert_one_line(capsys, message)
    assert not (tmp_path / "run").exists()


def assert_one_line(capsys, message):
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err


def test_a_full_disk_is_one_line(small, tmp_path, capsys, monkeypatch):
    def no_space(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    assert stochastor("train", *small, "--out", tmp_path / "run") == 2
    assert_one_line(capsys, "config.toml: No space left on device")


def test_an_option_that_does_not_exist_leaves_with_2(capsys):
    assert stochastor("train", "--colour", "red") == 2
    assert "--colour" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys):
    assert stochastor("--version") == 0
    assert capsys.readouterr().out == f"stochastor {version('stochastor')}\n"


@pytest.mark.parametrize("command", ["train", "infer"])
def test_help_gives_a_worked_example(command, capsys):
    assert stochastor(command, "--help") == 0
    assert f"stochastor {command} " in capsys.readouterr().out.split("Examples:")[1]


def test_help_does_not_wait_for_what_only_commands_need():
    heavy = {"matplotlib", "sklearn", "amaranth", "cocotb"}
    code = f"import sys, stochastor.cli.main; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_receptive_fields_are_the_units_weights_as_images():
    weights = np.arange(5 * 3).reshape(5, 3)
    mosaic = picture.receptive_fields(weights)
    assert mosaic.shape == (5, 5)
    np.testing.assert_array_equal(mosaic[:2, :2], weights[:4, 0].reshape(2, 2))
    np.testing.assert_array_equal(mosaic[:2, 3:], weights[:4, 1].reshape(2, 2))
    np.testing.assert_array_equal(mosaic[3:, :2], weights[:4, 2].reshape(2, 2))
    assert np.isnan(mosaic[2]).all()
    assert np.isnan(mosaic[3:, 3:]).all()


@pytest.mark.parametrize("sizes", [(3, 2), (1, 1), (16, 70, 2)])
def test_a_machine_of_any_shape_has_a_picture(finished, tmp_path, sizes):
    report = report_of(finished[0])
    report["config"]["sizes"] = list(sizes)
    picture.draw_learning(tmp_path / "any.png", report, np.zeros((sizes[0] + 1, sizes[1]), dtype=np.int32))
    assert (tmp_path / "any.png").stat().st_size > 0
