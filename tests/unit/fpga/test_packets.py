import binascii
import zlib

import pytest
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastor.fpga.host.packets import Answer, Frames, Request, framed, line_bytes, unframed
from stochastor.fpga.protocol import REQUEST_BYTES, Command, Status
from stochastor.model.errors import ToolError

fixed_seed = settings(derandomize=True, database=None, deadline=None)
packets = st.binary(min_size=1, max_size=600)
CHECK = b"123456789"
CHECK_VALUE = 0xCBF43926  # of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms


def test_the_crc_is_the_one_of_the_catalogue_in_all_that_compute_it():
    assert zlib.crc32(CHECK) == binascii.crc32(CHECK) == CRC32_ISO_HDLC(data_width=8).compute(CHECK) == CHECK_VALUE
    assert cobs.decode(framed(CHECK)[:-1]) == CHECK + CHECK_VALUE.to_bytes(4, "little")


@given(packets)
@fixed_seed
def test_a_packet_comes_back_from_its_frame(packet):
    frame = framed(packet)
    assert unframed(frame[:-1]) == packet
    assert frame[-1] == 0
    assert 0 not in frame[:-1]
    assert len(frame) <= line_bytes(len(packet) + 4)


@given(packets, st.data())
@fixed_seed
def test_a_frame_with_a_wrong_byte_is_dropped(packet, data):
    frame = bytearray(framed(packet)[:-1])
    position = data.draw(st.integers(0, len(frame) - 1))
    frame[position] ^= data.draw(st.integers(1, 255))
    assert list(Frames().feed(bytes(frame) + b"\0")) == []


@given(packets, st.data())
@fixed_seed
def test_a_frame_that_lacks_bytes_is_dropped(packet, data):
    frame = framed(packet)[:-1]
    start = data.draw(st.integers(0, len(frame) - 1))
    stop = data.draw(st.integers(start + 1, len(frame)))
    rest = frame[:start] + frame[stop:]
    assert list(Frames().feed(rest + b"\0")) == []


@given(st.lists(packets, max_size=5), st.integers(1, 40))
@fixed_seed
def test_packets_come_whole_however_the_bytes_are_cut(sent, piece):
    frames = Frames()
    stream = b"\0".join(framed(packet) for packet in sent)
    pieces = [stream[at : at + piece] for at in range(0, len(stream), piece)]
    assert [packet for part in pieces for packet in frames.feed(part)] == sent
    assert frames.damaged == 0


@given(packets, st.binary(max_size=30).filter(lambda junk: 0 not in junk))
@fixed_seed
def test_the_packet_after_a_damaged_one_is_whole(packet, junk):
    frames = Frames()
    assert list(frames.feed(junk + framed(packet) + framed(packet)))[-1:] == [packet]
    assert frames.damaged == (len(junk) > 0)


@given(
    st.sampled_from(Command),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=300),
    st.integers(1, 2**32 - 1),
    st.integers(0, 255),
)
@fixed_seed
def test_a_request_has_the_bytes_of_the_page(command, word, option, count, data, session, sequence):
    request = Request(command=command, word=word, option=option, count=count, data=data)
    expected = session.to_bytes(4, "little") + bytes([sequence, command])
    expected += word.to_bytes(4, "little") + bytes([option, count]) + data
    assert unframed(request.frame(session, sequence)[:-1]) == expected
    assert request.length == len(expected) + 4 == REQUEST_BYTES + len(data)


@given(st.integers(0, 2**32 - 1), st.integers(0, 255), st.sampled_from(Status), st.binary(max_size=300))
@fixed_seed
def test_an_answer_comes_back_from_its_frame(session, sequence, status, data):
    answer = Answer(session=session, sequence=sequence, status=status, data=data)
    (packet,) = Frames().feed(answer.frame())
    assert packet == session.to_bytes(4, "little") + bytes([sequence, status]) + data
    assert Answer.of(packet) == answer


@given(st.sampled_from(Command), st.integers(1, 2**32 - 1))
@fixed_seed
def test_an_echo_is_no_answer(command, session):
    (packet,) = Frames().feed(Request(command=command).frame(session, 0))
    assert Answer.of(packet) is None


@pytest.mark.parametrize(
    ("module", "package"), [("packets", "cobs"), ("serial_port", "serial")], ids=["cobs", "pyserial"]
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, module, package):
    import importlib
    import sys

    name = f"stochastor.fpga.host.{module}"
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ToolError, match=r"pip install 'stochastor\[board\]'"):
        importlib.import_module(name)
