"""The core files of the buses, taken by FuseSoC itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stochastor.fpga.bus.design import generate_on_bus, top_of
from stochastor.fpga.bus.registers import Bus
from stochastor.model.config import Config
from stochastor.sim.tools import verilator, verilator_root

CONFIG = Config(sizes=(4, 3, 2), scale=4, tables=2)
USER = """CAPI=2:
name: "::user:0"
filesets:
  rtl:
    files: [user.v]
    file_type: verilogSource
    depend: ["{core}"]
targets:
  default:
    filesets: [rtl]
    toplevel: user
    flow: lint
    flow_options: {{tool: verilator}}
"""


def write_core(directory: Path, bus: Bus) -> None:
    directory.mkdir()
    for name, content in generate_on_bus(bus, CONFIG).files().items():
        (directory / name).write_bytes(content)


def fusesoc(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run FuseSoC in a directory, with the Verilator of these tests."""
    tools = root / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "verilator").symlink_to(verilator())
    path = os.pathsep.join((str(tools), os.environ["PATH"]))
    return subprocess.run(
        [Path(sys.executable).with_name("fusesoc"), "--cores-root", root, *arguments],
        cwd=root,
        env=os.environ | {"PATH": path, "VERILATOR_ROOT": str(verilator_root()), "XDG_CONFIG_HOME": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("bus", Bus)
def test_fusesoc_lints_the_core_of_a_bus(tmp_path: Path, bus: Bus) -> None:
    write_core(tmp_path / "core", bus)
    result = fusesoc(tmp_path, "run", "--target", "lint", top_of(bus))
    assert result.returncode == 0, result.stderr
    assert "verilator -f" in result.stdout + result.stderr
    assert "%Warning" not in result.stdout + result.stderr


def test_fusesoc_tells_of_verilog_that_is_broken(tmp_path: Path) -> None:
    write_core(tmp_path / "core", Bus.AXI)
    source = tmp_path / "core" / f"{top_of(Bus.AXI)}.v"
    source.write_text(source.read_text().replace("endmodule", "", 1))
    assert fusesoc(tmp_path, "run", "--target", "lint", top_of(Bus.AXI)).returncode != 0


def test_a_design_that_names_the_core_has_its_verilog(tmp_path: Path) -> None:
    write_core(tmp_path / "core", Bus.WISHBONE)
    top = top_of(Bus.WISHBONE)
    (tmp_path / "user.v").write_text(
        f"module user(input clk, input rst);\n  {top} machine(.clk(clk), .rst(rst));\nendmodule\n"
    )
    (tmp_path / "user.core").write_text(USER.format(core=top))
    result = fusesoc(tmp_path, "run", "--setup", "user")
    assert result.returncode == 0, result.stderr
    listed = [path.read_text() for path in tmp_path.glob("build/user_0/**/*.vc")]
    assert len(listed) == 1
    assert f"{top}.v" in listed[0]
