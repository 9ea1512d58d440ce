import json
from dataclasses import replace

import numpy as np
import pytest
from stochastor.cli.main import run as command
from stochastor.model.config import Config
from stochastor.model.crossbar import Address
from stochastor.model.errors import DataError
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.crossbar import AnalogCrossbar
from stochastor.sim.array.device import Device, Response
from stochastor.sim.array.fit import fit_device
from stochastor.sim.array.pulse_curves import PulseCurve, read_pulse_curves

HEADER = "device,direction,pulse,conductance_S\n"


def measured(device, devices=1, cycles=1, pulses=None):
    """Curves of the plus devices of an array with `device`, from one end to the other."""
    fine = replace(device, quantum_S=device.quantum_S / 1000)
    crossbar = AnalogCrossbar(Config(sizes=(devices, 1), weight_bits=2), 1, ArrayConfig(device=fine, seed=5))
    population, rows, curves = crossbar.population, np.arange(devices), []
    for cycle in range(cycles):
        for direction, sign in (("set", 1), ("reset", -1)):
            bound = np.broadcast_to(population.low if sign > 0 else population.high, crossbar.conductances.shape)
            crossbar.conductances[:] = bound
            seen = [crossbar.conductances[0, 0, rows, 0].copy()]
            for pulse in range(pulses or device.states):
                address = Address(cycle, 1, training=True, repetition=pulse, comparison=sign + 1)
                crossbar.pulse(address, rows, np.array([sign], dtype=np.int8))
                seen.append(crossbar.conductances[0, 0, rows, 0].copy())
            curves += [PulseCurve(str(row), direction, np.array(seen)[:, row] * fine.quantum_S) for row in rows]
    return curves


def known(**values):
    return Device(**{"g_min_S": 1e-6, "g_max_S": 10e-6, "states": 128} | values)


@pytest.mark.parametrize(
    ("set_label", "reset_label"), [(0.04, -0.63), (1.94, -0.61), (0.5, -0.5), (2.4, -4.88), (0.105, 2.4), (5.0, -5.0)]
)
def test_exponential_devices_without_noise_are_recovered(set_label, reset_label):
    truth = known(response="exponential", set_nonlinearity=set_label, reset_nonlinearity=reset_label)
    found = fit_device(measured(truth)).device
    assert found.response is Response.EXPONENTIAL
    assert (found.g_min_S, found.g_max_S) == pytest.approx((1e-6, 10e-6), rel=1e-3)
    assert found.states == pytest.approx(128, abs=1)
    assert (found.set_nonlinearity, found.reset_nonlinearity) == pytest.approx((set_label, reset_label), abs=0.03)
    assert found.mismatch == pytest.approx(0, abs=0.02)
    assert found.cycle_spread_of_range < 1e-4


@pytest.mark.parametrize("name", ["taox", "alox_hfo2", "gst_pcm", "epiram"])
def test_presets_are_recovered_from_curves_as_noisy_as_theirs(name):
    truth = ARRAYS[name].device
    found = fit_device(measured(truth, cycles=60)).device
    assert (found.g_min_S, found.g_max_S) == pytest.approx((truth.g_min_S, truth.g_max_S), rel=1e-2)
    assert found.set_nonlinearity == pytest.approx(truth.set_nonlinearity, abs=0.4)
    assert found.reset_nonlinearity == pytest.approx(truth.reset_nonlinearity, abs=0.4)
    assert found.states == pytest.approx(truth.states, rel=0.12)
    assert found.cycle_spread_of_range == pytest.approx(truth.cycle_spread_of_range, rel=0.1)


def test_a_straight_device_is_linear():
    found = fit_device(measured(known())).device
    assert (found.response, found.states, found.set_nonlinearity) == (Response.LINEAR, 128, 0.0)


def test_soft_bounds_are_recovered():
    truth = known(response="soft_bounds", states=41)
    found = fit_device(measured(truth, pulses=400)).device
    assert found.response is Response.SOFT_BOUNDS
    assert found.states == pytest.approx(41, abs=1)


def test_mismatch_of_set_and_reset_is_recovered():
    found = fit_device(measured(known(mismatch=0.3))).device
    assert found.mismatch == pytest.approx(0.3, abs=0.01)
    assert found.states == pytest.approx(128, abs=1)


@pytest.mark.parametrize(("name", "value"), [("cycle_spread_of_range", 0.004), ("cycle_spread_of_step", 0.4)])
def test_the_spread_from_cycle_to_cycle_is_recovered_as_what_it_is(name, value):
    truth = known(response="exponential", set_nonlinearity=3.0, reset_nonlinearity=-3.0, **{name: value})
    found = fit_device(measured(truth, cycles=20, pulses=90)).device
    other = {"cycle_spread_of_range": "cycle_spread_of_step"}.get(name, "cycle_spread_of_range")
    assert getattr(found, name) == pytest.approx(value, rel=0.1)
    assert getattr(found, other) == 0


def test_the_spread_between_devices_is_recovered():
    truth = known(step_spread=0.2, bound_spread=0.05)
    found = fit_device(measured(truth, devices=400, pulses=60)).device
    assert found.step_spread == pytest.approx(0.2, rel=0.2)
    assert found.bound_spread > 0.02


def test_the_spreads_of_lower_and_upper_bounds_are_told_apart():
    truth = known(bound_spread=0.02, lower_bound_spread=0.01)
    found = fit_device(measured(truth, devices=400, pulses=200)).device
    assert found.bound_spread == pytest.approx(0.02, rel=0.15)
    assert found.lower_bound_spread == pytest.approx(0.01, rel=0.15)


def test_residuals_are_the_noise_in_siemens():
    truth = known(cycle_spread_of_range=0.01)
    found = fit_device(measured(truth, cycles=20))
    assert found.set_residual_S == pytest.approx(0.01 * 9e-6, rel=0.1)
    assert 0.95 * 2 * 20 * 128 < found.steps <= 2 * 20 * 128


def as_csv(curves):
    lines = [
        f"{curve.device},{curve.direction},{pulse},{siemens!r}\n"
        for curve in curves
        for pulse, siemens in enumerate(curve.conductances_S.tolist())
    ]
    return HEADER + "".join(lines)


def test_a_file_reads_back_as_the_curves_it_was_made_of(tmp_path):
    curves = measured(ARRAYS["taox"].device, devices=3, cycles=2, pulses=5)
    (tmp_path / "pulses.csv").write_text(as_csv(curves))
    for ours, theirs in zip(read_pulse_curves(tmp_path / "pulses.csv"), curves, strict=True):
        assert (ours.device, ours.direction) == (theirs.device, theirs.direction)
        assert np.array_equal(ours.conductances_S, theirs.conductances_S)


def stochastor(*arguments):
    with pytest.raises(SystemExit) as leaving:
        command([str(argument) for argument in arguments])
    return leaving.value.code or 0


def test_the_command_writes_an_array_a_picture_and_figures(tmp_path, capsys):
    (tmp_path / "pulses.csv").write_text(as_csv(measured(ARRAYS["epiram"].device, cycles=3)))
    outputs = {name: tmp_path / file for name, file in (("out", "a.toml"), ("picture", "a.png"), ("json", "a.json"))}
    options = [part for name, path in outputs.items() for part in (f"--{name}", path)]
    assert stochastor("device", "fit", tmp_path / "pulses.csv", *options) == 0
    device = ArrayConfig.from_toml(outputs["out"]).device
    assert device.states == json.loads(outputs["json"].read_text())["device"]["states"]
    assert outputs["picture"].read_bytes().startswith(b"\x89PNG")
    assert f" {device.states} " in capsys.readouterr().out


GOOD = "0,set,0,1e-6\n0,set,1,2e-6\n0,set,2,3e-6\n"
LONG = "".join(f"0,set,{pulse},{pulse + 1}e-6\n" for pulse in range(9))
BACK = "0,reset,0,3e-6\n0,reset,1,2e-6\n0,reset,2,1e-6\n"
SWAPPED = GOOD.replace("set", "reset") + BACK.replace("reset", "set")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device,direction,pulse\n", "the column 'conductance_S' is missing"),
        ("", "the column 'direction' is missing"),
        (HEADER + GOOD, "there is no reset curve"),
        (HEADER + GOOD + BACK.replace("reset,1,", "reset,2,"), "line 6: pulse 2 does not follow the line before"),
        (HEADER + GOOD + BACK.replace("0,reset,1", "1,reset,1"), "line 6: pulse 1 does not follow the line before"),
        (HEADER + GOOD + BACK.replace("2e-6", ""), "line 6: conductance_S must be a number, not ''"),
        (HEADER + GOOD + BACK.replace("2e-6", "nan"), "line 6: conductance_S must be more than 0, not nan"),
        (HEADER + GOOD + BACK.replace("2e-6", "-2e-6"), "line 6: conductance_S must be more than 0, not -2e-06"),
        (HEADER + GOOD + BACK.replace("e-6", ""), "up to 3 is no memristor's in siemens, .* microsiemens, multiply by"),
        (HEADER + (GOOD + BACK).replace("e-6", "e-2"), "up to 0.03 is no memristor's in siemens"),
        (HEADER + (GOOD + BACK).replace("e-6", "e4"), "up to 30000 .* if they are nanosiemens, multiply by 1e-9"),
        (HEADER + (GOOD + BACK).replace("e-6", "e-12"), "up to 3e-12 .* divided by 1e6 or 1e9 twice"),
        (HEADER + SWAPPED.replace("e-6", "e5"), "up to 300000 .* they fall under set, as resistances do; .* 1 / ohm"),
        (HEADER + SWAPPED, "do not rise under set pulses|conductances rise under set pulses cannot be seen"),
        (HEADER + GOOD.replace("set,1", "up,1"), "line 3: direction must be set or reset, not 'up'"),
        (HEADER + GOOD.replace("set,1", "set,one"), "line 3: pulse must be a whole number, not 'one'"),
        (HEADER + GOOD[:26] + BACK, "at least 3 say something of its shape"),
        (HEADER + LONG + BACK, "conductances fall under reset pulses cannot be seen"),
        (HEADER + LONG.replace("set", "reset") + LONG, "do not fall under reset pulses"),
        (HEADER + (GOOD + BACK).replace("2e-6", "1e-6").replace("3e-6", "1e-6"), "of device 0 are all 1e-06 S"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_fitted_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "pulses.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        fit_device(read_pulse_curves(path))


def test_quanta_coarser_than_steps_are_refused_with_what_would_do():
    curves = measured(known(), pulses=127)
    with pytest.raises(DataError, match=r"quantum_S = 1e-06 is too coarse for 127 steps .*: at most 7.1e-08"):
        fit_device(curves, quantum_S=1e-6)


def test_a_file_that_is_not_there_is_one_line(tmp_path, capsys):
    assert stochastor("device", "fit", tmp_path / "none.csv", "--out", tmp_path / "a.toml") == 2
    assert "none.csv: cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "a.toml").exists()
