"""The boards that bitstreams can be built for, and what their chips hold."""

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from ..model.errors import ConfigError, ToolError
from .sdram_chip import MBYTES_32, Chip


class Family(StrEnum):
    """Families of FPGAs, each with its tools, its block RAM and its PLL."""

    ICE40 = "ice40"
    ECP5 = "ecp5"
    SERIES7 = "series7"


@dataclass(frozen=True)
class Header:
    """A connector of a board whose pins arrays can have.

    Attributes
    ----------
    name, number : str, int
        As ``amaranth_boards`` has them.
    label : str
        What its pins are called, with {} for the name of a pin.
    last : tuple of str
        Pins that other chips of the board are wired to, too: they are given away when no others are left.
    """

    name: str
    number: int
    label: str
    last: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board by name.

    Attributes
    ----------
    name : str
    title : str
        As its makers write it, with its chip.
    family : Family
    platform : str
        Module and class within ``amaranth_boards``.
    luts : int
        Look-up tables of the chip, of four inputs (series 7: of six); on an iCE40 as many logic cells.
    block_rams : int
        Blocks of 4 kbit (iCE40) or 18 kbit (ECP5, series 7).
    frequency_MHz : float
        Clock where none is asked for.
    device : str
        The chip for ``synth_ice40``, whose delays it then takes. iCE40 only.
    pll_at_pad : bool
        Whether the clock comes in by the pad of the PLL, which then is the only way for it. iCE40 only.
    programmer : str
        The board's name for openFPGALoader.
    headers : tuple of Header
        In the order in which arrays are given their pins.
    memory : Chip, optional
        SDRAM that samples can be kept in.
    """

    name: str
    title: str
    family: Family
    platform: str
    luts: int
    block_rams: int
    frequency_MHz: float
    device: str = ""
    pll_at_pad: bool = False
    programmer: str
    headers: tuple[Header, ...]
    memory: Chip | None = None

    @property
    def vivado(self) -> bool:
        """Whether placing and routing is left to the vendor's tools."""
        return self.family is Family.SERIES7

    def load_platform(self) -> Any:
        """A new platform of Amaranth for one build.

        Raises
        ------
        ToolError
            If amaranth-boards is not installed.
        """
        module, name = self.platform.split(":")
        try:
            boards = import_module(f"amaranth_boards.{module}")
        except ModuleNotFoundError:
            raise ToolError("amaranth-boards is missing: pip install 'stochastor[fpga]'") from None
        return getattr(boards, name)()


def board(name: str) -> Board:
    """Return the board `name`.

    Raises
    ------
    ConfigError
        If there is no such board.
    """
    try:
        return BOARDS[name]
    except KeyError:
        raise ConfigError(f"there is no board {name!r}; the boards are {', '.join(BOARDS)}") from None


_ULX3S_ESP32 = ("11+", "11-", "12+", "12-", "13+", "13-")


def _ulx3s(size: str, luts: int, block_rams: int) -> Board:
    return Board(
        name=f"ulx3s_{size.lower()}",
        title=f"ULX3S, LFE5U-{size}",
        family=Family.ECP5,
        platform=f"ulx3s:ULX3S_{size}_Platform",
        luts=luts,
        block_rams=block_rams,
        frequency_MHz=50.0,
        programmer="ulx3s",
        headers=(Header("gpio", 0, "gpio {}", last=_ULX3S_ESP32),),
        memory=MBYTES_32,
    )


def _arty(size: str, luts: int, block_rams: int) -> Board:
    return Board(
        name=f"arty_a7_{size}",
        title=f"Arty A7, XC7A{size}T",
        family=Family.SERIES7,
        platform=f"arty_a7:ArtyA7_{size}Platform",
        luts=luts,
        block_rams=block_rams,
        frequency_MHz=50.0,
        programmer=f"arty_a7_{size}t",
        headers=(
            *(Header("pmod", index, f"J{name} {{}}") for index, name in enumerate("ABCD")),
            Header("ck_io", 0, "{}"),
        ),
    )


BOARDS = {
    board.name: board
    for board in (
        Board(
            name="icebreaker",
            title="iCEBreaker, iCE40UP5K",
            family=Family.ICE40,
            platform="icebreaker:ICEBreakerPlatform",
            luts=5_280,
            block_rams=30,
            frequency_MHz=12.0,
            device="u",
            pll_at_pad=True,
            programmer="ice40_generic",
            headers=tuple(Header("pmod", index, f"PMOD{name} {{}}") for index, name in enumerate(("1A", "1B", "2"))),
        ),
        Board(
            name="ice40_hx8k_b_evn",
            title="iCE40-HX8K breakout board",
            family=Family.ICE40,
            platform="ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
            luts=7_680,
            block_rams=32,
            frequency_MHz=24.0,
            device="hx",
            programmer="ice40_generic",
            headers=tuple(Header("j", number, f"J{number} {{}}") for number in (2, 3, 4, 1)),
        ),
        _ulx3s("12F", 24_288, 56),
        _ulx3s("25F", 24_288, 56),
        _ulx3s("45F", 43_848, 108),
        _ulx3s("85F", 83_640, 208),
        Board(
            name="ecpix5_85f",
            title="ECPIX-5, LFE5UM5G-85F",
            family=Family.ECP5,
            platform="ecpix5:ECPIX585Platform",
            luts=83_640,
            block_rams=208,
            frequency_MHz=50.0,
            programmer="ecpix5",
            headers=tuple(Header("pmod", index, f"PMOD{index} {{}}") for index in range(8)),
        ),
        _arty("35", 20_800, 100),
        _arty("100", 63_400, 270),
    )
}
