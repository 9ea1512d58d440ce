"""What chips of SDRAM hold and ask for."""

from dataclasses import dataclass
from math import ceil, floor
from typing import Self

from ..model.errors import ConfigError

LEAST_HZ = 10_000_000  # below, refreshing takes too much of the time
# A cycle after its clock's edge a word must have come: 6 ns in the chip, 9 ns on the way there and back.
MOST_HZ = 66_000_000


@dataclass(frozen=True, kw_only=True)
class Chip:
    """What an SDRAM of 16 bits holds and asks for.

    The times are those of the AS4C16M16SA-7 (Alliance Memory, data sheet of March 2015, table 16) or longer, for other
    chips of its size: it asks for 21, 21, 42, 63, 63, 14 and 14 ns.

    Attributes
    ----------
    bank_bits, row_bits, column_bits : int
    activate_to_access_ns : float
        tRCD, ACTIVATE to READ or WRITE.
    precharge_ns : float
        tRP, PRECHARGE to ACTIVATE or REFRESH.
    row_ns : float
        tRAS, ACTIVATE to PRECHARGE.
    row_cycle_ns : float
        tRC, ACTIVATE to ACTIVATE.
    refresh_ns : float
        tRFC, REFRESH to whatever follows.
    write_recovery_ns : float
        tWR, WRITE to PRECHARGE; two cycles at least.
    mode_ns : float
        tMRD, MODE to whatever follows; two cycles at least.
    refresh_interval_ns : float
        tREFI, REFRESH to REFRESH at most.
    power_up_us : float
        From a steady clock to the first command.
    """

    bank_bits: int = 2
    row_bits: int = 13
    column_bits: int = 9
    activate_to_access_ns: float = 21.0
    precharge_ns: float = 21.0
    row_ns: float = 45.0
    row_cycle_ns: float = 70.0
    refresh_ns: float = 70.0
    write_recovery_ns: float = 15.0
    mode_ns: float = 15.0
    refresh_interval_ns: float = 64e6 / 8192
    power_up_us: float = 200.0

    @property
    def address_bits(self) -> int:
        """Of a word."""
        return self.bank_bits + self.row_bits + self.column_bits


MBYTES_32 = Chip()


@dataclass(frozen=True, kw_only=True)
class Timings:
    """The times of a chip in whole cycles; names as of `Chip`."""

    activate_to_access: int
    precharge: int
    row: int
    refresh: int
    write_recovery: int
    mode: int
    refresh_interval: int
    power_up: int

    @classmethod
    def of(cls, chip: Chip, clock_hz: int) -> Self:
        """At a clock.

        Raises
        ------
        ConfigError
            If the clock is too slow or too fast for the chip.
        """
        if not LEAST_HZ <= clock_hz <= MOST_HZ:
            raise ConfigError(
                f"a clock of {clock_hz / 1e6:g} MHz is not one of {LEAST_HZ / 1e6:g} to {MOST_HZ / 1e6:g} MHz, as the "
                "memory needs: take another --frequency-mhz, or --no-memory"
            )

        def cycles(time_ns: float) -> int:
            return max(ceil(time_ns * clock_hz / 1e9 - 1e-6), 1)

        precharge = cycles(chip.precharge_ns)
        return cls(
            activate_to_access=cycles(chip.activate_to_access_ns),
            precharge=precharge,
            row=max(cycles(chip.row_ns), cycles(chip.row_cycle_ns) - precharge),
            refresh=cycles(chip.refresh_ns),
            write_recovery=max(cycles(chip.write_recovery_ns), 2),
            mode=max(cycles(chip.mode_ns), 2),
            refresh_interval=floor(chip.refresh_interval_ns * clock_hz / 1e9 + 1e-6),
            power_up=cycles(1e3 * chip.power_up_us),
        )

    @property
    def delay(self) -> int:
        """Cycles that a refresh has to wait at most, for the open row to be closed."""
        return max(self.row, self.activate_to_access + self.write_recovery) + self.precharge + 1
