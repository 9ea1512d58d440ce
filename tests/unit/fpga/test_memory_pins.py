"""A memory on the balls of a board, and what a build says of it."""

import json
import re
from dataclasses import replace
from functools import cache

import pytest
from stochastor.cli import build_cycles
from stochastor.fpga import building, implementation
from stochastor.fpga.boards import BOARDS
from stochastor.fpga.fit import Needs
from stochastor.fpga.rates import link_samples_per_second, replay_samples_per_second
from stochastor.fpga.target import Target
from stochastor.model.config import Config, preset
from stochastor.model.errors import ConfigError, ToolError

from .fake_tools import CLOCK, FakeTools, report
from .test_build import build

CONFIG = Config(sizes=(4, 3, 2), epochs=1)


def target(board="ulx3s_25f", **options):
    return Target(board=BOARDS[board], config=CONFIG, **options)


@cache
def sources(**options):
    return implementation.elaborate(target(**options), 40.0)


def texts(**options):
    return [content if isinstance(content, str) else content.decode() for content in sources(**options).files.values()]


def constraints(**options):
    """Ball of each port."""
    found = re.findall(r'LOCATE COMP "(\S+)" SITE "(\w+)"', "\n".join(texts(**options)))
    return dict(found)


def test_every_pin_of_the_memory_is_on_its_ball():
    balls = {port: ball for port, ball in constraints().items() if port.startswith("sdram")}
    assert len(balls) == 1 + 1 + 4 + 2 + 13 + 2 + 16
    assert (balls["sdram_0__clk__io"], balls["sdram_0__clk_en__io"], balls["sdram_0__cs__io"]) == ("F19", "F20", "P20")
    assert (balls["sdram_0__a__io[10]"], balls["sdram_0__dq__io[15]"]) == ("N19", "J17")


def test_what_goes_to_the_memory_comes_from_registers_and_its_clock_rises_in_mid_cycle():
    netlist = next(text for text in texts() if "cell \\ODDRX1F" in text)
    assert len(re.findall(r"cell \\OFS1P3DX \\o_ff\d+$", netlist, flags=re.MULTILINE)) == 1 + 4 + 2 + 13 + 2
    assert netlist.count("cell \\ODDRX1F") == 1
    around = netlist[netlist.index("cell \\stochastor.sdram_io.clock \\clock") :]
    around = around[: around.index("\nmodule ")]
    assert "assign \\o [0] 1'0" in around
    assert "assign \\o [1] 1'1" in around


def test_without_a_memory_nothing_of_it_is_there():
    for options in ({"memory": False}, {"board": "ecpix5_85f"}):
        assert not any("sdram" in text for text in texts(**options))


def test_a_clock_that_is_too_fast_for_the_memory_is_refused():
    with pytest.raises(ConfigError, match=r"80 MHz is not one of 10 to 66 MHz, .* or --no-memory"):
        implementation.elaborate(target("ulx3s_85f"), 80.0)
    implementation.elaborate(target("ulx3s_85f", memory=False), 80.0)


def test_a_memory_takes_room_and_a_machine_that_fits_without_is_told_so():
    with_memory, without = Needs.of(target()), Needs.of(target(memory=False))
    assert with_memory.luts > without.luts
    assert with_memory.block_rams == without.block_rams + 2


def test_replaying_is_bounded_by_three_bytes_a_sample_and_the_packets_around():
    config = preset("small")
    # 80 addresses in a packet of 256 bytes, two blocks of COBS and a delimiter.
    assert replay_samples_per_second(config, 40_000_000) == pytest.approx(80 * 100_000 / 259)
    assert link_samples_per_second(config, 40_000_000) == pytest.approx(3 * 100_000 / (214 + 2))
    # The answer is longer than the request where a sample is answered by many bytes.
    wide = Config(sizes=(4, 100))
    assert replay_samples_per_second(wide, 40_000_000) < 100_000 / 13


def test_replaying_blocks_is_bounded_by_their_requests():
    # 19 bytes of a request, one of COBS and a delimiter; a request has 255 samples at most.
    for block, requests in ((8, 1), (100, 1), (255, 1), (256, 2), (1000, 4)):
        config = replace(preset("small"), shuffle_block=block)
        assert replay_samples_per_second(config, 40_000_000) == pytest.approx(block * 100_000 / (21 * requests))
    assert replay_samples_per_second(replace(preset("small"), shuffle_block=7), 40_000_000) == pytest.approx(
        80 * 100_000 / 259
    )


@pytest.mark.parametrize("memory", [True, False])
def test_a_build_says_what_the_memory_holds_and_how_fast_it_is_replayed(tmp_path, monkeypatch, capsys, memory):
    def no_compiler(*_):
        raise ToolError("no compiler here")

    directory = tmp_path / "tools"
    directory.mkdir()
    tools = FakeTools(directory)
    clock = {"achieved": 60.0, "constraint": 25.0}
    routed = json.loads(json.dumps(report(60.0)).replace(CLOCK, "$glbnet$clock"))
    routed |= {
        "fmax": {"$glbnet$clock": clock},
        "utilization": {"TRELLIS_COMB": {"used": 123, "available": 9}, "DP16KD": {"used": 7, "available": 9}},
    }
    tools.behaviour |= {
        "nextpnr-ecp5": {"report.json": routed, "stochastor.config": "config"},
        "ecppack": {"stochastor.bit": "the bits", "stochastor.svf": "the bits"},
    }
    tools.behaviour["yosys"]["cells.json"] = {"design": {"num_cells_by_type": {"TRELLIS_FF": 30, "LUT4": 99}}}
    tools.install(monkeypatch)
    monkeypatch.setattr(build_cycles, "_simulated", no_compiler)
    monkeypatch.setattr(building, "elaborate", lambda target, wanted: sources(memory=target.memory))
    monkeypatch.setattr(implementation, "to_verilog", lambda text: "")
    (tmp_path / "small.toml").write_text(CONFIG.to_toml())
    options = ["--board", "ulx3s_25f", "--config", tmp_path / "small.toml", "--data", "random", "--samples", 5]
    assert build(*options, *(() if memory else ("--no-memory",)), "--out", tmp_path / "out") == 0
    figures = json.loads((tmp_path / "out" / "build.json").read_text())
    assert ("memory_samples" in figures, "replay_samples_per_second" in figures) == (memory, memory)
    assert ("samples that the memory holds" in capsys.readouterr().out) == memory
    if memory:
        assert (figures["memory_words"], figures["memory_samples"]) == (1 << 24, (1 << 24) // 5)
        assert figures["training_set_words"] > 3 * 5
        assert figures["replay_samples_per_second"] == round(80 * 100_000 / 259, 1)
