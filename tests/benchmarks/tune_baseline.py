"""Tune the float baseline on held-out training samples; every combination of the values given is trained.

By default five folds of the train set, each fold's validation set a fifth of it; with ``--held-out N`` its last N
samples. The test set is read only with ``--test``, which measures the defaults, and only after they are chosen::

    python tests/benchmarks/tune_baseline.py
    python tests/benchmarks/tune_baseline.py --source idx:DIR --held-out 10000 --seeds 0 --hidden 256 --gains 1
    python tests/benchmarks/tune_baseline.py --source idx:DIR --held-out 10000 --seeds 0 --batches 32 --momentum 0.9
    python tests/benchmarks/tune_baseline.py --test
"""

import argparse
import itertools
from dataclasses import replace

import numpy as np
from stochastor.model.baseline import INITIAL_GAIN, TUNED_RATE, FloatBaseline
from stochastor.model.data import Dataset, load_dataset
from stochastor.model.schedule import exponent, sample_order

PARTS = 5


def main() -> None:
    options = parse()
    whole = load_dataset(options.source, inputs=options.inputs, outputs=10)
    if options.test:
        print_row([whole], options, {"learning_rate": TUNED_RATE / whole.inputs**0.5, "gain": INITIAL_GAIN}, "test")
        return
    folds = [whole.hold_out(options.held_out)] if options.held_out else in_parts(whole)
    print(
        f"{options.source}: {len(folds)} fold(s) of {len(folds[0].train_labels)} + {len(folds[0].test_labels)} samples"
    )
    scores = {}
    for values in itertools.product(*(getattr(options, name) for name in GRID)):
        settings = dict(zip(GRID.values(), values, strict=True))
        scores[values] = print_row(folds, options, settings, "validation")
    best = max(scores, key=scores.__getitem__)
    print(f"best: {describe(dict(zip(GRID.values(), best, strict=True)))}  {scores[best]:.2f} %")


GRID = {
    "rates": "learning_rate",
    "gains": "gain",
    "dropouts": "dropout",
    "input_dropouts": "input_dropout",
    "batches": "batch",
    "momentum": "momentum",
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="digits")
    parser.add_argument("--inputs", type=int, help="features of a sample; those of the source by default")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--held-out", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75])
    parser.add_argument("--gains", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--dropouts", type=float, nargs="+", default=[0.0])
    parser.add_argument("--input-dropouts", type=float, nargs="+", default=[0.0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--momentum", type=float, nargs="+", default=[0.0])
    parser.add_argument("--test", action="store_true", help="measure the defaults on the test set instead")
    return parser.parse_args()


def in_parts(dataset: Dataset) -> list[Dataset]:
    size = len(dataset.train_labels) // PARTS
    return [rotated(dataset, fold * size).hold_out(size) for fold in range(PARTS)]


def rotated(dataset: Dataset, shift: int) -> Dataset:
    return replace(
        dataset,
        train_features=np.roll(dataset.train_features, shift, axis=0),
        train_labels=np.roll(dataset.train_labels, shift),
    )


def describe(settings: dict) -> str:
    return "  ".join(f"{name} {value:g}" for name, value in settings.items())


def print_row(datasets: list[Dataset], options: argparse.Namespace, settings: dict, part: str) -> float:
    scores = [
        100 * np.mean([trained_accuracy(dataset, options, settings, seed) for dataset in datasets])
        for seed in options.seeds
    ]
    each = " ".join(f"{score:6.2f}" for score in scores)
    print(f"{describe(settings)}  {part} {np.mean(scores):6.2f} %  (by seed {each})", flush=True)
    return float(np.mean(scores))


def trained_accuracy(dataset: Dataset, options: argparse.Namespace, settings: dict, seed: int) -> float:
    baseline = FloatBaseline(sizes=(dataset.inputs, options.hidden, dataset.classes), seed=seed, **settings)
    for epoch in range(options.epochs):
        order = sample_order(seed, epoch, len(dataset.train_labels))
        baseline.train(dataset.train_features[order], dataset.train_labels[order], exponent(epoch, options.epochs))
    return baseline.accuracy(dataset.test_features, dataset.test_labels)


if __name__ == "__main__":
    main()
