"""Cycles of a training sample as learning goes on, in compiled simulation; weights must stay the golden model's.

`python tests/benchmarks/cycles.py --preset mnist --data mnist` prints the table of docs/boards.md: the more is learned,
the fewer lines fire and the fewer samples err.
"""

import argparse
import sys

import numpy as np
from stochastor.model.config import preset
from stochastor.model.data import load_dataset
from stochastor.model.errors import StochastorError
from stochastor.model.fast import FastTrainer
from stochastor.model.schedule import sample_order
from stochastor.sim.compiled import CompiledTrainer

FIRST = 1_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="mnist")
    parser.add_argument("--data", default="mnist", help="as --data of the commands takes it")
    asked = parser.parse_args()
    config = preset(asked.preset)
    try:
        data = load_dataset(asked.data)
    except StochastorError as error:
        sys.exit(f"error: {error}")
    order = sample_order(config.seed, 0, len(data.train_labels), config.shuffle_block)
    features, labels = data.train_features[order], data.train_labels[order]
    model = FastTrainer(config)
    model.train(features, labels)
    print(f"{'-'.join(map(str, config.sizes))} on {data.name}, first epoch\n")
    print("| training samples | cycles a sample |\n|---|---|")
    with CompiledTrainer(config) as hardware:
        done = 0
        for end in dict.fromkeys((min(FIRST, len(labels)), min(10 * FIRST, len(labels)), len(labels))):
            hardware.train(features[done:end], labels[done:end])
            done = end
            print(f"| 1 to {end:,} | {hardware.cycles / end:,.1f} |", flush=True)
        same = all(np.array_equal(*pair) for pair in zip(hardware.weights(), model.weights(), strict=True))
    print(f"\nafterwards the weights are {'' if same else 'NOT '}those of the golden model")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
