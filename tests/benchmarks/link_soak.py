"""100,000 packets to a simulated board over a bad line, with resets: no sample may be lost or trained twice.

    python tests/benchmarks/link_soak.py --packets 100000

Frames get lost, damaged, cut, repeated at once and later, in both directions, and the board is reset now and then; the
host then brings it back to the state that it saved last. Of every three parts one comes over the line, and the others
out of the board's memory, where they are stored before, sample by sample or by blocks, in an order drawn by chance.
Every fired output of the first two, and all cells and generators after every part, are compared with the golden
model's. Exits with code 1 at the first difference.
"""

import argparse
import sys
from random import Random
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from stochastor.fpga.host.board import Board
from stochastor.fpga.host.packets import DELIMITER
from stochastor.fpga.simulated.board import SimulatedBoard
from stochastor.fpga.simulated.faults import FaultyLine
from stochastor.model.config import Config
from stochastor.model.errors import BoardResetError
from stochastor.model.schedule import sample_order
from stochastor.model.trainer import Features, Trainer, Votes

CONFIG = Config(
    sizes=(9, 5, 10), scale=4, weight_bits=4, carry_digits=2, carry_base=4, carry_period=3, lanes=3, epochs=2
)
PART = 300
BLOCK = 7


class Counted(FaultyLine):
    """A bad line that counts the frames that the host sends, and resets the board after some of them."""

    def __init__(self, simulation: SimulatedBoard, share: float, reset_share: float, seed: int) -> None:
        super().__init__(simulation, share, seed)
        self.packets = 0
        self.resets = 0
        self._simulation = simulation
        self._reset_share = reset_share
        self._resets = Random(seed + 1)

    def write(self, content: bytes) -> None:
        self.packets += sum(map(bool, content.split(DELIMITER)))
        super().write(content)
        if self._resets.random() < self._reset_share:
            self._simulation.reset()
            self.resets += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--faults", type=float, default=0.1, help="share of frames that something happens to")
    parser.add_argument("--resets", type=float, default=0.001, help="share of packets after which the board is reset")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    saved, model = Trainer(CONFIG), Trainer(CONFIG)
    differences = 0
    begun = perf_counter()
    with SimulatedBoard(CONFIG, memory=True) as simulation:
        line = Counted(simulation, options.faults, options.resets, options.seed)
        board = Board(line, CONFIG)
        while line.packets < options.packets and not differences:
            features = rng.integers(0, 256, (PART, CONFIG.sizes[0]), dtype=np.uint8)
            features *= rng.random(features.shape) < 0.5
            labels = rng.integers(0, CONFIG.sizes[-1], PART)
            way = model.samples_trained // PART % 3
            order = sample_order(options.seed, model.samples_trained, PART, BLOCK if way == 2 else 1)
            expected = np.array([trace.outputs for trace in model.train(features[order], labels[order])])
            cells = None
            while cells is None:
                try:
                    fired = train(board, features, labels, order, way)
                    states, cells = board.generator_states(), board.weights()
                except BoardResetError:
                    restart(board, saved)
            differences += 0 if fired is None else int((fired != expected).sum())
            differences += sum(int((a != b).sum()) for a, b in zip(cells, model.weights(), strict=True))
            differences += sum(a != b for a, b in zip(states, model.generator_states(), strict=True))
            differences += board.samples_trained != model.samples_trained
            saved.restore(model.weights(), model.generator_states(), model.samples_trained)
            if model.samples_trained % (20 * PART) == 0:
                print(f"{line.packets:,} packets, {model.samples_trained:,} samples", file=sys.stderr, flush=True)
        print(f"packets sent by the host    {line.packets:>12,}")
        print(f"samples trained, each once  {model.samples_trained:>12,}")
        for fault, times in line.faults.items():
            print(f"faults: {fault:<19} {times:>12,}")
        print(f"resets of the board         {line.resets:>12,}")
        print(f"times the host sent again   {board.link.retries:>12,}")
        print(f"clock cycles                {simulation.cycles:>12,}")
        print(f"seconds                     {perf_counter() - begun:>12,.0f}")
        print(f"differences                 {differences:>12,}")
    return int(differences > 0)


def train(
    board: Board, features: Features, labels: NDArray[np.int64], order: NDArray[np.int64], way: int
) -> Votes | None:
    """What fired, where the host asks for it."""
    if way == 0:
        return board.train(features[order], labels[order])
    board.store(features, labels)
    if way == 1:
        return board.replay(order)
    board.replay_blocks(order)
    return None


def restart(board: Board, saved: Trainer) -> None:
    """Bring a board that was reset back to the saved state, however often it is reset meanwhile."""
    while True:
        try:
            board.open()
            board.restore(saved.weights(), saved.generator_states(), saved.samples_trained)
        except BoardResetError:
            continue
        return


if __name__ == "__main__":
    sys.exit(main())
