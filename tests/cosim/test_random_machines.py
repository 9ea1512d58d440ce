"""Machines of random configurations, in Amaranth's own simulator, against the golden model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stochastor.hdl.cycles import carry_cycles, sample_cycles
from stochastor.model.config import Config, Gate
from stochastor.model.trainer import Trainer
from stochastor.sim.interpreted import Session, interpret
from stochastor.sim.scoreboard import Scoreboard

SIZES = st.lists(st.sampled_from([1, 2, 3, 5, 7, 9, 13, 17]), min_size=2, max_size=5).map(tuple)
EXPONENTS = [0, 0, 1, 0, 7, 2]

configs = st.builds(
    Config,
    sizes=SIZES,
    gate=st.sampled_from(Gate),
    lanes=st.sampled_from([0, 1, 2, 3, 4, 5, 8]),
    tables=st.sampled_from([1, 2, 4, 8, 16]),
    pixels_per_beat=st.sampled_from([1, 2, 4, 8, 16]),
    weight_bits=st.sampled_from([2, 3, 4, 8, 16]),
    scale=st.sampled_from([1, 3, 8, 64]),
    input_draws=st.sampled_from([1, 1, 2, 3]),
    reference_bits=st.just(16),
    seed=st.integers(0, 2**64 - 1),
)


@st.composite
def carrying_configs(draw: st.DrawFn) -> Config:
    """Machines of several coarse cells a weight, whose carries come every few samples."""
    bits = draw(st.sampled_from([3, 4, 5]))
    pulses = draw(st.sampled_from([1, 1, bits - 2, 2 ** (bits - 2) - 1]))
    most = (2 ** (bits - 1) - 1) // pulses
    return replace(
        draw(configs),
        weight_bits=bits,
        scale=draw(st.sampled_from([1, 3, 8])),
        carry_digits=draw(st.sampled_from([2, 3])),
        carry_base=draw(st.sampled_from([max(2, most // 2 + 1), most])),
        carry_pulses=pulses,
        carry_period=draw(st.sampled_from([1, 2, 3, 5])),
    )


def near_bounds(config: Config) -> list[np.ndarray]:
    """Cells of which many are full, and many at their bounds."""
    rng = np.random.default_rng(config.seed)
    full = config.carry_base * config.carry_pulses
    values = [-config.digit_max, -full, 0, 1, full, config.digit_max - config.carry_pulses, config.digit_max]
    shapes = [(config.rows(layer), config.cell_columns(layer)) for layer in range(1, config.layers + 1)]
    return [rng.choice(values, shape).astype(np.int32) for shape in shapes]


def train(
    config: Config, exponents: list[int], stalls: float = 0.0, weights: list[np.ndarray] | None = None
) -> tuple[Session, np.ndarray]:
    rng = np.random.default_rng(config.seed)
    features = rng.integers(0, 256, (len(exponents), config.sizes[0]), dtype=np.uint8)
    labels = rng.integers(0, config.sizes[-1], len(exponents)).tolist()
    return interpret(config, features, labels, exponents, stalls=stalls, weights=weights), features


def assert_agrees(
    config: Config, session: Session, features: np.ndarray, weights: list[np.ndarray] | None = None
) -> None:
    scoreboard = Scoreboard(config, weights)
    for sample, observed, votes in zip(features, session.observed, session.outputs, strict=True):
        difference = scoreboard.check(sample, observed) or scoreboard.check_result(votes)
        assert difference is None, str(difference)


def assert_counts_agree(
    config: Config, session: Session, features: np.ndarray, weights: list[np.ndarray] | None = None
) -> None:
    model = Trainer(config)
    if weights is not None:
        model.load(weights)
    for sample, observed in zip(features, session.observed, strict=True):
        model.train_sample(sample, observed.trace.label, observed.trace.exponent)
    busy_cycles = {"busy_cycles": sum(session.busy_cycles)}
    assert session.counters == model.counts.to_dict() | busy_cycles


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(config=configs, stalls=st.sampled_from([0.0, 0.3]))
@example(config=Config(sizes=(5, 3, 2)), stalls=0.3)
@example(config=Config(sizes=(17, 9, 4, 3), lanes=4, tables=8), stalls=0.3)
@example(config=Config(sizes=(17, 9, 4, 3), lanes=4, tables=8, input_draws=4, reference_bits=16), stalls=0.3)
@example(config=Config(sizes=(1, 1)), stalls=0.0)
def test_every_machine_computes_the_bits_of_the_model(config: Config, stalls: float) -> None:
    session, features = train(config, EXPONENTS, stalls)
    assert_agrees(config, session, features)
    assert_counts_agree(config, session, features)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(config=configs)
def test_every_sample_takes_the_cycles_of_the_formula(config: Config) -> None:
    session, _ = train(config, EXPONENTS)
    formula = [sample_cycles(config, observed.trace) for observed in session.observed]
    assert session.busy_cycles == formula


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(config=carrying_configs(), stalls=st.sampled_from([0.0, 0.3]))
def test_every_machine_with_carry_computes_the_bits_of_the_model(config: Config, stalls: float) -> None:
    weights = near_bounds(config)
    session, features = train(config, EXPONENTS, stalls, weights)
    assert_agrees(config, session, features, weights)
    assert_counts_agree(config, session, features, weights)


def test_carries_go_both_ways_and_stop_at_bounds() -> None:
    config = Config(
        sizes=(17, 9, 4), lanes=4, weight_bits=3, scale=3, carry_digits=3, carry_base=2, carry_period=2, seed=5
    )
    weights = near_bounds(config)
    session, features = train(config, [0] * 4, weights=weights)
    assert_agrees(config, session, features, weights)
    carried = [[len(layer.carried_up), len(layer.carried_down)] for o in session.observed for layer in o.trace.layers]
    assert np.array(carried).reshape(4, 2, 2).any(axis=(1, 2)).tolist() == [False, True, False, True]
    first = session.observed[1].trace.layers[0]
    full = np.abs(weights[0].reshape(18, 9, 3)[:, :, :-1]) >= 2
    assert 0 < len(first.carried_up) + len(first.carried_down) < np.count_nonzero(full)


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(config=carrying_configs())
def test_every_carry_takes_the_cycles_of_the_formula(config: Config) -> None:
    weights = near_bounds(config)
    session, features = train(config, EXPONENTS, weights=weights)
    model = Trainer(config)
    never = Trainer(replace(config, carry_period=1_000_000))
    model.load(weights)
    for sample, observed, cycles in zip(features, session.observed, session.busy_cycles, strict=True):
        trace = observed.trace
        never.restore(model.weights(), model.generator_states(), trace.number)
        for trainer in (never, model):
            trainer.train_sample(sample, trace.label, trace.exponent)
        carry = carry_cycles(config, never.weights()) if config.carries_after(trace.number) else 0
        assert cycles == sample_cycles(config, trace) + carry


@pytest.mark.parametrize("exponent", range(8))
def test_every_exponent_thins_as_the_model(exponent: int) -> None:
    config = Config(sizes=(17, 5, 3), lanes=2)
    session, features = train(config, [exponent] * 6)
    assert_agrees(config, session, features)


def test_lanes_tables_and_beats_change_no_bit() -> None:
    machines = [
        Config(sizes=(17, 9, 4, 3), lanes=lanes, tables=tables, pixels_per_beat=beat)
        for lanes, tables, beat in [(0, 4, 4), (1, 1, 1), (4, 2, 16), (5, 16, 2), (3, 8, 8)]
    ]
    sessions = [train(machine, EXPONENTS)[0] for machine in machines]
    traces = [[observed.trace for observed in session.observed] for session in sessions]
    for other in traces[1:]:
        for expected, actual in zip(traces[0], other, strict=True):
            for ours, theirs in zip(expected.layers, actual.layers, strict=True):
                for stage in ours.STAGES:
                    np.testing.assert_array_equal(getattr(ours, stage), getattr(theirs, stage))


def test_with_a_lane_per_column_a_row_event_takes_one_cycle_forward_and_one_in_the_update() -> None:
    config = Config(sizes=(40, 6, 3))
    features = np.full(40, 128, dtype=np.uint8)
    trainer = Trainer(config)
    trace = next(trace for label in [0, 1, 2] * 9 if (trace := trainer.train_sample(features, label)).has_error)
    first = trace.layers[0]
    assert first.signs.any()
    idle_row = np.setdiff1d(np.arange(40), first.rows)[:1]
    longer = replace(first, rows=np.union1d(first.rows, idle_row), pulsed=np.union1d(first.pulsed, idle_row))
    more = replace(trace, layers=(longer, *trace.layers[1:]))
    assert sample_cycles(config, more) == sample_cycles(config, trace) + 2
