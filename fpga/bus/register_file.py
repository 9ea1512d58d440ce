"""The register file: what a bus reads and writes, made from the definition."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .definition import WORD_BITS, WORD_BYTES, Field, Kind, Register, RegisterMap


class RegisterBus(wiring.Signature):
    """A read or write at a time, as the bridges of buses ask for it.

    Members
    -------
    valid : Out(1)
        There is a request; it stays as it is until `done`.
    write : Out(1)
    address : Out(address_bits - 2)
        Of a word.
    data : Out(32)
        What to write.
    partial : Out(1)
        Only some bytes are to be written: refused.
    done : In(1)
        The request is answered by `value` and `error`, in this cycle.
    value : In(32)
        What was read; 0 of what cannot be read.
    error : In(1)
        There is no such register, or it cannot be read or written so; nothing was done.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "write": Out(1),
                "address": Out(address_bits - 2),
                "data": Out(WORD_BITS),
                "partial": Out(1),
                "done": In(1),
                "value": In(WORD_BITS),
                "error": In(1),
            }
        )


class Port(wiring.Signature):
    """What is behind external registers.

    Members
    -------
    read, write : Out(1)
        Until `done`.
    index : Out(range(words))
        Which of the registers of the port, in the order of their addresses.
    data : Out(32)
        What to write.
    done : In(1)
        It is done, in this cycle.
    value : In(32)
        What was read.
    """

    def __init__(self, words: int) -> None:
        super().__init__(
            {
                "read": Out(1),
                "write": Out(1),
                "index": Out(range(max(words, 2))),
                "data": Out(WORD_BITS),
                "done": In(1),
                "value": In(WORD_BITS),
            }
        )


class RegisterFile(wiring.Component):
    """Decodes addresses, keeps what software sets, reads what the gates show.

    Parameters
    ----------
    registers : RegisterMap

    Members
    -------
    bus : In(RegisterBus)
    control, ... : Out(Signature)
        A register that is not external, as its fields: In(width) of STATUS; Out(width) of HELD; Out(1) of PULSE, for
        a cycle; of STICKY ``set`` In(1) and ``is_set`` Out(1). Constants have none.
    sample, ... : Out(Port)
        A port.

    Latency
    -------
    A request is done in the next cycle; one of an external register in the cycle after its port is done.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self._registers = registers
        members: dict[str, Any] = {"bus": In(RegisterBus(registers.address_bits))}
        for register in registers.registers:
            fields = {field.name: _member(field) for field in register.fields if field.kind is not Kind.CONSTANT}
            if fields and not register.external:
                members[register.name] = Out(wiring.Signature(fields))
        members |= {name: Out(Port(words)) for name, words in registers.ports.items()}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        ports = [getattr(self, name) for name in self._registers.ports]
        number = Signal(range(max(len(ports), 2)))
        external, allowed, write = Signal(), Signal(), Signal()
        value = Signal(WORD_BITS)
        m.d.comb += write.eq(bus.valid & bus.write & allowed & ~external & ~bus.done)
        self._decode(m, ports, number, external, allowed, value, write)
        done = Array(port.done for port in ports)[number]
        for index, port in enumerate(ports):
            reached = bus.valid & external & allowed & (number == index) & ~bus.done
            m.d.comb += [
                port.read.eq(reached & ~bus.write),
                port.write.eq(reached & bus.write),
                port.data.eq(bus.data),
            ]
        m.d.sync += [
            bus.done.eq(bus.valid & ~bus.done & (~external | ~allowed | done)),
            bus.error.eq(~allowed),
            bus.value.eq(0),
        ]
        with m.If(allowed & ~bus.write):
            m.d.sync += bus.value.eq(value)
            with m.If(external):
                m.d.sync += bus.value.eq(Array(port.value for port in ports)[number])
        return m

    def _decode(
        self,
        m: Module,
        ports: list[Any],
        number: Signal,
        external: Signal,
        allowed: Signal,
        value: Signal,
        write: Signal,
    ) -> None:
        """Find the register of an address; refuse what it does not allow."""
        names = list(self._registers.ports)
        reached = dict.fromkeys(names, 0)
        with m.Switch(self.bus.address):
            for _, offset, register in self._registers.words():
                with m.Case(offset // WORD_BYTES):
                    if register.readable:
                        m.d.comb += allowed.eq(~self.bus.write)
                    if register.writable:
                        with m.If(self.bus.write):
                            m.d.comb += allowed.eq(~self.bus.partial)
                    if register.external:
                        port = ports[names.index(register.port)]
                        m.d.comb += [
                            external.eq(1),
                            number.eq(names.index(register.port)),
                            port.index.eq(reached[register.port]),
                        ]
                        reached[register.port] += 1
                    else:
                        m.d.comb += value.eq(self._word(register))
                        self._write(m, register, write)
        for register in self._registers.registers:
            for field in register.fields:
                if field.kind is Kind.STICKY:
                    sticky = getattr(getattr(self, register.name), field.name)
                    with m.If(sticky.set):
                        m.d.sync += sticky.is_set.eq(1)

    def _word(self, register: Register) -> Value:
        """What a register reads as."""
        values: dict[str, Value] = {}
        for field in register.fields:
            if field.kind is Kind.CONSTANT:
                values[field.name] = Const(field.reset, field.width)
            elif field.kind is Kind.STICKY:
                values[field.name] = self._field(register, field).is_set
            elif field.kind is not Kind.PULSE:
                values[field.name] = self._field(register, field)
        return assemble(register, values)

    def _write(self, m: Module, register: Register, write: Signal) -> None:
        with m.If(write):
            for field in register.fields:
                bits = self.bus.data[field.low : field.low + field.width]
                if field.kind is Kind.HELD:
                    m.d.sync += self._field(register, field).eq(bits)
                elif field.kind is Kind.PULSE:
                    m.d.comb += self._field(register, field).eq(bits)
                elif field.kind is Kind.STICKY:
                    with m.If(bits):
                        m.d.sync += self._field(register, field).is_set.eq(0)

    def _field(self, register: Register, field: Field) -> Any:
        return getattr(getattr(self, register.name), field.name)


def assemble(register: Register, values: Mapping[str, Value]) -> Value:
    """Put a word together from values of fields, which are cut to their width; the others are 0."""
    parts: list[Value] = []
    end = 0
    for field in register.fields:
        if field.name in values:
            value = values[field.name][: field.width]
            parts += [Const(0, field.low - end), value]
            end = field.low + len(value)
    return Cat(*parts)


def _member(field: Field) -> wiring.Member:
    if field.kind is Kind.STICKY:
        return Out(wiring.Signature({"set": In(1), "is_set": Out(1)}))
    if field.kind is Kind.STATUS:
        return In(field.width)
    return Out(field.width, init=field.reset if field.kind is Kind.HELD else None)
