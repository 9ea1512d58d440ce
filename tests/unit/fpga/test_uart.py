import itertools
from random import Random

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator
from stochastor.fpga.top import clocks_per_bit
from stochastor.fpga.uart import UartReceiver, UartTransmitter
from stochastor.model.errors import ConfigError

BYTES = [0, 255, 0x55, 0xAA, 1, 0x80, *Random(1).randbytes(20)]
CLOCK_S = 1e-6


def bits(byte, stop=1):
    return [0, *(byte >> bit & 1 for bit in range(8)), stop]


def received(clocks, line, bit_s):
    """What a receiver makes of the bits of a line, each for `bit_s` seconds: bytes, and None for an error."""
    receiver, log = UartReceiver(clocks), []

    async def drive(ctx):
        for bit in line:
            ctx.set(receiver.rx, bit)
            await ctx.delay(bit_s)
        await ctx.delay(20 * bit_s)

    async def watch(ctx):
        async for _, _, valid, byte, error in ctx.tick().sample(receiver.bytes.valid, receiver.bytes.p, receiver.error):
            if valid or error:
                log.append(byte if valid else None)

    simulator = Simulator(receiver)
    simulator.add_clock(CLOCK_S)
    simulator.add_testbench(drive)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return log


@pytest.mark.parametrize("clocks", [4, 5, 7, 16])
def test_bytes_come_as_they_were_sent_without_a_gap(clocks):
    m = Module()
    m.submodules.transmitter = transmitter = UartTransmitter(clocks)
    m.submodules.receiver = receiver = UartReceiver(clocks)
    m.d.comb += receiver.rx.eq(transmitter.tx)
    log = []

    async def send(ctx):
        for byte in BYTES:
            ctx.set(transmitter.bytes.p, byte)
            ctx.set(transmitter.bytes.valid, 1)
            await ctx.tick().until(transmitter.bytes.ready)
        ctx.set(transmitter.bytes.valid, 0)
        await ctx.tick().repeat(12 * clocks)

    async def watch(ctx):
        cycle = 0
        async for _, _, valid, byte, error in ctx.tick().sample(receiver.bytes.valid, receiver.bytes.p, receiver.error):
            assert not error
            cycle += 1
            if valid:
                log.append((cycle, byte))

    simulator = Simulator(m)
    simulator.add_clock(CLOCK_S)
    simulator.add_testbench(send)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert [byte for _, byte in log] == BYTES
    assert {after - before for (before, _), (after, _) in itertools.pairwise(log)} == {10 * clocks}


@pytest.mark.parametrize("clocks", [4, 16])
@pytest.mark.parametrize("deviation", [0.98, 1.0, 1.02])
@pytest.mark.parametrize("shift", [0.1, 0.6])
def test_bytes_of_another_clock_are_received(clocks, deviation, shift):
    bit_s = clocks * CLOCK_S * deviation
    line = [1] * 3 + [bit for byte in BYTES for bit in bits(byte)]
    assert received(clocks, line, bit_s + shift * 1e-9) == BYTES


def test_a_byte_without_a_stop_bit_is_an_error_and_the_next_is_whole():
    line = [1, *bits(0x42), *bits(0x43, stop=0), 0, 1, 1, *bits(0x44)]
    assert received(8, line, 8 * CLOCK_S) == [0x42, None, 0x44]


def test_a_line_held_low_is_one_error():
    assert received(8, [1, *[0] * 60, 1, 1, *bits(0x42)], 8 * CLOCK_S) == [None, 0x42]


def test_a_short_glitch_is_no_byte():
    glitch = [1] * 40 + [0] * 2 + [1] * 40 + [bit for bit in bits(0x42) for _ in range(8)]
    assert received(8, glitch, CLOCK_S) == [0x42]


def test_a_wrong_sample_in_a_bit_is_outvoted():
    clocks = 8
    line = [bit for bit in bits(0x42) for _ in range(clocks)]
    for bit in range(1, 10):
        line[bit * clocks + clocks // 2] ^= 1
    assert received(clocks, [1] * 20 + line + [1] * 20, CLOCK_S) == [0x42]


@pytest.mark.parametrize(("clock_hz", "baud", "clocks"), [(25_000_000, 1_000_000, 25), (12_000_000, 115_200, 104)])
def test_a_bit_takes_the_nearest_number_of_clocks(clock_hz, baud, clocks):
    assert clocks_per_bit(clock_hz, baud) == clocks


@pytest.mark.parametrize(("clock_hz", "baud"), [(1_000_000, 300_000), (1_000_000, 0), (10_000_000, 2_200_000)])
def test_a_baud_rate_that_the_clock_cannot_make_is_refused(clock_hz, baud):
    with pytest.raises(ConfigError, match=str(baud)):
        clocks_per_bit(clock_hz, baud)


def test_fewer_than_four_clocks_in_a_bit_are_refused():
    for part in (UartReceiver, UartTransmitter):
        with pytest.raises(ValueError, match="must be 4 or more, not 3"):
            part(3)
