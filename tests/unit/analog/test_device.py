from decimal import Decimal, localcontext

import pytest
from stochastor.model.errors import ConfigError
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.device import Device, Response, curvature, whole_steps

# NeuroSim V3.0, Nonlinearity-NormA.htm: A over the number of pulses, by label.
PUBLISHED = {
    "0.01": "126.269", "0.02": "63.1343", "0.75": "1.6753", "1.5": "0.8252", "2.25": "0.536", "3": "0.3868",
    "3.75": "0.2933", "4.5": "0.2274", "5.25": "0.1768", "6": "0.1356", "6.75": "0.1007", "7.5": "0.0705",
    "8.25": "0.0446", "9": "0.0228",
}  # fmt: skip
RANGE = {"g_min_S": 1e-6, "g_max_S": 10e-6}


def device(**values):
    return Device(**RANGE | {"states": 101} | values)


def stepped(x, affine, direction, pulses):
    with localcontext(prec=60):
        for _ in range(pulses):
            x += direction * (affine[0] + affine[1] * x)
    return x


@pytest.mark.parametrize(("label", "published"), PUBLISHED.items())
def test_a_nonlinearity_label_means_what_neurosim_publishes(label, published):
    ours, theirs = 1 / curvature(Decimal(label)), Decimal(published)
    assert abs(ours / theirs - 1) < Decimal("0.0005") + Decimal("0.00006") / theirs


@pytest.mark.parametrize("label", [0.0, 0.04, 1.94, -0.61, 2.4, 9.0, -9.0])
def test_pulses_lead_from_end_to_end(label):
    set_step, reset_step = device(
        response=Response.EXPONENTIAL, set_nonlinearity=label, reset_nonlinearity=label
    ).steps()
    assert abs(stepped(Decimal(0), set_step, 1, 100) - 1) < Decimal("1e-20")
    assert abs(stepped(Decimal(1), reset_step, -1, 100)) < Decimal("1e-20")


def test_set_pulses_follow_the_published_curve():
    label, pulses = 1.94, 100
    a = curvature(Decimal(str(label)))
    set_step, _ = device(response=Response.EXPONENTIAL, set_nonlinearity=label).steps()
    for p in (1, 10, 50, 99):
        curve = (1 - (-a * p / pulses).exp()) / (1 - (-a).exp())
        assert abs(stepped(Decimal(0), set_step, 1, p) - curve) < Decimal("1e-20")


def test_soft_bounds_stop_at_the_bounds_and_step_once_a_state_in_the_middle():
    (set_0, set_1), (reset_0, reset_1) = device(response=Response.SOFT_BOUNDS).steps()
    assert set_0 + set_1 == 0
    assert reset_0 == 0
    assert set_0 + set_1 / 2 == reset_0 + reset_1 / 2 == Decimal(1) / 100


def test_whole_numbers_are_the_equations_rounded():
    steps = whole_steps(ARRAYS["taox"].device, 63)
    assert (steps.low, steps.high) == (100, 1000)
    (set_0, set_1), (reset_0, _) = ARRAYS["taox"].device.steps()
    assert steps.set_intercept == round(set_0 * 900 * 65_536)
    assert steps.reset_intercept == round(reset_0 * 900 * 65_536)
    assert steps.set_slope == round(set_1 * 2**24)


@pytest.mark.parametrize("digit_max", [1, 7, 127, 32_767])
def test_a_device_without_states_has_a_state_a_level(digit_max):
    steps = whole_steps(Device(), digit_max)
    assert steps.high - steps.low == 2 * digit_max * 16
    assert steps.half_lsb == steps.set_intercept == steps.reset_intercept == 16 * 65_536
    assert steps.set_slope == steps.reset_slope == 0


def test_cells_of_more_levels_than_states_are_refused_with_what_fits():
    with pytest.raises(ConfigError, match="weight_bits asks for 255 levels a cell, but a device has 128 states: lower"):
        whole_steps(ARRAYS["taox"].device, 127)
    assert whole_steps(ARRAYS["taox"].device, 63)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"g_min_S": 0.0}, "g_min_S must be more than 0, not 0.0"),
        ({"g_min_S": -1e-6}, "g_min_S must be more than 0, not -1e-06"),
        ({"g_min_S": float("nan")}, "g_min_S must be more than 0, not nan"),
        ({"g_max_S": 1e-7}, "g_max_S must be more than g_min_S = 1e-06, not 1e-07"),
        ({"states": 1}, "states must be 0, or from 2 to 65,536, not 1"),
        ({"response": "cubic"}, "response must be one of linear, exponential, soft_bounds, not 'cubic'"),
        ({"set_nonlinearity": 1.0}, "set_nonlinearity belongs to response = exponential, not to linear"),
        ({"response": "exponential", "reset_nonlinearity": 9.1}, "reset_nonlinearity must be from -9 to 9, not 9.1"),
        ({"read_noise": -0.1}, "read_noise must be from 0 to 1, not -0.1"),
        ({"read_noise": "loud"}, "read_noise must be from 0 to 1, not 'loud'"),
        ({"cycle_spread_of_step": float("inf")}, "cycle_spread_of_step must be from 0 to 10, not inf"),
        ({"mismatch": 2.0}, "mismatch must be between -2 and 2, not 2.0"),
        ({"g_max_S": float("nan")}, "g_max_S must be more than g_min_S = 1e-06, not nan"),
        ({"g_max_S": float("inf")}, "g_max_S must be more than g_min_S = 1e-06, not inf"),
        ({"states": 0}, "g_max_S must be 0 where states is 0"),
        ({"states": True}, "states must be 0, or from 2 to 65,536, not True"),
        ({"quantum_S": float("nan")}, "quantum_S must be more than 0, not nan"),
        ({"trap_share": 1.1, "trap_amplitude": 0.1}, "trap_share must be from 0 to 1, not 1.1"),
        ({"trap_share": 0.1, "trap_amplitude": float("nan")}, "trap_amplitude must be from 0 to 1, not nan"),
        ({"trap_share": 0.1}, "trap_share does nothing without trap_amplitude"),
        ({"trap_amplitude": 0.1}, "trap_amplitude does nothing without trap_share"),
        ({"trap_samples": 0}, r"trap_samples must be a whole number from 1 to 2\^31 - 1, not 0"),
        ({"drift": -0.1}, "drift must be from 0 to 1, not -0.1"),
        ({"drift_spread": float("nan")}, "drift_spread must be from 0 to 1, not nan"),
        ({"drift_t0_s": 0.0}, "drift_t0_s must be more than 0, not 0.0"),
        ({"endurance": 1e6}, r"endurance must be a whole number from 0 to 2\^31 - 1, not 1000000.0"),
        ({"endurance": -1}, "endurance must be a whole number"),
        ({"endurance_spread": 0.5}, "endurance_spread does nothing without endurance"),
        ({"half_select": 1e-10}, "half_select must be 0, or from 1e-09 to 1, not 1e-10"),
        ({"half_select": 2.0}, "half_select must be from 0 to 1, not 2.0"),
        ({"bound_spread": 1.5}, "bound_spread must be from 0 to 1, not 1.5"),
        ({"lower_bound_spread": -0.1}, "lower_bound_spread must be from 0 to 1, not -0.1"),
        ({"lower_bound_spread": float("nan")}, "lower_bound_spread must be from 0 to 1, not nan"),
        ({"lower_bound_spread": "wide"}, "lower_bound_spread must be from 0 to 1, not 'wide'"),
        ({"stuck_on": 0.6, "stuck_off": 0.6}, r"stuck_on \+ stuck_off must be at most 1, not 1.2"),
    ],
)
def test_an_impossible_device_is_refused_by_name(values, message):
    with pytest.raises(ConfigError, match=message):
        device(**values)


def test_quanta_too_coarse_for_the_steps_are_refused():
    with pytest.raises(
        ConfigError, match="quantum_S = 1e-07 is too coarse: the range of 90 quanta is less than one for"
    ):
        whole_steps(device(quantum_S=1e-7), 7)
