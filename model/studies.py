"""The studies that docs/results.md reports; settings were chosen on validation splits of the training sets."""

from dataclasses import replace
from typing import Any

from .config import Config, Gate
from .errors import ConfigError
from .study import FloatLearner, MachineLearner, Row, Study
from .variant import Variant

STUDY_NAMES = ("mnist", "fashion", "ablations")
SEEDS = (0, 1, 2)
HELD_OUT = 10_000
VOTES_REPORTED = (1, 16, 64)
VOTES_COMPARED = (1, 2, 4, 8, 16, 32, 64, 128, 255)

_BATCHES: dict[str, Any] = {"batch": 32, "momentum": 0.9}
# Chosen on held-out training samples by tests/benchmarks/tune_baseline.py; epochs, and options of FloatBaseline.
FLOAT_SETTINGS: dict[tuple[str, tuple[int, ...]], dict[str, tuple[int, dict[str, Any]]]] = {
    ("mnist", (784, 512, 10)): {
        "float, online": (30, {"learning_rate": 0.03}),
        "float, online, dropout": (90, {"learning_rate": 0.05, "dropout": 0.2, "input_dropout": 0.2}),
        "float, mini-batches": (30, {"learning_rate": 0.1, **_BATCHES}),
        "float, mini-batches, dropout": (
            90,
            {"learning_rate": 0.1, **_BATCHES, "dropout": 0.2, "input_dropout": 0.2},
        ),
    },
    ("mnist", (784, 256, 10)): {
        "float, online": (30, {"learning_rate": 0.1}),
        "float, online, dropout": (30, {"learning_rate": 0.05, "dropout": 0.2}),
        "float, mini-batches": (30, {"learning_rate": 0.1, **_BATCHES}),
        "float, mini-batches, dropout": (
            90,
            {"learning_rate": 0.1, **_BATCHES, "dropout": 0.2, "input_dropout": 0.2},
        ),
    },
    ("fashion", (784, 256, 10)): {
        "float, online": (30, {"learning_rate": 0.02}),
        "float, online, dropout": (90, {"learning_rate": 0.03, "dropout": 0.2}),
        "float, mini-batches": (30, {"learning_rate": 0.1, **_BATCHES}),
        "float, mini-batches, dropout": (30, {"learning_rate": 0.1, **_BATCHES, "dropout": 0.2}),
    },
}
_COARSE: dict[str, Any] = {"weight_bits": 4, "carry_digits": 2, "carry_base": 7, "carry_period": 100}


def find_study(name: str) -> Study:
    """The study `name`.

    Raises
    ------
    ConfigError
        If there is none.
    """
    makers = {"mnist": _mnist, "fashion": _fashion, "ablations": _ablations}
    if name not in makers:
        raise ConfigError(f"there is nothing to reproduce called {name!r}; there are {', '.join(makers)}")
    return makers[name]()


def _mnist() -> Study:
    wide, narrow = (784, 512, 10), (784, 256, 10)
    fine = Config(sizes=wide, weight_bits=12, scale=128, gate=Gate.FIXED_WINDOW, epochs=120)
    eight = Config(sizes=narrow, weight_bits=8, scale=64, gate=Gate.FIXED_WINDOW, epochs=120)
    carry = replace(eight, gate=Gate.RANDOM_WINDOW, **_COARSE)
    machines = [
        ("784-512-10", "one bit, weights of 12 bits", fine),
        ("784-512-10", "one bit, weights of 8 bits", replace(eight, sizes=wide)),
        ("784-256-10", "one bit, weights of 8 bits", eight),
        ("784-256-10", "one bit, two 4-bit devices, carry", replace(carry, scale=28)),
        ("784-256-10", "one bit, three 4-bit devices, carry", replace(carry, carry_digits=3, carry_base=5, scale=64)),
    ]
    rows = [
        _row(group, label, MachineLearner(config=config, passes=VOTES_REPORTED)) for group, label, config in machines
    ]
    return Study(
        name="mnist",
        title="MNIST: one-bit learning beside floating point",
        data="mnist",
        validation=0,
        seeds=SEEDS,
        rows=_by_group(rows + _float_rows("mnist", wide) + _float_rows("mnist", narrow)),
    )


def _fashion() -> Study:
    sizes = (784, 256, 10)
    eight = Config(sizes=sizes, weight_bits=8, scale=128, gate=Gate.FIXED_WINDOW, reference_bits=16, epochs=120)
    fine = replace(eight, weight_bits=12, scale=256)
    machines = [
        ("one bit, weights of 8 bits", eight),
        ("one bit, weights of 12 bits", fine),
        ("one bit, weights of 8 bits, 8 input draws", replace(eight, input_draws=8)),
        ("one bit, weights of 12 bits, 4 input draws", replace(fine, input_draws=4)),
        ("one bit, weights of 12 bits, 8 input draws", replace(fine, input_draws=8)),
    ]
    rows = [
        _row("784-256-10", label, MachineLearner(config=config, passes=VOTES_REPORTED)) for label, config in machines
    ]
    return Study(
        name="fashion",
        title="Fashion-MNIST: one-bit learning beside floating point",
        data="fashion-mnist",
        validation=0,
        seeds=SEEDS,
        rows=tuple(rows + _float_rows("fashion", sizes)),
    )


def _ablations() -> Study:
    base = Config(sizes=(784, 256, 10), epochs=60)
    machine = MachineLearner(config=base)
    rows = [_row("derivative gate", str(gate).replace("_", " "), _with(base, gate=gate)) for gate in Gate]
    rows += [
        _row("input", "drawn at random", machine),
        _row("input", "cut at half scale", replace(machine, variant=Variant(binary_input=True))),
    ]
    rows += [
        _row("input draws per read", str(draws), _with(base, input_draws=draws, reference_bits=16))
        for draws in (1, 2, 4, 8)
    ]
    rows += [
        _row("weight bits", str(bits), _with(base, weight_bits=bits, scale=scale))
        for bits, scale in ((4, 4), (5, 8), (6, 16), (7, 32), (8, 64), (10, 64), (12, 64))
    ]
    rows += [
        _row("threshold bits", str(bits), replace(machine, variant=Variant(threshold_bits=bits)))
        for bits in (2, 3, 4, 6, 8)
    ]
    rows += [
        _row("random generators", label, replace(machine, variant=Variant(generators=generators)))
        for label, generators in (
            ("one a layer and purpose", "own"),
            ("one a layer", "layer"),
            ("one in all", "machine"),
            ("overlapping words", "serial"),
            ("one number for all lines", "line"),
        )
    ]
    rows += [
        _row("schedule", "thinned from two thirds on", machine),
        _row("schedule", "never thinned", replace(machine, variant=Variant(thinning=False))),
    ]
    rows += [_row("4-bit devices", "one a weight, no carry", _with(base, weight_bits=4, scale=4))]
    rows += [
        _row(
            "4-bit devices",
            f"two a weight, carry every {period:,}",
            _with(base, scale=28, **_COARSE | {"carry_period": period}),
        )
        for period in (10, 100, 1_000, 10_000, 100_000)
    ]
    rows += [_row("votes", "passes", replace(machine, passes=VOTES_COMPARED))]
    return Study(
        name="ablations",
        title="What each choice is worth: 784-256-10 on MNIST, 60 epochs, validation",
        data="mnist",
        validation=HELD_OUT,
        seeds=SEEDS,
        rows=tuple(rows),
    )


def _row(group: str, label: str, learner: MachineLearner | FloatLearner) -> Row:
    return Row(group=group, label=label, learner=learner)


def _with(config: Config, **fields: Any) -> MachineLearner:
    return MachineLearner(config=replace(config, **fields))


def _by_group(rows: list[Row]) -> tuple[Row, ...]:
    """Rows of one group together, groups in the order of their first rows."""
    groups = list(dict.fromkeys(row.group for row in rows))
    return tuple(sorted(rows, key=lambda row: groups.index(row.group)))


def _float_rows(data: str, sizes: tuple[int, ...]) -> list[Row]:
    group = "-".join(map(str, sizes))
    return [
        _row(group, label, FloatLearner(sizes=sizes, epochs=epochs, options={"gain": 4.0, **options}))
        for label, (epochs, options) in FLOAT_SETTINGS[data, sizes].items()
    ]
