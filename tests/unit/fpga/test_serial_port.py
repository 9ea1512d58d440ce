import errno

import pytest
import serial
from stochastor.fpga.host import serial_port
from stochastor.fpga.host.serial_port import SerialPort
from stochastor.model.errors import BoardError, LinkLostError


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOENT, "there is no such port"),
        (errno.EACCES, "permission denied; put yourself into the group"),
        (errno.EBUSY, "another program uses the port"),
        (errno.EIO, "the port does not work"),
        (errno.EFBIG, "could not open"),
    ],
)
def test_a_port_that_cannot_be_opened_is_told_with_what_would_help(monkeypatch, number, reason):
    def refuse(*arguments, **options):
        raise serial.SerialException(number, "could not open port")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(BoardError, match=f"/dev/ttyX: .*{reason}"):
        SerialPort("/dev/ttyX", 1_000_000)


def test_a_rate_that_a_port_cannot_have_is_told(monkeypatch):
    def refuse(*arguments, **options):
        raise ValueError("Not a valid baudrate")

    monkeypatch.setattr(serial_port.serial, "Serial", refuse)
    with pytest.raises(BoardError, match="cannot be set to 7 baud"):
        SerialPort("/dev/ttyX", 7)


def test_bytes_cross_a_port_until_it_is_gone():
    import os
    import pty
    import tty

    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with SerialPort(os.ttyname(theirs), 1_000_000) as port:
        port.write(b"ask\0")
        assert os.read(ours, 10) == b"ask\0"
        os.write(ours, b"answer\0")
        assert port.read(1.0) == b"answer\0"
        begun = port.now()
        assert port.read(0.0) == b""
        assert port.now() >= begun
        os.close(ours)
        os.close(theirs)
        with pytest.raises(LinkLostError, match="the port is gone"):
            port.read(1.0)
