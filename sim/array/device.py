"""What a device does at a pulse, as equations, and as the whole numbers that the array computes with."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from functools import cache
from math import isfinite
from typing import NamedTuple

from ...model.errors import ConfigError

PRECISION = 50
LABEL_PER_DISTANCE = Decimal("10.1015")
LARGEST_LABEL = 9
STEP_OF_NO_STATES = 16
MOST_PULSES = 1 << 31
SMALLEST_HALF_SELECT = 1e-9
Affine = tuple[Decimal, Decimal]


class Response(StrEnum):
    """How the steps of a device depend on its position x in the range, 0 <= x <= 1, over P pulses from end to end.

    Attributes
    ----------
    LINEAR
        Steps of 1 / P.
    EXPONENTIAL
        x = B (1 - exp(-p / A)) after p pulses (Chen, Peng, Yu, "NeuroSim+", IEDM 2017): SET steps are
        (1 - exp(-1 / A)) (B - x), RESET steps (exp(1 / A') - 1) (B' - x), with B = 1 / (1 - exp(-P / A)).
    SOFT_BOUNDS
        SET adds 2 (1 - x) / P and RESET takes 2 x / P (Fusi, Abbott, "Limits on the memory storage capacity of bounded
        synapses", Nature Neuroscience 10, 2007).
    """

    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    SOFT_BOUNDS = "soft_bounds"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A kind of memristor; each of an array differs from it by its spread.

    Parameters
    ----------
    g_min_S, g_max_S : float
        Range of conductance, in siemens.
    states : int
        States from end to end, a pulse apart; 0 means as many as the cells of the machine have levels, and `g_max_S`
        accordingly.
    response : Response
    set_nonlinearity, reset_nonlinearity : float
        NeuroSim's labels, -9 to 9, of the exponential response; the usual soft approach to G_min has a negative one.
    cycle_spread_of_range, cycle_spread_of_step : float
        Standard deviation of a pulse's step, as shares of the range and of the step.
    step_spread : float
        Relative standard deviation of the devices' steps, lognormal.
    mismatch, mismatch_spread : float
        What SET steps are larger than RESET steps, relative to their mean, and its standard deviation.
    bound_spread : float
        Standard deviation of each end of the devices' ranges, as a share of the range.
    lower_bound_spread : float, optional
        That of the lower end, where it is another.
    stuck_on, stuck_off : float
        Shares of devices that stay at `g_max_S` and at `g_min_S`.
    read_noise : float
        Standard deviation of a device's conductance from read to read, relative to it.
    trap_share, trap_amplitude : float
        Share of devices with a trap, and what an occupied one takes from their conductance, relative to it (random
        telegraph noise).
    trap_samples : int
        Training samples from one draw of the traps' states to the next; a state lasts for two of these on average.
    drift, drift_spread : float
        Exponent nu of the decay (t / t0)^-nu of what reads see since a device's last pulse, and its standard deviation
        between devices.
    drift_t0_s : float
        t0, in seconds after a pulse: when the conductance is what the pulse made of it.
    endurance : int
        Pulses after which a device no longer switches, on average; 0 means never.
    endurance_spread : float
        Its relative standard deviation, lognormal.
    half_select : float
        What half a pulse's voltage moves a device by, as a share of a pulse's step.
    quantum_S : float
        What conductances are whole multiples of, in siemens.
    set_voltage_V, reset_voltage_V, read_voltage_V, pulse_s : float
        For energies: amplitude of the pulses and reads, and the pulses' width.
    source : str
        Where the values are from.

    Raises
    ------
    ConfigError
        If a value is impossible.
    """

    g_min_S: float = 1e-6
    g_max_S: float = 0.0
    states: int = 0
    response: Response = Response.LINEAR
    set_nonlinearity: float = 0.0
    reset_nonlinearity: float = 0.0
    cycle_spread_of_range: float = 0.0
    cycle_spread_of_step: float = 0.0
    step_spread: float = 0.0
    mismatch: float = 0.0
    mismatch_spread: float = 0.0
    bound_spread: float = 0.0
    lower_bound_spread: float | None = None
    stuck_on: float = 0.0
    stuck_off: float = 0.0
    read_noise: float = 0.0
    trap_share: float = 0.0
    trap_amplitude: float = 0.0
    trap_samples: int = 1000
    drift: float = 0.0
    drift_spread: float = 0.0
    drift_t0_s: float = 1.0
    endurance: int = 0
    endurance_spread: float = 0.0
    half_select: float = 0.0
    quantum_S: float = 1e-8
    set_voltage_V: float = 1.0
    reset_voltage_V: float = 1.0
    read_voltage_V: float = 0.2
    pulse_s: float = 1e-7
    source: str = ""

    def __post_init__(self) -> None:
        _check_device(self)

    def steps(self) -> tuple[Affine, Affine]:
        """(c_0, c_1) of SET and of RESET: the step at position x of the range is c_0 + c_1 x, 0 <= x <= 1.

        Raises
        ------
        ConfigError
            If the number of states is still open.
        """
        if self.states == 0:
            raise ConfigError("the number of states is open: it follows from the machine's weight_bits")
        with localcontext(prec=PRECISION):
            pulses = Decimal(self.states - 1)
            if self.response is Response.SOFT_BOUNDS:
                return (2 / pulses, -2 / pulses), (Decimal(0), 2 / pulses)
            return (
                _exponential_set(_decimal(self.set_nonlinearity), pulses),
                _exponential_reset(_decimal(self.reset_nonlinearity), pulses),
            )

    @property
    def bound_spreads(self) -> tuple[float, float]:
        """Standard deviations of the lower and of the upper end of the devices' ranges, as shares of the range."""
        lower = self.bound_spread if self.lower_bound_spread is None else self.lower_bound_spread
        return lower, self.bound_spread

    def quanta(self, siemens: float) -> int:
        """`siemens` in quanta, rounded to the nearest."""
        with localcontext(prec=PRECISION):
            return to_integer(_decimal(siemens) / _decimal(self.quantum_S))

    def bounds(self, digit_max: int, pulses_per_step: int = 1) -> tuple[int, int]:
        """G_min and G_max in quanta, in an array of cells up to `digit_max`."""
        low = self.quanta(self.g_min_S)
        if self.states == 0:
            return low, low + 2 * digit_max * pulses_per_step * STEP_OF_NO_STATES
        return low, self.quanta(self.g_max_S)

    def with_states(self, digit_max: int, pulses_per_step: int = 1) -> "Device":
        """The device of an array of cells up to `digit_max`: the number of states settled, and room for the cells.

        Raises
        ------
        ConfigError
            If it has fewer states than the cells have levels.
        """
        levels = 2 * digit_max + 1
        needed = 2 * digit_max * pulses_per_step + 1
        if self.states == 0:
            low, high = self.bounds(digit_max, pulses_per_step)
            g_max = float(high * _decimal(self.quantum_S))
            return _replaced(self, states=needed, g_max_S=g_max, g_min_S=float(low * _decimal(self.quantum_S)))
        if needed > self.states:
            most = ((self.states - 1) // pulses_per_step + 1).bit_length() - 1
            apart = f", {pulses_per_step} pulses apart" if pulses_per_step > 1 else ""
            lower = f"lower weight_bits to {most}" if most > 1 else "lower pulses_per_step"
            raise ConfigError(
                f"weight_bits asks for {levels} levels a cell{apart}, but a device has {self.states} states: "
                f"{lower}, or spread the weights over several cells with carry_digits"
            )
        return self


class Steps(NamedTuple):
    """Steps in whole numbers, of a device without spread.

    Attributes
    ----------
    low, high : int
        Range, in quanta.
    half_lsb : int
        Of a cell, in 2^-16 quanta.
    device_lsb : int
        What an LSB of a cell is of each of its devices that pulses move, in 2^-16 quanta.
    set_intercept, reset_intercept : int
        Step at the lower end, in 2^-16 quanta.
    set_slope, reset_slope : int
        What a step changes by a quantum, in 2^-24.
    """

    low: int
    high: int
    half_lsb: int
    device_lsb: int
    set_intercept: int
    reset_intercept: int
    set_slope: int
    reset_slope: int


def whole_steps(device: Device, digit_max: int, pulses_per_step: int = 1, moved: int = 2) -> Steps:
    """The pulses of `device` in an array of cells up to `digit_max`, a step of which takes `pulses_per_step`.

    A step moves so many devices of a pair, `moved`.
    """
    device = device.with_states(digit_max, pulses_per_step)
    low, high = device.bounds(digit_max, pulses_per_step)
    if high - low < device.states - 1:
        raise ConfigError(
            f"quantum_S = {device.quantum_S!r} is too coarse: the range of {high - low} quanta is less than one "
            f"for each of {device.states - 1} steps"
        )
    with localcontext(prec=PRECISION):
        (set_0, set_1), (reset_0, reset_1) = device.steps()
        span = Decimal(high - low) * (1 << 16)
        step = (set_0 + set_1 / 2 + reset_0 + reset_1 / 2) / 2 * span * pulses_per_step
        half_lsb = to_integer(step * moved / 2)
        return Steps(
            low=low,
            high=high,
            half_lsb=half_lsb,
            device_lsb=2 * half_lsb // moved,
            set_intercept=to_integer(set_0 * span),
            reset_intercept=to_integer(reset_0 * span),
            set_slope=to_integer(set_1 * (1 << 24)),
            reset_slope=to_integer(reset_1 * (1 << 24)),
        )


def to_integer(value: Decimal) -> int:
    """The nearest whole number, halves to even."""
    return int(value.to_integral_value(ROUND_HALF_EVEN))


def fixed_point(value: float, bits: int = 16) -> int:
    """`value` in units of 2^-bits."""
    with localcontext(prec=PRECISION):
        return to_integer(_decimal(value) * (1 << bits))


@cache
def curvature(label: Decimal) -> Decimal:
    """P/A of a label of NeuroSim's tables: the curve's largest distance from the straight line is label / 10.1015.

    The curve is y(x) = B (1 - exp(-a x)), B = 1 / (1 - exp(-a)), a = P/A; it is B - 1/a - ln(a B)/a above the line.
    """
    wanted = abs(label) / LABEL_PER_DISTANCE
    low, high = Decimal("1e-9"), Decimal(1000)
    with localcontext(prec=PRECISION):
        for _ in range(120):
            middle = (low + high) / 2
            low, high = (middle, high) if _distance(middle) < wanted else (low, middle)
    return low.copy_sign(label)


def _distance(a: Decimal) -> Decimal:
    top = 1 / (1 - (-a).exp())
    return top - 1 / a - (a * top).ln() / a


def _exponential_set(label: Decimal, pulses: Decimal) -> Affine:
    if label == 0:
        return 1 / pulses, Decimal(0)
    a = curvature(label)
    alpha = 1 - (-a / pulses).exp()
    return alpha / (1 - (-a).exp()), -alpha


def _exponential_reset(label: Decimal, pulses: Decimal) -> Affine:
    if label == 0:
        return 1 / pulses, Decimal(0)
    a = curvature(label)
    beta = (a / pulses).exp() - 1
    return beta / (1 - (-a).exp()), -beta


def _decimal(value: float) -> Decimal:
    """The decimal that `value` is written as."""
    return Decimal(repr(float(value)))


def _replaced(device: Device, **changes: float) -> Device:
    from dataclasses import replace

    return replace(device, **changes)  # type: ignore[arg-type]


def _check_device(device: Device) -> None:
    for name in ("g_min_S", "quantum_S", "set_voltage_V", "reset_voltage_V", "read_voltage_V", "pulse_s", "drift_t0_s"):
        _check(device, name, lambda value: value > 0, "more than 0")
    if device.states:
        _check(device, "g_max_S", lambda value: value > device.g_min_S, f"more than g_min_S = {device.g_min_S!r}")
    elif device.g_max_S:
        raise ConfigError(
            f"g_max_S must be 0 where states is 0, for the range follows from the machine then, not {device.g_max_S!r}"
        )
    if not _is_whole(device.states) or (device.states != 0 and not 2 <= device.states <= 1 << 16):
        raise ConfigError(f"states must be 0, or from 2 to 65,536, not {device.states!r}")
    try:
        object.__setattr__(device, "response", Response(device.response))
    except ValueError:
        raise ConfigError(f"response must be one of {', '.join(Response)}, not {device.response!r}") from None
    for name in ("set_nonlinearity", "reset_nonlinearity"):
        _check(device, name, lambda value: abs(value) <= LARGEST_LABEL, "from -9 to 9")
        if getattr(device, name) and device.response is not Response.EXPONENTIAL:
            raise ConfigError(f"{name} belongs to response = exponential, not to {device.response}")
    for name in ("cycle_spread_of_range", "read_noise", "stuck_on", "stuck_off", "bound_spread", "trap_share"):
        _check(device, name, lambda value: 0 <= value <= 1, "from 0 to 1")
    for name in ("trap_amplitude", "drift", "drift_spread", "half_select"):
        _check(device, name, lambda value: 0 <= value <= 1, "from 0 to 1")
    if device.lower_bound_spread is not None:
        _check(device, "lower_bound_spread", lambda value: 0 <= value <= 1, "from 0 to 1")
    for name in ("cycle_spread_of_step", "step_spread", "mismatch_spread", "endurance_spread"):
        _check(device, name, lambda value: 0 <= value <= 10, "from 0 to 10")
    _check(device, "mismatch", lambda value: abs(value) < 2, "between -2 and 2")
    if not _is_whole(device.trap_samples) or not 1 <= device.trap_samples < MOST_PULSES:
        raise ConfigError(f"trap_samples must be a whole number from 1 to 2^31 - 1, not {device.trap_samples!r}")
    if not _is_whole(device.endurance) or not 0 <= device.endurance < MOST_PULSES:
        raise ConfigError(f"endurance must be a whole number from 0 to 2^31 - 1, not {device.endurance!r}")
    for name, needed in (
        ("trap_amplitude", "trap_share"),
        ("trap_share", "trap_amplitude"),
        ("endurance_spread", "endurance"),
    ):
        if getattr(device, name) and not getattr(device, needed):
            raise ConfigError(f"{name} does nothing without {needed}: give both, or neither")
    if 0 < device.half_select < SMALLEST_HALF_SELECT:
        raise ConfigError(f"half_select must be 0, or from {SMALLEST_HALF_SELECT} to 1, not {device.half_select!r}")
    if device.stuck_on + device.stuck_off > 1:
        raise ConfigError(f"stuck_on + stuck_off must be at most 1, not {device.stuck_on + device.stuck_off}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check(device: Device, name: str, legal, what: str) -> None:  # type: ignore[no-untyped-def]
    value = getattr(device, name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or not legal(value):
        raise ConfigError(f"{name} must be {what}, not {value!r}")
