"""``stochastor board simulate`` as a process of its own, whose port another command is given."""

import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from command_line import stochastor
from stochastor.model.config import preset

START_S = 300
END_S = 60
COMMAND = [sys.executable, "-c", "from stochastor.cli.main import run; run()", "board", "simulate", "--preset", "tiny"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def test_a_simulated_board_answers_at_the_port_that_it_names_until_ctrl_c(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], START_S)[0], "no port was named"
    options = shlex.split(process.stdout.readline())
    assert (options[0], *options[2:]) == ("--port", "--baud", str(preset("tiny").baud))
    assert stochastor("board", "check", *options, "--preset", "tiny", "--samples", 20) == 0
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(END_S) == 0
    assert process.stdout.read() == ""
