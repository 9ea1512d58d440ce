import hashlib
import tomllib
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import fire_table, window_table
from stochastor.model import tables
from stochastor.model.config import PRESETS, ArraySide, Config, Gate, preset
from stochastor.model.errors import ConfigError

LINES = st.sampled_from([1, 2, 4, 8, 16])
CONFIGS = st.builds(
    Config,
    sizes=st.lists(st.integers(1, 65_535), min_size=2, max_size=5).map(tuple),
    weight_bits=st.integers(2, 16),
    scale=st.integers(1, 65_536),
    gate=st.sampled_from(Gate),
    reference_bits=st.just(24),
    seed=st.integers(0, 2**64 - 1),
    epochs=st.integers(1, 100_000),
    lanes=st.integers(0, 65_535),
    tables=LINES,
    pixels_per_beat=LINES,
    array_side=st.sampled_from(ArraySide),
    settle_cycles=st.integers(1, 65_535),
    compare_cycles=st.integers(1, 65_535),
    pulse_cycles=st.integers(1, 65_535),
    recovery_cycles=st.integers(1, 65_535),
    baud=st.integers(1, 100_000_000),
)
IMPOSSIBLE = {
    "sizes": [
        (),
        (5,),
        5,
        "64",
        None,
        (0, 2),
        (2, 0),
        (5, 0, 2),
        (-1, 2),
        (65_536, 2),
        (2, 65_536),
        (2.0, 3),
        (True, 2),
    ],
    "weight_bits": [1, 17, -8, 8.0, "8", None, True],
    "scale": [0, -1, 65_537, 64.0, "64", True],
    "gate": ["", "XOR", "window", 1, None, ["xor"]],
    "input_draws": [0, 17, 1.0, "1", True],
    "carry_digits": [0, 5, 1.0, True],
    "pulses_per_step": [0, 257, 1.0, True],
    "reference_bits": [1, 25, 12.0, True],
    "seed": [-1, 2**64, 0.0, "0", False],
    "epochs": [0, -1, 100_001, 3.0, True],
    "shuffle_block": [0, 65_536, 2.0, True],
    "lanes": [-1, 65_536, 1.0, False],
    "tables": [0, 3, 5, 32, -1, "4", None, [4], True],
    "pixels_per_beat": [0, 3, 5, 32, -1, "4", None, [4], True],
    "array_side": ["", "PINS", "ram", 1, None],
    "settle_cycles": [0, 65_536, 1.0, True],
    "compare_cycles": [0, 65_536, 1.0, True],
    "pulse_cycles": [0, 65_536, 1.0, True],
    "recovery_cycles": [0, 65_536, 1.0, True],
    "baud": [0, 100_000_001, 1e6, True],
}


def needed_codes(gate, scale):
    codes = fire_table(scale)
    if gate == "fixed_window":
        codes = [*codes, -4 * scale, 4 * scale - 1]
    elif gate == "random_window":
        codes = [*codes, *(-u for u in window_table(scale)), *(u - 1 for u in window_table(scale))]
    return codes


def fits(gate, scale, reference_bits):
    bound = 2 ** (reference_bits - 1)
    return all(-bound <= code < bound for code in needed_codes(gate, scale))


@settings(derandomize=True, database=None, deadline=None, max_examples=50)
@given(config=CONFIGS)
def test_toml_gives_back_the_configuration(config):
    assert Config.from_dict(tomllib.loads(config.to_toml())) == config


@pytest.mark.parametrize("name", PRESETS)
def test_a_toml_file_gives_back_the_configuration(name, tmp_path):
    path = tmp_path / "machine.toml"
    path.write_text(preset(name).to_toml(), encoding="utf-8")
    assert Config.from_toml(path) == preset(name)


def test_toml_without_optional_keys_takes_the_defaults(tmp_path):
    path = tmp_path / "machine.toml"
    path.write_text("sizes = [5, 3, 2]\n")
    assert Config.from_toml(path) == Config(sizes=(5, 3, 2))


def test_the_defaults_are_those_of_the_specification():
    config = Config(sizes=(5, 3, 2))
    assert [getattr(config, field.name) for field in fields(Config)] == [
        (5, 3, 2), 8, 64, "random_window", 1, 1, 0, 1, 0, 0, 1, 12, 0, 30, 1, 0, 4, 4, "memory", 4, 1, 4, 2, 1_000_000,
    ]  # fmt: skip


def test_an_unknown_key_is_named_with_its_file(tmp_path):
    path = tmp_path / "machine.toml"
    path.write_text("sizes = [5, 3, 2]\nscales = 64\n")
    with pytest.raises(ConfigError, match=r"machine\.toml: unknown key 'scales'; the keys are sizes, weight_bits"):
        Config.from_toml(path)


def test_missing_sizes_are_asked_for():
    with pytest.raises(ConfigError, match="the key 'sizes' is missing"):
        Config.from_dict({"scale": 64})


def test_an_impossible_value_is_named_with_its_file(tmp_path):
    path = tmp_path / "machine.toml"
    path.write_text("sizes = [5, 3, 2]\nscale = 0\n")
    with pytest.raises(ConfigError, match=r"machine\.toml: scale must be a whole number from 1 to 65536, not 0"):
        Config.from_toml(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read"):
        Config.from_toml(tmp_path / "absent.toml")


@pytest.mark.parametrize("content", [b"sizes = [5, 3", b"sizes = [5, 3, 2] # \xff"])
def test_a_file_that_is_not_toml_is_named(content, tmp_path):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.toml: is not TOML"):
        Config.from_toml(path)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in IMPOSSIBLE.items() for value in values])
def test_an_impossible_value_is_refused_by_name(key, value):
    with pytest.raises(ConfigError, match=f"^{key}.* must .*not .*$"):
        Config(**{"sizes": (5, 3, 2), key: value})


@pytest.mark.parametrize("key", ["tables", "pixels_per_beat"])
def test_a_float_number_of_lines_is_refused(key):
    with pytest.raises(ConfigError):
        Config(**{"sizes": (5, 3, 2), key: 4.0})


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("sizes", [(1, 1), (65_535, 65_535)]),
        ("weight_bits", [2, 16]),
        ("scale", [1, 65_536]),
        ("reference_bits", [12, 24]),
        ("seed", [0, 2**64 - 1]),
        ("epochs", [1, 100_000]),
        ("shuffle_block", [1, 65_535]),
        ("lanes", [0, 65_535]),
        ("tables", [1, 2, 4, 8, 16]),
        ("pixels_per_beat", [1, 2, 4, 8, 16]),
        ("baud", [1, 100_000_000]),
    ],
)
def test_the_ends_of_a_legal_range_are_legal(key, values):
    config = {"sizes": (5, 3, 2), "reference_bits": 24}
    assert [getattr(Config(**config | {key: value}), key) for value in values] == values


def test_three_reference_bits_are_enough_for_no_scale():
    with pytest.raises(ConfigError, match="needs 6: raise reference_bits"):
        Config(sizes=(1, 1), gate=Gate.XOR, scale=1, reference_bits=3)


@pytest.mark.parametrize("gate", Gate)
@pytest.mark.parametrize("reference_bits", [5, 8, 11, 12, 16])
def test_the_largest_scale_that_fits_the_references_is_legal(gate, reference_bits):
    scale = max(scale for scale in _scales_near_the_bound(reference_bits) if fits(gate, scale, reference_bits))
    assert Config(sizes=(1, 1), gate=gate, scale=scale, reference_bits=reference_bits).scale == scale


@pytest.mark.parametrize("gate", Gate)
@pytest.mark.parametrize("reference_bits", [5, 8, 11, 12, 16])
def test_the_smallest_scale_that_does_not_fit_the_references_is_refused(gate, reference_bits):
    scale = min(scale for scale in _scales_near_the_bound(reference_bits) if not fits(gate, scale, reference_bits))
    with pytest.raises(ConfigError, match=f"reference_bits = {reference_bits} holds codes .* at scale = {scale} needs"):
        Config(sizes=(1, 1), gate=gate, scale=scale, reference_bits=reference_bits)


def _scales_near_the_bound(reference_bits):
    """Every scale at which one of the largest codes, 6.2 to 15.3 times the scale, can cross the bound."""
    bound = 2 ** (reference_bits - 1)
    return [*range(max(1, bound // 16), bound // 15 + 3), *range(max(1, bound // 7), bound // 6 + 3)]


def test_a_threshold_may_be_the_largest_reference_code():
    assert max(fire_table(82)) == 511
    assert Config(sizes=(1, 1), gate=Gate.XOR, scale=82, reference_bits=10).scale == 82


def test_a_threshold_one_above_the_largest_reference_code_is_refused():
    assert max(fire_table(41)) == 256
    with pytest.raises(ConfigError, match=r"-256 to 255, but the fire table at scale = 41 needs 256"):
        Config(sizes=(1, 1), gate=Gate.XOR, scale=41, reference_bits=9)


def test_a_window_may_reach_the_smallest_reference_code(monkeypatch):
    monkeypatch.setattr(tables, "random_windows", lambda scale: (2048,) * 256)
    assert Config(sizes=(1, 1), reference_bits=12).windows(1) == (2048,) * 256


def test_a_window_one_below_the_smallest_reference_code_is_refused(monkeypatch):
    monkeypatch.setattr(tables, "random_windows", lambda scale: (2049,) * 256)
    with pytest.raises(ConfigError, match="the gate window table at scale = 64 needs -2049"):
        Config(sizes=(1, 1), reference_bits=12)


def test_xor_asks_nothing_of_the_windows(monkeypatch):
    monkeypatch.setattr(tables, "random_windows", lambda scale: (2**24,) * 256)
    assert Config(sizes=(1, 1), gate=Gate.XOR).gate is Gate.XOR


@pytest.mark.parametrize(
    ("gate", "window"),
    [("random_window", tuple(window_table(64))), ("fixed_window", (256,) * 256)],
)
def test_the_window_is_that_of_the_gate(gate, window):
    assert Config(sizes=(1, 1), gate=gate).windows(1) == window


def test_tables_of_the_first_layer_stretch_with_the_patterns_of_a_read():
    config = Config(sizes=(5, 3, 2), scale=16, input_draws=3)
    assert [config.scale_of(layer) for layer in (1, 2)] == [48, 16]
    assert config.thresholds(1) == tuple(fire_table(48))
    assert config.thresholds(2) == tuple(fire_table(16))
    assert config.windows(1) == tuple(window_table(48))


def test_patterns_of_a_read_count_when_codes_must_fit():
    with pytest.raises(ConfigError, match="at scale = 64 and input_draws = 4 needs"):
        Config(sizes=(5, 3, 2), input_draws=4)


CARRY = {"weight_bits": 4, "carry_digits": 2, "carry_base": 5, "carry_period": 100}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"carry_digits": 1}, "carry_base must be 0 where carry_digits is 1, not 5"),
        ({"carry_digits": 1, "carry_base": 0}, "carry_period must be 0 where carry_digits is 1, not 100"),
        ({"carry_base": 3}, "carry_base must be a whole number from 4 to 7, not 3"),
        ({"carry_base": 8}, "carry_base must be a whole number from 4 to 7, not 8"),
        ({"carry_base": 0}, "carry_base must be a whole number from 4 to 7, not 0"),
        ({"carry_period": 0}, r"carry_period must be a whole number from 1 to 4294967295, not 0"),
        (
            {"carry_digits": 1, "carry_base": 0, "carry_pulses": 2},
            "carry_pulses must be 1 where carry_digits is 1, not 2",
        ),
        ({"carry_pulses": 0}, "carry_pulses must be a whole number from 1 to 3, not 0"),
        ({"carry_pulses": 4}, "carry_pulses must be a whole number from 1 to 3, not 4"),
        ({"carry_pulses": 2}, "carry_base must be a whole number from 2 to 3, not 5"),
        ({"carry_verify": 4}, "carry_verify must be a whole number from 5 to 1000, not 4"),
        ({"carry_verify": 300, "pulses_per_step": 256}, "must be less than 65,536 pulses: lower carry_verify"),
        ({"carry_verify": 1001}, "carry_verify must be a whole number from 5 to 1000, not 1001"),
        (
            {"carry_verify": 5, "reference_bits": 4, "scale": 1, "gate": "xor"},
            "a verified carry searches weights up to 42: raise reference_bits to 7",
        ),
        (
            {"carry_digits": 1, "carry_base": 0, "carry_period": 0, "carry_verify": 5},
            "carry_verify must be 0 where carry_digits is 1, not 5",
        ),
        ({"weight_bits": 2}, "carry needs cells of weight_bits = 3 or more, not 2"),
        ({"weight_bits": 16, "carry_base": 32_767, "carry_digits": 3}, r"must be below 2\^31"),
        ({"weight_bits": 14, "carry_base": 8_000, "scale": 1, "gate": "xor"}, "a carry compares cells with codes up"),
    ],
)
def test_a_carry_that_cannot_be_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Config(sizes=(5, 3, 2), **CARRY | values)


@pytest.mark.parametrize(
    ("digits", "weight_max", "cell_columns"), [(2, 7 * 6, [6, 4]), (3, 7 * 31, [9, 6]), (4, 7 * 156, [12, 8])]
)
def test_a_synapse_of_several_cells_has_the_range_of_all_its_digits(digits, weight_max, cell_columns):
    config = Config(sizes=(5, 3, 2), **CARRY | {"carry_digits": digits})
    assert (config.digit_max, config.weight_max) == (7, weight_max)
    assert [config.cell_columns(layer) for layer in (1, 2)] == cell_columns


def test_a_carry_follows_every_sample_that_ends_a_period():
    config = Config(sizes=(5, 3, 2), **CARRY | {"carry_period": 3})
    assert [sample for sample in range(10) if config.carries_after(sample)] == [2, 5, 8]
    assert not any(Config(sizes=(5, 3, 2)).carries_after(sample) for sample in range(10))


def test_fields_that_are_not_used_leave_the_hash_as_it_was():
    assert len({Config(sizes=(5, 3, 2)).digest, Config(sizes=(5, 3, 2), input_draws=2, reference_bits=13).digest}) == 2
    assert Config(sizes=(5, 3, 2), input_draws=1).digest == Config(sizes=(5, 3, 2)).digest


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("tiny", {"sizes": (64, 12, 10), "lanes": 5, "epochs": 3}),
        ("digits", {"sizes": (64, 128, 10), "weight_bits": 10, "scale": 32, "gate": "fixed_window", "epochs": 800}),
        ("mnist", {"sizes": (784, 256, 10)}),
    ],
)
def test_presets_are_those_of_the_specification(name, values):
    assert preset(name) == Config(**values)


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="there is no preset 'huge'; the presets are tiny, digits, mnist"):
        preset("huge")


def test_the_hash_is_of_the_canonical_json():
    text = (
        '{"gate":"random_window","lanes":5,"pixels_per_beat":4,"reference_bits":12,"scale":64,"seed":0,'
        '"sizes":[64,12,10],"tables":4,"weight_bits":8}'
    )
    assert preset("tiny").digest == hashlib.sha256(text.encode("ascii")).hexdigest()


def test_the_hash_of_a_configuration_never_changes():
    assert preset("mnist").digest == "cfb5a6a02fe037eda4cbd9969d44355a26b749a424aaad0c34cd6a01992efe5c"


def test_the_hash_does_not_depend_on_epochs():
    assert len({replace(preset("tiny"), epochs=epochs).digest for epochs in (1, 3, 100_000)}) == 1


def test_the_hash_does_not_depend_on_the_serial_line():
    assert replace(preset("tiny"), baud=115_200).digest == preset("tiny").digest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sizes", (64, 10, 12)),
        ("weight_bits", 9),
        ("scale", 65),
        ("gate", "xor"),
        ("reference_bits", 13),
        ("seed", 1),
        ("lanes", 6),
        ("tables", 8),
        ("pixels_per_beat", 8),
        ("array_side", "pins"),
        ("settle_cycles", 5),
        ("compare_cycles", 2),
        ("pulse_cycles", 5),
        ("recovery_cycles", 3),
    ],
)
def test_the_hash_depends_on_every_other_field(key, value):
    assert replace(preset("tiny"), **{key: value}).digest != preset("tiny").digest


def test_the_hash_does_not_depend_on_how_a_value_was_written():
    assert Config(sizes=[5, 3, 2], gate="xor").digest == Config(sizes=(5, 3, 2), gate=Gate.XOR).digest


@pytest.mark.parametrize("field", [field.name for field in fields(Config)])
def test_a_configuration_is_frozen(field):
    with pytest.raises(FrozenInstanceError):
        setattr(Config(sizes=(5, 3, 2)), field, 1)


def test_fields_are_keyword_only():
    with pytest.raises(TypeError):
        Config((5, 3, 2))


def test_a_list_of_sizes_becomes_a_tuple():
    assert Config(sizes=[5, 3, 2]).sizes == (5, 3, 2)


@pytest.mark.parametrize(("layer", "rows", "columns"), [(1, 6, 3), (2, 4, 2)])
def test_a_crossbar_has_a_row_an_input_and_a_bias_row(layer, rows, columns):
    config = Config(sizes=(5, 3, 2))
    assert (config.rows(layer), config.columns(layer), config.layers) == (rows, columns, 2)


@pytest.mark.parametrize(("weight_bits", "weight_max"), [(2, 1), (8, 127), (16, 32_767)])
def test_the_largest_weight_leaves_out_the_most_negative_code(weight_bits, weight_max):
    assert Config(sizes=(1, 1), weight_bits=weight_bits).weight_max == weight_max


def test_references_of_pins_reach_every_cell():
    assert Config(sizes=(1, 1), weight_bits=12, array_side="pins").reference_bits == 12
    with pytest.raises(ConfigError, match="must be at least weight_bits = 13 where array_side is pins"):
        Config(sizes=(1, 1), weight_bits=13, array_side="pins")
