"""A board's platform without its chip: its resources as plain ports of a top module."""

from typing import Any

from amaranth.hdl import ClockSignal, IOBufferInstance, IOPort, Module, Mux, Signal
from amaranth.lib import io

from ..boards import Board


class SimulatedPlatform:
    """Gives a design the ports that the platform of `board` would, and buffers that can be simulated.

    Parameters
    ----------
    board : Board

    Attributes
    ----------
    ports : list of IOPort or Signal
        Those that were asked for, under the names that the board's constraints have, too. One of both directions is
        three signals: its name with _i, _o and _oe.
    inverted : set of str
        Names of those that are low where the design says 1.
    """

    def __init__(self, board: Board) -> None:
        self._platform = board.load_platform()
        self.ports: list[IOPort | Signal] = []
        self.inverted: set[str] = set()

    @property
    def resources(self) -> Any:
        """As of the board's platform."""
        return self._platform.resources

    def add_resources(self, resources: Any) -> None:
        """As of the board's platform."""
        self._platform.add_resources(resources)

    def lookup(self, name: str, number: int = 0) -> Any:
        """As of the board's platform."""
        return self._platform.lookup(name, number)

    def request(self, name: str, number: int = 0, **options: Any) -> Any:
        """As of the board's platform."""
        value = self._platform.request(name, number, **options)
        for port in [value] if isinstance(value, io.SingleEndedPort) else vars(value).values():
            self.ports.append(port.io)
            if any(port.invert):
                self.inverted.add(port.io.name)
        return value

    def get_io_buffer(self, buffer: Any) -> Module:
        """What is between a design and a port."""
        m = Module()
        port, mask = buffer.port, sum(bit << index for index, bit in enumerate(buffer.port.invert))
        if buffer.direction is io.Direction.Input:
            level = Signal(len(port))
            m.submodules += IOBufferInstance(port.io, i=level)
            m.d.comb += buffer.i.eq(level ^ mask)
            return m
        if buffer.direction is io.Direction.Bidir:
            self._split(m, buffer)
            return m
        level = Signal(len(port))
        if isinstance(buffer, io.FFBuffer):
            m.d.sync += level.eq(buffer.o)
        elif isinstance(buffer, io.DDRBuffer):
            m.d.comb += level.eq(Mux(ClockSignal(), buffer.o[0], buffer.o[1]))
        else:
            m.d.comb += level.eq(buffer.o)
        m.submodules += IOBufferInstance(port.io, o=level ^ mask)
        return m

    def _split(self, m: Module, buffer: Any) -> None:
        """Bring both directions out apart."""
        name = buffer.port.io.name
        coming, leaving = (Signal(len(buffer.port), name=f"{name}_{side}") for side in "io")
        drive = Signal(name=f"{name}_oe")
        m.d.comb += [buffer.i.eq(coming), leaving.eq(buffer.o), drive.eq(buffer.oe)]
        self.ports = [port for port in self.ports if port is not buffer.port.io] + [coming, leaving, drive]
