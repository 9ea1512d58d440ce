"""A controller for SDRAM of single data rate: single words, at one a cycle within a row."""

from enum import IntFlag

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .sdram_chip import Chip, Timings

WORD_BITS = 16
CAS_LATENCY = 2
# A register at the pins on the way out, two on the way back.
READ_CYCLES = CAS_LATENCY + 2
POWER_UP_REFRESHES = 8
ALL_BANKS = 1 << 10  # as an address of PRECHARGE
SINGLE_WORDS = CAS_LATENCY << 4  # as an address of MODE: bursts of one word


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
