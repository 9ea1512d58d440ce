"""Samples in the memory of a board: the whole ULX3S by the ports of its pins, an SDRAM behind them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from board_runs import FEATURES, LABELS, assert_same, write_files
from command_line import stochastor
from stochastor.fpga.host.board import Board
from stochastor.fpga.host.coding import Layout, stored_words
from stochastor.fpga.host.serial_port import SerialPort
from stochastor.fpga.sdram_chip import Timings
from stochastor.fpga.simulated.board import MemoryViolation, SimulatedBoard
from stochastor.fpga.simulated.faults import FaultyLine
from stochastor.fpga.simulated.port import SimulatedPort
from stochastor.model.config import Config, preset
from stochastor.model.data import load_dataset
from stochastor.model.errors import BoardError, BoardResetError
from stochastor.model.schedule import sample_order
from stochastor.model.trainer import Trainer, power_up_weights
from stochastor.sim.compiled import CompiledTrainer

CONFIG = Config(
    sizes=(9, 5, 10), scale=4, weight_bits=4, carry_digits=2, carry_base=4, carry_period=10, lanes=3, epochs=2
)
ORDER = np.random.default_rng(2).integers(0, 600, 300)


@pytest.fixture
def simulation() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(CONFIG, memory=True) as board:
        yield board


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_files(tmp_path, CONFIG)


def assert_same_run(files: Path) -> None:
    """The runs `model` and `board` ended in the same bits."""
    ours, theirs = (json.loads((files / name / "report.json").read_text()) for name in ("model", "board"))
    for key in ("weights_sha256", "test_accuracy_votes16", "history", "samples_trained", "baseline_test_accuracy"):
        assert ours[key] == theirs[key]


@pytest.mark.parametrize("share", [0.0, 0.15], ids=["good line", "bad line"])
def test_samples_are_trained_from_the_memory_in_the_order_that_the_host_sends(
    simulation: SimulatedBoard, share: float
) -> None:
    line = FaultyLine(simulation, share, 5)
    board, model = Board(line, CONFIG), Trainer(CONFIG)
    board.store(FEATURES, LABELS)
    for order, exponent in ((ORDER[:170], 0), (ORDER[170:], 2)):
        fired = board.replay(order, exponent)
        traces = model.train(FEATURES[order], LABELS[order], exponent)
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
        blocks = sample_order(3, exponent, 600, 45)[:400]
        board.replay_blocks(blocks, exponent)
        model.train(FEATURES[blocks], LABELS[blocks], exponent)
        for machine in (board, model):
            machine.train(FEATURES[:20], LABELS[:20])
    assert_same(board, model)
    assert board.counters()["samples"] == 1140
    assert (board.link.retries > 0) == (share > 0)


def test_a_board_that_is_reset_again_and_again_is_stored_anew_and_ends_in_the_same_bits(
    simulation: SimulatedBoard,
) -> None:
    random = Random(2)
    board, model = Board(FaultyLine(simulation, 0.05, 6), CONFIG), Trainer(CONFIG)
    resets = 0

    def reset(done: int) -> None:
        nonlocal resets
        if random.random() < 0.06:
            simulation.reset()
            resets += 1

    while model.samples_trained < 200:
        part = ORDER[model.samples_trained : model.samples_trained + 40]
        try:
            if not board.stored.are(FEATURES[:], LABELS[:]):
                board.store(FEATURES, LABELS, reset)
            board.replay(part, 0, reset)
            board.weights()
        except BoardResetError:
            board.open()
            board.restore(model.weights(), model.generator_states(), model.samples_trained)
            continue
        model.train(FEATURES[part], LABELS[part])
    assert_same(board, model)
    assert resets > 3


def test_what_is_stored_outlasts_sessions_and_resets_of_the_machine(simulation: SimulatedBoard) -> None:
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    board.store(FEATURES, LABELS)
    answers = board.link.exchange(board._requests.store(next(stored_words(FEATURES, LABELS)), 0))
    next(answers)
    answers.close()
    stored = board.stored
    other = Board(simulation, CONFIG, sessions=board.link.sessions, stored=stored)
    assert other.stored.are(FEATURES, LABELS)
    other.reset()
    before = simulation.cycles
    other.store(FEATURES, LABELS)
    assert simulation.cycles == before
    other.replay(ORDER[:50])
    model.train(FEATURES[ORDER[:50]], LABELS[ORDER[:50]])
    assert_same(other, model)


def test_an_aborted_replay_leaves_nothing_of_it_to_the_next(simulation: SimulatedBoard) -> None:
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    board.store(FEATURES, LABELS)
    places = Layout.of(FEATURES).places[ORDER]
    apart = np.zeros(len(places), dtype=np.bool_)
    for number in range(8):
        if number % 2:
            requests = board._requests.replay_blocks(places[:40], 0, board.samples_trained, apart[:40])
        else:
            requests = board._requests.replay(places, 0, board.samples_trained)
        answers = board.link.exchange(requests)
        next(answers)
        answers.close()
        before = model.samples_trained
        board.reopen()
        assert before < board.samples_trained < before + (40 if number % 2 else 300)
        done = ORDER[: board.samples_trained - before]
        model.train(FEATURES[done], LABELS[done])
        for machine in (board, model):
            machine.train(FEATURES[:3], LABELS[:3])
    assert_same(board, model)


def test_addresses_beyond_the_memory_are_refused_and_change_nothing(simulation: SimulatedBoard) -> None:
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    words = next(stored_words(FEATURES[:1], LABELS[:1]))
    far = board.capacity - len(words)
    (store,) = board._requests.store(words, far)
    board.link.ask(store)
    for word in (far + 1, board.capacity, 1 << 31):
        with pytest.raises(BoardError, match="the memory has no such place"):
            board.link.ask(replace(store, word=word))
        board.open()
    board.link.ask(next(board._requests.replay(np.array([far]), 0, 0)))
    board.open()
    model.train(FEATURES[:1], LABELS[:1])
    assert_same(board, model)


def test_a_refresh_that_comes_too_late_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    of = Timings.of
    monkeypatch.setattr(Timings, "of", lambda *given: replace(of(*given), refresh_interval=300))
    with (
        SimulatedBoard(CONFIG, weights=power_up_weights(CONFIG), memory=True) as simulation,
        pytest.raises(MemoryViolation, match="a refresh of the SDRAM is late"),
    ):
        Board(simulation, CONFIG).store(FEATURES, LABELS)


@pytest.mark.parametrize(("by_blocks", "packet"), [(False, 80), (True, 100)], ids=["one by one", "by blocks"])
def test_the_machine_hardly_waits_for_samples_out_of_the_memory(by_blocks: bool, packet: int) -> None:
    config = preset("small")
    data = load_dataset("digits")
    features, labels = data.train_features[:400], data.train_labels[:400]
    order = np.concatenate([np.arange(start, start + 100) for start in (200, 0, 300, 100)])
    cycles = []
    with SimulatedBoard(config, memory=True) as simulation:
        board = Board(simulation, config)
        board.store(features, labels)
        replay = board.replay_blocks if by_blocks else board.replay
        replay(order, 0, lambda done: cycles.append((done, simulation.cycles)))
    (first, begun), (last, ended) = cycles[0], cycles[-1]
    assert (first, last) == (packet, 400)
    with CompiledTrainer(config) as core:
        core.train(features[order[:first]], labels[order[:first]])
        before = core.cycles
        core.train(features[order[first:]], labels[order[first:]])
        least = core.cycles - before
    assert least < ended - begun < 1.01 * least


def test_a_whole_training_by_blocks_ends_in_the_weights_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_files(tmp_path, replace(CONFIG, shuffle_block=16))
    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    assert stochastor("train", *machine, "--out", files / "model") == 0
    with monkeypatch.context() as patch:
        patch.delattr(Board, "train")
        patch.delattr(Board, "replay")
        assert stochastor("board", "train", "--simulated", "--memory", *machine, "--out", files / "board") == 0
    assert_same_run(files)


def test_a_whole_training_out_of_the_memory_ends_in_the_weights_of_the_model(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_features(*samples: Any) -> None:
        raise AssertionError("features cross the line")

    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    assert stochastor("train", *machine, "--out", files / "model") == 0
    with monkeypatch.context() as patch:
        patch.setattr(Board, "train", no_features)
        assert stochastor("board", "train", "--simulated", "--memory", *machine, "--out", files / "board") == 0
    assert_same_run(files)
    with monkeypatch.context() as patch:
        patch.setattr(Board, "replay", no_features)
        options = "--simulated", "--memory", "--no-replay", "--epochs", 1
        assert stochastor("board", "train", *options, *machine, "--out", files / "sent") == 0
    assert stochastor("board", "train", "--port", "/dev/ttyNONE", "--memory", *machine, "--out", files / "no") == 2
    assert "--memory is for --simulated" in capsys.readouterr().err


@pytest.mark.parametrize("reset", [False, True], ids=["kept", "reset"])
@pytest.mark.parametrize("during", ["store", "replay"])
def test_after_the_cable_was_pulled_the_run_goes_on_out_of_the_memory(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reset: bool, during: str
) -> None:
    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    pulled: list[int] = []
    stored: list[int] = []
    store, replayed = Board._store, Board.replay

    def pull(done: int) -> None:
        if not pulled and done > 20:
            pulled.append(done)
            port.close()

    def stored_until_pulled(board: Board, features: Any, labels: Any, layout: Any, progress: Any) -> None:
        stored.append(len(labels))
        store(board, features, labels, layout, pull if during == "store" else progress)

    def replayed_until_pulled(board: Board, numbers: Any, exponent: int) -> Any:
        return replayed(board, numbers, exponent, pull)

    monkeypatch.setattr(Board, "_store", stored_until_pulled)
    monkeypatch.setattr(Board, "replay", replayed_until_pulled)
    with SimulatedBoard(CONFIG, memory=True) as simulation:
        with SimulatedPort(simulation) as port:
            options = "--port", port.path
            assert stochastor("board", "train", *options, *machine, "--out", files / "board") == 3
        assert pulled
        if reset:
            simulation.reset()
        with SimulatedPort(simulation) as port:
            options = "--port", port.path
            assert stochastor("board", "train", *options, "--resume", files / "board") == 0
        assert reset or Board(simulation, CONFIG).counters()["samples"] == 300
    assert len(stored) == (1 if during == "replay" and not reset else 2)
    assert stochastor("train", *machine, "--out", files / "model") == 0
    assert_same_run(files)


def test_check_trains_from_the_memory_too_and_finds_what_it_forgot(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "board", "check", "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    report = files / "check.json"
    assert stochastor(*command, "--simulated", "--memory", "--samples", 130, "--json", report) == 0
    assert json.loads(report.read_text())["replayed"] == 66
    store = Board.store

    def forgetful(board: Board, features: Any, *rest: Any) -> None:
        store(board, features ^ np.uint8(128), *rest)

    monkeypatch.setattr(Board, "store", forgetful)
    assert stochastor(*command, "--simulated", "--memory", "--samples", 130) == 1
    assert "first difference: sample" in capsys.readouterr().out


def test_a_memory_works_beside_arrays_on_the_pins() -> None:
    config = Config(
        sizes=(9, 5, 10), weight_bits=4, scale=4, reference_bits=7, tables=1, array_side="pins", compare_cycles=6
    )
    with SimulatedBoard(config, memory=True) as simulation:
        board, model = Board(simulation, config), Trainer(config)
        board.load(model.weights())
        board.store(FEATURES, LABELS)
        fired = board.replay(ORDER[:20])
        traces = model.train(FEATURES[ORDER[:20]], LABELS[ORDER[:20]])
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])


def test_a_port_to_a_simulated_memory_says_how_much_it_holds() -> None:
    with SimulatedBoard(CONFIG, memory=True) as simulation, SimulatedPort(simulation) as port:
        line = SerialPort(port.path, CONFIG.baud)
        with Board(line, CONFIG) as board:
            assert board.capacity == 1 << 24
