"""The compiled hardware on simulated arrays is the golden model on them by another name."""

from dataclasses import replace

import numpy as np
import pytest
from stochastor.hdl.cycles import sample_cycles
from stochastor.hdl.pins import Phase
from stochastor.hdl.verilog import Design, generate
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.pins import SimulatedArray
from stochastor.sim.array.trainer import AnalogTrainer
from stochastor.sim.compiled import CompiledTrainer
from stochastor.sim.cosim import Simulator, cosimulate

CONFIG = Config(sizes=(64, 12, 10), weight_bits=6, array_side="pins")
NOISY = replace(
    ARRAYS["epiram"],
    device=replace(ARRAYS["epiram"].device, read_noise=0.05, step_spread=0.3, stuck_on=0.02),
    comparator_noise_S=1e-7,
    comparator_offset_S=1e-7,
)


@pytest.fixture(scope="module")
def design() -> Design:
    return generate(CONFIG)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_dataset("digits")
    return data.train_features, data.train_labels


def arrays_of(design: Design, config: Config = CONFIG) -> list[SimulatedArray]:
    return [SimulatedArray(config, layer, NOISY, cells) for layer, cells in enumerate(design.weights, start=1)]


@pytest.mark.parametrize("stalls", [0.0, 0.3])
def test_training_and_votes_on_noisy_arrays_are_those_of_the_model(
    design: Design, digits: tuple[np.ndarray, np.ndarray], stalls: float
) -> None:
    features, labels = digits
    arrays, model = arrays_of(design), AnalogTrainer(CONFIG, NOISY)
    with CompiledTrainer(CONFIG, design, stalls=stalls, arrays=arrays) as hardware:
        for part in (slice(0, 30), slice(30, 60)):
            outputs = hardware.train(features[part], labels[part], 1)
            traces = model.train(features[part], labels[part], 1)
            np.testing.assert_array_equal(outputs, [trace.outputs for trace in traces])
            np.testing.assert_array_equal(hardware.infer(features[:5], 3), model.infer(features[:5], 3))
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
