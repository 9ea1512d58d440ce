"""Sweeps over analog arrays: how a plan describes them, what is trained, and what may change between two goes."""

import re

import numpy as np
import pandas
import pytest
from stochastor.cli.main import run
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.errors import ConfigError, RunError
from stochastor.model.schedule import exponent, sample_order
from stochastor.model.sweep import Plan
from stochastor.model.sweep_directory import SweepDirectory
from stochastor.model.sweep_run import RunReport, SweepRun
from stochastor.model.sweep_table import result_rows
from stochastor.model.trace import weights_sha256
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.sweep import SweptArrays, machine_on
from stochastor.sim.array.trainer import FastAnalogTrainer

SMALL = {"sizes": [6, 4, 3], "weight_bits": 6, "epochs": 2}
TOML = """
data = "random"
seeds = [3, 4]
passes = [2]
array = "taox"
[config]
sizes = [6, 4, 3]
weight_bits = 6
epochs = 2
[grid]
array.device.read_noise = [0.0, 0.1]
"array.comparator_noise_S" = [0.0, 1e-7]
"""


def plan(**values):
    return Plan.from_dict({"data": "random", "config": SMALL, **values}, arrays=SweptArrays())


def test_fields_of_arrays_may_be_dotted_or_quoted(tmp_path):
    (tmp_path / "plan.toml").write_text(TOML)
    read = Plan.from_toml(tmp_path / "plan.toml", SweptArrays())
    names = ["array.device.read_noise", "array.comparator_noise_S"]
    assert list(read.axes) == names
    assert list(read.varied) == names
    found = [
        (run.array["device"]["read_noise"], run.array["comparator_noise_S"], run.array["seed"]) for run in read.runs
    ]
    assert found == [(read, compare, seed) for read in (0.0, 0.1) for compare in (0.0, 1e-7) for seed in (3, 4)]
    assert all(run.array["device"]["g_max_S"] == ARRAYS["taox"].device.g_max_S for run in read.runs)


def test_presets_files_and_tables_are_arrays(tmp_path):
    (tmp_path / "mine.toml").write_text('like = "epiram"\n[device]\nread_noise = 0.25\n')
    mine = str(tmp_path / "mine.toml")
    cases = [{"array": "taox"}, {"array": mine}, {"array": {"like": "epiram", "device": {"read_noise": 0.5}}}]
    runs = plan(cases=cases).runs
    assert [run.array["device"]["read_noise"] for run in runs] == [0.0, 0.25, 0.5]
    assert [run.array["device"]["states"] for run in runs] == [128, 64, 64]
    assert [run.case for run in runs][:2] == ["array=taox", "array=mine"]
    assert [run.array for run in plan().runs] == [None]


def test_what_a_case_says_goes_before_what_the_plan_says():
    base = {"like": "taox", "device": {"read_noise": 0.1, "stuck_on": 0.2}}
    (run,) = plan(array=base, cases=[{"array": {"device": {"read_noise": 0.3}}}]).runs
    assert (run.array["device"]["read_noise"], run.array["device"]["stuck_on"]) == (0.3, 0.2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"array": "tantal"}, "sweep: base: there is no array 'tantal'"),
        ({"array": 3}, "sweep: base: an array must be a preset or a file, not 3"),
        ({"array": "nowhere.toml"}, "sweep: base: nowhere.toml: cannot be read"),
        ({"array": {"noise": 1}}, "sweep: unknown field 'array.noise'; the fields are"),
        ({"grid": {"array.device.raed_noise": [1]}}, "sweep: grid: unknown field 'array.device.raed_noise'"),
        ({"grid": {"array": {"device": {"read_noise": 0.1}}}}, "sweep: grid.array.device.read_noise must be a list"),
        ({"grid": {"array.device.read_noise": [0, 7]}}, "array.device.read_noise=7: array: read_noise must be from 0"),
        ({"grid": {"array.seed": [1, 2]}}, "sweep: grid.array.seed: seeds are listed once"),
        ({"cases": [{"array.device.sates": 5}]}, "sweep: cases[0]: unknown field 'array.device.sates'"),
        ({"array": "epiram", "grid": {"weight_bits": [6, 7]}}, "sweep: weight_bits=7: weight_bits asks for 127 levels"),
    ],
)
def test_a_mistake_in_an_array_is_named_with_its_key(values, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        plan(**values)


def test_without_arrays_a_plan_has_none():
    with pytest.raises(ConfigError, match="unknown field 'array'"):
        Plan.from_dict({"config": SMALL, "array": "taox"})


def test_a_run_trains_the_machine_on_its_array():
    (planned,) = plan(array="taox", seeds=[7], grid={"array.device.stuck_on": [0.1]}).runs
    report = SweepRun.from_dict(planned.to_dict()).perform(on_array=machine_on)
    data = load_dataset("random", inputs=6, outputs=3)
    array = ArrayConfig.from_dict({"like": "taox", "seed": 7, "device": {"stuck_on": 0.1}})
    alone = FastAnalogTrainer(Config(**SMALL, seed=7), array)
    for epoch in range(2):
        order = sample_order(7, epoch, len(data.train_labels))
        alone.train(data.train_features[order], data.train_labels[order], exponent(epoch, 2))
    assert report.result.weights_sha256 == weights_sha256(alone.weights())
    assert RunReport.from_dict(report.to_dict()).run == planned


def test_a_finished_run_on_another_array_is_refused(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text(TOML)
    planned = Plan.from_toml(file, SweptArrays())
    directory = SweepDirectory(tmp_path / "out")
    directory.open(planned, file)
    directory.add(planned.runs[0].perform(on_array=machine_on))
    again = SweepDirectory(tmp_path / "out")
    again.open(planned, file)
    assert list(again.reports) == [planned.runs[0].name]
    for before, after, message in (
        ('"taox"', '"epiram"', r"was trained with array\.device\.g_min_S = 1e-06, but .* now says 2\.46e-07"),
        ("[config]", "[array]\nlike='taox'\nreference_step_S=1e-6\n[config]", r"array\.reference_step_S = 0\.0, but"),
    ):
        file.write_text(
            TOML.replace(before, after).replace('array = "taox"\n', "" if "[array]" in after else 'array = "taox"\n')
        )
        with pytest.raises(RunError, match=message):
            SweepDirectory(tmp_path / "out").open(Plan.from_toml(file, SweptArrays()), file)


def test_rows_of_the_table_have_the_fields_that_are_varied():
    asked = plan(array="taox", passes=[1], cases=[{"array.device.stuck_on": 0.1}, {"weight_bits": 5}])
    rows = result_rows(asked, {run.name: run.perform(on_array=machine_on) for run in asked.runs})
    assert [(row["array.device.stuck_on"], row["weight_bits"]) for row in rows] == [(0.1, 6), (None, 5)]


def test_the_command_sweeps_over_a_device_and_goes_on(tmp_path, capsys):
    (tmp_path / "plan.toml").write_text(TOML)
    for _ in range(2):
        with pytest.raises(SystemExit) as leaving:
            run(["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out"), "--workers", "1"])
        assert (leaving.value.code or 0) == 0
    assert "8 of 8 runs finished before" in " ".join(capsys.readouterr().err.split())
    frame = pandas.read_csv(tmp_path / "out" / "results.csv")
    assert len(frame) == 8
    assert not frame.duplicated(["array.device.read_noise", "array.comparator_noise_S", "seed"]).any()
    assert len(np.unique(frame["weights_sha256"])) == 8
    assert (tmp_path / "out" / "results.png").read_bytes().startswith(b"\x89PNG")
