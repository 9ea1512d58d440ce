from dataclasses import replace

import numpy as np
import pytest
from stochastor.model.baseline import FloatBaseline
from stochastor.model.data import load_dataset
from stochastor.model.errors import ConfigError, DataError
from stochastor.model.schedule import sample_order
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.in_situ import InSituBackpropagation
from stochastor.sim.array.in_situ_arrays import Rounding
from stochastor.sim.array.wiring import Wires

SIZES = (30, 13, 7, 9)
NOISY = {"step_spread": 0.3, "mismatch_spread": 0.1, "bound_spread": 0.1, "stuck_on": 0.02}
MANY = {"weight_bits": 15, "scale": 1024.0, "most_pulses": 1 << 15}


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def samples(count, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 256, (count, SIZES[0]), dtype=np.uint8) * rng.integers(0, 2, SIZES[0], dtype=np.uint8)
    return features, rng.integers(0, SIZES[-1], count)


def learner(**options):
    array = replace(ARRAYS["taox"], device=replace(ARRAYS["taox"].device, **NOISY), seed=2**40 + 5)
    return InSituBackpropagation(**{"sizes": SIZES, "array": array, "scale": 12.0, "seed": 2**35 + 3} | options)


def trained(learner, count=60):
    features, labels = samples(count)
    learner.train(features[: count // 2], labels[: count // 2])
    learner.train(features[count // 2 :], labels[count // 2 :], 2)
    return learner


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("most_pulses", [1, 3])
def test_compiled_loops_leave_the_conductances_of_the_plain_learner(rounding, output, most_pulses):
    options = {"rounding": rounding, "output": output, "most_pulses": most_pulses, "learning_rate": 0.5}
    fast, plain = trained(learner(**options)), trained(learner(**options, compiled=False))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    assert fast.pulses() == plain.pulses()
    assert fast.pulses().pulses > 200


HISTORIES = [
    {"drift": 0.3, "drift_spread": 0.1, "drift_t0_s": 1e-3},
    {"trap_share": 0.5, "trap_amplitude": 0.5, "trap_samples": 9},
    {"endurance": 3},
    {"half_select": 0.1},
    {"wires": Wires(row_ohm=200.0, column_ohm=100.0, refresh=13)},
]


@pytest.mark.parametrize("values", HISTORIES)
def test_it_reads_what_time_use_and_wires_leave_of_devices_alike_in_both(values):
    wires = {"wires": values["wires"]} if "wires" in values else {}
    device = replace(ARRAYS["taox"].device, **({} if wires else values))
    array = replace(ARRAYS["taox"], device=device, tick_samples=7, **wires)
    options = {"array": array, "learning_rate": 0.5}
    fast, plain, calm = (
        trained(learner(**each))
        for each in (options, options | {"compiled": False}, options | {"array": ARRAYS["taox"]})
    )
    for name in ("conductances", "weights"):
        ours, theirs, others = (getattr(each, name)() for each in (fast, plain, calm))
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(ours, others, strict=True))


def test_on_devices_of_very_many_states_it_is_float_backpropagation(digits):
    sizes, rate = (64, 32, 10), 0.3
    array = InSituBackpropagation(
        sizes=sizes, array=ARRAYS["ideal"], seed=4, learning_rate=rate, rounding=Rounding.ACCUMULATED, **MANY
    )
    floats = FloatBaseline(sizes=sizes, learning_rate=rate, seed=4)
    order = sample_order(0, 0, 400)
    for k in (0, 1):
        array.train(digits.train_features[order], digits.train_labels[order], k)
        floats.train(digits.train_features[order], digits.train_labels[order], k)
    begun = FloatBaseline(sizes=sizes, seed=4).state()
    for layer, weights in enumerate(array.weights(), start=1):
        wanted = floats.state()[f"weights{layer}"]
        assert np.abs(wanted - begun[f"weights{layer}"]).max() > 0.5
        assert np.abs(weights - wanted).max() < 0.02
        assert np.abs(weights - wanted).mean() < 0.005
    assert np.mean(array.predict(digits.test_features) == floats.predict(digits.test_features)) > 0.99


@pytest.mark.parametrize("rounding", [Rounding.THRESHOLD, Rounding.STOCHASTIC])
def test_whole_pulses_on_ideal_devices_come_close_to_float_training(digits, rounding):
    sizes = (64, 32, 10)
    array = InSituBackpropagation(
        sizes=sizes, array=ARRAYS["ideal"], seed=0, learning_rate=0.375, rounding=rounding, **MANY
    )
    floats = FloatBaseline(sizes=sizes, seed=0)
    for epoch in range(5):
        order = sample_order(0, epoch, len(digits.train_labels))
        for each in (array, floats):
            each.train(digits.train_features[order], digits.train_labels[order])
    accuracies = [each.accuracy(digits.test_features, digits.test_labels) for each in (array, floats)]
    assert accuracies[1] > 0.93
    assert accuracies[0] > accuracies[1] - 0.01


def step(rounding, change, **options):
    """Cells that one sample moved a weight by: bias rows see rate times error, which is 0.5 of two sigmoid outputs."""
    one = InSituBackpropagation(
        sizes=(1, 2),
        array=ARRAYS["ideal"],
        scale=1.0,
        learning_rate=2 * change,
        rounding=rounding,
        output="sigmoid",
        gain=1e-9,
        **{"seed": 0} | options,
    )
    moved = []
    for _ in range(3):
        one.train(np.zeros((1, 1), dtype=np.uint8), np.array([0]))
        moved.append(one.weights()[0][1].round().astype(int).tolist())
        one._machine.load([np.zeros((2, 2), dtype=np.int32)])
    return moved


def test_a_threshold_rounds_up_from_itself_on():
    assert step(Rounding.THRESHOLD, 0.4, most_pulses=9) == [[0, 0]] * 3
    assert step(Rounding.THRESHOLD, 0.6, most_pulses=9) == [[1, -1]] * 3
    assert step(Rounding.THRESHOLD, 0.4, most_pulses=9, threshold=0.3) == [[1, -1]] * 3
    assert step(Rounding.THRESHOLD, 2.4, most_pulses=9) == [[2, -2]] * 3


def test_no_change_becomes_more_pulses_than_allowed():
    assert step(Rounding.THRESHOLD, 5, most_pulses=3) == [[3, -3]] * 3


def test_what_is_accumulated_is_pulsed_when_a_whole_step_is_due():
    assert step(Rounding.ACCUMULATED, 0.375, most_pulses=9) == [[0, 0], [0, 0], [1, -1]]
    assert step(Rounding.ACCUMULATED, 1.5, most_pulses=1) == [[1, -1]] * 3
    assert step(Rounding.ACCUMULATED, 1.5, most_pulses=9) == [[1, -1], [2, -2], [1, -1]]


def test_stochastic_rounding_has_the_mean_that_was_wanted():
    moved = np.array([step(Rounding.STOCHASTIC, 1.25, most_pulses=9, seed=seed) for seed in range(100)])
    assert set(np.abs(moved).ravel()) == {1, 2}
    assert abs(np.abs(moved).mean() - 1.25) < 0.06
    assert (moved[..., 0] != -moved[..., 1]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounding": "nearest"}, "rounding must be one of threshold, stochastic, accumulated, not 'nearest'"),
        ({"threshold": 0}, "threshold must be more than 0 and at most 1 LSB, not 0"),
        ({"most_pulses": 0}, "most_pulses must be from 1 to 32,768, not 0"),
        ({"output": "linear"}, "output must be one of softmax, sigmoid"),
        ({"scale": float("nan")}, "scale must be a positive number, not nan"),
        ({"weight_bits": 8}, "lower weight_bits to 7"),
    ],
)
def test_impossible_options_are_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        learner(**options)


def test_samples_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="features must be uint8"):
        learner().train(np.zeros((1, 3), dtype=np.uint8), np.array([0]))
    with pytest.raises(DataError, match="k must be 0 or more"):
        learner().train(*samples(1), -1)
