import warnings

import numpy as np
import pytest
from stochastor.model import baseline as baseline_module
from stochastor.model.baseline import FloatBaseline
from stochastor.model.data import load_dataset
from stochastor.model.dropout import Dropout
from stochastor.model.errors import ConfigError, DataError, RunError

SIZES = (6, 5, 4, 3)
FEATURES = load_dataset("random", inputs=6, outputs=3).train_features[:40]
LABELS = load_dataset("random", inputs=6, outputs=3).train_labels[:40]


def small(**parameters):
    return FloatBaseline(**({"sizes": SIZES, "learning_rate": 0.5, "seed": 1} | parameters))


def without_numba(monkeypatch, **parameters):
    with monkeypatch.context() as patch:
        patch.setattr(baseline_module, "_kernels", lambda: None)
        return small(**parameters)


def loss(state, sample, label, factors=(1, 1, 1)):
    """Cross-entropy by the book, float64; `factors` multiply the inputs and each layer's hidden units."""
    *hidden, output = (weights for name, weights in state.items() if name.startswith("weights"))
    signals = sample / 255 * factors[0]
    for weights, factor in zip(hidden, factors[1:], strict=False):
        signals = factor / (1 + np.exp(-(signals @ weights[:-1] + weights[-1])))
    scores = signals @ output[:-1] + output[-1]
    return np.log(np.exp(scores).sum()) - scores[label]


def slopes(state, name, sample, label, factors=(1, 1, 1), nudge=1e-5):
    """Central differences of `loss` by every weight of `name`."""
    result = np.zeros_like(state[name])
    for index in np.ndindex(result.shape):
        sides = []
        for sign in (1, -1):
            moved = {key: weights.copy() for key, weights in state.items()}
            moved[name][index] += sign * nudge
            sides.append(loss(moved, sample, label, factors))
        result[index] = (sides[0] - sides[1]) / (2 * nudge)
    return result


def assert_same_state(one, other):
    for name, weights in one.state().items():
        np.testing.assert_array_equal(weights, other.state()[name])


class TestTraining:
    @pytest.mark.parametrize("name", ["weights1", "weights2", "weights3"])
    def test_a_step_goes_down_the_slope_of_the_cross_entropy(self, name):
        baseline = small(gain=2.0)
        before = {key: weights.astype(np.float64) for key, weights in baseline.state().items()}
        baseline.train(FEATURES[:1], LABELS[:1])
        step = baseline.state()[name] - before[name]
        np.testing.assert_allclose(step, -0.5 * slopes(before, name, FEATURES[0], LABELS[0]), rtol=1e-3, atol=1e-7)

    @pytest.mark.parametrize("k", [1, 4])
    def test_k_halves_the_rate_k_times(self, k):
        thinned, slow = small(), small(learning_rate=0.5 / 2**k)
        thinned.train(FEATURES, LABELS, k)
        slow.train(FEATURES, LABELS)
        assert_same_state(thinned, slow)

    def test_the_default_rate_falls_with_the_root_of_the_inputs(self):
        assert FloatBaseline(sizes=(64, 128, 10), seed=0).learning_rate == 0.375
        assert FloatBaseline(sizes=(256, 128, 10), seed=0).learning_rate == 0.1875

    def test_samples_are_taken_one_at_a_time_in_the_order_given(self):
        at_once, singly = small(), small()
        at_once.train(FEATURES, LABELS)
        for index in range(len(LABELS)):
            singly.train(FEATURES[index : index + 1], LABELS[index : index + 1])
        assert_same_state(at_once, singly)

    def test_inputs_at_zero_leave_their_weights_alone(self):
        baseline = small()
        before = baseline.state()["weights1"]
        baseline.train(np.array([[9, 0, 9, 0, 9, 9]], dtype=np.uint8), LABELS[:1])
        moved = (baseline.state()["weights1"] != before).all(axis=1)
        assert moved.tolist() == [True, False, True, False, True, True, True]

    def test_the_default_learns_digits(self):
        dataset = load_dataset("digits")
        baseline = FloatBaseline(sizes=(64, 32, 10), seed=0)
        for _ in range(5):
            baseline.train(dataset.train_features, dataset.train_labels)
        assert baseline.accuracy(dataset.test_features, dataset.test_labels) > 0.93

    def test_huge_weights_raise_no_warning(self):
        baseline = small(gain=1e6)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            baseline.train(FEATURES, LABELS)
            baseline.predict(FEATURES)

    def test_a_network_without_hidden_layer_trains(self):
        baseline = small(sizes=(6, 3))
        for _ in range(50):
            baseline.train(FEATURES, FEATURES[:, :3].argmax(axis=1))
        assert baseline.accuracy(FEATURES, FEATURES[:, :3].argmax(axis=1)) > 0.9


class TestKernels:
    @pytest.mark.parametrize("options", [{}, {"dropout": 0.4}, {"input_dropout": 0.3, "dropout": 0.25}])
    @pytest.mark.parametrize("sizes", [(6, 3), (6, 5, 3), SIZES])
    def test_they_agree_with_numpy_but_for_rounding(self, monkeypatch, sizes, options):
        fast, plain = small(sizes=sizes, **options), without_numba(monkeypatch, sizes=sizes, **options)
        for k in (0, 2):
            fast.train(FEATURES, LABELS, k)
            plain.train(FEATURES, LABELS, k)
        for name, values in fast.state().items():
            np.testing.assert_allclose(values, plain.state()[name], rtol=1e-4, atol=1e-5)

    def test_without_numba_the_baseline_trains(self, monkeypatch):
        baseline = without_numba(monkeypatch)
        before = baseline.state()["weights1"]
        baseline.train(FEATURES, LABELS)
        assert (baseline.state()["weights1"] != before).any()

    def test_samples_need_not_be_contiguous_or_writable(self):
        strided, plain = small(), small()
        features, labels = FEATURES[::2], LABELS[::2]
        features.flags.writeable = False
        strided.train(features, labels)
        plain.train(features.copy(), labels.copy())
        assert_same_state(strided, plain)


class TestBatches:
    @pytest.mark.parametrize("name", ["weights1", "weights2", "weights3"])
    @pytest.mark.parametrize("count", [4, 3])
    def test_a_step_goes_down_the_mean_slope_of_its_batch(self, name, count):
        baseline = small(gain=2.0, batch=4)
        before = {key: weights.astype(np.float64) for key, weights in baseline.state().items()}
        baseline.train(FEATURES[:count], LABELS[:count])
        step = baseline.state()[name] - before[name]
        mean = np.mean([slopes(before, name, FEATURES[i], LABELS[i]) for i in range(count)], axis=0)
        np.testing.assert_allclose(step, -0.5 * mean, rtol=1e-3, atol=1e-6)

    def test_momentum_goes_on_with_a_share_of_the_last_step(self):
        baseline, plain = small(batch=8, momentum=0.75), small(batch=8)
        before = baseline.state()
        baseline.train(FEATURES[:8], LABELS[:8])
        first = baseline.state()
        plain.restore({name: values for name, values in first.items() if name.startswith("weights")})
        baseline.train(FEATURES[8:16], LABELS[8:16])
        plain.train(FEATURES[8:16], LABELS[8:16])
        for name, weights in plain.state().items():
            expected = weights + 0.75 * (first[name] - before[name])
            np.testing.assert_allclose(baseline.state()[name], expected, rtol=1e-4, atol=1e-6)

    def test_k_halves_the_rate_of_batches_too(self):
        thinned, slow = small(batch=8), small(batch=8, learning_rate=0.125)
        thinned.train(FEATURES, LABELS, 2)
        slow.train(FEATURES, LABELS)
        assert_same_state(thinned, slow)


class TestDropout:
    RATES = np.array([0.25] * 6 + [0.5] * 9)

    def factors(self, seed=1):
        kept = Dropout(seed, self.RATES).draw(1)[0] / (1 - self.RATES)
        return kept[:6], kept[6:11], kept[11:]

    @pytest.mark.parametrize("name", ["weights1", "weights2", "weights3"])
    @pytest.mark.parametrize("batch", [1, 2])
    def test_a_step_goes_down_the_slope_of_what_is_kept(self, name, batch):
        baseline = small(gain=2.0, dropout=0.5, input_dropout=0.25, batch=batch)
        before = {key: weights.astype(np.float64) for key, weights in baseline.state().items() if key[:7] == "weights"}
        baseline.train(FEATURES[:1], LABELS[:1])
        step = baseline.state()[name] - before[name]
        slope = slopes(before, name, FEATURES[0], LABELS[0], self.factors())
        np.testing.assert_allclose(step, -0.5 * slope, rtol=1e-3, atol=1e-6)
        assert (step == 0).any()

    def test_units_are_dropped_at_their_rates(self):
        rates = np.array([0.0, 0.1, 0.5, 0.9])
        kept = Dropout(7, rates).draw(20_000)
        np.testing.assert_allclose(kept.mean(axis=0), 1 - rates, atol=0.015)  # four deviations

    def test_masks_do_not_depend_on_how_samples_are_cut(self):
        whole, parts = Dropout(7, self.RATES), Dropout(7, self.RATES)
        np.testing.assert_array_equal(whole.draw(9), np.concatenate([parts.draw(4), parts.draw(5)]))

    def test_nothing_is_dropped_in_prediction(self):
        dropping, whole = small(dropout=0.5, input_dropout=0.25), small()
        dropping.train(FEATURES, LABELS)
        whole.restore({name: values for name, values in dropping.state().items() if name.startswith("weights")})
        np.testing.assert_array_equal(dropping.predict(FEATURES), whole.predict(FEATURES))
        assert dropping.state()["samples_dropped_out"] == len(FEATURES)


class TestPrediction:
    def trained(self):
        baseline = small(sizes=(6, 5, 3))
        for _ in range(50):
            baseline.train(FEATURES, FEATURES[:, :3].argmax(axis=1))
        assert len(set(baseline.predict(FEATURES).tolist())) == 3
        return baseline

    def test_it_is_the_class_of_least_cross_entropy(self):
        baseline = self.trained()
        losses = [[loss(baseline.state(), sample, label) for label in range(3)] for sample in FEATURES]
        np.testing.assert_array_equal(baseline.predict(FEATURES), np.argmin(losses, axis=1))

    def test_it_does_not_depend_on_the_batch(self):
        baseline = self.trained()
        many = np.tile(FEATURES, (60, 1))
        np.testing.assert_array_equal(baseline.predict(many), np.tile(baseline.predict(FEATURES), 60))

    def test_it_changes_nothing(self):
        measured, blind = small(), small()
        measured.predict(FEATURES)
        measured.train(FEATURES, LABELS)
        blind.train(FEATURES, LABELS)
        assert_same_state(measured, blind)

    def test_accuracy_is_the_fraction_predicted(self):
        baseline = small()
        labels = baseline.predict(FEATURES)
        labels[:10] = (labels[:10] + 1) % 3
        assert baseline.accuracy(FEATURES, labels) == 0.75


class TestInitialWeights:
    def test_they_are_the_published_ones(self):
        first = small(gain=2.0).state()["weights1"][0, :4]
        words = np.array([0xC1699321, 0xA3FC636E, 0x8088547E, 0x59A56885])  # Philox4x32-10, key 1, counter 0 0 1 2^32-1
        np.testing.assert_array_equal(first, (((2 * words + 1) / 2**32 - 1) * 2.0 / np.sqrt(6)).astype(np.float32))

    def test_they_fill_the_range_and_no_more(self):
        weights = FloatBaseline(sizes=(100, 200, 10), gain=3.0, seed=0).state()["weights1"][:-1]
        assert 0.299 < weights.max() <= 0.3
        assert -0.3 <= weights.min() < -0.299
        assert abs(weights.mean()) < 0.004

    def test_biases_start_at_zero(self):
        assert not any(weights[-1].any() for weights in small().state().values())

    def test_seeds_and_layers_differ(self):
        square = small(sizes=(6, 6, 6)).state()
        assert not np.array_equal(square["weights1"], square["weights2"])
        assert not np.array_equal(square["weights1"], small(sizes=(6, 6, 6), seed=2).state()["weights1"])


class TestState:
    @pytest.mark.parametrize(
        "options", [{}, {"dropout": 0.5}, {"batch": 5, "momentum": 0.9}, {"batch": 5, "input_dropout": 0.5}]
    )
    def test_a_restored_run_goes_on_as_an_uninterrupted_one(self, options):
        whole, first = small(**options), small(**options)
        second = small(gain=1.0, **options)  # masks are the seed's, not the state's
        whole.train(FEATURES, LABELS)
        first.train(FEATURES[:15], LABELS[:15])
        second.restore(first.state())
        second.train(FEATURES[15:], LABELS[15:])
        assert_same_state(whole, second)

    def test_it_is_a_copy(self):
        baseline = small()
        state = baseline.state()
        before = state["weights1"].copy()
        baseline.train(FEATURES, LABELS)
        np.testing.assert_array_equal(state["weights1"], before)

    def test_restoring_copies_too(self):
        baseline, state = small(), small(seed=2).state()
        baseline.restore(state)
        state["weights1"][:] = 0
        assert baseline.state()["weights1"].any()

    def test_a_negative_number_of_samples_is_refused(self):
        baseline = small(dropout=0.5)
        state = baseline.state() | {"samples_dropped_out": np.array(-1)}
        with pytest.raises(RunError, match="samples_dropped_out of the baseline must be 0 or more, not -1"):
            baseline.restore(state)

    def test_missing_weights_are_named(self):
        state = small().state()
        del state["weights2"]
        with pytest.raises(RunError, match="must hold weights1, weights2, weights3, not weights1, weights3"):
            small().restore(state)

    @pytest.mark.parametrize("weights", [np.zeros((5, 4), np.float32), np.zeros((6, 4), np.float64)])
    def test_weights_of_another_network_change_nothing(self, weights):
        baseline = small()
        state = small(seed=2).state() | {"weights2": weights}
        with pytest.raises(RunError, match=r"weights2 of the baseline must be float32 \(6, 4\), not"):
            baseline.restore(state)
        assert_same_state(baseline, small())


class TestMisuse:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"sizes": (6,)}, "sizes must list"),
            ({"sizes": (6, 0)}, "sizes must list"),
            ({"learning_rate": 0.0}, "learning_rate must be a positive number"),
            ({"learning_rate": float("nan")}, "learning_rate must be a positive number"),
            ({"gain": float("inf")}, "gain must be a positive number"),
            ({"seed": -1}, "seed must be from 0"),
            ({"dropout": 1.0}, "dropout must be from 0 to less than 1"),
            ({"input_dropout": -0.1}, "input_dropout must be from 0 to less than 1"),
            ({"batch": 0}, "batch must be 1 or more"),
            ({"batch": 8, "momentum": 1.0}, "momentum must be from 0 to less than 1"),
            ({"momentum": 0.9}, "momentum must be 0 at batch 1"),
            ({"seed": 1 << 64}, "seed must be from 0"),
        ],
    )
    def test_impossible_parameters_are_named(self, parameters, message):
        with pytest.raises(ConfigError, match=message):
            small(**parameters)

    @pytest.mark.parametrize("features", [FEATURES[:, :5], FEATURES[0], FEATURES / 255])
    def test_features_of_another_kind_are_refused(self, features):
        with pytest.raises(DataError, match=r"features must be uint8 of shape \(samples, 6\), not"):
            small().predict(features)

    @pytest.mark.parametrize("label", [-1, 3])
    def test_a_label_out_of_range_is_located_before_anything_is_learned(self, label):
        baseline, labels = small(), LABELS.copy()
        labels[7] = label
        with pytest.raises(DataError, match=f"label {label} of sample 7 must be from 0 to 2"):
            baseline.train(FEATURES, labels)
        assert_same_state(baseline, small())

    def test_a_label_for_each_sample_is_needed(self):
        with pytest.raises(DataError, match=r"labels must be of shape \(40,\)"):
            small().accuracy(FEATURES, LABELS[:1])

    def test_k_cannot_be_negative(self):
        with pytest.raises(DataError, match="k must be 0 or more, not -1"):
            small().train(FEATURES, LABELS, -1)
