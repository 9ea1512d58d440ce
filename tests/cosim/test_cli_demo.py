"""The demo, shortened, as a newcomer runs it."""

import json
from dataclasses import replace

import pytest
from stochastor.cli import demo as demo_module
from stochastor.cli.main import run
from stochastor.model.config import preset
from stochastor.model.errors import ToolError
from stochastor.sim import cosim


@pytest.fixture(autouse=True)
def short_run(monkeypatch):
    config = replace(preset("tiny"), epochs=1)
    monkeypatch.setattr(demo_module, "resolve_config", lambda *arguments: config)


def demo(*arguments):
    with pytest.raises(SystemExit) as ended:
        run(["demo", *map(str, arguments)])
    return ended.value.code


def test_the_demo_leaves_a_run_verilog_a_picture_and_figures(tmp_path, capsys):
    out, figures = tmp_path / "demo", tmp_path / "figures.json"
    assert demo("--out", out, "--samples", 20, "--json", figures) == 0
    for name in ("learning.png", "run/report.json", "run/state.npz", "verilog/stochastor.v", "verilog/stochastor.json"):
        assert (out / name).stat().st_size > 0
    written = json.loads(figures.read_text())
    assert (written["samples"], written["differences"]) == (20, 0)
    printed = capsys.readouterr().out
    for words in ("one-bit machine, 16 votes", "float baseline", "decisions compared", "differences", "learning.png"):
        assert words in printed


def test_a_second_demo_keeps_the_first(tmp_path):
    out = tmp_path / "demo"
    out.mkdir()
    assert demo("--out", out, "--samples", 5) == 0
    assert list(out.iterdir()) == []
    assert (tmp_path / "demo-2" / "learning.png").exists()


def test_without_a_simulator_the_demo_says_so_and_shows_the_rest(tmp_path, capsys, monkeypatch):
    def none_there():
        raise ToolError("no simulator is there")

    monkeypatch.setattr(cosim, "best_simulator", none_there)
    assert demo("--out", tmp_path / "demo") == 0
    captured = capsys.readouterr()
    assert "not co-simulated: no simulator is there" in captured.err
    assert "float baseline" in captured.out
    assert (tmp_path / "demo" / "verilog" / "stochastor.v").exists()
