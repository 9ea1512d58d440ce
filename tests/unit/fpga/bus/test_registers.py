"""One definition: what is made of it agrees, and what cannot be is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from stochastor.fpga.bus import systemrdl
from stochastor.fpga.bus.definition import Field, Kind, Register, RegisterMap
from stochastor.fpga.bus.markdown import renewed
from stochastor.fpga.bus.registers import Bus, register_map
from stochastor.fpga.bus.systemrdl import RDL, compile_systemrdl, to_c_header, to_systemrdl, write_html
from stochastor.fpga.protocol import COUNTERS, LAYER_COUNTERS
from stochastor.model.config import Config, preset
from stochastor.model.errors import ToolError
from systemrdl.node import FieldNode, RegNode
from systemrdl.rdltypes import OnWriteType

CONFIG = Config(sizes=(9, 5, 4, 3))
PAGE = Path(__file__).parents[4] / "docs" / "buses.md"


def field(**changes):
    return Field(**{"name": "f", "description": "", "kind": Kind.HELD} | changes)


def register(**changes):
    return Register(**{"name": "r", "description": "", "offset": 0, "fields": (field(),)} | changes)


def described(node: FieldNode) -> tuple[int, int, int | None, Kind | str]:
    """Lowest bit, width, reset and kind of a field, from its SystemRDL."""
    access = node.get_property("sw").name
    kind: Kind | str = access
    if node.parent.external:
        kind = {"r": Kind.TAKEN, "w": Kind.GIVEN, "rw": Kind.PORT}[access]
    elif node.get_property("singlepulse"):
        kind = Kind.PULSE
    elif node.get_property("onwrite") is OnWriteType.woclr and node.get_property("hwset"):
        kind = Kind.STICKY
    elif access == "r":
        kind = Kind.STATUS if node.is_hw_writable else Kind.CONSTANT
    elif access == "rw":
        kind = Kind.HELD
    return node.low, node.width, node.get_property("reset"), kind


@pytest.mark.parametrize("streams", [False, True])
def test_the_systemrdl_says_what_the_definition_says(tmp_path, streams):
    registers = register_map(CONFIG, streams=streams)
    (tmp_path / RDL).write_text(to_systemrdl(registers))
    top = compile_systemrdl(tmp_path / RDL).top
    found = {
        node.get_path().removeprefix("stochastor."): (
            node.absolute_address,
            {child.inst_name: described(child) for child in node.fields()},
        )
        for node in top.descendants(unroll=True)
        if isinstance(node, RegNode)
    }
    wanted = {
        name: (
            offset,
            {
                each.name: (
                    each.low,
                    each.width,
                    None if each.kind.external or each.kind is Kind.STATUS else each.reset,
                    each.kind,
                )
                for each in definition.fields
            },
        )
        for name, offset, definition in registers.words()
    }
    assert found == wanted


def test_the_header_has_the_offsets_and_masks_of_the_definition():
    registers = register_map(CONFIG, streams=True)
    header = to_c_header(to_systemrdl(registers))
    for definition in registers.registers:
        for each in definition.fields:
            macro = f"STOCHASTOR__{definition.name.upper()}__{each.name.upper()}_bm {each.mask:#x}\n"
            assert f"#define {macro}" in header
    checks = "\n".join(
        f'_Static_assert(__builtin_offsetof(stochastor_t, {name}) == {offset}, "{name}");'
        for name, offset, _ in registers.words()
    )
    assert compiled(header, checks) == ""
    assert "error" in compiled(header, checks.replace("== 64", "== 68"))


def test_the_c_of_the_page_compiles_with_the_header():
    (code,) = re.findall(r"```c\n(.*?)```", PAGE.read_text(), re.DOTALL)
    header = to_c_header(to_systemrdl(register_map(preset("tiny"), streams=False)))
    assert compiled(header, code.replace('#include "stochastor.h"', "") + "int main(void) { train(0, 0); }") == ""


def compiled(header: str, code: str) -> str:
    """What a C compiler says of `code` after the header."""
    command = ["g++", "-x", "c", "-std=c11", "-Wall", "-Wno-nonnull", "-fsyntax-only", "-"]
    result = subprocess.run(command, input=f"{header}\n{code}\n", capture_output=True, text=True, check=False)
    return result.stderr


def test_the_python_of_the_page_compiles():
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        compile(code, "docs/buses.md", "exec")


def test_the_tables_of_the_page_are_those_of_the_definition():
    page = PAGE.read_text()
    assert renewed(page) == page, "python -m stochastor.fpga.bus.markdown docs/buses.md"


def test_html_comes_from_peakrdl(tmp_path):
    (tmp_path / RDL).write_text(to_systemrdl(register_map(CONFIG, streams=True)))
    write_html(tmp_path / RDL, tmp_path / "html")
    assert (tmp_path / "html" / "index.html").exists()


@pytest.mark.parametrize("module", ["systemrdl.compiler", "peakrdl_cheader.exporter", "peakrdl_html"])
def test_a_missing_tool_is_named_with_the_line_that_installs_it(monkeypatch, tmp_path, module):
    rdl = to_systemrdl(register_map(CONFIG, streams=True))
    (tmp_path / RDL).write_text(rdl)
    monkeypatch.setitem(sys.modules, module, None)
    make = (lambda: write_html(tmp_path / RDL, tmp_path)) if module == "peakrdl_html" else (lambda: to_c_header(rdl))
    with pytest.raises(ToolError, match=r"pip install 'stochastor\[bus\]'"):
        make()


def test_every_counter_of_the_ledger_has_two_words():
    words = register_map(CONFIG, streams=False).offsets
    names = [*COUNTERS, *(f"layers[{layer}].{name}" for layer in range(3) for name in LAYER_COUNTERS)]
    for name in names:
        assert words[f"{name}_high"] == words[f"{name}_low"] + 4


def test_both_buses_have_their_registers_at_the_same_offsets():
    axi, wishbone = (register_map(CONFIG, streams=bus is Bus.AXI).offsets for bus in Bus)
    assert {name: axi[name] for name in wishbone} == wishbone
    assert set(axi) - set(wishbone) == {"packet"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: field(width=0), "must lie in the 32 bits"),
        (lambda: field(low=31, width=2), "must lie in the 32 bits"),
        (lambda: field(reset=2), "must fit 1 bits, not be 2"),
        (lambda: register(offset=2), "at a multiple of 4, not at 2"),
        (lambda: register(fields=(field(width=2), field(low=1))), "must not overlap"),
        (lambda: register(fields=(field(), field(low=1, kind=Kind.PORT))), "external fields only, or none"),
        (lambda: register().word(f=2), "must fit 1 bits, not be 2"),
        (lambda: RegisterMap(name="m", description="", registers=(register(), register())), "must not overlap"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_word_comes_apart_as_it_was_put_together():
    control = register_map(CONFIG, streams=True)["control"]
    word = control.word(run=1, streams=1)
    assert word == control.reset == 0b1100
    assert {each.name: each.value(word) for each in control.fields} == {"reset": 0, "abort": 0, "run": 1, "streams": 1}


def test_systemrdl_is_the_same_every_time():
    texts = {systemrdl.to_systemrdl(register_map(CONFIG, streams=True)) for _ in range(2)}
    assert len(texts) == 1
    assert texts.pop().isascii()
