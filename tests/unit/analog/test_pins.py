import numpy as np
import pytest
from stochastor.hdl.pins import Phase
from stochastor.model.config import Config
from stochastor.model.crossbar import Address, Read
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.crossbar import AnalogCrossbar
from stochastor.sim.array.pins import SAFE, PinViolation, SimulatedArray

CONFIG = Config(sizes=(4, 3), tables=2, array_side="pins", settle_cycles=2, pulse_cycles=3, recovery_cycles=2)
CARRY = Config(
    sizes=(4, 3),
    tables=2,
    array_side="pins",
    settle_cycles=1,
    weight_bits=4,
    scale=8,
    carry_digits=2,
    carry_base=4,
    carry_period=5,
)
CELLS = np.arange(15, dtype=np.int32).reshape(5, 3) - 7
REST = SAFE._replace(row_clear=0, zero=0)
READ, PROGRAM = {"phase": Phase.READ}, {"phase": Phase.PROGRAM}
TRAINING = 1 << 32


class Hand:
    """Moves the pins of an array by hand; pins that are not named stay as they are."""

    def __init__(self, config=CONFIG, cells=CELLS, array=ARRAYS["taox"]):
        config = config if config is CARRY else Config(**config.to_dict() | {"weight_bits": 7})
        self.array = SimulatedArray(config, 1, array, cells)
        self.twin = AnalogCrossbar(config, 1, array)
        self.twin.load(cells)
        self.levels, self.cycle, self.decision = SAFE, -1, 0
        self.wait()
        self.move(**REST._asdict())

    def move(self, **pins):
        self.cycle += 1
        self.levels = self.levels._replace(**pins)
        self.decision = self.array.see(self.cycle, self.levels)
        return self

    def wait(self, cycles=1):
        for _ in range(cycles):
            self.move()
        return self

    def latch(self, *rows):
        for row in rows:
            self.move(row=row, row_set=1)
        return self.move(row_set=0)

    def columns(self):
        """Latch the signs +1, -1, -1."""
        self.move(group=0, column_set=1, column_plus=1, column_minus=2)
        self.move(group=1, column_plus=0, column_minus=1)
        return self.move(column_set=0, column_minus=0, group=0)

    def read(self):
        return self.latch(1, 4).move(**READ).wait().move(integrate=1).move(integrate=0)

    def select(self, row=2):
        return self.columns().move(row=row).move(**PROGRAM)

    def strobe(self, pin, cycles=3):
        return self.move(**{pin: 1}).wait(cycles - 1).move(**{pin: 0})


def codes(*values):
    return sum((value & 0xFFF) << 12 * index for index, value in enumerate(values))


def test_a_forward_read_is_compared_as_the_crossbar_compares():
    hand = Hand()
    hand.read()
    hand.twin.read_forward(Address(0, 1, False), np.array([1, 4]))
    for group, code in [(0, -3), (0, 0), (1, 4), (1, 3)]:
        hand.move(compare=1, group=group, reference=codes(code, code))
        expected = hand.twin.compare(Address(0, 1, False), np.full(3, code))[2 * group :][:2]
        assert [hand.decision >> line & 1 for line in range(len(expected))] == expected.tolist()


def test_a_backward_read_is_of_the_row_and_the_latched_columns():
    hand = Hand()
    address = TRAINING + (int(Read.BACKWARD) << 33)
    hand.columns().move(row=3, transposed=1).move(**READ, address=address).wait()
    for code in (-40, 0, 40):
        hand.move(compare=1, reference=codes(code, 0)).move(compare=0)
        there = Address(0, 1, True, Read.BACKWARD)
        hand.twin.read_backward(there, np.array([1, -1, -1], dtype=np.int8), np.array([3]))
        hand.move(compare=1)
        assert hand.decision == hand.twin.compare(there, np.array([code]))[0]
        hand.move(compare=0)


def test_a_pair_of_strobes_is_a_pulse_of_its_address():
    hand = Hand()
    hand.select().move(address=TRAINING + 7)
    hand.strobe("set").wait(1).strobe("reset").wait(1).move(phase=Phase.IDLE)
    hand.twin.pulse(Address(7, 1, True), np.array([2]), np.array([1, -1, -1], dtype=np.int8))
    assert np.array_equal(hand.array.crossbar.conductances, hand.twin.conductances)


def test_a_digit_is_read_and_pulsed_alone():
    cells = np.arange(30, dtype=np.int32).reshape(5, 6) % 13 - 6
    hand = Hand(CARRY, cells)
    address = TRAINING + (int(Read.DIGIT) << 33) + (2 << 35) + (3 << 39)
    hand.move(digit=1, alone=1).latch(3).move(**READ, address=address).move(integrate=1).move(integrate=0)
    there = Address(0, 1, True, Read.DIGIT, 2, 3)
    hand.twin.read_digit(there, 3, 1)
    hand.move(compare=1, reference=codes(0, 2))
    assert hand.decision == (hand.twin.compare(there, np.array([0, 2, 0]))[:2] * [1, 2]).sum()


VIOLATIONS = {
    "row: changes while the phase is READ": lambda hand: hand.read().move(row=0),
    "transposed: changes while the phase is READ": lambda hand: hand.read().move(transposed=1),
    "row: changes while the phase is PROGRAM": lambda hand: hand.select().strobe("set").move(row=0),
    "row: changes while": lambda hand: hand.move(row=2, **READ),
    "row_set: strobes while": lambda hand: hand.read().move(row_set=1),
    "row_clear: strobes while": lambda hand: hand.read().move(row_clear=1),
    "column_set: strobes while": lambda hand: hand.select().move(column_set=1),
    "zero: strobes while": lambda hand: hand.read().move(zero=1),
    "row: is 5, in an array of 5 rows": lambda hand: hand.latch(5),
    "column_minus: drives a column that": lambda hand: hand.move(column_set=1, column_plus=1, column_minus=1),
    "phase: goes from READ to PROGRAM": lambda hand: hand.read().move(**PROGRAM),
    "integrate: is 1 after 1 cycles of READ": lambda hand: hand.latch(1).move(**READ).move(integrate=1),
    "integrate: is 1 while the phase is IDLE": lambda hand: hand.latch(1).move(integrate=1),
    "integrate: strobes in a transposed": lambda hand: hand.move(transposed=1).move(**READ).wait().move(integrate=1),
    "compare: is 1 after 1 cycles of READ": lambda hand: hand.latch(1).move(**READ).move(compare=1),
    "compare: is 1 while the phase is PROGRAM": lambda hand: hand.select().move(compare=1),
    "compare: compares what was not integrated": lambda hand: hand.latch(1).move(**READ).wait().move(compare=1),
    "set: strobes before programming": lambda hand: hand.columns().move(set=1, **PROGRAM),
    "set: lasted 2 cycles, not pulse_cycles = 3": lambda hand: hand.select().strobe("set", 2),
    "set: lasted 4 cycles, not": lambda hand: hand.select().strobe("set", 4),
    "reset: strobes less than recovery_cycles = 2 after": lambda hand: hand.select().strobe("set").move(reset=1),
    "reset: strobes other cells": lambda hand: hand.select().strobe("reset"),
    "reset: strobes less": lambda hand: hand.select().move(set=1).move(reset=1),
    "set: strobes twice": lambda hand: hand.select().strobe("set").wait().strobe("set"),
    "phase: leaves PROGRAM before": lambda hand: hand.select().strobe("set").wait(3).move(phase=Phase.IDLE),
}


@pytest.mark.parametrize("what", VIOLATIONS)
def test_a_pin_that_does_what_it_must_not_is_named_with_its_cycle(what):
    hand = Hand()
    with pytest.raises(PinViolation) as refused:
        VIOLATIONS[what](hand)
    assert str(refused.value).startswith(f"cycle {hand.cycle}, layer 1, pin {what}")


def test_a_comparison_that_is_too_short_is_named():
    config = Config(**CONFIG.to_dict() | {"compare_cycles": 3})
    hand = Hand(config)
    hand.read().move(compare=1).wait(2).move(group=1).wait()
    with pytest.raises(PinViolation, match=r"pin compare: lasted 2 cycles, less than compare_cycles = 3"):
        hand.move(compare=0)


def test_one_digit_of_several_rows_is_refused():
    hand = Hand(CARRY, np.zeros((5, 6), dtype=np.int32))
    with pytest.raises(PinViolation, match="pin alone: asks for one digit of several rows"):
        hand.move(alone=1).latch(1, 2).move(**READ).move(integrate=1)
