"""The tables of registers in docs/buses.md; ``python -m stochastor.fpga.bus.markdown docs/buses.md`` renews them."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...model.config import preset
from .definition import WORD_BYTES, Field, Kind, Register
from .registers import RESULT_HEADER, SAMPLE_HEADER, register_map

BEGIN = "<!-- {} -->\n"
END = "<!-- end of {} -->\n"


def tables() -> dict[str, str]:
    """The tables by name: of the registers of any machine, of a layer's counters, and of the words of the streams."""
    registers = register_map(preset("tiny"), streams=True)
    (layers,) = registers.blocks
    return {
        "registers": _table(registers.registers),
        "counters of a layer": _table(layers.registers),
        "header of a sample": _fields(SAMPLE_HEADER.fields),
        "header of a result": _fields(RESULT_HEADER.fields),
    }


def renewed(page: str) -> str:
    """A page with its tables as they are now."""
    for name, table in tables().items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = page.split(begin)
        page = before + begin + table + end + rest.split(end)[1]
    return page


def _table(registers: Sequence[Register]) -> str:
    header = "| offset | register | bits | field | access | reset | |\n|---|---|---|---|---|---|---|\n"
    return header + "".join(_rows(registers))


def _rows(registers: Sequence[Register]) -> Iterator[str]:
    """A row for each field; pairs of counter words in one."""
    for register in registers:
        if register.name.endswith("_high"):
            continue
        name = register.name.removesuffix("_low")
        if name != register.name:
            offsets = f"{register.offset:#05x}, {register.offset + WORD_BYTES:#05x}"
            yield f"| {offsets} | `{name}_low`, `{name}_high` | | | ro | | |\n"
            continue
        yield f"| {register.offset:#05x} | `{register.name}` | | | | | {register.description} |\n"
        for field in register.fields:
            reset = f"{field.reset:#x}" if field.kind in (Kind.HELD, Kind.PULSE, Kind.STICKY) else ""
            yield f"| | | {_bits(field)} | `{field.name}` | {field.kind} | {reset} | {field.description} |\n"


def _fields(fields: Iterable[Field]) -> str:
    rows = (f"| {_bits(field)} | `{field.name}` | {field.description} |\n" for field in fields)
    return "| bits | field | |\n|---|---|---|\n" + "".join(rows)


def _bits(field: Field) -> str:
    high = field.low + field.width - 1
    return f"{field.low}" if high == field.low else f"{high}:{field.low}"


if __name__ == "__main__":
    (page,) = map(Path, sys.argv[1:])
    page.write_text(renewed(page.read_text()))
