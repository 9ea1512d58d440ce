from dataclasses import replace

import numpy as np
import pytest
from stochastor.model.config import Config, Gate, preset
from stochastor.model.data import load_dataset
from stochastor.model.errors import ConfigError, RunError
from stochastor.model.fast import FastTrainer
from stochastor.model.schedule import exponent, sample_order
from stochastor.sim.array.config import ARRAYS, ArrayConfig, Pair
from stochastor.sim.array.device import Device
from stochastor.sim.array.trainer import AnalogTrainer, FastAnalogTrainer
from stochastor.sim.array.wiring import Wires

BITS = {"ideal": 8, "taox": 7, "alox_hfo2": 5, "gst_pcm": 6, "epiram": 6, "hfox_array": 2}
ALL_NOISE = {
    "read_noise": 0.05, "step_spread": 0.3, "mismatch_spread": 0.1, "bound_spread": 0.1, "lower_bound_spread": 0.2,
    "stuck_on": 0.02,
}  # fmt: skip
AGEING = {
    "trap_share": 0.3, "trap_amplitude": 0.2, "trap_samples": 9, "drift": 0.1, "drift_spread": 0.05,
    "drift_t0_s": 0.01, "endurance": 12, "endurance_spread": 0.5, "half_select": 0.01,
}  # fmt: skip
PLAIN, THREE, CARRY, VERIFIED = (
    {"sizes": (30, 17, 9)},
    {"sizes": (30, 13, 7, 9), "gate": Gate.FIXED_WINDOW},
    {"sizes": (30, 13, 9), "gate": Gate.XOR, "input_draws": 2, "carry_digits": 2, "carry_period": 5},
    {"sizes": (30, 13, 9), "carry_digits": 3, "carry_period": 3, "carry_verify": 40, "pulses_per_step": 2},
)
# A pulse along one row moves more cells than loops move at a time.
WIDE = {"sizes": (6, 900)}


def noisy(array):
    device = replace(array.device, **ALL_NOISE)
    return replace(
        array, device=device, seed=2**40 + 5, comparator_noise_S=1e-7, comparator_offset_S=1e-7, reference_step_S=3e-8
    )


def ageing(array, **values):
    return replace(array, device=replace(array.device, **AGEING | values), tick_samples=7)


def wired(array):
    return replace(array, wires=Wires(row_ohm=20.0, column_ohm=10.0, access_ohm=100.0, tile=9, refresh=13))


def machine(name, fields):
    bits = BITS[name]
    if "carry_digits" in fields:
        bits = max(bits - ("pulses_per_step" in fields), 3)
        fields = fields | {"carry_base": (2 ** (bits - 1) - 1) // 2 + 1}
    return Config(scale=8, weight_bits=bits, reference_bits=20, **fields)


CASES = [
    (name, fields, rough)
    for name in ARRAYS
    for fields in (PLAIN, THREE, CARRY, VERIFIED)
    for rough in (False, True)
    if not (name == "hfox_array" and "carry_digits" in fields)
] + [(name, WIDE, rough) for name in ("taox", "hfox_array") for rough in (False, True)]


def samples(config, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, config.sizes[0]), dtype=np.uint8), rng.integers(0, config.sizes[-1], count)


def trained(trainer, count=60, seed=0):
    features, labels = samples(trainer.config, count, seed)
    half = count // 2
    trainer.train(features[:half], labels[:half], 0)
    trainer.train(features[half:], labels[half:], 2)
    return trainer


@pytest.mark.parametrize(("name", "fields", "rough"), CASES)
def test_compiled_loops_leave_the_conductances_of_the_plain_array(name, fields, rough):
    config, array = machine(name, fields), noisy(ARRAYS[name]) if rough else ARRAYS[name]
    fast, plain = trained(FastAnalogTrainer(config, array)), trained(AnalogTrainer(config, array))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    assert fast.generator_states() == plain.generator_states()
    assert all(np.array_equal(a, b) for a, b in zip(fast.weights(), plain.weights(), strict=True))
    features, _ = samples(config, 9, seed=1)
    assert fast.infer(features, 3).tolist() == plain.infer(features, 3).tolist()


def test_compiled_loops_restore_weights_beyond_the_codes_of_the_search_as_the_plain_array_does():
    fields = {"sizes": (9, 7), "carry_digits": 4, "carry_base": 3, "carry_period": 1, "carry_verify": 24}
    config = Config(scale=8, weight_bits=3, reference_bits=20, **fields)
    array = replace(ARRAYS["taox"], device=replace(ARRAYS["taox"].device, stuck_on=0.2, stuck_off=0.2))
    fast, plain = (trained(kind(config, array), count=6) for kind in (FastAnalogTrainer, AnalogTrainer))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    assert fast.counts.to_dict() == plain.counts.to_dict()


@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize(
    ("name", "fields"), [("taox", PLAIN), ("gst_pcm", CARRY), ("hfox_array", THREE), ("taox", WIDE)]
)
def test_compiled_loops_let_devices_age_as_the_plain_array_does(name, fields, rough):
    array = ageing(noisy(ARRAYS[name]) if rough else ARRAYS[name])
    fast, plain = (trained(kind(machine(name, fields), array)) for kind in (FastAnalogTrainer, AnalogTrainer))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    for ours, theirs in zip(fast.history(), plain.history(), strict=True):
        assert sorted(ours) == sorted(theirs)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    features, _ = samples(fast.config, 9, seed=1)
    assert fast.infer(features, 3).tolist() == plain.infer(features, 3).tolist()


def test_an_array_left_alone_drifts_on_alike_and_training_is_not_affected():
    config, array = machine("taox", PLAIN), ageing(ARRAYS["taox"], drift_t0_s=1e-3)
    fast, plain, other = (trained(kind(config, array)) for kind in (FastAnalogTrainer, AnalogTrainer, AnalogTrainer))
    features, _ = samples(config, 40, seed=1)
    at_once, later = (plain.infer(features, 3, after_s) for after_s in (0.0, 3600.0))
    assert at_once.tolist() != later.tolist()
    assert fast.infer(features, 3, 3600.0).tolist() == later.tolist()
    assert fast.infer(features, 3).tolist() == at_once.tolist()
    for trainer in (other, fast, plain):
        trained(trainer, seed=2)
        assert all(np.array_equal(a, b) for a, b in zip(trainer.conductances(), other.conductances(), strict=True))


@pytest.mark.parametrize("after_s", [-1.0, float("nan"), 1e12])
def test_a_time_that_cannot_be_is_refused(after_s):
    trainer = FastAnalogTrainer(machine("taox", PLAIN), ageing(ARRAYS["taox"]))
    with pytest.raises(ConfigError, match="after_s must be from 0 to "):
        trainer.infer(samples(trainer.config, 1)[0], 1, after_s)


@pytest.mark.parametrize(("name", "fields"), [("taox", PLAIN), ("alox_hfo2", THREE), ("gst_pcm", VERIFIED)])
def test_compiled_loops_move_devices_that_draw_nothing_as_the_plain_array_does(name, fields):
    array = replace(ARRAYS[name], device=replace(ARRAYS[name].device, cycle_spread_of_range=0.0))
    fast, plain = (trained(kind(machine(name, fields), array)) for kind in (FastAnalogTrainer, AnalogTrainer))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))


@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize(("name", "fields"), [("taox", PLAIN), ("gst_pcm", CARRY)])
def test_compiled_loops_read_through_wires_as_the_plain_array_does(name, fields, rough):
    array = wired(ageing(noisy(ARRAYS[name])) if rough else ARRAYS[name])
    fast, plain = (trained(kind(machine(name, fields), array)) for kind in (FastAnalogTrainer, AnalogTrainer))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    pairs = zip(fast.history(), plain.history(), strict=True)
    assert all(np.array_equal(ours["wires"], theirs["wires"]) for ours, theirs in pairs)
    assert fast.staleness == plain.staleness
    assert [[each.samples for each in refreshes] for refreshes in fast.staleness] == [[13, 26, 39, 52]] * 2
    features, _ = samples(fast.config, 9, seed=1)
    assert fast.infer(features, 3).tolist() == plain.infer(features, 3).tolist()
    without = trained(FastAnalogTrainer(machine(name, fields), replace(array, wires=None)))
    assert not all(np.array_equal(a, b) for a, b in zip(fast.conductances(), without.conductances(), strict=True))


@pytest.mark.parametrize(
    "values",
    [
        {"trap_share": 0.3, "trap_amplitude": 0.5, "trap_samples": 9},
        {"drift": 0.3},
        {"endurance": 5},
        {"half_select": 0.05},
    ],
)
def test_each_way_of_ageing_does_something_by_itself(values):
    config, calm = machine("taox", PLAIN), ARRAYS["taox"]
    aged = replace(calm, device=replace(calm.device, **values, drift_t0_s=1e-3), tick_samples=7)
    fast, plain = trained(FastAnalogTrainer(config, aged)), trained(AnalogTrainer(config, aged))
    assert all(np.array_equal(a, b) for a, b in zip(fast.conductances(), plain.conductances(), strict=True))
    unaged = trained(FastAnalogTrainer(config, calm)).conductances()
    assert not all(np.array_equal(a, b) for a, b in zip(fast.conductances(), unaged, strict=True))


@pytest.mark.parametrize(
    ("fields", "device", "array"),
    [
        (PLAIN, {}, {}),
        (THREE, {"drift_spread": 0.1}, {}),
        (CARRY, {}, {}),
        (VERIFIED, {}, {}),
        (PLAIN, {"read_noise": 0.05}, {}),
        (PLAIN, {"trap_share": 0.3, "trap_amplitude": 0.5, "trap_samples": 9}, {}),
        (PLAIN, {"endurance": 5}, {}),
        (PLAIN, {"half_select": 0.05}, {}),
        (PLAIN, {}, {"thinning": 0.4}),
        (PLAIN, {}, {"pair": Pair.REFERENCE}),
        (PLAIN, {}, {"wires": Wires(row_ohm=20.0, column_ohm=10.0, access_ohm=100.0, tile=9, refresh=13)}),
    ],
)
def test_compiled_loops_see_devices_that_drift_as_the_plain_array_does_whatever_else_they_do(fields, device, array):
    config, still = machine("taox", fields), ARRAYS["taox"]
    drifting = replace(still.device, drift=0.3, drift_t0_s=1e-3, **device)
    aged = replace(still, device=drifting, tick_samples=7, **array)
    fast, plain = trained(FastAnalogTrainer(config, aged)), trained(AnalogTrainer(config, aged))
    for ours, theirs in ((fast.conductances(), plain.conductances()), (fast.seen(), plain.seen())):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    features, _ = samples(config, 9, seed=1)
    assert fast.infer(features, 3).tolist() == plain.infer(features, 3).tolist()


def test_devices_that_outlast_a_run_are_those_that_last_for_ever():
    config, calm = machine("taox", PLAIN), noisy(ARRAYS["taox"])
    lasting = replace(calm, device=replace(calm.device, endurance=10**9, half_select=1e-9), tick_samples=5)
    found, wanted = trained(FastAnalogTrainer(config, lasting)), trained(FastAnalogTrainer(config, calm))
    assert all(np.array_equal(a, b) for a, b in zip(found.conductances(), wanted.conductances(), strict=True))


@pytest.mark.parametrize("fields", [PLAIN, THREE, CARRY, VERIFIED])
def test_compiled_loops_count_as_the_plain_array(fields):
    config, array = machine("taox", fields), noisy(ARRAYS["taox"])
    fast, plain = trained(FastAnalogTrainer(config, array)), trained(AnalogTrainer(config, array))
    for trainer in (fast, plain):
        trainer.infer(samples(config, 9, seed=1)[0], 3)
    assert fast.counts.to_dict() == plain.counts.to_dict()
    assert plain.counts.to_dict()["passes"] == 27


@pytest.mark.parametrize("fields", [PLAIN, CARRY, VERIFIED, WIDE])
def test_pulses_and_the_conductances_that_they_meet_are_counted_alike(fields):
    config, array = machine("taox", fields), noisy(ARRAYS["taox"])
    fast, plain = trained(FastAnalogTrainer(config, array, counting=True)), trained(AnalogTrainer(config, array))
    assert fast.pulses() == plain.pulses()
    assert all(count.pulses for count in fast.pulses())
    uncounted = trained(FastAnalogTrainer(config, array))
    assert all(np.array_equal(a, b) for a, b in zip(uncounted.conductances(), fast.conductances(), strict=True))


def test_an_ideal_array_trains_the_digits_to_the_bits_of_the_integer_one():
    config, data = preset("digits"), load_dataset("digits")
    analog, integer = FastAnalogTrainer(config, ARRAYS["ideal"]), FastTrainer(config)
    for epoch in range(config.epochs):
        order = sample_order(config.seed, epoch, len(data.train_labels))
        for trainer in (analog, integer):
            k = exponent(epoch, config.epochs)
            trainer.train(data.train_features[order], data.train_labels[order], k)
    assert all(np.array_equal(a, b) for a, b in zip(analog.weights(), integer.weights(), strict=True))
    votes = [trainer.infer(data.test_features, 16) for trainer in (analog, integer)]
    assert np.array_equal(*votes)


@pytest.mark.parametrize("kind", [AnalogTrainer, FastAnalogTrainer])
def test_an_array_that_is_put_back_goes_on_bit_for_bit(kind):
    config, array = machine("taox", PLAIN), wired(ageing(noisy(ARRAYS["taox"])))
    whole = trained(trained(FastAnalogTrainer(config, array)), seed=1)
    half = trained(FastAnalogTrainer(config, array))
    again = kind(config, array)
    again.restore(half.weights(), half.generator_states(), half.samples_trained)
    again.load_conductances(half.conductances())
    again.load_history(half.history())
    features, _ = samples(config, 5, seed=2)
    assert again.infer(features, 3).tolist() == half.infer(features, 3).tolist()
    trained(again, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(again.conductances(), whole.conductances(), strict=True))


def test_cells_that_are_loaded_are_young_again():
    trainers = [
        trained(kind(machine("taox", PLAIN), ageing(ARRAYS["taox"]))) for kind in (FastAnalogTrainer, AnalogTrainer)
    ]
    cells = trainers[0].weights()
    for trainer in trainers:
        trainer.load(cells)
    for fast, plain in zip(*(trainer.history() for trainer in trainers), strict=True):
        assert (fast["programmed"] == 59 // 7).all()
        assert all(np.array_equal(fast[name], plain[name]) for name in plain)


def test_evaluating_does_not_change_training():
    config, array = machine("taox", PLAIN), ageing(noisy(ARRAYS["taox"]))
    calm, asked = FastAnalogTrainer(config, array), FastAnalogTrainer(config, array)
    features, _ = samples(config, 5)
    assert asked.infer(features, 7).tolist() == asked.infer(features, 7).tolist()
    calm, asked = trained(calm), trained(asked)
    assert all(np.array_equal(a, b) for a, b in zip(calm.conductances(), asked.conductances(), strict=True))


@pytest.mark.parametrize("kind", [AnalogTrainer, FastAnalogTrainer])
def test_conductances_of_another_shape_are_refused(kind):
    trainer = kind(machine("taox", PLAIN), ARRAYS["taox"])
    before = [g.copy() for g in trainer.conductances()]
    with pytest.raises(RunError, match="conductances must be of shapes"):
        trainer.load_conductances([before[0], before[1][:, :, :-1]])
    assert all(np.array_equal(a, b) for a, b in zip(trainer.conductances(), before, strict=True))


@pytest.mark.parametrize("kind", [AnalogTrainer, FastAnalogTrainer])
def test_a_history_of_another_array_is_refused(kind):
    trainer = kind(machine("taox", PLAIN), ageing(ARRAYS["taox"]))
    history = trainer.history()
    with pytest.raises(RunError, match="the history is of 1 layers, the machine has 2"):
        trainer.load_history(history[:1])
    with pytest.raises(RunError, match="life of layer 2 is missing"):
        trainer.load_history([history[0], {}])
    with pytest.raises(
        RunError, match=r"programmed of layer 1 must be of shape \(2, 1, 31, 17\), not \(2, 1, 31, 16\)"
    ):
        trainer.load_history([history[0] | {"programmed": history[0]["programmed"][..., 1:]}, history[1]])


def test_devices_that_cannot_hold_the_cells_are_refused():
    with pytest.raises(ConfigError, match="lower weight_bits to 6"):
        FastAnalogTrainer(Config(sizes=(5, 2)), ArrayConfig(device=Device(g_max_S=1e-5, states=100)))
