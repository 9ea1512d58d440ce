"""The resistance of an array's lines, as its description has it."""

from dataclasses import dataclass
from math import isfinite

from ...model.errors import ConfigError

LARGEST_TILE = 128


@dataclass(frozen=True, kw_only=True)
class Wires:
    """Resistances of an array's lines.

    Parameters
    ----------
    row_ohm, column_ohm : float
        Of a line from cell to cell, and from its end to the first cell.
    access_ohm : float
        Of the driver or the sense amplifier at a line's end.
    tile : int
        Rows and columns of the tiles that a larger array is made of, at most 128; each has drivers of its own.
    refresh : int
        Training samples after which effective conductances are computed anew.

    Raises
    ------
    ConfigError
        If a value is impossible.
    """

    row_ohm: float
    column_ohm: float
    access_ohm: float = 0.0
    tile: int = LARGEST_TILE
    refresh: int = 10_000

    def __post_init__(self) -> None:
        for name, least in (("row_ohm", "more than 0"), ("column_ohm", "more than 0"), ("access_ohm", "0 or more")):
            value = getattr(self, name)
            legal = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
            if not legal or value < 0 or (value == 0 and least != "0 or more"):
                raise ConfigError(f"{name} must be {least} ohm, not {value!r}")
        for name, most, what in (("tile", LARGEST_TILE, "128"), ("refresh", (1 << 31) - 1, "2^31 - 1")):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ConfigError(f"{name} must be a whole number from 1 to {what}, not {value!r}")
