"""What ``stochastor build --verilog-only`` leaves for Vivado, which is not here to be asked."""

import re
from contextlib import redirect_stdout
from io import StringIO

import pytest
from stochastor.cli.main import run
from stochastor.fpga.implementation import Sources
from stochastor.model.config import Config

PARTS = {"arty_a7_35": "xc7a35ticsg324-1L", "arty_a7_100": "xc7a100ticsg324-1L"}
BOARD_MHZ, MACHINE_MHZ = 100.0, 40.0
# As Digilent's master constraints have them: CLK100MHZ, ck_rst, uart_txd_in, uart_rxd_out, led[0] to led[3].
SITES = {
    "clk100_0__io": "E3",
    "rst_0__io": "C2",
    "uart_0__rx__io": "A9",
    "uart_0__tx__io": "D10",
    **{f"led_{index}__io": site for index, site in enumerate(("H5", "J5", "T9", "T10"))},
}


def build(board, directory, out):
    """Exit code of ``stochastor build``."""
    (directory / "small.toml").write_text(Config(sizes=(4, 3, 2)).to_toml())
    options = "--config", directory / "small.toml", "--verilog-only", "--frequency-mhz", MACHINE_MHZ, "--out", out
    with pytest.raises(SystemExit) as leaving:
        run(["build", "--board", board, *map(str, options)])
    return leaving.value.code or 0


@pytest.fixture(scope="module", params=PARTS)
def built(request, tmp_path_factory):
    """Board, directory, and what was said."""
    directory = tmp_path_factory.mktemp(request.param)
    said = StringIO()
    with redirect_stdout(said):
        assert build(request.param, directory, directory / "out") == 0
    return request.param, directory / "out", said.getvalue()


def test_the_script_is_of_the_boards_chip_and_reads_what_was_written(built):
    board, out, _ = built
    script = (out / "stochastor.tcl").read_text()
    assert re.findall(r"create_project .*-part (\S+)", script) == [PARTS[board]]
    assert re.findall(r"synth_design -top (\S+)", script) == ["stochastor"]
    read = re.findall(r"^(?:add_files|read_xdc|read_verilog) (\S+)", script, flags=re.MULTILINE)
    assert sorted(read) == ["stochastor.v", "stochastor.xdc"]
    assert all((out / name).is_file() for name in read)
    assert "module stochastor(" in (out / "stochastor.v").read_text()
    assert re.findall(r"^write_bitstream .* (\S+)", script, flags=re.MULTILINE) == ["stochastor.bit"]


def test_every_port_is_on_the_pin_that_the_boards_maker_names(built):
    _, out, _ = built
    sites = re.findall(r'LOC (\S+) \[get_ports "(\S+)"\]', (out / "stochastor.xdc").read_text())
    ports = re.search(r"module stochastor\((.*?)\);", (out / "stochastor.v").read_text(), flags=re.DOTALL)[1]
    assert len(sites) == len(SITES)
    assert {port: site for site, port in sites} == SITES
    assert set(re.findall(r"\w+", ports)) == set(SITES)


def test_the_clocks_of_board_and_machine_have_their_periods(built):
    _, out, _ = built
    constraints, verilog = ((out / f"stochastor.{kind}").read_text() for kind in ("xdc", "v"))
    clocks = re.findall(r'create_clock -name \S+ -period (\S+) \[get_nets "(\S+)"\]', constraints)
    assert {net: float(period) for period, net in clocks} == {
        "clk100_0__io": 1e3 / BOARD_MHZ,
        "clock/clock": 1e3 / MACHINE_MHZ,
    }
    module = re.search(r"\\stochastor\.(\S+) +clock \(", verilog)[1]
    inside = re.search(rf"module \\stochastor\.{module} .*?endmodule", verilog, flags=re.DOTALL)[0]
    assert re.search(r"^ +wire clock;", inside, flags=re.MULTILINE)


def test_it_says_that_it_was_checked_by_yosys_and_not_tried_on_hardware(built):
    _, out, said = built
    line = f"checked by Yosys, not tried on hardware; build with: cd {out} && vivado -mode batch -source stochastor.tcl"
    assert line in said


def test_verilog_that_yosys_finds_fault_with_is_not_written(tmp_path, monkeypatch, capsys):
    verilog = Sources.verilog

    def driven_twice(sources):
        top, rest = verilog(sources).split("endmodule", 1)
        return f"{top}assign led_0__io = 1'b0;\nendmodule{rest}"

    monkeypatch.setattr(Sources, "verilog", driven_twice)
    assert build("arty_a7_35", tmp_path, tmp_path / "out") == 3
    error = capsys.readouterr().err
    assert re.search("yosys failed with exit code 1: .*Found 1 problems in 'check -assert'", error)
    assert not (tmp_path / "out").exists()
