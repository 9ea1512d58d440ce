"""The analog crossbar: conductances behind the port that the golden model is written against (section 13)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Address, Cells, Read
from ...model.errors import ConfigError
from .config import ArrayConfig
from .device import fixed_point
from .history import History
from .memory import check_memory
from .noise import ONE, Normals, Purpose, counter_words, device_words, line_normals, normals_of
from .pairs import left_out, make_pairs
from .population import Population, Whole, cycle_spreads, pulsed
from .pulse_count import PulseCount

Conductances = NDArray[np.int32]
PLUS, MINUS = 0, 1
MOST = 1 << 62


class AnalogCrossbar:
    """A layer's array of differential pairs, by transactions.

    Parameters
    ----------
    config : Config
        The machine.
    layer : int
        1 to L.
    array : ArrayConfig

    Attributes
    ----------
    rows, columns : int
        Bias row included.
    conductances : ndarray of int64, shape (2, digits, rows, columns)
        Of plus and minus devices, in quanta, as pulses left them.
    history : History
        What has happened to the devices, and what reads see of them for it.
    driven : ndarray of int64
        Rows of the last forward read.
    pulses : PulseCount

    Raises
    ------
    ConfigError
        If the devices cannot hold the cells, or sums would not fit 64 bits.
    """

    exact = False

    def __init__(self, config: Config, layer: int, array: ArrayConfig) -> None:
        check_memory(config, array, [layer])
        self.rows, self.columns = config.rows(layer), config.columns(layer)
        self.array = array
        self.steps = array.steps(config.digit_max, config.pulses_per_step)
        self.population, self.pulses = make_pairs(config, layer, array)
        self._digit_max = config.digit_max
        self._pulses_per_step = config.pulses_per_step
        self._places = config.carry_base ** np.arange(config.carry_digits, dtype=np.int64)
        shape = 2, config.carry_digits, self.rows, self.columns
        self.conductances: Whole = np.full(shape, self._rest())
        self.history = History(config, layer, array, self.population)
        self._periphery = Periphery(array, self.steps.half_lsb)
        self.driven: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._held: Whole = np.zeros(self.columns, dtype=np.int64)
        self._lines: Whole = np.arange(self.columns)
        check_sums(config, layer, array)

    def read_forward(self, address: Address, rows: NDArray[np.int64]) -> None:
        self.driven = rows
        driven = self._seen(address, (slice(None), slice(None), rows))
        sums = (driven[PLUS] - driven[MINUS]).sum(axis=1)
        squares = (driven**2).sum(axis=(0, 2)) if self.array.device.read_noise else None
        self._hold(address, np.arange(self.columns), sums, squares, self._places)

    def read_digit(self, address: Address, row: int, digit: int) -> None:
        driven = self._seen(address, (slice(None), digit, row))
        squares = (driven**2).sum(axis=0) if self.array.device.read_noise else None
        self._hold(address, np.arange(self.columns), driven[PLUS] - driven[MINUS], squares)

    def read_backward(self, address: Address, signs: NDArray[np.int8], rows: NDArray[np.int64]) -> None:
        sensed = self._seen(address, (slice(None), slice(None), rows))
        sums = (sensed[PLUS] - sensed[MINUS]) @ signs.astype(np.int64)
        squares = None
        if self.array.device.read_noise:
            squares = (sensed**2).sum(axis=0) @ np.abs(signs).astype(np.int64)
        self._hold(address, rows, sums, squares, self._places)

    def compare(self, address: Address, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        return self._held + self._periphery.errors(address, self._lines) > self._periphery.references(codes)

    def pulse(self, address: Address, rows: NDArray[np.int64], signs: NDArray[np.int8], digit: int = 0) -> None:
        first = address.repetition * self._pulses_per_step
        for number in range(first, first + self._pulses_per_step):
            self.pulse_once(address._replace(repetition=number), rows, signs, digit)

    def pulse_once(self, address: Address, rows: NDArray[np.int64], signs: NDArray[np.int8], digit: int = 0) -> None:
        """Give the cells `digit` of `rows` one pulse of a step along `signs` (columns,); the address numbers pulses."""
        self._advance(address)
        columns = np.flatnonzero(signs)
        up = np.stack([signs[columns] > 0, signs[columns] < 0])
        given = self._given(address, rows, columns, digit, up)
        self.pulses += _count(self.conductances[:, digit][:, rows[:, np.newaxis], columns], up, given)
        noise = self._pulse_noise(address, rows, columns, digit)
        for polarity in range(self.array.moved):
            self._move(polarity, digit, (rows, columns), up[polarity], given[polarity], noise[..., polarity])
        self.history.selected(rows, signs, digit)

    def load(self, cells: Cells) -> None:
        digits = len(self._places)
        values = cells.reshape(self.rows, self.columns, digits).transpose(2, 0, 1).astype(np.int64)
        shift = (values * self.steps.device_lsb + ONE // 2) >> 16
        wanted = np.stack([self._rest() + shift, self._rest() - shift])
        self.conductances[:] = np.clip(wanted, self.population.low, self.population.high)
        self.history.loaded()

    def dump(self) -> Cells:
        half = self.steps.half_lsb
        difference = self.conductances[PLUS] - self.conductances[MINUS]
        cells = np.clip((difference * ONE + half) // (2 * half), -self._digit_max, self._digit_max)
        matrix: Cells = cells.transpose(1, 2, 0).reshape(self.rows, -1).astype(np.int32)
        return matrix

    def _advance(self, address: Address) -> None:
        """Come to a training sample; passes of inference take no time."""
        if address.training:
            self.history.advance(address.sample, self.conductances)
        self.history.solve(self.conductances)

    def _seen(self, address: Address, chosen: Any) -> Whole:
        """What an operation sees of the devices `chosen`, in quanta."""
        self._advance(address)
        return self.history.seen(self.conductances, chosen)

    def _hold(
        self, address: Address, lines: Whole, sums: Whole, squares: Whole | None, places: Whole | None = None
    ) -> None:
        """Hold sums, shape (digits, lines), or (lines,) of a digit alone without `places`, and their noise."""
        self._lines = lines
        self._held = sums if places is None else places @ sums
        if squares is not None:
            variance = squares if places is None else places**2 @ squares
            normals = line_normals(self.array.seed, Purpose.READ, address, lines)
            noise = integer_root(variance) * fixed_point(self.array.device.read_noise) * normals
            self._held = self._held + ((noise + (1 << 31)) >> 32)

    def _pulse_noise(self, address: Address, rows: Whole, columns: Whole, digit: int) -> Normals:
        """Normals of the devices pulsed, shape (rows, columns, 2)."""
        device = self.array.device
        if not device.cycle_spread_of_range and not device.cycle_spread_of_step:
            return np.zeros((len(rows), len(columns), 2), dtype=np.int64)
        cells = columns * len(self._places) + digit
        c1, c2, c3 = counter_words(Purpose.PULSE, address._replace(digit=digit))
        return normals_of(device_words(self.array.seed, rows, cells, c1, c2, c3))

    def _given(
        self, address: Address, rows: Whole, columns: Whole, digit: int, up: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which devices the pulses reach, shape (2, rows, columns)."""
        given = np.ones((2, len(rows), len(columns)), dtype=np.bool_)
        given[self.array.moved :] = False
        if self.array.thinning:
            cells = columns * len(self._places) + digit
            c1, c2, c3 = counter_words(Purpose.THINNING, address._replace(digit=digit))
            words = device_words(self.array.seed, rows, cells, c1, c2, c3)[..., :2].transpose(2, 0, 1)
            given &= ~left_out(self.array, words, up[:, np.newaxis, :])
        return given

    def _move(
        self,
        polarity: int,
        digit: int,
        lines: tuple[Whole, Whole],
        up: NDArray[np.bool_],
        given: NDArray[np.bool_],
        x: Normals,
    ) -> None:
        """Of the devices at rows and columns, SET those in columns where `up`, RESET the others, where `given`."""
        at = np.nonzero(given)
        chosen = polarity, digit, lines[0][at[0]], lines[1][at[1]]
        g, shape = self.conductances[chosen], self.conductances.shape
        devices = Population(*(np.broadcast_to(values, shape)[chosen] for values in self.population))
        after = pulsed(g, up[at[1]], devices, cycle_spreads(self.array.device, self.steps), x[at])
        self.conductances[chosen] = np.where(self.history.switches(chosen), after, g)
        self.history.pulsed(chosen)

    def _rest(self) -> Whole | int:
        """Conductances of cells that are 0: mid-range, or those of references, shape (digits, rows, columns)."""
        if self.array.moved == 1:
            references: Whole = self.population.low[MINUS]
            return references
        return (self.steps.low + self.steps.high) // 2


def _count(met: Whole, up: NDArray[np.bool_], given: NDArray[np.bool_]) -> PulseCount:
    """Of pulses where `given`, on devices of conductances `met`, shape (2, rows, columns), up where `up`."""
    of_set, of_reset = given & up[:, np.newaxis, :], given & ~up[:, np.newaxis, :]
    return PulseCount(int(of_set.sum()), int(of_reset.sum()), int(met[of_set].sum()), int(met[of_reset].sum()))


class Periphery:
    """References and comparators of an array.

    Parameters
    ----------
    array : ArrayConfig
    half_lsb : int
        In 2^-16 quanta.

    Attributes
    ----------
    step : int
        Of the references, in quanta; 0 means as fine as codes ask for.
    noise, offset : int
        Standard deviations of comparators, in 2^-16 quanta.
    """

    def __init__(self, array: ArrayConfig, half_lsb: int) -> None:
        self._seed = array.seed
        self._half_lsb = half_lsb
        device = array.device
        self.step = device.quanta(array.reference_step_S)
        self.noise, self.offset = (
            fixed_point(siemens / device.quantum_S) for siemens in (array.comparator_noise_S, array.comparator_offset_S)
        )

    def references(self, codes: NDArray[np.int64]) -> Whole:
        """What codes are compared with, in quanta."""
        exact = ((2 * codes.astype(np.int64) + 1) * self._half_lsb + ONE // 2) >> 16
        if self.step:
            return (2 * exact + self.step) // (2 * self.step) * self.step
        return exact

    def errors(self, address: Address, lines: Whole) -> Whole:
        """Offset and noise of the comparators of `lines`, in quanta."""
        error = np.zeros(len(lines), dtype=np.int64)
        if self.offset:
            error += self.offsets(address, lines)
        if self.noise:
            error += (self.noise * line_normals(self._seed, Purpose.COMPARE, address, lines) + (1 << 31)) >> 32
        return error

    def offsets(self, address: Address, lines: Whole) -> Whole:
        """Offsets of the comparators of `lines`, columns or rows as the read of `address` has it, in quanta."""
        fixed = Address(0, address.layer, training=False, read=self._side(address))
        return (self.offset * line_normals(self._seed, Purpose.OFFSET, fixed, lines) + (1 << 31)) >> 32

    @staticmethod
    def _side(address: Address) -> Read:
        return Read.BACKWARD if address.read is Read.BACKWARD else Read.FORWARD


def integer_root(values: Whole) -> Whole:
    """floor(sqrt(values)), exactly."""
    root = np.sqrt(values.astype(np.float64)).astype(np.int64)
    root -= root * root > values
    root += (root + 1) ** 2 <= values
    return root


def check_sums(config: Config, layer: int, array: ArrayConfig) -> None:
    """Check that sums of conductances and of their squares fit 64 bits.

    Raises
    ------
    ConfigError
        If they do not.
    """
    steps = array.steps(config.digit_max, config.pulses_per_step)
    events = max(config.rows(layer) * (config.input_draws if layer == 1 else 1), config.columns(layer))
    weight = sum(config.carry_base**digit for digit in range(config.carry_digits))
    most = events * (weight * 2 * steps.high) ** 2 * 2
    if most >= MOST:
        raise ConfigError(
            f"sums of squares over layer {layer} reach {most:.1e} quanta^2, which must be below 2^62: "
            f"raise quantum_S, or lower carry_base or carry_digits"
        )
