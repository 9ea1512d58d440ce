import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import philox
from stochastor.model.crossbar import Address, Read
from stochastor.sim.array.noise import Purpose, device_words, line_normals, normals_of

from .addresses import addresses

SEED = 2**63 + 12345
fixed_seed = settings(derandomize=True, database=None, deadline=None)


def normal(words):
    """Section 13: of two words, the sum of their bytes less 1020, in 2^-16 of a standard deviation."""
    total = sum(word // 256**place % 256 for word in words for place in range(4)) - 1020
    return (total * 20066 + 32) // 64


def expected(seed, purpose, address, line):
    c2 = address.comparison + 16 * address.digit + 256 * address.training + 512 * address.read
    c2 += 65_536 * address.repetition
    counter = 65_536 * address.row + line // 2, address.sample % 2**32, c2, 65_536 * purpose + address.layer
    words = philox(seed, counter)
    return normal(words[2:] if line % 2 else words[:2])


@fixed_seed
@given(seed=st.integers(0, 2**64 - 1), purpose=st.sampled_from(Purpose), address=addresses, data=st.data())
def test_a_line_draws_its_normal_from_its_address(seed, purpose, address, data):
    lines = data.draw(st.lists(st.integers(0, 65_535), max_size=9, unique=True))
    drawn = line_normals(seed, purpose, address, np.array(lines, dtype=np.int64))
    assert drawn.tolist() == [expected(seed, purpose, address, line) for line in lines]


def test_no_two_addresses_share_a_counter():
    fields = {"sample": 1, "layer": 2, "training": False, "read": Read.DIGIT, "comparison": 3, "row": 4, "digit": 2}
    base = Address(0, 1, training=True)
    draws = {tuple(line_normals(SEED, Purpose.READ, base, np.arange(8)))}
    for name, value in (fields | {"repetition": 7}).items():
        draws.add(tuple(line_normals(SEED, Purpose.READ, base._replace(**{name: value}), np.arange(8))))
    draws.add(tuple(line_normals(SEED, Purpose.COMPARE, base, np.arange(8))))
    assert len(draws) == len(fields) + 3


def test_devices_draw_from_row_and_cell_column():
    words = device_words(SEED, [3, 65_535], [0, 9], 11, 12, 13)
    for row, by_row in zip((3, 65_535), words, strict=True):
        for column, found in zip((0, 9), by_row, strict=True):
            assert found.tolist() == list(philox(SEED, (65_536 * row + column, 11, 12, 13)))


@pytest.mark.parametrize("half", [0, 1])
def test_normals_have_mean_0_and_deviation_1(half):
    words = device_words(SEED, np.arange(200), np.arange(500), 0, 0, 0)
    x = normals_of(words)[..., half].ravel() / 65_536
    assert abs(x.mean()) < 4 / np.sqrt(x.size)
    assert abs(x.std() - 1) < 4 / np.sqrt(2 * x.size)
    assert abs((x**4).mean() / x.std() ** 4 - (3 - 6 / 40)) < 0.05


def test_normals_are_as_far_out_as_their_bytes_allow():
    zero, ones = np.zeros(4, dtype=np.uint64), np.full(4, 0xFFFFFFFF, dtype=np.uint64)
    assert normals_of(zero).tolist() == [normal((0, 0))] * 2
    assert normals_of(ones).tolist() == [normal((0xFFFFFFFF, 0xFFFFFFFF))] * 2
