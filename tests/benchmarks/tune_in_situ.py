"""Backpropagation in situ on each array: accuracy on held-out training samples by scale and rate, for settings.toml.

Steps of a weight are as coarse as its device, so a scale goes with each: multiples of what spreads a weight of 1 over
half of the levels of a cell. A quarter of an hour by default; --samples and --epochs for longer trainings.
"""

import argparse
from itertools import product

from stochastor.model.data import load_dataset
from stochastor.model.schedule import exponent, sample_order
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.in_situ import InSituBackpropagation
from stochastor.sim.array.in_situ_arrays import Rounding

BITS = {"ideal": 8, "taox": 7, "alox_hfo2": 5, "gst_pcm": 6, "epiram": 6, "hfox_array": 2}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--held-out", type=int, default=10_000)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--samples", type=int, default=10_000, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--arrays", nargs="+", default=list(ARRAYS))
    parser.add_argument("--roundings", nargs="+", default=["stochastic", "accumulated"], choices=list(Rounding))
    parser.add_argument("--rates", type=float, nargs="+", default=[0.003, 0.01, 0.03, 0.1])
    parser.add_argument("--spans", type=float, nargs="+", default=[0.5, 1, 2], help="multiples of the scale")
    parser.add_argument("--most-pulses", type=int, default=1)
    arguments = parser.parse_args()
    data = load_dataset(arguments.data).hold_out(arguments.held_out)
    print("| array | rounding | scale | rate | accuracy, % | pulses a sample |\n|---|---|---|---|---|---|")
    for array, rounding in product(arguments.arrays, arguments.roundings):
        for span, rate in product(arguments.spans, arguments.rates):
            scale = span * (1 << BITS[array]) / 4
            learner = InSituBackpropagation(
                sizes=(data.inputs, arguments.hidden, data.classes),
                array=ARRAYS[array],
                weight_bits=BITS[array],
                scale=scale,
                learning_rate=rate,
                rounding=rounding,
                most_pulses=arguments.most_pulses,
                seed=0,
            )
            train(learner, data, arguments.epochs, arguments.samples)
            accuracy = 100 * learner.accuracy(data.test_features, data.test_labels)
            pulses = learner.pulses().pulses / learner.samples_trained
            print(f"| {array} | {rounding} | {scale:g} | {rate:g} | {accuracy:.2f} | {pulses:.3g} |", flush=True)


def train(learner, data, epochs, samples):
    for epoch in range(epochs):
        order = sample_order(0, epoch, len(data.train_labels))[:samples]
        learner.train(data.train_features[order], data.train_labels[order], exponent(epoch, epochs))


if __name__ == "__main__":
    main()
