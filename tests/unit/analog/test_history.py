"""What time and use do to devices, each against a second computation from the specification."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from reference import philox
from stochastor.model.config import Config
from stochastor.model.crossbar import Address
from stochastor.sim.array.ageing import age_index, decays, logarithms, make_ageing
from stochastor.sim.array.config import ArrayConfig
from stochastor.sim.array.crossbar import MINUS, PLUS, AnalogCrossbar
from stochastor.sim.array.device import Device

MACHINE = Config(sizes=(6, 5, 2), weight_bits=4, scale=16)
CARRY = replace(MACHINE, carry_digits=2, carry_base=4, carry_period=1)
SEED = 2**40 + 7
ROWS, COLUMNS = 7, 5
EVERY = np.arange(ROWS)


def array(**values):
    outside = {name: values.pop(name) for name in ("tick_samples", "sample_s") if name in values}
    return ArrayConfig(device=Device(**values), seed=SEED, **outside)


def loaded(config=MACHINE, **values):
    crossbar = AnalogCrossbar(config, 1, array(**values))
    shape = ROWS, config.cell_columns(1)
    crossbar.load(np.random.default_rng(0).integers(-config.digit_max, config.digit_max + 1, shape, dtype=np.int32))
    return crossbar


def at(sample):
    return Address(sample, 1, training=True)


def come_to(crossbar, sample):
    crossbar.read_forward(at(sample), EVERY[:1])


def held(crossbar, sample, rows):
    crossbar.read_forward(at(sample), rows)
    return crossbar._held.tolist()


def signs(*values):
    return np.array(values, dtype=np.int8)


def test_a_trap_is_there_and_occupied_as_its_addresses_draw():
    crossbar = loaded(CARRY, trap_share=0.6, trap_amplitude=0.25, trap_samples=10)
    for sample in (0, 9, 10, 57):
        come_to(crossbar, sample)
        for row in range(ROWS):
            for cell in range(2 * COLUMNS):
                there = philox(SEED, (65_536 * row + cell, 0, 0, 65_536 * 25 + 1))
                drawn = philox(SEED, (65_536 * row + cell, sample // 10, 0, 65_536 * 26 + 1))
                for polarity in (PLUS, MINUS):
                    occupied = there[polarity] < round(0.6 * 2**32) and drawn[polarity] % 2
                    found = crossbar.history.factors[polarity, cell % 2, row, cell // 2]
                    assert found == (49_152 if occupied else 65_536)


def test_reads_see_what_traps_leave_and_pulses_do_not():
    crossbar, calm = loaded(trap_share=1.0, trap_amplitude=0.5, trap_samples=1), loaded()
    rows, found = np.array([0, 3, 3]), []
    for sample in (5, 6):
        come_to(crossbar, sample)
        g, factors = crossbar.conductances.astype(object), crossbar.history.factors.astype(object)
        seen = (g * factors + 32_768) // 65_536
        found.append([int(seen[PLUS, 0, rows, j].sum() - seen[MINUS, 0, rows, j].sum()) for j in range(COLUMNS)])
        assert held(crossbar, sample, rows) == found[-1]
    assert found[0] != found[1]
    for each in (crossbar, calm):
        each.pulse(at(6), rows[:2], signs(1, -1, 0, 1, 1))
    assert np.array_equal(crossbar.conductances, calm.conductances)


def test_traps_are_as_frequent_as_asked_for_and_occupied_half_the_time():
    ageing = make_ageing(array(trap_share=0.3, trap_amplitude=0.1), 1, 200, 100, 2)
    assert abs(ageing.traps.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / ageing.traps.size)
    crossbar = AnalogCrossbar(Config(sizes=(199, 100, 2)), 1, array(trap_share=1.0, trap_amplitude=0.1))
    occupied = crossbar.history.factors < 65_536
    assert abs(occupied.mean() - 0.5) < 5 * 0.5 / np.sqrt(occupied.size)


def test_ages_keep_six_significant_bits():
    ages = np.array([0, 1, 63, 64, 65, 127, 128, 1000, 2**31 - 1])
    found = np.exp(logarithms(array(drift=0.1, tick_samples=1, sample_s=1.0))[age_index(ages)] / 65_536) - 1
    assert np.allclose(found, [0, 1, 63, 64, 64, 126, 128, 992, 63 * 2**25], rtol=2e-5, atol=2e-5)


def test_decays_are_exponentials_rounded():
    assert decays().tolist() == [round(65_536 * exp(-index / 4096)) for index in range(8 * 4096 + 1)]


@pytest.mark.parametrize(("nu", "t0"), [(0.05, 20.0), (0.1, 1.0), (1.0, 0.5)])
def test_conductances_decay_with_the_time_since_the_last_pulse(nu, t0):
    crossbar = loaded(drift=nu, drift_t0_s=t0, tick_samples=100, sample_s=0.01)
    crossbar.pulse(at(250), EVERY[2:3], signs(0, 1, 0, 0, 0))
    for sample in (250, 299, 300, 1999, 100_000):
        come_to(crossbar, sample)
        tick = sample // 100
        for row, column, last in ((2, 1, 2), (2, 0, 0), (1, 1, 0)):
            age = tick - last
            while age >= 64 and age != (age >> age.bit_length() - 6) << age.bit_length() - 6:
                age -= 1
            exponent = round(nu * 65_536) * round(log(1 + age * 100 * 0.01 / t0) * 65_536) >> 20
            found = crossbar.history.factors[:, 0, row, column].tolist()
            assert found == [round(65_536 * exp(-min(exponent, 8 * 4096) / 4096))] * 2
            assert found[0] / 65_536 == pytest.approx((1 + (tick - last) / t0) ** -nu, rel=2e-3 + 0.04 * nu)


def test_the_spread_of_drift_is_between_devices_and_never_negative():
    drift = make_ageing(array(drift=0.05, drift_spread=0.02), 1, 200, 100, 2).drift / 65_536
    assert abs(drift.mean() - 0.05) < 0.001
    assert abs(drift.std() / 0.02 - 1) < 0.05
    assert drift.min() == 0


def test_a_device_stops_to_switch_after_its_last_pulse():
    crossbar = loaded(endurance=3, states=101, g_max_S=10e-6)
    for repetition in range(5):
        before = crossbar.conductances.copy()
        crossbar.pulse(at(repetition), EVERY[1:2], signs(0, 1 if repetition % 2 else -1, 0, 0, 0))
        moved = np.argwhere(crossbar.conductances != before).tolist()
        assert moved == ([[PLUS, 0, 1, 1], [MINUS, 0, 1, 1]] if repetition < 3 else [])
    assert crossbar.history.life[:, 0, 1].T.tolist() == [[3, 3], [0, 0], [3, 3], [3, 3], [3, 3]]


def test_lives_are_spread_as_asked_for():
    life = make_ageing(array(endurance=100_000, endurance_spread=0.5), 1, 200, 100, 2).life / 100_000
    assert abs(life.mean() - 1) < 5 * 0.5 / np.sqrt(life.size)
    assert abs(life.std() / 0.5 - 1) < 0.03


def test_lives_go_as_far_as_they_can_be_counted():
    life = make_ageing(array(endurance=2**31 - 1, endurance_spread=1.0), 1, 20, 10, 1).life
    assert 0 < life.min() < life.max() == 2**31 - 1


def test_half_selected_devices_creep_by_whole_steps():
    """Each device alone, by its own count of half-selects."""
    pulses = [
        (sample, rows, np.random.default_rng(sample).integers(-1, 2, COLUMNS).astype(np.int8), sample % 2)
        for sample in range(40)
        for rows in ([sample % ROWS], [2, 5])
    ]
    found = loaded(CARRY, half_select=0.125, tick_samples=7, mismatch=0.4)
    device, g = found.steps, found.conductances.copy().astype(object)
    up, down = np.zeros(g.shape, dtype=object), np.zeros(g.shape, dtype=object)

    def step(value, sign):
        moved = 16 * 65_536 * (65_536 + sign * (round(0.4 * 65_536) // 2))
        return min(max(value + sign * ((((moved + 32_768) >> 16) + 32_768) >> 16), device.low), device.high)

    done = up.copy(), down.copy()
    last = 0
    for sample, rows, columns, digit in pulses:
        if sample // 7 != last // 7:
            for at_device in np.ndindex(g.shape):
                for counts, before, sign in ((up, done[0], 1), (down, done[1], -1)):
                    for _ in range(counts[at_device] // 8 - before[at_device] // 8):
                        g[at_device] = step(g[at_device], sign)
            done, last = (up.copy(), down.copy()), sample
        found.pulse(at(sample), np.array(rows), columns, digit)
        for row in rows:
            if not columns.any():
                continue
            up[:, :, row] += 1
            down[:, :, row] += 1
            for column, sign in enumerate(columns.tolist()):
                for polarity in (PLUS, MINUS):
                    if sign == (1, -1)[polarity]:
                        up[polarity, digit, :, column] += 1
                    elif sign:
                        down[polarity, digit, :, column] += 1
                    if sign:
                        g[polarity, digit, row, column] = step(
                            g[polarity, digit, row, column], sign * (1, -1)[polarity]
                        )
    assert np.array_equal(found.conductances, g)
    assert max(up.max(), down.max()) > 5 * 8


def test_worn_out_devices_do_not_creep():
    crossbar = loaded(half_select=1.0, tick_samples=1, endurance=1)
    crossbar.pulse(at(0), EVERY[:1], signs(1, 0, 0, 0, 0))
    before = crossbar.conductances.copy()
    come_to(crossbar, 1)
    assert np.array_equal(crossbar.conductances[:, 0, 0, 0], before[:, 0, 0, 0])
    assert not np.array_equal(crossbar.conductances[:, 0, 1:, 0], before[:, 0, 1:, 0])


def test_inference_takes_no_time():
    crossbar = loaded(drift=0.5, trap_share=1.0, trap_amplitude=0.5, trap_samples=1, tick_samples=1, half_select=1.0)
    come_to(crossbar, 5)
    factors, g = crossbar.history.factors.copy(), crossbar.conductances.copy()
    crossbar.read_forward(Address(900, 1, training=False), EVERY)
    assert np.array_equal(crossbar.history.factors, factors)
    assert np.array_equal(crossbar.conductances, g)


@pytest.mark.parametrize("values", [{"drift": 0.5}, {"trap_share": 1.0, "trap_amplitude": 0.5, "trap_samples": 1}])
def test_reads_later_see_what_reads_after_as_many_samples_would(values):
    crossbar, waiting = (loaded(tick_samples=2, sample_s=0.01, **values) for _ in range(2))
    come_to(crossbar, 5)
    before = crossbar.history.factors.copy()
    come_to(waiting, 405)
    with crossbar.history.later(4.0):
        assert np.array_equal(crossbar.history.factors, waiting.history.factors)
    assert not np.array_equal(before, waiting.history.factors)
    assert np.array_equal(crossbar.history.factors, before)
    assert crossbar.history.clock == 5


def test_the_order_and_grouping_of_pulses_does_not_change_what_happened():
    together, apart = (loaded(CARRY, drift=0.1, endurance=5, half_select=0.5, tick_samples=1) for _ in range(2))
    along = signs(1, -1, 0, 1, -1)
    together.pulse(at(3), np.array([0, 2, 6]), along, 1)
    for row in (6, 0, 2):
        apart.pulse(at(3), np.array([row]), along, 1)
    for crossbar in (together, apart):
        come_to(crossbar, 4)
    assert np.array_equal(together.conductances, apart.conductances)
    states = [crossbar.history.state() for crossbar in (together, apart)]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert len(states[0]) == 6
