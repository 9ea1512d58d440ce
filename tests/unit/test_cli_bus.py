"""``stochastor verilog --bus``: the files it writes, the core file of FuseSoC, and what it refuses."""

import json
import sys
from functools import cache

import pytest
import yaml
from stochastor.cli.main import run
from stochastor.fpga.bus.design import generate_on_bus
from stochastor.fpga.bus.registers import Bus
from stochastor.model.config import Config

CONFIG = Config(sizes=(4, 3, 2), epochs=1)


@cache
def files_on(bus):
    return generate_on_bus(bus, CONFIG).files()


def verilog(*arguments):
    """Exit code of ``stochastor verilog``."""
    with pytest.raises(SystemExit) as leaving:
        run(["verilog", *map(str, arguments)])
    return leaving.value.code or 0


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(CONFIG.to_toml())
    return path


@pytest.mark.parametrize("bus", Bus)
def test_it_writes_the_files_of_a_machine_on_a_bus(small, tmp_path, capsys, bus):
    assert verilog("--config", small, "--bus", bus, "--out", tmp_path) == 0
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert files == files_on(bus)
    top = f"stochastor_{bus}"
    assert sorted(files) == sorted(
        ["registers.rdl", "stochastor.h", *(f"{top}.{kind}" for kind in ("core", "f", "json", "v", "vlt", "weights"))]
    )
    assert f"module {top}(" in files[f"{top}.v"].decode()
    description = json.loads(files[f"{top}.json"])
    assert description["top"] == top
    assert {"axi": "s_axi_awaddr", "wishbone": "wb_adr"}[bus] in description["ports"]
    assert "stochastor.h" in capsys.readouterr().out


@pytest.mark.parametrize("bus", Bus)
def test_the_core_file_is_valid_and_names_the_files(bus):
    files = files_on(bus)
    top = f"stochastor_{bus}"
    text = files[f"{top}.core"].decode()
    assert text.startswith("CAPI=2:\n")
    core = yaml.safe_load(text)
    assert core["name"].split(":")[2] == top
    named = [
        next(iter(file)) if isinstance(file, dict) else file
        for fileset in core["filesets"].values()
        for file in fileset["files"]
    ]
    assert sorted(named) == sorted([f"{top}.v", f"{top}.vlt", "registers.rdl", "stochastor.h"])
    assert set(named) < set(files)
    for target in core["targets"].values():
        assert set(target["filesets"]) <= set(core["filesets"])
    for target in ("default", "lint"):
        assert core["targets"][target]["toplevel"] == top


def test_pages_of_the_registers_are_written_on_request(small, tmp_path):
    assert verilog("--config", small, "--bus", "axi", "--html", "--out", tmp_path) == 0
    assert (tmp_path / "html" / "index.html").exists()


def test_pins_of_arrays_come_out_of_the_top(tmp_path):
    (tmp_path / "pins.toml").write_text(Config(sizes=(4, 3, 2), array_side="pins").to_toml())
    assert verilog("--config", tmp_path / "pins.toml", "--bus", "wishbone", "--out", tmp_path / "out") == 0
    ports = json.loads((tmp_path / "out" / "stochastor_wishbone.json").read_text())["ports"]
    assert {"array1_decision", "array2_set"} <= ports.keys()


def test_pages_without_a_bus_are_refused(small, tmp_path, capsys):
    assert verilog("--config", small, "--html", "--out", tmp_path / "out") == 2
    assert "give --bus axi or --bus wishbone" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_peakrdl_nothing_is_written_and_the_line_that_installs_it_is_named(
    small, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "peakrdl_cheader.exporter", None)
    assert verilog("--config", small, "--bus", "axi", "--out", tmp_path / "out") == 3
    assert "pip install 'stochastor[bus]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
