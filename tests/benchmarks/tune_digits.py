"""Choose the settings of the preset `digits` by cross-validation within the train set; the test set is never read.

Every fold's validation set is a fifth of the train set; machine and baseline see the same folds::

    python tests/benchmarks/tune_digits.py
    python tests/benchmarks/tune_digits.py --epochs 200 --folds 2
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
from stochastor.model.baseline import FloatBaseline
from stochastor.model.config import Config, Gate
from stochastor.model.data import Dataset, load_dataset
from stochastor.model.schedule import exponent, sample_order
from stochastor.model.trainer import Trainer, predictions
from tune_baseline import PARTS, rotated

CANDIDATES = (
    {"weight_bits": 8, "scale": 64, "gate": Gate.RANDOM_WINDOW},
    {"weight_bits": 8, "scale": 32, "gate": Gate.FIXED_WINDOW},
    {"weight_bits": 10, "scale": 32, "gate": Gate.RANDOM_WINDOW},
    {"weight_bits": 10, "scale": 32, "gate": Gate.XOR},
    {"weight_bits": 10, "scale": 32, "gate": Gate.FIXED_WINDOW},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=800)
    parser.add_argument("--folds", type=int, default=PARTS, choices=range(1, PARTS + 1))
    options = parser.parse_args()
    data = load_dataset("digits")
    folds = [rotated(data, fold).hold_out(len(data.train_labels) // PARTS) for fold in range(options.folds)]
    print("| weight_bits | scale | gate | validation, 16 votes |")
    print("|---|---|---|---|")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for candidate in CANDIDATES:
            config = Config(sizes=(64, 128, 10), epochs=options.epochs, **candidate)
            scores = pool.map(machine_accuracy, [replace(config, seed=seed) for seed in range(len(folds))], folds)
            cells = config.weight_bits, config.scale, config.gate, f"{100 * np.mean(list(scores)):.2f} %"
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
        scores = pool.map(baseline_accuracy, [options.epochs] * len(folds), range(len(folds)), folds)
        print(f"| float baseline | | | {100 * np.mean(list(scores)):.2f} % |")


def machine_accuracy(config: Config, data: Dataset) -> float:
    trainer = Trainer(config)
    for epoch in range(config.epochs):
        order = sample_order(config.seed, epoch, len(data.train_labels))
        trainer.train(data.train_features[order], data.train_labels[order], exponent(epoch, config.epochs))
    return float(np.mean(predictions(trainer.infer(data.test_features, 16)) == data.test_labels))


def baseline_accuracy(epochs: int, seed: int, data: Dataset) -> float:
    baseline = FloatBaseline(sizes=(64, 128, 10), seed=seed)
    for epoch in range(epochs):
        order = sample_order(seed, epoch, len(data.train_labels))
        baseline.train(data.train_features[order], data.train_labels[order], exponent(epoch, epochs))
    return baseline.accuracy(data.test_features, data.test_labels)


if __name__ == "__main__":
    main()
