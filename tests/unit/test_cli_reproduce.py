import json
from dataclasses import replace

import pytest
from stochastor.cli.main import run
from stochastor.model import studies
from stochastor.model.config import Config
from stochastor.model.study import FloatLearner, MachineLearner, Row, Study

SMALL = Config(sizes=(64, 6, 10), epochs=2)
STUDY = Study(
    name="small",
    title="Two learners",
    data="random",
    validation=100,
    seeds=(0, 1),
    rows=(
        Row(group="machine", label="six columns", learner=MachineLearner(config=SMALL, passes=(1, 16))),
        Row(group="machine", label="votes", learner=MachineLearner(config=SMALL, passes=(1, 2, 4, 8))),
        Row(group="float", label="online", learner=FloatLearner(sizes=(64, 6, 10), epochs=2, options={})),
    ),
)


@pytest.fixture(autouse=True)
def small_study(monkeypatch):
    monkeypatch.setattr(studies, "find_study", lambda name: STUDY)


def reproduce(*arguments):
    with pytest.raises(SystemExit) as exited:
        run(["reproduce", "small", "--workers", "1", *map(str, arguments)])
    return exited.value.code


def test_a_reproduction_prints_a_table_and_leaves_figures_and_a_picture(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- small -->\nold\n<!-- /small -->\nafter\n")
    assert reproduce("--out", tmp_path, "--into", page, "--json", tmp_path / "figures.json") == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [[cell.strip() for cell in line.split("|")[1:5]] for line in table[2:]] == [
        ["machine", "six columns", "64-6-10, 8 bits, scale 64, random window", "2"],
        ["", "1 vote", "64-6-10, 8 bits, scale 64, random window", "2"],
        ["", "2 votes", "64-6-10, 8 bits, scale 64, random window", "2"],
        ["", "4 votes", "64-6-10, 8 bits, scale 64, random window", "2"],
        ["", "8 votes", "64-6-10, 8 bits, scale 64, random window", "2"],
        ["float", "online", "64-6-10", "2"],
    ]
    assert (tmp_path / "small.png").read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert text.startswith("before\n<!-- small -->\n")
    assert text.endswith("<!-- /small -->\nafter\n")
    assert "\n".join(table) in text
    assert "old" not in text
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [len(row["outcomes"]) for row in figures["rows"]] == [2, 2, 2]


def test_trainings_that_are_finished_are_not_made_again_and_damaged_ones_are(tmp_path, capsys, monkeypatch):
    assert reproduce("--out", tmp_path) == 0
    first = capsys.readouterr()
    kept = sorted((tmp_path / "small").glob("*.json"))
    assert len(kept) == 6
    kept[0].write_text("{")
    contents = {path: path.read_bytes() for path in kept[1:]}
    assert reproduce("--out", tmp_path) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert second.err.count("seed") == 1
    assert {path: path.read_bytes() for path in kept[1:]} == contents


def test_a_learner_that_is_compared_twice_is_trained_once(tmp_path, capsys, monkeypatch):
    rows = tuple(replace(STUDY.rows[0], label=label) for label in ("one", "two"))
    monkeypatch.setattr(studies, "find_study", lambda name: replace(STUDY, rows=rows, seeds=(0,)))
    assert reproduce("--out", tmp_path) == 0
    shown = capsys.readouterr()
    assert shown.err.count("seed 0") == 1
    one, two = (line.split("|")[3:] for line in shown.out.splitlines() if "| 64-6-10" in line)
    assert one == two


def test_a_page_without_a_place_for_the_table_is_refused_and_left_alone(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- small -->\n")
    assert reproduce("--out", tmp_path, "--into", page) == 2
    assert "has no place for small: write a line <!-- small -->" in capsys.readouterr().err
    assert page.read_text() == "<!-- small -->\n"


def test_data_that_cannot_be_read_is_refused_before_any_training(tmp_path, capsys):
    assert reproduce("--out", tmp_path, "--data", f"idx:{tmp_path}/nowhere") == 2
    assert "nowhere" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))
