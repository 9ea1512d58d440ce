from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory
from stochastor.fpga.netlist import free_collisions, without_brackets


def netlist(*marks):
    """A module with a memory for each of `marks`, its attributes, and a read and a write port to each."""
    m = Module()
    ports = []
    for index, attrs in enumerate(marks):
        m.submodules[f"part{index}"] = part = memory.Memory(shape=8, depth=4, init=[], attrs=attrs)
        read, write, out = part.read_port(), part.write_port(), Signal(8, name=f"out{index}")
        m.d.comb += out.eq(read.data)
        ports += [read.addr, write.addr, write.data, write.en, out]
    return rtlil.convert(m, ports=ports, emit_src=False)


def masks(text):
    return [line.split()[-1] for line in text.split("\n") if "COLLISION_X_MASK" in line]


def test_collisions_are_free_in_memories_that_are_marked_and_in_no_other():
    marks = {"ram_style": "block", "no_rw_check": 1}, {}, {"no_rw_check": 1}, {"ram_style": "block"}
    before = netlist(*marks)
    assert masks(before) == ["1'0"] * 4
    after = free_collisions(before)
    assert masks(after) == ["1'1", "1'0", "1'1", "1'0"]
    unchanged = [line for line in after.split("\n") if "COLLISION_X_MASK" not in line]
    assert unchanged == [line for line in before.split("\n") if "COLLISION_X_MASK" not in line]


def test_a_netlist_without_marks_stays_as_it_is():
    before = netlist({}, {})
    assert free_collisions(before) == before


def test_names_of_array_elements_have_no_brackets_and_bits_keep_theirs():
    m = Module()
    cells = Signal(data.ArrayLayout(data.StructLayout({"low": 2, "high": 2}), 3), name="cells")
    out = Signal(3)
    m.d.comb += out.eq(cells[2].high + cells.as_value()[1])
    before = rtlil.convert(m, ports=[cells.as_value(), out], emit_src=False)
    after = without_brackets(before)
    assert r"\cells[2].high" in before
    assert r"\cells.2.high" in after
    assert after.replace(".0", "[0]").replace(".1", "[1]").replace(".2", "[2]") == before
    assert r"\cells [1]" in after
