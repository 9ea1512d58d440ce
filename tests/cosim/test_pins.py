"""Hardware that reaches simulated arrays by its pins, in Amaranth's own simulator, against the golden model on them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutation import mutate
from stochastor.hdl import carry, counters, layer, line_driver, restoration, trainer
from stochastor.hdl.cycles import carry_cycles, sample_cycles
from stochastor.model.config import Config, Gate
from stochastor.model.trainer import Trainer, power_up_weights
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.pins import PinViolation, SimulatedArray
from stochastor.sim.interpreted import Session, interpret
from stochastor.sim.scoreboard import Difference, Scoreboard

BITS = {"ideal": 8, "taox": 7, "alox_hfo2": 5, "gst_pcm": 6, "epiram": 6, "hfox_array": 2}
ALL_NOISE = {"read_noise": 0.05, "step_spread": 0.3, "mismatch_spread": 0.1, "bound_spread": 0.1, "stuck_on": 0.02}
EXPONENTS = [0, 1, 0, 2, 0]
IDEAL = ARRAYS["ideal"]


def noisy(array: ArrayConfig, comparator_S: float = 1e-7) -> ArrayConfig:
    device = replace(array.device, **ALL_NOISE)  # type: ignore[arg-type]
    return replace(array, device=device, seed=7, comparator_noise_S=comparator_S, comparator_offset_S=comparator_S)


def pinned(**fields: object) -> Config:
    return Config(**{"scale": 3, "reference_bits": 16, "array_side": "pins"} | fields)  # type: ignore[arg-type]


def full_cells(config: Config) -> list[np.ndarray]:
    """Cells of which many are full; without carry, those of the configuration."""
    if config.carry_digits == 1:
        return power_up_weights(config)
    rng = np.random.default_rng(config.seed)
    shapes = [(config.rows(layer), config.cell_columns(layer)) for layer in range(1, config.layers + 1)]
    return [rng.integers(-config.digit_max, config.digit_max, s, dtype=np.int32, endpoint=True) for s in shapes]


def train(
    config: Config, array: ArrayConfig, *, stalls: float = 0.0, exponents: list[int] = EXPONENTS
) -> tuple[Session, Difference | None]:
    """What the hardware did, and where it differs from the golden model, in conductances and counters at last."""
    session, difference, miscounts = train_counting(config, array, stalls=stalls, exponents=exponents)
    assert not miscounts
    return session, difference


def train_counting(
    config: Config, array: ArrayConfig, *, stalls: float = 0.0, exponents: list[int] = EXPONENTS
) -> tuple[Session, Difference | None, set[str]]:
    """What the hardware did, where it differs from the golden model, and the names of counters that differ."""
    cells = full_cells(config)
    rng = np.random.default_rng(config.seed)
    features = rng.integers(0, 256, (len(exponents), config.sizes[0]), dtype=np.uint8)
    labels = rng.integers(0, config.sizes[-1], len(exponents)).tolist()
    arrays = [SimulatedArray(config, layer, array, matrix) for layer, matrix in enumerate(cells, start=1)]
    session = interpret(config, features, labels, exponents, stalls=stalls, arrays=arrays)
    scoreboard = Scoreboard(config, cells, array)
    for sample, observed, votes in zip(features, session.observed, session.outputs, strict=True):
        difference = scoreboard.check(sample, observed) or scoreboard.check_result(votes)
        if difference is not None:
            return session, difference, set()
    counts = scoreboard.model.counts.to_dict()
    return (
        session,
        scoreboard.check_conductances(arrays),
        {name for name in counts if session.counters[name] != counts[name]},
    )


configs = st.builds(
    pinned,
    sizes=st.lists(st.sampled_from([1, 2, 3, 5, 7, 9]), min_size=2, max_size=4).map(tuple),
    gate=st.sampled_from(Gate),
    lanes=st.sampled_from([0, 2, 3]),
    tables=st.sampled_from([1, 2, 4, 8]),
    weight_bits=st.sampled_from([2, 4, 7]),
    input_draws=st.sampled_from([1, 1, 3]),
    settle_cycles=st.integers(1, 4),
    compare_cycles=st.integers(1, 3),
    pulse_cycles=st.integers(1, 3),
    recovery_cycles=st.integers(1, 3),
    seed=st.integers(0, 2**64 - 1),
)


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(config=configs)
@example(config=pinned(sizes=(9, 7, 5, 3), seed=3))
@example(config=pinned(sizes=(4, 3, 2), pulses_per_step=3, recovery_cycles=1))
def test_every_sample_takes_the_cycles_of_the_formula(config: Config) -> None:
    session, difference = train(config, IDEAL)
    assert difference is None, str(difference)
    assert session.busy_cycles == [sample_cycles(config, observed.trace) for observed in session.observed]


@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(config=configs, stalls=st.sampled_from([0.0, 0.3]), kind=st.sampled_from(["taox", "hfox_array"]))
def test_every_machine_computes_the_bits_of_the_model_on_noisy_arrays(config: Config, stalls: float, kind: str) -> None:
    _, difference = train(replace(config, weight_bits=BITS[kind]), noisy(ARRAYS[kind]), stalls=stalls)
    assert difference is None, str(difference)


QUICK = {"settle_cycles": 1, "pulse_cycles": 1, "recovery_cycles": 1}
CARRY = {"carry_digits": 2, "carry_period": 2}
CHECKS = {"carry_digits": 3, "carry_base": 3, "carry_verify": 24, "carry_period": 1}


@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize("name", ARRAYS)
def test_decisions_and_conductances_are_those_of_the_model_on_every_array(name: str, rough: bool) -> None:
    array = noisy(ARRAYS[name]) if rough else ARRAYS[name]
    session, difference = train(pinned(sizes=(7, 5, 3), weight_bits=BITS[name], **QUICK), array)
    assert difference is None, str(difference)
    assert any(observed.trace.has_error for observed in session.observed)


PAIRS = {
    "SET thinned": {"thinning": 0.4},
    "RESET thinned": {"thinning": -0.4},
    "reference": {"pair": "reference"},
    "zero-shifted": {"pair": "reference", "zero_shifting": 5, "thinning": 0.3},
}


@pytest.mark.parametrize("pairs", PAIRS)
def test_thinned_pulses_and_references_are_those_of_the_model(pairs: str) -> None:
    array = replace(noisy(ARRAYS["taox"]), **PAIRS[pairs])
    config = pinned(sizes=(3, 2), weight_bits=4, carry_base=4, carry_verify=6, pulses_per_step=2, **CARRY | QUICK)
    session, difference, miscounts = train_counting(config, array, exponents=[0] * 4)
    assert difference is None, str(difference)
    assert not miscounts
    assert any(observed.trace.has_error for observed in session.observed)


@pytest.mark.parametrize("name", [name for name in ARRAYS if BITS[name] > 2])
def test_carries_are_those_of_the_model_on_every_array(name: str) -> None:
    bits = BITS[name]
    config = pinned(sizes=(3, 2), weight_bits=bits, carry_base=2 ** (bits - 2), **CARRY, **QUICK)
    session, difference = train(config, noisy(ARRAYS[name]), exponents=[0, 0])
    assert difference is None, str(difference)
    assert any(len(layer.carried_up) for observed in session.observed for layer in observed.trace.layers)


VERIFIED = {
    "two digits": ("taox", {"weight_bits": 4, "carry_base": 4, "carry_verify": 12, "tables": 2}, 0.0),
    "three digits": ("epiram", {"weight_bits": 3, "carry_digits": 3, "carry_base": 3, "carry_verify": 5}, 0.0),
    "pulses enough": ("taox", {"weight_bits": 3, "carry_digits": 3, "carry_base": 2, "carry_verify": 60}, 0.0),
    "steps of pulses": ("epiram", {"weight_bits": 3, "carry_base": 3, "carry_verify": 4, "pulses_per_step": 2}, 0.0),
    "stalls": ("gst_pcm", {"weight_bits": 4, "carry_base": 2, "carry_pulses": 3, "carry_verify": 7, "tables": 1}, 0.4),
}


@pytest.mark.parametrize("name", VERIFIED)
def test_verified_carries_restore_the_weights_that_the_model_restores(name: str) -> None:
    kind, fields, stalls = VERIFIED[name]
    config = pinned(sizes=(2, 3), **CARRY | QUICK | fields)
    session, difference = train(config, noisy(ARRAYS[kind]), stalls=stalls, exponents=[0] * 4)
    assert difference is None, str(difference)
    assert all(min(session.counters[f"restored_{name}"]) for name in ("rows", "up", "down"))


def test_verified_carries_of_ideal_arrays_leave_the_cells_of_exact_ones() -> None:
    config = pinned(sizes=(2, 3), weight_bits=4, carry_base=4, carry_verify=9, **CARRY, **QUICK)
    arrays = [SimulatedArray(config, 1, IDEAL, cells) for cells in full_cells(config)]
    features = np.random.default_rng(1).integers(0, 256, (2, 2), dtype=np.uint8)
    interpret(config, features, [0, 1], [0, 0], arrays=arrays)
    model = Trainer(config)
    model.load(full_cells(config))
    for sample, label in zip(features, (0, 1), strict=True):
        model.train_sample(sample, label, 0)
    assert model.counts.to_dict()["carried_rows"] != [0]
    np.testing.assert_array_equal(arrays[0].crossbar.dump(), model.weights()[0])


@pytest.mark.parametrize("kind", ["taox", "epiram"])
def test_steps_of_several_pulses_are_those_of_the_model(kind: str) -> None:
    config = pinned(sizes=(7, 5, 3), weight_bits=4, pulses_per_step=3, **QUICK)
    session, difference = train(config, noisy(ARRAYS[kind]))
    assert difference is None, str(difference)
    assert any(len(layer.pulsed) for observed in session.observed for layer in observed.trace.layers)


@pytest.mark.parametrize("fields", [{"sizes": (9, 7, 3), "lanes": 2}, {"sizes": (5, 4, 2), "input_draws": 2}])
def test_ideal_arrays_behind_pins_give_the_bits_of_block_ram(fields: dict[str, object]) -> None:
    config = pinned(**fields, **QUICK)
    session, _ = train(config, IDEAL)
    scoreboard = Scoreboard(config)
    features = np.random.default_rng(config.seed).integers(0, 256, (len(EXPONENTS), config.sizes[0]), dtype=np.uint8)
    for sample, observed in zip(features, session.observed, strict=True):
        difference = scoreboard.check(sample, observed)
        assert difference is None, str(difference)


@pytest.mark.parametrize(
    "fields",
    [
        {"weight_bits": 3, "carry_base": 2, "tables": 1, "compare_cycles": 2},
        {"weight_bits": 4, "carry_base": 2, "carry_pulses": 3, "pulse_cycles": 2, "settle_cycles": 3},
        {"weight_bits": 4, "carry_base": 4, "carry_digits": 3, "carry_verify": 9, "tables": 2, "settle_cycles": 2},
        {"weight_bits": 3, "carry_base": 2, "carry_verify": 2, "compare_cycles": 2, "pulses_per_step": 2},
    ],
)
def test_every_carry_takes_the_cycles_of_the_formula(fields: dict[str, object]) -> None:
    config = pinned(sizes=(4, 3), **CARRY | QUICK | fields)
    session, difference = train(config, IDEAL, exponents=[0, 1])
    assert difference is None, str(difference)
    never = Trainer(replace(config, carry_period=1_000_000))
    never.load(full_cells(config))
    features = np.random.default_rng(config.seed).integers(0, 256, (2, config.sizes[0]), dtype=np.uint8)
    for sample, observed in zip(features, session.observed, strict=True):
        never.train_sample(sample, observed.trace.label, observed.trace.exponent)
    first, second = (sample_cycles(config, observed.trace) for observed in session.observed)
    assert session.busy_cycles == [first, second + carry_cycles(config, never.weights())]


def test_a_conductance_that_differs_is_named_with_its_place() -> None:
    config = pinned(sizes=(7, 5, 3), weight_bits=7)
    cells, array = power_up_weights(config), ARRAYS["taox"]
    arrays = [SimulatedArray(config, layer, array, matrix) for layer, matrix in enumerate(cells, start=1)]
    scoreboard = Scoreboard(config, cells, array)
    assert scoreboard.check_conductances(arrays) is None
    conductances = arrays[1].crossbar.conductances
    conductances[1, 0, 2, 1] += 1
    expected = conductances[1, 0, 2, 1] - 1
    assert str(scoreboard.check_conductances(arrays)) == (
        f"after the last sample, layer 2, stage minus, row 2, lane 1: model {expected}, hardware {expected + 1}"
    )


SMALL = pinned(sizes=(6, 4, 3), weight_bits=7, settle_cycles=2, pulse_cycles=2, recovery_cycles=2)
DRAWS = replace(SMALL, input_draws=2)
XOR = replace(SMALL, gate=Gate.XOR)
CELLS = replace(SMALL, sizes=(3, 2), weight_bits=4, carry_digits=3, carry_base=4, carry_period=1)
STEPS = replace(SMALL, weight_bits=6, pulses_per_step=2)
CHECKED = pinned(sizes=(2, 2), weight_bits=3, tables=1, pulses_per_step=2, **CARRY | CHECKS, **QUICK)
# Stuck devices take weights beyond the codes of the search.
BEYOND = pinned(sizes=(1, 4), weight_bits=3, tables=2, **CARRY | CHECKS | {"carry_digits": 4}, **QUICK)
SAMPLES = {CELLS: 3, CHECKED: 2, BEYOND: 1}
ROUGH = noisy(ARRAYS["taox"], comparator_S=1e-6)
STUCK = replace(ARRAYS["taox"], device=replace(ARRAYS["taox"].device, stuck_on=0.2, stuck_off=0.2))
ON_ARRAYS = {CHECKED: ROUGH, BEYOND: STUCK}

# Class, method, the code as it is, the code as it is not, machine, where it must be noticed: a stage, or a pin.
MUTATIONS = [
    (line_driver.LineDriver, "_compare", "(~pins.reference", "(pins.reference", SMALL, "stage gates"),
    (line_driver.LineDriver, "_compare", "number + 1 + window, number", "number, number", XOR, "stage gates"),
    (line_driver.LineDriver, "_compare", "comparison + 1", "comparison", SMALL, "stage"),
    (line_driver.LineDriver, "_accept", "Read.BACKWARD", "Read.FORWARD", SMALL, "stage signs"),
    (line_driver.LineDriver, "_accept", "digit.eq(operation.p.digit)", "digit.eq(0)", CELLS, "stage"),
    (line_driver.LineDriver, "_set_columns", "chosen[::2] & ~chosen[1::2]", "chosen[::2]", SMALL, "pin column_minus"),
    (line_driver.LineDriver, "_set_columns", "chosen[::2] & ~chosen[1::2]", "0", SMALL, "stage"),
    (line_driver.LineDriver, "elaborate", "IDLE), pins.row_clear.eq(1)]", "IDLE)]", DRAWS, "stage fired"),
    (line_driver.LineDriver, "elaborate", ", pins.zero.eq(1)]", "]", SMALL, "stage fired"),
    (line_driver.LineDriver, "elaborate", "loaded.eq(0), ", "", SMALL, "stage"),
    (line_driver.LineDriver, "elaborate", "config.settle_cycles", "config.settle_cycles - 1", SMALL, "pin integrate"),
    (line_driver.LineDriver, "elaborate", "config.pulse_cycles", "config.pulse_cycles - 1", SMALL, "pin set"),
    (line_driver.LineDriver, "elaborate", "config.recovery_cycles", "config.recovery_cycles - 1", SMALL, "pin reset"),
    (line_driver.LineDriver, "elaborate", "resetting.eq(0)]", "resetting.eq(1)]", SMALL, "pin reset"),
    (carry.Carry, "elaborate", "repetition.eq(last - pulses)", "repetition.eq(pulses)", CELLS, "stage"),
    (carry.Carry, "elaborate", "m.d.comb += self.clear.eq(1)", "pass", CELLS, "stage"),
    (carry.Carry, "elaborate", "upper & ~pulsing", "upper", CELLS, "stage"),
    (line_driver.LineDriver, "_accept", "repetition * self._config.pulses_per_step", "repetition", CHECKED, "stage"),
    (line_driver.LineDriver, "elaborate", "repetition + 1", "repetition", STEPS, "stage"),
    (line_driver.LineDriver, "elaborate", "pulses_left == 0", "1", STEPS, "stage"),
    (line_driver.LineDriver, "_compare", "repetition.eq(port.address.repetition)", "read.eq(3)", CHECKED, "stage"),
    (carry.Carry, "_lend_crossbar", "alone.eq(0)", "alone.eq(1)", CHECKED, "stage"),
    (carry.Carry, "_lend_crossbar", "self.weights.eq(1)", "self.weights.eq(0)", CHECKED, "stage"),
    (carry.Carry, "elaborate", "carried.eq(up ^ down)", "carried.eq(~0)", CHECKED, "stage"),
    (restoration.Restoration, "_codes", "found ^ place", "found", CHECKED, "stage"),
    (restoration.Restoration, "_codes", "found + 1 + slack", "found + slack", CHECKED, "stage"),
    (restoration.Restoration, "_codes", "**digit // 2", "**digit", CHECKED, "stage"),
    (restoration.Restoration, "_codes", "lower < -most - 1", "0", BEYOND, "stage"),
    (restoration.Restoration, "_codes", "upper > most", "0", BEYOND, "stage"),
    (restoration.Restoration, "_codes", "~searching & (", "(", CHECKED, "stage"),
    (restoration.Restoration, "_number", "search_bits - 1 - bit", "bit", CHECKED, "stage"),
    (restoration.Restoration, "_number", "UNDER + 2 * below", "UNDER", CHECKED, "stage"),
    (restoration.Restoration, "_number", "comparison.eq(self.digit)", "comparison.eq(0)", CHECKED, "stage"),
    (restoration.Restoration, "elaborate", "moved == 0", "1", CHECKED, "stage"),
    (restoration.Restoration, "elaborate", "given == geometry.verify", "given == 1", CHECKED, "stage"),
    (layer.Layer, "_address", "== Bank.TRAIN", "!= Bank.TRAIN", SMALL, "stage"),
    (trainer.Trainer, "_reach_arrays", "passes, presentation.number", "presentation.number, passes", SMALL, "stage"),
]


# A violation leaves the simulation's other testbenches where they are.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("owner", "method", "code", "other", "config", "where"),
    MUTATIONS,
    ids=[f"{owner.__name__}: {other or code}" for owner, _, code, other, _, _ in MUTATIONS],
)
def test_one_wrong_line_is_noticed_at_its_stage_or_pin(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, code: str, other: str, config: Config, where: str
) -> None:
    exponents = [0] * SAMPLES.get(config, 4)
    array = ON_ARRAYS.get(config, noisy(ARRAYS["taox"]))
    mutate(monkeypatch, owner, method, code, other)
    try:
        found = str(train_counting(config, array, exponents=exponents)[1])
    except PinViolation as violation:
        found = str(violation)
    assert where in found


@pytest.mark.parametrize("config", [SMALL, DRAWS, XOR, CELLS, STEPS, CHECKED, BEYOND])
def test_machines_of_the_wrong_lines_are_right_without_them(config: Config) -> None:
    array = ON_ARRAYS.get(config, noisy(ARRAYS["taox"]))
    assert train(config, array, exponents=[0] * SAMPLES.get(config, 4))[1] is None


# Class, method, the code as it is, the code as it is not, counters that must differ.
MISCOUNTS = [
    (counters.EventCounters, "elaborate", "restored.down)", "restored.up)", {"restored_down"}),
    (restoration.Restoration, "elaborate", "read.eq(~searching)", "read.eq(1)", {"restoring_reads"}),
    (restoration.Restoration, "_decide", "m.If(self.clear)", "m.If(0)", {"restored_up", "restored_down"}),
]


@pytest.mark.parametrize(
    ("owner", "method", "code", "other", "names"), MISCOUNTS, ids=[" ".join(sorted(row[-1])) for row in MISCOUNTS]
)
def test_one_wrong_line_of_the_counters_of_restoring_is_noticed(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, code: str, other: str, names: set[str]
) -> None:
    mutate(monkeypatch, owner, method, code, other)
    _, difference, miscounts = train_counting(CHECKED, ROUGH, exponents=[0] * SAMPLES[CHECKED])
    assert difference is None
    assert miscounts == names
