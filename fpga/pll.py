"""Settings of PLLs: the frequency nearest below the one that is asked for, within the limits of the data sheets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..model.errors import ConfigError
from .boards import Family


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a PLL can do, in MHz and as ranges of its dividers.

    A PLL divides its input by d, multiplies it by m into an oscillator, and divides that by q:
    f_out = f_in / d * m / q.

    Attributes
    ----------
    input_MHz, detector_MHz, oscillator_MHz, output_MHz : tuple of float
        Lowest and highest frequency of the input, of the phase detector (f_in / d), of the oscillator, of the output.
    input_dividers, multipliers, output_dividers : sequence of int
        Possible d, m and q.
    """

    input_MHz: tuple[float, float]
    detector_MHz: tuple[float, float]
    oscillator_MHz: tuple[float, float]
    output_MHz: tuple[float, float]
    input_dividers: Iterable[int]
    multipliers: Iterable[int]
    output_dividers: Iterable[int]


LIMITS = {
    # iCE40 LP/HX and UltraPlus data sheets (FPGA-DS-02029, FPGA-DS-02008), sysCLOCK PLL timing; feedback path SIMPLE.
    Family.ICE40: Limits(
        input_MHz=(10, 133),
        detector_MHz=(10, 133),
        oscillator_MHz=(533, 1066),
        output_MHz=(16, 275),
        input_dividers=range(1, 17),
        multipliers=range(1, 129),
        output_dividers=[1 << power for power in range(1, 7)],
    ),
    # ECP5 data sheet (FPGA-DS-02012), sysCLOCK PLL timing.
    Family.ECP5: Limits(
        input_MHz=(8, 400),
        detector_MHz=(10, 400),
        oscillator_MHz=(400, 800),
        output_MHz=(3.125, 400),
        input_dividers=range(1, 129),
        multipliers=range(1, 81),
        output_dividers=range(1, 129),
    ),
    # Artix-7 data sheet (DS181), PLL specification of speed grade -1.
    Family.SERIES7: Limits(
        input_MHz=(19, 800),
        detector_MHz=(19, 450),
        oscillator_MHz=(800, 1600),
        output_MHz=(6.25, 800),
        input_dividers=range(1, 57),
        multipliers=range(2, 65),
        output_dividers=range(1, 129),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting of a PLL: f_out = f_in / input_divider * multiplier / output_divider."""

    input_MHz: float
    input_divider: int
    multiplier: int
    output_divider: int

    @property
    def detector_MHz(self) -> float:
        """Frequency of the phase detector."""
        return self.input_MHz / self.input_divider

    @property
    def oscillator_MHz(self) -> float:
        """Frequency of the voltage-controlled oscillator."""
        return self.input_MHz * self.multiplier / self.input_divider

    @property
    def output_MHz(self) -> float:
        """Frequency that comes out."""
        return self.input_MHz * self.multiplier / (self.input_divider * self.output_divider)


def choose_setting(family: Family, input_MHz: float, wanted_MHz: float) -> Setting:
    """The setting whose output is nearest to `wanted_MHz` without being above it.

    Of those that are level, the one with the fastest phase detector, which has the least jitter.

    Raises
    ------
    ConfigError
        If the PLL can make no such frequency.
    """
    limits = LIMITS[family]
    low, high = limits.output_MHz
    if not low <= wanted_MHz <= high:
        raise ConfigError(
            f"the PLL makes {low:g} to {high:g} MHz, not {wanted_MHz:g}; the board's clock itself is {input_MHz:g} MHz"
        )
    reachable = [setting for setting in settings(family, input_MHz) if setting.output_MHz <= wanted_MHz * (1 + 1e-9)]
    if not reachable:
        raise ConfigError(f"the PLL makes no frequency of {wanted_MHz:g} MHz or just below from {input_MHz:g} MHz")
    return max(reachable, key=lambda setting: (setting.output_MHz, setting.detector_MHz))


def settings(family: Family, input_MHz: float) -> Iterator[Setting]:
    """All settings within the limits."""
    limits = LIMITS[family]
    if not _within(input_MHz, limits.input_MHz):
        return
    for input_divider in limits.input_dividers:
        if not _within(input_MHz / input_divider, limits.detector_MHz):
            continue
        for multiplier in limits.multipliers:
            if not _within(input_MHz * multiplier / input_divider, limits.oscillator_MHz):
                continue
            for output_divider in limits.output_dividers:
                setting = Setting(
                    input_MHz=input_MHz,
                    input_divider=input_divider,
                    multiplier=multiplier,
                    output_divider=output_divider,
                )
                if _within(setting.output_MHz, limits.output_MHz):
                    yield setting


def _within(value: float, limits: tuple[float, float]) -> bool:
    low, high = limits
    return low <= value <= high
