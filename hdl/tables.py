"""Threshold tables as read-only memories: the twin of ``model/tables.py``."""

from amaranth.hdl import Module, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out


class CodeTable(wiring.Component):
    """Looks up a reference code for each of several bytes.

    Parameters
    ----------
    codes : tuple of int
        The code of every byte.
    lookups : int
        Bytes looked up at once.
    code_bits : int
        Width of a signed code.

    Members
    -------
    bytes : In(ArrayLayout(8, lookups))
    enable : In(1)
        Look up at the next edge; otherwise the codes stay.
    codes : Out(ArrayLayout(signed(code_bits), lookups))

    Latency
    -------
    One cycle.
    """

    def __init__(self, codes: tuple[int, ...], lookups: int, code_bits: int) -> None:
        bound = 1 << (code_bits - 1)
        if len(codes) != 256 or not all(-bound <= code < bound for code in codes):
            raise ValueError(f"codes must be 256 signed {code_bits}-bit numbers")
        self._codes = codes
        self._lookups = lookups
        self._code_bits = code_bits
        super().__init__(
            {
                "bytes": In(data.ArrayLayout(8, lookups)),
                "enable": In(1),
                "codes": Out(data.ArrayLayout(signed(code_bits), lookups)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index in range(self._lookups):
            rom = memory.Memory(shape=signed(self._code_bits), depth=256, init=self._codes)
            m.submodules[f"rom{index}"] = rom
            port = rom.read_port()
            m.d.comb += [
                port.addr.eq(self.bytes[index]),
                port.en.eq(self.enable),
                self.codes[index].eq(port.data),
            ]
        return m
