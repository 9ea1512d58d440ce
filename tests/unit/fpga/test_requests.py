from random import Random

import pytest
from stochastor.fpga.host.packets import framed
from stochastor.fpga.protocol import Command
from stochastor.fpga.requests import RequestBuffer

from .bench import put, request, run, until

SESSION = 0x01020304
OPEN = request(SESSION, 0, Command.OPEN)


def content(**fields):
    """What the buffer hands out of a request."""
    command, word, option = fields["command"], fields.get("word", 0), fields.get("option", 0)
    return bytes([command]) + word.to_bytes(4, "little") + bytes([option, fields.get("count", 0)]) + fields["data"]


def converse(frames, *, size=256, pauses=None, opens=True, takes=True, opens_after=0):
    """Send frames; give the requests handed out, and the events: (name, number) in order."""
    buffer, taken, events = RequestBuffer(size), [], []
    random = Random(pauses)

    async def send(ctx):
        for frame in frames:
            if frame is None:
                ctx.set(buffer.broken, 1)
                await ctx.tick()
                ctx.set(buffer.broken, 0)
            else:
                await put(ctx, buffer.frames, frame)
        await ctx.tick().repeat(300 if takes else 20 + opens_after)

    async def take(ctx):
        while takes:
            await until(ctx, buffer.bytes.valid)
            packet = bytearray()
            while ctx.get(buffer.left):
                await until(ctx, buffer.bytes.valid)
                if pauses is not None and random.random() < 0.5:
                    await ctx.tick()
                    continue
                packet.append(ctx.get(buffer.bytes.p))
                ctx.set(buffer.bytes.ready, 1)
                await ctx.tick()
                ctx.set(buffer.bytes.ready, 0)
                if pauses is not None and random.random() < 0.02:
                    break
            ctx.set(buffer.forget, 1)
            await ctx.tick()
            ctx.set(buffer.forget, 0)
            taken.append(bytes(packet))

    async def open_(ctx):
        while opens:
            await until(ctx, buffer.opening)
            for _ in range(opens_after):
                await ctx.tick()
            ctx.set(buffer.open, 1)
            await ctx.tick()
            ctx.set(buffer.open, 0)
            events.append(("open", ctx.get(buffer.session)))

    async def watch(ctx):
        signals = buffer.again, buffer.sequence, buffer.closed, buffer.damaged
        async for _, _, again, sequence, closed, damaged in ctx.tick().sample(*signals):
            events.extend([("again", sequence)] * again + [("closed", None)] * closed + [("damaged", None)] * damaged)

    run(buffer, send, background=(take, open_, watch))
    return taken, events


def numbered(count, seed=5, most=40):
    """Requests with the sequence numbers from 1, of random data with many zeros."""
    random = Random(seed)
    fields = [
        {
            "command": Command.WRITE,
            "word": random.randrange(1 << 32),
            "option": number % 256,
            "data": bytes(random.choice((0, 0, 7, 255)) for _ in range(random.randrange(most))),
        }
        for number in range(1, count + 1)
    ]
    return fields, [request(SESSION, number % 256, **each) for number, each in enumerate(fields, start=1)]


def test_requests_are_handed_out_as_they_were_sent_round_the_ring():
    fields, frames = numbered(16)
    taken, events = converse([OPEN, *frames])
    assert taken == [content(**each) for each in fields]
    assert events == [("open", SESSION)]


def test_a_taker_that_pauses_and_forgets_rests_gets_each_request_once():
    fields, frames = numbered(16)
    taken, _ = converse([OPEN, *frames], pauses=3)
    assert len(taken) == len(fields)
    assert all(content(**each).startswith(packet) for each, packet in zip(fields, taken, strict=True))
    assert any(content(**each) != packet for each, packet in zip(fields, taken, strict=True))


def test_a_repeated_request_is_told_of_and_not_taken():
    fields, frames = numbered(9)
    taken, events = converse([OPEN, *frames, frames[8], frames[2], frames[1], OPEN])
    assert taken == [content(**each) for each in fields]
    assert events == [("open", SESSION), ("again", 9), ("again", 3)]


def test_what_follows_a_gap_is_dropped_until_the_gap_is_filled():
    fields, frames = numbered(3)
    taken, events = converse([OPEN, frames[0], frames[2], frames[1], frames[2]])
    assert taken == [content(**each) for each in fields]
    assert events == [("open", SESSION)]


@pytest.mark.parametrize("bit", range(3, 160, 39))
def test_a_request_with_a_wrong_bit_is_dropped(bit):
    fields, (frame, following) = numbered(2)
    wrong = bytearray(frame)
    wrong[bit // 8 % (len(wrong) - 1)] ^= 1 << bit % 8
    taken, events = converse([OPEN, bytes(wrong), b"\0", frame, following])
    assert taken == [content(**each) for each in fields]
    assert ("damaged", None) in events


@pytest.mark.parametrize("cut", [1, 2, 9, 15])
def test_a_request_that_was_cut_is_dropped(cut):
    fields, (frame,) = numbered(1)
    taken, events = converse([OPEN, frame[cut:], frame[: -1 - cut] + b"\0", frame])
    assert taken == [content(**each) for each in fields]
    assert events == [("open", SESSION), ("damaged", None), ("damaged", None)]


def test_a_request_with_a_broken_byte_is_dropped():
    fields, (frame,) = numbered(1)
    taken, events = converse([OPEN, frame[:5], None, frame[5:], frame])
    assert taken == [content(**each) for each in fields]
    assert events == [("open", SESSION), ("damaged", None)]


def test_a_packet_that_is_too_short_for_a_request_is_dropped():
    short = framed(SESSION.to_bytes(4, "little") + bytes([1, Command.RESET]))
    assert converse([OPEN, short]) == ([], [("open", SESSION), ("damaged", None)])


def test_empty_frames_are_nothing():
    assert converse([b"\0\0\0", OPEN, b"\0"]) == ([], [("open", SESSION)])


def test_without_a_session_nothing_is_taken_and_told_so():
    _, frames = numbered(2)
    assert converse(frames) == ([], [("closed", None), ("closed", None)])


def test_requests_of_another_session_are_dropped():
    fields, frames = numbered(1)
    assert converse([OPEN, request(9, 1, Command.RESET), *frames])[0] == [content(**each) for each in fields]


def test_a_session_zero_is_none():
    assert converse([request(0, 0, Command.OPEN)]) == ([], [("closed", None)])


def test_a_new_session_drops_what_was_accepted_and_counts_anew():
    _, frames = numbered(3)
    other = [request(77, 0, Command.OPEN), request(77, 1, Command.SEEK, word=5)]
    taken, events = converse([OPEN, *frames, *other], takes=False)
    assert taken == []
    assert events == [("open", SESSION), ("open", 77)]


def test_a_repeated_open_opens_once_whenever_it_ends():
    again = 10 * len(OPEN)
    for opens_after in range(again - 12, again + 12):
        _, events = converse([OPEN, OPEN], takes=False, opens_after=opens_after)
        assert events.count(("open", SESSION)) == 1
        assert set(events) <= {("open", SESSION), ("again", 0)}


def test_until_a_session_is_open_its_requests_are_dropped():
    _, frames = numbered(3)
    assert converse([OPEN, *frames, request(8, 0, Command.OPEN)], opens=False) == ([], [])


def test_requests_beyond_the_buffer_are_dropped_and_those_within_are_whole():
    big = {"command": Command.WRITE, "data": bytes(range(1, 101))}
    frames = [request(SESSION, number, **big) for number in range(1, 5)]
    taken, events = converse([OPEN, *frames, frames[1]], takes=False)
    assert events == [("open", SESSION), ("again", 2)]
    taken, events = converse([OPEN, request(SESSION, 1, Command.WRITE, data=bytes(250)), *frames[:2]])
    assert taken == [content(**big)] * 2
    assert events == [("open", SESSION)]
