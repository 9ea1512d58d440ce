"""Cycles and bytes of a training sample with features from the link, and out of the board's memory, in simulation.

`python tests/benchmarks/replay.py` prints the table of docs/boards.md. Both are counted between the answers to the first
and the last request; the core alone is counted in `CompiledTrainer`.
"""

import argparse

import numpy as np
from stochastor.fpga.host.board import Board
from stochastor.fpga.simulated.board import CLOCKS_PER_BIT, SimulatedBoard
from stochastor.model.config import preset
from stochastor.model.data import load_dataset
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
    parser.add_argument("--samples", type=int, default=1000)
    asked = parser.parse_args()
    config, data = preset(asked.preset), load_dataset(asked.data)
    features, labels = data.train_features[: asked.samples], data.train_labels[: asked.samples]
    sizes = "-".join(map(str, config.sizes))
    print(f"{sizes} on {data.name}, {len(labels):,} samples, {CLOCKS_PER_BIT} clocks in a bit of the line\n")
    print("| samples come | bytes a sample | cycles a sample |\n|---|---|---|")
    with Counted(config, memory=True) as simulation:
        board = Board(simulation, config)
        for name, train in (
            ("over the link", lambda told: board.train(features, labels, 0, told)),
            ("out of the memory", lambda told: board.replay(np.arange(len(labels)), 0, told)),
        ):
            board.store(features, labels)
            board.load(power_up := board.weights())
            before, told = simulation.sent, []
            train(lambda done, told=told: told.append((done, simulation.cycles)))
            (first, begun), (last, ended) = told[0], told[-1]
            bytes_, cycles = (simulation.sent - before) / len(labels), (ended - begun) / (last - first)
            print(f"| {name} | {bytes_:.1f} | {cycles:,.1f} |")
        del power_up
    with CompiledTrainer(config) as core:
        core.train(features, labels)
        print(f"| as the core takes them | | {core.cycles / len(labels):,.1f} |")


if __name__ == "__main__":
    main()
