"""``stochastor build`` with tools that only pretend: what it writes, what it refuses, and what it says."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from stochastor.cli import build_cycles
from stochastor.cli.main import run
from stochastor.fpga import building, implementation
from stochastor.fpga.boards import BOARDS
from stochastor.fpga.implementation import slower_clock_MHz
from stochastor.fpga.target import Target
from stochastor.model.config import Config
from stochastor.model.errors import ToolError
from test_data import idx_bytes

from .fake_tools import FakeTools, report

# Elaboration is the same in every test, and takes longer than all the rest.
elaborate = cache(building.elaborate)

CONFIG = Config(sizes=(4, 3, 2), epochs=1)
KEYS = {
    "luts",
    "flip_flops",
    "block_rams",
    "fmax_mhz",
    "cycles_per_sample",
    "core_samples_per_second",
    "link_samples_per_second",
    "seed",
    "tools",
}


def build(*arguments):
    """Exit code of ``stochastor build``."""
    with pytest.raises(SystemExit) as leaving:
        run(["build", *map(str, arguments)])
    return leaving.value.code or 0


@pytest.fixture
def tools(tmp_path, monkeypatch):
    directory = tmp_path / "tools"
    directory.mkdir()
    fakes = FakeTools(directory)
    fakes.install(monkeypatch)

    def no_compiler(*_):
        raise ToolError("no compiler here")

    monkeypatch.setattr(build_cycles, "_simulated", no_compiler)
    monkeypatch.setattr(building, "elaborate", elaborate)
    monkeypatch.setattr(implementation, "to_verilog", cache(implementation.to_verilog))
    return fakes


@pytest.fixture
def machine(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(CONFIG.to_toml())
    return [
        *("--board", "icebreaker", "--config", path, "--no-counters"),
        *("--data", "random", "--samples", 5, "--out", tmp_path / "out"),
    ]


def test_a_build_leaves_bitstream_verilog_and_figures(tools, machine, tmp_path):
    assert build(*machine) == 0
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "build.json",
        "stochastor.bin",
        "stochastor.toml",
        "stochastor.v",
    ]
    assert (out / "stochastor.bin").read_text() == "the bits"
    verilog = (out / "stochastor.v").read_text()
    assert "module stochastor(" in verilog
    assert "SB_IO" in verilog


def test_the_figures_are_what_the_tools_reported(tools, machine, tmp_path, capsys):
    assert build(*machine, "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "out" / "build.json").read_text())
    assert figures == json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) >= KEYS
    assert (figures["luts"], figures["flip_flops"], figures["block_rams"], figures["seed"]) == (123, 42, 7, 1)
    assert (figures["fmax_mhz"], figures["frequency_mhz"]) == (20.0, 12.0)
    assert figures["core_samples_per_second"] == pytest.approx(12e6 / figures["cycles_per_sample"], rel=0.01)
    # Header of 12 bytes, CRC of 4, two blocks of COBS and a delimiter around samples of 6 bytes with their label.
    most = (1024 // 4 - 16) // 6
    assert figures["link_samples_per_second"] == pytest.approx(most * 100_000 / (16 + 6 * most + 3), abs=0.1)
    assert figures["tools"]["yosys"] == "Yosys 9.99"
    assert figures["cycles_counted"] == "by formula, over the first 5 samples of random"
    said = capsys.readouterr()
    assert "training samples per second, core" in said.out
    assert "cycles are counted by formula: no compiler here" in said.err


def test_the_seed_with_the_fastest_clock_is_taken(tools, machine, tmp_path):
    tools.behaviour["gain"] = {"5": 1.0, "6": 3.0, "7": 2.0}
    tools.save()
    assert build(*machine, "--seed", 5, "--seeds", 3, "--jobs", 2) == 0
    figures = json.loads((tmp_path / "out" / "build.json").read_text())
    assert (figures["seed"], figures["fmax_mhz"]) == (6, 23.0)
    assert sorted(call[call.index("--seed") + 1] for call in tools.calls("nextpnr-ice40")) == ["5", "6", "7"]
    assert len(tools.calls("yosys")) == 1


def test_a_clock_that_is_not_met_is_an_error_that_names_the_path(tools, machine, tmp_path, capsys):
    assert build(*machine, "--frequency-mhz", 24) == 3
    error = capsys.readouterr().err
    assert "timing is not met: 20.00 MHz reached of 24" in error
    assert "board.trainer.layer1.crossbar.fetched -> board.trainer.layer1.x[2] -> board.trainer.layer2.busy" in error
    assert not (tmp_path / "out").exists()


def test_without_a_frequency_the_clock_is_lowered_to_what_is_met(tools, machine, tmp_path):
    board = [BOARDS["ice40_hx8k_b_evn"].name if word == "icebreaker" else word for word in machine]
    assert build(*board) == 0
    figures = json.loads((tmp_path / "out" / "build.json").read_text())
    assert 18.0 < figures["frequency_mhz"] <= 19.0  # 95 % of the 20 MHz that are reached, of the usual 24
    assert len(tools.calls("yosys")) == 2


def test_a_lower_clock_is_one_that_suits_the_baud_rate(tools, machine, tmp_path):
    board = [BOARDS["ice40_hx8k_b_evn"].name if word == "icebreaker" else word for word in machine]
    assert build(*board, "--baud", 4_000_000) == 0
    figures = json.loads((tmp_path / "out" / "build.json").read_text())
    # The PLL makes multiples of 12 / 32 and 12 / 64 MHz; of those from 16 to 19, 16.3125 is the first within 2 % of 16.
    assert figures["frequency_mhz"] == 16.3125


def test_without_a_lower_clock_that_suits_the_baud_rate_timing_is_not_met(tools, machine, tmp_path, capsys):
    board = [BOARDS["ice40_hx8k_b_evn"].name if word == "icebreaker" else word for word in machine]
    assert build(*board, "--baud", 6_000_000) == 3
    error = capsys.readouterr().err
    assert "timing is not met: 20.00 MHz reached of 24" in error
    assert "no clock of ice40_hx8k_b_evn that is met suits 6000000 baud: take a lower --baud or" in error
    assert not (tmp_path / "out").exists()


def test_a_lower_clock_suits_the_memory():
    target = Target(board=BOARDS["ulx3s_25f"], config=CONFIG)
    assert 9.9 < slower_clock_MHz(replace(target, memory=False), 9.99) <= 9.99
    assert slower_clock_MHz(target, 9.99) is None


def test_weights_outside_block_ram_are_an_error(tools, machine, tmp_path, capsys):
    tools.behaviour["yosys"]["memories.txt"] = "stochastor/board.trainer.layer1.crossbar.weights.0.0_RAM\n"
    tools.save()
    assert build(*machine) == 3
    assert "the weights of layer 2 are not in block RAM" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tool", ["yosys", "nextpnr-ice40", "icepack"])
def test_a_tool_that_fails_is_named_with_its_first_error(tools, machine, tmp_path, capsys, tool):
    tools.behaviour["fails"] = [tool]
    tools.save()
    assert build(*machine) == 3
    assert f"{tool} failed with exit code 1: ERROR: cannot go on" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_tool_that_fails_without_an_error_is_quoted_with_its_last_line(tools, machine, capsys):
    tools.behaviour |= {"fails": ["yosys"], "complaint": "Traceback:\nModuleNotFoundError: No module named 'tool'\n"}
    tools.save()
    assert build(*machine) == 3
    assert "yosys failed with exit code 1: ModuleNotFoundError: No module named 'tool'" in capsys.readouterr().err


def test_a_machine_that_turns_out_too_large_is_refused_with_what_may_fit(tools, machine, tmp_path, capsys):
    lines = ("ICESTORM_LC:    6001/   5280   113%", "ICESTORM_RAM:      23/     30    76%")
    tools.behaviour |= {
        "fails": ["nextpnr-ice40"],
        "complaint": "\n".join(f"Info: \t         {line}" for line in lines),
    }
    tools.save()
    assert build(*machine) == 2
    error = capsys.readouterr().err
    assert "4-3-2 does not fit iCEBreaker, iCE40UP5K: it needs 6,001 ICESTORM_LC of 5,280" in error
    assert "what would fit: lanes = 2, or weight_bits = 7" in error
    assert not (tmp_path / "out").exists()


def test_missing_tools_are_named_with_the_line_that_installs_them(tools, machine, monkeypatch, capsys):
    monkeypatch.delenv("NEXTPNR_ICE40")
    monkeypatch.setattr("stochastor.fpga.toolchain.shutil.which", lambda name, path=None: name if "/" in name else None)
    assert build(*machine) == 3
    assert "nextpnr-ice40 is missing: pip install 'stochastor[fpga]'" in capsys.readouterr().err


def test_a_tool_that_the_environment_names_must_be_there(tools, machine, monkeypatch, capsys):
    monkeypatch.setenv("YOSYS", "/no/such/yosys")
    assert build(*machine) == 3
    assert "YOSYS=/no/such/yosys in the environment is no program" in capsys.readouterr().err


def test_bad_requests_are_refused_before_anything_runs(tools, machine, tmp_path, capsys):
    _, _, *rest = machine
    assert build("--board", "breadboard", *rest) == 2
    assert "there is no board 'breadboard'; the boards are icebreaker" in capsys.readouterr().err
    assert build("--board", "arty_a7_35", *rest) == 2
    assert "--verilog-only" in capsys.readouterr().err
    assert build(*machine, "--verilog-only") == 2
    assert "for boards of Vivado" in capsys.readouterr().err
    assert build(*machine, "--frequency-mhz", 5) == 2
    assert "--frequency-mhz 5 on icebreaker: the PLL makes 16 to 275 MHz" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_machine_that_cannot_fit_is_refused_before_anything_runs(tools, tmp_path, capsys):
    wide = ["--board", "icebreaker", "--preset", "mnist", "--data", "random", "--samples", 1, "--out", tmp_path / "out"]
    assert build(*wide) == 2
    assert "784-256-10 does not fit iCEBreaker" in capsys.readouterr().err


def test_the_boards_are_listed(capsys):
    assert build("--board", "list") == 0
    listed = capsys.readouterr().out
    assert [name for name in BOARDS if name not in listed] == []


@pytest.mark.parametrize(
    ("tool", "file", "content"),
    [
        ("yosys", "cells.json", "not JSON"),
        ("yosys", "cells.json", {"design": {}}),
        ("nextpnr-ice40", "report.json", {"fmax": {}, "utilization": {}, "critical_paths": []}),
        ("nextpnr-ice40", "report.json", report() | {"critical_paths": []}),
    ],
)
def test_a_report_without_the_expected_content_is_the_tools_fault(tools, machine, capsys, tool, file, content):
    tools.behaviour[tool][file] = content
    tools.save()
    assert build(*machine) == 3
    assert f"the tools left no {file} that can be read" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "baud"), [((), 500_000), (("--baud", 250_000), 250_000)])
def test_the_baud_rate_is_the_configurations_unless_another_is_given(tools, machine, tmp_path, options, baud):
    (tmp_path / "small.toml").write_text(replace(CONFIG, baud=500_000).to_toml())
    assert build(*machine, *options) == 0
    assert json.loads((tmp_path / "out" / "build.json").read_text())["baud"] == baud
    assert Config.from_toml(tmp_path / "out" / "stochastor.toml").baud == baud


def test_cycles_are_counted_over_the_users_own_idx_files(tools, machine, tmp_path):
    rng = np.random.default_rng(1)
    directory = tmp_path / "own"
    directory.mkdir()
    for part, count in (("train", 20), ("t10k", 5)):
        images = rng.integers(0, 256, (count, 2, 2), dtype=np.uint8)
        (directory / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (directory / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(count) % 2))
    assert build(*machine, "--data", f"idx:{directory}", "--samples", 20) == 0
    figures = json.loads((tmp_path / "out" / "build.json").read_text())
    assert figures["cycles_counted"] == f"by formula, over the first 20 samples of idx:{directory}"
    assert figures["cycles_per_sample"] > 0
