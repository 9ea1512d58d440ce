"""A simulated array behind the pins of a line driver: it sees nothing but them (section 14 of the specification)."""

from typing import NamedTuple, Self

import numpy as np
from amaranth.hdl import Shape
from numpy.typing import NDArray

from ...hdl.geometry import Geometry
from ...hdl.pins import ArrayPins, Phase
from ...model.config import Config
from ...model.crossbar import Address, Cells, Read
from ...model.errors import StochastorError
from .config import ArrayConfig
from .crossbar import AnalogCrossbar

SELECTIONS = ("row", "transposed", "digit", "alone")
LATCHES = ("row_set", "row_clear", "column_set", "zero")
NEVER = -(1 << 62)


class PinViolation(StochastorError):
    """A driver that does with its array what section 14 of the specification forbids."""

    exit_code = 1


class Levels(NamedTuple):
    """What the driver says in a cycle; `reference` and `address` as packed bits. Pins that are not there are 0."""

    row: int
    row_set: int
    row_clear: int
    column_set: int
    column_plus: int
    column_minus: int
    phase: int
    zero: int
    integrate: int
    set: int
    reset: int
    compare: int
    reference: int
    group: int = 0
    transposed: int = 0
    address: int = 0
    digit: int = 0
    alone: int = 0


SAFE = Levels(*(0,) * len(Levels._fields))._replace(row_clear=1, zero=1)


class Pulse(NamedTuple):
    """What a pair of strobes moves, but for its row."""

    address: Address
    signs: tuple[int, ...]
    digit: int

    @property
    def step(self) -> Self:
        """What the pulses of a step have in common."""
        return self._replace(address=self.address._replace(repetition=0))


class SimulatedArray:
    """The array of a layer, cycle by cycle.

    Parameters
    ----------
    config : Config
        The machine, and the times that its array needs.
    layer : int
        1 to L.
    array : ArrayConfig
    cells : ndarray of int32, shape (rows, columns * digits)
        What the array is programmed to before the driver comes.
    """

    def __init__(self, config: Config, layer: int, array: ArrayConfig, cells: Cells) -> None:
        self._config = config
        self._layer = layer
        self._geometry = geometry = Geometry.of(config, layer)
        self._crossbar = AnalogCrossbar(config, layer, array)
        self._crossbar.load(cells)
        self._was = SAFE
        self._latched = np.zeros(geometry.rows, dtype=np.bool_)
        self._signs = np.zeros(geometry.groups * geometry.tables, dtype=np.int8)
        self._integrated: list[NDArray[np.int64]] = []
        self._begun = dict.fromkeys(("phase", "set", "reset", "compare"), NEVER)
        self._strobed = NEVER
        self._pulse: tuple[Pulse, int] | None = None
        self._pending: dict[Pulse, list[int]] = {}

    @property
    def crossbar(self) -> AnalogCrossbar:
        """The devices, all pulses done."""
        self._program()
        return self._crossbar

    def interrupt(self) -> None:
        """The driver was reset: what it had begun remains undone."""
        self._was = SAFE
        self._begun = dict.fromkeys(self._begun, NEVER)
        self._strobed = NEVER
        self._pulse = None

    @property
    def levels(self) -> Levels:
        """What the driver said last."""
        return self._was

    def see(self, cycle: int, levels: Levels) -> int:
        """Take in what the driver says from `cycle` on; return what the comparators decide, as bits.

        Parameters
        ----------
        cycle : int
            Number of the clock cycle; what did not change need not be told.
        levels : Levels

        Raises
        ------
        PinViolation
            Naming cycle, layer and pin.
        """
        was, self._was = self._was, levels
        if was.phase != levels.phase:
            self._begun["phase"] = cycle
        self._check_selection(cycle, was, levels)
        if levels.phase == Phase.IDLE:
            self._latch(cycle, levels)
        self._strobe(cycle, was, levels)
        self._integrate(cycle, was, levels)
        return self._compare(cycle, was, levels)

    def _check_selection(self, cycle: int, was: Levels, now: Levels) -> None:
        """Lines are selected while they are at 0 V."""
        if now.phase == Phase.IDLE:
            return
        if now.phase != was.phase and was.phase != Phase.IDLE:
            self._refuse(cycle, "phase", "goes from READ to PROGRAM, or back, without IDLE between")
        for name in SELECTIONS:
            if getattr(now, name) != getattr(was, name):
                self._refuse(cycle, name, f"changes while the phase is {Phase(now.phase).name}")
        for name in LATCHES:
            if getattr(now, name):
                self._refuse(cycle, name, f"strobes while the phase is {Phase(now.phase).name}")

    def _latch(self, cycle: int, now: Levels) -> None:
        tables = self._geometry.tables
        if now.zero:
            self._integrated.clear()
        if now.row_clear:
            self._latched[:] = False
        if now.row_set:
            if now.row >= self._geometry.rows:
                self._refuse(cycle, "row", f"is {now.row}, in an array of {self._geometry.rows} rows")
            self._latched[now.row] = True
        if now.column_set:
            if now.column_plus & now.column_minus:
                self._refuse(cycle, "column_minus", "drives a column that column_plus drives, too")
            lines = np.arange(tables)
            signs = (now.column_plus >> lines & 1) - (now.column_minus >> lines & 1)
            self._signs[now.group * tables :][:tables] = signs

    def _strobe(self, cycle: int, was: Levels, now: Levels) -> None:
        """A SET strobe and then a RESET strobe make a pulse."""
        config = self._config
        for name in ("set", "reset"):
            if getattr(was, name) and not getattr(now, name):
                self._strobed = cycle
                if cycle - self._begun[name] != config.pulse_cycles:
                    lasted = cycle - self._begun[name]
                    self._refuse(cycle, name, f"lasted {lasted} cycles, not pulse_cycles = {config.pulse_cycles}")
                if name == "reset":
                    self._note_pulse()
        recovering = cycle - self._strobed < config.recovery_cycles
        for name in ("set", "reset"):
            if not getattr(now, name) or getattr(was, name):
                continue
            self._begun[name] = cycle
            if now.phase != Phase.PROGRAM or was.phase != Phase.PROGRAM:
                self._refuse(cycle, name, "strobes before programming voltages are ready")
            if recovering or (now.set and now.reset):
                self._refuse(cycle, name, f"strobes less than recovery_cycles = {config.recovery_cycles} after another")
            pulse = Pulse(_address(now.address, self._layer), tuple(self._signs.tolist()), now.digit), now.row
            if name == "set":
                if self._pulse is not None:
                    self._refuse(cycle, name, "strobes twice, without reset between")
                self._pulse = pulse
            elif self._pulse != pulse:
                self._refuse(cycle, name, "strobes other cells, or another pulse, than set did")
        if was.phase == Phase.PROGRAM != now.phase and (recovering or self._pulse is not None):
            self._refuse(cycle, "phase", "leaves PROGRAM before a pulse, set and reset, has ended and recovered")

    def _note_pulse(self) -> None:
        """Rows are independent of each other: their pulses are done together, those of a step in their order."""
        assert self._pulse is not None
        pulse, row = self._pulse
        self._pulse = None
        again = row in self._pending.get(pulse, ())  # an array that is not told addresses cannot tell such pulses apart
        if again or any(noted.step != pulse.step for noted in self._pending):
            self._program()
        self._pending.setdefault(pulse, []).append(row)

    def _program(self) -> None:
        for pulse, rows in self._pending.items():
            signs = np.array(pulse.signs[: self._geometry.columns], dtype=np.int8)
            self._crossbar.pulse_once(pulse.address, np.array(rows, dtype=np.int64), signs, pulse.digit)
        self._pending.clear()

    def _integrate(self, cycle: int, was: Levels, now: Levels) -> None:
        if not now.integrate or was.integrate:
            return
        self._check_read(cycle, "integrate", now)
        if now.transposed:
            self._refuse(cycle, "integrate", "strobes in a transposed read")
        rows = np.flatnonzero(self._latched)
        self._integrated.append(rows)
        address = _address(now.address, self._layer)
        if now.alone:
            if len(rows) != 1 or len(self._integrated) != 1:
                self._refuse(cycle, "alone", "asks for one digit of several rows")
            self.crossbar.read_digit(address, int(rows[0]), now.digit)
        else:
            self.crossbar.read_forward(address, np.concatenate(self._integrated))

    def _compare(self, cycle: int, was: Levels, now: Levels) -> int:
        asked = now.group, now.reference, now.address
        changed = (was.group, was.reference, was.address) != asked
        if (
            was.compare
            and (changed or not now.compare)
            and cycle - self._begun["compare"] < self._config.compare_cycles
        ):
            lasted = cycle - self._begun["compare"]
            self._refuse(
                cycle, "compare", f"lasted {lasted} cycles, less than compare_cycles = {self._config.compare_cycles}"
            )
        if not now.compare:
            return 0
        if changed or not was.compare:
            self._begun["compare"] = cycle
        self._check_read(cycle, "compare", now)
        address = _address(now.address, self._layer)
        codes = self._codes(now.reference)
        if now.transposed:
            if not was.compare:
                signs = self._signs[: self._geometry.columns]
                self.crossbar.read_backward(address, signs, np.array([now.row], dtype=np.int64))
            return int(self._crossbar.compare(address, codes[:1])[0])
        if not self._integrated:
            self._refuse(cycle, "compare", "compares what was not integrated")
        first = now.group * self._geometry.tables
        every = np.zeros(self._geometry.groups * self._geometry.tables, dtype=np.int64)
        every[first : first + len(codes)] = codes
        decided = self._crossbar.compare(address, every[: self._geometry.columns])[first : first + len(codes)]
        return int((decided.astype(np.int64) << np.arange(len(decided))).sum())

    def _check_read(self, cycle: int, pin: str, now: Levels) -> None:
        settled = cycle - self._begun["phase"]
        if now.phase != Phase.READ:
            self._refuse(cycle, pin, f"is 1 while the phase is {Phase(now.phase).name}")
        if settled < self._config.settle_cycles:
            self._refuse(
                cycle, pin, f"is 1 after {settled} cycles of READ, before settle_cycles = {self._config.settle_cycles}"
            )

    def _codes(self, reference: int) -> NDArray[np.int64]:
        bits = self._config.reference_bits
        codes = np.array(
            [reference >> bits * line & ((1 << bits) - 1) for line in range(self._geometry.tables)], dtype=np.int64
        )
        signed: NDArray[np.int64] = codes - (codes >> (bits - 1) << bits)
        return signed

    def _refuse(self, cycle: int, pin: str, what: str) -> None:
        raise PinViolation(f"cycle {cycle}, layer {self._layer}, pin {pin}: {what}")


def pin_widths(config: Config, layer: int) -> dict[str, int]:
    """Width of each pin of `layer` (1 to L) that the driver sets, by name."""
    members = ArrayPins(Geometry.of(config, layer), config.reference_bits).members
    return {name: Shape.cast(member.shape).width for name, member in members.items() if name != "decision"}


def _address(bits: int, layer: int) -> Address:
    """The address on the pins, section 14 of the specification."""
    fields = []
    for width in (32, 1, 2, 4, 16, 4, 16):
        fields.append(bits & ((1 << width) - 1))
        bits >>= width
    sample, training, read, comparison, row, digit, repetition = fields
    return Address(sample, layer, bool(training), Read(read), comparison, row, digit, repetition)
