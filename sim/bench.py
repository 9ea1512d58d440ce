"""The cocotb bench: trains the same samples on hardware and golden model, and compares everything."""

import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, with_timeout

from ..hdl.observation import read_counters
from ..hdl.trainer import Access, Counters, Result
from ..hdl.words import from_int, pack, to_int, unpack_array, word_count
from .array.pins import PinViolation
from .cocotb_runner import TASK_VARIABLE
from .drivers import ArrayMonitor, Sink, Source, Stream, TraceMonitor
from .scoreboard import Difference, Miscount, Scoreboard
from .session import Outcome, Task, spread
from .stimulus import training_beats

MOST_WEIGHTS_READ = 1000
CLOCK_NS = 10
COUNTING_CYCLES = 3
PATIENCE_NS = 1_000_000 * CLOCK_NS


@cocotb.test()
async def hardware_agrees_with_the_golden_model(dut: Any) -> None:
    """Stream the samples of the task in, and compare traces, results and weights with the golden model's."""
    directory = Path(os.environ[TASK_VARIABLE])
    task = Task.read(directory)
    scoreboard = Scoreboard(task.config, task.weights, task.array)
    arrays = task.arrays()
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    samples = Source(Stream(dut, "samples"), task.stalls, task.seed)
    accesses = Source(Stream(dut, "access"), task.stalls, task.seed + 1)
    results = Sink(Stream(dut, "results"), task.stalls, task.seed + 2)
    values = Sink(Stream(dut, "values"), task.stalls, task.seed + 3)
    await _reset(dut)
    results.start()
    values.start()
    monitor = TraceMonitor(dut, task.config)
    ArrayMonitor(dut, task.config, arrays, monitor.fail)
    sending = cocotb.start_soon(samples.send(_beats(task)))

    difference: Difference | Miscount | PinViolation | None
    try:
        difference = await _compare_samples(task, scoreboard, monitor, results)
    except PinViolation as violation:
        difference = violation
    cycles, busy_cycles = monitor.cycles, monitor.busy_cycles
    if difference is None:
        await sending
        counters = await _read_counters(dut, task)
        difference = (
            scoreboard.check_conductances(arrays)
            if arrays
            else await _compare_weights(task, scoreboard, accesses, values)
        ) or scoreboard.check_counters(counters)
    Outcome(
        samples=scoreboard.samples,
        decisions=scoreboard.decisions,
        counters=scoreboard.counters,
        cycles=cycles,
        busy_cycles=busy_cycles,
        difference=None if difference is None else str(difference),
    ).write(directory)
    assert difference is None, str(difference)


async def _reset(dut: Any) -> None:
    dut.rst.value = 1
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


def _beats(task: Task) -> list[int]:
    beats = [
        training_beats(task.config, task.features[i : i + 1], task.labels[i : i + 1], int(task.exponents[i]), i)
        for i in range(len(task.labels))
    ]
    return [to_int(words) for words in np.concatenate(beats)]


async def _compare_samples(
    task: Task, scoreboard: Scoreboard, monitor: TraceMonitor, results: Sink
) -> Difference | None:
    for index, (features, label, exponent) in enumerate(zip(task.features, task.labels, task.exponents, strict=True)):
        sample = cocotb.start_soon(monitor.sample(index, int(label), int(exponent)))
        observed = await with_timeout(sample, PATIENCE_NS, "ns")
        result = await with_timeout(cocotb.start_soon(results.receive()), PATIENCE_NS, "ns")
        difference = scoreboard.check(features, observed) or scoreboard.check_result(_votes(task, result))
        if difference is not None:
            return difference
    return None


def _votes(task: Task, result: int) -> Any:
    layout = Result(task.config.sizes[-1])
    return unpack_array(layout, "votes", from_int([result], word_count(layout.size)))[0]


async def _read_counters(dut: Any, task: Task) -> dict[str, int | list[int]]:
    """The hardware's counters, once all events have come to them."""
    for _ in range(COUNTING_CYCLES):
        await FallingEdge(dut.clk)
    words = from_int([int(dut.counters.value)], word_count(Counters(task.config.layers).size))
    return read_counters(task.config, words)


async def _compare_weights(task: Task, scoreboard: Scoreboard, accesses: Source, values: Sink) -> Difference | None:
    """Read weights back through the access port: all of a small machine, an even spread of a large one."""
    for layer, matrix in enumerate(task.weights, start=1):
        places = np.array(spread(matrix.size, MOST_WEIGHTS_READ // len(task.weights)))
        rows, columns = np.divmod(places, matrix.shape[1])
        fields = {"layer": layer - 1, "row": rows, "column": columns}
        words = pack(Access(task.config), fields, len(places))
        cocotb.start_soon(accesses.send(to_int(word) for word in words))
        for row, column in zip(rows, columns, strict=True):
            value = await with_timeout(cocotb.start_soon(values.receive()), PATIENCE_NS, "ns")
            weight = value - (value >> 31 << 32)
            difference = scoreboard.check_weight(layer, int(row), int(column), weight)
            if difference is not None:
                return difference
    return None
