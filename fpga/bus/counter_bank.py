"""Counters of 64 bits from those of 32 that the machine has, read coherently in two words."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In

from ...hdl.counters import COUNTER_BITS
from ...hdl.trainer import Counters
from .register_file import Port


class Upper(data.StructLayout):
    """What is kept of a counter.

    Members
    -------
    high : 32
        Its upper word.
    top : 1
        The highest bit of its lower word, as it was seen last.
    """

    def __init__(self) -> None:
        super().__init__({"high": COUNTER_BITS, "top": 1})


class CounterBank(wiring.Component):
    """Watches the machine's counters in turn and counts how often each wraps.

    A counter is looked at every 2 N cycles (of N counters), and takes a thousand times longer to wrap.

    Parameters
    ----------
    layers : int

    Members
    -------
    counters : In(Counters)
        The machine's.
    clear : In(1)
        They return to 0 with this cycle.
    port : In(Port)
        Low and high word of each counter; a read of a low word latches the high one.

    Latency
    -------
    A high word is there at once, a low word after at most 3 cycles; for 2 N cycles after `clear` upper words read as 0.
    """

    def __init__(self, layers: int) -> None:
        self._layers = layers
        self._words = Counters(layers).size // COUNTER_BITS
        super().__init__(
            {"counters": In(Counters(layers)), "clear": In(1), "port": In(Port(2 * self._words))},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.uppers = uppers = memory.Memory(shape=Upper(), depth=self._words, init=[])
        read_port, write_port = uppers.read_port(), uppers.write_port()
        words = Array(self.counters.as_value().word_select(index, COUNTER_BITS) for index in range(self._words))
        scanned, number = Signal(range(self._words)), Signal(range(self._words))
        clearing = Signal(init=1)
        low, latched, high = Signal(COUNTER_BITS), Signal(COUNTER_BITS), Signal(COUNTER_BITS)
        looking, answering = Signal(), Signal()
        asked = self.port.read & ~self.port.index[0]
        number_now = Mux(asked, self.port.index[1:], scanned)
        m.d.comb += [
            read_port.addr.eq(number_now),
            high.eq(Mux(clearing, 0, read_port.data.high + (read_port.data.top & ~low[-1]))),
            write_port.addr.eq(number),
            write_port.data.high.eq(high),
            write_port.data.top.eq(low[-1]),
            write_port.en.eq(looking),
            self.port.value.eq(Mux(self.port.index[0], latched, low)),
            self.port.done.eq((self.port.read & self.port.index[0]) | (looking & answering)),
        ]
        with m.If(looking):
            m.d.sync += looking.eq(0)
            with m.If(answering):
                m.d.sync += latched.eq(high)
            with m.Elif(scanned == self._words - 1):
                m.d.sync += [scanned.eq(0), clearing.eq(0)]
            with m.Else():
                m.d.sync += scanned.eq(scanned + 1)
        with m.Else():
            m.d.sync += [looking.eq(1), low.eq(words[number_now]), number.eq(number_now), answering.eq(asked)]
        with m.If(self.clear):
            m.d.sync += [scanned.eq(0), clearing.eq(1), looking.eq(0)]
        return m
