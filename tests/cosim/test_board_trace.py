"""Traces that a board tells of, and their comparison with those of the model."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from board_runs import FEATURES, LABELS, assert_same, write_files
from command_line import stochastor
from mutation import mutate
from stochastor.fpga.host.board import Board
from stochastor.fpga.host.transport import Transport
from stochastor.fpga.simulated.board import SimulatedBoard
from stochastor.fpga.simulated.faults import FaultyLine
from stochastor.hdl.read import ForwardRead
from stochastor.model.config import Config
from stochastor.model.errors import BoardError
from stochastor.model.trace import Trace
from stochastor.model.trainer import Trainer
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.pins import SimulatedArray
from stochastor.sim.scoreboard import Scoreboard, differences

FOLDED = Config(sizes=(9, 5, 10), scale=4, weight_bits=4, carry_digits=2, carry_base=4, carry_period=3, lanes=3)
DEEP = Config(sizes=(9, 5, 4, 10), scale=4, weight_bits=4, input_draws=2, gate="xor", tables=2)
PINS = Config(sizes=(9, 5, 10), weight_bits=4, scale=4, reference_bits=7, tables=1, array_side="pins", compare_cycles=6)
VERIFIED = Config(
    sizes=(4, 3, 2), scale=3, weight_bits=4, reference_bits=12, tables=1, array_side="pins", compare_cycles=4,
    carry_digits=2, carry_base=4, carry_verify=12, carry_period=2,
)  # fmt: skip
# Steps differ from device to device, and not from pulse to pulse: no pin tells an array which pulse it is given.
UNEVEN = replace(ARRAYS["taox"], device=replace(ARRAYS["taox"].device, step_spread=0.3, cycle_spread_of_range=0.0))


def check_traces(line: Transport, config: Config) -> list[Trace]:
    """Train on board and model, compare all traces and the state that they end in."""
    board, model = Board(line, config), Trainer(config)
    board.load(model.weights())
    for part, exponent in ((slice(0, 40), 0), (slice(40, 60), 2)):
        told, traces = (machine(FEATURES[part], LABELS[part], exponent) for machine in (board.trace, model.train))
        assert (told[-1].number, told[-1].label, told[-1].exponent) == (part.stop - 1, LABELS[part][-1], exponent)
        assert len(told) == len(traces)
        for ours, theirs in zip(traces, told, strict=True):
            assert next(differences(config, ours, theirs), None) is None
            assert ours.decisions == theirs.decisions
    assert_same(board, model)
    return told


@pytest.mark.parametrize("config", [FOLDED, DEEP], ids=["folded", "deep"])
def test_a_board_tells_the_traces_of_the_model(config: Config) -> None:
    with SimulatedBoard(config, trace=True) as simulation:
        told = check_traces(simulation, config)
    assert sum(trace.has_error for trace in told) > 0
    assert any(len(layer.carried_up) for trace in told for layer in trace.layers) == (config.carry_digits > 1)


def test_a_board_with_arrays_on_its_pins_and_a_memory_tells_them_too() -> None:
    with SimulatedBoard(PINS, memory=True, trace=True) as simulation:
        check_traces(simulation, PINS)
        board, model = Board(simulation, PINS), Trainer(PINS)
        board.restore(model.weights(), model.generator_states(), 0)
        board.store(FEATURES[:20], LABELS[:20])
        board.replay(np.arange(19, -1, -1))
        model.train(FEATURES[19::-1], LABELS[19::-1])
        (told,), (trace,) = board.trace(FEATURES[:1], LABELS[:1]), model.train(FEATURES[:1], LABELS[:1])
        assert next(differences(PINS, trace, told), None) is None


def test_a_bad_line_changes_no_trace_and_trains_no_sample_twice() -> None:
    with SimulatedBoard(FOLDED, trace=True) as simulation:
        line = FaultyLine(simulation, 0.2, 5)
        check_traces(line, FOLDED)
        assert min(line.faults.values()) > 0
        assert Board(simulation, FOLDED).counters()["samples"] == 60


def test_a_board_tells_of_carries_that_are_verified_on_devices_that_are_not_ideal() -> None:
    rng = np.random.default_rng(3)
    shapes = [(VERIFIED.rows(layer), VERIFIED.cell_columns(layer)) for layer in (1, 2)]
    cells = [rng.integers(-7, 8, shape, dtype=np.int32) for shape in shapes]
    arrays = [SimulatedArray(VERIFIED, layer, UNEVEN, matrix) for layer, matrix in enumerate(cells, start=1)]
    scoreboard = Scoreboard(VERIFIED, cells, UNEVEN)
    samples = FEATURES[:40, :4].copy(), LABELS[:40] % 2
    with SimulatedBoard(VERIFIED, arrays=arrays, trace=True) as simulation:
        told = Board(simulation, VERIFIED).trace(*samples)
        for ours, theirs in zip(scoreboard.model.train(*samples), told, strict=True):
            assert next(differences(VERIFIED, ours, theirs), None) is None
    assert scoreboard.check_conductances(arrays) is None
    assert any(len(layer.carried_up) for trace in told for layer in trace.layers)
    counts = scoreboard.model.counts.to_dict()
    assert all(min(counts[f"restored_{name}"]) for name in ("rows", "up", "down"))


def test_a_board_without_traces_says_so_and_trains_nothing() -> None:
    with SimulatedBoard(FOLDED) as simulation:
        board = Board(simulation, FOLDED)
        with pytest.raises(BoardError, match="keeps no traces: build it with --trace"):
            board.trace(FEATURES[:2], LABELS[:2])
        board.reopen()
        assert (board.continued, board.samples_trained) == (True, 0)


def test_check_compares_traces_and_counts_their_entries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write_files(tmp_path, FOLDED)
    options = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}", "--samples", 100
    compared = []
    for traced in ((), ("--trace",)):
        assert stochastor("board", "check", "--simulated", *options, *traced, "--json", tmp_path / "check.json") == 0
        compared.append(json.loads((tmp_path / "check.json").read_text())["compared"])
    assert compared[1] > compared[0] + 100 * sum(FOLDED.sizes[1:])
    assert re.search(r"traces among them +yes", capsys.readouterr().out)


def test_check_names_sample_layer_and_lane_where_a_wrong_line_of_hardware_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A machine of its own, since builds are kept.
    files = write_files(tmp_path, replace(FOLDED, seed=7))
    mutate(monkeypatch, ForwardRead, "_compare", "[line] > compared.lower", "[line] >= compared.lower")
    options = "--config", files / "small.toml", "--data", f"npz:{files / 'small.npz'}", "--samples", 100
    assert stochastor("board", "check", "--simulated", *options, "--trace") == 1
    assert re.search(r"sample \d+, layer \d, stage fired, lane \d+: model 0, board 1", capsys.readouterr().out)
