"""The same design in every simulator, and what happens when a design or a tool is wrong."""

import re
from dataclasses import replace

import numpy as np
import pytest
from stochastor.hdl.verilog import Design, generate
from stochastor.model.config import Config, preset
from stochastor.model.errors import DataError, RunError, ToolError
from stochastor.model.ledger import Count, Total
from stochastor.sim import cocotb_runner
from stochastor.sim.cosim import CosimReport, Simulator, best_simulator, cosimulate
from stochastor.sim.scoreboard import Scoreboard

SAMPLES = 12
TINY = preset("tiny")
EXPONENTS = np.arange(SAMPLES) // 3 % 8


@pytest.fixture(scope="module")
def design() -> Design:
    return generate(TINY)


def samples(config: Config) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return (
        rng.integers(0, 256, (SAMPLES, config.sizes[0]), dtype=np.uint8),
        rng.integers(0, config.sizes[-1], SAMPLES),
    )


def run(design: Design, simulator: Simulator, stalls: float = 0.0) -> CosimReport:
    return cosimulate(design, *samples(TINY), EXPONENTS, simulator=simulator, stalls=stalls)


def with_a_wrong_weight_bit(verilog: str) -> str:
    """Flip the lowest bit of the power-up weights of the bias row of layer 1."""
    start = verilog.index("module \\stochastor.layer1.crossbar (")
    line = re.compile(rf"weights\[{TINY.rows(1) - 1}\] = (\d+)'h([0-9a-f]+);").search(verilog, start)
    assert line is not None
    flipped = f"{int(line[2], 16) ^ 1:0{len(line[2])}x}"
    return verilog[: line.start(2)] + flipped + verilog[line.end(2) :]


@pytest.mark.parametrize("simulator", Simulator)
def test_every_simulator_agrees_with_the_model(design: Design, simulator: Simulator) -> None:
    report = run(design, simulator)
    assert (report.samples, report.differences, report.first_difference) == (SAMPLES, 0, None)
    assert report.decisions > 200 * SAMPLES
    assert report.counters == len(Total) + TINY.layers * len(Count)
    assert report.cycles_per_sample > report.busy_cycles_per_sample > 100


@pytest.mark.parametrize("simulator", Simulator)
def test_carries_and_input_draws_agree_in_every_simulator(simulator: Simulator) -> None:
    config = replace(
        TINY,
        weight_bits=4,
        scale=8,
        input_draws=2,
        reference_bits=16,
        carry_digits=2,
        carry_base=2,
        carry_pulses=2,
        carry_period=5,
    )
    report = cosimulate(generate(config), *samples(config), EXPONENTS, simulator=simulator)
    assert (report.samples, report.differences, report.first_difference) == (SAMPLES, 0, None)


@pytest.mark.parametrize("simulator", Simulator)
def test_stalls_do_not_change_the_bits(design: Design, simulator: Simulator) -> None:
    calm, stalled = run(design, simulator), run(design, simulator, stalls=0.5)
    assert stalled.differences == 0
    assert stalled.decisions == calm.decisions
    assert stalled.cycles_per_sample > calm.cycles_per_sample


@pytest.mark.parametrize("simulator", Simulator)
def test_one_wrong_bit_in_the_verilog_is_named(design: Design, simulator: Simulator) -> None:
    wrong = replace(design, verilog=with_a_wrong_weight_bit(design.verilog))
    report = run(wrong, simulator)
    assert report.differences == 1
    assert report.first_difference is not None
    assert re.fullmatch(
        r"sample \d+, layer 1, stage \w+(, row 64)?, lane 0: model -?\d+, hardware -?\d+", report.first_difference
    )


def test_all_simulators_report_the_same_figures(design: Design) -> None:
    reports = [run(design, simulator) for simulator in (Simulator.ICARUS, Simulator.VERILATOR)]
    assert replace(reports[0], simulator="") == replace(reports[1], simulator="")


def test_other_weights_than_the_verilog_has_are_noticed(design: Design) -> None:
    weights = [matrix.copy() for matrix in design.weights]
    weights[1][3, 4] += 1
    report = run(replace(design, weights=tuple(weights)), Simulator.COMPILED)
    assert report.differences == 1


def test_expected_values_that_are_wrong_are_noticed(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Scoreboard.check

    def corrupted(self: Scoreboard, features: np.ndarray, observed: object) -> object:
        return check(self, features ^ 1, observed)

    monkeypatch.setattr(Scoreboard, "check", corrupted)
    assert run(design, Simulator.COMPILED).differences == 1


def test_expected_counters_that_are_wrong_are_noticed(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Scoreboard.check_counters

    def corrupted(self: Scoreboard, counters: dict[str, int | list[int]]) -> object:
        self.model.counts.layers[1, Count.LOWERED] += 1
        return check(self, counters)

    monkeypatch.setattr(Scoreboard, "check_counters", corrupted)
    difference = run(design, Simulator.COMPILED).first_difference
    assert difference is not None
    assert re.fullmatch(r"after the last sample, layer 2, counter lowered: model \d+, hardware \d+", difference)


def test_a_design_that_does_not_build_is_one_line(design: Design) -> None:
    broken = replace(design, verilog=design.verilog.replace("endmodule", "", 1))
    with pytest.raises(ToolError, match=r"^[^\n]*rror[^\n]*$"):
        run(broken, Simulator.COMPILED)
    with pytest.raises(ToolError, match=r"^[^\n]*icarus[^\n]*$"):
        run(broken, Simulator.ICARUS)


def test_a_machine_that_never_answers_is_one_line(design: Design) -> None:
    dead = replace(design, verilog=design.verilog.replace("posedge clk", "posedge rst"))
    with pytest.raises(ToolError, match=r"^[^\n]*stopped to answer[^\n]*$"):
        run(dead, Simulator.COMPILED)


def test_a_missing_simulator_is_named_with_its_package(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolError, match="iverilog is missing: apt-get install iverilog"):
        run(design, Simulator.ICARUS)
    with pytest.raises(ToolError, match=r"g\+\+ is missing: apt-get install g\+\+"):
        run(design, Simulator.COMPILED)
    monkeypatch.setattr(cocotb_runner, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"cocotb is missing: pip install 'stochastor\[cosim\]'"):
        run(design, Simulator.VERILATOR)
    with pytest.raises(ToolError, match="no simulator is there"):
        best_simulator()


def test_samples_and_weights_that_do_not_fit_are_refused_before_a_build(design: Design) -> None:
    features, labels = samples(TINY)
    with pytest.raises(DataError, match="label 10 of sample 0"):
        cosimulate(design, features, labels * 0 + 10, EXPONENTS, simulator=Simulator.ICARUS)
    with pytest.raises(RunError, match="overflows"):
        run(replace(design, weights=tuple(matrix * 100 for matrix in design.weights)), Simulator.ICARUS)
