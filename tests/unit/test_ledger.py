"""The ledger counts what happens, event by event, as a second model does."""

import numpy as np
import pytest
from hypothesis import given
from reference import Machine
from stochastor.model.config import Config, Gate
from stochastor.model.fast import FastTrainer
from stochastor.model.ledger import KINDS, Counts, Phase, ledger
from stochastor.model.trainer import Trainer
from test_fast import MACHINES, samples, trained
from test_trainer import fixed_seed, runs, samples_of


def near_bounds(config):
    """Cells of which many are full, and many without room for more."""
    rng = np.random.default_rng(config.seed)
    full, most = max(1, config.carry_base * config.carry_pulses), config.digit_max
    values = [-most, -full, 0, 0, 0, 0, 1, full, most]
    shapes = [(config.rows(layer), config.cell_columns(layer)) for layer in range(1, config.layers + 1)]
    return [rng.choice(values, shape).astype(np.int32) for shape in shapes]


def second_model(config, cells):
    machine = Machine(config)
    machine.cells = [matrix.reshape(len(matrix), -1, config.carry_digits).tolist() for matrix in cells]
    return machine


def table(config, counts):
    """A ledger as the second model has it."""
    happened = {}
    for events in ledger(config, counts):
        kinds = {kind: number for kind in KINDS if (number := getattr(events, kind))}
        if kinds:
            happened[events.layer, str(events.phase)] = kinds
    return happened


def assert_counts_equal_the_second_model(config, samples, cells):
    trainer, expected = Trainer(config), second_model(config, cells)
    trainer.load(cells)
    for features, label, k in samples:
        trainer.train_sample(np.array(features, dtype=np.uint8), label, k)
        expected.train(features, label, k)
    features = [features for features, _, _ in samples[:3]]
    trainer.infer(np.array(features, dtype=np.uint8), 2)
    expected.votes(features, 2)
    assert table(config, trainer.counts) == expected.ledger()
    return trainer.counts


@fixed_seed
@given(run=runs())
def test_every_event_is_counted_as_by_the_second_model(run):
    config, samples = run
    assert_counts_equal_the_second_model(config, samples, Trainer(config).weights())


@pytest.mark.parametrize("gate", Gate)
@pytest.mark.parametrize(("base", "pulses"), [(4, 1), (2, 3)])
def test_carries_are_counted_as_by_the_second_model(gate, base, pulses):
    config = Config(
        sizes=(9, 2, 3),
        scale=3,
        weight_bits=4,
        carry_digits=3,
        carry_base=base,
        carry_pulses=pulses,
        carry_period=2,
        gate=gate,
    )
    counts = assert_counts_equal_the_second_model(config, samples_of(config, 24), near_bounds(config)).to_dict()
    assert counts["carries"] == 12
    assert 0 < sum(counts["carried_rows"]) < sum(counts["upper_reads"]), counts


@pytest.mark.parametrize("name", MACHINES)
def test_compiled_loops_count_as_the_plain_model(name):
    config = MACHINES[name]
    pair = FastTrainer(config), Trainer(config)
    for trainer in pair:
        trainer.load(near_bounds(config))
        trained(trainer, 40)
        trainer.infer(samples(config, 5, seed=1)[0], 3)
    fast, plain = (trainer.counts.to_dict() for trainer in pair)
    assert fast == plain
    assert plain["samples"] == 40
    assert plain["passes"] == 15


def test_a_fixed_window_has_two_references_for_all_its_lines_and_draws_nothing():
    gates = {}
    for gate in Gate:
        config = Config(sizes=(9, 7, 3), scale=3, gate=gate, reference_bits=16)
        trainer = trained(Trainer(config), 24)
        errors = trainer.counts.to_dict()["errors"]
        (gates[gate],) = (events for events in ledger(config, trainer.counts) if events.phase is Phase.GATE)
        assert gates[gate].comparisons == 14 * errors > 0
        assert gates[gate].references == (2 if gate is Gate.FIXED_WINDOW else 14) * errors
        assert gates[gate].random_words == {Gate.FIXED_WINDOW: 0, Gate.RANDOM_WINDOW: 2, Gate.XOR: 4}[gate] * errors


def test_lanes_and_tables_change_no_count():
    counts = []
    for lanes, tables, beat in [(0, 4, 4), (1, 1, 1), (5, 16, 2)]:
        config = Config(sizes=(17, 9, 4), lanes=lanes, tables=tables, pixels_per_beat=beat)
        counts.append(table(config, trained(Trainer(config), 16).counts))
    assert counts[0] == counts[1] == counts[2]


def test_an_idle_machine_has_a_ledger_of_zeros():
    config = MACHINES["draws and digits"]
    assert table(config, Counts.none(config.layers)) == {}
    phases = [(events.layer, events.phase) for events in ledger(config, Counts.none(config.layers))]
    assert (1, Phase.BACKWARD) not in phases
    assert (config.layers, Phase.GATE) not in phases
    assert (1, Phase.CARRY) in phases
