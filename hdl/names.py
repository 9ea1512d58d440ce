"""Names in the Verilog: those of the source, and for what leads to a part, those of the part and its port."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_NAME = re.compile(r"\\\S+")
_WIRE = re.compile(
    r"  wire width (?P<width>\d+) (?:signed )?(?:(?P<port>input|output) \d+ )? ?(?:signed )?(?P<name>\\\S+)$"
)
_PART = re.compile(r"  cell (?P<type>\\\S+) \\(?P<name>\S+)$")
_MEMORY = re.compile(r'    parameter \\MEMID "\\\\(?P<name>\S+)"$')
_CONNECT = re.compile(r"(?P<indent> *)connect (?P<to>\S+) (?P<value>.*)$")
_WHOLE = re.compile(r"(?P<wire>\\\S+)(?: \[(?P<high>\d+)(?::0)?\])?$")
_SLICE = re.compile(r"(?P<wire>\S+) \[(?:\d+:)?(?P<low>\d+)\]$")
_NUMBER = re.compile(r"\$\d+$")


def name_wires(netlist: str, members: Mapping[str, Sequence[str]]) -> str:
    r"""Give the wires of a netlist names to read, and leave out those that only repeat others.

    Amaranth calls a wire like the first signal that it meets there, tells equal names apart by numbers (``\busy$50``),
    and a port that is no whole signal is only a number (``\port$698$0``). Here a port is called like the member of the
    component that it is, and a wire that leads to the port of a part and is called like it becomes ``part__port``.

    Parameters
    ----------
    netlist : str
        RTLIL as Amaranth writes it.
    members : dict
        Members of the component behind each module (``stochastor.layer1``), as ``samples__valid``.
    """
    head, *sources = re.split(r"^(?=module )", netlist, flags=re.MULTILINE)
    modules = {module.name: module for module in map(_Module, sources)}
    for name, module in reversed(modules.items()):
        module.name_wires(modules)
        module.name_ports([f"\\{member}" for member in members.get(name[1:], ())])
    return head + "".join(module.text(modules) for module in modules.values())


@dataclass(frozen=True)
class _End:
    """A port of a part, where a wire ends."""

    part: str
    port: str
    drives: bool

    @property
    def name(self) -> str:
        return f"\\{self.part}__{self.port[1:]}"


class _Module:
    """A module of the netlist.

    Attributes
    ----------
    name : str
    widths : dict
        Of the wires, by name.
    ports : dict
        Directions, by name.
    labels : dict
        Values of the wires that are never read: second names of these values.
    names : dict
        New names of wires.
    """

    def __init__(self, source: str) -> None:
        self._lines = source.splitlines()
        self.name = source.split(maxsplit=2)[1]
        self.widths: dict[str, int] = {}
        self.ports: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self._values: dict[str, str] = {}
        read: set[str] = set()
        for line in self._lines:
            if wire := _WIRE.match(line):
                self.widths[wire["name"]] = int(wire["width"])
                if wire["port"]:
                    self.ports[wire["name"]] = wire["port"]
            elif connect := _CONNECT.match(line):
                read.update(_NAME.findall(connect["value"]))
                if not connect["indent"]:
                    self._values[connect["to"]] = connect["value"]
            elif line.lstrip().startswith(("assign ", "switch ")):
                read.update(_NAME.findall(line))
        unread = [name for name in self._values if name not in read and name not in self.ports]
        self.labels = {name: self._values[name] for name in unread}

    def name_wires(self, modules: Mapping[str, "_Module"]) -> None:
        """Name wires after what they lead to, if that is named already."""
        ends: dict[str, list[_End]] = {}
        for end, value in self._ends(modules):
            if wire := self._whole(value):
                ends.setdefault(wire, []).append(end)
        for wire in self.widths:
            if wire not in self.ports:
                self._rename(wire, self._wire_name(wire, ends.get(wire, [])))

    def name_ports(self, members: Sequence[str]) -> None:
        """Name the ports that are `members` so, and those that carry a number after what is there."""
        named = {name for name in self.ports if name in members}
        for numbered in (False, True):
            for port in self.ports:
                names = [port, *self._same(port, numbered)]
                known = {_NUMBER.sub("", name) for name in names} if numbered else set(names)
                if port not in named and (member := next((name for name in members if name in known), None)):
                    self._rename(port, member)
                    named.add(port)
        for port in self.ports:
            if port not in named and "$" in port:
                self._rename(port, next(iter(self._same(port)), self._pieces(port)))

    def text(self, modules: Mapping[str, "_Module"]) -> str:
        """The module with all names in their place."""
        lines: list[str] = []
        part: Mapping[str, str] = {}
        for line in self._lines:
            wire, connect = _WIRE.match(line), _CONNECT.match(line)
            if wire and wire["name"] in self.labels:
                while lines[-1].startswith("  attribute "):
                    lines.pop()
            elif connect and connect["indent"]:
                to = part.get(connect["to"], connect["to"])
                lines.append(f"{connect['indent']}connect {to} {self._renamed(connect['value'])}")
            elif not (connect and connect["to"] in self.labels):
                if line.startswith("  cell "):
                    kind = line.split()[1]
                    part = modules[kind].names if kind in modules else {}
                lines.append(self._renamed(line) if wire or connect or "assign " in line or "switch " in line else line)
        return "\n".join(lines) + "\n"

    def _wire_name(self, wire: str, ends: Sequence["_End"]) -> str:
        """A wire that several parts share, and none drives, is this module's own."""
        plain = _NUMBER.sub("", wire)
        like = [end for end in ends if end.port == plain] or ([] if plain == wire else ends)
        drivers = [end for end in like if end.drives]
        if drivers or len(like) == 1:
            return (drivers or like)[0].name
        if plain != wire:
            return next(iter(self._same(wire)), plain)
        return wire

    def _ends(self, modules: Mapping[str, "_Module"]) -> Iterator[tuple["_End", str]]:
        """Every port of a part, with what it is connected to."""
        part = None
        memory = None
        for line in self._lines:
            if line.startswith("  cell "):
                part, memory = _PART.match(line), None
            elif match := _MEMORY.match(line):
                memory = match["name"]
            elif (connect := _CONNECT.match(line)) and connect["indent"]:
                port = connect["to"]
                if part:
                    module = modules[part["type"]]
                    drives = module.ports[port] == "output"
                    yield _End(part["name"], module.names.get(port, port), drives), connect["value"]
                elif memory:
                    yield _End(memory, port.lower(), port == "\\DATA"), connect["value"]

    def _same(self, wire: str, numbered: bool = False) -> list[str]:
        """Second names of what is on a wire."""
        value = self._values.get(wire, self._slice(wire, 0, self.widths[wire]))
        return [name for name, of in self.labels.items() if of == value and (numbered or "$" not in name)]

    def _pieces(self, port: str) -> str:
        """Name of a port without its number, or the names of what it is made of."""
        if not port.startswith("\\port$"):
            return _NUMBER.sub("", port)
        pieces = {
            int(piece["low"]): name
            for name, value in self.labels.items()
            if (piece := _SLICE.match(value)) and piece["wire"] == port and "$" not in name
        }
        return "\\" + "__".join(pieces[low][1:] for low in sorted(pieces)) if pieces else port

    def _whole(self, value: str) -> str | None:
        """Name of the wire that `value` is all of."""
        match = _WHOLE.match(value)
        if match is None or (match["high"] and int(match["high"]) + 1 != self.widths[match["wire"]]):
            return None
        return match["wire"]

    def _slice(self, wire: str, low: int, high: int) -> str:
        return f"{wire} [{low}]" if high == low + 1 else f"{wire} [{high - 1}:{low}]"

    def _rename(self, old: str, new: str) -> None:
        """Call the wire `old` `new`, if no other wire is called so."""
        plain = re.sub(r"[.\[]", "__", new).replace("]", "")
        taken = {self.names.get(name, name) for name in self.widths if name not in self.labels}
        if plain not in taken:
            self.names[old] = plain

    def _renamed(self, text: str) -> str:
        return _NAME.sub(lambda match: self.names.get(match[0], match[0]), text)
