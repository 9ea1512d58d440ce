"""The machine with its serial link: what a board's platform wires to pins."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..model.config import Config
from ..model.crossbar import Weights
from ..model.errors import ConfigError
from .array_lines import arrays_of, connect_arrays
from .identity import Identity
from .linked import LinkedTrainer
from .protocol import CLOCKS_PER_BIT_MIN, LABEL_BYTES, REQUEST_BYTES, Sizes
from .requests import LENGTH_BITS
from .sdram import SdramController, SdramPins
from .sdram_chip import Chip
from .uart import UartReceiver, UartTransmitter

HEARTBEAT_BITS = 25
TICK_BITS = 17
GLOW_TICKS = 9
LARGEST_ERROR = 0.02


class BoardTop(wiring.Component):
    """A board without its pins (docs/host-link.md).

    Parameters
    ----------
    config : Config
        The machine.
    clock_hz : int
        Frequency of the domain `sync`, at least four times the baud rate.
    weights : sequence of ndarray of int32, optional
        Power-up cells of layers 1 to L; those of the configuration's initial weights by default.
    counters : bool
        Whether there are counters, which a host can read.
    trace : bool
        Whether the trace of the last training sample is kept, which a host can read.
    memory : Chip, optional
        SDRAM for samples.
    memory_clock_hz : int, optional
        Frequency that the memory is timed for, if `sync` only stands for it in a simulation.

    Members
    -------
    rx : In(1)
        Serial line from the host, idle 1; may be asynchronous.
    tx : Out(1)
        Serial line to the host, idle 1.
    leds : Out(8)
        Error, training, heartbeat, classifying, session open, receiving, sending, sending again; 1 is lit.
    sdram : Out(SdramPins)
        As of `SdramController`. Only with a memory.
    array1, array2, ... : Out(ArrayPins)
        As of `Trainer`.

    Latency
    -------
    See the parts.

    Raises
    ------
    ConfigError
        If the clock cannot make the baud rate within 2 %, samples or results are too long for the link, or the clock
        is none for the memory.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock_hz: int,
        weights: Sequence[Weights] | None = None,
        counters: bool = True,
        trace: bool = False,
        memory: Chip | None = None,
        memory_clock_hz: int | None = None,
    ) -> None:
        self._clocks = clocks_per_bit(clock_hz, config.baud)
        _check_lengths(config, Sizes.of(config))
        self._controller = SdramController(memory, memory_clock_hz or clock_hz) if memory else None
        address_bits = memory.address_bits if memory else 0
        capacity = 1 << address_bits if memory else 0
        identity = Identity.of(config, clock_hz, capacity)
        self._machine = LinkedTrainer(
            config, identity, weights, counters=counters, trace=trace, address_bits=address_bits
        )
        pins = {"sdram": Out(SdramPins(memory))} if memory else {}
        super().__init__(
            {"rx": In(1, init=1), "tx": Out(1, init=1), "leds": Out(8), **pins, **arrays_of(self._machine)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self._clocks)
        m.submodules.transmitter = transmitter = UartTransmitter(self._clocks)
        m.submodules.machine = machine = self._machine
        connect(m, receiver.bytes, machine.received)
        connect(m, machine.sent, transmitter.bytes)
        connect_arrays(m, machine, self)
        if self._controller is not None:
            m.submodules.sdram = controller = self._controller
            connect(m, machine.memory, controller.port)
            connect(m, controller.pins, flipped(self.sdram))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            machine.broken.eq(receiver.error),
        ]
        status = machine.status
        events = status.training, status.classifying, receiver.bytes.valid, machine.sent.valid, status.resent
        self._light(m, error=status.error, session=status.session, events=events)
        return m

    def _light(self, m: Module, *, error: Value, session: Value, events: Sequence[Value]) -> None:
        """Light the LEDs; events are kept long enough to be seen."""
        heartbeat = Signal(HEARTBEAT_BITS)
        tick = heartbeat[:TICK_BITS] == 0
        glows = [Signal(range(GLOW_TICKS + 1), name=f"glow{index}") for index in range(len(events))]
        seen = Signal(len(events))
        m.d.sync += [heartbeat.eq(heartbeat + 1), seen.eq(Cat(events))]
        for event, glow in zip(seen, glows, strict=True):
            with m.If(event):
                m.d.sync += glow.eq(GLOW_TICKS)
            with m.Elif(tick & (glow != 0)):
                m.d.sync += glow.eq(glow - 1)
        training, classifying, receiving, sending, again = (glow != 0 for glow in glows)
        lit = error, training, heartbeat[-1], classifying, session, receiving, sending, again
        m.d.comb += [led.eq(on) for led, on in zip(self.leds, lit, strict=True)]


def clocks_per_bit(clock_hz: int, baud: int) -> int:
    """Clock cycles of a bit.

    Raises
    ------
    ConfigError
        If they would be less than 4, or more than 2 % off.
    """
    if baud < 1 or clock_hz < CLOCKS_PER_BIT_MIN * baud:
        raise ConfigError(f"a baud rate of {baud} is not from 1 to a quarter of the clock of {clock_hz} Hz")
    clocks = (clock_hz + baud // 2) // baud
    if abs(clock_hz / clocks / baud - 1) > LARGEST_ERROR:
        nearest = clock_hz // clocks
        raise ConfigError(f"a clock of {clock_hz} Hz makes {nearest} baud, not {baud}: take that, or a faster clock")
    return clocks


def _check_lengths(config: Config, sizes: Sizes) -> None:
    longest = (1 << LENGTH_BITS) - 1
    if sizes.features + LABEL_BYTES + REQUEST_BYTES > longest or sizes.answer > longest:
        raise ConfigError(f"sizes = {config.sizes}: a sample and a result must fit in packets of {longest} bytes")
