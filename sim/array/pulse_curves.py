"""Measured pulse curves: conductances of devices after one pulse and the next."""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...model.errors import DataError

COLUMNS = ("direction", "pulse", "conductance_S")
DEVICE = "device"
DIRECTIONS = ("set", "reset")
SHORTEST = 3
# From 100 gigaohm, about where insulators begin, to 100 ohm: some 130 atoms of a filament side by side, each of which
# conducts 2 e^2 / h = 77.5 uS.
SMALLEST_S, LARGEST_S = 1e-11, 1e-2


@dataclass(frozen=True)
class PulseCurve:
    """Conductances of a device, one after each of a train of equal pulses.

    Attributes
    ----------
    device : str
        Which device.
    direction : str
        ``set`` or ``reset``.
    conductances_S : ndarray of float64, shape (pulses + 1,)
        In siemens; the first one before any pulse.
    """

    device: str
    direction: str
    conductances_S: NDArray[np.float64]


def read_pulse_curves(path: str | os.PathLike[str]) -> list[PulseCurve]:
    """Read a CSV file with the columns direction (set or reset), pulse, conductance_S, and device if there are several.

    A curve begins at pulse 0 and counts up by one; every pulse 0 begins another.

    Raises
    ------
    DataError
        Naming file and line, if the file cannot be read, or a value is missing, impossible or out of order; or if
        conductances are no memristor's in siemens, with the unit that they may be in.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            _check_header(path, reader.fieldnames)
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not CSV: {error}") from None
    curves = [PulseCurve(device, direction, np.array(values)) for device, direction, values in _grouped(path, rows)]
    for curve in curves:
        if len(curve.conductances_S) < SHORTEST:
            raise DataError(
                f"{path}: a {curve.direction} curve of device {curve.device} has {len(curve.conductances_S)} "
                f"conductances: at least {SHORTEST} say something of its shape"
            )
    for direction in DIRECTIONS:
        if not any(curve.direction == direction for curve in curves):
            raise DataError(f"{path}: there is no {direction} curve: the direction column must have both")
    _check_unit(path, curves)
    return curves


def _check_header(path: str | os.PathLike[str], names: object) -> None:
    found = list(names) if isinstance(names, list) else []
    for name in COLUMNS:
        if name not in found:
            raise DataError(f"{path}: the column {name!r} is missing; the columns are {', '.join(COLUMNS)} and device")


def _grouped(
    path: str | os.PathLike[str], rows: list[tuple[int, dict[str, str]]]
) -> Iterator[tuple[str, str, list[float]]]:
    """Curves in the order of the file."""
    begun: tuple[str, str, list[float]] | None = None
    for line, row in rows:
        where = f"{path}, line {line}"
        direction, pulse, siemens = _direction(where, row), _pulse(where, row), _siemens(where, row)
        device = (row.get(DEVICE) or "0").strip()
        if pulse == 0:
            if begun:
                yield begun
            begun = device, direction, [siemens]
            continue
        if begun is None or begun[:2] != (device, direction) or pulse != len(begun[2]):
            raise DataError(f"{where}: pulse {pulse} does not follow the line before: a curve counts 0, 1, 2, ...")
        begun[2].append(siemens)
    if begun:
        yield begun


def _direction(where: str, row: dict[str, str]) -> str:
    direction = (row["direction"] or "").strip().lower()
    if direction not in DIRECTIONS:
        raise DataError(f"{where}: direction must be set or reset, not {row['direction']!r}")
    return direction


def _pulse(where: str, row: dict[str, str]) -> int:
    try:
        return int(row["pulse"])
    except (TypeError, ValueError):
        raise DataError(f"{where}: pulse must be a whole number, not {row['pulse']!r}") from None


def _siemens(where: str, row: dict[str, str]) -> float:
    try:
        siemens = float(row["conductance_S"])
    except (TypeError, ValueError):
        raise DataError(f"{where}: conductance_S must be a number, not {row['conductance_S']!r}") from None
    if not isfinite(siemens) or siemens <= 0:
        raise DataError(f"{where}: conductance_S must be more than 0, not {siemens!r}")
    return siemens


def _check_unit(path: str | os.PathLike[str], curves: Sequence[PulseCurve]) -> None:
    largest = max(float(curve.conductances_S.max()) for curve in curves)
    if SMALLEST_S <= largest <= LARGEST_S:
        return
    if largest < SMALLEST_S:
        guess = "have they been divided by 1e6 or 1e9 twice?"
    elif _rises(curves) < 0:
        guess = "they fall under set, as resistances do; if they are ohms, give 1 / ohm"
    elif largest <= LARGEST_S * 1e6:
        guess = "if they are microsiemens, multiply by 1e-6"
    else:
        guess = "if they are nanosiemens, multiply by 1e-9"
    raise DataError(
        f"{path}: conductance_S up to {largest:g} is no memristor's in siemens, which is {SMALLEST_S:g} to "
        f"{LARGEST_S:g}: {guess}"
    )


def _rises(curves: Sequence[PulseCurve]) -> float:
    """What SET curves rise by, in all."""
    return sum(
        float(curve.conductances_S[-1] - curve.conductances_S[0]) for curve in curves if curve.direction == "set"
    )
