import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import sample_order as reference_order
from stochastor.model.schedule import exponent, sample_order

SEEDS = st.integers(0, 2**64 - 1)
EPOCHS = st.integers(0, 99_999)
BLOCKS = st.integers(1, 70)
fixed_seed = settings(derandomize=True, database=None, deadline=None, max_examples=50)


@fixed_seed
@given(seed=SEEDS, epoch=EPOCHS, samples=st.integers(0, 60), block=BLOCKS)
def test_the_order_is_a_permutation(seed, epoch, samples, block):
    assert sorted(sample_order(seed, epoch, samples, block).tolist()) == list(range(samples))


@fixed_seed
@given(seed=SEEDS, epoch=EPOCHS, samples=st.integers(0, 60), block=BLOCKS)
def test_the_order_equals_the_second_model(seed, epoch, samples, block):
    assert sample_order(seed, epoch, samples, block).tolist() == reference_order(seed, epoch, samples, block)


def test_every_epoch_has_an_order_of_its_own():
    assert len({tuple(sample_order(0, epoch, 50)) for epoch in range(30)}) == 30


def test_every_seed_has_an_order_of_its_own():
    seeds = [0, 1, 2, 2**32, 2**63]
    assert len({tuple(sample_order(seed, 0, 50)) for seed in seeds}) == len(seeds)


def test_the_order_of_an_epoch_never_changes():
    order = sample_order(0, 1, 1000).tolist()
    digest = hashlib.sha256(struct.pack("<1000I", *order)).hexdigest()
    assert digest == "c5b970000cc88a82293b8bcf5000eca8a508b596c5375d8bc6ae5a10cdd75976"


@pytest.mark.parametrize(
    ("epochs", "staircase"),
    [
        (1, "0"),
        (2, "00"),
        (3, "001"),
        (4, "0002"),
        (5, "00002"),
        (6, "000013"),
        (12, "000000001234"),
        (30, "0" * 20 + "1112233344"),
    ],
)
def test_the_exponent_climbs_the_staircase_of_the_specification(epochs, staircase):
    assert "".join(str(exponent(epoch, epochs)) for epoch in range(epochs)) == staircase


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 30, 99, 100_000])
def test_the_exponent_stays_zero_for_two_thirds_of_the_epochs(epochs):
    assert sum(exponent(epoch, epochs) == 0 for epoch in range(epochs)) == -(-2 * epochs // 3)


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 30, 99, 1000])
def test_the_exponent_never_falls(epochs):
    staircase = [exponent(epoch, epochs) for epoch in range(epochs)]
    assert staircase == sorted(staircase)


@pytest.mark.parametrize("epochs", [12, 30, 1000, 100_000])
def test_the_last_epoch_keeps_one_row_in_sixteen(epochs):
    assert exponent(epochs - 1, epochs) == 4
