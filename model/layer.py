"""One layer of the machine: a crossbar, its generators, and the order in which they work."""

import numpy as np
from numpy.typing import NDArray

from . import samplers
from .carry import Carried, CarryRule, carry
from .config import Config, Gate
from .crossbar import Address, Crossbar, Read
from .lfsr import Bank, Generator, Lfsr, seed
from .trace import Bits, Rows, Signs

GeneratorKey = tuple[Generator, Bank]


class Layer:
    """A layer around the crossbar port.

    Parameters
    ----------
    config : Config
        The machine.
    index : int
        1 to L.
    crossbar : Crossbar
        The array, integer or analog.
    """

    def __init__(self, config: Config, index: int, crossbar: Crossbar) -> None:
        self.index = index
        self.crossbar = crossbar
        self._config = config
        self._thresholds = np.array(config.thresholds(index))
        self._windows = np.array(config.windows(index))
        self.generators = {key: Lfsr(seed(config.seed, *key, index)) for key in generator_keys(config, index)}

    def reseed(self, bank: Bank) -> None:
        """Return the generators of `bank` to their seeds."""
        for (generator, owner), lfsr in self.generators.items():
            if owner is bank:
                lfsr.state = seed(self._config.seed, generator, owner, self.index)

    def draw_input(self, features: NDArray[np.uint8], bank: Bank) -> list[Rows]:
        """Draw the row events of the first layer from `features` (inputs,), a list for each pattern."""
        generator = self.generators[Generator.INPUT, bank]
        return [row_events(samplers.bernoulli(features, generator)) for _ in range(self._config.input_draws)]

    def forward(self, address: Address, rows: Rows, bank: Bank) -> Bits:
        """Read the active `rows` and fire, shape (columns,)."""
        self.crossbar.read_forward(address, rows)
        return samplers.fire(self.crossbar, address, self._thresholds, self.generators[Generator.FIRE, bank])

    def open_gates(self, address: Address) -> Bits:
        """Gate the forward read that is still held, shape (columns,)."""
        address = address._replace(comparison=1)
        if self._config.gate is Gate.FIXED_WINDOW:
            return samplers.fixed_window(self.crossbar, address, int(self._windows[0]))
        generator = self.generators[Generator.GATE, Bank.TRAIN]
        if self._config.gate is Gate.XOR:
            return samplers.xor(self.crossbar, address, self._thresholds, generator)
        return samplers.random_window(self.crossbar, address, self._windows, generator)

    def backward(self, address: Address, signs: Signs, rows: Rows) -> Signs:
        """Reduce the sums that `rows` see, when columns are driven by `signs`, to their signs, shape (rows,)."""
        address = address._replace(read=Read.BACKWARD)
        self.crossbar.read_backward(address, signs, rows)
        positive = self.crossbar.compare(address, np.zeros(len(rows), dtype=np.int64))
        negative = ~self.crossbar.compare(address._replace(comparison=1), np.full(len(rows), -1))
        return positive.astype(np.int8) - negative.astype(np.int8)

    def update(self, address: Address, rows: Rows, signs: Signs, exponent: int) -> Rows:
        """Thin the row events, pulse them along `signs`, and return the rows pulsed."""
        kept = samplers.keep_rows(rows, self.crossbar.rows, exponent, self.generators[Generator.THIN, Bank.TRAIN])
        if not signs.any():
            return kept[:0]
        self.crossbar.pulse(address, kept, signs)
        return kept

    def carry(self, address: Address) -> Carried:
        """Carry full cells into their upper neighbours."""
        config = self._config
        rule = CarryRule(
            digits=config.carry_digits,
            base=config.carry_base,
            digit_max=config.digit_max,
            pulses=config.carry_pulses,
            verify=0 if self.crossbar.exact else config.carry_verify,
            search_bits=config.search_bits,
        )
        return carry(self.crossbar, address, rule)


def generator_keys(config: Config, layer: int) -> list[GeneratorKey]:
    """Generators that `layer` (1 to L) has, in the order of their numbers, training bank first."""
    has_gate = layer < config.layers and config.gate is not Gate.FIXED_WINDOW
    banks = {
        Generator.INPUT: tuple(Bank) if layer == 1 else (),
        Generator.FIRE: tuple(Bank),
        Generator.GATE: (Bank.TRAIN,) if has_gate else (),
        Generator.THIN: (Bank.TRAIN,),
    }
    return [(generator, bank) for generator in Generator for bank in banks[generator]]


def row_events(active: Bits) -> Rows:
    """Rows of the active lines, ascending, ended by the bias row."""
    return np.concatenate((np.flatnonzero(active), [len(active)]))
