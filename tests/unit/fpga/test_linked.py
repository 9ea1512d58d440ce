"""Board and host together, gate by gate: small, for the compiled board does the same at length."""

from enum import IntEnum

import numpy as np
import pytest
from mutation import mutate
from stochastor.fpga import answers, executor, requests, samples, storing, trace_recorder
from stochastor.fpga.host.board import Board
from stochastor.fpga.host.coding import stored_words
from stochastor.fpga.host.packets import Request
from stochastor.fpga.host.traces import TraceReader
from stochastor.fpga.protocol import Command
from stochastor.model.config import Config
from stochastor.model.errors import BoardError, StochastorError
from stochastor.model.trainer import Trainer
from stochastor.sim.scoreboard import differences

from .interpreted import InterpretedLine

CONFIG = Config(sizes=(5, 3), scale=4, weight_bits=5, pixels_per_beat=2)
rng = np.random.default_rng(3)
FEATURES = rng.integers(0, 256, (6, 5), dtype=np.uint8)
LABELS = rng.integers(0, 3, 6)


class Unknown(IntEnum):
    """What no board knows."""

    COMMAND = 99


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
        "there is no such command": Request(command=Unknown.COMMAND),
    }
    for reason, request in wrong.items():
        with pytest.raises(BoardError, match=f"the board refuses {request.command.name}: {reason}"):
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


STORED = Config(sizes=(5, 3), scale=4, weight_bits=5, pixels_per_beat=2, carry_digits=2, carry_base=8, carry_period=12)
LONG = [1, 2, 3, 4, 5, 0] * 5
ADDRESS_BITS = 7  # 21 samples of 6 words


def check_replay():
    """Store, replay and train by turns, across sessions; whether all that came over the link is the model's."""
    model = Trainer(STORED)
    sessions = iter((7, 8))
    board = Board(InterpretedLine(STORED, address_bits=ADDRESS_BITS), STORED, new_session=lambda: next(sessions))
    assert board.capacity == 128
    board.store(np.vstack((FEATURES, FEATURES)), np.hstack((LABELS, LABELS)))
    words = np.concatenate(list(stored_words(FEATURES[::-1], LABELS[::-1])))
    board.link.ask(next(board._requests.store(words, 36)))
    for order in ([4, 1, 1, 0], [11, 5]):
        fired = board.replay(order, 1)
        chosen = [number if number < 6 else 11 - number for number in order]
        traces = model.train(FEATURES[chosen], LABELS[chosen], 1)
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
    for block in ([1, 2, 3, 4, 5], [0, 5]):
        board.replay_blocks(block, 1)
        model.train(FEATURES[block], LABELS[block], 1)
    np.testing.assert_array_equal(board.infer(FEATURES[:2], 2), model.infer(FEATURES[:2], 2))
    answers = board.link.exchange(board._requests.replay(6 * np.array(LONG), 0, 13))
    next(answers)
    answers.close()
    board.open()
    done = board.samples_trained - 13
    assert 6 <= done < len(LONG)
    for machine in (board, model):
        aborted = LONG[:done]
        if machine is model:
            machine.train(FEATURES[aborted], LABELS[aborted])
        machine.train(FEATURES[:2], LABELS[:2])
    board.replay([3])
    model.train(FEATURES[3:4], LABELS[3:4])
    np.testing.assert_array_equal(board.weights()[0], model.weights()[0])
    assert board.generator_states() == model.generator_states()
    assert board.counters()["samples"] == model.samples_trained


def test_stored_samples_are_trained_in_the_order_that_the_host_sends():
    check_replay()


def test_wrong_requests_of_stored_samples_are_refused_and_change_nothing():
    model = Trainer(STORED)
    board = Board(InterpretedLine(STORED, address_bits=ADDRESS_BITS), STORED)
    wrong = [
        ("the data are not as long", Request(command=Command.STORE, count=2, data=bytes(13))),
        ("the data are not as long", Request(command=Command.REPLAY, count=2, data=bytes(5))),
        ("the data are not as long", Request(command=Command.REPLAY_BLOCK, count=2, data=bytes(6))),
        ("another sample is next", Request(command=Command.REPLAY, word=4, count=1, data=bytes(3))),
        ("another sample is next", Request(command=Command.REPLAY_BLOCK, word=4, count=1, data=bytes(3))),
        ("the memory has no such place", Request(command=Command.REPLAY_BLOCK, count=2, data=b"\x80\0\0")),
        ("the memory has no such place", Request(command=Command.STORE, word=127, count=2, data=bytes(4))),
        ("the memory has no such place", Request(command=Command.REPLAY, count=2, data=b"\0\0\0\x80\0\0")),
        ("the memory has no such place", Request(command=Command.REPLAY, count=2, data=b"\0\0\1\0\0\0")),
    ]
    for reason, request in wrong:
        with pytest.raises(BoardError, match=reason):
            board.link.ask(request)
        board.open()
        assert board.samples_trained == 0
    board.store(FEATURES, LABELS)
    board.replay([2, 5])
    model.train(FEATURES[[2, 5]], LABELS[[2, 5]])
    np.testing.assert_array_equal(board.weights()[0], model.weights()[0])


def test_a_board_without_memory_knows_no_such_commands():
    board = Board(InterpretedLine(CONFIG), CONFIG)
    assert board.capacity == 0
    for command in (Command.STORE, Command.REPLAY, Command.REPLAY_BLOCK):
        with pytest.raises(BoardError, match="there is no such command"):
            board.link.ask(Request(command=command))
        board.open()


# Class, method, the code as it is, the code as it is not.
STORING_MUTATIONS = [
    (storing.StoringExecutor, "_trains", "super()._trains(work) |", "super()._trains(work) &"),
    (storing.StoringExecutor, "_silent", "Command.REPLAY_BLOCK", "Command.REPLAY"),
    (storing.StoringExecutor, "_unknown", "Command.REPLAY_BLOCK", "Command.REPLAY"),
    (storing.StoringExecutor, "_head_bytes", "ADDRESS_BYTES", "2"),
    (
        storing.StoringExecutor,
        "_samples",
        "feeder.onward.eq(work.command == Command.REPLAY_BLOCK)",
        "feeder.onward.eq(0)",
    ),
    (storing.StoringExecutor, "_queue", "feeder.drop.eq(1)", "feeder.drop.eq(0)"),
    (storing.StoringExecutor, "_queue", "-8 * (ADDRESS_BYTES - 1) :", ": 8 * (ADDRESS_BYTES - 1)"),
    (storing.StoringExecutor, "_queue", "(self.left == 0)", "(self.left == 2)"),
    (storing.StoringExecutor, "_keep", "feeder.begin.eq(1)", "feeder.begin.eq(0)"),
    (storing.StoringExecutor, "_keep", "feeder.first.eq(work.word)", "feeder.first.eq(0)"),
    (storing.StoringExecutor, "_keep", "feeder.keep.eq(1)", "feeder.keep.eq(0)"),
    (storing.StoringExecutor, "_samples", "feeder.replay.eq(_replays(work))", "feeder.replay.eq(0)"),
    (storing, "_replays", "(work.command == Command.REPLAY) |", "0 |"),
]


@pytest.mark.parametrize(
    ("owner", "method", "code", "other"), STORING_MUTATIONS, ids=[f"{other}" for _, _, _, other in STORING_MUTATIONS]
)
def test_one_wrong_line_of_storing_is_noticed(monkeypatch, owner, method, code, other):
    mutate(monkeypatch, owner, method, code, other)
    with pytest.raises((AssertionError, StochastorError)):
        check_replay()


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
    mutate(monkeypatch, owner, method, code, other)
    with pytest.raises((AssertionError, StochastorError)):
        check_training_and_weights()


TRACED = Config(sizes=(5, 17, 3), scale=2, weight_bits=4, tables=16, carry_digits=2, carry_base=4, carry_period=1)


def check_traces():
    """Train sample by sample; whether all that the board tells of them is the model's."""
    model = Trainer(TRACED)
    model.load([np.full_like(matrix, 5) for matrix in model.weights()])
    board = Board(InterpretedLine(TRACED, model.weights(), trace=True), TRACED)
    traces = model.train(FEATURES[:2], LABELS[:2])
    assert all(len(layer.carried_up) for layer in traces[0].layers)
    for told, trace in zip(board.trace(FEATURES[:2], LABELS[:2]), traces, strict=True):
        assert next(differences(TRACED, trace, told), None) is None
    board.infer(FEATURES[2:3], 1)
    again = TraceReader(TRACED, board.link, board._requests).read(1, int(LABELS[1]), 0)
    assert next(differences(TRACED, traces[1], again), None) is None


def test_a_board_tells_the_trace_of_a_sample():
    check_traces()


# Class, method, the code as it is, the code as it is not.
TRACE_MUTATIONS = [
    (trace_recorder.Log, "elaborate", "self.count.eq(self.count + 1)", "self.count.eq(self.count + 2)"),
    (trace_recorder.Log, "elaborate", "chosen.eq(self.index[:low_bits])", "chosen.eq(0)"),
    (trace_recorder.LayerRecorder, "elaborate", "self.training & ~worked", "~self.training & worked"),
    (trace_recorder.LayerRecorder, "_keep_steps", "self.training & Cat", "Cat"),
    (trace_recorder.LayerRecorder, "_keep_carries", "carries.begin.eq(begin)", "carries.begin.eq(0)"),
    (trace_recorder.TraceRecorder, "elaborate", "self.address.layer", "~self.address.layer"),
    (executor.Executor, "_tell_trace", "index.eq(index + 1)", "index.eq(index)"),
    (executor.Executor, "_tell_trace", "== TraceRecorder.LATENCY", "== 1"),
]


@pytest.mark.parametrize(
    ("owner", "method", "code", "other"),
    TRACE_MUTATIONS,
    ids=[f"{owner.__name__}: {other}" for owner, _, _, other in TRACE_MUTATIONS],
)
def test_one_wrong_line_of_traces_is_noticed(monkeypatch, owner, method, code, other):
    mutate(monkeypatch, owner, method, code, other)
    with pytest.raises((AssertionError, StochastorError)):
        check_traces()
