"""The pins between a line driver and its array (section 14 of the specification)."""

from amaranth.hdl import signed
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from .geometry import Geometry


class Phase(enum.IntEnum, shape=2):
    """What the lines of an array are for.

    IDLE
        All lines are at 0 V, and addresses may change.
    READ
        Read voltages: latched rows are driven and columns sensed, or, transposed, latched columns are driven and a row
        sensed.
    PROGRAM
        Programming voltages are ready for the strobes.
    """

    IDLE = 0
    READ = 1
    PROGRAM = 2


class ArrayAddress(data.StructLayout):
    """Which operation this is, as the noise of a simulated array asks (section 13); a physical one leaves it open.

    Members
    -------
    sample : 32
        Samples trained before this one, or passes made before this one in an inference call.
    training : 1
    read : 2
        0 forward, 1 backward, 2 digit, 3 weight.
    comparison : 4
        Number of a comparison among those of one read.
    row : 16
    digit : 4
        Where a carry stands.
    repetition : 16
        Number of a pulse among those of one carry.
    """

    def __init__(self) -> None:
        super().__init__(
            {"sample": 32, "training": 1, "read": 2, "comparison": 4, "row": 16, "digit": 4, "repetition": 16}
        )


class ArrayPins(wiring.Signature):
    """What a line driver and an array say to each other, from the side of the driver.

    All that a driver says comes from registers, so that strobes have no glitches.

    Parameters
    ----------
    geometry : Geometry
        Of a layer with pins.
    reference_bits : int
        Width of a reference code, signed.

    Members
    -------
    row : Out(range(rows))
        Row that is latched, sensed or pulsed.
    row_set : Out(1)
        Strobe: latch `row`.
    row_clear : Out(1)
        Strobe: empty all row latches. 1 out of reset.
    group : Out(range(groups))
        Columns group * tables to group * tables + tables - 1, whose latches are written, or which are compared.
    column_set : Out(1)
        Strobe: latch `column_plus` and `column_minus` of the columns of `group`.
    column_plus, column_minus : Out(tables)
        Columns to be driven along the signs +1 and -1.
    digit : Out(range(digits)), alone : Out(1)
        Cells that are pulsed, and that are read if `alone` is 1; otherwise all are read, weighted. Only of several
        digits.
    phase : Out(Phase)
    transposed : Out(1)
        Direction of a read.
    zero : Out(1)
        Strobe: empty the integrators of the columns.
    integrate : Out(1)
        Strobe: add what the columns carry to what their integrators hold.
    set, reset : Out(1)
        Strobes of programming pulses.
    compare : Out(1)
        The comparators of `group`, or that of the sensed row, compare with `reference`.
    reference : Out(ArrayLayout(signed(reference_bits), tables))
        Transposed, only the first one counts.
    decision : In(tables)
        What the comparators decide, sampled at the end of a comparison.
    address : Out(ArrayAddress)
        For observation.
    """

    def __init__(self, geometry: Geometry, reference_bits: int) -> None:
        tables = geometry.tables
        members = {
            "row": Out(range(max(geometry.rows, 2))),
            "row_set": Out(1),
            "row_clear": Out(1, init=1),
            "group": Out(range(max(geometry.groups, 2))),
            "column_set": Out(1),
            "column_plus": Out(tables),
            "column_minus": Out(tables),
            "phase": Out(Phase),
            "transposed": Out(1),
            "zero": Out(1, init=1),
            "integrate": Out(1),
            "set": Out(1),
            "reset": Out(1),
            "compare": Out(1),
            "reference": Out(data.ArrayLayout(signed(reference_bits), tables)),
            "decision": In(tables),
            "address": Out(ArrayAddress()),
        }
        if geometry.digits > 1:
            members |= {"digit": Out(range(geometry.digits)), "alone": Out(1)}
        super().__init__(members)
