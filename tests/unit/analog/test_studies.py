"""The studies of devices: what is compared, what a learner comes to, and how tables and pictures show it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from stochastor.cli.device_report import devices_markdown, in_units, nonidealities_markdown, remedies_markdown
from stochastor.cli.device_study_picture import draw_nonidealities
from stochastor.cli.main import run
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.errors import ConfigError, DataError
from stochastor.model.schedule import exponent, sample_order
from stochastor.model.study import Outcome
from stochastor.model.trainer import predictions
from stochastor.sim.array import studies
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.device import Device, whole_steps
from stochastor.sim.array.in_situ import InSituBackpropagation
from stochastor.sim.array.learners import ArrayLearner, InSituLearner
from stochastor.sim.array.pulse_count import total
from stochastor.sim.array.pulse_trains import alike, pulse_trains
from stochastor.sim.array.remedies import matched_thinning, remedies
from stochastor.sim.array.studies import DEVICE_STUDIES, SERIES, find_device_study, nonidealities
from stochastor.sim.array.trainer import FastAnalogTrainer

SEED, EPOCHS = 5, 3
TOGETHER = (
    {"device.stuck_on", "device.stuck_off"},
    {"device.response", "device.set_nonlinearity", "device.reset_nonlinearity"},
    {"device.trap_share", "device.trap_amplitude"},
    {"device.drift", "device.drift_spread", "device.drift_t0_s", "sample_s", "tick_samples"},
    {"device.endurance", "device.endurance_spread"},
)
CONFIG = Config(sizes=(64, 12, 10), weight_bits=7, scale=16, epochs=EPOCHS)
OPTIONS = {"learning_rate": 0.1, "scale": 24.0}


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("random", inputs=64, outputs=10)


def trained(learner, dataset):
    for epoch in range(EPOCHS):
        order = sample_order(SEED, epoch, len(dataset.train_labels))
        learner.train(dataset.train_features[order], dataset.train_labels[order], exponent(epoch, EPOCHS))
    return learner


def test_a_machine_on_an_array_learns_in_a_study_as_alone(dataset):
    outcome = ArrayLearner(config=CONFIG, array=ARRAYS["taox"]).learn(dataset, SEED, lambda share: None)
    array = replace(ARRAYS["taox"], seed=SEED)
    alone = trained(FastAnalogTrainer(replace(CONFIG, seed=SEED), array, counting=True), dataset)
    votes = alone.infer(dataset.test_features, 16)
    assert outcome.accuracy == {16: np.mean(predictions(votes) == dataset.test_labels)}
    pulses, samples = total(alone.pulses()), EPOCHS * len(dataset.train_labels)
    assert outcome.samples == samples
    assert outcome.figures == {
        "pulses_per_sample": pulses.pulses / samples,
        "pulse_energy_per_sample_J": pulses.energy_J(array.device) / samples,
    }


def test_backpropagation_in_situ_learns_in_a_study_as_alone(dataset):
    learner = InSituLearner(sizes=(64, 12, 10), epochs=EPOCHS, array=ARRAYS["taox"], options=OPTIONS)
    outcome = learner.learn(dataset, SEED, lambda share: None)
    array = replace(ARRAYS["taox"], seed=SEED)
    alone = trained(InSituBackpropagation(sizes=(64, 12, 10), array=array, seed=SEED, **OPTIONS), dataset)
    assert outcome.accuracy == {0: alone.accuracy(dataset.test_features, dataset.test_labels)}
    assert outcome.figures["pulses_per_sample"] == alone.pulses().pulses / alone.samples_trained


def test_all_that_decides_an_outcome_tells_learners_apart():
    learner = ArrayLearner(config=CONFIG, array=ARRAYS["taox"])
    others = [
        replace(learner, array=replace(ARRAYS["taox"], comparator_noise_S=1e-7)),
        replace(learner, config=replace(CONFIG, scale=17)),
        replace(learner, passes=(1,)),
    ]
    in_situ = InSituLearner(sizes=(64, 12, 10), epochs=EPOCHS, array=ARRAYS["taox"], options=OPTIONS)
    others += [in_situ, replace(in_situ, epochs=4), replace(in_situ, options={}), replace(in_situ, array=ArrayConfig())]
    texts = {json.dumps(each.to_dict(), sort_keys=True) for each in (learner, *others)}
    assert len(texts) == 8
    same = replace(learner, config=replace(CONFIG, seed=3), array=replace(ARRAYS["taox"], seed=4))
    assert same.to_dict() == learner.to_dict()


@pytest.mark.parametrize("name", DEVICE_STUDIES)
@pytest.mark.parametrize("quick", [False, True])
def test_every_learner_of_a_study_can_be_made(name, quick):
    study = find_device_study(name, quick)
    assert len({(row.group, row.label) for row in study.rows}) == len(study.rows)
    for row in study.rows:
        if isinstance(row.learner, ArrayLearner):
            assert row.learner.array.device.with_states(row.learner.config.digit_max)
        else:
            InSituBackpropagation(
                sizes=(4, 3, 2), array=row.learner.array, compiled=False, seed=0, **row.learner.options
            )


def test_devices_are_compared_on_every_array_by_machine_and_by_backpropagation():
    rows = find_device_study("devices").rows
    assert list(dict.fromkeys(row.group for row in rows)) == list(ARRAYS)
    for array in ARRAYS:
        labels = [row.label for row in rows if row.group == array]
        assert labels == [label for series, label in SERIES.items() if series in studies.settings()[array]]
        assert {SERIES["one_cell"], SERIES["pulses"], SERIES["accumulated"]} <= set(labels)


def test_every_nonideality_is_alone_and_begins_without_it():
    for kind in nonidealities():
        if kind.title != "states":
            assert alone_in(kind.levels[0]) == set()
            for level in kind.levels[1:]:
                fields = alone_in(level)
                assert len(fields) == 1 or any(fields <= each for each in TOGETHER)
    assert len({kind.title for kind in nonidealities()}) == 17


def alone_in(level):
    """Fields in which the array of a level differs from the ideal one."""
    ideal, array = ArrayConfig(device=studies.IDEAL).to_dict(), level.array.to_dict()
    fields = {f"device.{name}" for name, value in array.pop("device").items() if value != ideal["device"][name]}
    return fields | {name for name, value in array.items() if value != ideal.get(name)}


def test_more_states_make_finer_weights_of_the_same_range():
    rows = find_device_study("nonidealities").rows
    configs = [row.learner.config for row in rows if row.group == "states" and row.label.endswith(SERIES["one_cell"])]
    assert [config.weight_bits for config in configs] == [7, 6, 5]
    assert len({config.scale / (1 << config.weight_bits) for config in configs}) == 1


def test_an_unknown_study_of_devices_is_refused_with_the_known_ones():
    with pytest.raises(
        ConfigError, match="no study of devices called 'wires'; there are devices, nonidealities, remedies"
    ):
        find_device_study("wires")


def test_data_that_does_not_fit_the_array_is_refused(dataset):
    with pytest.raises(DataError, match="features must be uint8 of shape"):
        ArrayLearner(config=Config(sizes=(63, 10), weight_bits=7), array=ARRAYS["taox"]).learn(
            dataset, SEED, lambda share: None
        )


def outcome(accuracy, **figures):
    return Outcome(accuracy=accuracy, curve=(), seconds=1.0, samples=1, figures=figures)


def test_the_table_of_devices_shows_accuracy_pulses_and_energy():
    study = find_device_study("devices", quick=True)
    outcomes = {
        (row.group, row.label): (outcome({0: 0.5}, pulses_per_sample=1234.5, pulse_energy_per_sample_J=1.234e-9),)
        for row in study.rows
    }
    first = study.rows[0]
    outcomes[first.group, first.label] = (outcome({16: 0.9}, pulses_per_sample=7), outcome({16: 0.8}))
    lines = [
        [cell.strip() for cell in line.split("|")[5:-1]] for line in devices_markdown(study, outcomes).splitlines()
    ]
    assert lines[2] == ["16 votes, or float, %", "pulses a sample", "energy of pulses a sample"]
    assert lines[4] == ["85.00 ± 7.07", "7", ""]
    assert lines[5] == ["50.00", "1,234", "1.23 nJ"]


def test_a_figure_that_nobody_measured_has_no_column():
    study = find_device_study("devices", quick=True)
    outcomes = {(row.group, row.label): (outcome({0: 0.5}),) for row in study.rows}
    assert "pulses" not in devices_markdown(study, outcomes).splitlines()[2]


def test_the_table_of_nonidealities_has_a_line_a_level():
    study = find_device_study("nonidealities", quick=True)
    outcomes = {(row.group, row.label): (outcome({0: index / 1000}),) for index, row in enumerate(study.rows)}
    lines = [line for line in nonidealities_markdown(study, outcomes).splitlines() if line.startswith("| ")][2:]
    assert len(lines) == sum(len(kind.levels) for kind in nonidealities())
    assert lines[1] == "|  | 100 | 0.30 | 0.40 | 0.50 |"
    *_, first, last = (index for index, row in enumerate(study.rows) if row.group == "comparator noise")
    assert f"|  | 32 | {first / 10:.2f} | {last / 10:.2f} |  |" in lines


def test_remedies_are_tried_alone_and_beside_doing_nothing():
    for kind in remedies():
        first, *others = kind.levels
        assert (first.array.thinning, first.array.pair, first.array.zero_shifting) == (0.0, "push_pull", 0)
        assert all(level.array.device == first.array.device and level.array != first.array for level in others)


def test_matched_thinning_makes_steps_of_both_signs_equal_at_mid_range():
    assert matched_thinning(studies.IDEAL) == 0
    assert matched_thinning(replace(studies.IDEAL, mismatch=0.3)) == pytest.approx(1 - 0.85 / 1.15)
    assert matched_thinning(replace(studies.IDEAL, mismatch=-0.3)) == pytest.approx(0.85 / 1.15 - 1)


def test_the_table_of_remedies_has_a_line_a_remedy_with_the_pulses_of_both_machines():
    study = find_device_study("remedies", quick=True)
    outcomes = {
        (row.group, row.label): (outcome({16: index / 1000}, pulses_per_sample=index),)
        for index, row in enumerate(study.rows)
    }
    lines = [line for line in remedies_markdown(study, outcomes).splitlines() if line.startswith("| ")][2:]
    assert len(lines) == sum(len(kind.levels) for kind in remedies())
    assert lines[0] == "| ideal | nothing | 0.00 | 0 | 0.10 | 1 |"
    assert lines[1] == "|  | reference at mid-range | 0.20 | 2 | 0.30 | 3 |"


def test_units_have_the_prefix_that_fits():
    assert [in_units(value, "J") for value in (1.5e-12, 9.99e-10, 2e-6, 3.0, 0.0)] == [
        "1.5 pJ",
        "999 pJ",
        "2 µJ",
        "3 J",
        "0 fJ",
    ]


def test_pulse_trains_lead_from_end_to_end_and_back():
    device = Device(g_min_S=1e-6, g_max_S=5e-6, states=5)
    up, down = pulse_trains(ArrayConfig(device=device), 3)
    assert np.allclose(up, np.array([[1, 2, 3, 4, 5]] * 3).T * 1e-6)
    assert np.allclose(down, np.array([[5, 4, 3, 2, 1]] * 3).T * 1e-6)


def test_pulse_trains_of_one_kind_differ_from_cycle_to_cycle_only():
    up, _ = pulse_trains(ArrayConfig(device=alike(ARRAYS["hfox_array"].device)), 50)
    assert len(set(up[0].tolist())) == 1
    assert len(set(up[1].tolist())) > 20
    steps = whole_steps(alike(ARRAYS["hfox_array"].device), 1)
    assert up.min() == pytest.approx(steps.low * 1e-8)


def reproduce(*arguments):
    with pytest.raises(SystemExit) as leaving:
        run(["reproduce", *map(str, arguments)])
    return leaving.value.code or 0


def test_the_quick_study_of_devices_leaves_a_table_pictures_and_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(studies, "QUICK", replace(studies.QUICK, sizes=(64, 4, 10), most_epochs=1))
    monkeypatch.setattr(studies, "ARRAYS", {"taox": ARRAYS["taox"]})
    options = "--quick", "--out", tmp_path, "--workers", 1, "--json", tmp_path / "figures.json"
    assert reproduce("devices", *options) == 0
    table = capsys.readouterr().out
    assert table.count("| taox |") == 1
    assert table.count(" J |") + table.count("pJ |") + table.count("nJ |") == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "devices-quick",
        "devices-quick.png",
        "figures.json",
        "pulse_curves.png",
    ]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert all(row["outcomes"][0]["figures"]["pulses_per_sample"] > 0 for row in figures["rows"])
    for picture in ("devices-quick.png", "pulse_curves.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_nonidealities_are_drawn(tmp_path):
    study = find_device_study("nonidealities", quick=True)
    outcomes = {(row.group, row.label): (outcome({0: 0.5}), outcome({0: 0.6})) for row in study.rows}
    draw_nonidealities(tmp_path / "picture.png", study, outcomes)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_quick_is_for_studies_of_devices(tmp_path, capsys):
    assert reproduce("mnist", "--quick", "--out", tmp_path) == 2
    assert "--quick is for devices, nonidealities, remedies, not for mnist" in capsys.readouterr().err
