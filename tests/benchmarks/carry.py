"""What a carry leaves of a weight on devices that are not ideal: root mean square errors, as a table in Markdown."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from stochastor.model.carry import CarryRule, carry
from stochastor.model.config import Config
from stochastor.model.crossbar import Address
from stochastor.sim.array.config import ArrayConfig
from stochastor.sim.array.crossbar import MINUS, PLUS, AnalogCrossbar
from stochastor.sim.array.studies import nonidealities

ROWS, COLUMNS = 30, 30
SHARE_FULL = 0.1
HERE = Address(sample=0, layer=1, training=True)
LEVELS = (
    ("read noise", "5"),
    ("cycle-to-cycle spread", "100"),
    ("cycle-to-cycle spread", "400"),
    ("nonlinearity", "soft bounds"),
    ("stuck devices", "5"),
    ("comparator noise", "32"),
)


class Carry(NamedTuple):
    """Fields of a configuration: `carry_base`, `carry_pulses`, `carry_verify`, `carry_digits`."""

    base: int
    pulses: int
    verify: int
    digits: int = 3

    def __str__(self) -> str:
        steps = "step" if self.pulses == 1 else "steps"
        verified = f"verified by {self.verify}" if self.verify else "not verified"
        return f"{self.digits} cells, base {self.base}, {self.pulses} {steps}, {verified}"


CARRIES = (Carry(4, 1, 0), Carry(4, 1, 6), Carry(4, 1, 24), Carry(3, 2, 24), Carry(2, 3, 24), Carry(2, 2, 24, 4))


def error(chosen: Carry, array: ArrayConfig, digit: int) -> float:
    """What a carry of cells `digit` is off by, in LSBs of the weight."""
    config = Config(
        sizes=(ROWS - 1, COLUMNS), weight_bits=4, pulses_per_step=9, reference_bits=16, carry_digits=chosen.digits,
        carry_base=chosen.base, carry_pulses=chosen.pulses, carry_period=1, carry_verify=chosen.verify,
    )  # fmt: skip
    crossbar = AnalogCrossbar(config, 1, array)
    cells, full = some_full(config, digit)
    crossbar.load(cells.reshape(ROWS, -1))
    before = weights(crossbar, chosen)
    rule = CarryRule(chosen.digits, chosen.base, config.digit_max, chosen.pulses, chosen.verify, config.search_bits)
    carry(crossbar, HERE, rule)
    return float(np.sqrt(np.mean((weights(crossbar, chosen) - before)[full] ** 2)))


def some_full(config: Config, digit: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Cells of which some of `digit` are full, shape (rows, columns, digits), and which weights these are of."""
    rng = np.random.default_rng(0)
    below = config.carry_base - 1
    cells = rng.integers(-below, below, (ROWS, COLUMNS, config.carry_digits), dtype=np.int32, endpoint=True)
    full = rng.random((ROWS, COLUMNS)) < SHARE_FULL
    size = min(config.carry_base * config.carry_pulses + 1, config.digit_max)
    cells[full, digit] = size * rng.choice([-1, 1], full.sum())
    return cells, full


def weights(crossbar: AnalogCrossbar, chosen: Carry) -> NDArray[np.float64]:
    """In LSBs."""
    differences = crossbar.conductances[PLUS] - crossbar.conductances[MINUS]
    summed: NDArray[np.float64] = np.tensordot(chosen.base ** np.arange(chosen.digits), differences, axes=1)
    return summed * 2**16 / (2 * crossbar.steps.half_lsb)


def main() -> None:
    """Print errors of carries of the lowest cell and of the one above, of every device."""
    print(f"| devices | {' | '.join(map(str, CARRIES))} |")
    print("| --- |" + " --- |" * len(CARRIES))
    arrays = {(kind.title, level.label): level.array for kind in nonidealities() for level in kind.levels}
    for title, label in LEVELS:
        array = arrays[title, label]
        figures = [", ".join(f"{error(chosen, array, digit):.1f}" for digit in (0, 1)) for chosen in CARRIES]
        print(f"| {title}, {label} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
