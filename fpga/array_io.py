"""From the line drivers of a machine to the pins of a board and back."""

from typing import Any

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import Module
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In

from .array_lines import SYNCHRONIZER_CYCLES, arrays_of
from .boards import Family
from .pin_table import CLOCK, INPUT, PinTable

# Where a family has pull-downs, an open comparator is 0.
ATTRIBUTES = {
    Family.ICE40: {"IO_STANDARD": "SB_LVCMOS"},
    Family.ECP5: {"IO_TYPE": "LVCMOS33", "PULLMODE": "DOWN", "DRIVE": "4"},
    Family.SERIES7: {"IOSTANDARD": "LVCMOS33", "PULLDOWN": "TRUE"},
}


class ArrayIO(wiring.Component):
    """Puts the pins of arrays on balls, by registers in the cells of the balls.

    Parameters
    ----------
    top : Component
        Whose members are to be brought out.
    table : PinTable

    Members
    -------
    array1, array2, ... : In(ArrayPins)
        As of `top`. What the table leaves out goes nowhere.

    Latency
    -------
    Outputs are a cycle late, and 0 before the first. Decisions, which may change at any time, are two cycles late.
    The clock of the arrays rises in the middle of a cycle.
    """

    def __init__(self, top: wiring.Component, table: PinTable) -> None:
        self._table = table
        super().__init__({name: In(member.signature) for name, member in arrays_of(top).items()})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        platform.add_resources(_resources(self._table))
        m.submodules.clock = clock = io.DDRBuffer("o", platform.request(f"array_{CLOCK}", 0, dir="-"))
        m.d.comb += [clock.o[0].eq(0), clock.o[1].eq(1)]
        for layer in range(1, self._table.config.layers + 1):
            balls, pins = platform.request("array", layer, dir="-"), getattr(self, f"array{layer}")
            for name in _names(self._table, layer):
                self._connect(m, f"array{layer}_{name}", getattr(balls, name), getattr(pins, name), name == INPUT)
        return m

    def _connect(self, m: Module, name: str, balls: Any, pin: Any, comes_in: bool) -> None:
        if comes_in:
            m.submodules[name] = entry = io.Buffer("i", balls)
            m.submodules[f"{name}_synchronizer"] = FFSynchronizer(entry.i, pin, stages=SYNCHRONIZER_CYCLES)
        else:
            m.submodules[name] = leaving = io.FFBuffer("o", balls)
            m.d.comb += leaving.o.eq(pin)


def _names(table: PinTable, layer: int) -> list[str]:
    return list(dict.fromkeys(wire.pin for wire in table.wires if wire.layer == layer))


def _resources(table: PinTable) -> list[Resource]:
    attributes = Attrs(**ATTRIBUTES[table.board.family])
    resources = [Resource(f"array_{CLOCK}", 0, Pins(table.sites(0, CLOCK)[0], dir="o"), attributes)]
    for layer in range(1, table.config.layers + 1):
        pins = [
            Subsignal(name, Pins(" ".join(table.sites(layer, name)), dir="i" if name == INPUT else "o"))
            for name in _names(table, layer)
        ]
        resources.append(Resource("array", layer, *pins, attributes))
    return resources
