"""Board and host together, gate by gate: small, for the compiled board does the same at length."""

import inspect
import textwrap

import numpy as np
import pytest
from stochastor.fpga import answers, executor, requests, samples
from stochastor.fpga.host.board import Board
from stochastor.fpga.host.packets import Request
from stochastor.fpga.protocol import Command
from stochastor.model.config import Config
from stochastor.model.errors import BoardError, StochastorError
from stochastor.model.trainer import Trainer

from .interpreted import InterpretedLine

CONFIG = Config(sizes=(5, 3), scale=4, weight_bits=5, pixels_per_beat=2)
rng = np.random.default_rng(3)
FEATURES = rng.integers(0, 256, (6, 5), dtype=np.uint8)
LABELS = rng.integers(0, 3, 6)


def check_training_and_weights():
    """Train and read; whether all that came over the link is the model's."""
    model = Trainer(CONFIG)
    model.load([matrix[::-1].copy() for matrix in model.weights()])
    sessions = iter((7, 8))
    board = Board(InterpretedLine(CONFIG, model.weights()), CONFIG, new_session=lambda: next(sessions))
    for part in (slice(0, 2), slice(2, 3)):
        fired = board.train(FEATURES[part], LABELS[part], 1)
        traces = model.train(FEATURES[part], LABELS[part], 1)
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
    model.load([-matrix[:, ::-1] for matrix in model.weights()])
    board.restore([-matrix[:, ::-1] for matrix in board.weights()], model.generator_states(), 3)
    for passes in (1, 2):
        np.testing.assert_array_equal(board.infer(FEATURES[:2], passes), model.infer(FEATURES[:2], passes))
    np.testing.assert_array_equal(board.weights()[0], model.weights()[0])
    assert board.generator_states() == model.generator_states()
    assert board.counters()["samples"] == 3
    assert board.link.retries == 0
    board.open()
    assert (board.continued, board.samples_trained) == (True, 3)


def test_host_and_gates_agree_with_the_model_on_all_that_crosses_the_link():
    check_training_and_weights()


def test_a_wrong_request_is_refused_and_changes_nothing():
    model = Trainer(CONFIG)
    board = Board(InterpretedLine(CONFIG), CONFIG)
    wrong = {
        "the data are not as long": Request(command=Command.TRAIN, count=2, data=bytes(13)),
        "another sample is next": Request(command=Command.TRAIN, word=4, count=1, data=bytes(7)),
        "there is no such command": Request(command=99),  # type: ignore[arg-type]
    }
    for reason, request in wrong.items():
        with pytest.raises((BoardError, AttributeError), match=f"{reason}|'int' object"):
            board.link.ask(request)
        board.open()
        assert board.samples_trained == 0
    np.testing.assert_array_equal(board.weights()[0], model.weights()[0])
    assert board.counters()["samples"] == 0


def test_a_board_without_counters_answers_all_but_them():
    model = Trainer(CONFIG)
    board = Board(InterpretedLine(CONFIG, counters=False), CONFIG)
    assert board.counters() == {}
    fired = board.train(FEATURES[:2], LABELS[:2])
    np.testing.assert_array_equal(fired, [trace.outputs for trace in model.train(FEATURES[:2], LABELS[:2])])


# Class, method, the code as it is, the code as it is not.
MUTATIONS = [
    (requests.RequestBuffer, "_accept", "expected.eq(expected + 1)", "expected.eq(expected)"),
    (requests.FrameDecoder, "elaborate", "incoming != FULL_BLOCK", "0"),
    (answers.AnswerBuffer, "_write", "block.eq(place), length.eq(1)", "length.eq(1)"),
    (executor.Executor, "_sideband", "infers & (work.word == 0)", "0"),
    (executor.Executor, "_samples", "work.position + 1", "work.position + 2"),
    (executor.Executor, "_samples", "work.word[0].eq(1)", "work.word[0].eq(0)"),
    (executor.Executor, "_next_word", "row.eq(row + 1)", "row.eq(row)"),
    (executor.Executor, "_address_access", "work.value[: len(cell)], cell)", "cell, cell)"),
    (executor.Executor, "_tell_identity", "work.value, work.position", "work.position, work.value"),
    (samples.ResultBytes, "elaborate", "result.votes[output][0]", "~result.votes[output][0]"),
]


@pytest.mark.parametrize(
    ("owner", "method", "code", "other"),
    MUTATIONS,
    ids=[f"{owner.__name__}: {other}" for owner, _, _, other in MUTATIONS],
)
def test_one_wrong_line_of_the_link_is_noticed(monkeypatch, owner, method, code, other):
    original = getattr(owner, method)
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(code) == 1
    namespace = {}
    exec(source.replace(code, other), original.__globals__, namespace)
    monkeypatch.setattr(owner, method, namespace[method])
    with pytest.raises((AssertionError, StochastorError)):
        check_training_and_weights()
