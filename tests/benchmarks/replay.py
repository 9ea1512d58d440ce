"""Cycles and bytes of a training sample with features from the link, and out of the board's memory, in simulation.

`python tests/benchmarks/replay.py` prints the table of docs/boards.md. Cycles are counted between the answers to the
first and the last request; those of the core alone over the same samples.
"""

import argparse

import numpy as np
from stochastor.fpga.host.board import Board
from stochastor.fpga.simulated.board import CLOCKS_PER_BIT, SimulatedBoard
from stochastor.model.config import preset
from stochastor.model.data import load_dataset
from stochastor.model.trainer import Trainer
from stochastor.sim.compiled import CompiledTrainer


class Counted(SimulatedBoard):
    """A board that counts the bytes that are sent to it."""

    sent = 0

    def write(self, content):
        self.sent += len(content)
        super().write(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--data", default="digits", help="as --data of the commands takes it")
    parser.add_argument("--samples", type=int, default=400)
    asked = parser.parse_args()
    config, data = preset(asked.preset), load_dataset(asked.data)
    features, labels = data.train_features[: asked.samples], data.train_labels[: asked.samples]
    sizes = "-".join(map(str, config.sizes))
    print(f"{sizes} on {data.name}, {len(labels):,} samples, {CLOCKS_PER_BIT} clocks in a bit of the line\n")
    print("| samples come | bytes a sample | cycles a sample |\n|---|---|---|")
    with Counted(config, memory=True) as simulation:
        board, start = Board(simulation, config), Trainer(config)
        board.store(features, labels)
        for name, train in (
            ("over the link", lambda told: board.train(features, labels, 0, told)),
            ("out of the memory", lambda told: board.replay(np.arange(len(labels)), 0, told)),
        ):
            board.restore(start.weights(), start.generator_states(), 0)
            before, told = simulation.sent, []
            train(lambda done, told=told: told.append((done, simulation.cycles)))
            (first, begun), (last, ended) = told[0], told[-1]
            bytes_, cycles = (simulation.sent - before) / len(labels), (ended - begun) / (last - first)
            print(f"| {name} | {bytes_:.1f} | {cycles:,.1f} |")
    with CompiledTrainer(config) as core:
        core.train(features[:first], labels[:first])
        before = core.cycles
        core.train(features[first:], labels[first:])
        print(f"| as fast as the core takes them | | {(core.cycles - before) / (last - first):,.1f} |")


if __name__ == "__main__":
    main()
