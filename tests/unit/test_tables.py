import hashlib
import math
import re
import struct
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import fire_table, window_table
from stochastor.model import tables

SPECIFICATION = Path(__file__).parents[2] / "docs" / "specification.md"
SCALES = (1, 2, 7, 64, 128, 1000, 65_536)
PUBLISHED = re.findall(r"^\| (\d+) \| `([0-9a-f]{64})` \| `([0-9a-f]{64})` \|$", SPECIFICATION.read_text(), re.M)


def test_the_specification_publishes_digests_for_the_usual_scales():
    assert [int(scale) for scale, _, _ in PUBLISHED] == [32, 64, 128]


@pytest.mark.parametrize(("scale", "digest", "_"), PUBLISHED)
def test_fire_thresholds_have_the_published_digest(scale, digest, _):
    codes = tables.fire_thresholds(int(scale))
    assert hashlib.sha256(struct.pack("<256i", *codes)).hexdigest() == digest


@pytest.mark.parametrize(("scale", "_", "digest"), PUBLISHED)
def test_random_windows_have_the_published_digest(scale, _, digest):
    codes = tables.random_windows(int(scale))
    assert hashlib.sha256(struct.pack("<256i", *codes)).hexdigest() == digest


def test_the_digest_is_over_four_bytes_twos_complement_little_endian():
    codes = [-2, 1, 2**31 - 1, -(2**31)]
    assert tables.digest(codes) == hashlib.sha256(struct.pack("<4i", *codes)).hexdigest()


@settings(derandomize=True, database=None, deadline=None, max_examples=30)
@given(scale=st.integers(1, 65_536))
def test_fire_thresholds_equal_the_second_model(scale):
    assert list(tables.fire_thresholds.__wrapped__(scale)) == fire_table(scale)


@settings(derandomize=True, database=None, deadline=None, max_examples=30)
@given(scale=st.integers(1, 65_536))
def test_random_windows_equal_the_second_model(scale):
    assert list(tables.random_windows.__wrapped__(scale)) == window_table(scale)


@pytest.mark.parametrize("scale", SCALES)
def test_fire_thresholds_are_odd_about_the_middle(scale):
    codes = tables.fire_thresholds(scale)
    assert [codes[255 - r] for r in range(256)] == [-code for code in codes]


@pytest.mark.parametrize("scale", SCALES)
def test_fire_thresholds_never_fall(scale):
    codes = tables.fire_thresholds(scale)
    assert list(codes) == sorted(codes)


@pytest.mark.parametrize("scale", SCALES)
def test_random_windows_never_rise(scale):
    codes = tables.random_windows(scale)
    assert list(codes) == sorted(codes, reverse=True)


@pytest.mark.parametrize("scale", SCALES)
def test_windows_are_never_negative(scale):
    assert min(tables.random_windows(scale)) >= 0


@pytest.mark.parametrize("scale", SCALES)
def test_fire_thresholds_agree_with_libm_wherever_rounding_is_clear(scale):
    exact = [scale * math.log((2 * r + 1) / (511 - 2 * r)) for r in range(256)]
    clear = [r for r in range(256) if abs(exact[r] - math.floor(exact[r]) - 0.5) > 1e-6]
    assert len(clear) >= 250
    assert [tables.fire_thresholds(scale)[r] for r in clear] == [round(exact[r]) for r in clear]


@pytest.mark.parametrize("scale", SCALES)
def test_random_windows_agree_with_libm_wherever_rounding_is_clear(scale):
    exact = [4 * scale * math.acosh(math.sqrt(512 / (2 * r + 1))) for r in range(256)]
    clear = [r for r in range(256) if abs(exact[r] - math.floor(exact[r]) - 0.5) > 1e-6]
    assert len(clear) >= 250
    assert [tables.random_windows(scale)[r] for r in clear] == [round(exact[r]) for r in clear]


# Strictly greater than a rounded code moves the curve by half an LSB; the byte adds at most half of 1/256.
@pytest.mark.parametrize("scale", [1, 7, 64])
def test_the_chance_to_fire_is_the_logistic_function_to_half_a_byte(scale):
    codes = tables.fire_thresholds(scale)
    with localcontext() as context:
        context.prec = 40
        for z in range(-8 * scale, 8 * scale + 1):
            logistic = 1 / (1 + (-(Decimal(z) - Decimal("0.5")) / scale).exp())
            assert abs(sum(z > code for code in codes) - 256 * logistic) <= Decimal("0.5")


@pytest.mark.parametrize("scale", [1, 7, 64])
def test_the_chance_of_an_open_window_is_the_derivative_to_half_a_byte(scale):
    codes = tables.random_windows(scale)
    with localcontext() as context:
        context.prec = 40
        for z in range(-16 * scale, 16 * scale + 1):
            grown = ((abs(z) + Decimal("0.5")) / (4 * scale)).exp()
            derivative = (2 / (grown + 1 / grown)) ** 2
            assert abs(sum(abs(z) < code for code in codes) - 256 * derivative) <= Decimal("0.5")
