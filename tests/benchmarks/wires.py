"""Nodal solver against ngspice and badcrossbar: largest relative differences of currents, and seconds. Takes a minute.

badcrossbar is optional: pip install --no-deps badcrossbar pathvalidate sigfig
"""

from importlib.util import find_spec
from time import perf_counter

import numpy as np
from stochastor.cli.bench_report import machine
from stochastor.sim.array.effective import attenuation
from stochastor.sim.array.spice import ngspice_currents
from stochastor.sim.array.wires import WireNetwork, Wires

WIRES = Wires(row_ohm=2.12, column_ohm=2.12)


def network(side):
    rng = np.random.default_rng(side)
    return WireNetwork(rng.uniform(1e-6, 10e-6, (side, side)), WIRES), rng.uniform(0, 0.2, side)


def timed(compute):
    begun = perf_counter()
    return compute(), perf_counter() - begun


def badcrossbar_currents(array, voltages):
    import badcrossbar

    solution = badcrossbar.compute(
        voltages[:, np.newaxis], 1 / array.conductances_S, WIRES.row_ohm, r_i_word_line=WIRES.row_ohm,
        r_i_bit_line=WIRES.column_ohm,
    )  # fmt: skip
    return np.asarray(solution.currents.output)[0]


def difference(ours, theirs):
    return np.max(np.abs(theirs / ours - 1))


def main():
    print(f"machine: {machine()}\n")
    print("| array | ours, s | lost to wires | ngspice | ngspice, s | badcrossbar | badcrossbar, s | reciprocity |")
    print("|---|---|---|---|---|---|---|---|")
    for side in (8, 32, 64, 128):
        print(f"| {' | '.join(row(side))} |", flush=True)
    rng = np.random.default_rng(0)
    layers = [rng.integers(100, 1001, (2, 1, rows, columns)) for rows, columns in ((785, 256), (257, 10))]
    _, seconds = timed(lambda: [attenuation(layer, 1e-8, WIRES) for layer in layers])
    print(f"\na refresh of 784-256-10 in tiles of {WIRES.tile} x {WIRES.tile}: {seconds:.2f} s")


def row(side):
    array, voltages = network(side)
    ours, seconds = timed(lambda: array.read(voltages))
    lost = 1 - ours.sum() / (voltages @ array.conductances_S).sum()
    spice = compared(ours, lambda: ngspice_currents(array, voltages)) if side <= 64 else ["", ""]
    other = ["not installed", ""]
    if find_spec("badcrossbar"):
        other = compared(ours, lambda: badcrossbar_currents(array, voltages))
    back = np.random.default_rng(1).uniform(0, 0.2, side)
    reciprocity = difference(array.read_backward(back), array.effective_S @ back)
    return [f"{side} x {side}", f"{seconds:.3f}", f"{lost:.1%}", *spice, *other, f"{reciprocity:.0e}"]


def compared(ours, other):
    theirs, seconds = timed(other)
    return [f"{difference(ours, theirs):.0e}", f"{seconds:.2f}"]


if __name__ == "__main__":
    main()
