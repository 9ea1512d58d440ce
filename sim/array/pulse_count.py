"""Program pulses counted, and the energy that they dissipate in the devices."""

from collections.abc import Iterable
from dataclasses import dataclass

from .device import Device


@dataclass(frozen=True)
class PulseCount:
    """Pulses of an array.

    Attributes
    ----------
    set_pulses, reset_pulses : int
        Pulses on devices.
    met_by_set, met_by_reset : int
        Sums of the conductances that the pulses met, in quanta.
    """

    set_pulses: int
    reset_pulses: int
    met_by_set: int
    met_by_reset: int

    @property
    def pulses(self) -> int:
        """Pulses on devices."""
        return self.set_pulses + self.reset_pulses

    def __add__(self, other: "PulseCount") -> "PulseCount":
        return PulseCount(
            self.set_pulses + other.set_pulses,
            self.reset_pulses + other.reset_pulses,
            self.met_by_set + other.met_by_set,
            self.met_by_reset + other.met_by_reset,
        )

    def energy_J(self, device: Device) -> float:
        """Energy in the devices, in joules: V^2 G t of each pulse with the conductance that it met.

        Drivers, wires and half-selected devices take more.
        """
        squares = device.set_voltage_V**2 * self.met_by_set + device.reset_voltage_V**2 * self.met_by_reset
        return squares * device.quantum_S * device.pulse_s


NOTHING = PulseCount(0, 0, 0, 0)


def total(counts: Iterable[PulseCount]) -> PulseCount:
    """The sum of `counts`."""
    return sum(counts, NOTHING)
