"""The Verilog of the buses with masters of others, in Icarus: the benches are in `bus_bench.py`."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
from bus_bench import CONFIG
from cocotb_tools.runner import get_runner
from stochastor.fpga.bus.design import BusDesign, generate_on_bus, top_of
from stochastor.fpga.bus.registers import Bus
from stochastor.sim.cocotb_runner import BUILD_OPTIONS, TIMESCALE
from stochastor.sim.tools import verilator, verilator_root


@cache
def design_on(bus: Bus) -> BusDesign:
    return generate_on_bus(bus, CONFIG)


def verilog_on(bus: Bus) -> str:
    return design_on(bus).verilog


@pytest.mark.parametrize("bus", Bus)
def test_verilator_lints_the_buses_without_a_warning(tmp_path: Path, bus: Bus) -> None:
    top = top_of(bus)
    for name, content in design_on(bus).files().items():
        (tmp_path / name).write_bytes(content)
    result = subprocess.run(
        [verilator(), "--lint-only", "-Wall", "--top-module", top, f"{top}.vlt", "-f", f"{top}.f"],
        cwd=tmp_path,
        env=os.environ | {"VERILATOR_ROOT": str(verilator_root())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "%Warning" not in result.stderr + result.stdout
    assert result.returncode == 0


def simulate(bus: Bus, verilog: str, directory: Path, stalls: float) -> None:
    """Run the bench of a bus; exits where it fails."""
    source = directory / "machine.v"
    source.write_text(verilog)
    runner = get_runner("icarus")
    runner.build(
        sources=[source],
        hdl_toplevel=top_of(bus),
        build_dir=directory,
        build_args=BUILD_OPTIONS["icarus"],
        timescale=TIMESCALE,
    )
    runner.test(
        test_module="bus_bench",
        hdl_toplevel=top_of(bus),
        hdl_toplevel_lang="verilog",
        build_dir=directory,
        test_dir=directory,
        testcase=bus.value,
        results_xml=str(directory / "results.xml"),
        log_file=directory / "simulation.log",
        extra_env={
            "STOCHASTOR_STALLS": str(stalls),
            "PYTHONPATH": str(Path(__file__).parent),
            "COCOTB_LOG_LEVEL": "WARNING",
        },
    )


@pytest.mark.parametrize("stalls", [0, 0.3])
@pytest.mark.parametrize("bus", Bus)
def test_masters_of_others_train_the_machine_bit_for_bit(tmp_path: Path, bus: Bus, stalls: float) -> None:
    simulate(bus, verilog_on(bus), tmp_path, stalls)


MUTATIONS = {
    "another register than was asked for": (Bus.WISHBONE, "= wb__adr;", "= wb__adr ^ 1;"),
    "a beat dropped where there is no room": (
        Bus.AXI,
        "s_axis_samples_tready = s_axis_samples__tready",
        "s_axis_samples_tready = 1'h1",
    ),
    "a result that does not wait": (Bus.AXI, ".results__ready(m_axis_results_tready)", ".results__ready(1'h1)"),
}


@pytest.mark.parametrize(("bus", "code", "other"), MUTATIONS.values(), ids=MUTATIONS)
def test_one_wrong_line_of_the_verilog_is_noticed(tmp_path: Path, bus: Bus, code: str, other: str) -> None:
    verilog = verilog_on(bus)
    assert verilog.count(code) == 1
    with pytest.raises(SystemExit):
        simulate(bus, verilog.replace(code, other), tmp_path, 0.3)
