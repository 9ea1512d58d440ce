"""The compiled hardware is the golden model by another name."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from stochastor.cli.build_cycles import measure_cycles
from stochastor.hdl.cycles import sample_cycles
from stochastor.model.config import Config, preset
from stochastor.model.data import load_dataset
from stochastor.model.errors import DataError, RunError
from stochastor.model.schedule import exponent, sample_order
from stochastor.model.trainer import Trainer
from stochastor.sim.compiled import CompiledTrainer

TINY = preset("tiny")


DRAWS = replace(TINY, epochs=4, input_draws=3, reference_bits=16)
CARRY = replace(TINY, epochs=4, weight_bits=4, scale=28, carry_digits=2, carry_base=7, carry_period=10)


@pytest.fixture
def hardware() -> Iterator[CompiledTrainer]:
    with CompiledTrainer(TINY) as trainer:
        yield trainer


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_dataset("digits")
    return data.train_features, data.train_labels


def assert_same(hardware: CompiledTrainer, model: Trainer) -> None:
    for ours, theirs in zip(model.weights(), hardware.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert hardware.generator_states() == model.generator_states()
    assert hardware.samples_trained == model.samples_trained


def test_a_whole_run_ends_in_the_weights_of_the_model(
    hardware: CompiledTrainer, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    features, labels = digits
    model = Trainer(TINY)
    for epoch in range(TINY.epochs):
        order = sample_order(TINY.seed, epoch, len(labels))
        k = exponent(epoch, TINY.epochs)
        outputs = hardware.train(features[order], labels[order], k)
        traces = model.train(features[order], labels[order], k)
        np.testing.assert_array_equal(outputs, [trace.outputs for trace in traces])
    assert_same(hardware, model)


@pytest.mark.parametrize("config", [DRAWS, CARRY], ids=["input draws", "carry"])
def test_runs_of_other_machines_end_in_the_bits_of_the_model_too(
    config: Config, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    features, labels = digits
    model = Trainer(config)
    with CompiledTrainer(config) as hardware:
        for epoch in range(2):
            order = sample_order(config.seed, epoch, len(labels))[:705]
            k = 2 * epoch
            outputs = hardware.train(features[order], labels[order], k)
            traces = model.train(features[order], labels[order], k)
            np.testing.assert_array_equal(outputs, [trace.outputs for trace in traces])
        assert_same(hardware, model)
        np.testing.assert_array_equal(hardware.infer(features[:20], 5), model.infer(features[:20], 5))
    if config.carry_digits > 1:
        assert sum(len(layer.carried_up) for trace in traces for layer in trace.layers) > 0
    with CompiledTrainer(config) as restored:
        restored.restore(model.weights(), model.generator_states(), model.samples_trained)
        for trainer in (restored, model):
            trainer.train(features[:33], labels[:33])
        assert_same(restored, model)


def test_votes_are_those_of_the_model(hardware: CompiledTrainer, digits: tuple[np.ndarray, np.ndarray]) -> None:
    features, _ = digits
    model = Trainer(TINY)
    for passes in (1, 2, 16):
        np.testing.assert_array_equal(hardware.infer(features[:20], passes), model.infer(features[:20], passes))


def test_inference_changes_nothing_of_training(
    hardware: CompiledTrainer, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    features, labels = digits
    model = Trainer(TINY)
    for part in (slice(0, 30), slice(30, 60)):
        hardware.train(features[part], labels[part])
        hardware.infer(features[:10], 3)
        model.train(features[part], labels[part])
    assert_same(hardware, model)


def test_a_restored_machine_goes_on_bit_for_bit(digits: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = digits
    model = Trainer(TINY)
    model.train(features[:40], labels[:40], 1)
    with CompiledTrainer(replace(TINY, epochs=7)) as hardware:
        hardware.restore(model.weights(), model.generator_states(), model.samples_trained)
        assert_same(hardware, model)
        hardware.train(features[40:80], labels[40:80], 2)
        model.train(features[40:80], labels[40:80], 2)
        assert_same(hardware, model)


def test_stalls_do_not_change_training_or_votes(digits: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = digits
    model = Trainer(TINY)
    with CompiledTrainer(TINY, stalls=0.4) as hardware:
        hardware.train(features[:60], labels[:60])
        model.train(features[:60], labels[:60])
        assert_same(hardware, model)
        np.testing.assert_array_equal(hardware.infer(features[:5], 4), model.infer(features[:5], 4))


def test_counters_are_those_of_the_model(hardware: CompiledTrainer, digits: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = digits
    hardware.train(features[:50], labels[:50])
    hardware.infer(features[:4], 3)
    model = Trainer(TINY)
    traces = model.train(features[:50], labels[:50])
    model.infer(features[:4], 3)
    counters = hardware.counters()
    infer_cycles = counters.pop("busy_cycles") - sum(sample_cycles(TINY, trace) for trace in traces)
    assert counters == model.counts.to_dict()
    assert (counters["samples"], counters["passes"]) == (50, 12)
    assert infer_cycles > 12 * 50


def test_a_trace_is_the_one_of_the_model(hardware: CompiledTrainer, digits: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = digits
    ours = Trainer(TINY).train_sample(features[0], int(labels[0]))
    theirs = hardware.train_sample(features[0], int(labels[0]))
    assert (ours.number, ours.label, ours.exponent) == (theirs.number, theirs.label, theirs.exponent)
    for expected, actual in zip(ours.layers, theirs.layers, strict=True):
        for stage in expected.STAGES:
            np.testing.assert_array_equal(getattr(expected, stage), getattr(actual, stage))


def test_what_does_not_fit_is_refused_as_by_the_model(hardware: CompiledTrainer) -> None:
    features = np.zeros((1, 64), dtype=np.uint8)
    with pytest.raises(DataError, match="passes must be from 1 to 255"):
        hardware.infer(features, 0)
    with pytest.raises(DataError, match="label 10"):
        hardware.train(features, [10])
    with pytest.raises(DataError, match="features must be uint8"):
        hardware.train(features[:, 1:], [0])
    with pytest.raises(RunError, match="overflows"):
        hardware.load([matrix * 100 for matrix in hardware.weights()])
    with pytest.raises(RunError, match="generator states"):
        hardware.restore(hardware.weights(), [1], 0)


def test_a_build_counts_the_cycles_of_the_first_samples_in_their_order(hardware: CompiledTrainer) -> None:
    data = load_dataset("digits")
    measured = measure_cycles(TINY, data, 20)
    order = sample_order(TINY.seed, 0, len(data.train_labels))[:20]
    hardware.train(data.train_features[order], data.train_labels[order])
    assert measured.per_sample == hardware.cycles / 20
    assert measured.how == "in compiled simulation, over the first 20 samples of digits"
