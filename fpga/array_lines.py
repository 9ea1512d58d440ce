"""Which pins of its arrays a machine moves, and what a board adds to their times (section 14 of the specification)."""

from typing import Any

from amaranth.hdl import Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from ..hdl.geometry import Geometry
from ..hdl.pins import ArrayPins
from ..model.config import ArraySide, Config
from ..model.errors import ConfigError

OUTPUT_CYCLES = 1
SYNCHRONIZER_CYCLES = 2
# From a level that a driver sets to a decision that it sees, with comparators that take no time.
DECISION_CYCLES = OUTPUT_CYCLES + SYNCHRONIZER_CYCLES
LEAST_COMPARE_CYCLES = DECISION_CYCLES + 1


def pins_brought_out(config: Config, layer: int) -> dict[str, int]:
    """Width of each pin of the array of `layer` (1 to L) that is brought out of a board, by name.

    Left out is what never moves, and the address, which is for observation.
    """
    geometry = Geometry.of(config, layer)
    unmoved = {"address"}
    if geometry.groups == 1:
        unmoved.add("group")
    if layer == 1:
        unmoved.add("transposed")
    members = ArrayPins(geometry, config.reference_bits).members
    return {name: Shape.cast(member.shape).width for name, member in members.items() if name not in unmoved}


def check_times(config: Config) -> None:
    """Check that comparators outside of a board have time to decide.

    Raises
    ------
    ConfigError
        If they have none.
    """
    if config.array_side is ArraySide.PINS and config.compare_cycles < LEAST_COMPARE_CYCLES:
        raise ConfigError(
            f"compare_cycles = {config.compare_cycles} leaves comparators on the pins of a board no time: "
            f"{DECISION_CYCLES} go to the registers of outputs and inputs, so take {LEAST_COMPARE_CYCLES} or more"
        )


def arrays_of(component: wiring.Component) -> dict[str, Any]:
    """Members that are pins of arrays."""
    return {name: member for name, member in component.signature.members.items() if name.startswith("array")}


def connect_arrays(m: Module, inner: wiring.Component, outer: wiring.Component) -> None:
    """Lead the pins of arrays out."""
    for name in arrays_of(inner):
        connect(m, getattr(inner, name), flipped(getattr(outer, name)))
