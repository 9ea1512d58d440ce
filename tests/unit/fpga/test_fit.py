"""Whether a machine fits a board, told before synthesis."""

from dataclasses import replace

import pytest
from stochastor.fpga.boards import BOARDS, Family
from stochastor.fpga.fit import Needs, blocks, check_fit
from stochastor.fpga.target import Target
from stochastor.model.config import Config, preset
from stochastor.model.errors import ConfigError

MNIST = preset("mnist")


def target(board, config, **options):
    return Target(board=BOARDS[board], config=config, **options)


@pytest.mark.parametrize(
    ("family", "depth", "width", "part", "expected"),
    [
        (Family.ICE40, 256, 16, 8, 1),
        (Family.ICE40, 257, 16, 8, 2),
        (Family.ICE40, 260, 64, 8, 8),
        (Family.ICE40, 300, 8, 8, 1),  # in words of 512, which are written whole
        (Family.ICE40, 257, 17, 17, 3),
        (Family.ECP5, 5000, 3, 3, 2),  # in words of 8192 and of two bits
        (Family.ECP5, 785, 2048, 8, 128),  # two cells of 8 bits in each block of 1024 words of 18 bits
        (Family.ECP5, 257, 80, 8, 3),  # four in each block of 512 words of 36 bits
        (Family.ECP5, 785, 2560, 10, 256),  # ten bits take two of the parts of nine that a block writes alone
    ],
)
def test_a_memory_takes_the_blocks_that_its_parts_need(family, depth, width, part, expected):
    assert blocks(family, depth, width, part) == expected


def test_a_machine_that_fits_is_let_through():
    check_fit(target("ulx3s_85f", MNIST))


def test_too_little_block_ram_is_refused_with_what_there_is_and_a_board_that_would_do():
    with pytest.raises(ConfigError, match=r"^784-256-10 does not fit ULX3S, LFE5U-25F: .* of 56; .*--board ulx3s_85f$"):
        check_fit(target("ulx3s_25f", MNIST))


def test_too_few_look_up_tables_are_refused_with_lanes_that_would_do():
    wide = Config(sizes=(16, 20, 10), tables=1)
    with pytest.raises(
        ConfigError, match=r"about [\d,]+ look-up tables of 5,280; what would fit: lanes = \d+"
    ) as refusal:
        check_fit(target("icebreaker", wide, counters=False))
    lanes = int(str(refusal.value).split("lanes = ")[1].split(",")[0])
    check_fit(target("icebreaker", replace(wide, lanes=lanes), counters=False))
    with pytest.raises(ConfigError, match="look-up tables"):
        check_fit(target("icebreaker", replace(wide, lanes=2 * lanes), counters=False))


def test_a_machine_that_fits_without_its_counters_is_told_so():
    small = Config(sizes=(64, 32, 10), lanes=2, tables=1)
    with pytest.raises(ConfigError, match="what would fit: --no-counters"):
        check_fit(target("icebreaker", small))
    check_fit(target("icebreaker", small, counters=False))


def test_fewer_lanes_are_offered_without_counters_where_they_do_not_help_alone():
    tiny = preset("tiny")
    with pytest.raises(ConfigError, match="what would fit: lanes = 2 with --no-counters, or --board ice40_hx8k_b_evn"):
        check_fit(target("icebreaker", tiny))
    check_fit(target("icebreaker", replace(tiny, lanes=2), counters=False))


def test_a_machine_too_large_for_every_board_is_told_so():
    with pytest.raises(ConfigError, match="no board here holds it"):
        check_fit(target("ulx3s_85f", Config(sizes=(65_535, 4096, 10))))


def test_fewer_weight_bits_are_offered_where_they_make_it_fit():
    ten_bits = Config(sizes=(784, 256, 10), weight_bits=10)
    with pytest.raises(ConfigError, match="weight_bits = 9"):
        check_fit(target("ulx3s_85f", ten_bits))
    check_fit(target("ulx3s_85f", replace(ten_bits, weight_bits=9)))


def test_code_tables_count_as_block_ram():
    fixed = replace(MNIST, gate="fixed_window")
    needs = [Needs.of(target("ulx3s_85f", config)).block_rams for config in (MNIST, fixed)]
    assert needs[0] - needs[1] == MNIST.tables


def test_traces_take_room_and_leaving_them_out_is_named_where_that_is_enough():
    config = Config(sizes=(64, 32, 10), tables=1, lanes=1, reference_bits=9, gate="fixed_window", scale=32)
    traced, bare = (Needs.of(target("icebreaker", config, trace=trace, counters=False)) for trace in (True, False))
    assert traced.luts > bare.luts
    assert traced.block_rams >= bare.block_rams + 10
    with pytest.raises(ConfigError, match=r"what would fit: .*no --trace"):
        check_fit(target("icebreaker", config, trace=True, counters=False))
