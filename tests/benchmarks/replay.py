"""Cycles and bytes of a training sample with features from the link, and out of the board's memory, in simulation.

    python tests/benchmarks/replay.py
    python tests/benchmarks/replay.py --preset mnist --data mnist --samples 250 --rounds 4 --linked 3 --block 250 \\
        --clock-mhz 66

print the tables of docs/boards.md. Cycles are counted between the answers to the first and the last request; those of
the core alone over the same samples. The machine learns on from row to row.
"""

import argparse

import numpy as np
from stochastor.fpga.host.board import Board
from stochastor.fpga.simulated.board import CLOCKS_PER_BIT, SimulatedBoard
from stochastor.model.config import preset
from stochastor.model.data import load_dataset
from stochastor.model.schedule import sample_order
from stochastor.sim.compiled import CompiledTrainer


class Counted(SimulatedBoard):
    """A board that counts the bytes that are sent to it."""

    sent = 0

    def write(self, content):
        self.sent += len(content)
        super().write(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--data", default="digits", help="as --data of the commands takes it")
    parser.add_argument("--samples", type=int, default=400, help="that are stored")
    parser.add_argument("--rounds", type=int, default=1, help="how often they are trained out of the memory")
    parser.add_argument("--linked", type=int, help="how many are trained over the link; all of them by default")
    parser.add_argument("--block", type=int, default=100, help="samples of a block")
    parser.add_argument("--clock-mhz", type=int, help="by default 4 clocks in a bit of the line")
    asked = parser.parse_args()
    config, data = preset(asked.preset), load_dataset(asked.data)
    clock_hz = asked.clock_mhz and asked.clock_mhz * 1_000_000
    features, labels = data.train_features[: asked.samples], data.train_labels[: asked.samples]
    order = np.concatenate([sample_order(0, epoch, len(labels), asked.block) for epoch in range(asked.rounds)])
    sizes, clocks = "-".join(map(str, config.sizes)), clock_hz // config.baud if clock_hz else CLOCKS_PER_BIT
    print(f"{sizes} on {data.name}, {len(order):,} samples, {clocks} clocks in a bit of the line\n")
    print("| samples come | bytes a sample | cycles a sample | the core alone |\n|---|---|---|---|")
    with Counted(config, memory=True, clock_hz=clock_hz) as simulation, CompiledTrainer(config) as core:
        board = Board(simulation, config)
        board.store(features, labels)
        linked = order[: asked.linked]
        for name, chosen, train in (
            ("over the link", linked, lambda told: board.train(features[linked], labels[linked], 0, told)),
            ("out of the memory, one by one", order, lambda told: board.replay(order, 0, told)),
            (f"out of the memory, by blocks of {asked.block}", order, lambda told: board.replay_blocks(order, 0, told)),
        ):
            before, told = simulation.sent, []
            train(lambda done, told=told: told.append((done, simulation.cycles)))
            (first, begun), (last, ended) = told[0], told[-1]
            bytes_, cycles = (simulation.sent - before) / last, (ended - begun) / (last - first)
            least = core_cycles(core, features[chosen], labels[chosen], first)
            print(f"| {name} | {bytes_:.1f} | {cycles:,.1f} | {least:,.1f} |", flush=True)


def core_cycles(core, features, labels, first):
    """Cycles a sample of the core alone, of those behind the `first`."""
    core.train(features[:first], labels[:first])
    before = core.cycles
    core.train(features[first:], labels[first:])
    return (core.cycles - before) / (len(labels) - first)


if __name__ == "__main__":
    main()
