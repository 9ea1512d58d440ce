from dataclasses import replace

import numpy as np
import pytest
from stochastor.model.carry import UNDER, CarryRule, carry
from stochastor.model.config import Config
from stochastor.model.crossbar import Address, Read
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.crossbar import MINUS, PLUS, AnalogCrossbar

BASE, ROWS, COLUMNS = 4, 40, 30
HERE = Address(sample=7, layer=1, training=True)


def filled(verify, *, digits=2, array=ARRAYS["taox"]):
    """A crossbar with full lower cells, and the rule of its carry."""
    config = Config(
        sizes=(ROWS - 1, COLUMNS), weight_bits=4, pulses_per_step=9, reference_bits=16, carry_digits=digits,
        carry_base=BASE, carry_period=1, carry_verify=verify,
    )  # fmt: skip
    crossbar = AnalogCrossbar(config, 1, array)
    cells = np.zeros((ROWS, COLUMNS, digits), dtype=np.int32)
    cells[..., 0] = np.where(np.arange(COLUMNS) % 2, 6, -5)
    crossbar.load(cells.reshape(ROWS, -1))
    rule = CarryRule(
        digits=digits, base=BASE, digit_max=config.digit_max, pulses=1, verify=verify, search_bits=config.search_bits
    )
    return crossbar, rule


def weights(crossbar):
    """In LSBs."""
    digits = crossbar.conductances[PLUS] - crossbar.conductances[MINUS]
    places = BASE ** np.arange(len(digits))
    return np.tensordot(places, digits, axes=1) * 2**16 / (2 * crossbar.steps.half_lsb)


def errors(verify, **array):
    crossbar, rule = filled(verify, **array)
    before = weights(crossbar)
    moved = carry(crossbar, HERE, rule)
    assert len(moved.up) + len(moved.down) == ROWS * COLUMNS
    return weights(crossbar) - before


def test_a_verified_carry_is_off_by_a_fraction_of_one_that_trusts_pulses():
    verified, trusted = (np.median(np.abs(errors(verify=most))) for most in (24, 0))
    assert verified < 0.25 * trusted


def test_a_verified_carry_moves_the_upper_cells():
    crossbar, rule = filled(verify=24)
    carry(crossbar, HERE, rule)
    upper = crossbar.dump().reshape(ROWS, COLUMNS, 2)[..., 1]
    assert abs(upper[:, 1::2].mean() - 1) < 0.2
    assert abs(upper[:, ::2].mean() + 1) < 0.2


def test_a_verified_carry_leaves_weights_whose_upper_cells_do_not_switch():
    crossbar, rule = filled(verify=24)
    before, pulse = weights(crossbar), crossbar.pulse
    crossbar.pulse = lambda address, rows, signs, digit=0: digit or pulse(address, rows, signs, digit)
    carry(crossbar, HERE, rule)
    assert (weights(crossbar) == before).all()


@pytest.mark.parametrize("verify", [4, 5, 8])
def test_no_more_pulses_restore_a_weight_than_are_allowed(verify):
    crossbar, rule = filled(verify)
    given = []
    pulse = crossbar.pulse

    def count(address, rows, signs, digit=0):
        given.append((rows[0], digit))
        pulse(address, rows, signs, digit)

    crossbar.pulse = count
    carry(crossbar, HERE, rule)
    lowest = [row for row, digit in given if digit == 0]
    assert np.bincount(lowest).max() == verify


def test_weights_beyond_the_codes_of_the_search_are_restored_by_its_first_and_last():
    stuck = replace(ARRAYS["taox"].device, stuck_on=0.3, stuck_off=0.3)
    crossbar, rule = filled(verify=24, digits=3, array=replace(ARRAYS["taox"], device=stuck))
    rule = rule._replace(search_bits=5)
    asked, compare = [], crossbar.compare

    def note(address, codes):
        if address.read is Read.WEIGHT and address.comparison >= UNDER:
            asked.append(codes.copy())
        return compare(address, codes)

    crossbar.compare = note
    carry(crossbar, HERE, rule)
    assert (np.min(asked), np.max(asked)) == (-16, 15)
