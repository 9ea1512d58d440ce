"""The nodal solution against ngspice, and circuits of trained runs."""

import json
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
from stochastor.sim.array.wires import WireNetwork, Wires

CONFIG = Config(sizes=(64, 12, 10), weight_bits=7, epochs=1)


def network(side: int, seed: int = 0) -> WireNetwork:
    rng = np.random.default_rng(seed)
    return WireNetwork(rng.uniform(1e-6, 10e-6, (side, side)), Wires(row_ohm=2.12, column_ohm=1.3, access_ohm=80.0))


@pytest.mark.parametrize("side", [8, 32])
def test_currents_are_those_of_ngspice(side: int) -> None:
    array, voltages = network(side), np.random.default_rng(1).uniform(-0.2, 0.2, side)
    assert np.max(np.abs(ngspice_currents(array, voltages) / array.read(voltages) - 1)) < 1e-9


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
    assert 0 < figures["driven_rows"] <= devices[0]
    assert circuit.count("dc 0.2") == figures["driven_rows"]
    assert f"vdrive{devices[0] - 1} drive{devices[0] - 1} 0 dc 0.2" in circuit
    assert figures["largest_relative_difference"] < 1e-9
    assert 0 < figures["lost_to_wires"] < 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--layer", 3), "--layer must be from 1 to 2, not 3"),
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
