"""Co-simulation: golden model and Verilog train the same samples and are compared, bit for bit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..hdl.verilog import Design
from ..model.config import ArraySide, Config
from ..model.errors import ConfigError, ToolError
from ..model.trainer import check_samples, check_weights
from .array.config import ArrayConfig
from .array.pins import PinViolation
from .cocotb_runner import build_design, check_tools, run_bench
from .compiled import CompiledTrainer, build
from .scoreboard import Difference, Miscount, Scoreboard
from .session import Outcome, Task
from .verilated import check_compiler

CHUNK = 64


class Simulator(StrEnum):
    """What runs the Verilog: cocotb with Icarus or Verilator, or a compiled simulation without cocotb."""

    ICARUS = "icarus"
    VERILATOR = "verilator"
    COMPILED = "compiled"


@dataclass(frozen=True, kw_only=True)
class CosimReport:
    """Result of a co-simulation.

    Attributes
    ----------
    simulator : str
    samples : int
        Training samples compared.
    decisions : int
        Bits, signs, events, pulses and weights compared.
    counters : int
        Counters of the hardware compared with the model's, after all else agreed.
    differences : int
        0, or 1: at the first difference the comparison ends, as all that follows differs with it.
    first_difference : str or None
        Sample, layer, stage and lane of it, and both values; or layer and name of a counter, and both values; or cycle,
        layer and pin that were used as they must not.
    cycles_per_sample : float
        Clock cycles from the first beat to the end of the last sample, by sample, stalls included.
    busy_cycles_per_sample : float
        Those in which a sample was worked on.
    """

    simulator: str
    samples: int
    decisions: int
    counters: int
    differences: int
    first_difference: str | None
    cycles_per_sample: float
    busy_cycles_per_sample: float


def cosimulate(
    design: Design,
    features: NDArray[np.uint8],
    labels: Sequence[int] | NDArray[np.int64],
    exponents: Sequence[int] | NDArray[np.int64],
    *,
    simulator: Simulator,
    array: ArrayConfig | None = None,
    stalls: float = 0.0,
    seed: int = 1,
    progress: Callable[[int], None] = lambda samples: None,
) -> CosimReport:
    """Train samples on a design and on the golden model.

    Parameters
    ----------
    design : Design
        The Verilog; as generated, or as delivered.
    features : ndarray of uint8, shape (samples, inputs)
    labels, exponents : array_like of int, shape (samples,)
    simulator : Simulator
    array : ArrayConfig, optional
        Analog arrays of the model, and behind the pins of the design.
    stalls : float
        Probability of a stall of each stream in each cycle, 0 to less than 1.
    seed : int
        Of the stalls.
    progress : callable
        Called with the number of samples compared so far, where the simulator can tell.

    Raises
    ------
    ConfigError, DataError, RunError
        If samples, weights or arrays do not fit, or a design with pins has no arrays.
    ToolError
        If the simulator is missing, or the design does not build or stops to answer.
    """
    exponents = np.asarray(exponents, dtype=np.int64)
    labels = np.asarray(labels, dtype=np.int64)
    for exponent in np.unique(exponents):
        check_samples(design.config, features, labels.tolist(), int(exponent))
    check_weights(design.config, design.weights)
    _check_arrays(design.config, array)
    task = Task(
        config=design.config,
        features=features,
        labels=labels,
        exponents=exponents,
        weights=design.weights,
        array=array,
        stalls=stalls,
        seed=seed,
    )
    if simulator is Simulator.COMPILED:
        outcome = _run_compiled(design, task, progress)
    else:
        outcome = run_bench(simulator, design.verilog, task)
    return CosimReport(
        simulator=str(simulator),
        samples=outcome.samples,
        decisions=outcome.decisions,
        counters=outcome.counters,
        differences=int(outcome.difference is not None),
        first_difference=outcome.difference,
        cycles_per_sample=outcome.cycles / max(outcome.samples, 1),
        busy_cycles_per_sample=outcome.busy_cycles / max(outcome.samples, 1),
    )


def prepare(design: Design, simulator: Simulator) -> None:
    """Build a design for a simulator, so that a later co-simulation finds it in the cache.

    Raises
    ------
    ToolError
        If the simulator is missing or the build fails.
    """
    check_simulator(simulator)
    if simulator is Simulator.COMPILED:
        build(design.config, design)
    else:
        build_design(simulator, design.verilog)


def best_simulator() -> Simulator:
    """The fastest simulator that can run here.

    Raises
    ------
    ToolError
        If there is none, saying what to install.
    """
    for simulator in (Simulator.COMPILED, Simulator.VERILATOR, Simulator.ICARUS):
        try:
            check_simulator(simulator)
        except ToolError:
            continue
        return simulator
    raise ToolError("no simulator is there: pip install 'stochastor[cosim]' and apt-get install g++ make, or iverilog")


def check_simulator(simulator: Simulator) -> None:
    """Check that a simulator can build and run.

    Raises
    ------
    ToolError
        Naming what is missing and how to install it.
    """
    if simulator is Simulator.COMPILED:
        check_compiler()
    else:
        check_tools(simulator)


def _check_arrays(config: Config, array: ArrayConfig | None) -> None:
    if (config.array_side is ArraySide.PINS) != (array is not None):
        given = "no analog arrays" if array is None else "analog arrays"
        raise ConfigError(
            f"{given} for array_side = {config.array_side}: a design with pins is simulated with arrays behind them, "
            f"and only such a design"
        )


def _run_compiled(design: Design, task: Task, progress: Callable[[int], None]) -> Outcome:
    scoreboard = Scoreboard(task.config, task.weights, task.array)
    difference: Difference | Miscount | PinViolation | None = None
    arrays = task.arrays()
    with CompiledTrainer(task.config, design, stalls=task.stalls, stall_seed=task.seed, arrays=arrays) as hardware:
        for chunk in _chunks(task.exponents):
            try:
                observed, results = hardware.observe(
                    task.features[chunk], task.labels[chunk].tolist(), int(task.exponents[chunk.start])
                )
            except PinViolation as violation:
                difference = violation
                break
            for features, sample, votes in zip(task.features[chunk], observed, results, strict=True):
                difference = scoreboard.check(features, sample) or scoreboard.check_result(votes)
                if difference is not None:
                    break
            progress(scoreboard.samples)
            if difference is not None:
                break
        # A difference leaves the rest of its chunk uncompared: count cycles for the samples that were.
        share = scoreboard.samples / max(hardware.samples_trained, 1)
        cycles = round(share * hardware.cycles)
        counters = hardware.counters()
        busy_cycles = round(share * counters["busy_cycles"])  # type: ignore[operator]
        if difference is None:
            difference = (
                scoreboard.check_conductances(arrays) if arrays else scoreboard.check_weights(hardware.weights())
            ) or scoreboard.check_counters(counters)
    return Outcome(
        samples=scoreboard.samples,
        decisions=scoreboard.decisions,
        counters=scoreboard.counters,
        cycles=cycles,
        busy_cycles=busy_cycles,
        difference=None if difference is None else str(difference),
    )


def _chunks(exponents: NDArray[np.int64]) -> list[slice]:
    """Runs of samples of the same exponent, none longer than a chunk."""
    edges = {0, len(exponents), *range(0, len(exponents), CHUNK), *(np.flatnonzero(np.diff(exponents)) + 1).tolist()}
    ordered = sorted(edges)
    return [slice(start, stop) for start, stop in pairwise(ordered)]
