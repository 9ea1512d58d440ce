from dataclasses import replace
from itertools import count
from random import Random

import numpy as np
import pytest
from stochastor.fpga.host.board import Board
from stochastor.fpga.simulated.faults import FAULTS, FaultyLine
from stochastor.model.config import Config
from stochastor.model.errors import BoardError, BoardResetError, ConfigError, DataError, LinkLostError, RunError
from stochastor.model.schedule import sample_order
from stochastor.model.trainer import Trainer

from .peer import Peer

CONFIG = Config(sizes=(5, 3, 2), scale=4, weight_bits=4)
CARRY = replace(CONFIG, sizes=(5, 3, 9), carry_digits=2, carry_base=4, carry_period=2)
rng = np.random.default_rng(1)
FEATURES = rng.integers(0, 256, (2000, 5), dtype=np.uint8)
LABELS = rng.integers(0, 2, 2000)


def connect(peer, config=CONFIG, **options):
    return Board(peer, config, new_session=count(1000).__next__, **options)


def assert_same(board, model):
    for ours, theirs in zip(model.weights(), board.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert board.generator_states() == model.generator_states()
    assert board.samples_trained == model.samples_trained


@pytest.mark.parametrize("config", [CONFIG, CARRY], ids=["plain", "carry"])
def test_a_board_is_the_golden_model_at_the_end_of_a_line(config):
    peer, model = Peer(config), Trainer(config)
    board = connect(peer, config)
    fired = board.train(FEATURES[:200], LABELS[:200], 1)
    traces = model.train(FEATURES[:200], LABELS[:200], 1)
    np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
    np.testing.assert_array_equal(board.infer(FEATURES[:90], 3), model.infer(FEATURES[:90], 3))
    np.testing.assert_array_equal(board.predict(FEATURES[:9], 3), model.infer(FEATURES[:9], 3).argmax(axis=1))
    assert_same(board, model)
    assert board.link.retries == 0


def test_a_restored_board_goes_on_bit_for_bit():
    model = Trainer(CONFIG)
    model.train(FEATURES[:50], LABELS[:50], 2)
    board = connect(Peer(CONFIG))
    board.restore(model.weights(), model.generator_states(), 50)
    for machine in (board, model):
        machine.train(FEATURES[50:80], LABELS[50:80])
    assert_same(board, model)
    board.reset()
    assert (board.samples_trained, board.generator_states()) == (0, Trainer(CONFIG).generator_states())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.05, 0.4])
def test_a_bad_line_changes_nothing(seed, share):
    peer, model = Peer(CARRY), Trainer(CARRY)
    line = FaultyLine(peer, share, seed)
    board = connect(line, CARRY)
    for part in (slice(0, 400), slice(400, 500)):
        fired = board.train(FEATURES[part], LABELS[part])
        traces = model.train(FEATURES[part], LABELS[part])
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
        np.testing.assert_array_equal(board.infer(FEATURES[:60], 2), model.infer(FEATURES[:60], 2))
        assert_same(board, model)
    assert peer.trained == list(range(500))
    assert min(line.faults.values()) > 0 or share < 0.1
    assert board.link.retries > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_board_that_is_reset_is_brought_back_and_ends_in_the_same_bits(seed):
    random = Random(seed)
    peer = Peer(CARRY)
    line = FaultyLine(peer, 0.1, seed)
    board = connect(line, CARRY)
    model, saved = Trainer(CARRY), Trainer(CARRY)
    resets = 0
    while saved.samples_trained < 600:
        if random.random() < 0.5:
            peer.reset()
            resets += 1
        part = slice(saved.samples_trained, saved.samples_trained + 20)
        try:
            board.train(FEATURES[part], LABELS[part])
        except BoardResetError:
            board.open()
            board.restore(saved.weights(), saved.generator_states(), saved.samples_trained)
            continue
        saved.train(FEATURES[part], LABELS[part])
    model.train(FEATURES[:600], LABELS[:600])
    assert_same(board, model)
    assert resets > 5


class Cable:
    """A line that is pulled after so many frames of the host."""

    def __init__(self, peer, frames):
        self._peer = peer
        self._frames = frames
        self.name, self.latency_s, self.now, self.close = peer.name, peer.latency_s, peer.now, peer.close

    def write(self, content):
        self._frames -= 1
        if self._frames < 0:
            raise LinkLostError("pulled")
        self._peer.write(content)

    def read(self, timeout_s):
        return self._peer.read(timeout_s)


@pytest.mark.parametrize("frames", [3, 5, 9, 17, 33])
def test_after_the_cable_was_pulled_another_host_goes_on_where_the_board_is(frames):
    peer, model = Peer(CARRY), Trainer(CARRY)
    board = connect(Cable(peer, frames), CARRY)
    with pytest.raises(LinkLostError):
        board.train(FEATURES[:300], LABELS[:300])
    acknowledged = board.samples_trained
    peer.read(1e-3)
    again = Board(peer, CARRY, sessions=board.link.sessions)
    assert again.continued
    assert again.samples_trained >= acknowledged
    again.train(FEATURES[again.samples_trained : 300], LABELS[again.samples_trained : 300])
    model.train(FEATURES[:300], LABELS[:300])
    assert_same(again, model)
    assert peer.trained == list(range(300))


ORDER = np.random.default_rng(4).integers(0, 300, 500)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_stored_samples_are_trained_in_the_order_that_the_host_sends(share):
    peer, model = Peer(CARRY, capacity=1 << 11), Trainer(CARRY)
    line = FaultyLine(peer, share, 3)
    board = connect(line, CARRY)
    done = []
    features = FEATURES[:300] * (rng.random((300, FEATURES.shape[1])) < 0.5)
    board.store(features, LABELS[:300], done.append)
    assert (board.stored.samples, done[-1], peer.trained) == (300, 300, [])
    fired = board.replay(ORDER, 2)
    traces = model.train(features[ORDER], LABELS[ORDER], 2)
    np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
    assert_same(board, model)
    assert peer.trained == list(range(500))
    assert (board.link.retries > 0) == (share > 0)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_blocks_of_stored_samples_are_trained_in_their_order(share):
    peer, model = Peer(CARRY, capacity=1 << 12), Trainer(CARRY)
    board = connect(FaultyLine(peer, share, 3), CARRY)
    board.store(FEATURES[:300], LABELS[:300])
    order = np.concatenate((sample_order(1, 0, 300, 25), [7, 7, 8, 6, 5], np.arange(290), [299]))
    done = []
    board.replay_blocks(order, 2, done.append)
    model.train(FEATURES[order], LABELS[order], 2)
    assert_same(board, model)
    assert peer.trained == list(range(len(order)))
    assert (done[-1], done) == (len(order), sorted(done))
    assert (board.link.retries > 0) == (share > 0)


class Counting(Peer):
    sent = 0

    def write(self, content):
        self.sent += len(content)
        super().write(content)


@pytest.mark.parametrize(("block", "most_bytes"), [(8, 2.7), (100, 0.23), (1000, 0.09)])
def test_a_block_costs_the_line_one_address_whatever_its_length(block, most_bytes):
    peer = Counting(CONFIG, capacity=1 << 14)
    board = connect(peer)
    board.store(FEATURES, LABELS)
    before = peer.sent
    board.replay_blocks(sample_order(0, 0, 2000, block))
    assert peer.trained == list(range(2000))
    assert peer.sent - before < most_bytes * 2000


def test_a_replayed_sample_costs_the_line_little_more_than_three_bytes():
    peer = Counting(CONFIG, capacity=1 << 14)
    board = connect(peer)
    board.store(FEATURES, LABELS)
    before = peer.sent
    board.replay(np.arange(2000))
    assert peer.sent - before < 3.3 * 2000


def test_what_is_stored_is_known_through_sessions_and_not_after_a_reset_or_another_host():
    peer = Peer(CONFIG, capacity=1 << 11)
    board = connect(peer)
    board.store(FEATURES[:300], LABELS[:300])
    board.open()
    board.replay(ORDER[:5])
    again = Board(peer, CONFIG, sessions=board.link.sessions, stored=board.stored)
    assert again.stored.are(FEATURES[:300], LABELS[:300])
    assert not again.stored.are(FEATURES[:299], LABELS[:299])
    assert not again.stored.are(FEATURES[1:301], LABELS[:300])
    with pytest.raises(BoardError, match=r"samples 0 to 0 are wanted, and 0 are known"):
        again.replay([0])
    before = peer.packets
    again.store(FEATURES[:300], LABELS[:300])
    assert peer.packets == before
    again.replay(ORDER[:5])
    Board(peer, CONFIG)
    again.open()
    assert again.stored.samples == 0
    again.store(FEATURES[:300], LABELS[:300])
    peer.reset()
    again.open()
    assert again.stored.samples == 0
    with pytest.raises(BoardError, match=r"samples 0 to 1 are wanted, and 0 are known to be .*: store them"):
        again.replay([0, 1])


def test_storing_that_broke_off_is_not_known_to_be_stored():
    peer = Peer(CONFIG, capacity=1 << 11)
    board = connect(peer)
    board.store(FEATURES[:300], LABELS[:300])

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        board.store(FEATURES[300:600], LABELS[300:600], stop)
    board.reopen()
    assert (board.continued, board.stored.samples) == (True, 0)


def test_samples_that_are_not_there_are_refused():
    board = connect(Peer(CONFIG, capacity=60))
    assert board.room(FEATURES) == 10
    with pytest.raises(DataError, match=r"11 samples take 66 words, and the board's memory holds 60"):
        board.store(FEATURES[:11], LABELS[:11])
    board.store(FEATURES[:10], LABELS[:10])
    for replay in (board.replay, board.replay_blocks):
        with pytest.raises(BoardError, match="samples 3 to 10 are wanted, and 10 are known"):
            replay([3, 10])
    with pytest.raises(BoardError, match="refuses REPLAY: the memory has no such place"):
        board.link.ask(next(board._requests.replay(np.array([60]), 0, 0)))
    board.open()
    with pytest.raises(DataError, match="exponent"):
        board.replay([3], 9)


def test_a_session_whose_opening_was_not_answered_is_not_gone_on_with():
    class Dumb(Peer):
        dumb = False

        def _send(self, *answer):
            if not self.dumb:
                super()._send(*answer)

    peer = Dumb(CONFIG)
    board = connect(peer)
    board.train(FEATURES[:20], LABELS[:20])
    peer.reset()
    peer.dumb = True
    with pytest.raises(LinkLostError):
        board.open()
    peer.dumb = False
    board.open()
    assert not board.continued


def test_a_board_that_was_reset_or_had_another_host_is_not_continued():
    peer = Peer(CONFIG)
    first = connect(peer)
    assert not first.continued
    other = Board(peer, CONFIG)
    assert not other.continued
    assert not Board(peer, CONFIG, sessions=first.link.sessions).continued
    peer.reset()
    assert not Board(peer, CONFIG, sessions=other.link.sessions).continued


def test_an_exchange_that_is_left_early_leaves_no_answer_to_the_next():
    board, model = connect(Peer(CONFIG)), Trainer(CONFIG)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        board.train(FEATURES[:300], LABELS[:300], 0, stop)
    done = board.samples_trained
    board.reopen()
    assert done <= board.samples_trained <= 300
    model.train(FEATURES[: board.samples_trained], LABELS[: board.samples_trained])
    assert_same(board, model)


def test_an_aborted_board_is_between_samples():
    peer = Peer(CONFIG)
    board, model = connect(peer), Trainer(CONFIG)
    requests = board._requests.train(FEATURES[:500], LABELS[:500], 0, 0)
    answers = board.link.exchange(requests)
    next(answers)
    board.abort()
    assert 0 < board.samples_trained < 500
    model.train(FEATURES[: board.samples_trained], LABELS[: board.samples_trained])
    assert_same(board, model)


def test_the_window_is_never_exceeded_and_the_round_trip_is_hidden():
    class Watched(Peer):
        most = 0

        def _packet(self, packet):
            super()._packet(packet)
            self.most = max(self.most, len(self.queue))
            assert sum(len(rest) + 10 for _, _, rest in self.queue) <= 1024

        def read(self, timeout_s):
            self._slow = len(self._line) > 200
            return super().read(timeout_s)

    peer = Watched(CONFIG)
    connect(peer).train(FEATURES[:400], LABELS[:400])
    assert 3 <= peer.most <= 7


def test_a_board_of_another_configuration_is_refused_with_both_hashes():
    other = replace(CONFIG, seed=9)
    with pytest.raises(ConfigError, match=f"{CONFIG.digest}, not {other.digest}"):
        Board(Peer(CONFIG), other)


def test_a_board_of_another_protocol_is_refused():
    class Later(Peer):
        def _send(self, session, sequence, status, data):
            super()._send(session, sequence, status, b"\x01" + data)

    with pytest.raises(BoardError, match="speaks protocol 1 of the link, this host protocol 4"):
        connect(Later(CONFIG))


def test_a_line_without_a_board_is_told_of():
    class Silent(Peer):
        def _send(self, *answer):
            pass

    with pytest.raises(BoardError, match=r"^peer: .* does not answer.*: is this the port, and the baud rate\?$"):
        connect(Silent(CONFIG))


def test_a_host_that_goes_on_is_told_the_same_of_a_line_without_a_board():
    class Silent(Peer):
        def _send(self, *answer):
            pass

    said = []
    for sessions in ([], [7]):
        with pytest.raises(BoardError) as error:
            connect(Silent(CONFIG), sessions=sessions)
        said.append((type(error.value), str(error.value)))
    assert said[0] == said[1]


def test_a_line_that_only_echoes_is_no_board():
    class Echo(Peer):
        def _byte(self, byte):
            self._out.append(byte)

    with pytest.raises(BoardError, match="does not answer"):
        connect(Echo(CONFIG))


def test_a_board_that_falls_silent_is_lost_and_says_how_far_it_was():
    class Mortal(Peer):
        def _execute(self, *request):
            if self.packets < 4:
                super()._execute(*request)

    board = connect(Mortal(CONFIG))
    with pytest.raises(LinkLostError, match="does not answer, asked 9 times"):
        board.train(FEATURES, LABELS)
    assert board.samples_trained == len(board.link.transport.trained) > 0
    with pytest.raises(LinkLostError, match="the session is over"):
        board.weights()


def test_a_refusal_is_told_with_its_reason():
    board = connect(Peer(CONFIG))
    board.samples_trained = 5
    with pytest.raises(BoardError, match="refuses TRAIN: another sample is next"):
        board.train(FEATURES[:3], LABELS[:3])


def test_what_does_not_fit_is_refused_before_a_byte_is_sent():
    peer = Peer(CONFIG)
    board = connect(peer)
    with pytest.raises(DataError, match="features must be uint8"):
        board.train(FEATURES[:, 1:], LABELS)
    with pytest.raises(DataError, match="label 2"):
        board.train(FEATURES[:1], [2])
    with pytest.raises(DataError, match="passes must be from 1 to 255"):
        board.infer(FEATURES, 0)
    with pytest.raises(RunError, match="overflows"):
        board.load([matrix * 0 + 8 for matrix in board.weights()])
    with pytest.raises(RunError, match="generator states"):
        board.restore(board.weights(), [1], 0)
    assert peer.trained == []


def test_every_kind_of_fault_is_injected():
    line = FaultyLine(Peer(CONFIG), 1.0, 1)
    for _ in range(100):
        line.write(b"frame\0")
    assert set(line.faults) == set(FAULTS)
    assert min(line.faults.values()) > 5
