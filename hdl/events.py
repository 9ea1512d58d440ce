"""Row events: activity as addresses, so that work is proportional to active rows."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out


class LineGroup(data.StructLayout):
    """Bits of a group of neighbouring lines.

    Members
    -------
    group : range(groups)
        Lines group * size to group * size + size - 1.
    last : 1
        Whether it is the last group of the operation.
    bits : size
        One bit a line; lines beyond the last are 0.
    """

    def __init__(self, groups: int, size: int) -> None:
        super().__init__({"group": range(max(groups, 2)), "last": 1, "bits": size})


class RowEvents(wiring.Component):
    """Turns groups of bits into the addresses of the lines that are 1, ascending, ended by the bias row.

    Parameters
    ----------
    lines : int
        Number of lines; also the address of the bias row.
    size : int
        Lines in a group.

    Members
    -------
    groups : In(stream of LineGroup)
    events : Out(stream of range(lines + 1))

    Latency
    -------
    One cycle from a group to its first event. A group with b lines at 1 takes max(1, b) cycles; the last one, with its
    bias row, b + 2.
    """

    def __init__(self, lines: int, size: int) -> None:
        self._lines = lines
        self._size = size
        super().__init__(
            {
                "groups": In(stream.Signature(LineGroup(-(-lines // size), size))),
                "events": Out(stream.Signature(range(lines + 1))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pending = Signal(self._size)
        group = Signal.like(self.groups.p.group)
        bias = Signal()
        lowest = Signal(self._size)
        line = Signal(range(self._size))
        m.d.comb += lowest.eq(pending & -pending)
        for position in range(self._size):
            with m.If(lowest[position]):
                m.d.comb += line.eq(position)
        rest = Signal(self._size)
        taken = Signal()
        m.d.comb += [
            self.events.valid.eq(pending.any() | bias),
            self.events.p.eq(Mux(pending.any(), group * self._size + line, self._lines)),
            taken.eq(self.events.ready & pending.any()),
            rest.eq(Mux(taken, pending ^ lowest, pending)),
            self.groups.ready.eq(~bias & ~rest.any()),
        ]
        m.d.sync += pending.eq(rest)
        with m.If(self.events.ready & ~pending.any()):
            m.d.sync += bias.eq(0)
        with m.If(self.groups.valid & self.groups.ready):
            m.d.sync += [
                pending.eq(self.groups.p.bits),
                group.eq(self.groups.p.group),
                bias.eq(self.groups.p.last),
            ]
        return m


class EventList(wiring.Component):
    """Keeps the row events of a read, so that they can be replayed for every fold and for the update.

    A list is complete once it holds all of its patterns; a replay may start earlier and follows the writer.

    Parameters
    ----------
    rows : int
        Number of row addresses; the largest one, the bias row, ends a pattern.
    banks : int
        1, or 2 to write the next list while one is replayed.
    patterns : int
        Patterns in a list.

    Members
    -------
    write : In(stream of range(rows))
        Not ready while every bank holds a complete list.
    replay : In(1)
        Start to replay the oldest list from its beginning, at the next edge.
    last_pattern : In(1)
        With `replay`: start from the beginning of the last pattern, of a complete list. Only of several patterns.
    events : Out(stream of range(rows))
        The replay; it ends with the list.
    last : Out(1)
        Whether the event is the last one of the list.
    release : In(1)
        Forget the oldest list, if it is complete.
    complete : Out(1)
        Whether the oldest list is complete.
    read_bank, write_bank : Out(1)
        Bank of the oldest list; bank being written.

    Latency
    -------
    Three cycles from write or replay to the first event, then an event a cycle.
    """

    def __init__(self, rows: int, banks: int = 1, patterns: int = 1) -> None:
        self._rows = rows
        self._banks = banks
        self._patterns = patterns
        members = {
            "write": In(stream.Signature(range(rows))),
            "replay": In(1),
            "events": Out(stream.Signature(range(rows))),
            "last": Out(1),
            "release": In(1),
            "complete": Out(1),
            "read_bank": Out(1),
            "write_bank": Out(1),
        }
        if patterns > 1:
            members["last_pattern"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        most_events = self._rows * self._patterns
        size = 1 << (most_events - 1).bit_length()
        m.submodules.rows = rows = memory.Memory(
            shape=range(self._rows), depth=size * self._banks, init=[], attrs={"no_rw_check": 1}
        )
        write_port = rows.write_port()
        read_port = rows.read_port()

        counts = Array(Signal(range(most_events + 1), name=f"count{bank}") for bank in range(self._banks))
        complete = Array(Signal(name=f"complete{bank}") for bank in range(self._banks))
        pattern_ends = Signal()
        m.d.comb += [
            pattern_ends.eq(self.write.p == self._rows - 1),
            self.write.ready.eq(~complete[self.write_bank]),
            write_port.addr.eq(self.write_bank * size + counts[self.write_bank]),
            write_port.data.eq(self.write.p),
            write_port.en.eq(self.write.valid & self.write.ready),
        ]
        list_ends = pattern_ends
        if self._patterns > 1:
            pattern = Signal(range(self._patterns))
            starts = Array(Signal.like(counts[0], name=f"start{bank}") for bank in range(self._banks))
            list_ends = pattern_ends & (pattern == self._patterns - 1)
            with m.If(write_port.en & pattern_ends):
                m.d.sync += pattern.eq(Mux(list_ends, 0, pattern + 1))
                with m.If(~list_ends):
                    m.d.sync += starts[self.write_bank].eq(counts[self.write_bank] + 1)
        with m.If(write_port.en):
            m.d.sync += counts[self.write_bank].eq(counts[self.write_bank] + 1)
            with m.If(list_ends):
                m.d.sync += complete[self.write_bank].eq(1)
                if self._banks > 1:
                    m.d.sync += self.write_bank.eq(~self.write_bank)

        position = Signal.like(counts[0])
        replaying = Signal()
        fetched, fetched_last = Signal(), Signal()
        spare, spare_valid, spare_last = Signal.like(self.events.p), Signal(), Signal()
        fetch, ends, taken = Signal(), Signal(), Signal()
        left = counts[self.read_bank] - position
        m.d.comb += [
            # What is fetched finds room while the spare place is free: who takes events has no part in it.
            fetch.eq(~fetched | ~spare_valid),
            ends.eq(self.replay | (self.release & self.complete)),
            taken.eq(~self.events.valid | self.events.ready),
            read_port.addr.eq(self.read_bank * size + position),
            read_port.en.eq(fetch),
            self.complete.eq(complete[self.read_bank]),
        ]
        with m.If(fetch):
            m.d.sync += [
                fetched.eq(replaying & (left != 0)),
                fetched_last.eq(self.complete & (left == 1)),
            ]
            with m.If(replaying & (left != 0)):
                m.d.sync += position.eq(position + 1)
        with m.If(~spare_valid):
            m.d.sync += [spare.eq(read_port.data), spare_last.eq(fetched_last)]
        with m.If(taken):
            m.d.sync += [
                self.events.valid.eq(spare_valid | fetched),
                self.events.p.eq(Mux(spare_valid, spare, read_port.data)),
                self.last.eq(Mux(spare_valid, spare_last, fetched_last)),
                spare_valid.eq(0),
            ]
        with m.Elif(fetched):
            m.d.sync += spare_valid.eq(1)
        with m.If(ends):
            m.d.sync += [fetched.eq(0), spare_valid.eq(0), self.events.valid.eq(0), replaying.eq(self.replay)]
        with m.If(self.replay):
            m.d.sync += position.eq(0)
            if self._patterns > 1:
                with m.If(self.last_pattern):
                    m.d.sync += position.eq(starts[self.read_bank])

        with m.If(self.release & self.complete):
            m.d.sync += [complete[self.read_bank].eq(0), counts[self.read_bank].eq(0)]
            if self._banks > 1:
                m.d.sync += self.read_bank.eq(~self.read_bank)
        return m
