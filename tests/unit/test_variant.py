import numpy as np
import pytest
from stochastor.model.config import Config, Gate
from stochastor.model.data import load_dataset
from stochastor.model.errors import ConfigError
from stochastor.model.fast import FastTrainer
from stochastor.model.lfsr import shift
from stochastor.model.tables import fire_thresholds, random_windows
from stochastor.model.trainer import Trainer
from stochastor.model.variant import PLAIN, Variant

CONFIG = Config(sizes=(20, 14, 5), scale=8)
STATES = (1, 0x80200003, 0xDEADBEEF)


def trained(variant, config=CONFIG):
    random = np.random.default_rng(0)
    trainer = FastTrainer(config, variant.machine(config))
    trainer.train(random.integers(0, 256, (50, 20), dtype=np.uint8), random.integers(0, 5, 50), 1)
    return trainer


def drawn(machine, state, lines):
    """Bytes and following state of the first generator's operation, by superposition."""
    nibbles = [state >> 4 * place & 15 for place in range(8)]
    total, following = np.zeros(lines, dtype=np.uint8), np.uint32(0)
    for place, nibble in enumerate(nibbles):
        total ^= machine.bytes[place, nibble, :lines]
        following ^= machine.jumps[0, 0, place, nibble]
    return total.tolist(), int(following)


def test_a_variant_that_differs_in_nothing_trains_to_the_bits_of_the_machine():
    random = np.random.default_rng(0)
    plain = Trainer(CONFIG)
    plain.train(random.integers(0, 256, (50, 20), dtype=np.uint8), random.integers(0, 5, 50), 1)
    for weights, expected in zip(trained(PLAIN).weights(), plain.weights(), strict=True):
        assert weights.tolist() == expected.tolist()


@pytest.mark.parametrize("bits", [1, 3, 7])
def test_coarse_tables_have_a_code_for_each_number_of_their_bits(bits):
    machine = Variant(threshold_bits=bits).machine(CONFIG)
    for table, codes in (
        (machine.thresholds, fire_thresholds(8, 1 << bits)),
        (machine.windows, random_windows(8, 1 << bits)),
    ):
        assert table.tolist() == [[codes[r >> (8 - bits)] for r in range(256)]] * 2


def test_a_fixed_window_stays_as_it_is_with_coarse_tables():
    config = Config(sizes=(20, 14, 5), scale=8, gate=Gate.FIXED_WINDOW)
    assert set(Variant(threshold_bits=2).machine(config).windows.ravel().tolist()) == {32}


@pytest.mark.parametrize(("generators", "states"), [("own", 6), ("layer", 2), ("machine", 1)])
def test_shared_generators_have_one_state(generators, states):
    assert len(set(trained(Variant(generators=generators)).generator_states())) == states


@pytest.mark.parametrize("state", STATES)
def test_one_number_for_all_lines_is_the_first_byte_of_the_next_word(state):
    following = state
    for _ in range(32):
        following = shift(following)
    assert drawn(Variant(generators="line").machine(CONFIG), state, 20) == ([following & 255] * 20, following)


@pytest.mark.parametrize("state", STATES)
def test_a_serial_generator_shifts_once_a_line(state):
    states = [state]
    for _ in range(20):
        states.append(shift(states[-1]))
    expected = [following & 255 for following in states[1:]]
    assert drawn(Variant(generators="serial").machine(CONFIG), state, 20) == (expected, states[-1])


def test_binary_input_is_cut_at_half_of_full_scale():
    dataset = load_dataset("random", inputs=20, outputs=5)
    cut = Variant(binary_input=True).dataset(dataset)
    assert np.array_equal(cut.train_features, np.where(dataset.train_features >= 128, 255, 0))
    assert np.array_equal(cut.test_features, np.where(dataset.test_features >= 128, 255, 0))
    assert PLAIN.dataset(dataset) is dataset


def test_without_thinning_the_exponent_is_always_zero():
    assert [Variant(thinning=False).exponent(k) for k in range(5)] == [0] * 5
    assert [PLAIN.exponent(k) for k in range(5)] == list(range(5))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threshold_bits": 0}, "threshold_bits must be from 1 to 8, not 0"),
        ({"threshold_bits": 9}, "threshold_bits must be from 1 to 8, not 9"),
        ({"generators": "two"}, "generators must be one of own, layer, machine, line, serial, not 'two'"),
    ],
)
def test_a_variant_that_is_none_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        Variant(**fields)
