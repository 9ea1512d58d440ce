"""One line of the hardware wrong must make the comparison fail, and say where."""

import re
from functools import cache

import numpy as np
import pytest
from mutation import mutate
from stochastor.hdl import (
    carry,
    counters,
    crossbar,
    error,
    events,
    layer,
    lfsr,
    neuron,
    presentation,
    pulse,
    read,
    samplers,
    trainer,
)
from stochastor.model.config import Config, Gate
from stochastor.model.trainer import Trainer as Model
from stochastor.model.trainer import power_up_weights
from stochastor.sim.interpreted import Session, interpret
from stochastor.sim.scoreboard import Difference, Scoreboard

SMALL = Config(sizes=(9, 5, 3), scale=3)
DRAWS = Config(sizes=(9, 5, 3), scale=3, input_draws=2)
ONE_BEAT = Config(sizes=(4, 5, 3), scale=3, input_draws=2)
CARRY = Config(sizes=(9, 5, 3), scale=3, weight_bits=3, carry_digits=3, carry_base=2, carry_period=2)
PULSES = Config(sizes=(9, 5, 3), scale=3, weight_bits=4, carry_digits=3, carry_base=2, carry_pulses=3, carry_period=2)

# Class, method, the code as it is, the code as it is not, machine, stage in which it must be noticed.
MUTATIONS = [
    (samplers.Bernoulli, "elaborate", "> draws.bytes[line]", ">= draws.bytes[line]", SMALL, "rows"),
    (read.ForwardRead, "_compare", "[line] > compared.lower", "[line] >= compared.lower", SMALL, "fired"),
    (read.ForwardRead, "_compare", "[line] > ~compared", "[line] >= ~compared", SMALL, "gates"),
    (neuron.XorGate, "_decide", "above ^ first", "above | first", Config(sizes=(9, 5, 3), gate=Gate.XOR), "gates"),
    (error.OutputError, "elaborate", "activation & ~target", "activation", SMALL, "signs"),
    (read.BackwardRead, "elaborate", "total > -1", "total > 0", SMALL, "signs"),
    (read.BackwardRead, "elaborate", "Mux(last, 0, total)", "0", Config(sizes=(9, 5, 6), lanes=2, scale=3), "signs"),
    (samplers.KeepRows, "elaborate", "low_bits) == 0", "low_bits) != 0", SMALL, "pulsed"),
    (
        pulse.SaturatingStep,
        "elaborate",
        "== -bound",
        "== -bound + 1",
        Config(sizes=(9, 5, 3), weight_bits=3),
        "weights",
    ),
    (layer.Layer, "_work", "last_pattern.eq(1)", "last_pattern.eq(0)", DRAWS, "pulsed"),
    (layer.Layer, "_neurons", "thresholds(self._index)", "thresholds(2)", DRAWS, "fired"),
    (layer.Layer, "_neurons", "windows(self._index)", "windows(2)", DRAWS, "gates"),
    (carry.Carry, "_compare", "bound - 1", "bound", CARRY, "carried_up"),
    (carry.Carry, "_compare", "group & ~full", "group", CARRY, "carried_up"),
    (carry.Carry, "elaborate", "eq(digit + upper)", "eq(digit)", CARRY, "carried_up"),
    (carry.Carry, "elaborate", "geometry.base * geometry.pulses - 1", "geometry.pulses - 1", CARRY, "weights"),
    (carry.Carry, "elaborate", "pulses.eq(geometry.pulses - 1)", "pulses.eq(0)", PULSES, "carried_up"),
    (carry.Carry, "_compare", "digit_max - geometry.pulses + 1", "digit_max", PULSES, "carried_up"),
    (carry.Carry, "elaborate", "downward.eq(1)", "downward.eq(0)", CARRY, "gates"),
    (crossbar.IntegerCrossbar, "_select_digit", "worked.digit == digit", "digit == 0", CARRY, "carried_up"),
    (
        crossbar.IntegerCrossbar,
        "elaborate",
        "in ((fetched, same_fetched),",
        "in ((worked, same_fetched),",
        CARRY,
        "weights",
    ),
    (
        crossbar.IntegerCrossbar,
        "elaborate",
        "cells.eq(read_port.data)",
        "cells.eq(~read_port.data.as_value())",
        SMALL,
        "fired",
    ),
    (
        events.EventList,
        "elaborate",
        "self.complete & (left == 1)",
        "left == 1",
        Config(sizes=(9, 5, 3), lanes=2),
        "rows",
    ),
    (presentation.Presenter, "elaborate", "pattern_ends & ~groups.valid", "pattern_ends", ONE_BEAT, "gates"),
    (trainer.Trainer, "_end_sample", "If(carries)", "If(~carries)", CARRY, "carried_up"),
    (samplers.Draws, "elaborate", "last_words, words", "words, words", Config(sizes=(9, 9, 3), tables=8), "fired"),
]

# Class, method, the code as it is, the code as it is not, machine, counters that must differ.
MISCOUNTS = [
    (counters.EventCounters, "elaborate", "counter + amount", "counter + amount + 1", SMALL, {"row_events", "raised"}),
    (counters.EventCounters, "elaborate", "sign == 1 for", "sign != 0 for", SMALL, {"raised"}),
    (counters.EventCounters, "elaborate", "first.eq(0)", "first.eq(1)", SMALL, {"backward_reads", "column_drives"}),
    (counters.EventCounters, "elaborate", "[positive.eq(0), negative.eq(0)]", "positive.eq(0)", SMALL, {"lowered"}),
    (layer.Layer, "_count", " & ~carrying", "", CARRY, {"row_pulses"}),
    (carry.Carry, "elaborate", "self.full.eq(1)", "self.full.eq(0)", CARRY, {"upper_reads"}),
    (carry.Carry, "_compare", "count.eq(0)", "count.eq(1)", CARRY, {"carried_up", "carried_down"}),
    (trainer.Trainer, "_count", "exponent != 0", "exponent == 0", SMALL, {"thinned"}),
]


def session_of(config: Config, samples: int = 24) -> tuple[Session, np.ndarray, list[np.ndarray]]:
    """A session on the hardware, its features and its power-up cells."""
    rng = np.random.default_rng(3)
    weights = [
        rng.integers(-config.digit_max, config.digit_max + 1, matrix.shape, dtype=np.int32)
        if config.carry_digits > 1
        else matrix
        for matrix in power_up_weights(config)
    ]
    features = rng.integers(0, 256, (samples, config.sizes[0]), dtype=np.uint8)
    labels = rng.integers(0, config.sizes[-1], samples).tolist()
    exponents = [index % 3 for index in range(samples)]
    return interpret(config, features, labels, exponents, weights=weights), features, weights


def first_difference(config: Config) -> Difference | None:
    session, features, weights = session_of(config)
    scoreboard = Scoreboard(config, weights)
    checks = (scoreboard.check(sample, seen) for sample, seen in zip(features, session.observed, strict=True))
    return next((difference for difference in checks if difference is not None), None)


@pytest.mark.parametrize(
    ("owner", "method", "code", "other", "config", "stage"),
    MUTATIONS,
    ids=[f"{owner.__name__}: {other}" for owner, _, _, other, _, _ in MUTATIONS],
)
def test_one_wrong_line_is_noticed_in_its_stage(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, code: str, other: str, config: Config, stage: str
) -> None:
    assert first_difference(config) is None
    mutate(monkeypatch, owner, method, code, other)
    difference = first_difference(config)
    assert difference is not None
    assert difference.stage == stage
    assert difference.expected != difference.actual
    assert re.fullmatch(
        r"sample \d+, layer \d, stage \w+(, row \d+)?, lane \d+: model -?\d+, hardware -?\d+", str(difference)
    )


def test_one_wrong_tap_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lfsr, "MASK", lfsr.MASK ^ 4)
    difference = first_difference(SMALL)
    assert difference is not None
    assert (difference.sample, difference.layer, difference.stage) == (0, 1, "rows")


def miscounted(config: Config) -> set[str]:
    """Counters that differ from the model's."""
    session, features, weights = session_of(config, samples=12)
    model = Model(config)
    model.load(weights)
    for sample, seen in zip(features, session.observed, strict=True):
        model.train_sample(sample, seen.trace.label, seen.trace.exponent)
    return {name for name, count in model.counts.to_dict().items() if session.counters[name] != count}


@cache
def miscounted_as_it_is(config: Config) -> set[str]:
    return miscounted(config)


@pytest.mark.parametrize(
    ("owner", "method", "code", "other", "config", "names"),
    MISCOUNTS,
    ids=[f"{owner.__name__}: {other}" for owner, _, _, other, _, _ in MISCOUNTS],
)
def test_one_wrong_line_of_the_counters_is_noticed(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, code: str, other: str, config: Config, names: set[str]
) -> None:
    assert miscounted_as_it_is(config) == set()
    mutate(monkeypatch, owner, method, code, other)
    assert names <= miscounted(config)
