"""Which pin of an array is on which pin of a board."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from ..model.config import LINES_PER_CYCLE, ArraySide, Config
from ..model.errors import ConfigError
from .array_lines import DECISION_CYCLES, check_times, pins_brought_out
from .boards import BOARDS, Board

CLOCK = "clock"
INPUT = "decision"
# What the machine itself has on a board; a header pin that one of these is wired to is taken.
TAKEN = ("uart", "led", "rgb_led")


@dataclass(frozen=True)
class HeaderPin:
    """A pin of a header.

    Attributes
    ----------
    label : str
        What it is called on the board.
    site : str
        The ball or pin of the chip that it is wired to.
    """

    label: str
    site: str


@dataclass(frozen=True)
class Wire:
    """A bit of a pin of an array, and the pin of a board that it is on.

    Attributes
    ----------
    layer : int
        1 to L; 0 for the clock of the arrays.
    pin : str
        By its name in section 14 of the specification.
    bit : int or None
        None if the pin is one bit wide.
    at : HeaderPin
    """

    layer: int
    pin: str
    bit: int | None
    at: HeaderPin

    @property
    def signal(self) -> str:
        """The name of the bit."""
        name = f"array{self.layer}.{self.pin}" if self.layer else self.pin
        return name if self.bit is None else f"{name}[{self.bit}]"

    def to_dict(self) -> dict[str, str]:
        """What tables say of it."""
        return {
            "signal": self.signal,
            "direction": "in" if self.pin == INPUT else "out",
            "header": self.at.label,
            "site": self.at.site,
        }


@dataclass(frozen=True)
class PinTable:
    """The pins of all arrays of a machine on a board.

    Attributes
    ----------
    board : Board
    config : Config
    wires : tuple of Wire
        That of the clock first.
    free : int
        Header pins that there are, taken or not.
    """

    board: Board
    config: Config
    wires: tuple[Wire, ...]
    free: int

    @classmethod
    def of(cls, board: Board, config: Config) -> Self:
        """Give the arrays of `config` pins of `board`, in the order of layers and of section 14 of the specification.

        Raises
        ------
        ConfigError
            If the board has not as many, or comparators would have no time.
        ToolError
            If amaranth-boards is missing.
        """
        check_times(config)
        there = header_pins(board)
        bits = list(_bits(config))
        if len(bits) > len(there):
            raise _too_few(board, config, len(there))
        wires = (Wire(*bit, at) for bit, at in zip(bits, there, strict=False))
        return cls(board=board, config=config, wires=tuple(wires), free=len(there))

    def sites(self, layer: int, pin: str) -> list[str]:
        """Balls or pins of the chip that a pin of an array is on, bit 0 first."""
        return [wire.at.site for wire in self.wires if (wire.layer, wire.pin) == (layer, pin)]

    def rows(self) -> list[dict[str, str]]:
        """Name, direction, header pin and site of each wire."""
        return [wire.to_dict() for wire in self.wires]

    def times_ns(self, frequency_MHz: float) -> dict[str, float]:
        """What the cycles of the configuration leave to an array, at a clock."""
        config = self.config
        cycles = {
            "settle": config.settle_cycles,
            "compare": config.compare_cycles - DECISION_CYCLES,
            "pulse": config.pulse_cycles,
            "recovery": config.recovery_cycles,
        }
        return {name: round(1e3 * count / frequency_MHz, 1) for name, count in cycles.items()}


def pins_needed(config: Config) -> int:
    """Header pins that the arrays of a machine take, and their clock."""
    return sum(1 for _ in _bits(config))


def header_pins(board: Board) -> list[HeaderPin]:
    """The header pins of a board that a machine with its serial line and its LEDs leaves free.

    Raises
    ------
    ToolError
        If amaranth-boards is missing.
    """
    platform = board.load_platform()
    names = {*TAKEN, platform.default_clk, platform.default_rst}
    taken = {site for (name, _), resource in platform.resources.items() if name in names for site in _sites(resource)}
    first: list[HeaderPin] = []
    last: list[HeaderPin] = []
    for header in board.headers:
        for name, site in platform.connectors[header.name, header.number].mapping.items():
            if site not in taken:
                (last if name in header.last else first).append(HeaderPin(header.label.format(name), site))
    return first + last


def boards_with_pins(config: Config) -> Iterator[Board]:
    """Boards that have pins enough for the arrays of a machine, those with the fewest first."""
    boards = sorted((len(header_pins(board)), board.name) for board in BOARDS.values())
    yield from (BOARDS[name] for count, name in boards if count >= pins_needed(config))


def _bits(config: Config) -> Iterator[tuple[int, str, int | None]]:
    """Layer, pin and bit of all that is brought out."""
    yield 0, CLOCK, None
    for layer in range(1, config.layers + 1):
        for name, width in pins_brought_out(config, layer).items():
            yield from ((layer, name, bit if width > 1 else None) for bit in range(width))


def _sites(part: Any) -> Iterator[str]:
    """What a resource, or a part of it, is wired to."""
    for inner in part.ios:
        if hasattr(inner, "ios"):
            yield from _sites(inner)
        else:
            yield from inner.map_names({}, part)


def _too_few(board: Board, config: Config, free: int) -> ConfigError:
    sizes = "-".join(map(str, config.sizes))
    layers = range(1, config.layers + 1)
    parts = [f"array{layer} {sum(pins_brought_out(config, layer).values())}" for layer in layers]
    would = list(_remedies(board, config, free))
    remedy = f"; enough would be: {', or '.join(would)}" if would else "; no board here has as many"
    return ConfigError(
        f"the arrays of {sizes} need {pins_needed(config)} pins ({', '.join(parts)}, clock 1), and the headers of "
        f"{board.title} have {free}{remedy}"
    )


def _remedies(board: Board, config: Config, free: int) -> Iterator[str]:
    for tables in sorted({config.tables, *LINES_PER_CYCLE}, reverse=True):
        if tables > config.tables:
            continue
        for bits in range(config.reference_bits, 1, -1):
            lower = _possible(config, tables, bits)
            if lower is not None and pins_needed(lower) <= free:
                changes = [f"tables = {tables}"] * (tables != config.tables)
                yield " with ".join([*changes, *[f"reference_bits = {bits}"] * (bits != config.reference_bits)])
                break
        else:
            continue
        break
    kin = [other for other in boards_with_pins(config) if other.vivado == board.vivado]
    if kin:
        yield f"--board {kin[0].name}"


def _possible(config: Config, tables: int, reference_bits: int) -> Config | None:
    """A machine of narrower pins, if its codes fit."""
    try:
        return replace(config, tables=tables, reference_bits=reference_bits, array_side=ArraySide.PINS)
    except ConfigError:
        return None
