"""The nodal solution against ngspice, and circuits of trained runs."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import stochastor
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.errors import ToolError
from stochastor.model.run import Run
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.run import AnalogRun
from stochastor.sim.array.spice import check_ngspice, netlist, ngspice_currents
from stochastor.sim.array.trainer import AnalogTrainer
from stochastor.sim.array.wires import WireNetwork, Wires

CONFIG = Config(sizes=(64, 12, 10), weight_bits=7, epochs=1)


def network(side: int, seed: int = 0) -> WireNetwork:
    rng = np.random.default_rng(seed)
    return WireNetwork(rng.uniform(1e-6, 10e-6, (side, side)), Wires(row_ohm=2.12, column_ohm=1.3, access_ohm=80.0))


@pytest.mark.parametrize("side", [8, 32])
def test_currents_are_those_of_ngspice(side: int) -> None:
    array, voltages = network(side), np.random.default_rng(1).uniform(-0.2, 0.2, side)
    assert np.max(np.abs(ngspice_currents(array, voltages) / array.read(voltages) - 1)) < 1e-9


def test_currents_of_transposed_reads_are_those_of_ngspice() -> None:
    rng = np.random.default_rng(2)
    array = WireNetwork(rng.uniform(1e-6, 10e-6, (12, 7)), Wires(row_ohm=2.12, column_ohm=1.3, access_ohm=80.0))
    voltages = rng.uniform(-0.2, 0.2, 7)
    theirs = ngspice_currents(array, voltages, transposed=True)
    assert theirs.shape == (12,)
    assert np.max(np.abs(theirs / array.read_backward(voltages) - 1)) < 1e-9


def test_another_conductance_is_noticed() -> None:
    array, voltages = network(8), np.full(8, 0.2)
    changed = array.conductances_S.copy()
    changed[3, 4] *= 1.001
    theirs = ngspice_currents(WireNetwork(changed, array.wires), voltages)
    assert np.argmax(np.abs(theirs / array.read(voltages) - 1)) == 4
    assert np.max(np.abs(theirs / array.read(voltages) - 1)) > 1e-5


def test_devices_that_do_not_conduct_are_left_out() -> None:
    array = network(3)
    array.conductances_S[1, 2] = 0
    assert "rcell1_2 " not in netlist(array, np.zeros(3))
    assert "rcell1_1 " in netlist(array, np.zeros(3))


def test_a_missing_ngspice_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="ngspice is missing: apt-get install ngspice"):
        check_ngspice()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, dataset = tmp_path_factory.mktemp("runs") / "taox", load_dataset("digits")
    AnalogRun.create_on(path, CONFIG, ARRAYS["taox"], dataset, "digits").train(dataset)
    return path


@pytest.mark.parametrize(("layer", "devices"), [(1, (65, 24)), (2, (13, 20))])
def test_a_trained_layer_is_exported_with_the_read_in_progress(
    trained: Path, tmp_path: Path, layer: int, devices: tuple[int, int]
) -> None:
    options = "--layer", layer, "--sample", 3, "--check", "--json", tmp_path / "figures.json"
    assert stochastor("spice", trained, "--out", tmp_path / "layer.cir", *options) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    circuit = (tmp_path / "layer.cir").read_text()
    assert (figures["rows"], figures["columns"]) == devices
    assert circuit.count("rcell") == devices[0] * devices[1]
    assert (figures["row_ohm"], figures["column_ohm"], figures["access_ohm"]) == (2.12, 2.12, 0)
    assert 0 < figures["driven_lines"] <= devices[0]
    assert circuit.count("dc 0.2") == figures["driven_lines"]
    assert f"vdrive{devices[0] - 1} drive{devices[0] - 1} 0 dc 0.2" in circuit
    assert figures["largest_relative_difference"] < 1e-9
    assert 0 < figures["lost_to_wires"] < 0.2


def signs_that_come_back(run: AnalogRun, sample: int, layer: int) -> np.ndarray:
    dataset, model = load_dataset("digits"), AnalogTrainer(run.config, run.array)
    model.restore(run.trainer.weights(), run.trainer.generator_states(), run.trainer.samples_trained)
    model.load_conductances(run.trainer.conductances())
    return model.train_sample(dataset.test_features[sample], int(dataset.test_labels[sample])).layers[layer - 1].signs


def test_a_transposed_read_drives_columns_by_the_signs_that_come_back(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = AnalogRun.open(trained)
    signs = [signs_that_come_back(run, sample, 2) for sample in range(40)]
    wrong = next(sample for sample, each in enumerate(signs) if each.any())
    right = next(sample for sample, each in enumerate(signs) if not each.any())
    options = "--out", tmp_path / "layer.cir", "--layer", 2, "--transposed"
    assert stochastor("spice", trained, *options, "--sample", right) == 2
    assert "no sign comes back to layer 2" in capsys.readouterr().err
    assert stochastor("spice", trained, *options, "--sample", wrong, "--check", "--json", tmp_path / "f.json") == 0
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (figures["read"], figures["rows"], figures["columns"]) == ("transposed", 13, 20)
    assert figures["driven_lines"] == 2 * np.count_nonzero(signs[wrong])
    drivers = re.findall(r"^vdrive\d+ drive\d+ 0 dc (\S+)$", (tmp_path / "layer.cir").read_text(), re.MULTILINE)
    pairs = np.array(drivers, dtype=np.float64).reshape(10, 2)
    np.testing.assert_array_equal(pairs, 0.2 * signs[wrong][:, np.newaxis] * [1, -1])
    assert len(figures["currents_A"]) == 13
    assert figures["largest_relative_difference"] < 1e-9


def test_wires_and_tiles_are_the_run_s_own_unless_options_say_else(tmp_path: Path) -> None:
    wires = Wires(row_ohm=15.0, column_ohm=9.0, access_ohm=40.0, tile=16)
    dataset = load_dataset("digits")
    run = AnalogRun.create_on(tmp_path / "run", CONFIG, replace(ARRAYS["taox"], wires=wires), dataset, "digits")
    run.save()
    tile = "--devices", "minus", "--digit", 0, "--rows", "48:64", "--columns", "0:12"
    figures = tmp_path / "figures.json"
    options = "--out", tmp_path / "tile.cir", *tile, "--json", figures
    assert stochastor("spice", tmp_path / "run", *options, "--check") == 0
    found = json.loads(figures.read_text())
    assert [found[f"{name}_ohm"] for name in ("row", "column", "access")] == [15, 9, 40]
    model = AnalogTrainer(CONFIG, run.array)
    model.load(run.trainer.weights())
    model.infer(dataset.test_features[:1], 1)
    crossbar = model.crossbars[0]
    driven = [row for row in range(48, 64) if row in crossbar.driven]
    seen = crossbar.history.seen(crossbar.conductances, (1, 0))[driven].sum(axis=0)
    np.testing.assert_allclose(found["currents_A"], seen * 1e-8 * 0.2, rtol=1e-3)
    assert stochastor("spice", tmp_path / "run", *options, "--row-ohm", 1000) == 0
    changed = json.loads(figures.read_text())
    assert [changed[f"{name}_ohm"] for name in ("row", "column", "access")] == [1000, 9, 40]
    assert changed["lost_to_wires"] > 2 * found["lost_to_wires"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--layer", 3), "--layer must be from 1 to 2, not 3"),
        (("--layer", 1, "--transposed"), "layer 1 is never read transposed"),
        (("--devices", "both"), "--devices must be one of all, plus, minus, not 'both'"),
        (("--digit", 1), "--digit must be from 0 to 0, not 1"),
        (("--sample", 360), "--sample must be from 0 to 359, not 360"),
        (("--rows", "5"), "--rows must be A:B with 0 <= A < B <= 65, not '5'"),
        (("--columns", "0:25"), "--columns must be A:B with 0 <= A < B <= 24, not '0:25'"),
        (("--row-ohm", "0"), "row_ohm must be more than 0 ohm, not 0.0"),
    ],
)
def test_a_mistake_in_an_export_is_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[object, ...], message: str
) -> None:
    assert stochastor("spice", trained, "--out", tmp_path / "x.cir", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x.cir").exists()


def test_a_run_on_exact_arrays_has_no_circuit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run.create(tmp_path / "exact", CONFIG, load_dataset("digits"), "digits")
    assert stochastor("spice", tmp_path / "exact", "--out", tmp_path / "x.cir") == 2
    assert "was trained on exact arrays, which have no conductances; train with --array" in capsys.readouterr().err
