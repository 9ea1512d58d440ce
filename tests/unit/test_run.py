"""A run on disk: what was interrupted ends in the same bits, and nothing that is wrong with it goes unnamed."""

import errno
import io
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stochastor.model.config import Config
from stochastor.model.data import Dataset
from stochastor.model.errors import DataError, RunError
from stochastor.model.interruption import Interrupted
from stochastor.model.ledger import Counts
from stochastor.model.run import SAMPLES_PER_STEP, VOTES, Run
from stochastor.model.run_state import MOST_RECORDS, RunState, is_recorded
from stochastor.model.trace import weights_sha256
from stochastor.model.trainer import predictions

CONFIG = Config(sizes=(9, 7, 4), epochs=3, seed=11)
TRAIN_SAMPLES = 2 * SAMPLES_PER_STEP + 6
STEPS_PER_EPOCH = 4  # three steps of samples and one call after the evaluation
TIMES = ("samples_per_second", "baseline_samples_per_second")


def make_dataset(seed=0):
    generator = np.random.default_rng(seed)
    return Dataset(
        name="synthetic",
        train_features=generator.integers(0, 256, (TRAIN_SAMPLES, 9), dtype=np.uint8),
        train_labels=generator.integers(0, 4, TRAIN_SAMPLES),
        test_features=generator.integers(0, 256, (20, 9), dtype=np.uint8),
        test_labels=generator.integers(0, 4, 20),
    )


@pytest.fixture
def dataset():
    return make_dataset()


@pytest.fixture
def run(tmp_path, dataset):
    return Run.create(tmp_path / "run", CONFIG, dataset, "synthetic")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    dataset = make_dataset()
    run = Run.create(tmp_path_factory.mktemp("runs") / "whole", CONFIG, dataset, "synthetic")
    run.train(dataset)
    return run


def interrupt_at(call):
    calls = 0

    def progress(run):
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt

    return progress


def assert_same_end(run, other):
    assert weights_sha256(run.trainer.weights()) == weights_sha256(other.trainer.weights())
    assert run.trainer.generator_states() == other.trainer.generator_states()
    for name, array in other.baseline.state().items():
        np.testing.assert_array_equal(run.baseline.state()[name], array)
    reports = [json.loads((r.path / Run.REPORT).read_text()) for r in (run, other)]
    for report in reports:
        for key in TIMES:
            del report[key]
    assert reports[0] == reports[1]


@pytest.mark.parametrize("call", range(1, CONFIG.epochs * STEPS_PER_EPOCH + 1))
def test_an_interrupted_run_ends_in_the_bits_of_an_uninterrupted_one(run, dataset, uninterrupted, call):
    with pytest.raises(KeyboardInterrupt):
        run.train(dataset, interrupt_at(call))
    resumed = Run.open(run.path)
    assert resumed.samples_trained == run.samples_trained
    resumed.train(dataset)
    assert_same_end(resumed, uninterrupted)


def test_a_run_interrupted_again_and_again_ends_in_the_same_bits(run, dataset, uninterrupted):
    for _ in range(CONFIG.epochs * STEPS_PER_EPOCH):
        with pytest.raises(KeyboardInterrupt):
            Run.open(run.path).train(dataset, interrupt_at(1))
    resumed = Run.open(run.path)
    resumed.train(dataset)
    assert_same_end(resumed, uninterrupted)


@pytest.mark.parametrize("evaluation", [1, 3, 4])
def test_an_interrupted_evaluation_is_made_again(run, dataset, uninterrupted, monkeypatch, evaluation):
    whole, evaluations = run.baseline.accuracy, 0

    def accuracy(features, labels):
        nonlocal evaluations
        evaluations += 1
        if evaluations == evaluation:
            raise KeyboardInterrupt
        return whole(features, labels)

    monkeypatch.setattr(run.baseline, "accuracy", accuracy)
    with pytest.raises(KeyboardInterrupt):
        run.train(dataset)
    resumed = Run.open(run.path)
    resumed.train(dataset)
    assert_same_end(resumed, uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_samples_under_way(run, dataset, uninterrupted, monkeypatch, number):
    train, samples = run.trainer.train, 0

    def signalled(features, labels, exponent):
        nonlocal samples
        samples += len(labels)
        if samples == 2 * SAMPLES_PER_STEP:
            os.kill(os.getpid(), number)
        return train(features, labels, exponent)

    monkeypatch.setattr(run.trainer, "train", signalled)
    with pytest.raises(Interrupted) as interrupted:
        run.train(dataset)
    assert interrupted.value.exit_code == 128 + number
    resumed = Run.open(run.path)
    assert resumed.samples_trained == samples
    resumed.train(dataset)
    assert_same_end(resumed, uninterrupted)


def test_training_leaves_the_signal_handlers_as_they_were(run, dataset):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run.train(dataset)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_state_is_saved_after_every_epoch(run, dataset):
    saved = []
    run.train(dataset, lambda run: saved.append((run.epoch, RunState.read(run.path / Run.STATE).epoch)))
    assert [on_disk for _, on_disk in saved] == [epoch for epoch, _ in saved]


def test_final_figures_are_those_of_the_saved_machine(uninterrupted, dataset):
    report = json.loads((uninterrupted.path / Run.REPORT).read_text())
    trainer = Run.open(uninterrupted.path).trainer
    for passes, key in ((VOTES, "test_accuracy_votes16"), (1, "test_accuracy_votes1")):
        votes = trainer.infer(dataset.test_features, passes)
        assert report[key] == np.mean(predictions(votes) == dataset.test_labels)
    assert report["weights_sha256"] == weights_sha256(trainer.weights())


def test_the_baseline_sees_the_same_samples_with_the_same_schedule(run, dataset, monkeypatch):
    seen = {"machine": [], "baseline": []}
    for name, learner in (("machine", run.trainer), ("baseline", run.baseline)):
        monkeypatch.setattr(
            learner, "train", lambda x, t, k, name=name: seen[name].append((x.tobytes(), t.tolist(), k))
        )
    run.train(dataset)
    assert seen["machine"] == seen["baseline"]
    assert sorted({k for _, _, k in seen["machine"]}) == [0, 1]


def test_resuming_a_finished_run_changes_nothing(uninterrupted, dataset):
    def files():
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in uninterrupted.path.iterdir()}

    before = files()
    run = Run.open(uninterrupted.path)
    run.train(dataset)
    assert run.finished
    assert files() == before


def test_a_run_in_use_is_not_overwritten(run, dataset):
    before = (run.path / Run.STATE).read_bytes()
    with pytest.raises(RunError, match="already holds a run; go on with --resume"):
        Run.create(run.path, CONFIG, dataset, "synthetic")
    assert (run.path / Run.STATE).read_bytes() == before


def test_a_run_makes_its_parents_and_takes_an_empty_directory(tmp_path, dataset):
    (tmp_path / "a/b").mkdir(parents=True)
    for path in (tmp_path / "a/b", tmp_path / "c/d/e"):
        Run.create(path, CONFIG, dataset, "synthetic")
        assert Run.open(path).config == CONFIG


@pytest.mark.parametrize(("kind", "message"), [("file", "is a file"), ("directory", "is not empty")])
def test_a_run_takes_no_place_that_is_in_use(tmp_path, dataset, kind, message):
    place = tmp_path / "place"
    if kind == "file":
        place.write_text("mine")
    else:
        (place / "mine").mkdir(parents=True)
    with pytest.raises(RunError, match=message):
        Run.create(place, CONFIG, dataset, "synthetic")


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(Run, "save", no_space)
    with pytest.raises(OSError, match="No space left"):
        Run.create(tmp_path / "run", CONFIG, dataset, "synthetic")
    assert list(tmp_path.iterdir()) == []


def no_space(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_crash_while_saving_keeps_the_state_before(run, dataset, monkeypatch, function):
    with pytest.raises(KeyboardInterrupt):
        run.train(dataset, interrupt_at(2))
    names, before = sorted(p.name for p in run.path.iterdir()), (run.path / Run.STATE).read_bytes()
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(OSError, match=r"No space left on device: '.*state\.npz'"):
        Run.open(run.path).train(dataset)
    assert (run.path / Run.STATE).read_bytes() == before
    assert sorted(p.name for p in run.path.iterdir()) == names


def test_a_state_cut_off_anywhere_is_named_as_damaged(run):
    state = run.path / Run.STATE
    content = state.read_bytes()
    for length in range(0, len(content), 97):
        state.write_bytes(content[:length])
        with pytest.raises(RunError, match=r"state\.npz: is damaged") as error:
            Run.open(run.path)
        assert "\n" not in str(error.value)


def test_a_flipped_bit_is_found_or_does_not_matter(run):
    state = run.path / Run.STATE
    content = state.read_bytes()
    whole = RunState.read(state)
    for position in range(0, len(content), 13):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        state.write_bytes(flipped)
        try:
            read = RunState.read(state)
        except RunError:
            continue
        assert (read.config, read.data, read.generator_states) == (whole.config, whole.data, whole.generator_states)
        assert weights_sha256(read.weights) == weights_sha256(whole.weights)


def rewrite(path, **changed):
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    for name, value in changed.items():
        if isinstance(value, dict):
            value = np.array(json.dumps(json.loads(str(arrays[name])) | value))
        arrays[name] = value
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    path.write_bytes(file.getvalue())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"record": {"format": 99}}, "has format 99, this version of stochastor reads format 1"),
        ({"record": {"epoch": 2}}, "is damaged"),
        ({"record": {"samples_done": -1}}, "is damaged"),
        ({"record": {"history": None}}, "is damaged"),
        ({"record": {"counts": {}}}, "is damaged"),
        ({"record": {"counts": Counts.none(3).to_dict()}}, "is damaged"),
        ({"record": {"counts": Counts.none(2).to_dict() | {"samples": -1}}}, "is damaged"),
        ({"record": np.array("[]")}, "is damaged"),
        ({"weights_2": None}, "is damaged"),
        ({"weights_2": np.zeros((3, 3), dtype=np.int32)}, r"weights of layer 2 must be integers \(8, 4\)"),
        ({"weights_1": np.full((10, 7), 128)}, "overflows weight_bits = 8"),
        ({"generator_states": np.zeros(6, dtype=np.uint32)}, "generator state 0 must be from 1"),
        ({"generator_states": np.ones(1, dtype=np.uint32)}, "generator states given"),
        ({"generator_states": np.ones(6, dtype=np.float64)}, "is damaged"),
        ({"baseline_weights1": None}, "the baseline's state must hold"),
        ({"record": np.array([object()])}, "is damaged"),
    ],
)
def test_a_state_that_cannot_be_is_named(run, changed, message):
    rewrite(run.path / Run.STATE, **changed)
    with pytest.raises(RunError, match=message) as error:
        Run.open(run.path)
    assert str(error.value).startswith(str(run.path / Run.STATE))


def test_a_state_of_before_there_were_ledgers_counts_from_there_on(run, dataset):
    with pytest.raises(KeyboardInterrupt):
        run.train(dataset, interrupt_at(1))
    with np.load(run.path / Run.STATE, allow_pickle=False) as archive:
        record = json.loads(str(archive["record"]))
    del record["counts"]
    rewrite(run.path / Run.STATE, record=np.array(json.dumps(record)))
    resumed = Run.open(run.path)
    assert resumed.ledger()["samples"] == 0
    resumed.train(dataset)
    assert resumed.ledger()["samples"] == resumed.samples_trained - SAMPLES_PER_STEP


def test_the_ledger_counts_every_sample_and_every_evaluation(uninterrupted):
    ledger = json.loads((uninterrupted.path / Run.REPORT).read_text())["ledger"]
    assert ledger["samples"] == CONFIG.epochs * TRAIN_SAMPLES
    assert ledger["passes"] == 20 * (VOTES * CONFIG.epochs + VOTES + 1)
    assert ledger == Run.open(uninterrupted.path).ledger()
    forward = next(events for events in ledger["events"] if (events["layer"], events["phase"]) == (1, "forward"))
    assert forward["comparisons"] == 7 * ledger["samples"]


@pytest.mark.parametrize(("name", "value"), [("epochs", 40), ("seed", 12), ("lanes", 3), ("sizes", (9, 8, 4))])
def test_another_config_is_refused(run, name, value):
    (run.path / Run.CONFIG).write_text(replace(CONFIG, **{name: value}).to_toml())
    with pytest.raises(RunError, match=rf"config\.toml: {name} = .*, but the run was begun with"):
        Run.open(run.path)


def test_a_damaged_config_is_named(run):
    (run.path / Run.CONFIG).write_text("sizes = [")
    with pytest.raises(RunError, match=r"config\.toml: is not TOML"):
        Run.open(run.path)


@pytest.mark.parametrize("name", [Run.CONFIG, Run.STATE])
def test_a_missing_file_is_named(run, name):
    (run.path / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        Run.open(run.path)


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(RunError, match="there is no such run"):
        Run.open(tmp_path / "none")


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        Run.open(tmp_path / "file")


def test_other_data_are_refused(run):
    with pytest.raises(RunError, match="was begun with other data"):
        run.train(make_dataset(seed=1))


def test_a_changed_test_sample_is_other_data(run, dataset):
    features = dataset.test_features.copy()
    features[-1, -1] ^= 1
    with pytest.raises(RunError, match="was begun with other data"):
        run.train(replace(dataset, test_features=features))


def test_data_of_another_shape_do_not_begin_a_run(tmp_path, dataset):
    with pytest.raises(DataError, match=r"features must be uint8 of shape \(samples, 8\)"):
        Run.create(tmp_path / "run", replace(CONFIG, sizes=(8, 7, 4)), dataset, "synthetic")
    assert not (tmp_path / "run").exists()


def test_moved_data_are_remembered(run, dataset):
    run.move_data("npz:elsewhere.npz")
    run.save()
    resumed = Run.open(run.path)
    assert resumed.data.source == "npz:elsewhere.npz"
    resumed.check_data(dataset)


def test_an_unfinished_run_has_no_report(run):
    with pytest.raises(RunError, match=r"is not finished \(0 of 3 epochs\): go on with"):
        run.report()


def test_the_run_directory_holds_nothing_else(uninterrupted):
    names = sorted(path.name for path in Path(uninterrupted.path).iterdir())
    assert names == sorted([Run.CONFIG, Run.STATE, Run.REPORT])


def test_a_long_run_is_evaluated_at_even_distances_and_at_its_end():
    for epochs in (1, 7, 50, 51, 120, 400, 403):
        recorded = [epoch for epoch in range(1, epochs + 1) if is_recorded(epoch, epochs)]
        assert recorded[-1] == epochs
        assert len(recorded) <= MOST_RECORDS + 1
        assert len(set(np.diff([0, *recorded[:-1]]))) <= 1
        assert epochs > MOST_RECORDS or len(recorded) == epochs
