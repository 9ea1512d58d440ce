"""Whether a machine fits a chip, as far as it can be told before synthesis."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..hdl.carry import Carried
from ..hdl.geometry import Geometry
from ..model.config import ArraySide, Config, Gate
from ..model.errors import ConfigError
from ..model.ledger import Count, Total
from .boards import BOARDS, Board, Family
from .pin_table import PinTable
from .protocol import MOST_COUNT
from .sample_store import StoredWord, read_ahead
from .target import Target
from .trace_recorder import StepRecord, most_carries, most_steps

BLOCK_SHAPES = {
    Family.ICE40: ((256, 16), (512, 8), (1024, 4), (2048, 2)),
    Family.ECP5: ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    Family.SERIES7: ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
}
# Width of the parts of a word that a block can write alone, in its shapes that have more than one.
WRITABLE_BITS = {Family.ICE40: 1, Family.ECP5: 9, Family.SERIES7: 9}
MASKED_SHAPES = {
    Family.ICE40: ((256, 16),),
    Family.ECP5: ((512, 36), (1024, 18), (2048, 9)),
    Family.SERIES7: ((512, 36), (1024, 18), (2048, 9)),
}
CODES = 256  # in a table
# Estimate of look-up tables, or of logic cells, which are flip-flops as well, after the builds of docs/boards.md.
BASE_LUTS = 5_000
LUTS_PER_COUNTER = 56
LUTS_PER_LANE = 10.0
LUTS_PER_READ_BIT = 2.8
LUTS_PER_CELL_BIT = 3.5
LUTS_OF_MEMORY = 1_250
LUTS_OF_TRACE = 300
LUTS_PER_TRACED_LINE = 4
SURE = 1.05  # a machine is refused if the estimate is above the chip by this factor
FEWER_LANES = (128, 64, 32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a machine takes of a chip.

    Attributes
    ----------
    block_rams : int
        Blocks that its weights and code tables take, at the least.
    luts : int
        An estimate.
    """

    block_rams: int
    luts: int

    @classmethod
    def of(cls, target: Target) -> "Needs":
        """What a machine takes in the chip of its board."""
        config, family = target.config, target.board.family
        geometries = [Geometry.of(config, layer) for layer in range(1, config.layers + 1)]
        return cls(
            block_rams=sum(_layer_blocks(config, family, geometry) for geometry in geometries)
            + _gate_blocks(config)
            + _memory_blocks(target)
            + _trace_blocks(target),
            luts=round(
                BASE_LUTS
                + LUTS_OF_MEMORY * (target.chip is not None)
                + (LUTS_OF_TRACE + LUTS_PER_TRACED_LINE * sum(config.sizes[1:])) * target.trace
                + LUTS_PER_COUNTER * (_counters(config) if target.counters else 0)
                + sum(geometry.lanes * _luts_per_lane(geometry) for geometry in geometries)
            ),
        )

    def fit(self, board: Board) -> bool:
        """Whether the machine may fit the chip of `board`."""
        return self.block_rams <= board.block_rams and self.luts <= SURE * board.luts


def check_fit(target: Target) -> None:
    """Refuse a machine that cannot fit.

    Raises
    ------
    ConfigError
        Saying what it needs, what there is, and what would fit; or that comparators outside would have no time.
    ToolError
        If amaranth-boards is missing, where it is asked for pins.
    """
    if target.config.array_side is ArraySide.PINS:
        PinTable.of(target.board, target.config)
    needs, board = Needs.of(target), target.board
    if needs.fit(board):
        return
    if needs.block_rams > board.block_rams:
        raise does_not_fit(target, f"{needs.block_rams} blocks of RAM of {board.block_rams}")
    raise does_not_fit(target, f"about {needs.luts:,} look-up tables of {board.luts:,}")


def does_not_fit(target: Target, needs: str) -> ConfigError:
    """The error of a machine that needs too much, with what may fit instead."""
    sizes = "-".join(map(str, target.config.sizes))
    would = list(_remedies(target))
    remedy = f"; what would fit: {', or '.join(would)}" if would else "; no board here holds it"
    return ConfigError(f"{sizes} does not fit {target.board.title}: it needs {needs}{remedy}")


def _remedies(target: Target) -> Iterator[str]:
    config, board = target.config, target.board
    bare = replace(target, counters=False)
    if target.counters and _fits(bare):
        yield "--no-counters"
    if target.trace and _fits(replace(target, trace=False)):
        yield "no --trace"
    if target.chip and _fits(replace(target, memory=False)):
        yield "--no-memory"
    inside = config.array_side is ArraySide.MEMORY
    fewer = [replace(config, lanes=lanes) for lanes in FEWER_LANES if lanes < (config.lanes or max(config.sizes[1:]))]
    for where, added in ((target, ""), (bare, " with --no-counters")) if inside else ():
        if fitting := _first_fit(where, fewer):
            yield f"lanes = {fitting.lanes}{added}"
            break
    narrower = range(config.weight_bits - 1, 3, -1) if config.carry_digits == 1 and inside else ()
    if fitting := _first_fit(target, [replace(config, weight_bits=bits) for bits in narrower]):
        yield f"weight_bits = {fitting.weight_bits}"
    kin = (other for other in BOARDS.values() if other.vivado == board.vivado and other.luts > board.luts)
    larger = [other for other in kin if _fits(replace(target, board=other))]
    if larger:
        yield f"--board {min(larger, key=lambda other: other.luts).name}"


def _first_fit(target: Target, configs: Iterable[Config]) -> Config | None:
    return next((config for config in configs if _fits(replace(target, config=config))), None)


def _fits(target: Target) -> bool:
    return Needs.of(target).fit(target.board)


def _counters(config: Config) -> int:
    """Counters that can count: those of carries and their restoring are left out where there are none."""
    idle = 8 if config.carry_digits == 1 else 4 if config.carry_verify == 0 else 0
    return len(Total) + 1 + config.layers * (len(Count) - idle)


def _layer_blocks(config: Config, family: Family, geometry: Geometry) -> int:
    tables = geometry.tables * blocks(family, CODES, config.reference_bits, config.reference_bits)
    if geometry.pins:
        return tables
    cells = geometry.lanes * geometry.digits
    depth = geometry.rows * geometry.folds
    return blocks(family, depth, cells * geometry.cell_bits, geometry.cell_bits) + tables


def _gate_blocks(config: Config) -> int:
    """Code tables of the hidden layers' gates; a fixed window has none."""
    if config.gate is Gate.FIXED_WINDOW:
        return 0
    hidden = (Geometry.of(config, layer) for layer in range(1, config.layers))
    return sum(geometry.tables for geometry in hidden)


def _memory_blocks(target: Target) -> int:
    """Blocks of what is read ahead of a board's memory: words of samples, and where samples are."""
    if target.chip is None:
        return 0
    family, word, place = target.board.family, StoredWord().size, target.chip.address_bits
    words = blocks(family, read_ahead(target.config.sizes[0]), word, word)
    return words + blocks(family, MOST_COUNT, place, place)


def _trace_blocks(target: Target) -> int:
    """Blocks of the records of a trace."""
    if not target.trace:
        return 0
    config, family = target.config, target.board.family
    taken = 0
    for layer in range(1, config.layers + 1):
        width = StepRecord(config, layer).size
        taken += blocks(family, most_steps(config, layer), width, width)
        if config.carry_digits > 1:
            width = Carried(Geometry.of(config, layer)).size
            taken += blocks(family, most_carries(config, layer), width, width)
    return taken


def blocks(family: Family, depth: int, width: int, part: int) -> int:
    """Blocks of a memory whose words are written whole or in parts, at the least.

    Parameters
    ----------
    family : Family
    depth, width : int
        Words, and bits of a word.
    part : int
        Bits that are written together; `width` if they all are.
    """
    shapes, taken = BLOCK_SHAPES[family], width
    if part < width:
        writable = WRITABLE_BITS[family]
        shapes, taken = MASKED_SHAPES[family], -(-part // writable) * writable * (width // part)
    return min(-(-depth // words) * -(-taken // bits) for words, bits in shapes)


def _luts_per_lane(geometry: Geometry) -> float:
    if geometry.pins:
        return LUTS_PER_LANE
    return LUTS_PER_LANE + LUTS_PER_READ_BIT * geometry.read_bits + LUTS_PER_CELL_BIT * geometry.cell_bits
