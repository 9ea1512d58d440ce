"""A table of pins as files: for a program, and to be read beside a soldering iron."""

import csv
import io

from .boards import Family
from .pin_table import PinTable

TABLE, PAGE = "pins.csv", "pins.md"


def pin_files(table: PinTable, frequency_MHz: float) -> dict[str, bytes]:
    """``pins.csv`` and ``pins.md``, by name."""
    return {TABLE: to_csv(table).encode("ascii"), PAGE: to_markdown(table, frequency_MHz).encode("ascii")}


def to_csv(table: PinTable) -> str:
    """The wires, one a line."""
    rows = table.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_markdown(table: PinTable, frequency_MHz: float) -> str:
    """A page with the wires, and the times that an array has at a clock."""
    times = table.times_ns(frequency_MHz)
    unconfigured = "weak pull-ups hold them high" if table.board.family is Family.ICE40 else "nothing drives them"
    lines = [
        f"# Arrays of {'-'.join(map(str, table.config.sizes))} on {table.board.title}",
        "",
        "Signals are the pins of section 14 of the specification, active high; levels of 3.3 V. They change as `clock`",
        "falls: an array latches them as it rises. Before the chip is configured",
        f"{unconfigured}: pull-downs at the array keep it at rest.",
        "",
        f"| at {frequency_MHz:g} MHz | ns |",
        "|---|---|",
        f"| a read settles | {times['settle']:g} |",
        f"| comparators decide, `compare` and `reference` to `decision` | {times['compare']:g} |",
        f"| a pulse lasts | {times['pulse']:g} |",
        f"| and is followed by rest | {times['recovery']:g} |",
        "",
        "| signal | direction | header | site |",
        "|---|---|---|---|",
        *(f"| `{row['signal']}` | {row['direction']} | {row['header']} | {row['site']} |" for row in table.rows()),
    ]
    return "\n".join(lines) + "\n"
