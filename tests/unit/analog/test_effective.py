from dataclasses import replace

import numpy as np
import pytest
from stochastor.model.config import Config
from stochastor.model.crossbar import Address
from stochastor.sim.array.config import ARRAYS
from stochastor.sim.array.crossbar import AnalogCrossbar
from stochastor.sim.array.effective import attenuation, effective_conductances, effective_in_tiles, staleness
from stochastor.sim.array.wires import WireNetwork, Wires

WIRES = Wires(row_ohm=2.12, column_ohm=3.5, access_ohm=150.0)
LONG = Wires(row_ohm=2e4, column_ohm=1e3)


def conductances(*shape, seed=0):
    return np.random.default_rng(seed).uniform(1e-6, 10e-6, shape)


@pytest.mark.parametrize("wires", [WIRES, LONG, replace(WIRES, access_ohm=0.0)])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 9), (9, 1), (5, 12), (12, 5), (40, 33), (64, 64)])
def test_elimination_by_rows_and_sparse_factors_agree(rows, columns, wires):
    g = conductances(2, rows, columns)
    g[1, rows // 2] = 0
    for tile, effective in zip(g, effective_conductances(g, wires), strict=True):
        wanted = WireNetwork(tile, wires).effective_S
        assert np.abs(effective - wanted).max() <= 2e-12 * wanted.max()
        assert np.allclose(effective[tile > 0], wanted[tile > 0], rtol=2e-12, atol=0)


def test_tiles_are_arrays_of_their_own():
    g = conductances(2, 2, 10, 7)
    effective = effective_in_tiles(g, replace(WIRES, tile=4))
    corner = effective_conductances(g[1, 1, 8:, 4:][np.newaxis], WIRES)[0]
    assert np.array_equal(effective[1, 1, 8:, 4:], corner)
    assert np.array_equal(effective_in_tiles(g, replace(WIRES, tile=16))[0], effective_conductances(g[0], WIRES))


def test_factors_are_effective_by_actual_conductances():
    g = np.random.default_rng(1).integers(0, 900, (2, 1, 12, 5))
    g[0, 0, 3] = 0
    factors = attenuation(g, 1e-8, WIRES)
    for polarity in range(2):
        wanted = WireNetwork(g[polarity, 0] * 1e-8, WIRES).effective_S
        conducting = g[polarity, 0] > 0
        share = (wanted[conducting] / (g[polarity, 0][conducting] * 1e-8)).clip(0, 1)
        assert factors[polarity, 0][conducting].tolist() == np.rint(share * 65_536).tolist()
    assert (factors[0, 0, 3] == 65_536).all()


def test_two_ways_of_solving_a_tile_differ_by_less_than_a_millionth_of_a_step_of_a_factor():
    g = np.random.default_rng(0).integers(100, 1000, (128, 128)) * 1e-8
    wires, some = Wires(row_ohm=2.12, column_ohm=2.12), np.arange(0, 128, 9)
    network = WireNetwork(g, wires)
    by_elimination = effective_in_tiles(g, wires)[some] / g[some] * 65_536
    by_factors = np.array([network.read(np.eye(128)[row]) for row in some]) / g[some] * 65_536
    assert 0 < np.abs(by_elimination - by_factors).max() < 1e-6
    assert np.rint(by_elimination).tolist() == np.rint(by_factors).tolist()


def test_a_device_can_owe_no_more_than_its_conductance_to_its_neighbours():
    g = np.full((1, 1, 2, 2), 10_000)
    g[0, 0, 1, 1] = 1
    assert WireNetwork(g[0, 0] * 1e-8, LONG).effective_S[1, 1] > 1e-8
    assert attenuation(g, 1e-8, LONG)[0, 0, 1, 1] == 65_536


def test_staleness_is_relative_to_fresh_factors():
    found = staleness(np.array([50, 100, 110, 100]), np.array([100, 100, 100, 0]), 7)
    assert found == (7, 100.0, pytest.approx(np.sqrt((0.25 + 0.01 + 1e4) / 4)))


def test_both_reads_of_a_crossbar_go_through_its_wires_until_they_are_refreshed():
    array = replace(ARRAYS["taox"], wires=replace(LONG, tile=4, refresh=10))
    crossbar = AnalogCrossbar(Config(sizes=(6, 5, 2), weight_bits=4, scale=16), 1, array)
    crossbar.load(np.random.default_rng(0).integers(-7, 8, (7, 5), dtype=np.int32))
    crossbar.pulse(Address(9, 1, training=True), np.arange(7), np.ones(5, dtype=np.int8))
    crossbar.load(crossbar.dump())
    old, rows, signs = crossbar.conductances.copy(), np.array([0, 4, 6]), np.array([1, 0, -1, 1, 1], dtype=np.int8)

    def held(sample, g):
        """What both reads should hold where the wires are as `g` has them."""
        share = np.array([effective_in_tiles(p * 1e-8, array.wires) for p in g[:, 0]]) / (g[:, 0] * 1e-8)
        factors = np.rint(share * 65_536).astype(np.int64)
        seen = (crossbar.conductances[:, 0] * factors + 32_768) >> 16
        difference, address = seen[0] - seen[1], Address(sample, 1, training=True)
        crossbar.read_forward(address, rows)
        forward = crossbar._held.copy()
        crossbar.read_backward(address, signs, rows)
        assert forward.tolist() == difference[rows].sum(axis=0).tolist()
        assert crossbar._held.tolist() == (difference[rows] @ signs).tolist()

    held(9, old)
    crossbar.pulse(Address(9, 1, training=True), np.arange(7), -np.ones(5, dtype=np.int8))
    held(9, old)
    held(10, crossbar.conductances)
    (refreshed,) = crossbar.history.staleness
    assert refreshed.samples == 10
    assert 0 < refreshed.rms < refreshed.largest
