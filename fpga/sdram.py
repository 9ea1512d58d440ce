"""A controller for SDRAM of single data rate: single words, at one a cycle within a row."""

from dataclasses import dataclass
from enum import IntFlag
from math import ceil, floor
from typing import Self

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..model.errors import ConfigError

WORD_BITS = 16
CAS_LATENCY = 2
# A register at the pins on the way out, two on the way back.
READ_CYCLES = CAS_LATENCY + 2
POWER_UP_REFRESHES = 8
ALL_BANKS = 1 << 10  # as an address of PRECHARGE
SINGLE_WORDS = CAS_LATENCY << 4  # as an address of MODE: bursts of one word
LEAST_HZ = 10_000_000  # below, refreshing takes too much of the time
# Half a cycle after its clock's edge a word must have come: 6 ns in the chip, 9 ns on the way there and back.
MOST_HZ = 66_000_000


class Command(IntFlag):
    """What RAS, CAS and WE say; 1 is asserted."""

    NOTHING = 0
    RAS = 1
    CAS = 2
    WE = 4
    ACTIVATE = RAS
    READ = CAS
    WRITE = CAS | WE
    PRECHARGE = RAS | WE
    REFRESH = RAS | CAS
    MODE = RAS | CAS | WE


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


class MemoryRequest(data.StructLayout):
    """Read or write a word.

    Members
    -------
    write : 1
    address : address_bits
    word : 16
        What to write.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__({"write": 1, "address": address_bits, "word": WORD_BITS})


class MemoryPort(wiring.Signature):
    """Access to a memory of 16-bit words.

    Members
    -------
    requests : Out(stream of MemoryRequest)
    words : In(stream of 16)
        What was read, in order; always ready.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "requests": Out(stream.Signature(MemoryRequest(address_bits))),
                "words": In(stream.Signature(WORD_BITS, always_ready=True)),
            }
        )


class SdramPins(wiring.Signature):
    """Pins of an SDRAM; its chip select and clock enable are always on.

    Members
    -------
    ras, cas, we : Out(1)
        1 is asserted.
    bank, address : Out
    mask : Out(2)
        Bytes that are neither read nor written.
    out : Out(16)
    drive : Out(1)
        Drive the data pins with `out`.
    coming : In(16)
        What the data pins were; see `SdramController`.
    """

    def __init__(self, chip: Chip) -> None:
        super().__init__(
            {
                "ras": Out(1),
                "cas": Out(1),
                "we": Out(1),
                "bank": Out(chip.bank_bits),
                "address": Out(chip.row_bits),
                "mask": Out(2),
                "out": Out(WORD_BITS),
                "drive": Out(1),
                "coming": In(WORD_BITS),
            }
        )


class SdramController(wiring.Component):
    """Reads and writes words of an SDRAM, keeps a row open while requests stay in it, and refreshes in between.

    Parameters
    ----------
    chip : Chip
    clock_hz : int
        Frequency of the domain `sync`.

    Members
    -------
    port : In(MemoryPort)
    pins : Out(SdramPins)
        Of a command in cycle n the chip must have everything by its clock's edge in cycle n + 1; what it drives CL = 2
        edges later must be in `coming` in cycle n + 4.

    Latency
    -------
    A request within the open row takes a cycle, one in another row tRP + tRCD more, and tRAS or tWR if the row was
    opened or written to just before. A word comes four cycles after its request. A write waits for the words that are
    still coming. A refresh comes first, and every 7.8 us at least; before the first request 200 us pass after reset.

    Raises
    ------
    ConfigError
        If the clock is too slow or too fast.
    """

    def __init__(self, chip: Chip, clock_hz: int) -> None:
        self._chip = chip
        self._timings = Timings.of(chip, clock_hz)
        super().__init__({"port": In(MemoryPort(chip.address_bits)), "pins": Out(SdramPins(chip))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        times, pins, request = self._timings, self.pins, self.port.requests.p
        column, page = request.address[: self._chip.column_bits], request.address[self._chip.column_bits :]
        bank, row = page[: self._chip.bank_bits], page[self._chip.bank_bits :]
        open_page = Signal.like(page)
        wait = Signal(range(max(times.power_up, times.refresh) + 1), init=times.power_up - 1)
        closing = Signal(range(times.row + times.write_recovery + 1))
        masked = Signal(init=1)
        hit = Signal()
        m.d.comb += [
            hit.eq(self.port.requests.valid & (page == open_page)),
            pins.bank.eq(bank),
            pins.mask.eq(masked.replicate(2)),
            pins.out.eq(request.word),
        ]
        due, refreshed = self._refresh_timer(m)
        reading = self._words(m)
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(closing != 0):
            m.d.sync += closing.eq(closing - 1)

        def issue(command: Command, address: Value | int, cycles: int) -> None:
            m.d.comb += [Cat(pins.ras, pins.cas, pins.we).eq(int(command)), pins.address.eq(address)]
            m.d.sync += wait.eq(cycles - 1)

        refreshes = Signal(range(POWER_UP_REFRESHES))
        with m.FSM(name="sdram"):
            with m.State("POWER_UP"), m.If(wait == 0):
                issue(Command.PRECHARGE, ALL_BANKS, times.precharge)
                m.next = "REFRESH"
            with m.State("REFRESH"), m.If(wait == 0):
                issue(Command.REFRESH, 0, times.refresh)
                m.d.sync += refreshes.eq(refreshes + 1)
                with m.If(refreshes == POWER_UP_REFRESHES - 1):
                    m.next = "MODE"
            with m.State("MODE"), m.If(wait == 0):
                m.d.comb += pins.bank.eq(0)
                issue(Command.MODE, SINGLE_WORDS, times.mode)
                m.d.sync += masked.eq(0)
                m.next = "CLOSED"
            with m.State("CLOSED"), m.If(wait == 0):
                with m.If(due):
                    m.d.comb += refreshed.eq(1)
                    issue(Command.REFRESH, 0, times.refresh)
                with m.Elif(self.port.requests.valid):
                    issue(Command.ACTIVATE, row, times.activate_to_access)
                    m.d.sync += [open_page.eq(page), closing.eq(times.row - 1)]
                    m.next = "OPEN"
            with m.State("OPEN"), m.If(wait == 0):
                with m.If(hit & ~due):
                    with m.If(~request.write):
                        m.d.comb += [self.port.requests.ready.eq(1), reading.eq(1)]
                        issue(Command.READ, column, 1)
                    with m.Elif(~self._coming.any()):
                        m.d.comb += [self.port.requests.ready.eq(1), pins.drive.eq(1)]
                        issue(Command.WRITE, column, 1)
                        with m.If(closing < times.write_recovery):
                            m.d.sync += closing.eq(times.write_recovery - 1)
                with m.Elif((due | self.port.requests.valid) & (closing == 0)):
                    issue(Command.PRECHARGE, ALL_BANKS, times.precharge)
                    m.next = "CLOSED"
        return m

    def _refresh_timer(self, m: Module) -> tuple[Signal, Signal]:
        """Whether a refresh is due, and what clears it."""
        interval = self._timings.refresh_interval - self._timings.delay
        timer = Signal(range(interval), init=interval - 1)
        due, refreshed = Signal(), Signal()
        m.d.sync += timer.eq(Mux(timer == 0, interval - 1, timer - 1))
        with m.If(refreshed):
            m.d.sync += due.eq(0)
        with m.If(timer == 0):
            m.d.sync += due.eq(1)
        return due, refreshed

    def _words(self, m: Module) -> Signal:
        """Hand out the words that come; the signal returned asks for one."""
        reading = Signal()
        self._coming = Signal(READ_CYCLES)
        m.d.sync += self._coming.eq(Cat(reading, self._coming))
        m.d.comb += [self.port.words.valid.eq(self._coming[-1]), self.port.words.p.eq(self.pins.coming)]
        return reading
