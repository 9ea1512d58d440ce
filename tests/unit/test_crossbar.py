import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import initial_weights as reference_weights
from stochastor.model.crossbar import Address, IntegerCrossbar, initial_weights

ADDRESS = Address(0, 1, True)
WEIGHT_MAX = 7
fixed_seed = settings(derandomize=True, database=None, deadline=None)


@st.composite
def arrays(draw):
    """Weights as a list of rows, and some of the rows in ascending order."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    line = st.lists(st.integers(-WEIGHT_MAX, WEIGHT_MAX), min_size=columns, max_size=columns)
    weights = draw(st.lists(line, min_size=rows, max_size=rows))
    return weights, sorted(draw(st.sets(st.integers(0, rows - 1))))


def loaded(weights):
    crossbar = IntegerCrossbar(len(weights), len(weights[0]), WEIGHT_MAX)
    crossbar.load(np.array(weights, dtype=np.int32))
    return crossbar


def indices(rows):
    return np.array(rows, dtype=np.int64)


def drawn_signs(data, columns):
    return data.draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=columns, max_size=columns))


def decisions(crossbar, lines, code):
    return crossbar.compare(ADDRESS, np.full(lines, code)).tolist()


@fixed_seed
@given(array=arrays(), code=st.integers(-64, 64))
def test_a_forward_read_compares_the_sum_of_the_active_rows(array, code):
    weights, rows = array
    crossbar = loaded(weights)
    crossbar.read_forward(ADDRESS, indices(rows))
    columns = range(len(weights[0]))
    assert decisions(crossbar, len(columns), code) == [sum(weights[i][j] for i in rows) > code for j in columns]


@fixed_seed
@given(array=arrays(), code=st.integers(-64, 64), data=st.data())
def test_a_backward_read_compares_the_signed_sum_of_the_columns(array, code, data):
    weights, rows = array
    signs = drawn_signs(data, len(weights[0]))
    crossbar = loaded(weights)
    crossbar.read_backward(ADDRESS, np.array(signs, dtype=np.int8), indices(rows))
    sums = [sum(w * sign for w, sign in zip(weights[i], signs, strict=True)) for i in rows]
    assert decisions(crossbar, len(rows), code) == [s > code for s in sums]


@fixed_seed
@given(array=arrays(), data=st.data())
def test_every_line_is_compared_with_its_own_code(array, data):
    weights, rows = array
    columns = range(len(weights[0]))
    codes = data.draw(st.lists(st.integers(-64, 64), min_size=len(columns), max_size=len(columns)))
    crossbar = loaded(weights)
    crossbar.read_forward(ADDRESS, indices(rows))
    sums = [sum(weights[i][j] for i in rows) for j in columns]
    assert crossbar.compare(ADDRESS, np.array(codes)).tolist() == [z > c for z, c in zip(sums, codes, strict=True)]


def test_a_sum_is_not_greater_than_itself():
    crossbar = loaded([[3, -2], [1, 1]])
    crossbar.read_forward(ADDRESS, indices([0, 1]))
    assert crossbar.compare(ADDRESS, np.array([4, -1])).tolist() == [False, False]


def test_a_held_read_can_be_compared_again():
    crossbar = loaded([[3, -2], [1, 1]])
    crossbar.read_forward(ADDRESS, indices([0, 1]))
    answers = [decisions(crossbar, 2, code) for code in (0, 3, -2, 0)]
    assert answers == [[True, False], [True, False], [True, True], [True, False]]


def test_a_sum_of_the_largest_crossbar_does_not_wrap():
    rows = 65_536
    crossbar = IntegerCrossbar(rows, 1, 32_767)
    crossbar.load(np.full((rows, 1), 32_767, dtype=np.int32))
    crossbar.read_forward(ADDRESS, np.arange(rows))
    assert [decisions(crossbar, 1, rows * 32_767 - less) for less in (0, 1)] == [[False], [True]]


def test_a_backward_sum_of_the_widest_crossbar_does_not_wrap():
    columns = 65_535
    crossbar = IntegerCrossbar(2, columns, 32_767)
    crossbar.load(np.full((2, columns), 32_767, dtype=np.int32))
    crossbar.read_backward(ADDRESS, np.full(columns, -1, dtype=np.int8), indices([1]))
    assert [decisions(crossbar, 1, -columns * 32_767 - less) for less in (0, 1)] == [[False], [True]]


@fixed_seed
@given(array=arrays(), data=st.data())
def test_a_pulse_moves_the_given_rows_by_the_signs_of_their_columns(array, data):
    weights, rows = array
    signs = drawn_signs(data, len(weights[0]))
    crossbar = loaded(weights)
    crossbar.pulse(ADDRESS, indices(rows), np.array(signs, dtype=np.int8))
    for row in rows:
        weights[row] = [min(max(w + sign, -7), 7) for w, sign in zip(weights[row], signs, strict=True)]
    assert crossbar.dump().tolist() == weights


@pytest.mark.parametrize("sign", [-1, 1])
def test_weights_saturate_at_both_bounds(sign):
    crossbar = loaded([[0]])
    for _ in range(2 * WEIGHT_MAX):
        crossbar.pulse(ADDRESS, indices([0]), np.array([sign], dtype=np.int8))
    assert crossbar.dump().tolist() == [[sign * WEIGHT_MAX]]


def test_a_saturated_weight_comes_back_at_the_first_opposite_pulse():
    crossbar = loaded([[WEIGHT_MAX, -WEIGHT_MAX]])
    for signs in ([1, -1], [-1, 1]):
        crossbar.pulse(ADDRESS, indices([0]), np.array(signs, dtype=np.int8))
    assert crossbar.dump().tolist() == [[WEIGHT_MAX - 1, 1 - WEIGHT_MAX]]


@fixed_seed
@given(array=arrays())
def test_dump_gives_what_load_wrote(array):
    weights, _ = array
    assert loaded(weights).dump().tolist() == weights


def test_a_dump_is_a_copy():
    crossbar = loaded([[1, 2]])
    crossbar.dump()[:] = 5
    assert crossbar.dump().tolist() == [[1, 2]]


def test_loaded_weights_are_copied():
    weights = np.array([[1, 2]], dtype=np.int32)
    crossbar = IntegerCrossbar(1, 2, WEIGHT_MAX)
    crossbar.load(weights)
    weights[:] = 5
    assert crossbar.dump().tolist() == [[1, 2]]


@fixed_seed
@given(
    seed=st.integers(0, 2**64 - 1),
    layer=st.integers(1, 4),
    rows=st.integers(2, 20),
    columns=st.integers(1, 9),
    scale=st.integers(1, 300),
    weight_bits=st.integers(2, 16),
)
def test_initial_weights_equal_the_second_model(seed, layer, rows, columns, scale, weight_bits):
    weight_max = 2 ** (weight_bits - 1) - 1
    weights = initial_weights(seed, layer, rows, columns, scale, weight_max)
    assert weights.tolist() == reference_weights(seed, layer, rows, columns, scale, weight_max)


@pytest.mark.parametrize(
    ("layer", "rows", "scale", "weight_max", "bound"),
    [
        (1, 785, 64, 127, 5),
        (2, 257, 64, 127, 5),
        (1, 65, 64, 127, 20),
        (2, 129, 64, 127, 8),
        (1, 16, 3, 127, 2),
        (2, 19, 3, 127, 1),
        (1, 785, 64, 3, 3),
        (1, 65_536, 1, 127, 0),
        (1, 2, 65_536, 32_767, 32_767),
    ],
)
def test_initial_weights_reach_their_bound_on_both_sides(layer, rows, scale, weight_max, bound):
    weights = initial_weights(0, layer, rows, -(-300_000 // rows), scale, weight_max)
    assert (weights.min(), weights.max()) == (-bound, bound)
