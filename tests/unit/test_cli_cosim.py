import json
import re

import pytest
from stochastor.cli import cosim as cosim_module
from stochastor.cli.main import run
from stochastor.hdl import layer as hdl_layer
from stochastor.hdl.verilog import generate
from stochastor.model.config import Config
from stochastor.model.ledger import Count, Total

CONFIG = Config(sizes=(5, 3, 2))


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(CONFIG.to_toml())
    return path


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    directory = tmp_path_factory.mktemp("delivered")
    for name, content in generate(CONFIG).files().items():
        (directory / name).write_bytes(content)
    return directory


def cosim(*arguments):
    with pytest.raises(SystemExit) as ended:
        run(["cosim", *map(str, arguments)])
    return ended.value.code


def refused(capsys, *arguments):
    """The one line in which the command refuses its arguments."""
    assert cosim(*arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_figures_are_printed_and_written_under_plain_keys(config_file, tmp_path, capsys):
    figures = tmp_path / "figures.json"
    arguments = "--config", config_file, "--data", "random", "--samples", 8, "--simulator", "icarus", "--json", figures
    assert cosim(*arguments) == 0
    written = json.loads(figures.read_text())
    assert {"samples", "decisions", "differences", "cycles_per_sample", "simulator"} <= written.keys()
    assert (written["samples"], written["differences"], written["simulator"]) == (8, 0, "icarus")
    printed = capsys.readouterr().out
    assert written["counters"] == len(Total) + CONFIG.layers * len(Count)
    assert re.search(rf"counters compared +{written['counters']}", printed)
    for figure in (f"{written['decisions']:,}", f"{written['cycles_per_sample']:.1f}"):
        assert figure in printed


def test_verilog_is_simulated_as_delivered(delivered, capsys):
    assert cosim("--verilog", delivered, "--data", "random", "--samples", 8, "--simulator", "icarus") == 0
    verilog = delivered / "stochastor.v"
    text = verilog.read_text()
    memory = re.search(r"weights\[0\] = \d+'h([0-9a-f]+);", text)
    flipped = f"{int(memory[1], 16) ^ 1:0{len(memory[1])}x}"
    verilog.write_text(text[: memory.start(1)] + flipped + text[memory.end(1) :])
    try:
        assert cosim("--verilog", delivered, "--data", "random", "--samples", 8, "--simulator", "icarus") == 1
    finally:
        verilog.write_text(text)
    difference = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r"first difference: (sample \d+|after the last sample), layer \d, stage \w+(, row \d+)?, lane \d+: "
        r"model -?\d+, hardware -?\d+",
        difference,
    )


def test_a_counter_that_differs_is_named_with_its_layer(tmp_path, capsys, monkeypatch):
    events = hdl_layer.EventCounters

    class Miscounting(events):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            with m.If(self.pulsed):
                m.d.sync += self.counters.lowered.eq(self.counters.lowered + 1)
            return m

    monkeypatch.setattr(hdl_layer, "EventCounters", Miscounting)
    for name, content in generate(CONFIG).files().items():
        (tmp_path / name).write_bytes(content)
    figures = tmp_path / "figures.json"
    arguments = "--verilog", tmp_path, "--data", "random", "--samples", 8, "--simulator", "icarus", "--json", figures
    assert cosim(*arguments) == 1
    printed = capsys.readouterr().out
    assert re.search(r"differences +1", printed)
    named = r"after the last sample, layer 1, counter lowered: model \d+, hardware \d+"
    assert re.search(f"first difference: {named}", printed)
    assert re.fullmatch(named, json.loads(figures.read_text())["first_difference"])


def test_a_delivered_design_of_another_configuration_is_refused(delivered, capsys):
    assert "was made for another configuration" in refused(
        capsys, "--verilog", delivered, "--preset", "tiny", "--simulator", "icarus"
    )


def test_a_directory_without_a_design_is_refused(tmp_path, capsys):
    assert "stochastor.v: cannot be read" in refused(capsys, "--verilog", tmp_path, "--simulator", "icarus")


def test_delivered_weights_that_were_changed_are_refused(delivered, capsys):
    path = delivered / "stochastor.weights"
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    try:
        line = refused(capsys, "--verilog", delivered, "--simulator", "icarus")
    finally:
        path.write_bytes(content)
    assert "are not the weights with the SHA-256" in line


def test_arrays_are_simulated_behind_the_pins(tmp_path, capsys):
    path = tmp_path / "coarse.toml"
    path.write_text(Config(sizes=(5, 3, 2), weight_bits=6).to_toml())
    arguments = "--config", path, "--array", "epiram", "--data", "random", "--samples", 4, "--simulator", "icarus"
    assert cosim(*arguments) == 0
    assert re.search(r"differences +0", capsys.readouterr().out)


def test_a_design_with_pins_needs_arrays_and_one_without_has_none(delivered, tmp_path, capsys):
    pins = tmp_path / "pins.toml"
    pins.write_text(Config(sizes=(5, 3, 2), array_side="pins").to_toml())
    for arguments in (("--config", pins), ("--verilog", delivered, "--array", "ideal")):
        assert "a design with pins is simulated with arrays behind them" in refused(
            capsys, *arguments, "--data", "random", "--samples", 4, "--simulator", "icarus"
        )


def test_an_unknown_simulator_is_refused_with_the_known_ones(capsys):
    line = refused(capsys, "--simulator", "modelsim")
    assert "there is no simulator 'modelsim'; the simulators are icarus, verilator, compiled" in line


def test_stalls_that_never_end_are_refused(capsys):
    assert "--stalls must be from 0 to less than 1" in refused(capsys, "--stalls", "1")


def test_more_samples_than_there_are_is_refused(config_file, capsys, monkeypatch):
    monkeypatch.setattr(cosim_module, "_simulator", lambda name: "icarus")
    line = refused(capsys, "--config", config_file, "--data", "random", "--samples", "1000000")
    assert "fewer than the 1000000 of --samples" in line


def test_data_that_does_not_fit_the_machine_is_refused(config_file, capsys):
    assert refused(capsys, "--config", config_file, "--simulator", "icarus").startswith("error: ")
