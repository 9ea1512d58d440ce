"""``stochastor sweep``: tables, going on, and workers that are lost."""

import json
import os
import signal
import threading

import pandas
import pytest
from stochastor.cli import sweep as command
from stochastor.cli import sweeping
from stochastor.cli.main import run
from stochastor.cli.sweeping import Workers
from stochastor.model.sweep import Plan
from stochastor.model.sweep_run import RunReport

TOML = """
data = "random"
seeds = [0, 1]
passes = [1, 4]
baseline = true
[config]
sizes = [6, 4, 3]
epochs = 2
[grid]
weight_bits = [6, 8]
gate = ["xor", "random_window"]
"""
FILES = ["results.csv", "results.parquet", "results.png", "runs", "sweep.toml"]
TIMES = ["seconds", "samples_per_second"]


def sweep(file, out, *arguments):
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as leaving:
        run(["sweep", str(file), "--out", str(out), *map(str, arguments)])
    return leaving.value.code or 0


def table(out):
    return pandas.read_csv(out / "results.csv")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(TOML)
    return path


def test_a_sweep_leaves_one_tidy_table_and_a_picture(tmp_path, file, capsys):
    out = tmp_path / "out"
    assert sweep(file, out, "--workers", 2, "--json", tmp_path / "figures.json") == 0
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert (out / "sweep.toml").read_text() == TOML
    frame = table(out)
    assert len(frame) == 16
    assert not frame.duplicated(["weight_bits", "gate", "seed", "passes"]).any()
    assert frame["accuracy"].between(0, 1).all()
    assert frame["baseline_accuracy"].between(0, 1).all()
    pandas.testing.assert_frame_equal(frame, pandas.read_parquet(out / "results.parquet"), check_dtype=False)
    assert (out / "results.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["runs"], figures["finished"], figures["failed"]) == (8, 8, {})
    assert "weight_bits" in capsys.readouterr().out


def test_an_interrupted_sweep_goes_on_to_the_same_table(tmp_path, file, capsys, monkeypatch):
    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(command, "_tell_end", interrupt)
        assert sweep(file, tmp_path / "stopped", "--workers", 1) == 130
    notice = " ".join(capsys.readouterr().err.split())
    assert "interrupted, 1 of 8 runs finished; go on with: stochastor sweep" in notice
    kept = {path: path.read_bytes() for path in (tmp_path / "stopped" / "runs").iterdir()}
    assert len(kept) == 1
    assert sweep(file, tmp_path / "stopped", "--workers", 1) == 0
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert sweep(file, tmp_path / "whole", "--workers", 1) == 0
    pandas.testing.assert_frame_equal(
        table(tmp_path / "stopped").drop(columns=TIMES), table(tmp_path / "whole").drop(columns=TIMES)
    )


def test_a_worker_that_is_killed_loses_no_run():
    values = {"config": {"sizes": [64, 32, 10], "epochs": 60}, "seeds": [0, 1, 2], "passes": [1]}
    runs = Plan.from_dict(values).runs
    finished, killed, lock = set(), [], threading.Lock()

    def kill(name, share):
        with lock:
            if finished and not killed:
                killed.extend(nanny.pid for nanny in workers._cluster.workers.values())
                os.kill(killed[0], signal.SIGKILL)

    with Workers(None, 1) as workers:
        outcomes = {}
        for performed, outcome in workers.perform(runs, kill):
            finished.add(performed.name)
            outcomes[performed] = outcome
    assert killed
    assert set(outcomes) == set(runs)
    for performed, outcome in outcomes.items():
        assert isinstance(outcome, RunReport)
        assert outcome.result.weights_sha256 == performed.perform().result.weights_sha256


def test_a_damaged_report_is_made_again(tmp_path, file, capsys):
    file.write_text(TOML.replace("[6, 8]", "[6]").replace('["xor", "random_window"]', '["xor"]'))
    assert sweep(file, tmp_path / "out", "--workers", 1) == 0
    before = table(tmp_path / "out")
    path = next((tmp_path / "out" / "runs").iterdir())
    path.write_text("{")
    assert sweep(file, tmp_path / "out", "--workers", 1) == 0
    notice = "".join(capsys.readouterr().err.split())
    assert f"{path.name}:isdamaged;itsrunisperformedagain" in notice
    assert "1of2runsfinishedbefore" in notice
    pandas.testing.assert_frame_equal(table(tmp_path / "out").drop(columns=TIMES), before.drop(columns=TIMES))


def test_runs_that_fail_are_named_and_the_others_kept(tmp_path, file, capsys):
    file.write_text(
        'data = "digits"\n[config]\nsizes = [64, 4, 10]\nepochs = 1\n[grid]\nsizes = [[64, 4, 10], [32, 10]]'
    )
    assert sweep(file, tmp_path / "out", "--workers", 1) == 2
    notice = " ".join(capsys.readouterr().err.split())
    assert "sizes=32-10-0 failed:" in notice
    assert "1 of 2 runs failed" in notice
    assert len(table(tmp_path / "out")) == 2


def test_an_existing_scheduler_is_used(tmp_path, file):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp") as it:
        assert sweep(file, tmp_path / "out", "--scheduler", it.scheduler_address) == 0
    assert len(table(tmp_path / "out")) == 16


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1"])
def test_a_scheduler_out_of_reach_is_named(tmp_path, file, capsys, monkeypatch, address):
    monkeypatch.setattr(sweeping, "CONNECT_SECONDS", 1)
    assert sweep(file, tmp_path / "out", "--scheduler", address) == 3
    assert f"no Dask scheduler answers at {address}: start one with `dask scheduler`" in " ".join(
        capsys.readouterr().err.split()
    )


def test_an_address_that_is_none_is_refused(tmp_path, file, capsys):
    assert sweep(file, tmp_path / "out", "--scheduler", "server") == 2
    assert "--scheduler must be tcp://HOST:PORT" in capsys.readouterr().err


def test_without_dask_the_extra_is_named(tmp_path, file, capsys, monkeypatch):
    monkeypatch.setattr(sweeping, "NEEDED", ("distributed", "there_is_no_such_module"))
    assert sweep(file, tmp_path / "out") == 3
    assert "pip install 'stochastor[sweep]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_plan_with_a_mistake_begins_nothing(tmp_path, file, capsys):
    file.write_text(TOML.replace("weight_bits", "wieght_bits"))
    assert sweep(file, tmp_path / "out") == 2
    assert "plan.toml: grid: unknown field 'wieght_bits'" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
