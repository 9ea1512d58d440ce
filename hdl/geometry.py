"""How a layer is folded onto lanes, and how wide its words are."""

from dataclasses import dataclass
from math import gcd
from typing import Self

from ..model.config import ArraySide, Config


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Plain numbers of one layer, derived once from the configuration.

    Attributes
    ----------
    rows, columns : int
        Of the crossbar, bias row included.
    lanes : int
        Columns processed at a time.
    folds : int
        Contiguous ascending groups of `lanes` columns; the last may be short.
    tables : int
        Lines compared per cycle.
    groups : int
        Groups of `tables` lines in all columns; the last may be short.
    groups_per_fold : int
        Groups of `tables` lines in a full fold.
    digits, base, pulses, digit_max : int
        Cells of a weight, steps of one that make one of the next, steps that a carry moves the next, and the largest
        value of a cell.
    verify, search_bits : int
        Most pulses by which a carry restores weights, 0 without pins, and comparisons that find one.
    cell_bits, weight_bits : int
        Width of a signed cell, and of a signed weight.
    read_bits : int
        Width of a signed pre-activation: weight_max times `rows`, in layer 1 times the patterns of a read.
    sense_bits : int
        Width of a signed backward sum: weight_max times `columns`.
    pins : bool
        Whether the layer reaches an array by pins; all of its columns are lanes then.
    """

    rows: int
    columns: int
    lanes: int
    folds: int
    tables: int
    groups: int
    groups_per_fold: int
    digits: int
    base: int
    pulses: int
    digit_max: int
    verify: int
    search_bits: int
    cell_bits: int
    weight_bits: int
    read_bits: int
    sense_bits: int
    pins: bool

    @classmethod
    def of(cls, config: Config, layer: int) -> Self:
        """Geometry of `layer` (1 to L).

        The tables of a layer never straddle a fold: a folded layer uses gcd(tables, lanes) of them.
        """
        rows, columns = config.rows(layer), config.columns(layer)
        pins = config.array_side is ArraySide.PINS
        lanes = columns if pins else min(config.lanes or columns, columns)
        folds = -(-columns // lanes)
        tables = gcd(config.tables, lanes) if folds > 1 else min(config.tables, 1 << (columns - 1).bit_length())
        draws = config.input_draws if layer == 1 else 1
        return cls(
            rows=rows,
            columns=columns,
            lanes=lanes,
            folds=folds,
            tables=tables,
            groups=-(-columns // tables),
            groups_per_fold=-(-lanes // tables),
            digits=config.carry_digits,
            base=config.carry_base,
            pulses=config.carry_pulses,
            digit_max=config.digit_max,
            verify=config.carry_verify if pins else 0,
            search_bits=config.search_bits,
            cell_bits=config.weight_bits,
            weight_bits=config.weight_max.bit_length() + 1,
            read_bits=(config.weight_max * rows * draws).bit_length() + 1,
            sense_bits=(config.weight_max * columns).bit_length() + 1,
            pins=pins,
        )
