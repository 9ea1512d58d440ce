"""Hardware that reaches simulated arrays by its pins, in Amaranth's own simulator, against the golden model on them."""

from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stochastor.hdl.cycles import sample_cycles
from stochastor.model.config import Config, Gate
from stochastor.model.trainer import power_up_weights
from stochastor.sim.array.config import ARRAYS, ArrayConfig
from stochastor.sim.array.pins import SimulatedArray
from stochastor.sim.interpreted import Session, interpret
from stochastor.sim.scoreboard import Difference, Scoreboard

BITS = {"ideal": 8, "taox": 7, "alox_hfo2": 5, "gst_pcm": 6, "epiram": 6, "hfox_array": 2}
ALL_NOISE = {"read_noise": 0.05, "step_spread": 0.3, "mismatch_spread": 0.1, "bound_spread": 0.1, "stuck_on": 0.02}
EXPONENTS = [0, 1, 0, 2, 0]
IDEAL = ARRAYS["ideal"]


def noisy(array: ArrayConfig) -> ArrayConfig:
    device = replace(array.device, **ALL_NOISE)  # type: ignore[arg-type]
    return replace(array, device=device, seed=7, comparator_noise_S=1e-7, comparator_offset_S=1e-7)


def pinned(**fields: object) -> Config:
    return Config(**{"scale": 3, "reference_bits": 16, "array_side": "pins"} | fields)  # type: ignore[arg-type]


def full_cells(config: Config) -> list[np.ndarray]:
    """Cells of which many are full; without carry, those of the configuration."""
    if config.carry_digits == 1:
        return power_up_weights(config)
    rng = np.random.default_rng(config.seed)
    shapes = [(config.rows(layer), config.cell_columns(layer)) for layer in range(1, config.layers + 1)]
    return [rng.integers(-config.digit_max, config.digit_max, s, dtype=np.int32, endpoint=True) for s in shapes]


def train(
    config: Config, array: ArrayConfig, *, stalls: float = 0.0, exponents: list[int] = EXPONENTS
) -> tuple[Session, Difference | None]:
    """What the hardware did, and where it differs from the golden model, in conductances at last."""
    cells = full_cells(config)
    rng = np.random.default_rng(config.seed)
    features = rng.integers(0, 256, (len(exponents), config.sizes[0]), dtype=np.uint8)
    labels = rng.integers(0, config.sizes[-1], len(exponents)).tolist()
    arrays = [SimulatedArray(config, layer, array, matrix) for layer, matrix in enumerate(cells, start=1)]
    session = interpret(config, features, labels, exponents, stalls=stalls, arrays=arrays)
    scoreboard = Scoreboard(config, cells, array)
    for sample, observed, votes in zip(features, session.observed, session.outputs, strict=True):
        difference = scoreboard.check(sample, observed) or scoreboard.check_result(votes)
        if difference is not None:
            return session, difference
    return session, scoreboard.check_conductances(arrays)


configs = st.builds(
    pinned,
    sizes=st.lists(st.sampled_from([1, 2, 3, 5, 7, 9]), min_size=2, max_size=4).map(tuple),
    gate=st.sampled_from(Gate),
    lanes=st.sampled_from([0, 2, 3]),
    tables=st.sampled_from([1, 2, 4, 8]),
    weight_bits=st.sampled_from([2, 4, 7]),
    input_draws=st.sampled_from([1, 1, 3]),
    settle_cycles=st.integers(1, 4),
    compare_cycles=st.integers(1, 3),
    pulse_cycles=st.integers(1, 3),
    recovery_cycles=st.integers(1, 3),
    seed=st.integers(0, 2**64 - 1),
)


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(config=configs)
@example(config=pinned(sizes=(9, 7, 5, 3), seed=3))
def test_every_sample_takes_the_cycles_of_the_formula(config: Config) -> None:
    session, difference = train(config, IDEAL)
    assert difference is None, str(difference)
    assert session.busy_cycles == [sample_cycles(config, observed.trace) for observed in session.observed]
