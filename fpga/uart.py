"""Serial line: bytes of 8 bits, no parity, one stop bit, low bit first."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .protocol import CLOCKS_PER_BIT_MIN

BITS = 10


class UartReceiver(wiring.Component):
    """Receives bytes; each bit is the majority of three samples around its middle, the last one a clock earlier.

    Parameters
    ----------
    clocks_per_bit : int
        4 or more.

    Members
    -------
    rx : In(1)
        The line, idle 1; may be asynchronous.
    bytes : Out(stream of 8)
        Always ready.
    error : Out(1)
        A byte had no stop bit, or a bit of it was none; it is not among `bytes`.

    Latency
    -------
    Two cycles of synchronization, and a byte comes one cycle after the third sample of its stop bit.

    Raises
    ------
    ValueError
        If there are fewer than 4 clocks in a bit.
    """

    def __init__(self, clocks_per_bit: int) -> None:
        self._clocks = _checked(clocks_per_bit)
        super().__init__(
            {
                "rx": In(1, init=1),
                "bytes": Out(stream.Signature(8, always_ready=True)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        before = Signal(2, init=3)
        majority = Signal()
        timer = Signal(range(self._clocks))
        bit = Signal(range(BITS))
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        m.d.comb += majority.eq((line & before[0]) | (line & before[1]) | (before[0] & before[1]))
        m.d.sync += [before.eq(Cat(line, before[0])), timer.eq(timer - 1), self.bytes.valid.eq(0), self.error.eq(0)]
        with m.FSM(name="line"):
            with m.State("IDLE"):
                m.d.sync += [timer.eq(self._clocks // 2), bit.eq(0)]
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"), m.If(timer == 0):
                m.d.sync += [timer.eq(self._clocks - 1), bit.eq(bit + 1)]
                with m.If((bit == 0) & majority):
                    m.next = "IDLE"
                with m.If(bit == BITS - 2):
                    # A clock earlier, so that the start bit of a faster sender is not met late.
                    m.d.sync += timer.eq(self._clocks - 2)
                with m.If((bit != 0) & (bit != BITS - 1)):
                    m.d.sync += self.bytes.p.eq(Cat(self.bytes.p[1:], majority))
                with m.If(bit == BITS - 1):
                    m.d.sync += [self.bytes.valid.eq(majority), self.error.eq(~majority)]
                    m.next = "IDLE"
                    with m.If(~majority):
                        m.next = "BREAK"
            with m.State("BREAK"), m.If(line):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Sends bytes, one after the other without a gap.

    Parameters
    ----------
    clocks_per_bit : int
        4 or more.

    Members
    -------
    bytes : In(stream of 8)
    tx : Out(1)
        The line, idle 1.

    Latency
    -------
    The start bit begins one cycle after a byte is taken; a byte takes 10 bits.

    Raises
    ------
    ValueError
        If there are fewer than 4 clocks in a bit.
    """

    def __init__(self, clocks_per_bit: int) -> None:
        self._clocks = _checked(clocks_per_bit)
        super().__init__({"bytes": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift = Signal(BITS, init=(1 << BITS) - 1)
        timer = Signal(range(self._clocks))
        left = Signal(range(BITS + 1))
        m.d.comb += [
            self.tx.eq(shift[0]),
            self.bytes.ready.eq((left == 0) | ((left == 1) & (timer == 0))),
        ]
        m.d.sync += timer.eq(timer - 1)
        with m.If((left != 0) & (timer == 0)):
            m.d.sync += [timer.eq(self._clocks - 1), left.eq(left - 1), shift.eq(Cat(shift[1:], 1))]
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [timer.eq(self._clocks - 1), left.eq(BITS), shift.eq(Cat(0, self.bytes.p, 1))]
        return m


def _checked(clocks_per_bit: int) -> int:
    if clocks_per_bit < CLOCKS_PER_BIT_MIN:
        raise ValueError(f"clocks_per_bit must be {CLOCKS_PER_BIT_MIN} or more, not {clocks_per_bit}")
    return clocks_per_bit
