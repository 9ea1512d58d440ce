from math import gcd

from hypothesis import given
from hypothesis import strategies as st
from stochastor.hdl.geometry import Geometry
from stochastor.model.config import Config

from .bench import fixed_seed

CONFIGS = st.builds(
    Config,
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=4).map(tuple),
    weight_bits=st.integers(2, 16),
    lanes=st.integers(0, 45),
    tables=st.sampled_from([1, 2, 4, 8, 16]),
    input_draws=st.sampled_from([1, 2, 5]),
    reference_bits=st.just(24),
)


def geometries(config):
    return [Geometry.of(config, layer) for layer in range(1, config.layers + 1)]


@fixed_seed
@given(config=CONFIGS)
def test_a_layer_has_the_rows_and_columns_of_its_crossbar(config):
    shapes = [(geometry.rows, geometry.columns) for geometry in geometries(config)]
    assert shapes == [(config.rows(layer), config.columns(layer)) for layer in range(1, config.layers + 1)]


@fixed_seed
@given(config=CONFIGS)
def test_lanes_are_those_asked_for_but_never_more_than_columns(config):
    for geometry in geometries(config):
        assert geometry.lanes == min(config.lanes or geometry.columns, geometry.columns)


@fixed_seed
@given(config=CONFIGS)
def test_folds_cover_the_columns_and_none_is_empty(config):
    for geometry in geometries(config):
        assert (geometry.folds - 1) * geometry.lanes < geometry.columns <= geometry.folds * geometry.lanes


@fixed_seed
@given(config=CONFIGS)
def test_groups_cover_the_columns_and_none_is_empty(config):
    for geometry in geometries(config):
        assert (geometry.groups - 1) * geometry.tables < geometry.columns <= geometry.groups * geometry.tables


@fixed_seed
@given(config=CONFIGS)
def test_the_groups_of_a_fold_cover_its_lanes(config):
    for geometry in geometries(config):
        covered = geometry.groups_per_fold * geometry.tables
        assert covered == geometry.lanes if geometry.folds > 1 else covered >= geometry.lanes


@fixed_seed
@given(config=CONFIGS)
def test_no_group_straddles_a_fold(config):
    for geometry in geometries(config):
        columns = range(geometry.columns)
        folds_of_groups = {(column // geometry.tables, column // geometry.lanes) for column in columns}
        assert len(folds_of_groups) == geometry.groups


@fixed_seed
@given(config=CONFIGS)
def test_a_folded_layer_has_as_many_tables_as_divide_its_lanes(config):
    for geometry in geometries(config):
        if geometry.folds > 1:
            assert geometry.tables == gcd(config.tables, geometry.lanes)


@fixed_seed
@given(config=CONFIGS)
def test_an_unfolded_layer_has_the_tables_asked_for_if_it_has_columns_for_them(config):
    for geometry in geometries(config):
        if geometry.folds == 1 and config.tables <= geometry.columns:
            assert geometry.tables == config.tables


@fixed_seed
@given(config=CONFIGS)
def test_sums_have_the_fewest_bits_that_hold_their_extremes(config):
    for index, geometry in enumerate(geometries(config)):
        reads = geometry.rows * (1 if index else config.input_draws)
        for bits, terms in ((geometry.read_bits, reads), (geometry.sense_bits, geometry.columns)):
            extreme = config.weight_max * terms
            assert 2 ** (bits - 2) <= extreme < 2 ** (bits - 1)
