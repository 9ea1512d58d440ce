from functools import reduce
from operator import xor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Lfsr as ReferenceLfsr
from reference import generator_seed
from stochastor.model import lfsr
from stochastor.model.config import PRESETS, Config
from stochastor.model.layer import generator_keys
from stochastor.model.lfsr import MASK, Bank, Generator, Lfsr, shift, state_before, word_after

PERIOD = 2**32 - 1
PRIME_FACTORS = (3, 5, 17, 257, 65537)
STATES = st.integers(1, PERIOD)
fixed_seed = settings(derandomize=True, database=None, deadline=None)

IDENTITY = [1 << bit for bit in range(32)]
SHIFT_MATRIX = [shift(1 << bit) for bit in range(32)]


def applied(matrix, state):
    """Multiply a matrix, a list of columns, with a state over GF(2)."""
    return reduce(xor, (column for bit, column in enumerate(matrix) if state >> bit & 1), 0)


def power(matrix, exponent):
    result = IDENTITY
    for bit in f"{exponent:b}":
        result = [applied(result, column) for column in result]
        if bit == "1":
            result = [applied(matrix, column) for column in result]
    return result


def seeds(config):
    return [
        lfsr.seed(config.seed, *key, layer)
        for layer in range(1, config.layers + 1)
        for key in generator_keys(config, layer)
    ]


def test_the_mask_has_the_published_maximal_taps():
    assert sum(1 << (tap - 1) for tap in (32, 22, 2, 1)) == MASK


@fixed_seed
@given(left=STATES, right=STATES)
def test_a_shift_is_linear(left, right):
    assert shift(left ^ right) == shift(left) ^ shift(right)


def test_the_period_divides_2_to_the_32_minus_1():
    assert power(SHIFT_MATRIX, PERIOD) == IDENTITY


def test_the_prime_factors_are_all_of_the_period():
    product = 1
    for factor in PRIME_FACTORS:
        product *= factor
    assert product == PERIOD


@pytest.mark.parametrize("factor", PRIME_FACTORS)
def test_the_period_is_no_proper_divisor(factor):
    assert power(SHIFT_MATRIX, PERIOD // factor) != IDENTITY


@fixed_seed
@given(state=STATES)
def test_a_word_is_the_state_after_32_shifts(state):
    expected = state
    for _ in range(32):
        expected = shift(expected)
    assert Lfsr(state).word() == expected


@fixed_seed
@given(state=STATES)
def test_a_word_tells_the_state_before_it_and_the_state_the_word(state):
    generator = Lfsr(state)
    assert word_after(state) == generator.word()
    assert state_before(generator.state) == state


def test_a_word_becomes_the_state():
    generator = Lfsr(1)
    assert generator.word() == generator.state


def test_a_word_gives_its_bytes_low_byte_first():
    word = Lfsr(12345).word()
    assert Lfsr(12345).draw(4).tolist() == [word >> 8 * byte & 0xFF for byte in range(4)]


@pytest.mark.parametrize("lines", range(1, 18))
def test_an_operation_consumes_a_word_for_every_four_lines_begun(lines):
    generator, words = Lfsr(99), Lfsr(99)
    generator.draw(lines)
    for _ in range((lines + 3) // 4):
        words.word()
    assert generator.state == words.state


@pytest.mark.parametrize("lines", [1, 2, 3, 5, 6, 7])
def test_bytes_left_over_are_dropped(lines):
    generator, words = Lfsr(7), Lfsr(7)
    generator.draw(lines)
    words.draw(-(-lines // 4) * 4)
    assert generator.draw(4).tolist() == words.draw(4).tolist()


@fixed_seed
@given(state=STATES, operations=st.lists(st.integers(1, 40), max_size=5))
def test_operations_equal_the_second_model(state, operations):
    generator, expected = Lfsr(state), ReferenceLfsr(state)
    assert [generator.draw(n).tolist() for n in operations] == [expected.lines(n) for n in operations]


@pytest.mark.parametrize("state", [0, -1, 2**32])
def test_a_state_that_no_generator_can_have_is_refused(state):
    with pytest.raises(ValueError, match=f"must be from 1 to 2\\^32 - 1, not {state}"):
        Lfsr(state)


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("layer", [1, 2, 65_535])
def test_seeds_equal_the_second_model(seed, layer):
    keys = [(generator, bank) for generator in Generator for bank in Bank]
    expected = [generator_seed(seed, number, bank, layer) for number in range(4) for bank in range(2)]
    assert [lfsr.seed(seed, *key, layer) for key in keys] == expected


def test_a_seed_that_would_be_zero_is_the_mask(monkeypatch):
    monkeypatch.setattr(lfsr, "philox", lambda *_: [0, 1, 1, 1])
    assert lfsr.seed(0, Generator.FIRE, Bank.TRAIN, 1) == MASK


@pytest.mark.parametrize("seed", [0, 1, 42, 2**64 - 1])
@pytest.mark.parametrize("sizes", [*(config.sizes for config in PRESETS.values()), (5, *range(1, 65))])
def test_the_generators_of_a_machine_start_apart(sizes, seed):
    states = seeds(Config(sizes=sizes, seed=seed))
    assert len(set(states)) == len(states)


@pytest.mark.parametrize(
    ("gate", "layer", "keys"),
    [
        ("random_window", 1, "00 01 10 11 20 30"),
        ("random_window", 2, "10 11 20 30"),
        ("random_window", 3, "10 11 30"),
        ("xor", 2, "10 11 20 30"),
        ("fixed_window", 1, "00 01 10 11 30"),
        ("fixed_window", 2, "10 11 30"),
    ],
)
def test_a_layer_has_the_generators_of_the_specification(gate, layer, keys):
    config = Config(sizes=(4, 3, 3, 2), gate=gate)
    assert " ".join(f"{number:d}{bank:d}" for number, bank in generator_keys(config, layer)) == keys
