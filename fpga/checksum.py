"""CRC-32 of bytes, a bit a cycle: a line brings bytes far more slowly, and a bit takes a tenth of the gates."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


class Checksum(wiring.Component):
    """CRC-32/ISO-HDLC of the bytes since `start`.

    Members
    -------
    start : In(1)
        Begin anew; while `bytes` is ready.
    bytes : In(stream of 8)
    crc : Out(32)
        Of all bytes taken, while `bytes` is ready.
    match : Out(1)
        The last four bytes are the CRC of those before, likewise.

    Latency
    -------
    A byte is taken every nine cycles at most.
    """

    def __init__(self) -> None:
        super().__init__(
            {"start": In(1), "bytes": In(stream.Signature(8)), "crc": Out(32), "match": Out(1)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=1).create()
        shift = Signal(8)
        left = Signal(range(9))
        m.d.comb += [
            self.bytes.ready.eq(left == 0),
            crc.start.eq(self.start),
            crc.data.eq(shift[0]),
            crc.valid.eq(left != 0),
            self.crc.eq(crc.crc),
            self.match.eq(crc.match_detected),
        ]
        with m.If(left != 0):
            m.d.sync += [left.eq(left - 1), shift.eq(shift >> 1)]
        with m.Elif(self.bytes.valid):
            m.d.sync += [left.eq(8), shift.eq(self.bytes.p)]
        return m
