"""What a carry leaves of a weight on devices that are not ideal: root mean square errors, as a table in Markdown."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from stochastor.model.carry import CarryRule, carry
from stochastor.model.config import Config
from stochastor.model.crossbar import Address
from stochastor.sim.array.config import ArrayConfig
from stochastor.sim.array.crossbar import MINUS, PLUS, AnalogCrossbar
from stochastor.sim.array.studies import IDEAL

ROWS, COLUMNS, DIGITS = 30, 30, 3
SHARE_FULL = 0.1
HERE = Address(sample=0, layer=1, training=True)
DEVICES = {
    "read noise 5 %": {"read_noise": 0.05},
    "cycle-to-cycle spread, a step": {"cycle_spread_of_step": 1.0},
    "cycle-to-cycle spread, 4 steps": {"cycle_spread_of_step": 4.0},
    "soft bounds": {"response": "soft_bounds"},
    "5 % stuck": {"stuck_on": 0.025, "stuck_off": 0.025},
}


class Carry(NamedTuple):
    """Fields of a configuration: `carry_base`, `carry_pulses`, `carry_verify`."""

    base: int
    pulses: int
    verify: int

    def __str__(self) -> str:
        verified = f"verified by {self.verify}" if self.verify else "not verified"
        return f"base {self.base}, {self.pulses} {'step' if self.pulses == 1 else 'steps'}, {verified}"


CARRIES = (Carry(4, 1, 0), Carry(4, 1, 6), Carry(4, 1, 24), Carry(3, 2, 24), Carry(2, 3, 24))


def error(chosen: Carry, device: dict[str, float | str], digit: int) -> float:
    """What a carry of cells `digit` is off by, in LSBs of the weight."""
    config = Config(
        sizes=(ROWS - 1, COLUMNS), weight_bits=4, pulses_per_step=9, reference_bits=16, carry_digits=DIGITS,
        carry_base=chosen.base, carry_pulses=chosen.pulses, carry_period=1, carry_verify=chosen.verify,
    )  # fmt: skip
    crossbar = AnalogCrossbar(config, 1, ArrayConfig(device=replace(IDEAL, **device)))  # type: ignore[arg-type]
    cells, full = some_full(config, digit)
    crossbar.load(cells.reshape(ROWS, -1))
    before = weights(crossbar, chosen.base)
    rule = CarryRule(DIGITS, chosen.base, config.digit_max, chosen.pulses, chosen.verify, config.search_bits)
    carry(crossbar, HERE, rule)
    return float(np.sqrt(np.mean((weights(crossbar, chosen.base) - before)[full] ** 2)))


def some_full(config: Config, digit: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Cells of which some of `digit` are full, shape (rows, columns, digits), and which weights these are of."""
    rng = np.random.default_rng(0)
    below = config.carry_base - 1
    cells = rng.integers(-below, below, (ROWS, COLUMNS, DIGITS), dtype=np.int32, endpoint=True)
    full = rng.random((ROWS, COLUMNS)) < SHARE_FULL
    size = min(config.carry_base * config.carry_pulses + 1, config.digit_max)
    cells[full, digit] = size * rng.choice([-1, 1], full.sum())
    return cells, full


def weights(crossbar: AnalogCrossbar, base: int) -> NDArray[np.float64]:
    """In LSBs."""
    differences = crossbar.conductances[PLUS] - crossbar.conductances[MINUS]
    summed: NDArray[np.float64] = np.tensordot(base ** np.arange(DIGITS), differences, axes=1)
    return summed * 2**16 / (2 * crossbar.steps.half_lsb)


def main() -> None:
    """Print errors of carries of the lowest cell and of the one above, of every device."""
    print(f"| devices | {' | '.join(map(str, CARRIES))} |")
    print("| --- |" + " --- |" * len(CARRIES))
    for name, device in DEVICES.items():
        figures = [", ".join(f"{error(chosen, device, digit):.1f}" for digit in (0, 1)) for chosen in CARRIES]
        print(f"| {name} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
