"""The compiled hardware on simulated arrays is the golden model on them by another name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stochastor.hdl.cycles import sample_cycles
from stochastor.hdl.pins import Phase
from stochastor.hdl.verilog import Design, generate
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.ledger import Count, Total
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.noise import ONE
from stochastor.sim.array.pins import SimulatedArray
from stochastor.sim.array.trainer import AnalogTrainer
from stochastor.sim.array.wiring import Wires
from stochastor.sim.compiled import CompiledTrainer
from stochastor.sim.cosim import Simulator, cosimulate
from stochastor.sim.scoreboard import Scoreboard

CONFIG = Config(sizes=(64, 12, 10), weight_bits=6, array_side="pins")
NOISY = replace(
    ARRAYS["epiram"],
    device=replace(ARRAYS["epiram"].device, read_noise=0.05, step_spread=0.3, stuck_on=0.02),
    comparator_noise_S=1e-7,
    comparator_offset_S=1e-7,
)
# What happens to devices in the course of a run, so strong that some sixty samples show it.
COURSES: dict[str, dict[str, Any]] = {
    "traps": {"device": {"trap_share": 0.5, "trap_amplitude": 0.3, "trap_samples": 7}},
    "drift": {"device": {"drift": 0.1, "drift_spread": 0.05}, "sample_s": 1.0, "tick_samples": 8},
    "endurance": {"device": {"endurance": 6, "endurance_spread": 0.5}},
    "half-selects": {"device": {"half_select": 0.1}, "tick_samples": 8},
    "steps of references": {"reference_step_S": 2e-6},
    "wires": {"wires": Wires(row_ohm=300.0, column_ohm=200.0, access_ohm=50.0, tile=32, refresh=9)},
}
FEATURES_OF_DEVICES = {"mismatch": 0.2, "mismatch_spread": 0.1, "bound_spread": 0.1, "stuck_off": 0.02}


def in_the_course_of(*names: str, of: ArrayConfig = NOISY, **devices: float) -> ArrayConfig:
    device, fields = dict(devices), {}
    for name in names:
        course = dict(COURSES[name])
        device |= course.pop("device", {})
        fields |= course
    return replace(of, device=replace(of.device, **device), **fields)  # type: ignore[arg-type]


ALL_COURSES = in_the_course_of(*COURSES, **FEATURES_OF_DEVICES)


@pytest.fixture(scope="module")
def design() -> Design:
    return generate(CONFIG)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_dataset("digits")
    return data.train_features, data.train_labels


def arrays_of(design: Design, array: ArrayConfig = NOISY) -> list[SimulatedArray]:
    return [SimulatedArray(CONFIG, layer, array, cells) for layer, cells in enumerate(design.weights, start=1)]


@pytest.mark.parametrize(
    ("array", "stalls"), [(NOISY, 0.0), (NOISY, 0.3), (ALL_COURSES, 0.3)], ids=["calm", "stalls", "all courses"]
)
def test_training_and_votes_on_noisy_arrays_are_those_of_the_model(
    design: Design, digits: tuple[np.ndarray, np.ndarray], array: ArrayConfig, stalls: float
) -> None:
    features, labels = digits
    arrays, model = arrays_of(design, array), AnalogTrainer(CONFIG, array)
    with CompiledTrainer(CONFIG, design, stalls=stalls, arrays=arrays) as hardware:
        for part in (slice(0, 30), slice(30, 60)):
            outputs = hardware.train(features[part], labels[part], 1)
            traces = model.train(features[part], labels[part], 1)
            np.testing.assert_array_equal(outputs, [trace.outputs for trace in traces])
            np.testing.assert_array_equal(hardware.infer(features[:5], 3), model.infer(features[:5], 3))
        counters = hardware.counters()
        assert {name: counters[name] for name in model.counts.to_dict()} == model.counts.to_dict()
        assert hardware.generator_states() == model.generator_states()
        assert all(array.levels.phase == Phase.IDLE for array in arrays)
        for ours, theirs in zip(model.weights(), hardware.weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for array, conductances in zip(arrays, model.conductances(), strict=True):
        np.testing.assert_array_equal(array.crossbar.conductances, conductances)


@pytest.mark.parametrize("fields", [{"thinning": 0.3}, {"pair": "reference", "zero_shifting": 6}])
def test_thinned_pulses_and_references_are_those_of_the_model(
    design: Design, digits: tuple[np.ndarray, np.ndarray], fields: dict[str, object]
) -> None:
    features, labels = digits
    samples = {"features": features[:30], "labels": labels[:30], "exponents": np.zeros(30, dtype=np.int64)}
    report = cosimulate(design, **samples, simulator=Simulator.COMPILED, array=replace(NOISY, **fields))
    assert (report.samples, report.differences, report.first_difference) == (30, 0, None)


@pytest.fixture(scope="module")
def without_any_course(digits: tuple[np.ndarray, np.ndarray]) -> AnalogTrainer:
    model = AnalogTrainer(CONFIG, NOISY)
    model.train(digits[0][:60], digits[1][:60])
    return model


@pytest.mark.parametrize("name", COURSES)
def test_whatever_happens_to_devices_happens_behind_the_pins_too(
    design: Design, digits: tuple[np.ndarray, np.ndarray], without_any_course: AnalogTrainer, name: str
) -> None:
    features, labels = digits
    array = in_the_course_of(name)
    arrays, scoreboard = arrays_of(design, array), Scoreboard(CONFIG, design.weights, array)
    with CompiledTrainer(CONFIG, design, arrays=arrays) as hardware:
        for sample, observed in zip(features, hardware.observe(features[:60], labels[:60].tolist())[0], strict=False):
            difference = scoreboard.check(sample, observed)
            assert difference is None, str(difference)
        assert scoreboard.samples == 60
        assert scoreboard.check_counters(hardware.counters()) is None
    assert isinstance(scoreboard.model, AnalogTrainer)
    courses = zip(arrays, scoreboard.model.crossbars, without_any_course.crossbars, strict=True)
    for behind, crossbar, plain in courses:
        np.testing.assert_array_equal(behind.crossbar.conductances, crossbar.conductances)
        assert not np.array_equal(crossbar.conductances, plain.conductances)
        history = behind.crossbar.history
        for kept, wanted in zip(history.state().values(), crossbar.history.state().values(), strict=True):
            np.testing.assert_array_equal(kept, wanted)
    assert has_happened(name, arrays)


def has_happened(name: str, arrays: list[SimulatedArray]) -> bool:
    """Whether what `name` stands for has left its mark on every layer."""
    histories = [array.crossbar.history for array in arrays]
    match name:
        case "traps":
            return all((history.factors < ONE).any() and (history.factors == ONE).any() for history in histories)
        case "drift":
            return all(len(np.unique(history.factors)) > 10 for history in histories)
        case "endurance":
            return all((history.life == 0).any() and (history.life > 0).any() for history in histories)
        case "half-selects":
            return all(history.row_selects_done.any() for history in histories)
        case "wires":
            refreshed = [[refresh.samples for refresh in history.staleness] for history in histories]
            return refreshed == [[9, 18, 27, 36, 45, 54]] * 2 and all((h.wires < ONE).any() for h in histories)
    return True


def test_a_trained_machine_goes_on_from_its_cells(design: Design, digits: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = digits
    model = AnalogTrainer(CONFIG, NOISY)
    model.train(features[:20], labels[:20])
    with CompiledTrainer(CONFIG, design, arrays=arrays_of(design)) as hardware:
        hardware.restore(model.weights(), model.generator_states(), model.samples_trained)
        model.load(model.weights())
        for sample, label in zip(features[20:30], labels[20:30], strict=True):
            trace = hardware.train_sample(sample, int(label))
            assert all(
                np.array_equal(getattr(ours, stage), getattr(theirs, stage))
                for ours, theirs in zip(model.train_sample(sample, int(label)).layers, trace.layers, strict=True)
                for stage in ours.STAGES
            )


def test_cosimulation_compares_all_decisions_and_conductances(
    design: Design, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    features, labels = digits
    samples = {"features": features[:70], "labels": labels[:70], "exponents": np.arange(70) // 30}
    report = cosimulate(design, **samples, simulator=Simulator.COMPILED, array=NOISY)
    assert (report.samples, report.differences, report.first_difference) == (70, 0, None)
    assert report.decisions > sum(2 * matrix.size for matrix in design.weights) + 100 * 70
    assert report.counters == len(Total) + CONFIG.layers * len(Count)
    traces = AnalogTrainer(CONFIG, NOISY)
    cycles = [
        sample_cycles(CONFIG, traces.train_sample(sample, int(label), int(k)))
        for sample, label, k in zip(*samples.values(), strict=True)
    ]
    assert report.busy_cycles_per_sample == np.mean(cycles)


@pytest.mark.parametrize("simulator", [Simulator.COMPILED, Simulator.ICARUS])
def test_pins_that_do_what_they_must_not_are_named(
    design: Design, digits: tuple[np.ndarray, np.ndarray], simulator: Simulator
) -> None:
    features, labels = digits
    slow = replace(design, config=replace(CONFIG, settle_cycles=9))
    report = cosimulate(slow, features[:3], labels[:3], [0, 0, 0], simulator=simulator, array=NOISY)
    assert report.differences == 1
    assert report.first_difference is not None
    assert "layer 1, pin integrate: is 1 after 4 cycles of READ, before settle_cycles = 9" in report.first_difference


def test_cells_are_read_and_written_through_the_access_port(
    design: Design, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    features, labels = digits
    ideal = ARRAYS["ideal"]
    arrays = [SimulatedArray(CONFIG, layer, ideal, cells) for layer, cells in enumerate(design.weights, start=1)]
    model = AnalogTrainer(CONFIG, ideal)
    with CompiledTrainer(CONFIG, design, arrays=arrays) as hardware:
        rows, columns = np.indices(design.weights[1].shape)
        cells = [matrix.copy() for matrix in design.weights]
        for value in (-31, 30):
            hardware._access(layer=1, row=np.array([3]), column=4, write=1, value=value)
            cells[1][3, 4] = value
            read = hardware._access(layer=1, row=rows.ravel(), column=columns.ravel())
            np.testing.assert_array_equal(read.reshape(rows.shape), cells[1])
        model.load(cells)
        outputs = hardware.train(features[:20], labels[:20])
        np.testing.assert_array_equal(outputs, [trace.outputs for trace in model.train(features[:20], labels[:20])])
    for array, conductances in zip(arrays, model.conductances(), strict=True):
        np.testing.assert_array_equal(array.crossbar.conductances, conductances)
