"""Samples per second of processor time of aihwkit, training online, for `analog.py`, which calls this with its Python.

Usage: aihwkit_speed.py SAMPLES.npz SECONDS. Prints a line for each preset: its name and samples per second.
"""

import sys
from time import process_time

import numpy as np
import torch
from aihwkit.nn import AnalogLinear, AnalogSequential
from aihwkit.optim import AnalogSGD
from aihwkit.simulator.configs import SingleRPUConfig
from aihwkit.simulator.presets.devices import ReRamArrayHfO2PresetDevice, ReRamESPresetDevice

PRESETS = {"aihwkit ReRamES": ReRamESPresetDevice, "aihwkit ReRamArrayHfO2": ReRamArrayHfO2PresetDevice}


def network(device):
    rpu = SingleRPUConfig(device=device())
    return AnalogSequential(
        AnalogLinear(784, 256, rpu_config=rpu), torch.nn.Sigmoid(), AnalogLinear(256, 10, rpu_config=rpu)
    )


def train(model, features, labels, seconds):
    """Batch 1, SGD, cross-entropy; samples trained per second."""
    optimizer = AnalogSGD(model.parameters(), lr=0.05)
    optimizer.regroup_param_groups(model)
    loss = torch.nn.CrossEntropyLoss()
    begun, count = process_time(), 0
    while process_time() - begun < seconds:
        sample = count % len(labels)
        optimizer.zero_grad()
        loss(model(features[sample : sample + 1]), labels[sample : sample + 1]).backward()
        optimizer.step()
        count += 1
    return count / (process_time() - begun)


def main():
    torch.set_num_threads(1)
    samples = np.load(sys.argv[1])
    features = torch.tensor(samples["features"], dtype=torch.float32) / 255
    labels = torch.tensor(samples["labels"])
    for name, device in PRESETS.items():
        model = network(device)
        train(model, features, labels, 0.2)
        print(f"{name}\t{train(model, features, labels, float(sys.argv[2]))}", flush=True)


if __name__ == "__main__":
    main()
