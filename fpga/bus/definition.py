"""What a register is: gates, SystemRDL, headers, tables and hosts are all made from this form."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

WORD_BYTES = 4
WORD_BITS = 8 * WORD_BYTES


class Kind(StrEnum):
    """How software and gates share a field; the value is what the tables of registers call it."""

    CONSTANT = "constant"
    STATUS = "ro"
    HELD = "rw"
    PULSE = "w1p"
    STICKY = "w1c"
    TAKEN = "ro port"
    GIVEN = "wo port"
    PORT = "rw port"

    @property
    def readable(self) -> bool:
        """A read is no error."""
        return self is not Kind.GIVEN

    @property
    def writable(self) -> bool:
        """A write is no error."""
        return self not in (Kind.CONSTANT, Kind.STATUS, Kind.TAKEN)

    @property
    def external(self) -> bool:
        """Reads and writes are events outside the register file."""
        return self in (Kind.TAKEN, Kind.GIVEN, Kind.PORT)


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits of a register.

    Attributes
    ----------
    name, description : str
    low, width : int
        Lowest bit, and number of bits.
    kind : Kind
    reset : int
        Value after reset; what an external field has then is up to what is behind it, and here 0.
    """

    name: str
    description: str
    low: int = 0
    width: int = 1
    kind: Kind
    reset: int = 0

    def __post_init__(self) -> None:
        if self.low < 0 or self.width < 1 or self.low + self.width > WORD_BITS:
            raise ValueError(f"field {self.name} must lie in the {WORD_BITS} bits of a word")
        if not 0 <= self.reset < 1 << self.width:
            raise ValueError(f"reset of field {self.name} must fit {self.width} bits, not be {self.reset}")

    @property
    def mask(self) -> int:
        """Its bits within the word."""
        return ((1 << self.width) - 1) << self.low

    def value(self, word: int) -> int:
        """The field of a word."""
        return (word & self.mask) >> self.low


@dataclass(frozen=True, kw_only=True)
class Register:
    """A word at an address.

    Attributes
    ----------
    name, description : str
    offset : int
        In bytes, a multiple of 4, from the beginning of the map or of its block.
    fields : tuple of Field
        Lowest first; all of them external, or none.
    port : str
        What is behind it, if its fields are external; registers may share a port. Its own name by default.
    """

    name: str
    description: str
    offset: int
    fields: tuple[Field, ...]
    port: str = ""

    def __post_init__(self) -> None:
        if self.offset % WORD_BYTES:
            raise ValueError(f"register {self.name} must lie at a multiple of {WORD_BYTES}, not at {self.offset}")
        end = 0
        for field in self.fields:
            if field.low < end:
                raise ValueError(f"field {field.name} of register {self.name} must not overlap the one before it")
            end = field.low + field.width
        if len({field.kind.external for field in self.fields}) != 1:
            raise ValueError(f"register {self.name} must have external fields only, or none")
        object.__setattr__(self, "port", self.port or self.name)

    def __getitem__(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    @property
    def external(self) -> bool:
        """Reads and writes are events outside the register file."""
        return self.fields[0].kind.external

    @property
    def readable(self) -> bool:
        """A read is no error."""
        return any(field.kind.readable for field in self.fields)

    @property
    def writable(self) -> bool:
        """A write is no error."""
        return any(field.kind.writable for field in self.fields)

    @property
    def reset(self) -> int:
        """The word after reset."""
        return self.word(**{field.name: field.reset for field in self.fields})

    def word(self, **values: int) -> int:
        """Put a word together from values of fields; the others are 0.

        Raises
        ------
        ValueError
            If a value does not fit its field.
        """
        word = 0
        for name, value in values.items():
            field = self[name]
            if not 0 <= value < 1 << field.width:
                raise ValueError(f"{self.name}.{name} must fit {field.width} bits, not be {value}")
            word |= int(value) << field.low
        return word


@dataclass(frozen=True, kw_only=True)
class Block:
    """The same registers several times.

    Attributes
    ----------
    name, description : str
    offset, stride, count : int
        Of the first one in bytes, from one to the next, and how many.
    registers : tuple of Register
    """

    name: str
    description: str
    offset: int
    stride: int
    count: int
    registers: tuple[Register, ...]


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """All registers, by ascending address.

    Attributes
    ----------
    name, description : str
    registers : tuple of Register
    blocks : tuple of Block
        Behind them.
    """

    name: str
    description: str
    registers: tuple[Register, ...]
    blocks: tuple[Block, ...] = ()

    def __post_init__(self) -> None:
        end = 0
        for name, offset, _ in self.words():
            if offset < end:
                raise ValueError(f"register {name} must not overlap the one before it")
            end = offset + WORD_BYTES

    def __getitem__(self, name: str) -> Register:
        """A register that is in no block."""
        return next(register for register in self.registers if register.name == name)

    def words(self) -> Iterator[tuple[str, int, Register]]:
        """Name, offset and register of every word; in a block as ``layers[0].name``."""
        for register in self.registers:
            yield register.name, register.offset, register
        for block in self.blocks:
            for index in range(block.count):
                first = block.offset + index * block.stride
                for register in block.registers:
                    yield f"{block.name}[{index}].{register.name}", first + register.offset, register

    @property
    def ports(self) -> dict[str, int]:
        """External ports by name, and how many words are behind each."""
        ports: dict[str, int] = {}
        for _, _, register in self.words():
            if register.external:
                ports[register.port] = ports.get(register.port, 0) + 1
        return ports

    @property
    def offsets(self) -> dict[str, int]:
        """Offset of every word by name."""
        return {name: offset for name, offset, _ in self.words()}

    @property
    def address_bits(self) -> int:
        """Bits of a byte address."""
        return max(offset + WORD_BYTES - 1 for _, offset, _ in self.words()).bit_length()
