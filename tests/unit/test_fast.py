"""The compiled loops against the plain golden model: the same bits for every machine."""

import builtins
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastor.model.config import Config, Gate
from stochastor.model.errors import DataError, RunError
from stochastor.model.fast import FastTrainer, make_trainer
from stochastor.model.machine import make_machine, make_scratch
from stochastor.model.trainer import Trainer, power_up_weights
from test_trainer import configs

fixed_seed = settings(derandomize=True, database=None, deadline=None, max_examples=60)
CARRY = {"weight_bits": 3, "carry_digits": 3, "carry_base": 2, "carry_period": 3}
MACHINES = {
    "random window": Config(sizes=(70, 45, 33, 9), scale=8),
    "fixed window": Config(sizes=(70, 45, 33, 9), scale=8, gate=Gate.FIXED_WINDOW),
    "xor": Config(sizes=(70, 45, 33, 9), scale=8, gate=Gate.XOR),
    "one layer": Config(sizes=(33, 7), scale=8),
    "five layers": Config(sizes=(20, 18, 17, 40, 6, 5), scale=8),
    "one line": Config(sizes=(1, 1, 1), scale=8),
    "two bits": Config(sizes=(70, 45, 9), scale=4, weight_bits=2),
    "nine bits": Config(sizes=(70, 45, 9), scale=32, weight_bits=9),
    "three draws": Config(sizes=(70, 45, 9), scale=8, input_draws=3),
    "three digits": Config(sizes=(70, 45, 9), scale=8, **CARRY),
    "pulses of a carry": Config(
        sizes=(30, 25, 9), scale=8, weight_bits=5, carry_digits=3, carry_base=2, carry_pulses=5, carry_period=3
    ),
    "wide digits": Config(sizes=(30, 25, 9), scale=8, **CARRY | {"weight_bits": 11, "carry_base": 512}),
    "draws and digits": Config(sizes=(40, 20, 20, 4), scale=8, input_draws=2, **CARRY),
}


def samples(config, count, seed=0):
    random = np.random.default_rng(seed)
    features = random.choice(np.array([0, 0, 255, 64, 200], dtype=np.uint8), (count, config.sizes[0]))
    return features, random.integers(0, config.sizes[-1], count)


def state(trainer):
    return [w.tolist() for w in trainer.weights()], trainer.generator_states(), trainer.samples_trained


def trained(trainer, count, *, seed=0, exponents=range(8)):
    features, labels = samples(trainer.config, count, seed)
    for exponent, chosen in zip(exponents, np.array_split(np.arange(count), len(exponents)), strict=True):
        trainer.train(features[chosen], labels[chosen], exponent)
    return trainer


@fixed_seed
@given(config=configs(), seed=st.integers(0, 99))
def test_any_machine_trains_to_the_bits_of_the_plain_model(config, seed):
    assert state(trained(FastTrainer(config), 16, seed=seed)) == state(trained(Trainer(config), 16, seed=seed))


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_long_runs_train_to_the_bits_of_the_plain_model(config):
    assert state(trained(FastTrainer(config), 160)) == state(trained(Trainer(config), 160))


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_votes_are_those_of_the_plain_model_and_leave_training_alone(config):
    fast, plain = (trained(kind(config), 40) for kind in (FastTrainer, Trainer))
    features, _ = samples(config, 12, seed=1)
    before = state(fast)
    assert [fast.infer(features, passes).tolist() for passes in (1, 5)] == [
        plain.infer(features, passes).tolist() for passes in (1, 5)
    ]
    assert state(fast) == before


@pytest.mark.parametrize("bits", [2, 8, 9, 16])
def test_sums_of_extreme_weights_are_exact(bits):
    config = Config(sizes=(1000, 40, 40, 3), weight_bits=bits, scale=1, input_draws=2)
    features, labels = np.full((4, 1000), 255, dtype=np.uint8), np.arange(4) % 3
    for sign in (-1, 1):
        weights = [np.full_like(matrix, sign * config.digit_max) for matrix in power_up_weights(config)]
        pair = FastTrainer(config), Trainer(config)
        for trainer in pair:
            trainer.load(weights)
            trainer.train(features, labels)
        assert state(pair[0]) == state(pair[1])
        assert pair[0].infer(features, 3).tolist() == pair[1].infer(features, 3).tolist()


@pytest.mark.parametrize(
    ("fields", "weight_type", "cell_type", "z_type"),
    [
        ({"weight_bits": 8}, np.int8, np.int8, np.int32),
        ({"weight_bits": 9}, np.int16, np.int16, np.int32),
        ({"weight_bits": 16}, np.int16, np.int16, np.int32),
        ({"weight_bits": 16, "sizes": (65_535, 4), "input_draws": 2}, np.int16, np.int16, np.int64),
        ({"weight_bits": 4, "carry_digits": 3, "carry_base": 5, "carry_period": 9}, np.int16, np.int8, np.int32),
        ({"weight_bits": 8, "carry_digits": 3, "carry_base": 64, "carry_period": 9}, np.int32, np.int8, np.int32),
        ({"weight_bits": 8, "carry_digits": 4, "carry_base": 99, "carry_period": 9}, np.int32, np.int8, np.int64),
    ],
)
def test_no_sum_of_a_legal_machine_is_too_wide_for_its_type(fields, weight_type, cell_type, z_type):
    config = Config(**{"sizes": (784, 40, 10), "scale": 1} | fields)
    machine = make_machine(config)
    assert (machine.weights.dtype, machine.cells.dtype, machine.thresholds.dtype) == (weight_type, cell_type, z_type)
    most = config.weight_max * max(config.rows(1) * config.input_draws, config.columns(1))
    assert most <= np.iinfo(z_type).max
    scratch = make_scratch(machine)
    assert 0 < scratch.block * config.weight_max <= np.iinfo(scratch.partial.dtype).max


@pytest.mark.parametrize("name", ["random window", "three digits", "draws and digits"])
def test_a_state_moves_between_the_plain_model_and_the_fast_one(name):
    config = MACHINES[name]
    half, whole = trained(FastTrainer(config), 41), trained(trained(Trainer(config), 41), 30, seed=1)
    plain = Trainer(config)
    plain.restore(half.weights(), half.generator_states(), half.samples_trained)
    fast = FastTrainer(config)
    fast.restore(half.weights(), half.generator_states(), half.samples_trained)
    assert state(trained(plain, 30, seed=1)) == state(trained(fast, 30, seed=1)) == state(whole)


def test_samples_that_do_not_fit_are_refused_and_change_nothing():
    trainer = FastTrainer(Config(sizes=(5, 3, 2), reference_bits=24))
    before = state(trainer)
    features = np.zeros((2, 5), dtype=np.uint8)
    for wrong in (
        lambda: trainer.train(features[:, :4], [0, 0]),
        lambda: trainer.train(features, [0, 2]),
        lambda: trainer.train(features, [0, 0], 8),
        lambda: trainer.infer(features, 0),
        lambda: trainer.infer(features.astype(float)),
    ):
        with pytest.raises(DataError):
            wrong()
    assert state(trainer) == before


def test_states_that_do_not_fit_are_refused_and_change_nothing():
    trainer = FastTrainer(Config(sizes=(5, 3, 2), reference_bits=24))
    before = state(trainer)
    weights, states = trainer.weights(), trainer.generator_states()
    for wrong in (
        lambda: trainer.load(weights[:1]),
        lambda: trainer.load([weights[0] + 1000, weights[1]]),
        lambda: trainer.restore(weights, states[1:], 0),
    ):
        with pytest.raises(RunError):
            wrong()
    assert state(trainer) == before


def test_samples_need_not_be_contiguous():
    config = MACHINES["random window"]
    features, labels = samples(config, 20)
    fast, plain = FastTrainer(config), Trainer(config)
    for trainer, given_features in ((fast, np.asfortranarray(features)), (plain, features)):
        trainer.train(given_features[::2], labels[::2])
    assert state(fast) == state(plain)


def test_training_allocates_nothing_that_grows_with_samples():
    trainer = trained(FastTrainer(MACHINES["random window"]), 8)
    features, labels = samples(trainer.config, 5_000)
    tracemalloc.start()
    trainer.train(features, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < features.nbytes


def test_the_plain_model_trains_with_a_warning_where_numba_is_missing(monkeypatch):
    def refuse(name, *args, real=builtins.__import__, **kwargs):
        if name.startswith("numba") or (args and "kernels" in (args[2] or ())):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.warns(UserWarning, match="pip install numba"):
        assert type(make_trainer(MACHINES["one line"])) is Trainer


def test_the_fast_model_trains_where_numba_is_there():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(make_trainer(MACHINES["one line"])) is FastTrainer
