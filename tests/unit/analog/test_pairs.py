"""Pulses left out by their sign, and pairs with a reference that no pulse moves."""

from dataclasses import replace

import numpy as np
import pytest
from stochastor.model.config import Config
from stochastor.model.crossbar import Address
from stochastor.sim.array.config import ARRAYS, ArrayConfig, Pair
from stochastor.sim.array.crossbar import MINUS, PLUS, AnalogCrossbar
from stochastor.sim.array.device import Device, Response
from stochastor.sim.array.in_situ import InSituBackpropagation
from stochastor.sim.array.pairs import make_pairs
from stochastor.sim.array.population import make_population
from stochastor.sim.array.pulse_count import total
from stochastor.sim.array.trainer import AnalogTrainer, FastAnalogTrainer

from .test_trainer import CARRY, PLAIN, VERIFIED, WIDE, ageing, machine, noisy, samples, trained

SOFT = Device(g_min_S=1e-6, g_max_S=10e-6, states=128, response=Response.SOFT_BOUNDS)
PAIRS = {
    "SET thinned": {"thinning": 0.3},
    "RESET thinned": {"thinning": -0.4},
    "reference": {"pair": "reference"},
    "zero-shifted": {"pair": "reference", "zero_shifting": 7, "thinning": 0.2},
}
MACHINES = (
    ("taox", PLAIN, False), ("taox", WIDE, True), ("gst_pcm", CARRY, True), ("ideal", PLAIN, False),
    ("gst_pcm", VERIFIED, False),
)  # fmt: skip
CONFIG = Config(sizes=(40, 30), weight_bits=7, reference_bits=16)
SIGNS = np.where(np.arange(30) % 2, 1, -1).astype(np.int8)
ROWS = np.arange(41)


def both(config, array):
    return trained(FastAnalogTrainer(config, array, counting=True)), trained(AnalogTrainer(config, array))


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize(("name", "fields", "rough"), MACHINES)
def test_compiled_loops_leave_the_conductances_and_pulses_of_the_plain_array(name, fields, rough, pairs):
    array = replace(noisy(ARRAYS[name]) if rough else ARRAYS[name], **PAIRS[pairs])
    fast, plain = both(machine(name, fields), array)
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(fast.weights(), plain.weights(), strict=True))
    assert fast.pulses() == plain.pulses()
    features, _ = samples(fast.config, 9, seed=1)
    assert fast.infer(features, 3).tolist() == plain.infer(features, 3).tolist()


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize(("name", "fields"), [("taox", PLAIN), ("gst_pcm", VERIFIED)])
def test_compiled_loops_let_such_pairs_age_as_the_plain_array_does(name, fields, pairs):
    fast, plain = both(machine(name, fields), replace(ageing(ARRAYS[name]), **PAIRS[pairs]))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    for ours, theirs in zip(fast.history(), plain.history(), strict=True):
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("pairs", PAIRS)
def test_backpropagation_in_situ_runs_compiled_as_plain_on_such_pairs(pairs):
    array = replace(ARRAYS["taox"], **PAIRS[pairs])
    config = Config(sizes=(12, 7, 4))
    learners = [InSituBackpropagation(sizes=(12, 7, 4), array=array, compiled=c, seed=3) for c in (True, False)]
    for learner in learners:
        learner.train(*samples(config, 30))
    fast, plain = learners
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    assert fast.pulses() == plain.pulses()


def pulsed(array, times=50, at_a_time=41):
    crossbar = AnalogCrossbar(CONFIG, 1, array)
    for number in range(times):
        for first in range(0, len(ROWS), at_a_time):
            signs = SIGNS if number % 2 else -SIGNS
            crossbar.pulse(Address(number, 1, training=True), ROWS[first : first + at_a_time], signs)
    return crossbar


@pytest.mark.parametrize("thinning", [0.26, -0.6])
def test_the_share_of_pulses_that_is_asked_for_is_left_out(thinning):
    pulses = pulsed(ArrayConfig(device=SOFT, thinning=thinning)).pulses
    asked = 50 * 41 * 30
    thinned, others = sorted((pulses.set_pulses, pulses.reset_pulses))
    assert others == asked == (pulses.reset_pulses if thinning > 0 else pulses.set_pulses)
    share = abs(thinning)
    assert abs(asked - thinned - share * asked) < 5 * np.sqrt(asked * share * (1 - share))


def test_which_pulses_are_left_out_does_not_depend_on_how_rows_are_grouped():
    array = replace(ARRAYS["taox"], thinning=0.3)
    together, alone = pulsed(array, times=6), pulsed(array, times=6, at_a_time=1)
    assert np.array_equal(together.conductances, alone.conductances)
    assert together.pulses == alone.pulses


def test_thinning_by_the_mismatch_keeps_the_sum_of_a_pair_where_it_is():
    device = Device(g_min_S=1e-6, g_max_S=10e-6, states=128, mismatch=0.3)
    even, thinned = (pulsed(ArrayConfig(device=device, thinning=thinning), times=60) for thinning in (0.0, 0.3 / 1.15))
    middle = (even.steps.low + even.steps.high) / 2
    assert even.conductances.mean() - middle > 60 * 0.3 * 7 / 2 * 0.8
    assert abs(thinned.conductances.mean() - middle) < 6  # steps are whole quanta


@pytest.mark.parametrize("shifts", [0, 9])
def test_no_pulse_moves_a_reference(shifts):
    array = replace(ARRAYS["taox"], pair="reference", zero_shifting=shifts)
    before, after = AnalogCrossbar(CONFIG, 1, array).conductances, pulsed(array).conductances
    assert np.array_equal(before[MINUS], after[MINUS])
    assert (before[PLUS] != after[PLUS]).mean() > 0.5


def test_a_step_of_one_device_is_an_lsb_of_a_pair_with_a_reference():
    both_move, one_moves = (AnalogCrossbar(CONFIG, 1, ArrayConfig(pair=pair)) for pair in Pair)
    assert both_move.steps.half_lsb == 2 * one_moves.steps.half_lsb
    cells = np.random.default_rng(0).integers(-63, 63, (41, 30), dtype=np.int32)
    for crossbar in (both_move, one_moves):
        crossbar.load(cells)
        crossbar.pulse(Address(0, 1, training=True), ROWS, SIGNS)
        assert np.array_equal(crossbar.dump(), np.clip(cells + SIGNS, -63, 63))


def test_references_are_at_mid_range_without_zero_shifting():
    population = make_pairs(CONFIG, 1, ArrayConfig(device=SOFT, pair="reference")).population
    assert np.unique(population.low[MINUS]) == np.unique(population.high[MINUS]) == (100 + 1000) // 2


def test_zero_shifting_finds_where_set_and_reset_cancel_and_counts_its_pulses():
    device = replace(SOFT, mismatch=0.3, step_spread=0.3, bound_spread=0.1)
    array = ArrayConfig(device=device, pair="reference", zero_shifting=200)
    found, own = make_pairs(CONFIG, 1, array), make_population(CONFIG, 1, array)
    rest = found.population.low[MINUS]
    up = own.set_intercept[PLUS] + (own.set_slope[PLUS] * (rest - own.low[PLUS]) >> 8)
    down = own.reset_intercept[PLUS] + (own.reset_slope[PLUS] * (rest - own.low[PLUS]) >> 8)
    reachable = (rest > own.low[MINUS]) & (rest < own.high[MINUS])
    assert reachable.mean() > 0.99
    assert np.abs(up - down)[reachable].max() < 0.2 * up[reachable].mean()
    assert np.abs(up - down)[reachable].mean() < 0.1 * up[reachable].mean()  # pairs stop at a quantum
    at_middle = own.set_intercept[PLUS] + (own.set_slope[PLUS] * (550 - own.low[PLUS]) >> 8)
    at_middle -= own.reset_intercept[PLUS] + (own.reset_slope[PLUS] * (550 - own.low[PLUS]) >> 8)
    assert np.abs(at_middle).mean() > 0.25 * up.mean()
    assert found.pulses.set_pulses == found.pulses.reset_pulses == 200 * 41 * 30
    assert AnalogCrossbar(CONFIG, 1, array).pulses == found.pulses


def test_zero_shifting_of_linear_devices_that_do_not_match_ends_at_a_bound():
    device = Device(g_min_S=1e-6, g_max_S=10e-6, states=128, mismatch=0.3)
    population = make_pairs(CONFIG, 1, ArrayConfig(device=device, pair="reference", zero_shifting=300)).population
    assert population.low[MINUS].min() > 980


def test_references_of_noisy_devices_differ_and_are_drawn_by_the_seed():
    array = replace(ARRAYS["taox"], pair="reference", zero_shifting=20)
    first, again, other = (make_pairs(CONFIG, 1, replace(array, seed=seed)).population.low[MINUS] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (first != other).mean() > 0.9
    assert first.std() > 20


def test_pulses_of_pairs_with_references_are_half_those_of_push_pull():
    features, labels = samples(CONFIG, 20)
    counts = []
    for pair in Pair:
        trainer = FastAnalogTrainer(CONFIG, ArrayConfig(device=SOFT, pair=pair), counting=True)
        trainer.train(features[:1], labels[:1])
        counts.append((total(trainer.pulses()), trainer.counts.to_dict()))
    (pushed, events), (single, same) = counts
    assert events == same
    assert pushed.pulses == 2 * single.pulses > 0
