"""A device fitted to measured pulse curves (section 13: a pulse is an affine step).

A pulse moves the position x in a device's range by c_0 + c_1 x, plus noise. Least squares over all steps of a direction
give c_0 and c_1, hence the exponential curve's number of pulses from end to end and its nonlinearity; what is left over
is the spread from cycle to cycle. Steps that end at the ends of a device's range were cut off there; where there is
noise, leaving them out would bend the line, and the likelihood of having been cut off takes their place.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, log1p, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from ...model.errors import DataError
from .device import LABEL_PER_DISTANCE, LARGEST_LABEL, Device, Response
from .pulse_curves import PulseCurve

STRAIGHT = 0.02
END = 1e-9
CLEAR = 1e-3
MOST_STATES = 1 << 16
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """A device and how well it describes the curves.

    Attributes
    ----------
    device : Device
    set_residual_S, reset_residual_S : float
        Standard deviation of what steps differ from the fitted ones, in siemens.
    set_pulses, reset_pulses : float
        Pulses from end to end.
    steps : int
        Steps that were fitted.
    """

    device: Device
    set_residual_S: float
    reset_residual_S: float
    set_pulses: float
    reset_pulses: float
    steps: int


@dataclass(frozen=True)
class _Steps:
    """Positions before and after each pulse."""

    before: Values
    after: Values

    @property
    def at_top(self) -> NDArray[np.bool_]:
        """Steps that the upper end cut off."""
        return np.asarray(self.after >= 1 - END)

    @property
    def at_bottom(self) -> NDArray[np.bool_]:
        """Steps that the lower end cut off."""
        return np.asarray(self.after <= END)


@dataclass(frozen=True)
class _Direction:
    """Least squares of one direction, in shares of the range; RESET is turned over, so that both lead from 0 to 1."""

    offset: float
    slope: float
    positions: Values
    residuals: Values

    @property
    def predicted(self) -> Values:
        return self.offset + self.slope * self.positions

    @property
    def pulses(self) -> float:
        """Pulses from end to end; steps that end before the bound count as soft ones."""
        if abs(self.slope) < 1e-9:
            return 1 / self.offset
        arrived = max(1 + self.slope / self.offset, exp(-_largest_curvature()))
        return log(arrived) / log1p(self.slope)

    @property
    def curvature(self) -> float:
        """Pulses from end to end over the curve's A; positive where steps shrink."""
        return -self.pulses * log1p(self.slope)


def fit_device(curves: Sequence[PulseCurve], *, quantum_S: float = 1e-8, source: str = "") -> Fit:
    """Fit a device to measured curves of one or more devices.

    Parameters
    ----------
    curves : sequence of PulseCurve
        Both directions.
    quantum_S : float
        What conductances of the device are multiples of, in siemens.
    source : str
        Written into the device.

    Raises
    ------
    DataError
        If the curves do not rise under SET and fall under RESET, or a quantum is more than a step.
    """
    lows, highs = _ends(curves)
    low, low_spread = _mean_and_spread(lows)
    high, high_spread = _mean_and_spread(highs)
    span = high - low
    rising = _fit(_steps([(c.conductances_S, lows[c.device], highs[c.device]) for c in curves if c.direction == "set"]))
    falling = _fit(
        _steps([(-c.conductances_S, -highs[c.device], -lows[c.device]) for c in curves if c.direction == "reset"]),
        "fall under reset",
    )
    response = _response(rising, falling)
    steps = (rising.offset + rising.slope / 2, falling.offset + falling.slope / 2)
    rates = steps if response is Response.SOFT_BOUNDS else (1 / rising.pulses, 1 / falling.pulses)
    of_range, of_step = _cycle_spread(rising, falling)
    device = Device(
        g_min_S=low,
        g_max_S=high,
        states=min(max(2, round(2 / sum(rates)) + 1), MOST_STATES),
        response=response,
        set_nonlinearity=_label(rising.curvature) if response is Response.EXPONENTIAL else 0.0,
        reset_nonlinearity=-_label(falling.curvature) if response is Response.EXPONENTIAL else 0.0,
        mismatch=round(2 * (rates[0] - rates[1]) / sum(rates), 4),
        cycle_spread_of_range=of_range,
        cycle_spread_of_step=of_step,
        step_spread=_step_spread(curves),
        bound_spread=_as_share(high_spread, span),
        lower_bound_spread=_as_share(low_spread, span),
        quantum_S=quantum_S,
        source=source,
    )
    _check_quantum(device)
    return Fit(
        device=device,
        set_residual_S=float(rising.residuals.std() * span),
        reset_residual_S=float(falling.residuals.std() * span),
        set_pulses=rising.pulses,
        reset_pulses=falling.pulses,
        steps=len(rising.residuals) + len(falling.residuals),
    )


def _check_quantum(device: Device) -> None:
    steps, quanta = device.states - 1, device.quanta(device.g_max_S) - device.quanta(device.g_min_S)
    if quanta < steps:
        finest = (device.g_max_S - device.g_min_S) / steps
        raise DataError(
            f"quantum_S = {device.quantum_S!r} is too coarse for {steps} steps from {device.g_min_S:.3g} to "
            f"{device.g_max_S:.3g} S: at most {finest:.2g}, or the conductances are in another unit than siemens"
        )


def _ends(curves: Sequence[PulseCurve]) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest conductance of each device."""
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for curve in curves:
        low, high = float(curve.conductances_S.min()), float(curve.conductances_S.max())
        lows[curve.device] = min(low, lows.get(curve.device, low))
        highs[curve.device] = max(high, highs.get(curve.device, high))
    for device, low in lows.items():
        if highs[device] <= low:
            raise DataError(f"conductances of device {device} are all {low!r} S: pulses must move them")
    return lows, highs


def _mean_and_spread(ends: dict[str, float]) -> tuple[float, float]:
    """One end of the range: its mean over devices, and their standard deviation."""
    values = np.array(list(ends.values()))
    return float(values.mean()), float(values.std())


def _as_share(spread: float, span: float) -> float:
    return round(min(spread / span, 1.0), 4)


def _steps(curves: Sequence[tuple[Values, float, float]]) -> _Steps:
    """All steps of a direction, upward, in shares of each device's own range."""
    positions = [(values - low) / (high - low) for values, low, high in curves]
    before = np.concatenate([x[:-1] for x in positions])
    after = np.concatenate([x[1:] for x in positions])
    return _Steps(before, after)


def _fit(steps: _Steps, moves: str = "rise under set") -> _Direction:
    """Least squares over the steps that were not cut off; where there is noise, the likeliest line over all."""
    inside = ~(steps.at_top | steps.at_bottom)
    positions, moved = steps.before[inside], (steps.after - steps.before)[inside]
    if len(moved) < 2 or np.ptp(positions) == 0:
        raise DataError(
            f"whether conductances {moves} pulses cannot be seen: fewer than 2 steps end between the ends of the range"
        )
    slope, offset = (float(value) for value in np.polyfit(positions, moved, 1))
    deviation = float((moved - offset - slope * positions).std())
    if deviation > CLEAR:
        offset, slope = _likeliest(steps, offset, slope, deviation)
    if offset + slope / 2 <= 0:
        raise DataError(f"conductances do not {moves} pulses: in mid-range they move the other way")
    slope = max(slope, -0.999)
    return _Direction(max(offset, 1e-6), slope, positions, moved - offset - slope * positions)


def _likeliest(steps: _Steps, offset: float, slope: float, deviation: float) -> tuple[float, float]:
    """Maximum likelihood of a line with normal noise, cut off at the ends (Tobin, Econometrica 26, 1958)."""
    moved = steps.after - steps.before
    inside = ~(steps.at_top | steps.at_bottom)

    def surprise(parameters: Values) -> float:
        sigma = np.exp(parameters[2])
        z = (moved - parameters[0] - parameters[1] * steps.before) / sigma
        seen = norm.logpdf(z[inside]).sum() - inside.sum() * parameters[2]
        return -float(seen + norm.logsf(z[steps.at_top]).sum() + norm.logcdf(z[steps.at_bottom]).sum())

    found = minimize(surprise, [offset, slope, log(deviation)], method="Nelder-Mead", options={"maxiter": 4000})
    return float(found.x[0]), float(found.x[1])


def _response(rising: _Direction, falling: _Direction) -> Response:
    if any(1 + d.slope / d.offset <= exp(-_largest_curvature()) for d in (rising, falling)):
        return Response.SOFT_BOUNDS
    straight = all(_label(d.curvature) == 0 for d in (rising, falling))
    return Response.LINEAR if straight else Response.EXPONENTIAL


def _largest_curvature() -> float:
    """P/A of the largest label."""
    low, high = 1e-3, 1e3
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _distance(middle) * float(LABEL_PER_DISTANCE) < LARGEST_LABEL else (low, middle)
    return low


def _label(curvature: float) -> float:
    """NeuroSim's label of a curve, 0 where it is straight."""
    if abs(curvature) < 1e-6:
        return 0.0
    label = float(LABEL_PER_DISTANCE) * _distance(abs(curvature))
    if label < STRAIGHT:
        return 0.0
    return float(np.copysign(round(min(label, float(LARGEST_LABEL)), 3), curvature))


def _distance(a: float) -> float:
    top = 1 / -np.expm1(-a)
    return float(top - 1 / a - log(a * top) / a)


def _cycle_spread(rising: _Direction, falling: _Direction) -> tuple[float, float]:
    """Spread from cycle to cycle as a share of the range or of the step, whichever is likelier for the residuals."""
    residuals = np.concatenate([rising.residuals, falling.residuals])
    steps = np.abs(np.concatenate([rising.predicted, falling.predicted]))
    steps = np.maximum(steps, 1e-9)
    of_range = float(residuals.std())
    of_step = float(np.sqrt(np.mean((residuals / steps) ** 2)))
    if of_range < 1e-6:
        return 0.0, 0.0
    if len(residuals) * log(of_range) <= len(residuals) * log(of_step) + float(np.log(steps).sum()):
        return round(min(of_range, 1.0), 5), 0.0
    return 0.0, round(min(of_step, 10.0), 4)


def _step_spread(curves: Sequence[PulseCurve]) -> float:
    """Relative standard deviation of the devices' mean steps, less what cycles alone would give."""
    moved: dict[str, list[float]] = defaultdict(list)
    for curve in curves:
        pulses = len(curve.conductances_S) - 1
        moved[curve.device].append(abs(float(curve.conductances_S[-1] - curve.conductances_S[0])) / pulses)
    means = np.array([np.mean(values) for values in moved.values()])
    if len(means) < 2:
        return 0.0
    chance = np.mean([np.var(values, ddof=1) / len(values) if len(values) > 1 else 0.0 for values in moved.values()])
    variance = max(float(means.var(ddof=1) - chance), 0.0)
    return round(min(sqrt(variance) / float(means.mean()), 10.0), 4)
