"""The configuration of an analog array: its devices, its periphery, its seed."""

import os
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import tomli_w

from ...model.errors import ConfigError
from .device import Device, Response, Steps, whole_steps
from .wiring import Wires

LIKE = "like"
# Of the alternating pulses of a search: they are numbered by the 16 bits of an address's repetition.
MOST_ZERO_SHIFTING = 1 << 15


class Pair(StrEnum):
    """What the two devices of a cell do at a pulse.

    Attributes
    ----------
    PUSH_PULL
        One is SET, the other RESET.
    REFERENCE
        The plus device is SET or RESET; the minus device is a reference that no pulse moves.
    """

    PUSH_PULL = "push_pull"
    REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class ArrayConfig:
    """Everything that decides an analog array, beside the machine that it serves.

    Parameters
    ----------
    device : Device
    seed : int
        Of all randomness of the array, 64 bits.
    comparator_noise_S, comparator_offset_S : float
        Standard deviations of what a comparator adds to a line, anew in each comparison and once for all, in siemens
        (current by read voltage).
    reference_step_S : float
        Step of the reference, in siemens; 0 means as fine as codes ask for.
    sample_s : float
        From one training sample to the next, in seconds; what devices that drift go by.
    tick_samples : int
        Training samples after which drift and half-selects are brought up to date; ages are counted in them.
    wires : Wires, optional
        Resistance of the lines; without it they have none.
    thinning : float
        Share of the SET pulses that are left out at random, or, where it is negative, of the RESET pulses.
    pair : Pair
    zero_shifting : int
        SET pulses, each with a RESET pulse after it, that bring the plus device of a pair with a reference to where the
        two cancel, before its reference is programmed to the same conductance (Kim et al., "Zero-shifting technique for
        deep neural network training on resistive cross-point arrays", arXiv:1907.10228, 2019); with 0 references are at
        mid-range.

    Raises
    ------
    ConfigError
        If a value is impossible.
    """

    device: Device = field(default_factory=Device)
    seed: int = 0
    comparator_noise_S: float = 0.0
    comparator_offset_S: float = 0.0
    reference_step_S: float = 0.0
    sample_s: float = 1e-3
    tick_samples: int = 256
    wires: Wires | None = None
    thinning: float = 0.0
    pair: Pair = Pair.PUSH_PULL
    zero_shifting: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed < 1 << 64:
            raise ConfigError(f"seed must be a whole number from 0 to 2^64 - 1, not {self.seed!r}")
        for name in ("comparator_noise_S", "comparator_offset_S", "reference_step_S"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
                raise ConfigError(f"{name} must be 0 or more siemens, and less than 1, not {value!r}")
        if not isinstance(self.sample_s, int | float) or isinstance(self.sample_s, bool) or not 0 < self.sample_s < 1e9:
            raise ConfigError(f"sample_s must be more than 0 seconds, and less than 1e9, not {self.sample_s!r}")
        ticks = self.tick_samples
        if not isinstance(ticks, int) or isinstance(ticks, bool) or not 1 <= ticks < 1 << 31:
            raise ConfigError(f"tick_samples must be a whole number from 1 to 2^31 - 1, not {ticks!r}")
        if self.reference_step_S and self.device.quanta(self.reference_step_S) < 1:
            raise ConfigError(
                f"reference_step_S = {self.reference_step_S!r} must be at least quantum_S = {self.device.quantum_S!r}"
            )
        self._check_pairs()

    @property
    def moved(self) -> int:
        """Devices of a pair that pulses move."""
        return 2 if self.pair is Pair.PUSH_PULL else 1

    def steps(self, digit_max: int, pulses_per_step: int = 1) -> Steps:
        """What pulses do in an array of cells up to `digit_max`; raises as `whole_steps`."""
        return whole_steps(self.device, digit_max, pulses_per_step, self.moved)

    def to_dict(self) -> dict[str, Any]:
        """Fields as plain values, as TOML and JSON take them."""
        values = asdict(self)
        if self.wires is None:
            del values["wires"]
        if self.device.lower_bound_spread is None:
            del values["device"]["lower_bound_spread"]
        return values

    def to_toml(self) -> str:
        """The configuration as a TOML document that `from_toml` reads back."""
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, where: str = "array") -> Self:
        """Build a configuration from plain values; ``like`` names the preset to start from.

        Raises
        ------
        ConfigError
            Naming `where` and the key at fault.
        """
        values = dict(values)
        base = array_preset(values.pop(LIKE)) if LIKE in values else cls()
        try:
            tables = {name: _table(values, name, kind) for name, kind in (("device", Device), ("wires", Wires))}
            _check_keys(values, [f.name for f in fields(cls) if f.name not in tables], "")
            device, wires = replace(base.device, **tables["device"]), base.wires
            if tables["wires"]:
                wires = _wires(base.wires, tables["wires"])
            return replace(base, device=device, wires=wires, **values)  # type: ignore[return-value]
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

    def _check_pairs(self) -> None:
        thinning, shifts = self.thinning, self.zero_shifting
        if not isinstance(thinning, int | float) or isinstance(thinning, bool) or not -1 < thinning < 1:
            raise ConfigError(f"thinning must be between -1 and 1, not {thinning!r}")
        try:
            object.__setattr__(self, "pair", Pair(self.pair))
        except ValueError:
            raise ConfigError(f"pair must be one of {', '.join(Pair)}, not {self.pair!r}") from None
        if not isinstance(shifts, int) or isinstance(shifts, bool) or not 0 <= shifts <= MOST_ZERO_SHIFTING:
            raise ConfigError(f"zero_shifting must be a whole number from 0 to {MOST_ZERO_SHIFTING:,}, not {shifts!r}")
        if shifts and self.pair is not Pair.REFERENCE:
            raise ConfigError(f"zero_shifting places references: it needs pair = {Pair.REFERENCE}, not {self.pair}")


def array_preset(name: str) -> ArrayConfig:
    """Return the array preset `name`.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    try:
        return ARRAYS[name]
    except (KeyError, TypeError):
        raise ConfigError(f"there is no array {name!r}; the arrays are {', '.join(ARRAYS)}") from None


def named_array(name: object) -> ArrayConfig:
    """The array of a preset or of a file; a name with a slash or that ends in .toml is a file's.

    Raises
    ------
    ConfigError
        If there is no such preset, or the file is wrong.
    """
    if not isinstance(name, str):
        raise ConfigError(f"an array must be a preset or a file, not {name!r}")
    return ArrayConfig.from_toml(name) if name.endswith(".toml") or os.sep in name else array_preset(name)


def _table(values: dict[str, Any], name: str, kind: type) -> dict[str, Any]:
    """Take a table of the fields of `kind` out of `values`."""
    table = values.pop(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{name} must be a table")
    _check_keys(table, [f.name for f in fields(kind)], f"{name}.")
    return table


def _wires(base: Wires | None, values: dict[str, Any]) -> Wires:
    if base is not None:
        return replace(base, **values)
    for name in ("row_ohm", "column_ohm"):
        if name not in values:
            raise ConfigError(f"wires.{name} is missing")
    return Wires(**values)


def _check_keys(values: dict[str, Any], known: list[str], prefix: str) -> None:
    for key in values:
        if key not in known:
            raise ConfigError(
                f"unknown key {prefix + key!r}; the keys are {', '.join(prefix + name for name in known)}"
            )


_SOURCE = "NeuroSim V3.0 (Luo, Peng, Yu, ICONS 2019), Table II"

# Means over the range, of exponents that depend on the state.
_DRIFT = "drift: Nandakumar et al., ICECS 2019; aihwkit 1.1, PCMLikeNoiseModel"

ARRAYS = {
    "ideal": ArrayConfig(),
    "taox": ArrayConfig(
        device=Device(
            g_min_S=1e-6,
            g_max_S=10e-6,
            states=128,
            response=Response.EXPONENTIAL,
            set_nonlinearity=0.04,
            reset_nonlinearity=-0.63,
            cycle_spread_of_range=0.037,
            set_voltage_V=1.6,
            reset_voltage_V=1.6,
            pulse_s=50e-9,
            source=f"TaOx/TiO2: {_SOURCE}",
        )
    ),
    "alox_hfo2": ArrayConfig(
        device=Device(
            g_min_S=13e-6,
            g_max_S=59e-6,
            states=40,
            response=Response.EXPONENTIAL,
            set_nonlinearity=1.94,
            reset_nonlinearity=-0.61,
            cycle_spread_of_range=0.05,
            set_voltage_V=0.9,
            reset_voltage_V=1.0,
            pulse_s=100e-6,
            source=f"AlOx/HfO2: {_SOURCE}",
        )
    ),
    "gst_pcm": ArrayConfig(
        device=Device(
            g_min_S=1e-6,
            g_max_S=19.8e-6,
            states=100,
            response=Response.EXPONENTIAL,
            set_nonlinearity=0.105,
            reset_nonlinearity=2.4,
            cycle_spread_of_range=0.015,
            drift=0.05,
            drift_spread=0.012,
            drift_t0_s=20.0,
            set_voltage_V=0.9,
            reset_voltage_V=0.9,
            pulse_s=5e-6,
            source=f"GST PCM: {_SOURCE}; {_DRIFT}",
        ),
        sample_s=0.01,
    ),
    "epiram": ArrayConfig(
        device=Device(
            g_min_S=0.246e-6,
            g_max_S=12.35e-6,
            states=64,
            response=Response.EXPONENTIAL,
            set_nonlinearity=0.5,
            reset_nonlinearity=-0.5,
            cycle_spread_of_range=0.02,
            set_voltage_V=5.0,
            reset_voltage_V=3.0,
            pulse_s=5e-6,
            source=f"EpiRAM (Ag:SiGe): {_SOURCE}",
        )
    ),
    # aihwkit's weights are from -1 to 1. Where they are 0 a device steps by 0.4622 exp(0.7125 X), with dw_min and
    # dw_min_dtod: by 0.5958 in the mean, 0.298 of the range, with a relative standard deviation of 0.8133. Soft bounds
    # step by 1 / P there, so P = 3.36 pulses, to the nearest 3, and 4 states. Its imbalance, up_down_dtod = 0.01, is
    # added to SET and taken from RESET: twice that as a mismatch. Bounds spread by w_max_dtod = 0.4295 and w_min_dtod =
    # 0.5990 of half a range.
    # Not as there: the imbalance is relative to a device's own steps, there to dw_min. Steps go with a device's own
    # range, and SET and RESET are equal in its middle; there no bound changes what they are where weights are 0, and
    # they are equal there. Bounds end at the middle, and lower ones at 0 S, where 17 % of them are; there they are
    # turned over at the middle. Noise of a pulse goes with its step; there it is the same from end to end. Bad cells, a
    # tenth (as measured; none in that preset), are half stuck on and half stuck off, not near 0. Noise of what was
    # written (write_noise_std) and of the reference (reference_std) is left out.
    "hfox_array": ArrayConfig(
        device=Device(
            g_min_S=50e-6,
            g_max_S=225e-6,
            states=4,
            response=Response.SOFT_BOUNDS,
            cycle_spread_of_step=0.2174,
            step_spread=0.8133,
            mismatch_spread=0.02,
            bound_spread=0.2148,
            lower_bound_spread=0.2995,
            stuck_on=0.05,
            stuck_off=0.05,
            source="HfO2 array: Gong, Rasch et al., IEDM 2022; aihwkit 1.1, ReRamArrayHfO2PresetDevice",
        )
    ),
}
