"""Measures what the README and docs/results.md say of the preset `digits`; prints tables in Markdown.

    python tests/benchmarks/digits.py [--seeds 3] [--no-hardware]

Accuracy: the machine by 16 votes and the float baseline, trained side by side on the same split, order and schedule.
Hardware: all epochs of the first seed in compiled simulation, fed by the sample stream; ends with the model's weights.
"""

import argparse
import os
import platform
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from stochastor.model.config import Config, preset
from stochastor.model.data import Dataset, load_dataset
from stochastor.model.run import Run
from stochastor.model.schedule import exponent, sample_order
from stochastor.model.trace import weights_sha256
from stochastor.sim.compiled import CompiledTrainer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-hardware", action="store_true")
    arguments = parser.parse_args()
    config, data = preset("digits"), load_dataset("digits")
    print(f"machine: {_machine()}\n")
    weights = _measure_accuracy(config, data, arguments.seeds)
    if not arguments.no_hardware:
        _measure_hardware(config, data, weights)


def _measure_accuracy(config: Config, data: Dataset, seeds: int) -> str:
    """Print accuracies; return the weight checksum of the first seed."""
    reports = []
    print("| seed | machine, 16 votes | machine, 1 vote | float baseline | model samples/s | baseline samples/s |")
    print("|---|---|---|---|---|---|")
    for seed in range(seeds):
        with TemporaryDirectory() as scratch:
            run = Run.create(Path(scratch) / "run", replace(config, seed=seed), data, "digits")
            run.train(data)
            report = run.report()
        reports.append(report)
        print(_row(str(seed), [report]), flush=True)
    print(_row("mean", reports) + "\n", flush=True)
    return str(reports[0]["weights_sha256"])


def _row(name: str, reports: list[dict[str, float]]) -> str:
    accuracies = ("test_accuracy_votes16", "test_accuracy_votes1", "baseline_test_accuracy")
    rates = ("samples_per_second", "baseline_samples_per_second")
    cells = [f"{100 * np.mean([report[key] for report in reports]):.2f} %" for key in accuracies]
    cells += [f"{np.mean([report[key] for report in reports]):,.0f}" for key in rates]
    return f"| {name} | {' | '.join(cells)} |"


def _measure_hardware(config: Config, data: Dataset, model_sha256: str) -> None:
    with CompiledTrainer(config) as hardware:
        start = time.perf_counter()
        for epoch in range(config.epochs):
            order = sample_order(config.seed, epoch, len(data.train_labels))
            k = exponent(epoch, config.epochs)
            hardware.train(data.train_features[order], data.train_labels[order], k)
        seconds = time.perf_counter() - start
        samples, cycles = hardware.samples_trained, hardware.cycles
        same = weights_sha256(hardware.weights()) == model_sha256
    print("| hardware in compiled simulation | |")
    print("|---|---|")
    print(f"| training samples | {samples:,} |")
    print(f"| clock cycles per sample | {cycles / samples:.1f} |")
    print(f"| training samples per second of wall time | {samples / seconds:,.0f} |")
    print(f"| clock cycles per second of wall time | {cycles / seconds:,.0f} |")
    print(f"| all weights equal the model's | {'yes' if same else 'NO'} |")


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"


if __name__ == "__main__":
    main()
