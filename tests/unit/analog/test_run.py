from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stochastor.cli.main import run as command
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.errors import RunError
from stochastor.model.run import Run
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.run import AnalogRun, open_run
from stochastor.sim.array.wiring import Wires

CONFIG = Config(sizes=(64, 12, 10), weight_bits=7, epochs=2, seed=5)
ARRAY = replace(ARRAYS["taox"], seed=9)
AGEING = replace(
    ARRAY,
    device=replace(
        ARRAY.device, trap_share=0.3, trap_amplitude=0.1, trap_samples=300, drift=0.05, endurance=300, half_select=1e-3
    ),
    tick_samples=100,
    wires=Wires(row_ohm=5.0, column_ohm=5.0, tile=40, refresh=600),
)


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("digits")


def stop_at(samples):
    def progress(run):
        if run.samples_trained >= samples:
            raise KeyboardInterrupt

    return progress


def begun(path, dataset, array=ARRAY):
    return AnalogRun.create_on(path, CONFIG, array, dataset, "digits")


@pytest.mark.parametrize("array", [ARRAY, AGEING])
def test_an_interrupted_run_ends_in_the_conductances_of_one_that_was_not(tmp_path, dataset, array):
    whole, cut = (begun(tmp_path / name, dataset, array) for name in ("whole", "cut"))
    whole.train(dataset)
    with pytest.raises(KeyboardInterrupt):
        cut.train(dataset, stop_at(700))
    resumed = open_run(tmp_path / "cut")
    assert 0 < resumed.samples_trained < whole.samples_trained
    resumed.train(dataset)
    pairs = zip(resumed.trainer.conductances(), whole.trainer.conductances(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert resumed.figures == whole.figures
    assert resumed.report().get("wires_staleness") == whole.report().get("wires_staleness")


def test_the_report_says_which_array(tmp_path, dataset):
    run = begun(tmp_path / "run", dataset)
    run.train(dataset)
    assert run.report()["array"] == ARRAY.to_dict()


def test_a_run_on_another_array_is_refused(tmp_path, dataset):
    begun(tmp_path / "run", dataset)
    (tmp_path / "run" / "array.toml").write_text(replace(ARRAY, seed=10).to_toml())
    with pytest.raises(RunError, match=r"was begun on another array than array\.toml now describes"):
        open_run(tmp_path / "run")


def test_a_run_is_opened_as_what_it_is(tmp_path, dataset):
    begun(tmp_path / "analog", dataset)
    Run.create(tmp_path / "exact", CONFIG, dataset, "digits")
    assert [type(open_run(tmp_path / name)) for name in ("analog", "exact")] == [AnalogRun, Run]
    with pytest.raises(RunError, match="was trained on an analog array"):
        Run.open(tmp_path / "analog")


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(AnalogRun, "save", lambda self: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(OSError, match="no space"):
        begun(tmp_path / "run", dataset)
    assert not (tmp_path / "run").exists()


def stochastor(*arguments):
    with pytest.raises(SystemExit) as leaving:
        command([str(argument) for argument in arguments])
    return leaving.value.code or 0


def test_the_command_trains_and_infers_on_an_array_from_a_file(tmp_path, capsys):
    (tmp_path / "machine.toml").write_text(CONFIG.to_toml())
    (tmp_path / "array.toml").write_text('like = "taox"\nseed = 9\n')
    options = "--config", tmp_path / "machine.toml", "--array", tmp_path / "array.toml"
    assert stochastor("train", *options, "--out", tmp_path / "run") == 0
    assert stochastor("infer", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    accuracy = open_run(tmp_path / "run").report()["test_accuracy_votes16"]
    assert shown.count(f"{100 * accuracy:.2f} %") >= 2
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "array.toml", "conductances.png", "config.toml", "learning.png", "report.json", "state.npz",
    ]  # fmt: skip


def test_conductances_before_and_after_are_those_of_the_run(tmp_path, dataset):
    run = begun(tmp_path / "run", dataset)
    begun_with = [1e-8 * g for g in run.trainer.conductances()]
    run.train(dataset)
    for layer in (1, 2):
        before, after = open_run(tmp_path / "run").conductances_S(layer)
        assert np.array_equal(before, begun_with[layer - 1])
        assert np.array_equal(after, 1e-8 * run.trainer.conductances()[layer - 1])
        assert (before != after).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--array", "tantal"), "there is no array 'tantal'"),
        (("--array", "nowhere.toml"), "nowhere.toml: cannot be read"),
        (("--array", "taox"), "lower weight_bits to 7"),
    ],
)
def test_an_array_that_cannot_be_is_one_line(tmp_path, capsys, options, message):
    assert stochastor("train", *options, "--out", tmp_path / "run") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not Path(tmp_path / "run").exists()


def test_a_run_goes_on_with_its_own_array_only(tmp_path, dataset, capsys):
    begun(tmp_path / "run", dataset)
    assert stochastor("train", "--resume", tmp_path / "run", "--array", "taox") == 2
    assert "--array cannot be given with it" in capsys.readouterr().err
