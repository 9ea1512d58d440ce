"""Machines that are built otherwise than the specification says, to see what its choices are worth."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import tables
from .config import Config, Gate
from .data import Dataset
from .errors import ConfigError
from .lfsr import WORD_BITS, shift
from .machine import Array, Machine, make_machine

GENERATORS = ("own", "layer", "machine", "line", "serial")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from the machine of the specification; the defaults differ in nothing.

    Attributes
    ----------
    threshold_bits : int
        Random bits that choose a threshold or a window, 1 to 8.
    generators : str
        ``own``: one for each purpose of each layer; ``layer``: one for all purposes of a layer; ``machine``: one for
        all; ``line``: one byte for all lines of an operation; ``serial``: a line takes the state a single shift after
        the line before, so that their bytes overlap.
    binary_input : bool
        Features are cut at half of full scale before they are drawn.
    thinning : bool
        Whether the schedule thins pulses.

    Raises
    ------
    ConfigError
        If a value is none of these.
    """

    threshold_bits: int = 8
    generators: str = "own"
    binary_input: bool = False
    thinning: bool = True

    def __post_init__(self) -> None:
        if self.threshold_bits not in range(1, 9):
            raise ConfigError(f"threshold_bits must be from 1 to 8, not {self.threshold_bits!r}")
        if self.generators not in GENERATORS:
            raise ConfigError(f"generators must be one of {', '.join(GENERATORS)}, not {self.generators!r}")

    def to_dict(self) -> dict[str, Any]:
        """Fields as plain values."""
        return asdict(self)

    def machine(self, config: Config) -> Machine:
        """The arrays of the machine that differs so from `config`'s."""
        machine = make_machine(config)
        if self.threshold_bits < 8:
            machine = _with_coarse_tables(machine, config, self.threshold_bits)
        if self.generators in ("layer", "machine"):
            return machine._replace(slots=_shared_slots(machine.slots, self.generators))
        if self.generators == "line":
            return machine._replace(
                bytes=np.repeat(machine.bytes[..., :1], machine.bytes.shape[-1], axis=-1),
                jumps=np.broadcast_to(_jump(1), machine.jumps.shape).copy(),
            )
        if self.generators == "serial":
            return _with_serial_generators(machine, config)
        return machine

    def exponent(self, exponent: int) -> int:
        """The thinning exponent instead of the schedule's."""
        return exponent if self.thinning else 0

    def dataset(self, dataset: Dataset) -> Dataset:
        """The data set as this machine sees it."""
        if not self.binary_input:
            return dataset
        return replace(dataset, train_features=_cut(dataset.train_features), test_features=_cut(dataset.test_features))


PLAIN = Variant()


def _cut(features: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(features < 128, np.uint8(0), np.uint8(255))


def _with_coarse_tables(machine: Machine, config: Config, bits: int) -> Machine:
    """Every table entry stands for all bytes with the same high `bits` bits."""
    indices = np.arange(tables.BYTES) >> (8 - bits)
    scales = [config.scale_of(layer) for layer in range(1, config.layers + 1)]
    thresholds = np.array([tables.fire_thresholds(scale, 1 << bits) for scale in scales])
    windows = machine.windows
    if config.gate is not Gate.FIXED_WINDOW:
        windows = np.array([tables.random_windows(scale, 1 << bits) for scale in scales])[:, indices]
    kind = machine.thresholds.dtype
    return machine._replace(thresholds=thresholds[:, indices].astype(kind), windows=windows.astype(kind))


def _shared_slots(slots: Array, shared_by: str) -> Array:
    """Where states are, if all generators of a layer, or of the machine, are one; banks stay apart."""
    if shared_by == "layer":
        return np.repeat(slots[:, :, :1], slots.shape[2], axis=2)
    return np.broadcast_to(slots[:, :1, :1], slots.shape).copy()


def _with_serial_generators(machine: Machine, config: Config) -> Machine:
    """Lines take the low byte of the state after one shift more each."""
    states = _shifted(machine.bytes.shape[-1])
    jumps = np.empty_like(machine.jumps)
    for layer, generators in enumerate(jumps, start=1):
        rows, columns = config.rows(layer), config.columns(layer)
        for generator, lines in zip(generators, (rows - 1, columns, columns, rows), strict=True):
            generator[:] = states[..., lines - 1]
    return machine._replace(bytes=(states & np.uint32(0xFF)).astype(np.uint8), jumps=jumps)


def _jump(words: int) -> NDArray[np.uint32]:
    """The state `words` words after one of a single nonzero nibble, shape (8, 16)."""
    return _shifted(words * WORD_BITS)[..., -1]


def _shifted(count: int) -> NDArray[np.uint32]:
    """The `count` states that follow one of a single nonzero nibble, shape (8, 16, count)."""
    following = np.empty((WORD_BITS, count), dtype=np.uint32)
    for bit in range(WORD_BITS):
        state = 1 << bit
        for index in range(count):
            state = shift(state)
            following[bit, index] = state
    states = np.zeros((WORD_BITS // 4, 16, count), dtype=np.uint32)
    for place in range(len(states)):
        for nibble in range(16):
            for bit in range(4):
                if nibble >> bit & 1:
                    states[place, nibble] ^= following[4 * place + bit]
    return states
