import random
from dataclasses import fields
from hashlib import sha256
from struct import pack

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference import Machine
from stochastor.model.config import Config, Gate
from stochastor.model.crossbar import IntegerCrossbar
from stochastor.model.errors import DataError, RunError
from stochastor.model.trace import LayerTrace, weights_sha256
from stochastor.model.trainer import Trainer, predictions

fixed_seed = settings(derandomize=True, database=None, deadline=None, max_examples=80)
SHAPES = [(5, 3, 2), (17, 9, 4, 3), (1, 1), (1, 4, 2), (6, 1, 3), (8, 5, 1), (3, 2, 4, 1, 5), (9, 7)]


def machine(sizes=(5, 3, 2), **values):
    return Config(**{"sizes": sizes, "reference_bits": 24, "scale": 6} | values)


def samples_of(config, count, *, seed=0):
    """Samples, labels and exponents (every one of 0 to 7) that do not depend on the model."""
    draw = random.Random(seed)
    return [
        (
            [draw.choice([0, 255, draw.randrange(256)]) for _ in range(config.sizes[0])],
            draw.randrange(config.sizes[-1]),
            index % 8,
        )
        for index in range(count)
    ]


@st.composite
def carries(draw):
    """Fields of a configuration with carry."""
    weight_bits, digits = draw(st.sampled_from([(3, 2), (3, 4), (4, 3), (6, 2), (9, 3), (16, 2)]))
    digit_max = 2 ** (weight_bits - 1) - 1
    pulses = draw(st.sampled_from([pulses for pulses in (1, 1, 2, 3, 30) if 2 * pulses <= digit_max]))
    base = draw(st.integers(max(2, digit_max // (2 * pulses) + 1), digit_max // pulses))
    return {
        "weight_bits": weight_bits,
        "carry_digits": digits,
        "carry_base": base,
        "carry_pulses": pulses,
        "carry_period": draw(st.integers(1, 4)),
        "carry_verify": draw(st.sampled_from([0, base * pulses, base * pulses + 3])) if weight_bits < 9 else 0,
        "pulses_per_step": draw(st.integers(1, 3)) if weight_bits < 16 else 1,
    }


@st.composite
def configs(draw):
    """A machine."""
    return Config(
        sizes=tuple(draw(st.lists(st.integers(1, 18), min_size=2, max_size=5))),
        scale=draw(st.integers(1, 100)),
        gate=draw(st.sampled_from(Gate)),
        input_draws=draw(st.sampled_from([1, 1, 2, 3, 8])),
        reference_bits=24,
        seed=draw(st.integers(0, 2**64 - 1)),
        **draw(carries() | st.fixed_dictionaries({"weight_bits": st.integers(2, 16)})),
    )


@st.composite
def runs(draw):
    """A machine and samples to train."""
    config = draw(configs())
    features = st.lists(st.integers(0, 255), min_size=config.sizes[0], max_size=config.sizes[0])
    sample = st.tuples(features, st.integers(0, config.sizes[-1] - 1), st.integers(0, 7))
    return config, draw(st.lists(sample, min_size=1, max_size=8))


def plain(trace):
    """A trace as the second model writes it."""
    return [{field.name: getattr(layer, field.name).tolist() for field in fields(LayerTrace)} for layer in trace.layers]


def features_of(samples):
    return np.array([features for features, _, _ in samples], dtype=np.uint8)


def trained(config, samples, trainer=None):
    """The trainer after `samples`, and their traces."""
    trainer = trainer or Trainer(config)
    return trainer, [trainer.train_sample(np.array(x, dtype=np.uint8), label, k) for x, label, k in samples]


def state(trainer):
    return [w.tolist() for w in trainer.weights()], trainer.generator_states(), trainer.samples_trained


@fixed_seed
@given(run=runs())
def test_traces_equal_the_second_model(run):
    config, samples = run
    expected = Machine(config)
    for trace, sample in zip(trained(config, samples)[1], samples, strict=True):
        assert plain(trace) == expected.train(*sample)


@fixed_seed
@given(run=runs())
def test_weights_equal_the_second_model(run):
    config, samples = run
    expected = Machine(config)
    for sample in samples:
        expected.train(*sample)
    assert [w.tolist() for w in trained(config, samples)[0].weights()] == expected.weights


@fixed_seed
@given(run=runs())
def test_generator_states_equal_the_second_model(run):
    config, samples = run
    expected = Machine(config)
    for sample in samples:
        expected.train(*sample)
    assert trained(config, samples)[0].generator_states() == expected.states()


WEIGHTS = {
    "two bits": {"weight_bits": 2},
    "five bits": {"weight_bits": 5},
    "sixteen bits": {"weight_bits": 16},
    "three draws": {"input_draws": 3},
    "two digits": {"weight_bits": 3, "carry_digits": 2, "carry_base": 2, "carry_period": 1},
    "several pulses": {"weight_bits": 4, "carry_digits": 3, "carry_base": 2, "carry_pulses": 3, "carry_period": 2},
    "four digits": {"weight_bits": 3, "carry_digits": 4, "carry_base": 3, "carry_period": 5},
    "verified": {
        "weight_bits": 3,
        "carry_digits": 4,
        "carry_base": 3,
        "carry_period": 1,
        "carry_verify": 3,
        "pulses_per_step": 9,
    },
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("gate", Gate)
@pytest.mark.parametrize("sizes", SHAPES)
def test_long_runs_equal_the_second_model(sizes, gate, weights):
    config = machine(sizes, gate=gate, seed=2**63 + 5, **weights)
    samples, expected = samples_of(config, 24), Machine(config)
    trainer, traces = trained(config, samples)
    assert [plain(trace) for trace in traces] == [expected.train(*sample) for sample in samples]
    assert state(trainer) == (expected.weights, expected.states(), 24)


def test_the_long_runs_reach_every_branch():
    reached = set()
    for gate in Gate:
        for sizes in SHAPES:
            config = machine(sizes, gate=gate, weight_bits=2, seed=2**63 + 5)
            trainer, traces = trained(config, samples_of(config, 24))
            for trace in traces:
                reached |= branches(trace)
            reached |= {f"weight {w}" for matrix in trainer.weights() for w in matrix.flat}
    assert reached == {
        "no error", "error in the first of several layers", "error stops above the first layer",
        "sign of a sum of zero", "gates partly open", "rows partly kept", "no row kept",
        "weight -1", "weight 0", "weight 1",
    }  # fmt: skip


def branches(trace):
    """Which special cases a trace went through."""
    if not trace.has_error:
        return {"no error"}
    first, hidden = trace.layers[0], trace.layers[:-1]
    found = {
        "error in the first of several layers": hidden and first.signs.any(),
        "sign of a sum of zero": any(not layer.signs[layer.sensed].all() for layer in hidden),
        "error stops above the first layer": hidden and first.gates.any() and not len(first.sensed),
        "gates partly open": any(0 < layer.gates.sum() < len(layer.gates) for layer in hidden),
        "rows partly kept": 0 < len(first.pulsed) < len(first.rows),
        "no row kept": first.signs.any() and not len(first.pulsed),
    }
    return {name for name, happened in found.items() if happened}


@fixed_seed
@given(run=runs(), passes=st.integers(1, 5))
@example(run=(machine(), [([0] * 5, 0, 0)]), passes=255)
def test_votes_equal_the_second_model(run, passes):
    config, samples = run
    expected = [x for x, _, _ in samples]
    assert Trainer(config).infer(features_of(samples), passes).tolist() == Machine(config).votes(expected, passes)


def test_votes_after_training_equal_the_second_model():
    config = machine((17, 9, 4, 3))
    samples, expected = samples_of(config, 10), Machine(config)
    for sample in samples:
        expected.train(*sample)
    votes = trained(config, samples)[0].infer(features_of(samples), 7)
    assert votes.tolist() == expected.votes([x for x, _, _ in samples], 7)


@pytest.mark.parametrize("gate", Gate)
def test_inference_leaves_training_untouched(gate):
    config = machine((17, 9, 4, 3), gate=gate)
    samples = samples_of(config, 10)
    trainer, _ = trained(config, samples[:5])
    before = state(trainer)
    trainer.infer(features_of(samples), 3)
    assert state(trainer) == before


def test_training_goes_on_after_inference_as_without_it():
    config = machine((17, 9, 4, 3))
    samples = samples_of(config, 10)
    interrupted, _ = trained(config, samples[:5])
    interrupted.infer(features_of(samples), 3)
    trained(config, samples[5:], interrupted)
    assert state(interrupted) == state(trained(config, samples)[0])


def test_an_inference_call_does_not_depend_on_calls_before_it():
    config = machine((17, 9, 4, 3))
    features, trainer = features_of(samples_of(config, 10)), Trainer(config)
    trainer.infer(features[:3], 2)
    assert trainer.infer(features, 5).tolist() == Trainer(config).infer(features, 5).tolist()


def test_every_pass_draws_its_input_anew():
    config = machine((64, 10), seed=3)
    features = np.full((1, 64), 128, dtype=np.uint8)
    once, twice = (Trainer(config).infer(features, passes) for passes in (1, 2))
    again = Trainer(config).infer(np.repeat(features, 2, axis=0), 1)
    assert twice.tolist() == again.sum(axis=0, keepdims=True).tolist() != (2 * once).tolist()


def test_ties_go_to_the_lowest_class():
    assert predictions(np.array([[0, 0, 0], [1, 3, 3], [2, 0, 2], [0, 1, 4]])).tolist() == [0, 1, 0, 2]


def test_training_many_samples_is_training_them_one_by_one():
    config = machine((17, 9, 4, 3))
    samples = [(x, label, 2) for x, label, _ in samples_of(config, 10)]
    together = Trainer(config)
    together.train(features_of(samples), [label for _, label, _ in samples], 2)
    assert state(together) == state(trained(config, samples)[0])


def test_traces_are_numbered_by_the_samples_before_them():
    config = machine()
    samples = samples_of(config, 3)
    traces = trained(config, samples)[1]
    assert [(t.number, t.label, t.exponent) for t in traces] == [(n, samples[n][1], n) for n in range(3)]


@pytest.mark.parametrize(("base", "pulses", "verify"), [(3, 1, 3), (5, 1, 9), (2, 3, 6)])
def test_verifying_carries_of_exact_cells_changes_nothing(base, pulses, verify):
    fields = {"weight_bits": 4, "carry_digits": 3, "carry_base": base, "carry_pulses": pulses, "carry_period": 1}
    if base == 3:
        fields |= {"weight_bits": 3, "carry_digits": 4}
    config = machine((17, 9, 4), **fields, carry_verify=verify)

    class Verified(IntegerCrossbar):
        exact = False

    samples, expected = samples_of(config, 40), Machine(config)
    trainer, traces = trained(config, samples, Trainer(config, Verified.of))
    assert [plain(trace) for trace in traces] == [expected.train(*sample) for sample in samples]
    assert state(trainer) == (expected.weights, expected.states(), 40)
    assert sum(trainer.counts.to_dict()["restoring_reads"]) > 0


@pytest.mark.parametrize("verify", [0, 5])
@pytest.mark.parametrize("gate", Gate)
def test_every_comparison_has_an_address_of_its_own(gate, verify):
    config = machine(
        (17, 9, 4, 3), gate=gate, weight_bits=3, carry_digits=3, carry_base=2, carry_period=2, carry_verify=verify
    )
    reads = []

    class Recorder(IntegerCrossbar):
        exact = False

        def read_forward(self, address, rows):
            self.kind = "forward"
            super().read_forward(address, rows)

        def read_digit(self, address, row, digit):
            self.kind = "digit"
            super().read_digit(address, row, digit)

        def read_backward(self, address, signs, rows):
            self.kind = "backward"
            super().read_backward(address, signs, rows)

        def compare(self, address, codes):
            reads.append((self.kind, *address))
            return super().compare(address, codes)

    trained(config, samples_of(config, 10), Trainer(config, Recorder.of))
    assert len(reads) > 10 * 3
    assert len(set(reads)) == len(reads)


@pytest.mark.parametrize("verify", [0, 20])
def test_every_pulse_of_a_cell_has_an_address_of_its_own(verify):
    config = machine((17, 9, 4), weight_bits=4, carry_digits=3, carry_base=5, carry_period=2, carry_verify=verify)
    pulses, rng = [], np.random.default_rng(0)

    class Careless(IntegerCrossbar):
        exact = False

        def pulse(self, address, rows, signs, digit=0):
            pulses.extend(
                (*address._replace(digit=digit), row, column) for row in rows for column in np.flatnonzero(signs)
            )
            super().pulse(address, rows, signs * rng.integers(0, 3, len(signs), dtype=np.int8), digit)

    trained(config, samples_of(config, 60), Trainer(config, Careless.of))
    assert len(pulses) > 1000
    assert len(set(pulses)) == len(pulses)


def test_nothing_is_read_backward_along_signs_that_are_all_zero():
    config = machine((3, 2, 4, 1, 5), weight_bits=2)
    driven = []

    class Recorder(IntegerCrossbar):
        def read_backward(self, address, signs, rows):
            driven.append(bool(signs.any()))
            super().read_backward(address, signs, rows)

    _, traces = trained(config, samples_of(config, 24), Trainer(config, Recorder.of))
    assert any(trace.has_error and not trace.layers[1].signs.any() for trace in traces)
    assert set(driven) == {True}


@pytest.mark.parametrize("done", [0, 1, 7])
@pytest.mark.parametrize("gate", Gate)
def test_a_restored_trainer_continues_bit_for_bit(gate, done):
    config = machine((17, 9, 4, 3), gate=gate)
    samples = samples_of(config, 15)
    saved, _ = trained(config, samples[:done])
    restored, _ = trained(config, samples_of(config, 4, seed=1))
    restored.restore(saved.weights(), saved.generator_states(), saved.samples_trained)
    traces = [(trace.number, plain(trace)) for trace in trained(config, samples[done:], restored)[1]]
    uninterrupted, all_traces = trained(config, samples)
    assert traces == [(trace.number, plain(trace)) for trace in all_traces[done:]]
    assert state(restored) == state(uninterrupted)


def test_saved_weights_do_not_change_with_the_trainer():
    config = machine()
    trainer = Trainer(config)
    saved = trainer.weights()
    before = [w.tolist() for w in saved]
    trained(config, samples_of(config, 8), trainer)
    assert [w.tolist() for w in saved] == before != [w.tolist() for w in trainer.weights()]


def test_the_weight_checksum_is_over_two_bytes_a_weight_row_by_row():
    trainer = Trainer(machine((3, 2, 2)))
    words = [weight for matrix in trainer.weights() for row in matrix.tolist() for weight in row]
    assert weights_sha256(trainer.weights()) == sha256(pack(f"<{len(words)}h", *words)).hexdigest()


def zeros(*shape, dtype=np.uint8):
    return np.zeros(shape, dtype=dtype)


def refused(trainer, error, message, action):
    """Whether `action` raises a one-line error that tells `message`, and changes nothing."""
    before = state(trainer)
    with pytest.raises(error, match=message) as caught:
        action(trainer)
    return "\n" not in str(caught.value) and state(trainer) == before


@pytest.mark.parametrize(
    ("features", "given"),
    [
        (zeros(4), r"uint8 \(1, 4\)"),
        (zeros(6), r"uint8 \(1, 6\)"),
        (zeros(1, 5), r"uint8 \(1, 1, 5\)"),
        (zeros(5, dtype=np.int64), "int64"),
        (zeros(5, dtype=np.float64), "float64"),
        (zeros(5, dtype=np.bool_), "bool"),
    ],
)
def test_features_that_do_not_fit_are_refused(features, given):
    message = rf"features must be uint8 of shape \(samples, 5\), not {given}"
    assert refused(Trainer(machine()), DataError, message, lambda t: t.train_sample(features, 0))


@pytest.mark.parametrize("features", [zeros(5), zeros(2, 4), zeros(2, 5, dtype=np.int16)])
def test_features_that_do_not_fit_are_not_classified(features):
    assert refused(Trainer(machine()), DataError, "features must be uint8", lambda t: t.infer(features))


@pytest.mark.parametrize("label", [-1, 2, 255])
def test_a_label_without_an_output_is_refused(label):
    message = f"label {label} of sample 0 must be from 0 to 1"
    assert refused(Trainer(machine()), DataError, message, lambda t: t.train_sample(zeros(5), label))


def test_a_label_that_is_no_whole_number_is_refused():
    assert refused(Trainer(machine()), DataError, "label", lambda t: t.train_sample(zeros(5), 0.5))


@pytest.mark.parametrize("exponent", [-1, 8])
def test_an_exponent_out_of_range_is_refused(exponent):
    message = f"the thinning exponent must be a whole number from 0 to 7, not {exponent}"
    assert refused(Trainer(machine()), DataError, message, lambda t: t.train_sample(zeros(5), 0, exponent))


@pytest.mark.parametrize("passes", [-1, 0, 256])
def test_passes_out_of_range_are_refused(passes):
    message = f"passes must be from 1 to 255, not {passes}"
    assert refused(Trainer(machine()), DataError, message, lambda t: t.infer(zeros(1, 5), passes))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([zeros(6, 3, dtype=int)], "weights of 1 layers given, the machine has 2"),
        ([zeros(6, 3, dtype=int), zeros(3, 2, dtype=int)], r"layer 2 must be integers \(4, 2\), not int64 \(3, 2\)"),
        ([zeros(6, 3, dtype=float), zeros(4, 2, dtype=int)], r"layer 1 must be integers \(6, 3\), not float64"),
        ([zeros(6, 3, dtype=int), np.full((4, 2), 128)], r"weight 128 of layer 2, row 0, column 0 .* within \+-127"),
        ([np.full((6, 3), -128), zeros(4, 2, dtype=int)], r"weight -128 of layer 1, row 0, column 0 .* within \+-127"),
        ([np.diag([0, 0, 300]).repeat(2, axis=0), zeros(4, 2, dtype=int)], "weight 300 of layer 1, row 4, column 2"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    assert refused(Trainer(machine()), RunError, message, lambda t: t.load(weights))


@pytest.mark.parametrize("weight", [np.int64(-(2**63)), np.uint64(2**64 - 1)])
def test_weights_of_64_bits_that_do_not_fit_are_refused(weight):
    weights = [np.full((6, 3), weight), zeros(4, 2, dtype=int)]
    assert refused(Trainer(machine()), RunError, "overflows weight_bits", lambda t: t.load(weights))


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([1] * 5, "5 generator states given, the machine has 6"),
        ([1] * 7, "7 generator states given, the machine has 6"),
        ([1, 1, 0, 1, 1, 1], r"generator state 2 must be from 1 to 2\^32 - 1, not 0"),
        ([1, 1, 1, 1, 1, 2**32], r"generator state 5 must be from 1 to 2\^32 - 1, not 4294967296"),
    ],
)
def test_generator_states_that_do_not_fit_are_refused(states, message):
    weights = [zeros(6, 3, dtype=int), zeros(4, 2, dtype=int)]
    assert refused(Trainer(machine()), RunError, message, lambda t: t.restore(weights, states, 0))
