"""Counters of a layer's events: what the ledger follows from; the twin of `Counts` in ``model/ledger.py``."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..model.ledger import Count
from .restoration import Restored

COUNTER_BITS = 32


class LayerCounters(data.StructLayout):
    """Totals since reset, wrapping.

    Members
    -------
    row_events, pass_row_events : 32
        Rows driven forward for training samples and for passes of inference.
    backward_reads, row_reads, column_drives, cell_reads : 32
        Backward reads of any row, rows sensed by them, columns driven by them, and cells that sensed rows have there.
    row_pulses, raised, lowered : 32
        Rows pulsed by updates, and cells of theirs that are pulsed up and down.
    upper_reads, carried_rows, carried_up, carried_down : 32
        Upper digits read by carries, rows carried, and cells of theirs that carry up and down.
    restoring_reads, restored_rows, restored_up, restored_down : 32
        Reads that restore weights of verified carries, rows pulsed for it, and cells of theirs pulsed up and down.
    """

    def __init__(self) -> None:
        super().__init__({count.name.lower(): COUNTER_BITS for count in Count})


class EventCounters(wiring.Component):
    """Counts the events of a layer; signs are counted while they are decided, so that no wide sum is needed.

    Parameters
    ----------
    columns : int
        Of the crossbar.
    signs : int
        Signs decided at once.

    Members
    -------
    driven, passed : In(1)
        A row is driven forward in training; in a pass of inference.
    clear : In(1)
        Forget the signs of the columns, at the next edge.
    decided : In(ArrayLayout(signed(2), signs))
        Signs of columns that are decided, at the next edge; 0 where none is.
    backward : In(1)
        A backward read begins.
    sensed, pulsed : In(1)
        A row is read backward; a row is pulsed by an update.
    full : In(1)
        A carry reads an upper digit.
    carried : In(1)
        A row carries `up` cells up and `down` cells down.
    up, down : In(range(columns + 1))
    restored : In(Restored)
        Of a verified carry.
    counters : Out(LayerCounters)

    Latency
    -------
    An event counts two cycles later.
    """

    def __init__(self, *, columns: int, signs: int) -> None:
        self._count = range(columns + 1)
        super().__init__(
            {
                **dict.fromkeys(
                    ("driven", "passed", "clear", "backward", "sensed", "pulsed", "full", "carried"), In(1)
                ),
                "decided": In(data.ArrayLayout(signed(2), signs)),
                "up": In(self._count),
                "down": In(self._count),
                "restored": In(Restored(columns)),
                "counters": Out(LayerCounters()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        seen = {
            name: Signal(member.shape, name=f"seen_{name}")
            for name, member in self.signature.members.items()
            if member.flow is In
        }
        m.d.sync += [signal.eq(getattr(self, name)) for name, signal in seen.items()]
        positive, negative, nonzero = Signal(self._count), Signal(self._count), Signal(self._count)
        first = Signal()
        m.d.comb += nonzero.eq(positive + negative)
        m.d.sync += [
            positive.eq(positive + sum(sign == 1 for sign in seen["decided"])),
            negative.eq(negative + sum(sign == -1 for sign in seen["decided"])),
        ]
        with m.If(seen["clear"]):
            m.d.sync += [positive.eq(0), negative.eq(0)]
        with m.If(seen["sensed"]):
            m.d.sync += first.eq(0)
        with m.If(seen["backward"]):
            m.d.sync += first.eq(1)
        restored = seen["restored"]
        for count, happened, amount in (
            (Count.ROW_EVENTS, seen["driven"], 1),
            (Count.PASS_ROW_EVENTS, seen["passed"], 1),
            (Count.BACKWARD_READS, seen["sensed"] & first, 1),
            (Count.ROW_READS, seen["sensed"], 1),
            (Count.COLUMN_DRIVES, seen["sensed"] & first, nonzero),
            (Count.CELL_READS, seen["sensed"], nonzero),
            (Count.ROW_PULSES, seen["pulsed"], 1),
            (Count.RAISED, seen["pulsed"], positive),
            (Count.LOWERED, seen["pulsed"], negative),
            (Count.UPPER_READS, seen["full"], 1),
            (Count.CARRIED_ROWS, seen["carried"], 1),
            (Count.CARRIED_UP, seen["carried"], seen["up"]),
            (Count.CARRIED_DOWN, seen["carried"], seen["down"]),
            (Count.RESTORING_READS, restored.read, 1),
            (Count.RESTORED_ROWS, restored.pulsed, 1),
            (Count.RESTORED_UP, restored.pulsed, restored.up),
            (Count.RESTORED_DOWN, restored.pulsed, restored.down),
        ):
            counter = self.counters[count.name.lower()]
            with m.If(happened):
                m.d.sync += counter.eq(counter + amount)
        return m
