"""Training speed on analog arrays, 784-256-10, batch 1, one thread, beside aihwkit; a minute.

Seconds are those of the processor, so that what else the machine does counts little. aihwkit asks for a PyTorch of its
own, so it runs in another environment: analog.py --aihwkit VENV/bin/python
"""

import argparse
import os
import statistics
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
from stochastor.cli.bench_report import machine
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.trainer import FastAnalogTrainer

ROUNDS = 3
SECONDS = 2.0
STEP = 256
BITS = {"ideal": 8, "taox": 7, "alox_hfo2": 5, "gst_pcm": 6, "epiram": 6, "hfox_array": 2}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--aihwkit", help="a Python that has aihwkit")
    arguments = parser.parse_args()
    data = load_dataset(arguments.data)
    features, labels = data.train_features[:20_000].copy(), data.train_labels[:20_000].copy()
    print(f"machine: {machine()}\n")
    speeds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, speed in measure(features, labels, arguments.aihwkit):
            speeds.setdefault(name, []).append(speed)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    theirs = max((speed for name, speed in medians.items() if name.startswith("aihwkit")), default=None)
    print("| arrays | samples/s, median of 3 | of the faster aihwkit |\n|---|---|---|")
    for name, speed in medians.items():
        print(f"| {name} | {speed:,.0f} | {f'{speed / theirs:.1f}' if theirs else ''} |")


def measure(features, labels, aihwkit):
    for name, array in ARRAYS.items():
        config = Config(sizes=(784, 256, 10), weight_bits=BITS[name], scale=64 if name != "hfox_array" else 8)
        yield name, ours(config, array, features, labels)
    noisy = replace(ARRAYS["taox"], comparator_noise_S=1e-7, device=replace(ARRAYS["taox"].device, read_noise=0.05))
    yield "taox, read and comparator noise", ours(Config(sizes=(784, 256, 10), weight_bits=7), noisy, features, labels)
    if aihwkit:
        yield from rival(aihwkit, features, labels)


def ours(config, array, features, labels):
    trainer = FastAnalogTrainer(config, array)
    trainer.train(features[:STEP], labels[:STEP])
    begun, count = process_time(), 0
    while process_time() - begun < SECONDS and count + STEP <= len(labels):
        trainer.train(features[count : count + STEP], labels[count : count + STEP])
        count += STEP
    return count / (process_time() - begun)


def rival(python, features, labels):
    script = Path(__file__).with_name("aihwkit_speed.py")
    with tempfile.TemporaryDirectory() as directory:
        samples = Path(directory) / "samples.npz"
        np.savez(samples, features=features, labels=labels)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        lines = subprocess.run(
            [python, script, samples, str(SECONDS)], check=True, capture_output=True, text=True, env=environment
        ).stdout.splitlines()
    for line in lines:
        name, speed = line.split("\t")
        yield name, float(speed)


if __name__ == "__main__":
    main()
