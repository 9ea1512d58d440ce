"""A crossbar that is reached by pins: the line driver, and access to cells in front of it."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..model.config import Config
from .cell_access import CellAccess
from .geometry import Geometry
from .line_driver import LineDriver, port_of
from .pins import ArrayPins


class PinnedCrossbar(wiring.Component):
    """The crossbar port on an array behind pins.

    Parameters
    ----------
    config : Config
        The machine.
    layer : int
        1 to L.

    Members
    -------
    port : In(CrossbarPort)
    pins : Out(ArrayPins)

    Latency
    -------
    As of `LineDriver` and `CellAccess`.
    """

    def __init__(self, config: Config, layer: int) -> None:
        self._config, self._layer = config, layer
        geometry = Geometry.of(config, layer)
        pins = ArrayPins(geometry, config.reference_bits)
        super().__init__({"port": In(port_of(config, geometry, cells=True)), "pins": Out(pins)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cell_access = cell_access = CellAccess(self._config, self._layer)
        m.submodules.line_driver = line_driver = LineDriver(self._config, self._layer)
        connect(m, flipped(self.port), cell_access.port)
        connect(m, cell_access.array, line_driver.port)
        connect(m, line_driver.pins, flipped(self.pins))
        return m
