"""What a top is wired to on each board: pins by their names, and a clock of the frequency that was chosen."""

import re

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from stochastor.fpga.boards import BOARDS, Family
from stochastor.fpga.implementation import Clocking
from stochastor.fpga.pins import BoardPins

ECHO_LEDS = 8


class Echo(wiring.Component):
    """A top that gives back what comes, a cycle later."""

    rx: In(1)
    tx: Out(1)
    leds: Out(ECHO_LEDS)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.tx.eq(self.rx), self.leds.eq(self.leds + 1)]
        return m


def files(name, frequency_MHz):
    board = BOARDS[name]
    platform = board.load_platform()
    clocking = Clocking.choose(board, platform, frequency_MHz)
    plan = platform.prepare(BoardPins(board, Echo(), clocking.setting), "top", emit_src=False)
    texts = {file: text if isinstance(text, str) else text.decode() for file, text in plan.files.items()}
    return clocking, platform.default_clk_frequency / 1e6, texts


def parameters(netlist):
    """Whole numbers that cells have as parameters, by name."""
    found = re.findall(r"parameter \\(\w+) (?:(\d+)'([01]+)|(\d+))$", netlist, flags=re.MULTILINE)
    return {name: int(bits, 2) if bits else int(number) for name, _, bits, number in found}


FORMULAS = {
    Family.ICE40: lambda p: (p["DIVF"] + 1) / (p["DIVR"] + 1) / 2 ** p["DIVQ"],
    Family.ECP5: lambda p: p["CLKFB_DIV"] * p["CLKOP_DIV"] / p["CLKI_DIV"] / p["CLKOS_DIV"],
    Family.SERIES7: lambda p: p["CLKFBOUT_MULT"] / p["DIVCLK_DIVIDE"] / p["CLKOUT0_DIVIDE"],
}


@pytest.mark.parametrize(
    ("name", "frequency_MHz"),
    [("icebreaker", 19.5), ("ice40_hx8k_b_evn", 24.0), ("ulx3s_85f", 80.0), ("ecpix5_85f", 66.7), ("arty_a7_35", 50.0)],
)
def test_the_pll_is_set_to_the_frequency_by_the_formula_of_its_data_sheet(name, frequency_MHz):
    clocking, own_MHz, texts = files(name, frequency_MHz)
    netlist = texts.get("top.il") or texts["top.v"]
    if "top.il" not in texts:
        netlist = re.sub(r"\.(\w+)\((?:\d+'[hd])?(\d+)\)", r"parameter \\\1 \2\n", netlist)
    made = own_MHz * FORMULAS[BOARDS[name].family](parameters(netlist))
    assert made == pytest.approx(clocking.frequency_MHz, rel=1e-9)
    assert frequency_MHz * 0.97 < made <= frequency_MHz * (1 + 1e-9)


def test_the_own_clock_of_a_board_needs_no_pll():
    clocking, _, texts = files("icebreaker", 12.0)
    assert (clocking.setting, clocking.frequency_MHz) == (None, 12.0)
    assert "PLL" not in texts["top.il"]


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_pins_for_the_serial_line_and_for_two_leds_at_least(name):
    _, _, texts = files(name, 25.0)
    constraints = "".join(texts.get(f"top.{kind}", "") for kind in ("pcf", "lpf", "xdc"))
    for pin in ("uart_0__rx", "uart_0__tx"):
        assert pin in constraints
    assert len(set(re.findall(r"led_\d(?:__[rgb])?__io", constraints))) >= 2


@pytest.mark.parametrize(
    ("name", "colours"),
    [
        ("icebreaker", lambda platform: [platform.lookup(f"led_{colour}", 0) for colour in "rg"]),
        ("ecpix5_85f", lambda platform: platform.lookup("rgb_led", 0).ios[:2]),
    ],
)
def test_the_first_led_is_red_and_the_second_green(name, colours):
    _, _, texts = files(name, 25.0)
    wired = re.findall(r"connect \\o\$1 \\leds \[(\d)\]\n +connect \\(\w+)", texts["top.il"])
    constraints = texts.get("top.pcf") or texts["top.lpf"]
    sites = dict(re.findall(r'(?:set_io|LOCATE COMP) "?(\w+)"?(?: SITE)? "?(\w+)', constraints))
    named = [site for resource in colours(BOARDS[name].load_platform()) for site in resource.ios[0].names]
    assert [sites[port] for _, port in sorted(wired)][:2] == named
