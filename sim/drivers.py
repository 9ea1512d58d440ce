"""Drivers and monitors of the hardware's ports, for cocotb.

Inputs change at the falling edge, and everything is looked at once it has settled after it: what is seen then is what
the next rising edge acts on.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cocotb
from amaranth.lib import data
from cocotb.queue import Queue
from cocotb.triggers import FallingEdge, ReadOnly

from ..hdl.observation import Observed, Observer
from ..hdl.words import from_int, locate, word_count
from ..model.config import Config
from .array.pins import Levels, PinViolation, SimulatedArray, pin_widths


class Stream:
    """The three signals of a stream.

    Parameters
    ----------
    dut : handle
    name : str
        Of the stream's port.
    """

    def __init__(self, dut: Any, name: str) -> None:
        self.clock = dut.clk
        self.payload = getattr(dut, f"{name}__payload")
        self.valid = getattr(dut, f"{name}__valid")
        self.ready = getattr(dut, f"{name}__ready")


class Source:
    """Drives a stream that goes into the hardware, pausing at random.

    Parameters
    ----------
    stream : Stream
    stalls : float
        Probability of a pause in each cycle.
    seed : int
    """

    def __init__(self, stream: Stream, stalls: float, seed: int) -> None:
        self._stream = stream
        self._stalls = stalls
        self._random = random.Random(seed)
        stream.valid.value = 0
        stream.payload.value = 0

    async def send(self, payloads: Iterable[int]) -> None:
        """Send payloads; returns when the last one is accepted."""
        stream = self._stream
        for payload in payloads:
            await FallingEdge(stream.clock)
            while self._random.random() < self._stalls:
                stream.valid.value = 0
                await FallingEdge(stream.clock)
            stream.payload.value = payload
            stream.valid.value = 1
            await ReadOnly()
            while not stream.ready.value:
                await FallingEdge(stream.clock)
                await ReadOnly()
        await FallingEdge(stream.clock)
        stream.valid.value = 0


class Sink:
    """Takes what comes out of a stream, pausing at random.

    Parameters are those of `Source`.
    """

    def __init__(self, stream: Stream, stalls: float, seed: int) -> None:
        self._stream = stream
        self._stalls = stalls
        self._random = random.Random(seed)
        self._received: Queue[int] = Queue()
        stream.ready.value = 0

    def start(self) -> None:
        """Start to take payloads; not before reset."""
        cocotb.start_soon(self._run())

    async def receive(self) -> int:
        """Wait for the next payload."""
        return await self._received.get()

    async def _run(self) -> None:
        stream = self._stream
        while True:
            await FallingEdge(stream.clock)
            ready = self._random.random() >= self._stalls
            stream.ready.value = int(ready)
            await ReadOnly()
            if ready and stream.valid.value:
                self._received.put_nowait(int(stream.payload.value))


class TraceMonitor:
    """Watches the trace ports and assembles what happens in each training sample.

    Parameters
    ----------
    dut : handle
    config : Config
    """

    def __init__(self, dut: Any, config: Config) -> None:
        self._dut = dut
        self._observer = Observer(config)
        self._ports = [getattr(dut, f"trace{layer}") for layer in range(1, config.layers + 1)]
        self._samples: Queue[list[list[int]] | PinViolation] = Queue()
        self.cycles = 0
        self.busy_cycles = 0
        cocotb.start_soon(self._run())

    def fail(self, violation: PinViolation) -> None:
        """Let whoever waits for a sample have `violation`."""
        self._samples.put_nowait(violation)

    async def sample(self, number: int, label: int, exponent: int) -> Observed:
        """Wait for the end of the next sample and return its trace, under the given number, label and k.

        Raises
        ------
        PinViolation
            That the monitor was told of.
        """
        cycles = await self._samples.get()
        if isinstance(cycles, PinViolation):
            raise cycles
        words = [
            from_int([cycle[layer] for cycle in cycles], word_count(layout.size))
            for layer, layout in enumerate(self._observer.layouts)
        ]
        return self._observer.assemble(number, label, exponent, words)

    async def _run(self) -> None:
        dut = self._dut
        cycles: list[list[int]] = []
        while True:
            await FallingEdge(dut.clk)
            await ReadOnly()
            self.cycles += 1
            if not dut.training.value:
                continue
            self.busy_cycles += 1
            cycles.append([self._read(layer) for layer in range(len(self._ports))])
            if dut.sample_done.value:
                self._samples.put_nowait(cycles)
                cycles = []

    def _read(self, layer: int) -> int:
        """Value of a trace port; unknown bits are 0 in parts that are not valid, and wrong in those that are."""
        value = self._ports[layer].value
        if value.is_resolvable:
            return int(value)
        text = str(value)
        known, unknown = int(_known_bits(text), 2), int(_unknown_bits(text), 2)
        for part, shape in self._observer.layouts[layer].members.items():
            offset, width, _ = locate(self._observer.layouts[layer], part)
            mask = ((1 << width) - 1) << offset
            has_valid = isinstance(shape, data.StructLayout)
            counts = not has_valid or (known | unknown) >> offset & 1
            if counts and unknown & mask:
                raise AssertionError(f"layer {layer + 1}, stage {part}: the hardware shows unknown bits")
        return known


class ArrayMonitor:
    """Lets simulated arrays answer the pins of the hardware.

    Parameters
    ----------
    dut : handle
    config : Config
    arrays : sequence of SimulatedArray
        Of layers 1 to L.
    fail : callable
        Told what the hardware must not do, if it does.
    """

    def __init__(
        self, dut: Any, config: Config, arrays: Sequence[SimulatedArray], fail: Callable[[PinViolation], None]
    ) -> None:
        self._fail = fail
        for layer, array in enumerate(arrays, start=1):
            pins = {name: getattr(dut, f"array{layer}__{name}") for name in pin_widths(config, layer)}
            cocotb.start_soon(self._run(dut.clk, pins, getattr(dut, f"array{layer}__decision"), array))

    async def _run(self, clock: Any, pins: dict[str, Any], decision: Any, array: SimulatedArray) -> None:
        # Pins come from registers and have settled at the falling edge.
        cycle = 0
        while True:
            await FallingEdge(clock)
            levels = Levels(**{name: int(pin.value) for name, pin in pins.items()})
            try:
                decision.value = array.see(cycle, levels)
            except PinViolation as violation:
                self._fail(violation)
                return
            cycle += 1


def _known_bits(text: str) -> str:
    return "".join(bit if bit in "01" else "0" for bit in text)


def _unknown_bits(text: str) -> str:
    return "".join("0" if bit in "01" else "1" for bit in text)
