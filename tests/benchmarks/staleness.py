"""How far effective conductances are off when wires are refreshed every so many samples, on 784-256-10; two minutes.

Compared are the currents of columns, by the factors in use at the end of an interval and by fresh ones, at the
conductances of that moment, with the rows of test samples driven.
"""

import argparse
from dataclasses import replace

import numpy as np
from stochastor.cli.bench_report import machine
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.device import whole_steps
from stochastor.sim.array.effective import attenuation
from stochastor.sim.array.noise import ONE
from stochastor.sim.array.trainer import FastAnalogTrainer
from stochastor.sim.array.wires import Wires

NEVER = (1 << 31) - 1
WIRES = Wires(row_ohm=2.12, column_ohm=2.12, refresh=NEVER)
INTERVALS = (100, 1_000, 10_000)
SAMPLES = 200
ONE_CELL = {"weight_bits": 7, "scale": 64}
CARRY = {
    "weight_bits": 4, "pulses_per_step": 9, "scale": 64, "reference_bits": 16, "carry_digits": 3, "carry_base": 4,
    "carry_period": 200, "carry_verify": 24,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="mnist")
    data = load_dataset(parser.parse_args().data)
    print(f"machine: {machine()}\n")
    print("| machine on `taox` | trained before, samples | refresh, samples | largest, % | rms, % | z, rms, LSB |")
    print("|---|---|---|---|---|---|")
    for name, fields in (("one cell", ONE_CELL), ("carry", CARRY)):
        config = Config(sizes=(784, 256, 10), **fields)
        trainer = FastAnalogTrainer(config, replace(ARRAYS["taox"], wires=WIRES))
        for before in (0, len(data.train_labels)):
            if before:
                trainer.train(data.train_features, data.train_labels)
            for interval in INTERVALS:
                trainer.load_conductances(trainer.conductances())
                trainer.train(data.train_features[:interval], data.train_labels[:interval])
                figures = staleness_of_currents(config, trainer, data.test_features[:SAMPLES])
                cells = name, f"{before:,}", f"{interval:,}", *(f"{figure:.2g}" for figure in figures)
                print(f"| {' | '.join(cells)} |", flush=True)


def staleness_of_currents(config, trainer, features):
    """Of the columns' currents in layer 1: largest and rms relative difference, in per cent, and of z, rms, in LSBs."""
    rows = np.hstack(
        [np.random.default_rng(0).integers(0, 255, features.shape) < features, np.ones((len(features), 1))]
    )
    device = trainer.array.device
    conductances = trainer.conductances()[0].astype(np.int64)
    used, fresh = trainer.history()[0]["wires"], attenuation(conductances, device.quantum_S, WIRES)
    stale, exact = (np.einsum("sr,pdrc->pdsc", rows, conductances * factors / ONE) for factors in (used, fresh))
    relative = np.abs(stale / exact - 1)
    places = config.carry_base ** np.arange(config.carry_digits)
    lsb = 2 * whole_steps(device, config.digit_max, config.pulses_per_step).half_lsb / ONE
    z = np.einsum("d,dsc->sc", places, (stale - exact)[0] - (stale - exact)[1]) / lsb
    return 100 * relative.max(), 100 * np.sqrt(np.mean(relative**2)), np.sqrt(np.mean(z**2))


if __name__ == "__main__":
    main()
