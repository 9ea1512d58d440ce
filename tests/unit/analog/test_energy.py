"""Energies are the events of a ledger times constants that name their sources."""

from dataclasses import fields, replace

import pytest
from stochastor.model.config import Config
from stochastor.model.errors import ConfigError
from stochastor.model.ledger import Events, Phase, ledger
from stochastor.model.trainer import Trainer
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.device import Device
from stochastor.sim.energy import PARTS, TRAINING, alternatives, energies, total_J
from stochastor.sim.energy_constants import CONSTANTS, load_constants

CONFIG = Config(sizes=(9, 7, 3), scale=3, reference_bits=16)
DEVICE = Device(set_voltage_V=2.0, reset_voltage_V=1.0, read_voltage_V=0.5, pulse_s=1e-7)
ARRAY = ArrayConfig(device=DEVICE)
KIND_OF_PART = {
    "array reads": "cells_read",
    "program pulses": "set_pulses",
    "comparators": "comparisons",
    "references": "references",
    "random bits": "random_words",
}


def energy_of(constants=CONSTANTS, phase=Phase.UPDATE, layer=2, **events):
    entry = Events(layer=layer, phase=phase, **events)
    return energies(CONFIG, [entry], ARRAY, [1e-6, 3e-6], constants)[0].parts


def near(joules):
    return pytest.approx(joules, rel=1e-12)


def test_devices_take_their_voltage_squared_times_conductance_and_time():
    parts = energy_of(cells_read=5, set_pulses=3, reset_pulses=2)
    assert parts["array reads"] == near(2 * 5 * 0.25 * 3e-6 * 10e-9)
    assert parts["program pulses"] == near((3 * 4 + 2 * 1) * 3e-6 * 1e-7)


def test_pulses_that_do_not_reach_devices_take_nothing_of_them():
    asked = Events(layer=1, phase=Phase.UPDATE, raised=30, lowered=10, set_pulses=80, reset_pulses=80)

    def pulsing(**fields):
        spent = energies(CONFIG, [asked], replace(ARRAY, **fields), [1e-6, 3e-6], CONSTANTS)[0]
        return spent.parts["program pulses"] / (1e-6 * 1e-7)

    assert pulsing() == near(80 * 4 + 80)
    assert pulsing(thinning=0.25) == near(60 * 4 + 80)
    assert pulsing(thinning=-0.25) == near(80 * 4 + 60)
    assert pulsing(pair="reference") == near(60 * 4 + 20)
    assert pulsing(pair="reference", thinning=-0.5) == near(60 * 4 + 10)


def test_a_line_takes_its_driver_and_the_charge_of_its_devices():
    line, driver = CONSTANTS["line_F"].value, CONSTANTS["driver_J"].value
    row = energy_of(phase=Phase.FORWARD, row_events=1)["line drivers"]
    assert row == near(driver + 6 * line * 0.25)
    columns = energy_of(phase=Phase.BACKWARD, column_drives=1)["line drivers"]
    assert columns == near(2 * (driver + 8 * line * 0.25))
    pulsed = energy_of(row_pulses=1, column_drives=1)["line drivers"]
    assert pulsed == near(driver + 6 * line * 4 + 2 * (driver + 8 * line * 4))


@pytest.mark.parametrize(("part", "kind"), KIND_OF_PART.items())
def test_every_event_costs_in_its_part_alone_and_in_proportion(part, kind):
    one, ten = energy_of(**{kind: 1}), energy_of(**{kind: 10})
    assert {name for name in PARTS if one[name]} == {part}
    assert ten[part] == near(10 * one[part])


def test_every_kind_of_event_costs_something():
    counted = {field.name for field in fields(Events)} - {"layer", "phase", "raised", "lowered"}
    assert all(sum(energy_of(**{kind: 1}).values()) > 0 for kind in counted)


def test_the_sum_over_phases_and_parts_is_the_whole():
    trainer = Trainer(CONFIG)
    for label in (0, 1, 2) * 4:
        trainer.train_sample(trainer.weights()[0][:9, 0].astype("u1"), label)
    spent = energies(CONFIG, ledger(CONFIG, trainer.counts), ARRAY, [1e-6, 3e-6], CONSTANTS)
    by_phase = [total_J(spent, [phase]) for phase in Phase]
    assert sum(by_phase) == near(sum(entry.total_J for entry in spent))
    assert total_J(spent, TRAINING) == near(sum(total_J(spent, TRAINING, [part]) for part in PARTS))
    assert total_J(spent, [Phase.INFERENCE]) == 0 < total_J(spent, [Phase.UPDATE])


def test_constants_of_the_user_replace_those_of_the_table(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('comparison_J = 5e-15\n[line_F]\nvalue = 0.0\nsource = "extracted"\n')
    constants = load_constants(path)
    assert energy_of(constants, comparisons=4)["comparators"] == near(2e-14)
    assert energy_of(constants, row_events=1)["line drivers"] == CONSTANTS["driver_J"].value
    assert (constants["line_F"].source, constants["comparison_J"].source) == ("extracted", str(path))
    assert constants["read_s"] == CONSTANTS["read_s"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("comparator_J = 1e-15", "unknown constant 'comparator_J'; the constants are"),
        ("comparison_J = -1e-15", "comparison_J must be 0 or more"),
        ("comparison_J = nan", "comparison_J must be 0 or more"),
        ('comparison_J = "1 fJ"', "comparison_J must be 0 or more"),
        ("[comparison_J]\nunit = 'J'", r"unknown key 'comparison_J.unit'"),
        ("comparison_J = ", "is not TOML"),
    ],
)
def test_a_mistake_in_constants_is_named_with_the_file(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_constants(path)
    assert str(error.value).startswith(str(path))


def test_constants_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_constants(tmp_path / "none.toml")


def test_every_constant_has_a_unit_a_technology_a_meaning_and_a_source():
    for constant in CONSTANTS.values():
        assert all((constant.unit, constant.node, constant.meaning, constant.source))
        assert constant.source.startswith("assumption: ") or any(year in constant.source for year in ("201", "202"))


def test_alternatives_come_to_their_published_figures():
    found = {other.name: other for other in alternatives(CONSTANTS)}
    assert found["digital fp32, arithmetic"].mac_J == near(4.6e-12)
    assert found["digital int8, arithmetic"].mac_J == near(0.23e-12)
    assert found["digital int8, with weights from cache"].step_J == near(3 * 0.23e-12 + 4 * 1.25e-12)
    conversions = 8 * 4 * (2e-3 / 1.28e9) / 128
    (memristors,) = (other for name, other in found.items() if name.startswith("memristors"))
    assert conversions < memristors.mac_J < 2 * conversions


def test_a_higher_voltage_costs_more_on_every_preset():
    for array in ARRAYS.values():
        entry = Events(layer=1, phase=Phase.UPDATE, set_pulses=1, cells_read=1)
        higher = replace(array, device=replace(array.device, set_voltage_V=2 * array.device.set_voltage_V))
        low, high = (energies(CONFIG, [entry], each, [1e-6] * 2, CONSTANTS)[0] for each in (array, higher))
        assert high.parts["program pulses"] == near(4 * low.parts["program pulses"])
