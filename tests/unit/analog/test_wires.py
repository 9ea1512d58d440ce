import numpy as np
import pytest
from stochastor.model.errors import ConfigError
from stochastor.sim.array.wires import LARGEST_SIDE, WireNetwork, Wires

WIRES = Wires(row_ohm=2.12, column_ohm=3.5, access_ohm=150.0)


def conductances(rows, columns, seed=0):
    return np.random.default_rng(seed).uniform(1e-6, 10e-6, (rows, columns))


def voltages(lines, seed=1):
    return np.random.default_rng(seed).uniform(0.02, 0.2, lines)


def relative(found, wanted):
    return np.max(np.abs(np.asarray(found) / wanted - 1))


def test_one_cell_is_a_series_of_resistors():
    network = WireNetwork(np.array([[5e-6]]), WIRES)
    wanted = 0.2 / (2.12 + 150 + 1 / 5e-6 + 150 + 3.5)
    assert relative(network.read(np.array([0.2])), wanted) < 1e-12


def test_two_cells_of_a_row_divide_its_current():
    a, b, r, c = 4e-6, 9e-6, 100.0, 50.0
    network = WireNetwork(np.array([[a, b]]), Wires(row_ohm=r, column_ohm=c))
    first, second = 1 / a + c, r + 1 / b + c
    node = 0.2 * (first * second / (first + second)) / (r + first * second / (first + second))
    assert relative(network.read(np.array([0.2])), [node / first, node / second]) < 1e-12


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (9, 1), (5, 12), (12, 5), (64, 64)])
def test_effective_conductances_give_the_currents_of_both_reads(rows, columns):
    network = WireNetwork(conductances(rows, columns), WIRES)
    forward, backward = voltages(rows), voltages(columns, 2)
    assert relative(network.read(forward), forward @ network.effective_S) < 1e-12
    assert relative(network.read_backward(backward), network.effective_S @ backward) < 1e-12


def test_forward_and_transposed_reads_are_reciprocal():
    network = WireNetwork(conductances(24, 17), WIRES)
    forward = np.array([network.read(unit) for unit in np.eye(24)])
    backward = np.array([network.read_backward(unit) for unit in np.eye(17)]).T
    assert relative(forward, backward) < 1e-12


def test_turning_an_array_over_turns_its_reads():
    g = conductances(6, 11)
    turned = WireNetwork(g.T[::-1, ::-1], Wires(row_ohm=3.5, column_ohm=2.12, access_ohm=150.0))
    effective = WireNetwork(g[:, ::1], WIRES).effective_S
    assert relative(turned.effective_S[::-1, ::-1].T, effective) < 1e-12


def test_no_charge_is_lost():
    network = WireNetwork(conductances(8, 8), WIRES)
    v = voltages(8)
    potentials = network._solve(network._injected(rows=v))
    drawn = network._row_end_S * (v - potentials[network._row_ends])
    assert abs(drawn.sum() / network.read(v).sum() - 1) < 1e-10  # differences of nearly equal potentials


def test_short_wires_hardly_matter_and_long_ones_do():
    g, v = conductances(128, 128), np.full(128, 0.2)
    short = WireNetwork(g, Wires(row_ohm=1e-6, column_ohm=1e-6)).read(v)
    long = WireNetwork(g, Wires(row_ohm=2.12, column_ohm=2.12)).read(v)
    assert relative(short, v @ g) < 1e-6
    assert 0.10 < 1 - long.sum() / (v @ g).sum() < 0.12


def test_devices_that_do_not_conduct_are_legal():
    g = conductances(5, 5)
    g[2], g[:, 3] = 0, 0
    network = WireNetwork(g, WIRES)
    assert network.read(voltages(5))[3] == pytest.approx(0, abs=1e-18)
    assert np.abs(network.effective_S[2]).max() < 1e-18


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"row_ohm": 0.0}, "row_ohm must be more than 0 ohm, not 0.0"),
        ({"column_ohm": float("nan")}, "column_ohm must be more than 0 ohm, not nan"),
        ({"access_ohm": -1.0}, "access_ohm must be 0 or more ohm, not -1.0"),
        ({"tile": 129}, "tile must be a whole number from 1 to 128, not 129"),
        ({"tile": 0}, "tile must be a whole number from 1 to 128, not 0"),
        ({"refresh": 1.5}, r"refresh must be a whole number from 1 to 2\^31 - 1, not 1.5"),
        ({"access_ohm": "low"}, "access_ohm must be 0 or more ohm, not 'low'"),
    ],
)
def test_impossible_wires_are_refused_by_name(values, message):
    with pytest.raises(ConfigError, match=message):
        Wires(**{"row_ohm": 1.0, "column_ohm": 1.0} | values)


@pytest.mark.parametrize("value", [-1e-6, float("nan"), float("inf")])
def test_an_impossible_conductance_is_named_with_its_place(value):
    g = conductances(3, 4)
    g[1, 2] = value
    with pytest.raises(ConfigError, match="the conductance at row 1, column 2 must be 0 or more siemens"):
        WireNetwork(g, WIRES)


@pytest.mark.parametrize("shape", [(0, 3), (3,), (2, 2, 2)])
def test_arrays_that_are_none_are_refused(shape):
    with pytest.raises(ConfigError, match=r"conductances must be of shape \(rows, columns\)"):
        WireNetwork(np.zeros(shape), WIRES)


def test_an_array_too_large_to_be_solved_says_its_size():
    with pytest.raises(ConfigError, match=f"an array of {LARGEST_SIDE + 1} x 2 is too large to be solved at once"):
        WireNetwork(np.zeros((LARGEST_SIDE + 1, 2)), WIRES)
