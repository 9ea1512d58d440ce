"""PLL settings: within the data sheets' limits, as near as possible, and refused where there is none."""

import pytest
from stochastor.fpga.boards import Family
from stochastor.fpga.pll import LIMITS, choose_setting, settings
from stochastor.model.errors import ConfigError

# Lowest and highest frequencies in MHz of detector, oscillator and output, and the widest dividers d, m and q,
# as printed in the data sheets FPGA-DS-02029 (iCE40), FPGA-DS-02012 (ECP5) and DS181 (Artix-7, speed grade -1).
SHEETS = {
    Family.ICE40: ((10, 133), (533, 1066), (16, 275), (16, 128, 64)),
    Family.ECP5: ((10, 400), (400, 800), (3.125, 400), (128, 128, 128)),
    Family.SERIES7: ((19, 450), (800, 1600), (6.25, 800), (56, 64, 128)),
}
CLOCKS = [(Family.ICE40, 12.0), (Family.ECP5, 25.0), (Family.ECP5, 100.0), (Family.SERIES7, 100.0)]


@pytest.mark.parametrize(("family", "input_MHz"), CLOCKS)
def test_every_setting_is_within_the_limits_of_the_data_sheet(family, input_MHz):
    detector, oscillator, output, (d, m, q) = SHEETS[family]
    found = list(settings(family, input_MHz))
    assert found
    for setting in found:
        assert 1 <= setting.input_divider <= d
        assert 1 <= setting.multiplier <= m
        assert 1 <= setting.output_divider <= q
        at_detector = input_MHz / setting.input_divider
        assert detector[0] <= at_detector <= detector[1]
        assert oscillator[0] <= at_detector * setting.multiplier <= oscillator[1]
        assert output[0] <= at_detector * setting.multiplier / setting.output_divider <= output[1]


@pytest.mark.parametrize(
    ("family", "input_MHz", "wanted_MHz", "made_MHz"),
    [
        (Family.ECP5, 25.0, 80.0, 80.0),
        (Family.ECP5, 25.0, 87.5, 87.5),
        (Family.ICE40, 12.0, 24.0, 24.0),
        (Family.ICE40, 12.0, 30.0, 30.0),
        (Family.ICE40, 12.0, 120.0, 120.0),  # by 80 / 8: the oscillator is at 960 MHz
        (Family.SERIES7, 100.0, 50.0, 50.0),
    ],
)
def test_a_frequency_that_a_pll_can_make_is_made(family, input_MHz, wanted_MHz, made_MHz):
    assert choose_setting(family, input_MHz, wanted_MHz).output_MHz == pytest.approx(made_MHz, rel=1e-12)


@pytest.mark.parametrize(("family", "input_MHz"), CLOCKS)
@pytest.mark.parametrize("wanted_MHz", [17.3, 41.0, 83.333, 111.1])
def test_the_frequency_is_the_nearest_one_not_above(family, input_MHz, wanted_MHz):
    made = choose_setting(family, input_MHz, wanted_MHz).output_MHz
    assert made == max(
        setting.output_MHz for setting in settings(family, input_MHz) if setting.output_MHz <= wanted_MHz * (1 + 1e-9)
    )


@pytest.mark.parametrize("wanted_MHz", [0.5, 15.9, 300.0])
def test_a_frequency_beyond_the_pll_is_refused(wanted_MHz):
    with pytest.raises(ConfigError, match="the PLL makes 16 to 275 MHz"):
        choose_setting(Family.ICE40, 12.0, wanted_MHz)


def test_a_clock_that_is_too_slow_for_the_pll_gives_no_setting():
    assert list(settings(Family.ECP5, LIMITS[Family.ECP5].input_MHz[0] / 2)) == []
