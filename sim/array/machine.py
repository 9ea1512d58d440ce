"""An analog array as flat arrays: what the compiled loops of `kernels` read and write."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.config import Config
from ...model.crossbar import Address, Read
from ...model.machine import LINE, Machine, Scratch, make_machine, make_scratch, zeros
from .cells import CELLS, LANES, STRIDE
from .config import ArrayConfig
from .crossbar import MINUS, PLUS, Periphery, check_sums
from .device import fixed_point
from .flat_history import FlatAgeing, make_flat_history, pad
from .memory import check_memory
from .pairs import Pairs, make_pairs, thinning_limits
from .population import Population

Array = NDArray[Any]
SIDES = 2


class Analog(NamedTuple):
    """The arrays of all layers; layers are counted from 0, columns padded as in `Machine`.

    Attributes
    ----------
    conductances : ndarray of int32, shape (2, digits, devices)
        Plus devices first, in quanta.
    squares : ndarray of int64, shape (cells,), or (0,) without read noise
        Of each synapse, weighted sums of the squares of what reads see of its conductances.
    bounds : ndarray of int32, shape (digits, cells, 4), or (digits, 1, 4) where all devices are alike
        Low and high of the plus device, then of the minus device; side by side, for a pulse needs them together.
    steps : ndarray of int64, shape (digits, cells, 2, 4), or (digits, 1, 2, 4)
        Of a pulse that raises the cell, then of one that lowers it: intercept and slope of what the plus device does
        (SET, then RESET), then of what the minus device does.
    alike : bool
    places : ndarray of int64, shape (digits,)
        What a digit counts.
    upper_windows : ndarray of int64, shape (layers, 256)
        References of the upper end of a gate's window.
    carry_codes : ndarray of int64, shape (4,)
        References of a carry: of a full cell and of one without room, upward and downward.
    sign_codes : ndarray of int64, shape (2,)
        References of the codes 0 and -1.
    offsets : ndarray of int64, shape (2, layers, lines)
        Of the comparators of columns and of rows, in quanta.
    range_spread, step_spread, read_noise, comparator_noise : int
        In 2^-16: quanta, shares, shares, quanta.
    key_low, key_high : int
        Words of the seed.
    digits, pulses_per_step, verify, search_bits : int
    half_lsb, reference_step : int
        Of the references: in 2^-16 quanta, and in quanta.
    moved : int
        Devices of a pair that pulses move: with 1, the minus device stays where it is.
    set_thinning, reset_thinning : int
        Shares of pulses that are left out, in 2^-32.
    life, programmed, factors, settled, selects, tick_samples, half_selects, fades, changes
        As of `FlatHistory`; a tuple in this one would be counted in and out wherever a loop touches it.
    """

    conductances: Array
    squares: Array
    bounds: Array
    steps: Array
    alike: bool
    places: Array
    upper_windows: Array
    carry_codes: Array
    sign_codes: Array
    offsets: Array
    range_spread: int
    step_spread: int
    read_noise: int
    comparator_noise: int
    key_low: int
    key_high: int
    digits: int
    pulses_per_step: int
    verify: int
    search_bits: int
    half_lsb: int
    reference_step: int
    moved: int
    set_thinning: int
    reset_thinning: int
    life: Array
    programmed: Array
    factors: Array
    settled: Array
    selects: Array
    tick_samples: int
    half_selects: int
    fades: bool
    changes: bool


class AnalogScratch(NamedTuple):
    """Memory that a sample needs beside `Scratch`.

    Attributes
    ----------
    variance : ndarray of int64, shape (lines,)
    normals : ndarray of int64, shape (lines,)
        Of the lines of a read.
    cells : ndarray of int64, shape (LANES * STRIDE,)
        Cells that are pulsed, as in `pulse_kernels`.
    along : ndarray of int8, shape (CELLS,)
        Signs of the columns driven.
    error : ndarray of int64, shape (3, lines)
        Comparator noise.
    up, down : ndarray of bool, shape (lines,)
    sum : ndarray of int64, shape (lines,)
        What is held of a backward read or of a digit.
    driven : ndarray of int64, shape (lines,)
        Columns whose sign is not zero.
    carried : ndarray of int8, shape (lines,)
    row : ndarray of int32, shape (1,)
        Row of a carry.
    codes : ndarray of int64, shape (lines,)
        Weights that a verified carry found.
    pulses : ndarray of int64, shape (layers, 4), or (0, 4) where pulses are not counted
        SET and RESET pulses since the array was made, and sums of the conductances that they met, in quanta.
    """

    variance: Array
    normals: Array
    cells: Array
    along: Array
    error: Array
    up: Array
    down: Array
    sum: Array
    driven: Array
    carried: Array
    row: Array
    codes: Array
    pulses: Array


def make_analog(
    config: Config, array: ArrayConfig, counting: bool = False
) -> tuple[tuple[Machine, Scratch, Analog, AnalogScratch], FlatAgeing]:
    """All that the kernels need, conductances at mid-range, and what the loops between samples need besides.

    With `counting` they count pulses, which takes time.

    Raises
    ------
    ConfigError
        If the devices cannot hold the cells, or sums would not fit 64 bits.
    """
    check_memory(config, array, _layers(config))
    steps = array.steps(config.digit_max, config.pulses_per_step)
    periphery = Periphery(array, steps.half_lsb)
    for layer in range(1, config.layers + 1):
        check_sums(config, layer, array)
    machine = _analog_machine(config, steps.high, periphery)
    pairs = [make_pairs(config, layer, array) for layer in _layers(config)]
    population, alike = _flat_population(config, pairs, machine)
    history, ageing = make_flat_history(config, array, machine)
    devices = int(machine.starts[-1])
    set_thinning, reset_thinning = thinning_limits(array)
    shape = 2, config.carry_digits, devices
    analog = Analog(
        conductances=np.full(shape, (steps.low + steps.high) // 2, dtype=np.int32),
        squares=np.zeros(devices if array.device.read_noise else 0, dtype=np.int64),
        bounds=_bounds(population),
        steps=_steps(population),
        alike=alike,
        places=config.carry_base ** np.arange(config.carry_digits, dtype=np.int64),
        upper_windows=_references(periphery, [[u - 1 for u in config.windows(k)] for k in _layers(config)]),
        carry_codes=_references(periphery, _carry_codes(config)),
        sign_codes=_references(periphery, [0, -1]),
        offsets=_offsets(config, periphery, machine),
        range_spread=fixed_point(array.device.cycle_spread_of_range) * (steps.high - steps.low),
        step_spread=fixed_point(array.device.cycle_spread_of_step),
        read_noise=fixed_point(array.device.read_noise),
        comparator_noise=periphery.noise,
        key_low=array.seed & 0xFFFFFFFF,
        key_high=array.seed >> 32,
        digits=config.carry_digits,
        pulses_per_step=config.pulses_per_step,
        verify=config.carry_verify,
        search_bits=config.search_bits,
        half_lsb=steps.half_lsb,
        reference_step=periphery.step,
        moved=array.moved,
        set_thinning=set_thinning,
        reset_thinning=reset_thinning,
        **history._asdict(),
    )
    scratch = _make_scratch(machine, counting)
    if counting:
        scratch.pulses[:] = [astuple(each.pulses) for each in pairs]
    return (machine, make_scratch(machine), analog, scratch), ageing


def _layers(config: Config) -> range:
    return range(1, config.layers + 1)


def _analog_machine(config: Config, highest: int, periphery: Periphery) -> Machine:
    """The machine with weights in quanta and references instead of codes; windows are the lower ends."""
    machine = make_machine(config)
    weight_max = 2 * highest * sum(config.carry_base**digit for digit in range(config.carry_digits))
    return machine._replace(
        weights=np.zeros(len(machine.weights), dtype=np.int32 if weight_max < 1 << 31 else np.int64),
        cells=np.zeros((1, LINE), dtype=np.int8),
        thresholds=_references(periphery, [config.thresholds(layer) for layer in _layers(config)]),
        windows=_references(periphery, [[-u for u in config.windows(layer)] for layer in _layers(config)]),
        weight_max=weight_max,
    )


def _references(periphery: Periphery, codes: Any) -> Array:
    return periphery.references(np.array(codes, dtype=np.int64))


def _carry_codes(config: Config) -> list[int]:
    full, most = config.carry_base * config.carry_pulses, config.digit_max - config.carry_pulses + 1
    return [full - 1, -full, most - 1, -most]


def _flat_population(config: Config, pairs: Sequence[Pairs], machine: Machine) -> tuple[Population, bool]:
    layers = [each.population for each in pairs]
    shape = 2, config.carry_digits
    if all(values.size == 1 for values in layers[0]):
        alike = [np.broadcast_to(values.reshape(1, 1, 1), (*shape, 1)).copy() for values in layers[0]]
        return Population(*alike), True
    padded = [
        np.concatenate([pad(values, machine, config.carry_digits, layer) for layer, values in enumerate(same)], axis=2)
        for same in zip(*layers, strict=True)
    ]
    return Population(*padded), False


def _bounds(population: Population) -> Array:
    """Bounds of the two devices of a cell side by side."""
    low, high = population.low, population.high
    return _at_cache_lines(np.stack([low[PLUS], high[PLUS], low[MINUS], high[MINUS]], axis=-1).astype(np.int32))


def _steps(population: Population) -> Array:
    """Steps of the two devices of a cell side by side, those of a pulse that raises it first."""
    raising = population.set_intercept, population.set_slope
    lowering = population.reset_intercept, population.reset_slope
    up = [values[PLUS] for values in raising] + [values[MINUS] for values in lowering]
    down = [values[PLUS] for values in lowering] + [values[MINUS] for values in raising]
    return _at_cache_lines(np.stack([np.stack(up, axis=-1), np.stack(down, axis=-1)], axis=-2))


def _at_cache_lines(values: Array) -> Array:
    aligned = zeros(values.shape, values.dtype)
    aligned[...] = values
    return aligned


def _offsets(config: Config, periphery: Periphery, machine: Machine) -> Array:
    offsets = np.zeros((SIDES, config.layers, int(machine.widths.max()) + LINE), dtype=np.int64)
    if periphery.offset:
        for side in (Read.FORWARD, Read.BACKWARD):
            for layer in _layers(config):
                lines = config.columns(layer) if side is Read.FORWARD else config.rows(layer)
                address = Address(0, layer, training=False, read=side)
                offsets[side, layer - 1, :lines] = periphery.offsets(address, np.arange(lines))
    return offsets


def _make_scratch(machine: Machine, counting: bool) -> AnalogScratch:
    lines = int(machine.widths.max()) + LINE
    return AnalogScratch(
        variance=np.zeros(lines, dtype=np.int64),
        normals=np.zeros(lines, dtype=np.int64),
        cells=zeros(LANES * STRIDE, np.int64),
        along=np.zeros(CELLS, dtype=np.int8),
        error=np.zeros((3, lines), dtype=np.int64),
        up=np.zeros(lines, dtype=np.bool_),
        down=np.zeros(lines, dtype=np.bool_),
        sum=np.zeros(lines, dtype=np.int64),
        driven=np.zeros(lines, dtype=np.int64),
        carried=np.zeros(lines, dtype=np.int8),
        row=np.zeros(1, dtype=np.int32),
        codes=np.zeros(lines, dtype=np.int64),
        pulses=np.zeros((len(machine.sizes) - 1 if counting else 0, 4), dtype=np.int64),
    )
