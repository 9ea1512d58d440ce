"""Sweeps: what a plan asks for, what a run leaves, and what may change between two goes at a sweep."""

import json
import re

import numpy as np
import pytest
from stochastor.model.config import Config, Gate
from stochastor.model.data import load_dataset
from stochastor.model.errors import ConfigError, DataError, RunError
from stochastor.model.experiment import train_experiment
from stochastor.model.run import Run
from stochastor.model.sweep import Plan
from stochastor.model.sweep_directory import SweepDirectory
from stochastor.model.sweep_run import RunReport
from stochastor.model.sweep_table import result_rows, summary_rows
from stochastor.model.trace import weights_sha256
from stochastor.model.trainer import predictions

SMALL = {"sizes": [6, 4, 3], "epochs": 1}
TOML = """
data = "random"
seeds = [3, 4]
passes = [2, 1]
[config]
sizes = [6, 4, 3]
epochs = 1
[grid]
weight_bits = [6, 8]
"""


def plan(**values):
    return Plan.from_dict({"data": "random", "config": SMALL, **values})


@pytest.fixture
def directory(tmp_path):
    """A directory of a sweep whose first run is finished, and the file of its plan."""
    file = tmp_path / "plan.toml"
    file.write_text(TOML)
    planned = Plan.from_toml(file)
    begun = SweepDirectory(tmp_path / "out")
    begun.open(planned, file)
    begun.add(planned.runs[0].perform())
    return begun.path, file


def opened(directory):
    path, file = directory
    again = SweepDirectory(path)
    again.open(Plan.from_toml(file), file)
    return again


class TestPlan:
    def test_every_combination_runs_with_every_seed(self):
        runs = plan(seeds=[5, 7], grid={"weight_bits": [6, 8], "gate": ["xor", "random_window"]}).runs
        assert [(run.config.weight_bits, run.config.gate, run.config.seed) for run in runs] == [
            (bits, gate, seed) for bits in (6, 8) for gate in (Gate.XOR, Gate.RANDOM_WINDOW) for seed in (5, 7)
        ]
        assert len({run.name for run in runs}) == 8

    def test_cases_are_combined_with_the_grid(self):
        cases = [{"name": "coarse", "weight_bits": 4, "scale": 4}, {"gate": "xor"}]
        asked = plan(cases=cases, grid={"epochs": [1, 2]})
        assert [case.name for case in asked.cases] == [
            "coarse,epochs=1",
            "coarse,epochs=2",
            "gate=xor,epochs=1",
            "gate=xor,epochs=2",
        ]
        assert asked.axes == {"case": ("coarse", "gate=xor"), "epochs": (1, 2)}
        assert set(asked.varied) == {"weight_bits", "scale", "gate", "epochs"}

    def test_what_is_left_out_has_a_default(self):
        (run,) = Plan.from_dict({}).runs
        assert (run.case, run.data, run.passes, run.validation, run.baseline) == ("base", "digits", (1, 16), 0, False)
        assert run.config.sizes == (64, 128, 10)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"grids": {}}, "sweep: unknown key 'grids'; the keys are data, seeds"),
            ({"grid": {}}, "sweep: grid must give a list of values"),
            ({"grid": {"weight_bits": []}}, "sweep: grid.weight_bits must be a list of values to try, not []"),
            ({"grid": {"weight_bits": [8, 8]}}, "sweep: grid.weight_bits holds 8 twice"),
            ({"grid": {"wieght_bits": [8]}}, "sweep: grid: unknown field 'wieght_bits'"),
            ({"grid": {"seed": [1]}}, "sweep: grid.seed: seeds are listed once"),
            ({"grid": {"sizes": [6, 4, 3]}}, "sweep: grid.sizes must be a list of lists"),
            ({"grid": {"gate": ["xor"]}, "cases": [{"gate": "xor"}]}, "sweep: cases[0].gate is also in grid"),
            ({"cases": [{"name": "a"}, {"name": "a"}]}, "sweep: cases[1].name: there is a case 'a' before"),
            ({"cases": [{"name": "../a"}]}, "sweep: cases[0].name must be of letters"),
            ({"preset": "digits"}, "sweep: preset and config exclude each other"),
            ({"seeds": []}, "sweep: seeds must be a list of one number or more"),
            ({"seeds": [1.5]}, "sweep: seeds[0] must be a whole number, not 1.5"),
            ({"seeds": [-1]}, "sweep: seeds[0] must be from 0 to 2^64 - 1, not -1"),
            ({"passes": [256]}, "sweep: passes[0]: passes must be from 1 to 255, not 256"),
            ({"validation": -5}, "sweep: validation must be the number of training samples"),
            ({"baseline": 1}, "sweep: baseline must be true or false, not 1"),
            ({"data": "mnits"}, "sweep: data: there is no data source 'mnits'"),
            ({"seeds": list(range(100_001))}, "sweep: asks for 100,001 runs, a sweep has at most 100,000"),
        ],
    )
    def test_a_mistake_is_named_with_its_key(self, values, message):
        with pytest.raises(ConfigError, match=re.escape(message)):
            plan(**values)

    def test_a_combination_that_is_no_machine_is_named(self):
        with pytest.raises(ConfigError, match=r"sweep: weight_bits=8,scale=0: scale must be"):
            plan(grid={"weight_bits": [8], "scale": [0]})

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
            Plan.from_toml(tmp_path / "none.toml")
        (tmp_path / "bad.toml").write_text("seeds = [")
        with pytest.raises(ConfigError, match=r"bad\.toml: is not TOML"):
            Plan.from_toml(tmp_path / "bad.toml")

    @pytest.mark.parametrize("source", ["mnist", "fashion-mnist", "idx:DIR", "csv:a.csv", "npz:a.npz", "random"])
    def test_every_data_source_is_known(self, source):
        assert plan(data=source).runs[0].data == source


class TestExperiment:
    def test_it_trains_to_the_bits_of_a_run(self, tmp_path):
        config = Config(sizes=(64, 8, 10), epochs=3, seed=5)
        dataset = load_dataset("digits")
        result = train_experiment(config, dataset, passes=(1, 16), curve_points=2)
        run = Run.create(tmp_path / "run", config, dataset, "digits")
        run.train(dataset)
        assert result.weights_sha256 == weights_sha256(run.trainer.weights())
        votes = run.trainer.infer(dataset.test_features, 16)
        assert result.accuracy[16] == np.mean(predictions(votes) == dataset.test_labels)
        assert [point.epoch for point in result.curve] == [2, 3]
        assert result.curve[-1].accuracy == result.accuracy[16]

    def test_validation_leaves_the_test_set_unread(self, monkeypatch):
        (asked,) = plan(validation=20).runs
        whole = load_dataset("random", inputs=6, outputs=3)
        report = asked.perform()
        assert report.evaluated_samples == 20
        assert report.train_samples == len(whole.train_labels) - 20

    def test_data_that_does_not_fit_is_refused(self):
        (asked,) = plan(data="digits").runs
        with pytest.raises(DataError, match="64"):
            asked.perform()


class TestDirectory:
    def test_a_finished_run_is_read_back(self, directory):
        again = opened(directory)
        (report,) = again.reports.values()
        assert report == RunReport.from_dict(json.loads(report.to_bytes()))
        assert report.run == Plan.from_toml(directory[1]).runs[0]

    def test_a_damaged_report_counts_as_not_finished(self, directory):
        (path,) = (directory[0] / "runs").iterdir()
        path.write_bytes(path.read_bytes()[:-40])
        again = opened(directory)
        assert again.reports == {}
        assert again.damaged == [path]

    def test_runs_may_be_added(self, directory):
        directory[1].write_text(TOML.replace("[3, 4]", "[2, 3, 4]").replace("[6, 8]", "[6, 8, 10]"))
        assert len(opened(directory).reports) == 1

    @pytest.mark.parametrize(
        ("before", "after", "message"),
        [
            ("epochs = 1", "epochs = 2", "was trained with epochs = 1, but .* now says 2"),
            ("[3, 4]", "[4]", "is a finished run that .* does not ask for"),
            ("[2, 1]", "[1]", r"was trained with passes = \[1, 2\], but .* now says \[1\]"),
        ],
    )
    def test_finished_runs_must_stay_in_the_plan(self, directory, before, after, message):
        directory[1].write_text(TOML.replace(before, after))
        with pytest.raises(RunError, match=message):
            opened(directory)
        assert (directory[0] / "sweep.toml").read_text() == TOML

    def test_a_directory_of_something_else_is_left_alone(self, tmp_path):
        (tmp_path / "plan.toml").write_text(TOML)
        with pytest.raises(RunError, match="is not empty and holds no sweep"):
            opened((tmp_path, tmp_path / "plan.toml"))
        assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]

    def test_other_data_of_the_same_name_are_refused(self, directory, tmp_path):
        again = opened(directory)
        values = Plan.from_toml(directory[1]).runs[1].perform().to_dict()
        with pytest.raises(RunError, match="random held other data"):
            again.add(RunReport.from_dict(values | {"data_sha256": "0" * 64}))
        assert len(again.reports) == 1


class TestTable:
    def test_every_run_has_a_row_for_each_number_of_passes(self):
        asked = plan(seeds=[0, 1], passes=[4, 1], grid={"weight_bits": [6, 8]})
        reports = {run.name: run.perform() for run in asked.runs}
        rows = result_rows(asked, reports)
        assert [(row["weight_bits"], row["seed"], row["passes"]) for row in rows] == [
            (bits, seed, passes) for bits in (6, 8) for seed in (0, 1) for passes in (1, 4)
        ]
        first = reports[asked.runs[0].name]
        assert rows[1]["accuracy"] == first.result.accuracy[4]
        assert rows[0]["weights_sha256"] == first.result.weights_sha256

    def test_a_summary_is_over_the_seeds_that_are_finished(self):
        asked = plan(seeds=[0, 1, 2], passes=[1])
        reports = {run.name: run.perform() for run in asked.runs[:2]}
        (summary,) = summary_rows(asked, reports)
        accuracies = [report.result.accuracy[1] for report in reports.values()]
        assert summary["seeds"] == 2
        assert summary["accuracy"] == pytest.approx(np.mean(accuracies))
        assert summary["accuracy_deviation"] == pytest.approx(np.std(accuracies, ddof=1))
