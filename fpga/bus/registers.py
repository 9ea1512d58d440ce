"""The registers of the machine, and the words of its samples and results: the one definition of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ...model.config import Config
from ..identity import own_version
from ..protocol import COUNTERS, LAYER_COUNTERS
from .definition import WORD_BYTES, Block, Field, Kind, Register, RegisterMap

IDENTITY = int.from_bytes(b"STOC", "little")
LAYOUT = 1
DIGEST_WORDS = 8
RESULT_HEADER_WORDS = 2
TOTALS_OFFSET = 0x80
LAYERS_OFFSET = 0x100
LAYER_STRIDE = 0x100
COUNTER_BYTES = 2 * WORD_BYTES


class Bus(StrEnum):
    """A bus that a machine can be on."""

    AXI = "axi"
    WISHBONE = "wishbone"


@dataclass(frozen=True, kw_only=True)
class WordCounts:
    """Words of a sample and of a result.

    Attributes
    ----------
    sample, result : int
        Their headers included.
    sample_buffer, result_buffer : int
        Words that are kept of each: at least two of them.
    """

    sample: int
    result: int
    sample_buffer: int
    result_buffer: int

    @classmethod
    def of(cls, config: Config) -> Self:
        """Of the machine of `config`."""
        sample = 1 + -(-config.sizes[0] // WORD_BYTES)
        result = RESULT_HEADER_WORDS + -(-config.sizes[-1] // WORD_BYTES)
        return cls(
            sample=sample,
            result=result,
            sample_buffer=1 << (2 * sample - 1).bit_length(),
            result_buffer=1 << (2 * result - 1).bit_length(),
        )


def register_map(config: Config, *, streams: bool) -> RegisterMap:
    """Registers of the machine of `config`; with `streams`, those of its streams, too."""
    return RegisterMap(
        name="stochastor",
        description="A machine that trains a network with one-bit signals.",
        registers=(
            *_identity(config),
            *_control(streams=streams),
            *_words(),
            *_cells(),
            *_counters(COUNTERS, TOTALS_OFFSET),
        ),
        blocks=(
            Block(
                name="layers",
                description="Counters of a layer, the first layer's first.",
                offset=LAYERS_OFFSET,
                stride=LAYER_STRIDE,
                count=config.layers,
                registers=tuple(_counters(LAYER_COUNTERS, 0)),
            ),
        ),
    )


def _identity(config: Config) -> list[Register]:
    words = WordCounts.of(config)
    major, minor, patch = own_version()
    digest = bytes.fromhex(config.digest)
    return [
        _register("identity", 0x00, "Tells the machine from others.", _constant("value", 0, 32, IDENTITY, "STOC.")),
        _register(
            "version",
            0x04,
            "What made the machine.",
            _constant("patch", 0, 8, patch, "Of stochastor."),
            _constant("minor", 8, 8, minor, "Of stochastor."),
            _constant("major", 16, 8, major, "Of stochastor."),
            _constant("layout", 24, 8, LAYOUT, "Of the registers: another one has other registers."),
        ),
        _register(
            "network",
            0x08,
            "Size of the network.",
            _constant("inputs", 0, 16, config.sizes[0], "Features of a sample."),
            _constant("outputs", 16, 16, config.sizes[-1], "Neurons of the last layer."),
        ),
        _register(
            "lengths",
            0x0C,
            "Words of a sample and of a result.",
            _constant("sample", 0, 16, words.sample, "Its header included."),
            _constant("result", 16, 16, words.result, "Its header included."),
        ),
        _register(
            "depth", 0x10, "Layers of the network.", _constant("layers", 0, 16, config.layers, "Inputs are none.")
        ),
        *(
            _register(
                f"config{index}",
                0x20 + WORD_BYTES * index,
                f"Bytes {WORD_BYTES * index} to {WORD_BYTES * index + 3} of the SHA-256 of the configuration.",
                _constant("bytes", 0, 32, int.from_bytes(digest[4 * index : 4 * index + 4], "little"), "First lowest."),
            )
            for index in range(DIGEST_WORDS)
        ),
    ]


def _control(*, streams: bool) -> list[Register]:
    source = Field(
        name="streams",
        low=3,
        kind=Kind.HELD,
        reset=1,
        description="Samples come and results go by the streams; otherwise by `sample` and `result`.",
    )
    packet = Register(
        name="packet",
        offset=0x50,
        description="How results are packed.",
        fields=(
            Field(
                name="results",
                width=16,
                kind=Kind.HELD,
                reset=1,
                description="In a packet: TLAST comes with the last word of the last of them. 0 counts as 1.",
            ),
        ),
    )
    way = _field("streams", 3, 1, Kind.STATUS, "Samples come and results go by the streams.")
    return [
        _register(
            "control",
            0x40,
            "What the machine does.",
            _field("reset", 0, 1, Kind.PULSE, "Reset the machine: generators, counters, position; cells stay."),
            _field("abort", 1, 1, Kind.PULSE, "Drop the samples that are not begun, one that is not whole included."),
            Field(name="run", low=2, kind=Kind.HELD, reset=1, description="Samples are begun."),
            *([source] if streams else []),
        ),
        _register(
            "status",
            0x44,
            "What the machine is doing.",
            _field("idle", 0, 1, Kind.STATUS, "No sample is begun and not ended, and no reset is under way."),
            _field("training", 1, 1, Kind.STATUS, "A training sample is being worked on."),
            _field("empty", 2, 1, Kind.STATUS, "No word of a sample waits."),
            *([way] if streams else []),
        ),
        _register(
            "errors",
            0x48,
            "What went wrong since it was cleared.",
            _field(
                "overflow",
                0,
                1,
                Kind.STICKY,
                "`sample` was written without room, or while samples come by the streams.",
            ),
            _field(
                "underflow",
                1,
                1,
                Kind.STICKY,
                "`result` was read with no word waiting, or while results go by the streams.",
            ),
            _field(
                "collision",
                2,
                1,
                Kind.STICKY,
                "`value` was used, or `position` written, while the machine was not idle.",
            ),
            _field("cut", 3, 1, Kind.STICKY, "A packet of samples ended within one, which was dropped."),
        ),
        _register(
            "interrupt",
            0x4C,
            "When `irq` is 1.",
            _field("result", 0, 1, Kind.HELD, "While words of results wait for `result`."),
            _field("done", 1, 1, Kind.HELD, "While the machine is idle and no word of a sample waits."),
            _field("error", 2, 1, Kind.HELD, "While a bit of `errors` is 1."),
        ),
        *([packet] if streams else []),
        _register(
            "position",
            0x54,
            "Number of the next training sample.",
            _word(Kind.PORT, "Counted since reset, or as it was written."),
        ),
    ]


def _words() -> list[Register]:
    return [
        _register("room", 0x58, "Room for samples.", _field("words", 0, 32, Kind.STATUS, "That `sample` can take.")),
        _register(
            "waiting", 0x5C, "Results that wait.", _field("words", 0, 32, Kind.STATUS, "That `result` can give.")
        ),
        _register("sample", 0x60, "Samples, word by word.", _word(Kind.GIVEN, "The next word.")),
        _register("result", 0x64, "Results, word by word.", _word(Kind.TAKEN, "The next word.")),
    ]


def _cells() -> list[Register]:
    return [
        _register(
            "target",
            0x70,
            "Whose cells `value` means.",
            _field("layer", 0, 16, Kind.HELD, "0 for the first layer."),
            _field("generator", 16, 1, Kind.HELD, "Not cells: next words of the layer's training generators."),
        ),
        _register(
            "address",
            0x74,
            "Where the next `value` is.",
            _field("row", 0, 16, Kind.PORT, "Of the cell; or number of the generator."),
            _field("column", 16, 16, Kind.PORT, "Cell column."),
        ),
        _register("value", 0x78, "Cells and generators.", _word(Kind.PORT, "Signed; then `address` goes on.")),
    ]


def _counters(names: Sequence[str], offset: int) -> list[Register]:
    """Two words each; all of them are behind one port."""
    registers = []
    for index, name in enumerate(names):
        for part, half in enumerate(("low word; latches the high one", "high word, as the low one was read")):
            registers.append(
                Register(
                    name=f"{name}_{('low', 'high')[part]}",
                    offset=offset + COUNTER_BYTES * index + WORD_BYTES * part,
                    description=f"Counter {name}, {half}.",
                    fields=(_word(Kind.TAKEN, "As unsigned number."),),
                    port="counters",
                )
            )
    return registers


SAMPLE_HEADER = Register(
    name="sample_header",
    offset=0,
    description="First word of a sample.",
    fields=(
        Field(name="label", low=0, width=16, kind=Kind.GIVEN, description="Of a training sample."),
        Field(name="exponent", low=16, width=3, kind=Kind.GIVEN, description="k of a training sample."),
        Field(name="carry", low=19, kind=Kind.GIVEN, description="A carry follows the training sample."),
        Field(name="infer", low=20, kind=Kind.GIVEN, description="Classify instead of train."),
        Field(name="reseed", low=21, kind=Kind.GIVEN, description="The first sample of an inference call."),
        Field(name="passes", low=24, width=8, kind=Kind.GIVEN, description="Of inference; 0 counts as 1."),
    ),
)
RESULT_HEADER = Register(
    name="result_header",
    offset=WORD_BYTES,
    description="Second word of a result; the first is the sample's number.",
    fields=(
        Field(name="label", low=0, width=16, kind=Kind.TAKEN, description="As it came with the sample."),
        Field(name="infer", low=20, kind=Kind.TAKEN, description="As it came with the sample."),
    ),
)


def _register(name: str, offset: int, description: str, *fields: Field) -> Register:
    return Register(name=name, offset=offset, description=description, fields=fields)


def _field(name: str, low: int, width: int, kind: Kind, description: str) -> Field:
    return Field(name=name, low=low, width=width, kind=kind, description=description)


def _constant(name: str, low: int, width: int, value: int, description: str) -> Field:
    return Field(name=name, low=low, width=width, kind=Kind.CONSTANT, reset=value, description=description)


def _word(kind: Kind, description: str) -> Field:
    return Field(name="value", low=0, width=32, kind=kind, description=description)
