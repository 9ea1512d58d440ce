import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import fire_table, window_table
from stochastor.model import samplers
from stochastor.model.crossbar import Address, IntegerCrossbar
from stochastor.model.lfsr import Lfsr

ADDRESS = Address(0, 1, True)
SCALE = 8
SUMS = range(-16 * SCALE, 16 * SCALE + 1)
EVERY_BYTE = range(256)
THRESHOLDS = np.array(fire_table(SCALE))
WINDOWS = np.array(window_table(SCALE))
fixed_seed = settings(derandomize=True, database=None, deadline=None)


class Bytes:
    """A generator whose operations are given beforehand."""

    def __init__(self, *operations):
        self.operations = [np.array(operation, dtype=np.uint8) for operation in operations]

    def draw(self, lines):
        drawn = self.operations.pop(0)
        assert len(drawn) == lines
        return drawn


def holding(sums):
    """A crossbar that holds `sums` as a read."""
    crossbar = IntegerCrossbar(1, len(sums), 2**20)
    crossbar.load(np.array([sums]))
    crossbar.read_forward(ADDRESS, np.array([0]))
    return crossbar


def test_an_input_is_active_for_as_many_bytes_as_its_feature():
    for feature in range(256):
        active = samplers.bernoulli(np.full(256, feature, dtype=np.uint8), Bytes(EVERY_BYTE))
        assert active.tolist() == [True] * feature + [False] * (256 - feature)


def test_a_line_of_the_input_has_a_byte_of_its_own():
    features = np.array([5, 5, 9, 0, 255], dtype=np.uint8)
    assert samplers.bernoulli(features, Bytes([4, 5, 8, 0, 254])).tolist() == [True, False, True, False, True]


@pytest.mark.parametrize("scale", [1, 8, 64])
def test_a_column_on_its_threshold_does_not_fire(scale):
    thresholds = fire_table(scale)
    fired = samplers.fire(holding(thresholds), ADDRESS, np.array(thresholds), Bytes(EVERY_BYTE))
    assert not fired.any()


@pytest.mark.parametrize("scale", [1, 8, 64])
def test_a_column_one_above_its_threshold_fires(scale):
    thresholds = fire_table(scale)
    crossbar = holding([code + 1 for code in thresholds])
    assert samplers.fire(crossbar, ADDRESS, np.array(thresholds), Bytes(EVERY_BYTE)).all()


def test_the_random_window_is_open_within_its_half_width():
    for r in EVERY_BYTE:
        gates = samplers.random_window(holding(SUMS), ADDRESS, WINDOWS, Bytes([r] * len(SUMS)))
        assert gates.tolist() == [abs(z) < WINDOWS[r] for z in SUMS]


@pytest.mark.parametrize("window", [0, 1, 2, 4 * SCALE])
def test_the_fixed_window_is_open_within_its_half_width(window):
    gates = samplers.fixed_window(holding(SUMS), ADDRESS, window)
    assert gates.tolist() == [abs(z) < window for z in SUMS]


@fixed_seed
@given(first=st.integers(0, 255), second=st.integers(0, 255))
def test_the_xor_gate_is_open_between_its_two_thresholds(first, second):
    drawn = Bytes([first] * len(SUMS), [second] * len(SUMS))
    low, high = sorted((THRESHOLDS[first], THRESHOLDS[second]))
    gates = samplers.xor(holding(SUMS), ADDRESS, THRESHOLDS, drawn)
    assert gates.tolist() == [low < z <= high for z in SUMS]


@pytest.mark.parametrize(
    ("sampler", "codes", "operations"),
    [(samplers.fire, THRESHOLDS, 1), (samplers.random_window, WINDOWS, 1), (samplers.xor, THRESHOLDS, 2)],
)
def test_a_sampler_draws_whole_operations(sampler, codes, operations):
    drawn, expected = Lfsr(3), Lfsr(3)
    sampler(holding([0] * 5), ADDRESS, codes, drawn)
    for _ in range(operations):
        expected.draw(5)
    assert drawn.state == expected.state


@pytest.mark.parametrize("k", range(1, 8))
def test_a_row_is_kept_where_the_low_bits_of_its_byte_are_zero(k):
    kept = samplers.keep_rows(np.arange(256), 256, k, Bytes(EVERY_BYTE))
    assert kept.tolist() == list(range(0, 256, 2**k))


@pytest.mark.parametrize("k", range(1, 8))
def test_rows_are_kept_for_one_byte_in_2_to_the_k(k):
    assert len(samplers.keep_rows(np.arange(256), 256, k, Bytes(EVERY_BYTE))) * 2**k == 256


def test_nothing_is_drawn_to_keep_every_row():
    assert samplers.keep_rows(np.arange(9), 9, 0, Bytes()).tolist() == list(range(9))


@fixed_seed
@given(data=st.data(), k=st.integers(1, 7), drawn=st.lists(st.integers(0, 255), min_size=1, max_size=40))
def test_a_row_is_kept_by_the_byte_of_its_own_line(data, k, drawn):
    rows = sorted(data.draw(st.sets(st.integers(0, len(drawn) - 1))))
    kept = samplers.keep_rows(np.array(rows, dtype=np.int64), len(drawn), k, Bytes(drawn))
    assert kept.tolist() == [row for row in rows if drawn[row] % 2**k == 0]
