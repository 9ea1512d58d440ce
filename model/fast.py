"""The golden model's fast twin: the same bits by compiled loops."""

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .carry import join_digits
from .compile_lock import compile_lock
from .config import Config
from .crossbar import Cells
from .layer import generator_keys
from .lfsr import Bank, seed
from .machine import Machine, make_machine, make_scratch
from .trainer import (
    Features,
    Trainer,
    Votes,
    check_generator_states,
    check_passes,
    check_samples,
    check_weights,
    power_up_weights,
)

SLOW = "Numba is not installed: the plain model trains, about twenty times slower; install it with: pip install numba"


class KernelTrainer:
    """A trainer whose loops are compiled: what trainers of exact and of analog arrays share.

    Parameters
    ----------
    config : Config
        The machine.
    kernels : module
        With `train` and `infer`.
    arrays : tuple
        What the kernels work on, the machine first.

    Attributes
    ----------
    arrays : tuple
    samples_trained : int
    counts : Counts
        Events since the trainer was made.
    """

    def __init__(self, config: Config, kernels: ModuleType, arrays: tuple[Any, ...]) -> None:
        self.config = config
        self.samples_trained = 0
        self._kernels = kernels
        self.arrays = arrays
        self._machine: Machine = arrays[0]
        self.counts = self._machine.counts
        self._slots = {
            (layer, *key): int(self._machine.slots[key[1], layer - 1, key[0]])
            for layer in range(1, config.layers + 1)
            for key in generator_keys(config, layer)
        }
        for (layer, generator, bank), slot in self._slots.items():
            self._machine.states[slot] = seed(config.seed, generator, bank, layer)
        self.load(power_up_weights(config))
        self._compile()

    def train(self, features: Features, labels: Sequence[int] | NDArray[np.int64], exponent: int = 0) -> None:
        """Train samples in the order given.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        labels : sequence of int, shape (samples,)
        exponent : int
            k of all samples, 0 to 7.

        Raises
        ------
        DataError
            If any sample does not fit the machine; none is trained then.
        """
        check_samples(self.config, features, labels, exponent)
        arguments = _frozen(features), np.array(labels, dtype=np.int64), int(exponent)
        self._kernels.train(*self.arrays, *arguments, self.samples_trained)
        self.samples_trained += len(features)

    def infer(self, features: Features, passes: int = 16) -> Votes:
        """Classify samples by votes over `passes` stochastic passes; training is not affected.

        Parameters
        ----------
        features : ndarray of uint8, shape (samples, inputs)
        passes : int
            T, 1 to 255.

        Returns
        -------
        ndarray of int64, shape (samples, outputs)

        Raises
        ------
        DataError
            If the samples do not fit the machine or `passes` is out of range.
        """
        check_samples(self.config, features)
        check_passes(passes)
        for (layer, generator, bank), slot in self._slots.items():
            if bank is Bank.INFER:
                self._machine.states[slot] = seed(self.config.seed, generator, bank, layer)
        votes = np.zeros((len(features), self.config.sizes[-1]), dtype=np.int64)
        self._kernels.infer(*self.arrays, _frozen(features), int(passes), votes)
        return votes

    def weights(self) -> list[Cells]:
        """Cells of layers 1 to L, each of shape (rows, columns * carry_digits), in steps."""
        raise NotImplementedError

    def load(self, weights: Sequence[Cells]) -> None:
        """Write the cells of all layers, each of shape (rows, columns * carry_digits), in steps.

        Raises
        ------
        RunError
            If a shape or a cell does not fit; nothing is changed then.
        """
        raise NotImplementedError

    def generator_states(self) -> list[int]:
        """States of the training generators, by layer and generator number."""
        return [int(self._machine.states[slot]) for slot in self._training_slots()]

    def restore(self, weights: Sequence[Cells], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state.

        Raises
        ------
        RunError
            If the state is not one of this machine.
        """
        check_generator_states(self.config, generator_states)
        self.load(weights)
        self._machine.states[self._training_slots()] = generator_states
        self.samples_trained = samples_trained

    def _compile(self) -> None:
        """Have the loops ready, so that no later call takes longer than the first."""
        nothing = np.zeros((0, self.config.sizes[0]), dtype=np.uint8)
        with compile_lock(self._kernels, self.arrays):
            self.train(nothing, np.zeros(0, dtype=np.int64))
            self.infer(nothing)

    def _training_slots(self) -> list[int]:
        return [slot for (_, _, bank), slot in self._slots.items() if bank is Bank.TRAIN]

    def _part(self, matrix: NDArray[np.signedinteger], layer: int) -> NDArray[np.signedinteger]:
        """A layer's part of `matrix` without its padding, shape (rows, columns)."""
        starts, rows = self._machine.starts, self.config.rows(layer)
        return matrix[starts[layer - 1] : starts[layer]].reshape(rows, -1)[:, : self.config.columns(layer)]


class FastTrainer(KernelTrainer):
    """The golden model in compiled loops: `Trainer` without traces and without the crossbar port.

    Parameters
    ----------
    config : Config
        The machine.
    machine : Machine, optional
        Its arrays, where they are not those that `make_machine` makes of `config`.

    Raises
    ------
    ImportError
        Where Numba is missing.
    """

    def __init__(self, config: Config, machine: Machine | None = None) -> None:
        machine = make_machine(config) if machine is None else machine
        super().__init__(config, _kernels(), (machine, make_scratch(machine)))

    def weights(self) -> list[Cells]:
        """Cells of layers 1 to L, each of shape (rows, columns * carry_digits), in steps."""
        cells = []
        for layer in range(1, self.config.layers + 1):
            digits = [self._part(matrix, layer) for matrix in self._machine.cells]
            cells.append(np.stack(digits, axis=-1).reshape(self.config.rows(layer), -1).astype(np.int32))
        return cells

    def load(self, weights: Sequence[Cells]) -> None:
        """Write the cells of all layers, each of shape (rows, columns * carry_digits), in steps.

        Raises
        ------
        RunError
            If a shape or a cell does not fit; nothing is changed then.
        """
        config = self.config
        check_weights(config, weights)
        for layer, matrix in enumerate(weights, start=1):
            cells = matrix.reshape(config.rows(layer), config.columns(layer), config.carry_digits)
            for digit in range(config.carry_digits):
                self._part(self._machine.cells[digit], layer)[:] = cells[:, :, digit]
            joined = join_digits(matrix.astype(np.int64), config.carry_digits, config.carry_base)
            self._part(self._machine.weights, layer)[:] = joined


def make_trainer(config: Config) -> "Trainer | FastTrainer":
    """The fastest golden model that can be had: `FastTrainer`, or the plain `Trainer` with a warning without Numba."""
    try:
        return FastTrainer(config)
    except ImportError:
        warnings.warn(SLOW, stacklevel=2)
        return Trainer(config)


def _frozen(features: Features) -> Features:
    """`features` read-only, whatever they are: loops compile anew for arrays that differ in this."""
    view = np.ascontiguousarray(features).view()
    view.setflags(write=False)
    return view


def _kernels() -> ModuleType:
    """Imported late: Numba takes a while, and need not be there."""
    from . import kernels

    return kernels
