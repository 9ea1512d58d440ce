"""The plan of a sweep: machines, seeds and data, read from a TOML file."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Protocol, Self

from .config import Config, preset
from .data import FILE_READERS, LEGAL_SOURCES
from .download import DOWNLOADS
from .errors import ConfigError, DataError
from .sweep_run import SweepRun
from .trainer import check_passes

KEYS = ("data", "seeds", "preset", "config", "array", "grid", "cases", "passes", "validation", "baseline")
FIELDS = tuple(field.name for field in fields(Config) if field.name != "seed")
ARRAY = "array"
CASE_AXIS = "case"
BASE = "base"
MOST_RUNS = 100_000
LONGEST_NAME = 200  # file systems take 255 bytes; the seed and the ending need some
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,=+-]*")


class Arrays(Protocol):
    """What knows analog arrays, which the golden model does not.

    Attributes
    ----------
    fields : tuple of str
        What a plan may set: ``array`` itself, a preset or file to start from, and names as ``array.device.states``.
    """

    fields: tuple[str, ...]

    def make(self, values: Mapping[str, Any], config: Config) -> dict[str, Any]:
        """The whole description of the array that `values` of `fields` ask for, checked to fit the machine.

        Raises
        ------
        ConfigError
            If it is impossible.
        """


@dataclass(frozen=True, kw_only=True)
class Case:
    """A machine of a sweep, which is trained once with each seed.

    Attributes
    ----------
    name : str
        Unique in the sweep, also without regard to capitals.
    place : mapping of str to value
        Where it lies on each axis of the sweep.
    config : Config
        Its seed, and the array's, stand for those of the plan.
    array_fields : mapping of str to value
        What the plan says of its analog array, by dotted name; nothing of a machine on exact ones.
    array : mapping or None
        The whole description of the array.
    """

    name: str
    place: Mapping[str, Any]
    config: Config
    array_fields: Mapping[str, Any]
    array: Mapping[str, Any] | None

    def fields(self) -> dict[str, Any]:
        """Fields of the machine and of its array, by name."""
        return {**self.config.to_dict(), **self.array_fields}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which runs a sweep consists of.

    Attributes
    ----------
    cases : tuple of Case
        Every entry of ``[[cases]]`` with every combination of ``[grid]``.
    axes : mapping of str to tuple
        What is varied, and its values: ``case`` if there is more than one entry of ``[[cases]]``, and the fields of
        ``[grid]`` that have more than one value.
    seeds : tuple of int
    data : str
    passes : tuple of int
        Ascending.
    validation : int
    baseline : bool
        These four as in `SweepRun`.
    """

    cases: tuple[Case, ...]
    axes: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    data: str
    passes: tuple[int, ...]
    validation: int
    baseline: bool

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], arrays: Arrays | None = None) -> Self:
        """Read a plan; `arrays` as of `from_dict`.

        Raises
        ------
        ConfigError
            If the file cannot be read, is not TOML, or is no plan of possible machines.
        """
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from None
        return cls.from_dict(values, where=str(path), arrays=arrays)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "sweep", arrays: Arrays | None = None) -> Self:
        """Make a plan of plain values.

        The keys are ``data`` (by default digits), ``seeds`` (by default 0), ``preset`` (by default digits) or a table
        ``config`` of fields, ``array`` (a preset, a file or a table; none by default), ``grid`` of fields and lists of
        values, ``cases`` of tables of fields and each a ``name`` if wanted, ``passes`` (by default 1 and 16),
        ``validation`` (by default 0) and ``baseline`` (by default false). Fields of arrays have dotted names.

        Raises
        ------
        ConfigError
            Naming `where` and the key at fault; a combination that is no possible machine is named, too.
        """
        for key in values:
            if key not in KEYS:
                raise ConfigError(f"{where}: unknown key {key!r}; the keys are {', '.join(KEYS)}")
        seeds = _whole_numbers(f"{where}: seeds", values.get("seeds", [0]), _check_seed)
        passes = _whole_numbers(f"{where}: passes", values.get("passes", [1, 16]), _check_votes)
        known = (*FIELDS, *arrays.fields) if arrays else FIELDS
        grid = _grid(f"{where}: grid", values.get("grid"), known)
        entries = _entries(f"{where}: cases", values.get("cases"), grid, known)
        base = _base(where, values) | _array(where, values, known)
        _check_size(where, len(entries) * prod(map(len, grid.values())) * len(seeds))
        axes = ({CASE_AXIS: tuple(entries)} if len(entries) > 1 else {}) | {
            name: tuple(map(_plain, choices)) for name, choices in grid.items() if len(choices) > 1
        }
        return cls(
            cases=_cases(where, base, entries, grid, axes, arrays),
            axes=axes,
            seeds=seeds,
            data=_source(f"{where}: data", values.get("data", "digits")),
            passes=tuple(sorted(passes)),
            validation=_validation(f"{where}: validation", values.get("validation", 0)),
            baseline=_switch(f"{where}: baseline", values.get("baseline", False)),
        )

    @property
    def runs(self) -> tuple[SweepRun, ...]:
        """All runs, by case and seed."""
        return tuple(
            SweepRun(
                case=case.name,
                config=replace(case.config, seed=seed),
                data=self.data,
                validation=self.validation,
                passes=self.passes,
                baseline=self.baseline,
                array=None if case.array is None else {**case.array, "seed": seed},
            )
            for case in self.cases
            for seed in self.seeds
        )

    @property
    def varied(self) -> tuple[str, ...]:
        """Fields of `Config`, and of arrays, in which cases differ, without the seed."""
        cases = [case.fields() for case in self.cases]
        names = dict.fromkeys((*FIELDS, *(name for case in self.cases for name in case.array_fields)))
        return tuple(name for name in names if any(case.get(name) != cases[0].get(name) for case in cases))

    @property
    def evaluated_on(self) -> str:
        """What the accuracies are of: ``test`` or ``validation``."""
        return "validation" if self.validation else "test"


def as_cell(value: Any) -> Any:
    """A value of a field as a table takes it: lists as text, 64-128-10."""
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else value


def _base(where: str, values: Mapping[str, Any]) -> dict[str, Any]:
    if "config" not in values:
        return _preset(f"{where}: preset", values.get("preset", "digits"))
    if "preset" in values:
        raise ConfigError(f"{where}: preset and config exclude each other: give one of them")
    base = values["config"]
    if not isinstance(base, dict):
        raise ConfigError(f"{where}: config must be a table of fields, not {base!r}")
    _check_fields(f"{where}: config", base, FIELDS)
    return base


def _array(where: str, values: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """What the plan says of the arrays of all cases, by dotted name."""
    if ARRAY not in values:
        return {}
    fields = _flat({ARRAY: values[ARRAY]})
    _check_fields(where, fields, known)
    return fields


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `table`, those of an array by dotted names."""
    fields: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and name.partition(".")[0] == ARRAY:
            fields |= _flat({f"{name}.{key}": inner for key, inner in value.items()})
        else:
            fields[name] = value
    return fields


def _preset(where: str, name: Any) -> dict[str, Any]:
    if not isinstance(name, str):
        raise ConfigError(f"{where} must be the name of one, for example 'digits', not {name!r}")
    try:
        return preset(name).to_dict()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _grid(where: str, grid: Any, known: Sequence[str]) -> dict[str, list[Any]]:
    if grid is None:
        return {}
    if not isinstance(grid, dict) or not grid:
        raise ConfigError(
            f"{where} must give a list of values for one field or more, for example weight_bits = [8, 10]"
        )
    fields = _flat(grid)
    _check_fields(where, fields, known)
    for name, choices in fields.items():
        if not isinstance(choices, list) or not choices:
            raise ConfigError(f"{where}.{name} must be a list of values to try, not {choices!r}")
        if name == "sizes" and not isinstance(choices[0], list):
            raise ConfigError(f"{where}.sizes must be a list of lists, for example [[64, 32, 10], [64, 128, 10]]")
        for index, choice in enumerate(choices):
            if choice in choices[:index]:
                raise ConfigError(f"{where}.{name} holds {choice!r} twice: give every value once")
    return fields


def _entries(where: str, cases: Any, grid: Mapping[str, Any], known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The entries of ``[[cases]]`` by name; one that changes nothing if there are none."""
    if cases is None:
        return {"": {}}
    if not isinstance(cases, list) or not cases or not all(isinstance(case, dict) for case in cases):
        raise ConfigError(f"{where} must be a list of tables of fields, for example [[cases]] with gate = 'xor'")
    entries: dict[str, dict[str, Any]] = {}
    for index, case in enumerate(cases):
        overrides = _flat({field: value for field, value in case.items() if field != "name"})
        _check_fields(f"{where}[{index}]", overrides, known)
        for field in overrides:
            if field in grid:
                raise ConfigError(f"{where}[{index}].{field} is also in grid: give it in one of them")
        name = case.get("name", _label(overrides) or BASE)
        if not isinstance(name, str) or ("name" in case and not _NAME.fullmatch(name)):
            raise ConfigError(
                f"{where}[{index}].name must be of letters, digits and _ . , = + - "
                f"and begin with a letter or digit, not {name!r}"
            )
        if name in entries:
            raise ConfigError(f"{where}[{index}].name: there is a case {name!r} before: give each its own name")
        entries[name] = overrides
    return entries


def _cases(
    where: str,
    base: Mapping[str, Any],
    entries: Mapping[str, dict[str, Any]],
    grid: Mapping[str, Sequence[Any]],
    axes: Mapping[str, Any],
    arrays: Arrays | None,
) -> tuple[Case, ...]:
    cases: dict[str, Case] = {}
    for entry, overrides in entries.items():
        for point in _points(grid):
            name = ",".join(filter(None, (entry, _label(point)))) or BASE
            fields = {**base, **overrides, **point}
            array_fields = {field: fields.pop(field) for field in list(fields) if _is_array(field)}
            config = Config.from_dict(fields, where=f"{where}: {name}")
            _check_name(where, name, cases)
            place = {CASE_AXIS: entry} | {field: _plain(value) for field, value in point.items()}
            cases[name.casefold()] = Case(
                name=name,
                place={axis: place[axis] for axis in axes},
                config=config,
                array_fields=array_fields,
                array=_whole_array(f"{where}: {name}", array_fields, config, arrays),
            )
    return tuple(cases.values())


def _whole_array(where: str, fields: Mapping[str, Any], config: Config, arrays: Arrays | None) -> dict[str, Any] | None:
    if not fields or arrays is None:
        return None
    try:
        return arrays.make(fields, config)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _is_array(field: str) -> bool:
    return field.partition(".")[0] == ARRAY


def _points(grid: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _label(overrides: Mapping[str, Any]) -> str:
    return ",".join(f"{name}={_short(name, value)}" for name, value in overrides.items())


def _short(name: str, value: Any) -> Any:
    """A value as a file name takes it: of the file of an array its name alone."""
    return Path(value).stem if name == ARRAY and isinstance(value, str) else as_cell(value)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_fields(where: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in table:
        if name in ("seed", f"{ARRAY}.seed"):
            raise ConfigError(
                f"{where}.{name}: seeds are listed once for the whole sweep, for example seeds = [0, 1, 2]"
            )
        if name not in known:
            raise ConfigError(f"{where}: unknown field {name!r}; the fields are {', '.join(known)}")


def _check_name(where: str, name: str, others: Mapping[str, Case]) -> None:
    if name.casefold() in others:
        raise ConfigError(f"{where}: there are two cases called {name!r}: give each its own name")
    if len(name) > LONGEST_NAME:
        raise ConfigError(
            f"{where}: {name[:40]}... has {len(name)} characters, more than the {LONGEST_NAME} of a file name: "
            "give named cases instead of a large grid"
        )


def _check_size(where: str, runs: int) -> None:
    if runs > MOST_RUNS:
        raise ConfigError(f"{where}: asks for {runs:,} runs, a sweep has at most {MOST_RUNS:,}: make the grid smaller")


def _whole_numbers(where: str, numbers: Any, check: Callable[[str, int], None]) -> tuple[int, ...]:
    if not isinstance(numbers, list) or not numbers:
        raise ConfigError(f"{where} must be a list of one number or more, not {numbers!r}")
    seen: set[int] = set()
    for index, number in enumerate(numbers):
        if type(number) is not int:
            raise ConfigError(f"{where}[{index}] must be a whole number, not {number!r}")
        check(f"{where}[{index}]", number)
        if number in seen:
            raise ConfigError(f"{where} holds {number} twice: give every value once")
        seen.add(number)
    return tuple(numbers)


def _check_seed(where: str, seed: int) -> None:
    if not 0 <= seed < 1 << 64:
        raise ConfigError(f"{where} must be from 0 to 2^64 - 1, not {seed}")


def _check_votes(where: str, votes: int) -> None:
    try:
        check_passes(votes)
    except DataError as error:
        raise ConfigError(f"{where}: {error}") from None


def _source(where: str, source: Any) -> str:
    if not isinstance(source, str):
        raise ConfigError(f"{where} must be a data source, {LEGAL_SOURCES}, not {source!r}")
    kind, _, place = source.partition(":")
    if source not in ("digits", "random", *DOWNLOADS) and (kind not in FILE_READERS or not place):
        raise ConfigError(f"{where}: there is no data source {source!r}; the sources are {LEGAL_SOURCES}")
    return source


def _validation(where: str, samples: Any) -> int:
    if type(samples) is not int or samples < 0:
        raise ConfigError(f"{where} must be the number of training samples to hold out, 0 or more, not {samples!r}")
    return samples


def _switch(where: str, value: Any) -> bool:
    if type(value) is not bool:
        raise ConfigError(f"{where} must be true or false, not {value!r}")
    return value
