"""Threshold and window tables, in exact decimal arithmetic (section 5 of the specification)."""

import hashlib
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache

import numpy as np

BYTES = 256
_DIGITS = 50


@cache
def fire_thresholds(scale: int, levels: int = BYTES) -> tuple[int, ...]:
    """Codes T[r] with [z > T[r]] of probability sigmoid(z / scale) over the random numbers r.

    T[r] = scale * ln(u / (1 - u)), u = (r + 1/2) / levels: the inverse of the logistic function. The machine has 256
    levels.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        return tuple(_round(scale * (u / (1 - u)).ln()) for u in _probabilities(levels))


@cache
def random_windows(scale: int, levels: int = BYTES) -> tuple[int, ...]:
    """Half widths U[r] with [|z| < U[r]] of probability 4 sigmoid'(z / (2 scale)) over the random numbers r.

    U[r] = 4 scale * arcosh(1 / sqrt(u)), since 4 sigmoid'(x) = sech^2(x / 2).
    """
    with localcontext() as context:
        context.prec = _DIGITS
        return tuple(_round(4 * scale * _arcosh(1 / u.sqrt())) for u in _probabilities(levels))


def digest(codes: Sequence[int]) -> str:
    """SHA-256 (hexadecimal) of the codes as four bytes each, two's complement, little-endian."""
    return hashlib.sha256(np.asarray(codes, dtype="<i4").tobytes()).hexdigest()


def _probabilities(levels: int) -> list[Decimal]:
    return [Decimal(2 * r + 1) / (2 * levels) for r in range(levels)]


def _arcosh(x: Decimal) -> Decimal:
    return (x + (x * x - 1).sqrt()).ln()


def _round(x: Decimal) -> int:
    return int(x.to_integral_value(ROUND_HALF_EVEN))
