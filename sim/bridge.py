"""Between compiled hardware and simulated arrays: words of the harness on one side, levels of pins on the other."""

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..hdl.geometry import Geometry
from ..hdl.words import WORD_BITS, word_count
from ..model.config import Config
from .array.pins import Levels, SimulatedArray, pin_widths

STOP = -1
ARRAYS_HEADER = Path(__file__).with_name("arrays.h")
ANSWER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint32, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint32))


class ArrayBridge:
    """Arrays that answer the pins of a compiled machine.

    Parameters
    ----------
    arrays : sequence of SimulatedArray
        Of layers 1 to L.
    widths : sequence of dict of int
        Widths of the pins of each layer that are wired to its array, by name; the others are 0.

    Attributes
    ----------
    answer : ctypes function
        What the harness calls with layer (from 0), cycle and words, whenever pins change.
    violation : Exception or None
        Why it stopped.
    """

    def __init__(self, arrays: Sequence[SimulatedArray], widths: Sequence[dict[str, int]]) -> None:
        self._arrays = arrays
        self._places = [_places(pins) for pins in widths]
        self.violation: Exception | None = None
        self.answer = ANSWER(self._answer)

    def _answer(self, layer: int, cycle: int, words: Any) -> int:
        # An exception cannot pass through the harness.
        try:
            return self._arrays[layer].see(cycle, self.levels(layer, words))
        except Exception as error:
            self.violation = error
            return STOP

    def levels(self, layer: int, words: Any) -> Levels:
        """What the harness's words of `layer` (from 0) say."""
        values = {}
        for name, offset, count in self._places[layer]:
            value = words[offset]
            for index in range(1, count):
                value |= words[offset + index] << WORD_BITS * index
            values[name] = value
        return Levels(**values)


def all_widths(config: Config) -> list[dict[str, int]]:
    """Widths of all pins of layers 1 to L."""
    return [pin_widths(config, layer) for layer in range(1, config.layers + 1)]


def array_ports(
    config: Config,
    widths: Sequence[dict[str, int]],
    port: Callable[[int, str], str] = lambda layer, pin: f"array{layer}__{pin}",
    answer_cycles: int = 0,
) -> list[str]:
    """What ``arrays.h`` must know of the pins, as lines of the header of a machine.

    Parameters
    ----------
    config : Config
    widths : sequence of dict of int
        As of `ArrayBridge`.
    port : callable
        Name of the port of a layer (1 to L) and a pin.
    answer_cycles : int
        Cycles for which comparators decide wrongly after a pin has changed.
    """
    pins, decisions, most = [], [], 0
    for layer in range(1, config.layers + 1):
        places = _places(widths[layer - 1])
        pins += [f"f({layer - 1}, {verilated(port(layer, name))}, {at}, {count})" for name, at, count in places]
        mask = (1 << Geometry.of(config, layer).tables) - 1
        decisions.append(f"f({layer - 1}, {verilated(port(layer, 'decision'))}, {mask})")
        most = max(most, sum(count for _, _, count in places))
    return [
        f"#define ARRAYS {config.layers}",
        f"#define ARRAY_WORDS {most}",
        f"#define ANSWER_CYCLES {answer_cycles}",
        f"#define EACH_PIN(f) {' '.join(pins)}",
        f"#define EACH_DECISION(f) {' '.join(decisions)}",
    ]


def verilated(port: str) -> str:
    """What Verilator calls a port: it writes two underscores in a name as ___05F."""
    return port.replace("__", "___05F")


def _places(widths: dict[str, int]) -> list[tuple[str, int, int]]:
    """Name of each pin, and its first word and number of words."""
    places, offset = [], 0
    for name, width in widths.items():
        places.append((name, offset, word_count(width)))
        offset += word_count(width)
    return places
