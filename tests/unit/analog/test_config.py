from dataclasses import replace
from math import exp, sqrt

import pytest
from stochastor.model.errors import ConfigError
from stochastor.sim.array.config import ARRAYS, ArrayConfig, array_preset
from stochastor.sim.array.wiring import Wires


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_written_as_toml_reads_back_as_the_same_one(name, tmp_path):
    path = tmp_path / "array.toml"
    path.write_text(ARRAYS[name].to_toml())
    assert ArrayConfig.from_toml(path) == ARRAYS[name]


def test_a_file_may_start_from_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('like = "taox"\nseed = 7\n[device]\nread_noise = 0.05\n')
    array = ArrayConfig.from_toml(path)
    assert (array.seed, array.device.read_noise, array.device.states) == (7, 0.05, 128)


def test_wires_are_described_in_a_table_of_their_own(tmp_path):
    array = replace(ARRAYS["taox"], wires=Wires(row_ohm=2.0, column_ohm=3.0, tile=64))
    path = tmp_path / "array.toml"
    path.write_text(array.to_toml())
    assert "[wires]" in path.read_text()
    assert ArrayConfig.from_toml(path) == array
    assert "wires" not in ARRAYS["taox"].to_toml()


@pytest.mark.parametrize("name", ["taox", "alox_hfo2", "gst_pcm", "epiram", "hfox_array"])
def test_presets_name_their_sources(name):
    assert array_preset(name).device.source


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="there is no array 'tantal'; the arrays are ideal, taox"):
        array_preset("tantal")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", r"unknown key 'sed'; the keys are seed, comparator_noise_S"),
        ("[device]\ng_min = 1.0", r"unknown key 'device.g_min'; the keys are device.g_min_S"),
        ("device = 3", "device must be a table"),
        ("wires = 3", "wires must be a table"),
        ("[wires]\nrow_ohm = 1.0", "wires.column_ohm is missing"),
        ("[wires]\nrow = 1.0", r"unknown key 'wires.row'; the keys are wires.row_ohm"),
        ("[wires]\nrow_ohm = 1.0\ncolumn_ohm = nan", "column_ohm must be more than 0 ohm, not nan"),
        ("[device]\ng_min_S = 0.0", "g_min_S must be more than 0, not 0.0"),
        ("seed = -1", r"seed must be a whole number from 0 to 2\^64 - 1, not -1"),
        ("comparator_noise_S = -1e-9", "comparator_noise_S must be 0 or more siemens, and less than 1, not -1e-09"),
        ("comparator_offset_S = nan", "comparator_offset_S must be 0 or more siemens, and less than 1, not nan"),
        ("sample_s = 0.0", "sample_s must be more than 0 seconds, and less than 1e9, not 0.0"),
        ("sample_s = nan", "sample_s must be more than 0 seconds, and less than 1e9, not nan"),
        ("tick_samples = 0", r"tick_samples must be a whole number from 1 to 2\^31 - 1, not 0"),
        ("reference_step_S = 1e-9", "reference_step_S = 1e-09 must be at least quantum_S = 1e-08"),
        ("thinning = 1.0", "thinning must be between -1 and 1, not 1.0"),
        ("thinning = nan", "thinning must be between -1 and 1, not nan"),
        ('thinning = "0.1"', "thinning must be between -1 and 1, not '0.1'"),
        ('pair = "single"', "pair must be one of push_pull, reference, not 'single'"),
        ('pair = "reference"\nzero_shifting = -1', "zero_shifting must be a whole number from 0 to 32,768, not -1"),
        (
            'pair = "reference"\nzero_shifting = 40000',
            "zero_shifting must be a whole number from 0 to 32,768, not 40000",
        ),
        ("zero_shifting = 5", "zero_shifting places references: it needs pair = reference, not push_pull"),
        ('like = "tantal"', "there is no array 'tantal'"),
        ("like", "is not TOML"),
    ],
)
def test_an_impossible_array_is_named_with_its_file(text, message, tmp_path):
    path = tmp_path / "array.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        ArrayConfig.from_toml(path)
    assert str(path) in str(caught.value) or "like" in text


def test_the_spread_of_lower_bounds_is_written_where_it_is_their_own(tmp_path):
    path = tmp_path / "array.toml"
    path.write_text('like = "taox"\n[device]\nbound_spread = 0.1\nlower_bound_spread = 0.2\n')
    array = ArrayConfig.from_toml(path)
    assert array.device.bound_spreads == (0.2, 0.1)
    path.write_text(array.to_toml())
    assert ArrayConfig.from_toml(path) == array
    assert "lower_bound_spread" not in ARRAYS["taox"].to_toml()


# aihwkit's ReRamArrayHfO2PresetDevice: weights from -1 to 1, dw_min_dtod of the logarithm.
def test_the_hfox_array_says_what_its_source_says():
    dw_min, dw_min_dtod, up_down_dtod, w_max_dtod, w_min_dtod = 0.4622, 0.7125, 0.01, 0.4295, 0.5990
    device = ARRAYS["hfox_array"].device
    assert device.step_spread == pytest.approx(sqrt(exp(dw_min_dtod**2) - 1), abs=1e-4)
    assert device.states - 1 == round(2 / (dw_min * exp(dw_min_dtod**2 / 2)))
    assert device.mismatch_spread == 2 * up_down_dtod
    assert device.bound_spreads == pytest.approx((w_min_dtod / 2, w_max_dtod / 2), abs=1e-4)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        ArrayConfig.from_toml(tmp_path / "nowhere.toml")


def test_pairs_and_thinning_are_described_beside_the_device(tmp_path):
    array = replace(ARRAYS["taox"], thinning=-0.25, pair="reference", zero_shifting=12)
    path = tmp_path / "array.toml"
    path.write_text(array.to_toml())
    assert 'pair = "reference"' in path.read_text()
    assert ArrayConfig.from_toml(path) == array
