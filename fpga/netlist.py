"""What Yosys is told of memories beyond what Amaranth can say."""

import re

_MARK = r"  attribute \no_rw_check 1"
_MEMORY = re.compile(r"  memory .*\\(?P<name>\S+)$")
_MEMORY_OF_CELL = re.compile(r'    parameter \\MEMID "\\\\(?P<name>\S+)"$')
_NAME_OF_ELEMENT = re.compile(r'\\[^\s"]*\[[^\s"]*')
_COLLISIONS = re.compile(r"    parameter \\COLLISION_X_MASK (?P<width>\d+)'[01]+$")


def free_collisions(netlist: str) -> str:
    r"""Leave open what a read gives of a word that is written at the same edge, in memories marked ``no_rw_check``.

    Yosys heeds that mark only where it makes the register of a read itself. Reads of Amaranth have theirs already, so
    that each block of RAM would be surrounded by comparators and registers that keep the old word.

    Parameters
    ----------
    netlist : str
        RTLIL as Amaranth writes it.
    """
    lines = []
    free: set[str] = set()
    marked = of_free = False
    for line in netlist.split("\n"):
        if line.startswith("module "):
            free = set()
        elif memory := _MEMORY.match(line):
            if marked:
                free.add(memory["name"])
        elif cell := _MEMORY_OF_CELL.match(line):
            of_free = cell["name"] in free
        elif of_free and (collisions := _COLLISIONS.match(line)):
            width = int(collisions["width"])
            line = line.replace(line.split()[-1], f"{width}'{'1' * width}")
        marked = line == _MARK or (marked and line.startswith("  attribute "))
        lines.append(line)
    return "\n".join(lines)


def without_brackets(netlist: str) -> str:
    r"""Write names of array elements with points: ``\words[0]`` becomes ``\words.0``.

    ABC9 takes such a name for a bit of a wire, and Yosys then stops, since it does not find the wire again.

    Parameters
    ----------
    netlist : str
        RTLIL as Amaranth writes it, where a blank parts the bits of a wire from its name.
    """
    return _NAME_OF_ELEMENT.sub(lambda name: name[0].replace("[", ".").replace("]", ""), netlist)
