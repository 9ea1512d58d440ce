from hashlib import sha256

import numpy as np
import pytest
from stochastor.model.config import Config
from stochastor.sim.array.config import ArrayConfig
from stochastor.sim.array.device import Device
from stochastor.sim.array.population import lognormal_table, make_population

ROWS, COLUMNS, DIGITS, DIGIT_MAX = 200, 100, 2, 127
DEVICES = 2 * DIGITS * ROWS * COLUMNS
STEP = 16 * 65_536


def population(layer=1, seed=0, **values):
    array = ArrayConfig(device=Device(**values), seed=seed)
    config = Config(sizes=(ROWS - 1, COLUMNS, COLUMNS), carry_digits=DIGITS, carry_base=100, carry_period=1)
    return make_population(config, layer, array)


def test_devices_without_spread_are_alike():
    assert {values.size for values in population()} == {1}


@pytest.mark.parametrize(("spread", "within"), [(0.1, 0.02), (0.3, 0.02), (1.0, 0.06)])
def test_step_factors_have_mean_1_and_the_spread_asked_for(spread, within):
    factors = population(step_spread=spread).set_intercept / STEP
    assert abs(factors.mean() - 1) < 5 * spread / np.sqrt(DEVICES) + 1e-4
    assert abs(factors.std() / spread - 1) < within
    assert factors.min() > 0


def test_set_and_reset_of_a_device_share_their_factor():
    found = population(step_spread=0.5)
    assert np.array_equal(found.set_intercept, found.reset_intercept)


def test_mismatch_makes_set_larger_and_reset_smaller():
    found = population(mismatch=0.3)
    assert found.set_intercept.item() / STEP == pytest.approx(1.15, abs=1e-4)
    assert found.reset_intercept.item() / STEP == pytest.approx(0.85, abs=1e-4)


def test_the_spread_of_mismatch_is_between_devices():
    found = population(mismatch_spread=0.2)
    mismatch = (found.set_intercept - found.reset_intercept) / STEP
    assert abs(mismatch.mean()) < 5 * 0.2 / np.sqrt(DEVICES)
    assert abs(mismatch.std() / 0.2 - 1) < 0.03


def test_bounds_spread_and_never_cross():
    found = population(bound_spread=0.1)
    low, high = 100, 100 + 2 * DIGIT_MAX * 16
    middle = (low + high) // 2
    assert (found.low >= 0).all()
    assert ((found.low <= middle) & (middle <= found.high)).all()
    assert abs(found.high.std() / (0.1 * (high - low)) - 1) < 0.03


def test_lower_bounds_may_spread_by_another_share_and_keep_their_draws():
    both, low, high = 0.1, 100, 100 + 2 * DIGIT_MAX * 16
    alike, apart = population(bound_spread=both), population(bound_spread=both, lower_bound_spread=0.01)
    assert np.array_equal(alike.high, apart.high)
    assert abs(apart.low.std() / (0.01 * (high - low)) - 1) < 0.03
    inside = alike.low > 0
    assert np.corrcoef(alike.low[inside], apart.low[inside])[0, 1] > 0.999
    assert np.array_equal(population(bound_spread=both, lower_bound_spread=both).low, alike.low)


@pytest.mark.parametrize(("fields", "spread"), [((0.1, 0.0), "high"), ((0.0, 0.1), "low")])
def test_either_bound_may_spread_alone(fields, spread):
    found = population(bound_spread=fields[0], lower_bound_spread=fields[1])
    assert {name: getattr(found, name).size > 1 for name in ("low", "high")} == {
        name: name == spread for name in ("low", "high")
    }


@pytest.mark.parametrize(("kind", "value"), [("stuck_on", 100 + 2 * DIGIT_MAX * 16), ("stuck_off", 100)])
def test_stuck_devices_have_no_range(kind, value):
    found = population(**{kind: 0.05})
    stuck = found.low == found.high
    assert abs(stuck.mean() - 0.05) < 5 * np.sqrt(0.05 * 0.95 / DEVICES)
    assert set(found.low[stuck].tolist()) == {value}


def test_layers_and_seeds_have_devices_of_their_own():
    found = {population(layer, seed, step_spread=0.5).set_intercept.tobytes() for layer in (1, 2) for seed in (0, 1)}
    assert len(found) == 4


def test_a_seed_always_has_the_same_devices():
    found = population(
        step_spread=0.3, mismatch=0.1, mismatch_spread=0.1, bound_spread=0.1, stuck_on=0.02, stuck_off=0.02
    )
    digest = sha256(b"".join(values.tobytes() for values in found)).hexdigest()
    assert digest == "3799275393ffdb7908a45690950e08b50909de46324b6a3b514b599626b8fa97"


def test_every_lognormal_factor_is_larger_than_the_one_before():
    assert (np.diff(lognormal_table(0.7)) > 0).all()
