"""Arrays on the pins of a board: simulated ones behind the very ports that the board's constraints give balls to."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from board_runs import FEATURES, LABELS, write_files
from command_line import stochastor
from stochastor.fpga import pin_table
from stochastor.fpga.boards import BOARDS
from stochastor.fpga.host.board import Board
from stochastor.fpga.simulated import board as simulated
from stochastor.fpga.simulated.board import SimulatedBoard
from stochastor.hdl.pins import Phase
from stochastor.model.config import Config
from stochastor.model.trainer import Trainer
from stochastor.sim.array.config import ArrayConfig
from stochastor.sim.array.pins import Levels, PinViolation, SimulatedArray

CONFIG = Config(
    sizes=(9, 5, 10),
    scale=4,
    weight_bits=4,
    reference_bits=8,
    carry_digits=2,
    carry_base=4,
    carry_period=3,
    tables=2,
    array_side="pins",
    compare_cycles=6,
    epochs=2,
)
BOARD = BOARDS["ice40_hx8k_b_evn"]


@pytest.fixture
def simulation() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(CONFIG, board=BOARD) as board:
        yield board


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_files(tmp_path, CONFIG, train=60)


def at_rest(simulation: SimulatedBoard) -> bool:
    """Whether nothing acts on any array."""
    acting = ("row_set", "column_set", "integrate", "set", "reset", "compare")
    levels = [simulation.levels(layer) for layer in range(1, CONFIG.layers + 1)]
    return all(pins.phase == Phase.IDLE and not any(getattr(pins, name) for name in acting) for pins in levels)


def miswired(wrong: str) -> list[SimulatedArray]:
    """Arrays with one wrong wire, that of layer 1."""

    class Wrong(SimulatedArray):
        def see(self, cycle: int, levels: Levels) -> int:
            if wrong == "rows":
                row = levels.row & ~9 | levels.row >> 3 & 1 | levels.row << 3 & 8
                levels = levels._replace(row=row)
            if wrong == "columns":
                crossed = {
                    name: (getattr(levels, name) >> 1 & 1) | (getattr(levels, name) << 1 & 2)
                    for name in ("column_plus", "column_minus")
                }
                levels = levels._replace(**crossed)
            return super().see(cycle, levels) | (2 if wrong == "comparator" else 0)

    zeros = [
        np.zeros((CONFIG.rows(layer), CONFIG.cell_columns(layer)), dtype=np.int32)
        for layer in range(1, CONFIG.layers + 1)
    ]
    kinds = Wrong, SimulatedArray
    return [kind(CONFIG, layer, ArrayConfig(), zeros[layer - 1]) for layer, kind in enumerate(kinds, start=1)]


def test_training_by_the_pins_is_that_of_the_golden_model(simulation: SimulatedBoard) -> None:
    board, model = Board(simulation, CONFIG), Trainer(CONFIG)
    board.load(model.weights())
    for part, exponent in ((slice(0, 60), 0), (slice(60, 120), 2)):
        fired = board.train(FEATURES[part], LABELS[part], exponent)
        traces = model.train(FEATURES[part], LABELS[part], exponent)
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
        np.testing.assert_array_equal(board.infer(FEATURES[:20], 3), model.infer(FEATURES[:20], 3))
    assert sum(len(layer.carried_up) for trace in traces for layer in trace.layers) > 0
    for ours, theirs in zip(model.weights(), board.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert board.generator_states() == model.generator_states()
    assert (board.link.retries, simulation.line_errors) == (0, 0)
    assert at_rest(simulation)


@pytest.mark.parametrize("cycles", [3, 4])
def test_comparators_decide_in_time_with_the_least_cycles_and_not_with_fewer(
    monkeypatch: pytest.MonkeyPatch, cycles: int
) -> None:
    monkeypatch.setattr(pin_table, "check_times", lambda config: None)
    monkeypatch.setattr(simulated, "LEAST_COMPARE_CYCLES", cycles)
    config = Config(sizes=(2, 2), scale=4, weight_bits=4, array_side="pins", compare_cycles=cycles)
    with SimulatedBoard(config, board=BOARD) as simulation:
        board, cells = Board(simulation, config), np.array([[3, -7], [0, 5], [-1, 7]], dtype=np.int32)
        board.load([cells])
        assert np.array_equal(board.weights()[0], cells) == (cycles == 4)


def test_nothing_acts_before_the_first_sample_nor_after_an_abort_or_a_reset(simulation: SimulatedBoard) -> None:
    assert at_rest(simulation)
    simulation.read(0.001)
    assert at_rest(simulation)
    board = Board(simulation, CONFIG)
    answers = board.link.exchange(board._requests.train(FEATURES, LABELS, 0, 0))
    next(answers)
    board.abort()
    assert at_rest(simulation)
    board.reset()
    assert at_rest(simulation)


def test_a_host_that_goes_away_leaves_arrays_at_rest(simulation: SimulatedBoard) -> None:
    board = Board(simulation, CONFIG)
    answers = board.link.exchange(board._requests.train(FEATURES, LABELS, 0, 0))
    next(answers)
    while at_rest(simulation):
        simulation.read(1e-6)
    answers.close()
    for _ in range(200):
        simulation.read(0.01)
    assert at_rest(simulation)


def test_a_reset_in_the_middle_of_a_pulse_ends_it_at_once(simulation: SimulatedBoard) -> None:
    board = Board(simulation, CONFIG)
    answers = board.link.exchange(board._requests.train(FEATURES, LABELS, 0, 0))
    next(answers)
    while not simulation.levels(1).set:
        simulation.read(1e-6)
    simulation.reset()
    assert at_rest(simulation)
    board = Board(simulation, CONFIG)
    model = Trainer(CONFIG)
    board.restore(model.weights(), model.generator_states(), 0)
    fired = board.train(FEATURES[:20], LABELS[:20])
    np.testing.assert_array_equal(fired, [trace.outputs for trace in model.train(FEATURES[:20], LABELS[:20])])


def test_two_crossed_wires_of_row_addresses_are_named_by_layer_and_pin() -> None:
    with SimulatedBoard(CONFIG, board=BOARD, arrays=miswired("rows")) as simulation:
        board = Board(simulation, CONFIG)
        with pytest.raises(PinViolation, match=r"layer 1, pin row: is 1\d, in an array of 10 rows"):
            board.load(Trainer(CONFIG).weights())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("comparator", r"layer 1, row 0, cell column 2, read back: .* \(array1\.decision\[1\]\)"),
        ("columns", r"layer 1, row 0, cell column \d, read back"),
        ("rows", r"layer 1, pin row: is 1\d"),
    ],
)
def test_check_names_the_layer_and_the_line_of_a_wrong_wire(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: str, named: str
) -> None:
    monkeypatch.setattr(simulated, "_ideal_arrays", lambda config: miswired(wrong))
    monkeypatch.setattr(simulated, "_board_for", lambda config, memory: BOARD)
    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    assert stochastor("board", "check", "--simulated", *machine, "--samples", 20) == 1
    captured = capsys.readouterr()
    assert re.search(named, (captured.out + captured.err).replace("\n", " "))


def test_a_whole_training_by_the_pins_ends_in_the_weights_of_the_model(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "_board_for", lambda config, memory: BOARD)
    machine = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}"
    assert stochastor("board", "train", "--simulated", *machine, "--out", files / "board") == 0
    assert stochastor("train", *machine, "--out", files / "model") == 0
    ours, theirs = (json.loads((files / name / "report.json").read_text()) for name in ("model", "board"))
    assert ours["weights_sha256"] == theirs["weights_sha256"]
    assert stochastor("board", "check", "--simulated", *machine, "--samples", 40) == 0
    assert stochastor("board", "infer", files / "board", "--simulated") == 0
