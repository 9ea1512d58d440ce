import json

import numpy as np
import pytest
from stochastor.model.baseline import FloatBaseline
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.errors import ConfigError, DataError
from stochastor.model.schedule import exponent, sample_order
from stochastor.model.studies import STUDY_NAMES, find_study
from stochastor.model.study import Figure, FloatLearner, MachineLearner, Outcome, Study
from stochastor.model.trainer import Trainer, predictions

SEED = 5
EPOCHS = 3
CONFIG = Config(sizes=(64, 12, 10), epochs=EPOCHS)
RATE = {"learning_rate": 0.1}


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("random", inputs=64, outputs=10)


def trained(learner, dataset):
    """What `learner` became after all epochs, in the order and with the schedule of a run."""
    for epoch in range(EPOCHS):
        order = sample_order(SEED, epoch, len(dataset.train_labels))
        learner.train(dataset.train_features[order], dataset.train_labels[order], exponent(epoch, EPOCHS))
    return learner


def test_a_machine_learns_in_a_study_as_in_a_run(dataset):
    outcome = MachineLearner(config=CONFIG, passes=(1, 5)).learn(dataset, SEED, lambda share: None)
    machine = trained(Trainer(Config(sizes=(64, 12, 10), epochs=EPOCHS, seed=SEED)), dataset)
    assert outcome.accuracy == {
        passes: np.mean(predictions(machine.infer(dataset.test_features, passes)) == dataset.test_labels)
        for passes in (1, 5)
    }
    assert outcome.samples == EPOCHS * len(dataset.train_labels)


def test_a_float_learner_learns_in_a_study_as_alone(dataset):
    outcome = FloatLearner(sizes=(64, 12, 10), epochs=EPOCHS, options=RATE).learn(dataset, SEED, lambda share: None)
    baseline = trained(FloatBaseline(sizes=(64, 12, 10), seed=SEED, **RATE), dataset)
    assert outcome.accuracy[0] == pytest.approx(baseline.accuracy(dataset.test_features, dataset.test_labels), abs=0.02)


def test_a_learning_curve_ends_at_the_last_epoch_and_progress_at_one(dataset):
    shares = []
    outcome = MachineLearner(config=CONFIG, passes=(16,)).learn(dataset, SEED, shares.append)
    assert [epoch for epoch, _ in outcome.curve] == [1, 2, 3]
    assert outcome.curve[-1][1] == outcome.accuracy[16]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_an_outcome_reads_back_from_its_json():
    outcome = Outcome(
        accuracy={1: 0.5, 16: 0.75}, curve=((1, 0.25), (3, 0.5)), seconds=1.5, samples=300, figures={"J": 1e-9}
    )
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


def test_data_that_does_not_fit_the_machine_is_refused(dataset):
    with pytest.raises(DataError, match="features must be uint8 of shape"):
        MachineLearner(config=Config(sizes=(63, 10))).learn(dataset, SEED, lambda share: None)


def test_a_validation_split_leaves_the_test_set_unread(dataset):
    study = Study(name="s", title="", data="random", validation=100, seeds=(0,), rows=())
    split = study.dataset(dataset)
    assert np.array_equal(split.test_features, dataset.train_features[-100:])
    assert np.array_equal(split.train_features, dataset.train_features[:-100])


def test_a_figure_is_the_mean_and_the_deviation_of_a_sample():
    assert Figure.of([0.5]) == Figure(mean=0.5, deviation=None)
    assert Figure.of([0.25, 0.75]) == Figure(mean=0.5, deviation=pytest.approx(0.125**0.5))


@pytest.mark.parametrize("name", STUDY_NAMES)
def test_rows_of_a_study_are_told_apart_by_their_names(name):
    names = [(row.group, row.label) for row in find_study(name).rows]
    assert len(names) == len(set(names)) > 1


@pytest.mark.parametrize("name", STUDY_NAMES)
def test_settings_are_compared_on_validation_and_results_read_the_test_set(name):
    assert find_study(name).validation == (10_000 if name == "ablations" else 0)
    assert len(find_study(name).seeds) >= 3


def test_an_unknown_study_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="nothing to reproduce called 'cifar'; there are mnist, fashion, ablations"):
        find_study("cifar")
