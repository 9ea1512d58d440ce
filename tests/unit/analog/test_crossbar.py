from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastor.model.config import Config
from stochastor.model.crossbar import Address, IntegerCrossbar, Read
from stochastor.model.errors import ConfigError
from stochastor.sim.array import memory
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.crossbar import MINUS, PLUS, AnalogCrossbar, integer_root
from stochastor.sim.array.device import Device
from stochastor.sim.array.machine import make_analog
from stochastor.sim.array.memory import bytes_per_device
from stochastor.sim.array.pulse_count import PulseCount
from stochastor.sim.array.wiring import Wires

ADDRESS = Address(3, 1, training=True)
MACHINE = Config(sizes=(6, 5, 2), weight_bits=4, scale=16)
CARRY = replace(MACHINE, carry_digits=3, carry_base=5, carry_period=1)
NOISY = ArrayConfig(
    device=Device(
        cycle_spread_of_step=0.5, cycle_spread_of_range=0.02, step_spread=0.3, mismatch=0.2, bound_spread=0.05
    ),
    seed=77,
)
fixed_seed = settings(derandomize=True, database=None, deadline=None)


def random_cells(config, seed=0):
    shape = config.rows(1), config.cell_columns(1)
    return np.random.default_rng(seed).integers(-config.digit_max, config.digit_max + 1, shape, dtype=np.int32)


def loaded(config=MACHINE, array=NOISY, seed=0):
    crossbar = AnalogCrossbar(config, 1, array)
    crossbar.load(random_cells(config, seed))
    return crossbar


def indices(*rows):
    return np.array(rows, dtype=np.int64)


@fixed_seed
@given(config=st.sampled_from([MACHINE, CARRY]), data=st.data())
def test_an_ideal_array_decides_and_moves_as_the_integer_one(config, data):
    crossbars = AnalogCrossbar(config, 1, ARRAYS["ideal"]), IntegerCrossbar.of(config, 1)
    rows = indices(*sorted(data.draw(st.sets(st.integers(0, 6), min_size=1))))
    signs = np.array(data.draw(st.lists(st.integers(-1, 1), min_size=5, max_size=5)), dtype=np.int8)
    digit = data.draw(st.integers(0, config.carry_digits - 1))
    code = data.draw(st.integers(-300, 300))
    decisions = []
    for crossbar in crossbars:
        crossbar.load(random_cells(config, data.draw(st.just(5))))
        for _ in range(3):
            crossbar.pulse(ADDRESS, rows, signs, digit)
        crossbar.read_forward(ADDRESS, np.concatenate([rows, rows]))
        forward = crossbar.compare(ADDRESS, np.full(5, code))
        crossbar.read_digit(ADDRESS, int(rows[0]), digit)
        alone = crossbar.compare(ADDRESS, np.full(5, code % 15 - 7))
        crossbar.read_backward(ADDRESS, signs, rows)
        backward = crossbar.compare(ADDRESS, np.full(len(rows), code))
        decisions.append([d.tolist() for d in (forward, alone, backward, crossbar.dump())])
    assert decisions[0] == decisions[1]


@pytest.mark.parametrize("name", ARRAYS)
def test_cells_that_are_loaded_are_dumped(name):
    device = replace(ARRAYS[name].device, stuck_on=0.0, stuck_off=0.0, bound_spread=0.0, lower_bound_spread=None)
    config = replace(MACHINE, weight_bits=2 if name == "hfox_array" else 4)
    crossbar = AnalogCrossbar(config, 1, replace(ARRAYS[name], device=device))
    crossbar.load(random_cells(config))
    assert np.array_equal(crossbar.dump(), random_cells(config))


def test_a_pulse_moves_plus_and_minus_by_their_own_steps():
    array = ArrayConfig(device=Device(g_min_S=1e-6, g_max_S=5e-6, states=5, response="soft_bounds"))
    crossbar = AnalogCrossbar(replace(MACHINE, weight_bits=2), 1, array)
    crossbar.pulse(ADDRESS, indices(1), np.array([1, -1, 0, 0, 0], dtype=np.int8))
    plus, minus = crossbar.conductances[:, 0, 1]
    assert plus.tolist() == [400, 200, 300, 300, 300]
    assert minus.tolist() == [200, 400, 300, 300, 300]
    crossbar.pulse(ADDRESS, indices(1), np.array([1, 1, 0, 0, 0], dtype=np.int8))
    plus, minus = crossbar.conductances[:, 0, 1]
    assert plus.tolist() == [450, 350, 300, 300, 300]
    assert minus.tolist() == [150, 250, 300, 300, 300]


def test_pulses_are_counted_with_the_conductances_that_they_meet():
    device = Device(
        g_min_S=1e-6,
        g_max_S=5e-6,
        states=5,
        response="soft_bounds",
        set_voltage_V=2.0,
        reset_voltage_V=3.0,
        pulse_s=1e-7,
    )
    crossbar = AnalogCrossbar(replace(MACHINE, weight_bits=2), 1, ArrayConfig(device=device))
    crossbar.pulse(ADDRESS, indices(1, 2), np.array([1, -1, 0, 0, 0], dtype=np.int8))
    assert crossbar.pulses == PulseCount(4, 4, 4 * 300, 4 * 300)
    crossbar.pulse(ADDRESS, indices(1), np.array([1, 0, 0, 0, 0], dtype=np.int8))
    assert crossbar.pulses == PulseCount(5, 5, 4 * 300 + 400, 4 * 300 + 200)
    assert crossbar.pulses.pulses == 10
    assert crossbar.pulses.energy_J(device) == pytest.approx((4 * 16e-6 + 9 * 14e-6) * 1e-7)


def test_conductances_stay_within_their_devices_ranges():
    crossbar = loaded()
    for repetition in range(60):
        address = ADDRESS._replace(repetition=repetition)
        crossbar.pulse(address, np.arange(7), np.array([1, 1, -1, -1, 1], dtype=np.int8))
    low, high = crossbar.population.low, crossbar.population.high
    assert ((low <= crossbar.conductances) & (crossbar.conductances <= high)).all()
    assert (crossbar.conductances[PLUS, 0, :, 0] == high[PLUS, 0, :, 0]).any()


def test_the_order_and_grouping_of_pulses_does_not_change_a_device():
    together, apart = loaded(CARRY), loaded(CARRY)
    signs = np.array([1, -1, 0, 1, -1], dtype=np.int8)
    together.pulse(ADDRESS, indices(0, 2, 6), signs, 1)
    for row in (6, 0, 2):
        apart.pulse(ADDRESS, indices(row), signs, 1)
    assert np.array_equal(together.conductances, apart.conductances)


def test_pulses_of_other_addresses_draw_other_steps():
    found = set()
    for address in (ADDRESS, ADDRESS._replace(sample=4), ADDRESS._replace(repetition=1)):
        crossbar = loaded()
        crossbar.pulse(address, np.arange(7), np.ones(5, dtype=np.int8))
        found.add(crossbar.conductances.tobytes())
    assert len(found) == 3


def test_cycle_spread_is_as_wide_as_asked_for():
    array = ArrayConfig(device=Device(cycle_spread_of_range=0.02))
    config = Config(sizes=(99, 80, 2), weight_bits=12, reference_bits=16)
    crossbar = AnalogCrossbar(config, 1, array)
    before = crossbar.conductances.copy()
    crossbar.pulse(ADDRESS, np.arange(100), np.ones(80, dtype=np.int8))
    moved = (crossbar.conductances - before)[PLUS] / (crossbar.steps.high - crossbar.steps.low)
    assert abs(moved.mean() - 1 / 4094) < 5 * 0.02 / np.sqrt(moved.size)
    assert abs(moved.std() / 0.02 - 1) < 0.03
    assert not np.array_equal(moved, (crossbar.conductances - before)[MINUS])


def held_reads(crossbar, reads, rows):
    """What forward reads of `rows` hold in each column, by bisection with the comparators, in quanta."""
    values = []
    for sample in range(reads):
        crossbar.read_forward(Address(sample, 1, training=True), rows)
        values.append(crossbar._held.copy())
    return np.array(values)


def test_read_noise_adds_up_over_the_driven_cells():
    array = ArrayConfig(device=Device(read_noise=0.05))
    crossbar = loaded(CARRY, array)
    rows = indices(0, 1, 1, 4)
    held = held_reads(crossbar, 400, rows)
    places = np.array([1, 5, 25])
    squares = (crossbar.conductances[:, :, rows].astype(float) ** 2).sum(axis=(0, 2))
    wanted = 0.05 * np.sqrt(places.astype(float) ** 2 @ squares)
    assert np.allclose(held.std(axis=0) / wanted, 1, atol=0.15)


def test_a_read_is_frozen_while_it_is_held_and_other_columns_see_other_noise():
    crossbar = loaded(MACHINE, ArrayConfig(device=Device(read_noise=0.5)))
    crossbar.read_forward(ADDRESS, np.arange(7))
    codes = np.arange(-200, 200)
    decided = [[crossbar.compare(ADDRESS._replace(comparison=c), np.full(5, code)) for code in codes] for c in (0, 1)]
    assert np.array_equal(*decided)
    assert len({*crossbar._held.tolist()}) == 5


def test_comparators_are_noisy_at_each_comparison_and_offset_for_ever():
    offset = loaded(MACHINE, ArrayConfig(comparator_offset_S=1e-6))
    noisy = loaded(MACHINE, ArrayConfig(comparator_noise_S=1e-6))
    for crossbar, changes in ((offset, False), (noisy, True)):
        found = set()
        for comparison in range(20):
            crossbar.read_forward(ADDRESS, indices(6))
            found.add(crossbar.compare(ADDRESS._replace(comparison=comparison), np.zeros(5, dtype=np.int64)).tobytes())
        assert (len(found) > 1) == changes


def test_comparators_of_rows_have_offsets_of_their_own():
    crossbar = loaded(MACHINE, ArrayConfig(comparator_offset_S=1e-6))
    forward = crossbar._periphery.offsets(ADDRESS, np.arange(5))
    backward = crossbar._periphery.offsets(ADDRESS._replace(read=Read.BACKWARD), np.arange(5))
    digit = crossbar._periphery.offsets(ADDRESS._replace(read=Read.DIGIT, sample=9), np.arange(5))
    assert (forward != backward).any()
    assert np.array_equal(forward, digit)


def test_a_coarse_reference_compares_with_its_nearest_step():
    crossbar = loaded(MACHINE, ArrayConfig(reference_step_S=1e-6))
    codes = np.arange(-7, 8)
    exact = (2 * codes + 1) * 16
    assert crossbar._periphery.references(codes).tolist() == [100 * ((2 * e + 100) // 200) for e in exact.tolist()]


@fixed_seed
@given(value=st.integers(0, 2**62 - 1))
def test_roots_are_exact(value):
    (root,) = integer_root(np.array([value])).tolist()
    assert root**2 <= value < (root + 1) ** 2


def test_sums_that_would_wrap_around_are_refused():
    carry = {"carry_digits": 2, "carry_base": 32_767, "carry_period": 1}
    wide = Config(sizes=(65_535, 2), weight_bits=16, scale=1, reference_bits=24, **carry)
    with pytest.raises(ConfigError, match="sums of squares over layer 1 reach"):
        AnalogCrossbar(wide, 1, ARRAYS["ideal"])


@pytest.mark.parametrize("make", [lambda *which: AnalogCrossbar(which[0], 1, which[1]), make_analog])
def test_an_array_too_large_for_memory_says_its_size(make, monkeypatch):
    monkeypatch.setattr(memory, "memory_bytes", lambda: 10**9)
    wide = Config(sizes=(65_535, 40_000))
    with pytest.raises(
        ConfigError, match=r"an array of 5,242,880,000 devices takes 41.9 GB, but this machine has 1.0 GB"
    ):
        make(wide, ARRAYS["ideal"])


def test_what_devices_remember_counts_as_memory():
    every = Device(step_spread=0.1, drift=0.1, trap_share=0.1, trap_amplitude=0.1, endurance=9, read_noise=0.1)
    assert bytes_per_device(ARRAYS["ideal"]) == 8
    assert (
        bytes_per_device(ArrayConfig(device=every, wires=Wires(row_ohm=1.0, column_ohm=1.0))) == 8 + 40 + 4 + 12 + 4 + 5
    )
