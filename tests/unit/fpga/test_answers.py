from random import Random

import pytest
from amaranth.hdl import Module
from stochastor.fpga.answers import AnswerBuffer
from stochastor.fpga.checksum import Checksum
from stochastor.fpga.host.packets import framed

from .bench import run

SLOT = 512


async def write(ctx, buffer, slot, content):
    """Write an answer, and wait until its frame is made."""
    ctx.set(buffer.slot, slot)
    ctx.set(buffer.bytes.valid, 1)
    for byte, end in [*((byte, 0) for byte in content), (0, 1)]:
        ctx.set(buffer.bytes.p.byte, byte)
        ctx.set(buffer.bytes.p.end, end)
        await ctx.tick().until(buffer.bytes.ready)
    ctx.set(buffer.bytes.valid, 0)
    await ctx.tick().until(~buffer.busy)


def sent(script, count, pause=0):
    """Run `script(ctx, buffer)`; give the first `count` frames that the buffer sends."""
    buffer = AnswerBuffer(SLOT)

    async def receive(ctx):
        frames, frame = [], bytearray()
        ctx.set(buffer.frames.ready, 1)
        while len(frames) < count:
            _, _, valid, byte = await ctx.tick().sample(buffer.frames.valid, buffer.frames.p)
            if valid:
                frame.append(byte)
                if byte == 0:
                    frames.append(bytes(frame))
                    frame.clear()
                ctx.set(buffer.frames.ready, not pause)
                for _ in range(pause):
                    await ctx.tick()
                ctx.set(buffer.frames.ready, 1)
        return frames

    async def drive(ctx):
        await script(ctx, buffer)

    return run(buffer, drive, receive)[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(5),
        bytes(range(256)),
        bytes([7] * 253),
        bytes([7] * 254),
        bytes([7] * 255),
        bytes([7] * 250),
        bytes([0] + [7] * 254 + [0]),
        Random(1).randbytes(300),
    ],
    ids=["nothing", "zeros", "all", "253", "254", "255", "250 and a CRC", "254 between zeros", "random"],
)
def test_an_answer_is_sent_as_the_frame_of_its_bytes(content):
    async def script(ctx, buffer):
        await write(ctx, buffer, 0, content)

    (frame,) = sent(script, 1)
    assert equal_frames(frame, framed(content))


def equal_frames(ours, library):
    """A frame may end with an empty block where a block of 254 bytes ends it; a decoder reads both alike."""
    from cobs import cobs

    return ours[-1:] == b"\0" and 0 not in ours[:-1] and cobs.decode(ours[:-1]) == cobs.decode(library[:-1])


def test_answers_are_sent_again_byte_for_byte_until_their_slot_is_taken():
    contents = [Random(number).randbytes(20) for number in range(9)]

    async def script(ctx, buffer):
        for number, content in enumerate(contents):
            await write(ctx, buffer, number % 8, content)
            await ctx.tick().repeat(60)
        for slot in (3, 0):
            ctx.set(buffer.again, 1)
            ctx.set(buffer.again_slot, slot)
            await ctx.tick()
            ctx.set(buffer.again, 0)

    frames = sent(script, 11)
    assert frames[:9] == [framed(content) for content in contents]
    assert sorted(frames[9:]) == sorted([framed(contents[3]), framed(contents[8])])


def test_an_answer_does_not_begin_before_the_last_one_of_its_slot_is_sent():
    contents = [bytes([number] * 30) for number in range(1, 4)]

    async def script(ctx, buffer):
        for content in contents:
            await write(ctx, buffer, 5, content)

    assert sent(script, 3, pause=25) == [framed(content) for content in contents]


def test_a_restart_forgets_the_answer_under_way_and_those_that_wait():
    async def script(ctx, buffer):
        for slot in (1, 2, 3):
            await write(ctx, buffer, slot, bytes([slot] * 30))
        ctx.set(buffer.slot, 4)
        ctx.set(buffer.bytes.valid, 1)
        ctx.set(buffer.bytes.p.end, 0)
        for byte in (9, 9, 9):
            ctx.set(buffer.bytes.p.byte, byte)
            await ctx.tick().until(buffer.bytes.ready)
        ctx.set(buffer.bytes.valid, 0)
        ctx.set(buffer.restart, 1)
        await ctx.tick()
        ctx.set(buffer.restart, 0)
        await write(ctx, buffer, 0, b"anew")

    assert sent(script, 2, pause=50) == [framed(bytes([1] * 30)), framed(b"anew")]


def test_the_checksum_has_the_catalogues_check_value_and_knows_it():
    m = Module()
    m.submodules.checksum = checksum = Checksum()

    async def testbench(ctx):
        seen = []
        for _ in range(2):
            ctx.set(checksum.start, 1)
            await ctx.tick()
            ctx.set(checksum.start, 0)
            for byte in b"123456789" + (0xCBF43926).to_bytes(4, "little"):
                ctx.set(checksum.bytes.p, byte)
                ctx.set(checksum.bytes.valid, 1)
                await ctx.tick().until(checksum.bytes.ready)
                ctx.set(checksum.bytes.valid, 0)
                await ctx.tick().until(checksum.bytes.ready)
                seen.append((ctx.get(checksum.crc), ctx.get(checksum.match)))
        return seen

    ((seen),) = run(m, testbench)
    for part in (seen[:13], seen[13:]):
        assert part[8] == (0xCBF43926, 0)
        assert [match for _, match in part] == [0] * 12 + [1]
