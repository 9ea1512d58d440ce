"""The studies of devices: what the machine, and backpropagation beside it, come to on each."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from ...model.config import Config
from ...model.errors import ConfigError
from ...model.study import Learner, Row, Study
from .config import ARRAYS, ArrayConfig
from .device import Device, whole_steps
from .learners import ArrayLearner, InSituLearner
from .noise import ONE
from .wiring import Wires

DEVICE_STUDIES = ("devices", "nonidealities", "remedies")
ONE_CELL, CARRY, PULSES, ACCUMULATED = "one_cell", "carry", "pulses", "accumulated"
MACHINES = {ONE_CELL: "one bit, one cell a weight", CARRY: "one bit, several cells, carry"}
FLOATS = {PULSES: "float, whole pulses", ACCUMULATED: "float, accumulated, whole pulses"}
SERIES = MACHINES | FLOATS
HELD_OUT = 10_000
IDEAL = Device(g_min_S=1e-6, g_max_S=10e-6, states=128)
SETTINGS = "settings.toml"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a device study is made on.

    Attributes
    ----------
    sizes : tuple of int
    data : str
    validation : int
        Held out for the study of non-idealities.
    most_epochs : int
    devices_seeds, nonidealities_seeds : tuple of int
    suffix : str
        Of the study's name.
    """

    sizes: tuple[int, ...]
    data: str
    validation: int
    most_epochs: int
    devices_seeds: tuple[int, ...]
    nonidealities_seeds: tuple[int, ...]
    suffix: str


FULL = Scale(
    sizes=(784, 256, 10),
    data="mnist",
    validation=HELD_OUT,
    most_epochs=100_000,
    devices_seeds=(0, 1, 2),
    nonidealities_seeds=(0,),
    suffix="",
)
QUICK = Scale(
    sizes=(64, 32, 10),
    data="digits",
    validation=300,
    most_epochs=3,
    devices_seeds=(0,),
    nonidealities_seeds=(0,),
    suffix="-quick",
)


@dataclass(frozen=True, kw_only=True)
class Level:
    """How much there is of a non-ideality.

    Attributes
    ----------
    label : str
    array : ArrayConfig
    bits : int
        What `weight_bits` are raised by, for devices of more or fewer states.
    """

    label: str
    array: ArrayConfig
    bits: int = 0


@dataclass(frozen=True, kw_only=True)
class Nonideality:
    """A non-ideality and its levels.

    Attributes
    ----------
    title : str
    unit : str
        Of the levels.
    levels : tuple of Level
    series : tuple of str
        Which learners are compared, as in the settings.
    """

    title: str
    unit: str
    levels: tuple[Level, ...]
    series: tuple[str, ...] = (ONE_CELL, CARRY, PULSES)


def find_device_study(name: str, quick: bool = False) -> Study:
    """The study `name`, or its quick version on digits.

    Raises
    ------
    ConfigError
        If there is none, or the settings are none of possible learners.
    """
    scale = QUICK if quick else FULL
    if name == "devices":
        return _devices(scale)
    if name == "nonidealities":
        title = "What each non-ideality costs, on a device that is ideal otherwise"
        return _levels(name, title, nonidealities(), scale)
    if name == "remedies":
        from .remedies import remedies  # which stands on this module

        return _levels(name, "What helps against mismatch and soft bounds", remedies(), scale)
    raise ConfigError(f"there is no study of devices called {name!r}; there are {', '.join(DEVICE_STUDIES)}")


@cache
def settings() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """The learners' settings, by array, or ``nonidealities``, and series."""
    return tomllib.loads(files(__package__).joinpath(SETTINGS).read_text(encoding="utf-8"))


def level_label(level: Level, series: str) -> str:
    """The label of a level's row."""
    return f"{level.label}: {SERIES[series]}"


def nonidealities() -> tuple[Nonideality, ...]:
    """All non-idealities, each alone on a device that is ideal otherwise."""
    machines = (ONE_CELL, CARRY)
    return (
        _shares("cycle-to-cycle spread", "% of a step", "cycle_spread_of_step", (0, 100, 400)),
        _shares("device-to-device spread of steps", "%", "step_spread", (0, 30)),
        _shares("device-to-device spread of bounds", "% of the range", "bound_spread", (0, 10, 30)),
        Nonideality(
            title="stuck devices",
            unit="%, half of them on",
            levels=tuple(_level(str(share), stuck_on=share / 200, stuck_off=share / 200) for share in (0, 5, 10)),
        ),
        _shares("read noise", "% of a conductance", "read_noise", (0, 5), machines),
        _shares("mismatch of SET and RESET", "%", "mismatch", (0, 30)),
        _shares("device-to-device spread of mismatch", "%", "mismatch_spread", (0, 10, 30)),
        Nonideality(
            title="nonlinearity",
            unit="label of SET, less for RESET",
            levels=(
                _level("0"),
                *(_nonlinear(label) for label in (1, 4)),
                _level("soft bounds", response="soft_bounds"),
            ),
        ),
        Nonideality(
            title="states",
            unit="",
            levels=tuple(
                Level(label=str(1 << bits), array=ArrayConfig(device=replace(IDEAL, states=1 << bits)), bits=bits - 7)
                for bits in (7, 6, 5)
            ),
        ),
        Nonideality(
            title="comparator noise",
            unit="LSB of one cell",
            levels=tuple(_periphery(lsb, "comparator_noise_S") for lsb in (0, 8, 32)),
            series=machines,
        ),
        Nonideality(
            title="comparator offset",
            unit="LSB of one cell",
            levels=tuple(_periphery(lsb, "comparator_offset_S") for lsb in (0, 8, 32)),
            series=machines,
        ),
        Nonideality(
            title="step of the references",
            unit="LSB of one cell",
            levels=tuple(_periphery(lsb, "reference_step_S") for lsb in (0, 8, 32)),
            series=machines,
        ),
        Nonideality(
            title="telegraph noise of all devices",
            unit="% of a conductance",
            levels=(_level("0"), *(_trapped(amplitude) for amplitude in (10, 30))),
        ),
        Nonideality(
            title="drift",
            unit="exponent, 20 s after a pulse on",
            levels=(_level("0"), *(_drifting(exponent) for exponent in (0.05, 0.1))),
        ),
        Nonideality(
            title="endurance",
            unit="pulses, spread by half",
            levels=(_level("for ever"), *(_mortal(pulses) for pulses in (100_000, 10_000, 1_000))),
        ),
        Nonideality(
            title="half-selects",
            unit="of a step",
            levels=(_level("0"), *(_level(f"{share:.0e}", half_select=share) for share in (1e-5, 1e-4, 1e-3))),
        ),
        Nonideality(
            title="wires",
            unit="ohm a cell",
            levels=(_level("0"), *(_wired(ohm) for ohm in (2.12, 5.0))),
        ),
    )


def _devices(scale: Scale) -> Study:
    rows = []
    for name, array in ARRAYS.items():
        for series, label in SERIES.items():
            if series in settings()[name]:
                rows.append(Row(group=name, label=label, learner=_learner(name, series, array, scale)))
    return Study(
        name=f"devices{scale.suffix}",
        title="Learning on devices: the one-bit machine and backpropagation with whole pulses",
        data=scale.data,
        validation=0,
        seeds=scale.devices_seeds,
        rows=tuple(rows),
    )


def _levels(name: str, title: str, kinds: tuple[Nonideality, ...], scale: Scale) -> Study:
    """A study of all levels of `kinds`, with the settings for non-idealities."""
    rows = [
        Row(
            group=kind.title,
            label=level_label(level, series),
            learner=_learner("nonidealities", series, level.array, scale, level.bits),
        )
        for kind in kinds
        for level in kind.levels
        for series in kind.series
    ]
    return Study(
        name=f"{name}{scale.suffix}",
        title=title,
        data=scale.data,
        validation=scale.validation,
        seeds=scale.nonidealities_seeds,
        rows=tuple(rows),
    )


def _learner(name: str, series: str, array: ArrayConfig, scale: Scale, bits: int = 0) -> Learner:
    """The learner of a section of the settings, its weights of so many bits more."""
    values = dict(settings()[name][series])
    where = f"{SETTINGS}: {name}.{series}"
    epochs = min(values.pop("epochs"), scale.most_epochs)
    if series == CARRY:
        return ArrayLearner(config=_with_carry(values, scale, epochs, array, where), array=array)
    values |= {"weight_bits": values["weight_bits"] + bits, "scale": _shifted(values["scale"], bits)}
    if series in FLOATS:
        return InSituLearner(sizes=scale.sizes, epochs=epochs, array=array, options=values)
    config = Config.from_dict({"sizes": scale.sizes, "epochs": epochs, **values}, where=where)
    return ArrayLearner(config=config, array=array)


def _with_carry(values: dict[str, Any], scale: Scale, epochs: int, array: ArrayConfig, where: str) -> Config:
    """A machine with carry; where devices have too few states a step is of fewer pulses."""
    config = Config.from_dict({"sizes": scale.sizes, "epochs": epochs, **values}, where=where)
    if array.device.states == 0:
        return config
    most = (array.device.states - 1) // (2 * config.digit_max)
    return replace(config, pulses_per_step=max(min(config.pulses_per_step, most), 1))


def _shifted(value: int, bits: int) -> int:
    return value << bits if bits > 0 else max(value >> -bits, 1)


def _shares(
    title: str, unit: str, field: str, levels: tuple[float, ...], series: tuple[str, ...] = (ONE_CELL, CARRY, PULSES)
) -> Nonideality:
    """Levels of a field that is a share, in per cent."""
    return Nonideality(
        title=title,
        unit=unit,
        levels=tuple(_level(f"{level:g}", **{field: level / 100}) for level in levels),
        series=series,
    )


def _level(label: str, **fields: Any) -> Level:
    return Level(label=label, array=ArrayConfig(device=replace(IDEAL, **fields)))


def _nonlinear(label: float) -> Level:
    return _level(f"{label:g}", response="exponential", set_nonlinearity=label, reset_nonlinearity=-label)


def _periphery(lsb: float, field: str) -> Level:
    siemens = 2 * whole_steps(IDEAL, 63).half_lsb / ONE * IDEAL.quantum_S
    array = replace(ArrayConfig(device=IDEAL), **{field: lsb * siemens})  # type: ignore[arg-type]
    return Level(label=f"{lsb:g}", array=array)


def _trapped(amplitude: float) -> Level:
    return _level(f"{amplitude:g}", trap_share=1.0, trap_amplitude=amplitude / 100)


def _drifting(exponent: float) -> Level:
    """Devices that drift, a quarter more or less, at the pace of the preset that does."""
    pace = ARRAYS["gst_pcm"]
    device = replace(IDEAL, drift=exponent, drift_spread=exponent / 4, drift_t0_s=pace.device.drift_t0_s)
    array = ArrayConfig(device=device, sample_s=pace.sample_s, tick_samples=pace.tick_samples)
    return Level(label=f"{exponent:g}", array=array)


def _mortal(pulses: int) -> Level:
    return _level(f"{pulses:,}", endurance=pulses, endurance_spread=0.5)


def _wired(ohm: float) -> Level:
    return Level(label=f"{ohm:g}", array=ArrayConfig(device=IDEAL, wires=Wires(row_ohm=ohm, column_ohm=ohm)))
