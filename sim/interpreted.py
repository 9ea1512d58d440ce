"""The hardware in Amaranth's own simulator: no build, slow; for small machines and random configurations."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Cat
from amaranth.sim import Simulator
from numpy.typing import NDArray

from ..hdl.observation import Observed, Observer, read_counters
from ..hdl.trainer import Counters, Result, Trainer
from ..hdl.words import from_int, to_int, unpack_array, word_count
from ..model.config import Config
from ..model.crossbar import Weights
from .array.pins import Levels, SimulatedArray, pin_widths
from .stimulus import training_beats


@dataclass(frozen=True)
class Session:
    """What a simulated session showed.

    Attributes
    ----------
    observed : list of Observed
        One for each training sample.
    outputs : ndarray of int64, shape (samples, outputs)
        Votes of the result stream.
    busy_cycles : list of int
        Busy cycles of each sample.
    counters : dict
        The hardware's counters at the end, by name; those of layers as lists.
    """

    observed: list[Observed]
    outputs: NDArray[np.int64]
    busy_cycles: list[int]
    counters: dict[str, int | list[int]]


def interpret(
    config: Config,
    features: NDArray[np.uint8],
    labels: Sequence[int],
    exponents: Sequence[int],
    *,
    stalls: float = 0.0,
    stall_seed: int = 1,
    weights: Sequence[Weights] | None = None,
    trainer: Trainer | None = None,
    arrays: Sequence[SimulatedArray] = (),
) -> Session:
    """Train samples on the hardware.

    Parameters
    ----------
    config : Config
    features : ndarray of uint8, shape (samples, inputs)
    labels, exponents : sequence of int
        Class and k of each sample.
    stalls : float
        Probability of a stall of each stream in each cycle.
    stall_seed : int
    weights : sequence of ndarray, optional
        Power-up weights.
    trainer : Trainer, optional
        Hardware to simulate instead of that of `config`.
    arrays : sequence of SimulatedArray
        Those of layers 1 to L, where hardware has pins for them.

    Raises
    ------
    PinViolation
        If the hardware does with an array what it must not.
    """
    hardware = trainer or Trainer(config, weights)
    observer = Observer(config)
    beats = np.concatenate(
        [
            training_beats(config, features[i : i + 1], np.array(labels[i : i + 1]), exponents[i], i)
            for i in range(len(labels))
        ]
    )
    rng = random.Random(stall_seed)
    observed: list[Observed] = []
    outputs: list[int] = []
    busy_cycles: list[int] = []
    counters: list[int] = []

    async def feed(ctx: Any) -> None:
        for beat in beats:
            while rng.random() < stalls:
                await ctx.tick()
            ctx.set(hardware.samples.payload.as_value(), to_int(beat))
            ctx.set(hardware.samples.valid, 1)
            await ctx.tick().until(hardware.samples.ready)
            ctx.set(hardware.samples.valid, 0)

    async def collect(ctx: Any) -> None:
        while len(outputs) < len(labels):
            while rng.random() < stalls:
                await ctx.tick()
            ctx.set(hardware.results.ready, 1)
            (payload,) = await ctx.tick().sample(hardware.results.payload.as_value()).until(hardware.results.valid)
            outputs.append(payload)
            ctx.set(hardware.results.ready, 0)

    async def observe(ctx: Any) -> None:
        ports = [getattr(hardware, f"trace{layer}") for layer in range(1, config.layers + 1)]
        cycles: list[list[int]] = []
        ticks = ctx.tick().sample(hardware.training, hardware.sample_done, *(port.as_value() for port in ports))
        async for _, _, training, done, *trace in ticks:
            if not training:
                continue
            cycles.append(trace)
            if not done:
                continue
            index = len(observed)
            words = [
                from_int([cycle[layer] for cycle in cycles], word_count(layout.size))
                for layer, layout in enumerate(observer.layouts)
            ]
            observed.append(observer.assemble(index, labels[index], exponents[index], words))
            busy_cycles.append(len(cycles))
            cycles.clear()
            if len(observed) == len(labels):
                break
        await ctx.tick()
        counters.append(ctx.get(hardware.counters.as_value()))

    def answer(array: SimulatedArray, layer: int) -> Any:
        """A testbench in which an array answers its pins."""
        pins = getattr(hardware, f"array{layer}")
        widths = pin_widths(config, layer)
        levels = Cat(getattr(pins, name) for name in widths)

        async def testbench(ctx: Any) -> None:
            cycle = 0
            while True:
                bits = ctx.get(levels)
                values = {}
                for name, width in widths.items():
                    values[name] = bits & ((1 << width) - 1)
                    bits >>= width
                ctx.set(pins.decision, array.see(cycle, Levels(**values)))
                await ctx.tick()
                cycle += 1

        return testbench

    simulator = Simulator(hardware)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(collect)
    simulator.add_testbench(observe)
    for layer, array in enumerate(arrays, start=1):
        simulator.add_testbench(answer(array, layer), background=True)
    simulator.run()
    layout = Result(config.sizes[-1])
    return Session(
        observed,
        unpack_array(layout, "votes", from_int(outputs, word_count(layout.size))),
        busy_cycles,
        read_counters(config, from_int(counters, word_count(Counters(config.layers).size))),
    )
