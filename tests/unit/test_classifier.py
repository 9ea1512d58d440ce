import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import stochastor.model
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from stochastor.model import classifier as module
from stochastor.model.classifier import BinaryStochasticClassifier
from stochastor.model.config import Config
from stochastor.model.errors import ConfigError, DataError
from stochastor.model.schedule import exponent, sample_order
from stochastor.model.trainer import Trainer

RANDOM = np.random.default_rng(0)
BYTES = np.vstack([np.zeros(6), np.full(6, 255), RANDOM.integers(0, 256, (38, 6))]).astype(np.uint8)
LABELS = BYTES[:, :3].argmax(axis=1)
SMALL = {"hidden_layer_sizes": (5,), "epochs": 6, "random_state": 7}
MACHINE = Config(
    sizes=(6, 5, 3), weight_bits=10, scale=32, gate="fixed_window", input_draws=16, reference_bits=16, seed=7, epochs=6
)


def small(**parameters):
    return BinaryStochasticClassifier(**SMALL | parameters)


def state(estimator):
    return [w.tolist() for w in estimator.weights_], estimator.predict_proba(BYTES).tolist()


def assert_same_cells(estimator, trainer):
    for ours, theirs in zip(estimator.weights_, trainer.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def with_biases(*biases):
    """A classifier without hidden layer that sees nothing but its biases, in LSBs."""
    estimator = small(hidden_layer_sizes=()).partial_fit(BYTES[:3], [0, 1, 2], classes=range(len(biases)))
    weights = np.zeros((7, len(biases)), dtype=np.int64)
    weights[-1] = biases
    estimator._trainer.load([weights])
    return estimator


@parametrize_with_checks([BinaryStochasticClassifier()])
def test_it_keeps_the_conventions_of_scikit_learn(estimator, check):
    check(estimator)


class TestTraining:
    def test_fit_trains_to_the_bits_of_the_machine(self):
        trainer = Trainer(MACHINE)
        for epoch in range(6):
            order = sample_order(7, epoch, len(BYTES))
            trainer.train(BYTES[order], LABELS[order], exponent(epoch, 6))
        estimator = small().fit(BYTES, LABELS)
        assert estimator.config_ == MACHINE
        assert_same_cells(estimator, trainer)

    @pytest.mark.parametrize("k", [0, 2])
    def test_partial_fit_trains_in_the_order_given(self, k):
        trainer = Trainer(MACHINE)
        trainer.train(BYTES, LABELS, k)
        trainer.train(BYTES[::-1], LABELS[::-1], k)
        estimator = small(exponent=k).partial_fit(BYTES, LABELS, classes=[2, 1, 0])
        assert_same_cells(estimator.partial_fit(BYTES[::-1], LABELS[::-1]), trainer)

    def test_steps_do_not_change_the_bits(self, monkeypatch):
        whole = state(small().fit(BYTES, LABELS).partial_fit(BYTES, LABELS))
        monkeypatch.setattr(module, "SAMPLES_PER_STEP", 7)
        assert state(small().fit(BYTES, LABELS).partial_fit(BYTES, LABELS)) == whole

    def test_fit_begins_anew(self):
        estimator = small().fit(BYTES, LABELS)
        once = state(estimator)
        assert state(estimator.fit(BYTES[::-1], LABELS[::-1])) != once
        assert state(estimator.fit(BYTES, LABELS)) == once

    def test_partial_fit_goes_on_from_fit(self):
        fitted, more = small().fit(BYTES, LABELS), small().fit(BYTES, LABELS).partial_fit(BYTES, LABELS)
        fitted._trainer.train(BYTES, LABELS)
        assert state(more) == state(fitted)

    def test_the_machine_is_that_of_the_parameters(self):
        carry = {"weight_bits": 4, "carry_digits": 3, "carry_base": 4, "carry_period": 9}
        estimator = small(
            hidden_layer_sizes=np.array([4, 3]),
            scale=np.int64(16),
            gate="xor",
            input_draws=2,
            reference_bits=14,
            **carry,
        ).fit(BYTES, LABELS)
        assert estimator.config_ == Config(
            sizes=(6, 4, 3, 3), scale=16, gate="xor", input_draws=2, reference_bits=14, seed=7, epochs=6, **carry
        )
        assert [w.shape for w in estimator.weights_] == [(7, 12), (5, 9), (4, 9)]

    def test_one_hidden_layer_may_be_given_by_its_size(self):
        assert small(hidden_layer_sizes=4).fit(BYTES, LABELS).config_.sizes == (6, 4, 3)

    def test_verbose_prints_a_line_an_epoch(self, capsys):
        small(epochs=3, verbose=True).fit(BYTES, LABELS)
        assert capsys.readouterr().out.splitlines() == [
            "epoch 1 of 3, k = 0, trained 40",
            "epoch 2 of 3, k = 0, trained 80",
            "epoch 3 of 3, k = 1, trained 120",
        ]


class TestLearning:
    def test_the_defaults_learn_digits(self):
        train, test, train_labels, test_labels = train_test_split(*load_digits(return_X_y=True), random_state=0)
        estimator = BinaryStochasticClassifier(epochs=20, random_state=0).fit(train, train_labels)
        assert estimator.score(test, test_labels) > 0.95

    def test_the_defaults_learn_a_table_of_few_features(self):
        features, labels = load_iris(return_X_y=True)
        pipeline = make_pipeline(StandardScaler(), BinaryStochasticClassifier(random_state=0))
        assert cross_val_score(pipeline, features, labels, cv=3).mean() > 0.9

    def test_classes_may_be_words(self):
        features, labels = load_iris(return_X_y=True)
        names = np.array(["setosa", "versicolor", "virginica"])
        numbered, named = small().fit(features, labels), small().fit(features, names[labels])
        assert named.classes_.tolist() == names.tolist()
        np.testing.assert_array_equal(named.predict(features), names[numbered.predict(features)])

    def test_each_of_two_classes_has_a_column(self):
        estimator = small().fit(BYTES, LABELS > 0)
        assert estimator.config_.sizes == (6, 5, 2)
        assert estimator.predict_proba(BYTES).shape == (40, 2)

    def test_a_single_class_is_always_predicted(self):
        estimator = small().fit(BYTES, ["only"] * 40)
        assert set(estimator.predict(BYTES)) == {"only"}
        assert (estimator.predict_proba(BYTES) == 1).all()


@pytest.mark.filterwarnings("error")
class TestScaling:
    @pytest.fixture
    def seen(self, monkeypatch):
        """All features that reach the machine."""
        seen = []

        class Recorder(Trainer):
            def train(self, features, labels, exponent=0):
                seen.extend(features.tolist())
                return super().train(features, labels, exponent)

            def infer(self, features, passes=16):
                seen.extend(features.tolist())
                return super().infer(features, passes)

        monkeypatch.setattr(module, "make_trainer", Recorder)
        return seen

    def test_the_least_value_becomes_0_and_the_largest_255(self, seen):
        small().partial_fit([[-1.0, 10], [1.0, 30], [0.0, 15]], [0, 1, 0], classes=[0, 1])
        assert seen == [[0, 0], [255, 255], [128, 64]]

    def test_a_constant_feature_becomes_0(self, seen):
        estimator = small().partial_fit([[5, 0], [5, 1]], [0, 1], classes=[0, 1])
        estimator.predict([[9, 1]])
        assert seen == [[0, 0], [0, 255], [0, 255]]

    def test_later_values_outside_are_clipped(self, seen):
        estimator = small().partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
        estimator.partial_fit([[-0.5], [1e300]], [0, 1])
        estimator.predict([[-9.0], [2.0], [0.5]])
        assert seen[2:] == [[0], [255], [0], [255], [128]]

    def test_the_largest_floats_do_not_overflow(self, seen):
        largest = np.finfo(np.float64).max
        small().partial_fit([[-largest], [largest], [0.0]], [0, 1, 0], classes=[0, 1])
        assert seen == [[0], [255], [128]]


class TestPrediction:
    def test_probabilities_are_shares_of_the_votes(self):
        estimator = small(passes=50).fit(BYTES, LABELS)
        votes = np.concatenate([estimator._trainer.infer(sample[np.newaxis], 50) for sample in BYTES])
        assert votes.sum(axis=1).min() > 0
        np.testing.assert_array_equal(estimator.predict_proba(BYTES), votes / votes.sum(axis=1)[:, np.newaxis])

    def test_the_most_probable_class_is_predicted(self):
        estimator = small(epochs=1, passes=3).fit(BYTES, LABELS)
        shares = estimator.predict_proba(BYTES)
        assert (np.sort(shares)[:, -1] == np.sort(shares)[:, -2]).any()
        np.testing.assert_array_equal(estimator.predict(BYTES), shares.argmax(axis=1))

    def test_without_votes_all_classes_are_as_probable(self):
        estimator = with_biases(-500, -500, -500, -500)
        assert (estimator.predict_proba(BYTES) == 0.25).all()
        assert not estimator.predict(BYTES).any()

    def test_a_tie_goes_to_the_first_class(self):
        estimator = with_biases(-500, 500, 500)
        assert (estimator.predict_proba(BYTES) == [0, 0.5, 0.5]).all()
        assert (estimator.predict(BYTES) == 1).all()

    def test_it_does_not_depend_on_the_neighbours(self):
        estimator = small().fit(BYTES, LABELS)
        alone = [estimator.predict_proba(sample[np.newaxis])[0].tolist() for sample in BYTES]
        assert estimator.predict_proba(BYTES[::-1])[::-1].tolist() == alone

    def test_it_does_not_change_training(self):
        measured, blind = small().fit(BYTES, LABELS), small().fit(BYTES, LABELS)
        measured.predict(BYTES)
        assert state(measured.partial_fit(BYTES, LABELS)) == state(blind.partial_fit(BYTES, LABELS))


class TestSeed:
    @pytest.mark.parametrize("seed", [0, np.int32(5), 2**64 - 1])
    def test_a_whole_number_is_the_seed_of_the_machine(self, seed):
        assert small(random_state=seed).fit(BYTES, LABELS).config_.seed == seed

    def test_a_random_state_draws_it(self):
        seeds = [
            small(random_state=np.random.RandomState(state)).fit(BYTES, LABELS).config_.seed for state in (3, 3, 4)
        ]
        assert seeds[0] == seeds[1] != seeds[2]

    def test_none_draws_another_each_time(self):
        assert small(random_state=None).fit(BYTES, LABELS).config_.seed != (
            small(random_state=None).fit(BYTES, LABELS).config_.seed
        )

    def test_64_bits_are_drawn(self):
        random = np.random.RandomState(0)
        seeds = [small(epochs=1, random_state=random).fit(BYTES, LABELS).config_.seed for _ in range(12)]
        assert max(seeds) >= 1 << 62
        assert len({seed & 0xFFFFFFFF for seed in seeds}) == 12


class TestPickling:
    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda estimator: pickle.loads(pickle.dumps(estimator))])
    def test_a_copy_goes_on_exactly(self, copied):
        estimator = small().partial_fit(BYTES[:25], LABELS[:25], classes=[0, 1, 2])
        twin = copied(estimator)
        assert state(twin) == state(estimator)
        estimator.partial_fit(BYTES, LABELS)
        assert state(twin) != state(estimator)
        assert state(twin.partial_fit(BYTES, LABELS)) == state(estimator)

    def test_the_count_of_samples_goes_along(self):
        carry = {"weight_bits": 4, "scale": 8, "carry_digits": 2, "carry_base": 4, "carry_period": 17}
        estimator = small(**carry).partial_fit(BYTES[:25], LABELS[:25], classes=[0, 1, 2])
        twin = pickle.loads(pickle.dumps(estimator))
        assert state(twin.partial_fit(BYTES, LABELS)) == state(estimator.partial_fit(BYTES, LABELS))

    def test_an_unfitted_one_stays_unfitted(self):
        with pytest.raises(NotFittedError):
            pickle.loads(pickle.dumps(small())).predict(BYTES)


class TestTools:
    def test_a_clone_is_unfitted_and_learns_the_same(self):
        estimator = small().fit(BYTES, LABELS)
        other = clone(estimator)
        assert not hasattr(other, "weights_")
        assert state(other.fit(BYTES, LABELS)) == state(estimator)

    def test_a_search_may_try_numpy_numbers(self):
        search = GridSearchCV(small(), {"scale": np.array([16, 32]), "passes": np.arange(1, 3)}, cv=2)
        assert search.fit(BYTES, LABELS).predict(BYTES).shape == (40,)

    def test_jobs_do_not_change_the_scores(self):
        scores = [cross_val_score(small(), BYTES, LABELS, cv=2, n_jobs=jobs).tolist() for jobs in (1, 2)]
        assert scores[0] == scores[1]


class TestMisuse:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"hidden_layer_sizes": 0}, "hidden_layer_sizes must be a whole number from 1 to 65535, or a seq.* not 0"),
            ({"hidden_layer_sizes": (5, 2.5)}, "hidden_layer_sizes must be"),
            ({"hidden_layer_sizes": "12"}, "hidden_layer_sizes must be"),
            ({"hidden_layer_sizes": (True,)}, "hidden_layer_sizes must be"),
            ({"scale": 0}, "BinaryStochasticClassifier: scale must be a whole number from 1"),
            ({"gate": "garden"}, "BinaryStochasticClassifier: gate must be one of random_window, fixed_window, xor"),
            ({"epochs": 1.5}, "BinaryStochasticClassifier: epochs must be a whole number from 1"),
            ({"random_state": -1}, "random_state must be from 0 to 2.64 - 1, or not be a whole number, not -1"),
            ({"random_state": 2**64}, "random_state must be from 0"),
        ],
    )
    def test_an_impossible_parameter_is_named(self, parameters, message):
        with pytest.raises(ConfigError, match=message):
            small(**parameters).fit(BYTES, LABELS)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [({"passes": 256}, "passes must be from 1 to 255"), ({"exponent": 8}, "thinning exponent must be .* not 8")],
    )
    def test_nothing_is_begun_with_impossible_passes_or_exponent(self, parameters, message):
        estimator = small(**parameters)
        with pytest.raises(DataError, match=message):
            estimator.partial_fit(BYTES, LABELS, classes=[0, 1, 2])
        with pytest.raises(NotFittedError):
            estimator.predict(BYTES)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_samples_must_be_finite(self, value):
        samples = BYTES.astype(np.float64)
        samples[3, 3] = value
        estimator = small()
        with pytest.raises(ValueError, match="Input X contains"):
            estimator.fit(samples, LABELS)
        with pytest.raises(ValueError, match="Input X contains"):
            estimator.fit(BYTES, LABELS).predict(samples)

    def test_sparse_samples_are_refused(self):
        with pytest.raises(TypeError, match="Sparse data was passed"):
            small().fit(csr_array(BYTES), LABELS)

    def test_the_first_partial_fit_needs_classes(self):
        with pytest.raises(DataError, match="the first call of partial_fit needs classes"):
            small().partial_fit(BYTES, LABELS)

    def test_classes_cannot_change(self):
        estimator = small().partial_fit(BYTES, LABELS, classes=[0, 1, 2])
        estimator.partial_fit(BYTES, LABELS, classes=[2, 0, 1])
        with pytest.raises(DataError, match=r"classes must stay those of the first call, \[0, 1, 2\], not \[0, 1\]"):
            estimator.partial_fit(BYTES, LABELS, classes=[0, 1])

    def test_nothing_is_trained_with_a_label_of_no_class(self):
        estimator = small()
        with pytest.raises(ValueError, match="previously unseen labels"):
            estimator.partial_fit(BYTES, LABELS, classes=[0, 1])
        with pytest.raises(NotFittedError):
            estimator.predict(BYTES)
        before = state(estimator.fit(BYTES, LABELS))
        with pytest.raises(ValueError, match="previously unseen labels"):
            estimator.partial_fit(BYTES, LABELS + 1)
        assert state(estimator) == before


def test_the_model_imports_without_scikit_learn():
    program = "import sys, stochastor.model; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_model_offers_the_classifier():
    assert stochastor.model.BinaryStochasticClassifier is BinaryStochasticClassifier
    with pytest.raises(AttributeError, match=r"module 'stochastor\.model' has no attribute 'Other'"):
        stochastor.model.Other  # noqa: B018
