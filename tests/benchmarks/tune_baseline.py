"""Tune the float baseline by cross-validation within the train set.

Five folds and three seeds for each pair of learning rate and gain; every fold's validation set is a fifth of the train
set. The test set is read only with ``--test``, which measures the defaults, and only after they are chosen::

    python tests/benchmarks/tune_baseline.py
    python tests/benchmarks/tune_baseline.py --source idx:DIR --hidden 256 --epochs 6 --samples 10000 --folds 1
    python tests/benchmarks/tune_baseline.py --test
"""

import argparse
import itertools
from dataclasses import replace

import numpy as np
from stochastor.model.baseline import INITIAL_GAIN, TUNED_RATE, FloatBaseline
from stochastor.model.data import Dataset, load_dataset
from stochastor.model.schedule import exponent, sample_order

SEEDS = (0, 1, 2)
PARTS = 5


def main() -> None:
    options = parse()
    whole = load_dataset(options.source)
    if options.test:
        print_row([whole], options, TUNED_RATE / whole.inputs**0.5, INITIAL_GAIN, "test")
        return
    dataset = first_samples(whole, options.samples) if options.samples else whole
    folds = [rotated(dataset, fold).hold_out(len(dataset.train_labels) // PARTS) for fold in range(options.folds)]
    print(
        f"{options.source}: {len(folds)} fold(s) of {len(folds[0].train_labels)} + {len(folds[0].test_labels)} samples"
    )
    for rate, gain in itertools.product(options.rates, options.gains):
        print_row(folds, options, rate, gain, "validation")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="digits")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--samples", type=int, help="use the first samples of the train set only")
    parser.add_argument("--folds", type=int, default=PARTS, choices=range(1, PARTS + 1))
    parser.add_argument("--rates", type=float, nargs="+", default=[0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75])
    parser.add_argument("--gains", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--test", action="store_true", help="measure the defaults on the test set instead")
    return parser.parse_args()


def first_samples(dataset: Dataset, samples: int) -> Dataset:
    return replace(
        dataset, train_features=dataset.train_features[:samples], train_labels=dataset.train_labels[:samples]
    )


def rotated(dataset: Dataset, fold: int) -> Dataset:
    shift = fold * (len(dataset.train_labels) // PARTS)
    return replace(
        dataset,
        train_features=np.roll(dataset.train_features, shift, axis=0),
        train_labels=np.roll(dataset.train_labels, shift),
    )


def print_row(datasets: list[Dataset], options: argparse.Namespace, rate: float, gain: float, part: str) -> None:
    scores = [
        100 * np.mean([trained_accuracy(dataset, options, rate, gain, seed) for dataset in datasets]) for seed in SEEDS
    ]
    each = " ".join(f"{score:6.2f}" for score in scores)
    print(f"rate {rate:8.6f}  gain {gain:4.2f}  {part} {np.mean(scores):6.2f} %  (by seed {each})", flush=True)


def trained_accuracy(dataset: Dataset, options: argparse.Namespace, rate: float, gain: float, seed: int) -> float:
    sizes = (dataset.inputs, options.hidden, dataset.classes)
    baseline = FloatBaseline(sizes=sizes, learning_rate=rate, gain=gain, seed=seed)
    for epoch in range(options.epochs):
        order = sample_order(seed, epoch, len(dataset.train_labels))
        baseline.train(dataset.train_features[order], dataset.train_labels[order], exponent(epoch, options.epochs))
    return baseline.accuracy(dataset.test_features, dataset.test_labels)


if __name__ == "__main__":
    main()
