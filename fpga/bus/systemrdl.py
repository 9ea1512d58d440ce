"""The registers as SystemRDL 2.0, and what PeakRDL makes of that."""

import tempfile
from pathlib import Path
from typing import Any

from ...model.errors import ToolError
from .definition import WORD_BITS, Field, Kind, Register, RegisterMap

RDL = "registers.rdl"
HEADER = "stochastor.h"
PROPERTIES = {
    Kind.CONSTANT: "sw = r; hw = na;",
    Kind.STATUS: "sw = r; hw = w;",
    Kind.HELD: "sw = rw; hw = r;",
    Kind.PULSE: "sw = w; hw = r; singlepulse;",
    Kind.STICKY: "sw = rw; hw = r; onwrite = woclr; hwset;",
    Kind.TAKEN: "sw = r; hw = rw;",
    Kind.GIVEN: "sw = w; hw = rw;",
    Kind.PORT: "sw = rw; hw = rw;",
}
INDENT = "    "
INSTALL = "pip install 'stochastor[bus]'"


def to_systemrdl(registers: RegisterMap) -> str:
    """SystemRDL of all registers, in ASCII; the address map is called as `registers` are."""
    lines = [
        f"addrmap {registers.name} {{",
        f'{INDENT}name = "{registers.name}";',
        f'{INDENT}desc = "{registers.description}";',
        f"{INDENT}default regwidth = {WORD_BITS};",
        f"{INDENT}default accesswidth = {WORD_BITS};",
    ]
    for register in registers.registers:
        lines += _indented(_register(register))
    for block in registers.blocks:
        lines += _indented(["regfile {", f'{INDENT}desc = "{block.description}";'])
        for register in block.registers:
            lines += _indented(_register(register), 2)
        place = f"{block.name}[{block.count}] @ {block.offset:#x} += {block.stride:#x}"
        lines.append(f"{INDENT}}} {place};")
    return "\n".join([*lines, "};", ""])


def compile_systemrdl(path: Path) -> Any:
    """The root of what systemrdl-compiler makes of a file.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    try:
        from systemrdl.compiler import RDLCompiler
    except ModuleNotFoundError:
        raise ToolError(f"systemrdl-compiler is missing: {INSTALL}") from None
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    return compiler.elaborate()


def to_c_header(text: str) -> str:
    """The C header that PeakRDL makes of SystemRDL.

    Raises
    ------
    ToolError
        If PeakRDL is not installed.
    """
    try:
        from peakrdl_cheader.exporter import CHeaderExporter
    except ModuleNotFoundError:
        raise ToolError(f"peakrdl-cheader is missing: {INSTALL}") from None
    with tempfile.TemporaryDirectory(prefix="stochastor-") as scratch:
        source, header = Path(scratch) / RDL, Path(scratch) / HEADER
        source.write_text(text)
        CHeaderExporter().export(compile_systemrdl(source), str(header))
        return header.read_text()


def write_html(path: Path, directory: Path) -> None:
    """Write the pages that PeakRDL makes of a SystemRDL file into `directory`.

    Raises
    ------
    ToolError
        If PeakRDL is not installed.
    """
    try:
        from peakrdl_html import HTMLExporter
    except ModuleNotFoundError:
        raise ToolError(f"peakrdl-html is missing: {INSTALL}") from None
    HTMLExporter().export(compile_systemrdl(path), str(directory))


def _register(register: Register) -> list[str]:
    external = "external " if register.external else ""
    return [
        f"{external}reg {{",
        f'{INDENT}desc = "{register.description}";',
        *(line for field in register.fields for line in _indented(_field(field))),
        f"}} {register.name} @ {register.offset:#x};",
    ]


def _field(field: Field) -> list[str]:
    reset = "" if field.kind.external or field.kind is Kind.STATUS else f" = {field.width}'h{field.reset:x}"
    high = field.low + field.width - 1
    return [
        f'field {{ desc = "{field.description}"; {PROPERTIES[field.kind]} }} {field.name}[{high}:{field.low}]{reset};'
    ]


def _indented(lines: list[str], times: int = 1) -> list[str]:
    return [f"{INDENT * times}{line}" for line in lines]
