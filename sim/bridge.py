"""Between compiled hardware and simulated arrays: words of the harness on one side, levels of pins on the other."""

import ctypes
from collections.abc import Sequence
from typing import Any

from ..model.config import Config
from .array.pins import Levels, SimulatedArray, pin_widths
from .words import WORD_BITS, word_count

STOP = -1
ANSWER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint32, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint32))


class ArrayBridge:
    """Arrays that answer the pins of a compiled machine.

    Parameters
    ----------
    config : Config
    arrays : sequence of SimulatedArray
        Of layers 1 to L.

    Attributes
    ----------
    answer : ctypes function
        What the harness calls with layer (from 0), cycle and words, whenever pins change.
    violation : Exception or None
        Why it stopped.
    """

    def __init__(self, config: Config, arrays: Sequence[SimulatedArray]) -> None:
        self._arrays = arrays
        self._places = [_places(pin_widths(config, layer)) for layer in range(1, config.layers + 1)]
        self._counts = [sum(count for _, _, count in places) for places in self._places]
        self.violation: Exception | None = None
        self.answer = ANSWER(self._answer)

    def _answer(self, layer: int, cycle: int, words: Any) -> int:
        # An exception cannot pass through the harness.
        try:
            return self._arrays[layer].see(cycle, self._levels(layer, words[: self._counts[layer]]))
        except Exception as error:
            self.violation = error
            return STOP

    def _levels(self, layer: int, words: list[int]) -> Levels:
        values = {}
        for name, offset, count in self._places[layer]:
            value = words[offset]
            for index in range(1, count):
                value |= words[offset + index] << WORD_BITS * index
            values[name] = value
        return Levels(**values)


def array_ports(config: Config) -> list[str]:
    """What the harness must know of the pins, as lines of its header."""
    pins, decisions, most = [], [], 0
    for layer in range(1, config.layers + 1):
        port = f"array{layer}___05F"
        places = _places(pin_widths(config, layer))
        pins += [f"f({layer - 1}, {port}{name}, {offset}, {count})" for name, offset, count in places]
        decisions.append(f"f({layer - 1}, {port}decision)")
        most = max(most, sum(count for _, _, count in places))
    return [
        f"#define ARRAYS {config.layers}",
        f"#define ARRAY_WORDS {most}",
        f"#define EACH_PIN(f) {' '.join(pins)}",
        f"#define EACH_DECISION(f) {' '.join(decisions)}",
    ]


def _places(widths: dict[str, int]) -> list[tuple[str, int, int]]:
    """Name of each pin, and its first word and number of words."""
    places, offset = [], 0
    for name, width in widths.items():
        places.append((name, offset, word_count(width)))
        offset += word_count(width)
    return places
