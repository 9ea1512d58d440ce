"""The whole board by its serial pins, in compiled simulation, with the host that a real one has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from board_runs import FEATURES, LABELS, assert_same, write_files
from command_line import stochastor
from stochastor.fpga.host.board import Board
from stochastor.fpga.host.packets import Request
from stochastor.fpga.netlist import free_collisions
from stochastor.fpga.protocol import Command
from stochastor.fpga.simulated.board import CLOCKS_PER_BIT, SimulatedBoard
from stochastor.fpga.simulated.faults import FaultyLine
from stochastor.fpga.simulated.port import SimulatedPort
from stochastor.hdl.verilog import to_verilog
from stochastor.model.config import Config
from stochastor.model.errors import BoardError, BoardResetError
from stochastor.model.run import Run
from stochastor.model.trainer import Trainer, power_up_weights

CONFIG = Config(
    sizes=(9, 5, 10), scale=4, weight_bits=4, carry_digits=2, carry_base=4, carry_period=3, lanes=3, epochs=2
)
SMALLEST = Config(sizes=(1, 2), scale=1, weight_bits=3)
BLINK_CYCLES = 1 << 25
ERROR, TRAINING, HEARTBEAT, CLASSIFYING, SESSION, RECEIVING, SENDING, AGAIN = (1 << led for led in range(8))


@pytest.fixture
def simulation() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(CONFIG) as board:
        yield board


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_files(tmp_path, CONFIG)


def check_the_golden_model(simulation: SimulatedBoard) -> None:
    """Train and classify on both, and compare all that crosses the link."""
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    for part, exponent in ((slice(0, 120), 0), (slice(120, 300), 2)):
        fired = board.train(FEATURES[part], LABELS[part], exponent)
        traces = model.train(FEATURES[part], LABELS[part], exponent)
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
        np.testing.assert_array_equal(board.infer(FEATURES[:40], 3), model.infer(FEATURES[:40], 3))
    assert_same(board, model)
    assert sum(len(layer.carried_up) for trace in traces for layer in trace.layers) > 0
    assert board.counters()["samples"] == 300
    assert board.counters()["passes"] == 240
    assert (board.link.retries, simulation.line_errors) == (0, 0)


def test_the_board_is_the_golden_model(simulation: SimulatedBoard) -> None:
    check_the_golden_model(simulation)


def test_no_memory_depends_on_a_word_that_is_read_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_junk(netlist: str) -> str:
        verilog, memories = re.subn(r"<= (\d+)'hx+;", junk, to_verilog(free_collisions(netlist)))
        assert memories == 8 + 2 * CONFIG.lanes * CONFIG.carry_digits  # of weights each cell is written alone
        return verilog

    def junk(unknown: re.Match[str]) -> str:
        width = int(unknown[1])
        return f"<= {width}'h{Random(width).getrandbits(width):x};"

    monkeypatch.setattr("stochastor.fpga.simulated.board.to_verilog", with_junk)
    with SimulatedBoard(CONFIG, weights=power_up_weights(CONFIG)) as simulation:
        check_the_golden_model(simulation)


def test_a_restored_board_goes_on_bit_for_bit_and_a_reset_one_anew(simulation: SimulatedBoard) -> None:
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    model.train(FEATURES[:50], LABELS[:50])
    board.train(FEATURES[50:60], LABELS[50:60])
    board.restore(model.weights(), model.generator_states(), 50)
    for machine in (board, model):
        machine.train(FEATURES[50:90], LABELS[50:90])
    assert_same(board, model)
    board.reset()
    assert board.generator_states() == Trainer(CONFIG).generator_states()
    assert set(np.concatenate([np.atleast_1d(count) for count in board.counters().values()])) == {0}
    for ours, theirs in zip(model.weights(), board.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_wrong_request_is_refused_and_changes_nothing(simulation: SimulatedBoard) -> None:
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    for request, reason in (
        (Request(command=Command.TRAIN, count=2, data=bytes(21)), "the data are not as long"),
        (Request(command=Command.TRAIN, count=1, data=bytes(12)), "the data are not as long"),
        (Request(command=Command.WRITE, count=1), "the data are not as long"),
        (Request(command=Command.RESET, data=b"x"), "the data are not as long"),
        (Request(command=Command.TRAIN, word=1, count=1, data=bytes(11)), "another sample is next"),
        (Request(command=Command.OPEN), "there is no such command"),
    ):
        with pytest.raises(BoardError, match=reason):
            board.link.ask(request)
        assert simulation.leds & ERROR
        board.open()
        assert not simulation.leds & ERROR
    assert_same(board, model)
    assert board.counters()["samples"] == 0


def test_a_bad_line_changes_nothing(simulation: SimulatedBoard) -> None:
    line = FaultyLine(simulation, 0.15, 5)
    board, model = Board(line, CONFIG), Trainer(CONFIG)
    fired = board.train(FEATURES[:300], LABELS[:300])
    traces = model.train(FEATURES[:300], LABELS[:300])
    np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
    assert_same(board, model)
    assert board.counters()["samples"] == 300
    assert min(line.faults.values()) > 0
    assert board.link.retries > 0


def test_a_board_that_is_reset_again_and_again_ends_in_the_same_bits(simulation: SimulatedBoard) -> None:
    random = Random(2)
    line = FaultyLine(simulation, 0.05, 6)
    board = Board(line, CONFIG)
    saved = Trainer(CONFIG)
    resets = 0
    while saved.samples_trained < 200:
        part = slice(saved.samples_trained, saved.samples_trained + 20)

        def reset(done: int) -> None:
            nonlocal resets
            if random.random() < 0.08:
                simulation.reset()
                resets += 1

        try:
            board.train(FEATURES[part], LABELS[part], 0, reset)
            board.weights()
        except BoardResetError:
            board.open()
            board.restore(saved.weights(), saved.generator_states(), saved.samples_trained)
            continue
        saved.train(FEATURES[part], LABELS[part])
    assert_same(board, saved)
    assert resets > 3


def test_an_aborted_board_is_between_samples_and_another_host_goes_on(simulation: SimulatedBoard) -> None:
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    answers = board.link.exchange(board._requests.train(FEATURES, LABELS, 0, 0))
    next(answers)
    other = Board(simulation, CONFIG, sessions=board.link.sessions)
    assert other.continued
    assert 0 < other.samples_trained < 100
    model.train(FEATURES[: other.samples_trained], LABELS[: other.samples_trained])
    assert_same(other, model)
    for machine in (other, model):
        part = slice(model.samples_trained, 150)
        machine.train(FEATURES[part], LABELS[part])
    assert_same(other, model)


def test_without_a_host_the_board_is_silent_and_lives(simulation: SimulatedBoard) -> None:
    assert simulation.read(0.01) == b""
    seen = set()
    for _ in range(3):
        assert simulation.read(0.02) == b""
        seen.add(simulation.leds)
    assert seen == {0}
    simulation.write(b"\x55" * 30 + b"\0")
    assert simulation.read(0.01) == b""
    assert simulation.leds == ERROR | RECEIVING


def test_leds_show_what_the_board_does(simulation: SimulatedBoard) -> None:
    board = Board(simulation, CONFIG)
    assert simulation.leds == SESSION | RECEIVING | SENDING
    board.train(FEATURES[:3], LABELS[:3])
    assert simulation.leds == SESSION | RECEIVING | SENDING | TRAINING
    board.infer(FEATURES[:3], 1)
    assert simulation.leds == SESSION | RECEIVING | SENDING | TRAINING | CLASSIFYING
    frame = Request(command=Command.OPEN).frame(board.link.session, 0)
    simulation.write(frame)
    assert simulation.read(0.01)
    assert simulation.leds & AGAIN
    simulation.reset()
    assert simulation.leds == 0


def test_the_heartbeat_blinks_once_in_2_to_the_25_clocks() -> None:
    with SimulatedBoard(SMALLEST) as simulation:
        for cycle, lit in (
            (BLINK_CYCLES // 2 - 1, 0),
            (BLINK_CYCLES // 2, HEARTBEAT),
            (BLINK_CYCLES - 1, HEARTBEAT),
            (BLINK_CYCLES, 0),
        ):
            assert simulation.read((cycle - simulation.cycles) / (CLOCKS_PER_BIT * CONFIG.baud)) == b""
            assert (simulation.cycles, simulation.leds) == (cycle, lit)


def test_a_whole_training_ends_in_the_weights_of_the_model(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    assert stochastor("board", "train", "--simulated", *machine, "--out", files / "board") == 0
    assert stochastor("train", *machine, "--out", files / "model") == 0
    ours, theirs = (json.loads((files / name / "report.json").read_text()) for name in ("model", "board"))
    for key in ("weights_sha256", "test_accuracy_votes16", "test_accuracy_votes1", "history", "samples_trained"):
        assert ours[key] == theirs[key]
    states = [Run.open(files / name).trainer.generator_states() for name in ("model", "board")]
    assert states[0] == states[1]
    assert stochastor("board", "infer", files / "board", "--simulated", "--json", files / "infer.json") == 0
    assert json.loads((files / "infer.json").read_text())["accuracy"] == ours["test_accuracy_votes16"]


@pytest.mark.parametrize("reset", [False, True], ids=["kept", "reset"])
def test_after_the_cable_was_pulled_the_run_goes_on_and_no_sample_is_trained_twice(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reset: bool
) -> None:
    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    trained: list[int] = []
    train = Board.train

    def until_pulled(board: Board, features: np.ndarray, *rest: object) -> np.ndarray:
        def pull(done: int) -> None:
            if not trained and board.samples_trained > 200:
                trained.append(board.samples_trained)
                port.close()

        return train(board, features, *rest, pull)  # type: ignore[arg-type]

    monkeypatch.setattr(Board, "train", until_pulled)
    with SimulatedBoard(CONFIG) as simulation:
        with SimulatedPort(simulation) as port:
            options = "--port", port.path
            assert stochastor("board", "train", *options, *machine, "--out", files / "board") == 3
        error = capsys.readouterr().err
        assert "the port is gone" in error
        assert f"go on with: stochastor board train --port {port.path} --resume {files / 'board'}" in error
        if reset:
            simulation.reset()
        with SimulatedPort(simulation) as port:
            options = "--port", port.path
            assert stochastor("board", "train", *options, "--resume", files / "board") == 0
        assert reset or Board(simulation, CONFIG).counters()["samples"] == 300
    assert trained
    assert stochastor("train", *machine, "--out", files / "model") == 0
    ours, theirs = (json.loads((files / name / "report.json").read_text()) for name in ("model", "board"))
    for key in ("weights_sha256", "history", "baseline_test_accuracy"):
        assert ours[key] == theirs[key]


def test_check_finds_no_difference_and_names_one_that_is_there(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "board", "check", "--simulated", "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    assert stochastor(*command, "--samples", 70, "--json", files / "check.json") == 0
    assert json.loads((files / "check.json").read_text())["first_difference"] is None
    train, weights = Board.train, Board.weights

    def wrong_weights(board: Board) -> list[np.ndarray]:
        matrices = weights(board)
        matrices[1][2, 3] ^= 1
        return matrices

    def wrong_outputs(board: Board, *samples: object) -> np.ndarray:
        fired = train(board, *samples)  # type: ignore[arg-type]
        fired[5, 7] ^= 1
        return fired

    for method, wrong, place in (
        ("weights", wrong_weights, "layer 2, row 2, cell column 3: model"),
        ("train", wrong_outputs, "sample 5, output 7: model"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Board, method, wrong)
            assert stochastor(*command, "--samples", 70) == 1
        assert f"first difference: {place}" in capsys.readouterr().out


def test_a_board_of_another_configuration_is_refused_with_both_hashes(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Config(sizes=(9, 5, 10))
    (files / "other.toml").write_text(other.to_toml())
    with SimulatedBoard(CONFIG) as simulation, SimulatedPort(simulation) as port:
        options = "--port", port.path, "--config", files / "other.toml"
        assert stochastor("board", "check", *options, "--data", f"npz:{files / 'small.npz'}") == 2
    error = capsys.readouterr().err
    assert CONFIG.digest in error
    assert other.digest in error


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        ("/dev/ttyNONE", "there is no such port"),
        ("/dev/null", "is no serial port"),
        ("/dev", "is no serial port"),
        (None, "which board"),
    ],
)
def test_a_wrong_port_is_one_line(
    files: Path, capsys: pytest.CaptureFixture[str], port: str | None, reason: str
) -> None:
    assert stochastor("board", "check", *(("--port", port) if port else ())) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_run_of_the_model_is_not_resumed_on_a_board(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    assert stochastor("train", *machine, "--out", files / "model") == 0
    assert stochastor("board", "train", "--simulated", "--resume", files / "model") == 2
    assert "was not begun on a board" in capsys.readouterr().err
