"""The record of one training sample: every decision and every pulse (section 10 of the specification)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Bits = NDArray[np.bool_]
Signs = NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class LayerTrace:
    """What one layer did.

    Attributes
    ----------
    rows : ndarray of int64
        Row events of the forward pass: for each pattern ascending, the last one the bias row.
    fired : ndarray of bool, shape (columns,)
        Binarized activations.
    gates : ndarray of bool, shape (columns,) or (0,)
        Binarized derivatives; empty in the output layer and without an output error.
    sensed : ndarray of int64
        Columns of this layer whose sign was read backward through the next layer.
    signs : ndarray of int8, shape (columns,)
        Output error e in the output layer, back-propagated signs d in the others.
    pulsed : ndarray of int64
        Rows pulsed along `signs`, ascending.
    carried_up, carried_down : ndarray of int64
        Cells that the carry after this sample left, as indices into the matrix of cells, in the order of work.
    """

    rows: Rows
    fired: Bits
    gates: Bits
    sensed: Rows
    signs: Signs
    pulsed: Rows
    carried_up: Rows
    carried_down: Rows

    STAGES = ("rows", "fired", "gates", "sensed", "signs", "pulsed", "carried_up", "carried_down")

    @property
    def decisions(self) -> int:
        """Number of entries that a comparison of traces compares."""
        return sum(len(getattr(self, stage)) for stage in self.STAGES)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What the machine did with one training sample.

    Attributes
    ----------
    number : int
        Samples trained before this one.
    label : int
        Class of the sample.
    exponent : int
        k of the schedule.
    layers : tuple of LayerTrace
        Layers 1 to L.
    """

    number: int
    label: int
    exponent: int
    layers: tuple[LayerTrace, ...] = field(repr=False)

    @property
    def outputs(self) -> Bits:
        """Fired bits of the output layer."""
        return self.layers[-1].fired

    @property
    def has_error(self) -> bool:
        """Whether any output differed from the target."""
        return bool(self.layers[-1].signs.any())

    @property
    def decisions(self) -> int:
        """Number of entries that a comparison of traces compares."""
        return sum(layer.decisions for layer in self.layers)


def weights_sha256(weights: Sequence[NDArray[np.int32]]) -> str:
    """SHA-256 (hexadecimal) of the cells of all layers, row-major, two bytes each."""
    return hashlib.sha256(weights_bytes(weights)).hexdigest()


def weights_bytes(weights: Sequence[NDArray[np.int32]]) -> bytes:
    """The cells of all layers, row-major, two bytes each: what the checksum is of."""
    return b"".join(np.ascontiguousarray(layer, dtype="<i2").tobytes() for layer in weights)
