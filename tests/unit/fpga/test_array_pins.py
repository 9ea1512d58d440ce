"""Arrays on the headers of a board: which signal is where, what is refused, and what stands behind a pin."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from stochastor.cli.main import run
from stochastor.fpga.array_lines import pins_brought_out
from stochastor.fpga.boards import BOARDS
from stochastor.fpga.fit import check_fit
from stochastor.fpga.implementation import elaborate
from stochastor.fpga.pin_files import to_csv, to_markdown
from stochastor.fpga.pin_table import PinTable, header_pins, pins_needed
from stochastor.fpga.target import Target
from stochastor.model.config import Config
from stochastor.model.errors import ConfigError

CONFIG = Config(
    sizes=(9, 5, 10), scale=4, weight_bits=4, tables=1, reference_bits=7, array_side="pins", compare_cycles=6
)
NARROW = Config(
    sizes=(7, 4), scale=2, weight_bits=4, gate="xor", reference_bits=5, tables=1, array_side="pins", compare_cycles=4
)


def target(board, config=CONFIG):
    return Target(board=BOARDS[board], config=config, memory=False)


def texts(board, config=CONFIG):
    files = elaborate(target(board, config), 12.0).files
    return {name: text if isinstance(text, str) else text.decode() for name, text in files.items()}


def located(files):
    """Sites of ports, by the names of their bits, as the constraints have them."""
    for kind, pattern in (
        ("lpf", r'LOCATE COMP "(\S+)" SITE "(\S+)"'),
        ("pcf", r"set_io (\S+) (\S+)"),
        ("xdc", r'LOC (\S+) \[get_ports "(\S+)"\]'),
    ):
        if text := files.get(f"stochastor.{kind}"):
            pairs = re.findall(pattern, text)
            return {b.replace("\\", ""): a for a, b in pairs} if kind == "xdc" else dict(pairs)
    raise AssertionError("no constraints")


def port(signal):
    """The port of a signal of the table."""
    layer, pin, bit = re.fullmatch(r"(?:array(\d+)\.)?(\w+)(\[\d+\])?", signal).groups()
    return f"array_{layer}__{pin}__io{bit or ''}" if layer else f"array_{pin}_0__io"


@pytest.mark.parametrize(
    ("board", "config"),
    [
        ("icebreaker", NARROW),
        ("ice40_hx8k_b_evn", CONFIG),
        ("ulx3s_85f", CONFIG),
        ("ecpix5_85f", CONFIG),
        ("arty_a7_35", CONFIG),
    ],
)
def test_every_signal_is_on_the_ball_that_the_table_says(board, config):
    table = PinTable.of(BOARDS[board], config)
    sites = located(texts(board, config))
    arrays = {name: site for name, site in sites.items() if name.startswith("array_")}
    assert arrays == {port(row["signal"]): row["site"] for row in table.rows()}
    assert len(set(sites.values())) == len(sites)


def test_headers_leave_out_what_the_machine_has_itself():
    sites = {pin.site for pin in header_pins(BOARDS["ice40_hx8k_b_evn"])}
    assert not sites & {"J3", "B10", "B12", "C3", "B5"}  # clock, serial line, LEDs
    assert len(sites) == 96


def test_pins_that_other_chips_share_are_given_away_last():
    labels = [pin.label for pin in header_pins(BOARDS["ulx3s_85f"])]
    assert set(labels[-6:]) == {f"gpio {pin}{side}" for pin in (11, 12, 13) for side in "+-"}


def test_what_never_moves_has_no_pin():
    first, second = (pins_brought_out(CONFIG, layer) for layer in (1, 2))
    assert "transposed" not in first
    assert "transposed" in second
    assert not {"address"} & {*first, *second}
    assert "group" not in pins_brought_out(Config(sizes=(4, 2), tables=2, array_side="pins"), 1)
    assert pins_needed(CONFIG) == 1 + sum(first.values()) + sum(second.values()) == 56


def test_too_many_pins_are_refused_before_synthesis_with_what_would_be_enough():
    wide = replace(CONFIG, reference_bits=9)
    with pytest.raises(ConfigError) as refusal:
        check_fit(target("ulx3s_85f", wide))
    assert str(refusal.value) == (
        "the arrays of 9-5-10 need 60 pins (array1 29, array2 30, clock 1), and the headers of ULX3S, LFE5U-85F have "
        "56; enough would be: reference_bits = 7, or --board ecpix5_85f"
    )
    check_fit(target("ulx3s_85f", replace(wide, reference_bits=7)))
    PinTable.of(BOARDS["ecpix5_85f"], wide)
    with pytest.raises(ConfigError, match=r"need \d+ pins .* have 74; no board here has as many"):
        PinTable.of(BOARDS["arty_a7_35"], Config(sizes=(784, 256, 10), array_side="pins", compare_cycles=6))


def test_too_few_cycles_for_comparators_are_refused():
    with pytest.raises(ConfigError, match=r"compare_cycles = 3 .* no time: 3 go to the registers .* take 4 or more"):
        check_fit(target("ulx3s_85f", replace(CONFIG, compare_cycles=3)))


@pytest.mark.parametrize(
    ("board", "registers", "clock"),
    [
        ("ulx3s_85f", r"cell \\OFS1P3DX (?!\\o_oe)", r"cell \\ODDRX1F"),
        ("ice40_hx8k_b_evn", r"parameter \\PIN_TYPE 6'110101", r"parameter \\PIN_TYPE 6'110001"),
    ],
)
def test_outputs_come_from_registers_in_their_cells_and_the_clock_from_both_edges(board, registers, clock):
    netlist = texts(board)["stochastor.il"]
    outputs = [row for row in PinTable.of(BOARDS[board], CONFIG).rows() if row["direction"] == "out"]
    assert len(re.findall(clock, netlist)) == 1
    assert len(re.findall(registers, netlist)) >= len(outputs) - 1


def test_an_open_comparator_is_pulled_down_where_the_chip_can():
    constraints = texts("ulx3s_85f")["stochastor.lpf"]
    assert re.search(r'IOBUF PORT "array_1__decision__io" .*PULLMODE=DOWN', constraints)


def test_the_table_says_the_same_in_both_files():
    table = PinTable.of(BOARDS["ulx3s_85f"], CONFIG)
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert rows == table.rows()
    assert [row["signal"] for row in rows if row["direction"] == "in"] == ["array1.decision", "array2.decision"]
    page = to_markdown(table, 25.0)
    assert all(f"| `{row['signal']}` | {row['direction']} | {row['header']} | {row['site']} |" in page for row in rows)
    assert "| comparators decide, `compare` and `reference` to `decision` | 120 |" in page  # 3 of 6 cycles of 40 ns


def test_verilog_for_vivado_comes_with_its_table(tmp_path, monkeypatch):
    monkeypatch.setattr("stochastor.fpga.building.check_verilog", lambda *_: None)
    (tmp_path / "array.toml").write_text(replace(CONFIG, array_side="memory").to_toml())
    options = "--board", "arty_a7_35", "--array", "pins", "--config", tmp_path / "array.toml", "--verilog-only"
    with pytest.raises(SystemExit) as leaving:
        run(["build", *map(str, options), "--out", str(tmp_path / "out")])
    assert not leaving.value.code
    assert {"pins.csv", "pins.md", "stochastor.v", "stochastor.xdc", "stochastor.tcl"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    assert Config.from_toml(tmp_path / "out" / "stochastor.toml") == CONFIG


def test_the_figures_name_every_pin(tmp_path):
    sources = elaborate(target("ulx3s_85f"), 25.0)
    figures = json.loads(json.dumps(sources.pin_figures()))
    assert figures["pins"][0] == {"signal": "clock", "direction": "out", "header": "gpio 0+", "site": "B11"}
    assert len(figures["pins"]) == 56
    assert figures["pin_times_ns"] == {"settle": 160.0, "compare": 120.0, "pulse": 160.0, "recovery": 80.0}
