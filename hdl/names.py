"""Names in the Verilog: those of the source, and for what leads to a part, those of the part and its port."""

import re
from collections.abc import Iterator, Mapping

_NAME = re.compile(r"\\\S+")
_WIRE = re.compile(r"  wire width (?P<width>\d+) (?:signed )?(?P<port>(?:input|output) \d+ )? ?(?P<name>\\\S+)$")
_PART = re.compile(r"  cell (?P<type>\\\S+) \\(?P<name>\S+)$")
_MEMORY = re.compile(r'    parameter \\MEMID "\\\\(?P<name>\S+)"$')
_CONNECT = re.compile(r"(?P<indent> *)connect (?P<to>\S+) (?P<value>.*)$")
_WHOLE = re.compile(r"(?P<wire>\\\S+)(?: \[(?P<high>\d+)(?::0)?\])?$")
_SLICE = re.compile(r"(?P<wire>\S+) \[(?:\d+:)?(?P<low>\d+)\]$")
_NUMBER = re.compile(r"\$\d+$")


def name_wires(netlist: str) -> str:
    r"""Give the wires of a netlist names to read, and leave out those that only repeat others.

    Amaranth calls a wire like the first signal that it meets there, tells equal names apart by numbers (``\busy$50``),
    and a port that is no whole signal is only a number (``\port$698$0``). Here a wire called like the port of a part
    that it leads to becomes ``part__port``; a numbered port takes the name of a signal or field that is the same.

    Parameters
    ----------
    netlist : str
        RTLIL as Amaranth writes it.
    """
    head, *sources = re.split(r"^(?=module )", netlist, flags=re.MULTILINE)
    modules = [_Module(source) for source in sources]
    ports: dict[str, Mapping[str, str]] = {}
    for module in reversed(modules):
        module.name_wires(ports)
        ports[module.name] = module.name_ports()
    return head + "".join(module.text(ports) for module in modules)


class _Module:
    """A module of the netlist.

    Attributes
    ----------
    name : str
    widths : dict
        Of the wires, by name.
    ports : list of str
    labels : dict
        Values of the wires that are never read: second names of these values.
    names : dict
        New names of wires.
    """

    def __init__(self, source: str) -> None:
        self._lines = source.splitlines()
        self.name = source.split(maxsplit=2)[1]
        self.widths: dict[str, int] = {}
        self.ports: list[str] = []
        self.names: dict[str, str] = {}
        self._values: dict[str, str] = {}
        read: set[str] = set()
        for line in self._lines:
            if wire := _WIRE.match(line):
                self.widths[wire["name"]] = int(wire["width"])
                if wire["port"]:
                    self.ports.append(wire["name"])
            elif connect := _CONNECT.match(line):
                read.update(_NAME.findall(connect["value"]))
                if not connect["indent"]:
                    self._values[connect["to"]] = connect["value"]
            elif line.lstrip().startswith(("assign ", "switch ")):
                read.update(_NAME.findall(line))
        unread = [name for name in self._values if name not in read and name not in self.ports]
        self.labels = {name: self._values[name] for name in unread}

    def name_wires(self, ports: Mapping[str, Mapping[str, str]]) -> None:
        """Name wires after what they lead to; `ports` are the new names of the ports of parts, by module."""
        leads: dict[str, list[tuple[str, str]]] = {}
        for part, kind, port, value in self._connections():
            if (wire := self._whole(value)) and wire not in self.ports:
                leads.setdefault(wire, []).append((part, ports.get(kind, {}).get(port, port)))
        for wire in self.widths:
            base = _NUMBER.sub("", wire)
            ends = sorted(leads.get(wire, []), key=lambda end: end[1] != base)
            same = self._second_names(wire)
            if ends and (ends[0][1] == base or base != wire):
                part, port = ends[0]
                self._rename(wire, f"\\{part}__{port[1:]}")
            elif base != wire and wire not in self.ports and same:
                self._rename(wire, same[0])

    def name_ports(self) -> Mapping[str, str]:
        """Name the ports that carry a number; the new names by the old ones."""
        for port in self.ports:
            if "$" in port:
                self._rename(port, self._port_name(port))
        return {port: self.names[port] for port in self.ports if port in self.names}

    def text(self, ports: Mapping[str, Mapping[str, str]]) -> str:
        """The module with all names in their place; `ports` are the new names of ports, by module."""
        lines: list[str] = []
        part_ports: Mapping[str, str] = {}
        for line in self._lines:
            wire, connect = _WIRE.match(line), _CONNECT.match(line)
            if wire and wire["name"] in self.labels:
                while lines[-1].startswith("  attribute "):
                    lines.pop()
            elif connect and connect["indent"]:
                to = part_ports.get(connect["to"], connect["to"])
                lines.append(f"{connect['indent']}connect {to} {self._renamed(connect['value'])}")
            elif not (connect and connect["to"] in self.labels):
                if line.startswith("  cell "):
                    part_ports = ports.get(line.split()[1], {})
                lines.append(self._renamed(line) if wire or connect or "assign " in line or "switch " in line else line)
        return "\n".join(lines) + "\n"

    def _connections(self) -> Iterator[tuple[str, str, str, str]]:
        """Part, its module, port and value of every connection of a part."""
        part = None
        memory = None
        for line in self._lines:
            if line.startswith("  cell "):
                part, memory = _PART.match(line), None
            elif match := _MEMORY.match(line):
                memory = match["name"]
            elif (connect := _CONNECT.match(line)) and connect["indent"]:
                if part:
                    yield part["name"], part["type"], connect["to"], connect["value"]
                elif memory:
                    yield memory, "", connect["to"].lower(), connect["value"]

    def _second_names(self, wire: str) -> list[str]:
        value = self._values.get(wire, self._slice(wire, 0, self.widths[wire]))
        return [name for name, of in self.labels.items() if of == value and "$" not in name]

    def _port_name(self, port: str) -> str:
        """Name of a signal or field that is the same as a port, or of those that it is made of."""
        if same := self._second_names(port):
            return same[0]
        if not port.startswith("\\port$"):
            return _NUMBER.sub("", port)
        made_of = {
            int(part["low"]): name
            for name, value in self.labels.items()
            if (part := _SLICE.match(value)) and part["wire"] == port and "$" not in name
        }
        return "\\" + "__".join(made_of[low][1:] for low in sorted(made_of)) if made_of else port

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
