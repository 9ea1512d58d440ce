"""The one configuration of a machine, shared by model, hardware and tests."""

import hashlib
import json
import os
import tomllib
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar

import tomli_w

from . import tables
from .errors import ConfigError

LINES_PER_CYCLE = (1, 2, 4, 8, 16)
Choice = TypeVar("Choice", bound=StrEnum)
PIN_CYCLES = ("settle_cycles", "compare_cycles", "pulse_cycles", "recovery_cycles")
HASHED_WHERE_USED = (
    *("input_draws", "carry_digits", "carry_base", "carry_pulses", "carry_period", "carry_verify"),
    *("pulses_per_step", "array_side", *PIN_CYCLES),
)
NOT_OF_THE_MACHINE = {"epochs", "shuffle_block", "baud"}
NO_CARRY = {"carry_base": 0, "carry_pulses": 1, "carry_period": 0, "carry_verify": 0}
MOST_VERIFYING = 1000
PULSE_NUMBERS = 1 << 16


class Gate(StrEnum):
    """How the derivative of the activation is binarized (section 7.4 of the specification)."""

    RANDOM_WINDOW = "random_window"
    FIXED_WINDOW = "fixed_window"
    XOR = "xor"


class ArraySide(StrEnum):
    """What stands behind the crossbar port in hardware (sections 11 and 14 of the specification)."""

    MEMORY = "memory"
    PINS = "pins"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a machine, and how long a run trains it.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, then the columns of each layer.
    weight_bits : int
        Width of a signed cell, 2 to 16; without carry a cell is a weight.
    scale : int
        Weight LSBs in one unit of pre-activation.
    gate : Gate
        Kind of derivative gate.
    input_draws : int
        Patterns drawn of an input and integrated in one read of layer 1.
    carry_digits : int
        Cells of a synapse; 1 means no carry.
    carry_base : int
        Steps of a cell that make one step of the next; 0 without carry.
    carry_pulses : int
        Steps that a carry moves the upper cell; 1 without carry.
    carry_period : int
        Training samples from one carry to the next; 0 without carry.
    carry_verify : int
        Most pulses by which a carry restores the weight that it found; 0 trusts pulses to be exact. Exact arrays need
        none, and do not change by it.
    pulses_per_step : int
        Pulses by which an array moves a cell a step. Of exact arrays one is a step.
    reference_bits : int
        Width of the signed reference codes of the comparators.
    seed : int
        Master seed of every random bit, 64 bits.
    epochs : int
        Length of a training run; the thinning schedule stretches with it.
    shuffle_block : int
        Training samples that stay together, in the order of the data set, when an epoch is shuffled.
    lanes : int
        Columns processed at a time; 0 means a lane per column. Area only.
    tables : int
        Lines compared per cycle. Area only.
    pixels_per_beat : int
        Features per beat of the sample stream. Area only.
    array_side : ArraySide
        Whether weights are in block RAM, or in arrays that line drivers reach by pins. Area only.
    settle_cycles, compare_cycles, pulse_cycles, recovery_cycles : int
        Times of the pins: of a read until it is compared, of a comparison, of a pulse, and after it. Area only.
    baud : int
        Bits a second on the serial line of a board. Neither bits nor area of the machine.

    Raises
    ------
    ConfigError
        If a value is of the wrong type, out of range, or the tables do not fit `reference_bits`.
    """

    sizes: tuple[int, ...]
    weight_bits: int = 8
    scale: int = 64
    gate: Gate = Gate.RANDOM_WINDOW
    input_draws: int = 1
    carry_digits: int = 1
    carry_base: int = 0
    carry_pulses: int = 1
    carry_period: int = 0
    carry_verify: int = 0
    pulses_per_step: int = 1
    reference_bits: int = 12
    seed: int = 0
    epochs: int = 30
    shuffle_block: int = 1
    lanes: int = 0
    tables: int = 4
    pixels_per_beat: int = 4
    array_side: ArraySide = ArraySide.MEMORY
    settle_cycles: int = 4
    compare_cycles: int = 1
    pulse_cycles: int = 4
    recovery_cycles: int = 2
    baud: int = 1_000_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", _checked_sizes(self.sizes))
        object.__setattr__(self, "gate", _checked_choice("gate", Gate, self.gate))
        object.__setattr__(self, "array_side", _checked_choice("array_side", ArraySide, self.array_side))
        _check_range("weight_bits", self.weight_bits, 2, 16)
        _check_range("scale", self.scale, 1, 1 << 16)
        _check_range("input_draws", self.input_draws, 1, 16)
        _check_range("reference_bits", self.reference_bits, 2, 24)
        _check_range("pulses_per_step", self.pulses_per_step, 1, 256)
        _check_range("seed", self.seed, 0, (1 << 64) - 1)
        _check_range("epochs", self.epochs, 1, 100_000)
        _check_range("shuffle_block", self.shuffle_block, 1, 65_535)
        _check_range("lanes", self.lanes, 0, 65_535)
        _check_range("baud", self.baud, 1, 100_000_000)
        for name in ("tables", "pixels_per_beat"):
            value = getattr(self, name)
            if type(value) is not int or value not in LINES_PER_CYCLE:
                raise ConfigError(f"{name} must be 1, 2, 4, 8 or 16, not {value!r}")
        for name in PIN_CYCLES:
            _check_range(name, getattr(self, name), 1, 65_535)
        self._check_carry()
        self._check_references()

    def _check_carry(self) -> None:
        _check_range("carry_digits", self.carry_digits, 1, 4)
        if self.carry_digits == 1:
            for name, unused in NO_CARRY.items():
                if getattr(self, name) != unused:
                    raise ConfigError(
                        f"{name} must be {unused} where carry_digits is 1, not {getattr(self, name)!r}: "
                        f"a synapse of one cell has no carry"
                    )
            return
        if self.weight_bits < 3:
            raise ConfigError(f"carry needs cells of weight_bits = 3 or more, not {self.weight_bits}")
        _check_range("carry_pulses", self.carry_pulses, 1, self.digit_max // 2)
        least = max(2, self.digit_max // (2 * self.carry_pulses) + 1)
        _check_range("carry_base", self.carry_base, least, self.digit_max // self.carry_pulses)
        _check_range("carry_period", self.carry_period, 1, (1 << 32) - 1)
        if self.carry_verify != 0:
            _check_range("carry_verify", self.carry_verify, self.carry_pulses * self.carry_base, MOST_VERIFYING)
        steps = max(self.carry_verify, self.carry_pulses * (self.carry_base + 1))
        if steps * self.pulses_per_step >= PULSE_NUMBERS:
            raise ConfigError(
                f"a carry of up to {steps} steps of pulses_per_step = {self.pulses_per_step} must be less than "
                f"{PULSE_NUMBERS:,} pulses: lower carry_verify or pulses_per_step"
            )
        if self.weight_max >= 1 << 31:
            raise ConfigError(
                f"weights of carry_digits = {self.carry_digits} to the base {self.carry_base} reach "
                f"{self.weight_max}, which must be below 2^31: lower one of the two"
            )

    def _check_references(self) -> None:
        bound = 1 << (self.reference_bits - 1)
        codes: list[tuple[str, tuple[int, ...]]] = [("fire", self.thresholds(1))]
        if self.gate is not Gate.XOR:
            windows = self.windows(1)
            codes.append(("gate window", (*(-u for u in windows), *(u - 1 for u in windows))))
        for name, table in codes:
            extreme = max(table, key=lambda code: max(code, -code - 1))
            if not -bound <= extreme < bound:
                draws = f" and input_draws = {self.input_draws}" if self.input_draws > 1 else ""
                raise ConfigError(
                    f"reference_bits = {self.reference_bits} holds codes {-bound} to {bound - 1}, but the {name} table "
                    f"at scale = {self.scale}{draws} needs {extreme}: raise reference_bits or lower scale"
                )
        if self.carry_digits > 1 and self.digit_max > bound:
            raise ConfigError(
                f"reference_bits = {self.reference_bits} holds codes {-bound} to {bound - 1}, but a carry compares "
                f"cells with codes up to {-self.digit_max}: raise reference_bits or lower weight_bits"
            )
        if self.carry_verify and self.search_bits > self.reference_bits:
            raise ConfigError(
                f"reference_bits = {self.reference_bits} holds codes {-bound} to {bound - 1}, but a verified carry "
                f"searches weights up to {self.weight_max}: raise reference_bits to {self.search_bits}"
            )

        if self.array_side is ArraySide.PINS and self.weight_bits > self.reference_bits:
            raise ConfigError(
                f"reference_bits = {self.reference_bits} must be at least weight_bits = {self.weight_bits} where "
                f"array_side is pins, so that a cell can be read by comparisons"
            )

    @property
    def layers(self) -> int:
        """Number of layers (crossbars), L."""
        return len(self.sizes) - 1

    def rows(self, layer: int) -> int:
        """Rows of crossbar `layer` (1 to L), bias row included."""
        return self.sizes[layer - 1] + 1

    def columns(self, layer: int) -> int:
        """Columns of crossbar `layer` (1 to L): its neurons."""
        return self.sizes[layer]

    def cell_columns(self, layer: int) -> int:
        """Columns of cells of crossbar `layer` (1 to L): `carry_digits` for each neuron."""
        return self.sizes[layer] * self.carry_digits

    @property
    def digit_max(self) -> int:
        """Largest value of a cell, in steps; the smallest is its negative."""
        return (1 << (self.weight_bits - 1)) - 1

    @property
    def weight_max(self) -> int:
        """Largest weight, in LSBs, all cells at their bounds; the smallest is its negative."""
        places: list[int] = [self.carry_base**digit for digit in range(self.carry_digits)]
        return self.digit_max * sum(places)

    @property
    def search_bits(self) -> int:
        """Comparisons that find a weight: the width of a signed number up to `weight_max` and a slack below it."""
        top_place: int = self.carry_base ** (self.carry_digits - 1)
        return (self.weight_max + top_place).bit_length() + 1

    def scale_of(self, layer: int) -> int:
        """LSBs in one unit of pre-activation of `layer` (1 to L)."""
        return self.scale * (self.input_draws if layer == 1 else 1)

    def thresholds(self, layer: int) -> tuple[int, ...]:
        """Fire thresholds T[r] of `layer` (1 to L) for bytes r = 0 to 255."""
        return tables.fire_thresholds(self.scale_of(layer))

    def windows(self, layer: int) -> tuple[int, ...]:
        """Half widths U[r] of the gate window of `layer` (1 to L) for bytes r = 0 to 255."""
        if self.gate is Gate.FIXED_WINDOW:
            return (4 * self.scale_of(layer),) * 256
        return tables.random_windows(self.scale_of(layer))

    def carries_after(self, sample: int) -> bool:
        """Whether a carry follows the training sample of number `sample` (from 0)."""
        return self.carry_digits > 1 and (sample + 1) % self.carry_period == 0

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the canonical JSON of all fields that section 2 of the specification names."""
        unused = {name for name in HASHED_WHERE_USED if getattr(self, name) == getattr(type(self), name)}
        machine = {name: value for name, value in asdict(self).items() if name not in unused | NOT_OF_THE_MACHINE}
        text = json.dumps(machine, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Fields as plain values, as TOML and JSON take them."""
        return asdict(self) | {"sizes": list(self.sizes), "gate": str(self.gate), "array_side": str(self.array_side)}

    def to_toml(self) -> str:
        """The configuration as a TOML document that `from_toml` reads back."""
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, where: str = "configuration") -> Self:
        """Build a configuration from plain values.

        Raises
        ------
        ConfigError
            Naming `where` and the key at fault.
        """
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise ConfigError(f"{where}: unknown key {key!r}; the keys are {', '.join(known)}")
        if "sizes" not in values:
            raise ConfigError(f"{where}: the key 'sizes' is missing, for example sizes = [64, 128, 10]")
        try:
            return cls(**values)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Read a configuration from a TOML file.

        Raises
        ------
        ConfigError
            If the file cannot be read, is not TOML, or holds an unknown key or an impossible value.
        """
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from None
        return cls.from_dict(values, where=str(path))


def preset(name: str) -> Config:
    """Return the preset `name`.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"there is no preset {name!r}; the presets are {', '.join(PRESETS)}") from None


def _check_range(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def _checked_sizes(sizes: object) -> tuple[int, ...]:
    if not isinstance(sizes, tuple | list) or len(sizes) < 2:
        raise ConfigError(f"sizes must list the inputs and the columns of at least one layer, not {sizes!r}")
    for index, size in enumerate(sizes):
        _check_range(f"sizes[{index}]", size, 1, 65_535)
    return tuple(sizes)


def _checked_choice(name: str, choices: type[Choice], value: object) -> Choice:
    try:
        return choices(value)  # type: ignore[arg-type]
    except ValueError:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}") from None


PRESETS = {
    "tiny": Config(sizes=(64, 12, 10), lanes=5, epochs=3),
    "digits": Config(sizes=(64, 128, 10), weight_bits=10, scale=32, gate=Gate.FIXED_WINDOW, epochs=800),
    "mnist": Config(sizes=(784, 256, 10)),
    # As small as it gets: it fits a chip of 5,280 logic cells.
    "small": Config(
        sizes=(64, 32, 10),
        scale=32,
        gate=Gate.FIXED_WINDOW,
        reference_bits=9,
        epochs=200,
        lanes=1,
        tables=1,
        pixels_per_beat=1,
    ),
}
