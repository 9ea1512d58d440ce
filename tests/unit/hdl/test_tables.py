from random import Random

import pytest
from stochastor.hdl.tables import CodeTable
from stochastor.model import tables

from .bench import run

TABLES = {
    "fire thresholds": tables.fire_thresholds,
    "lower ends of windows": lambda scale: tuple(-width for width in tables.random_windows(scale)),
}


def looked_up(codes, lookups, code_bits, addresses):
    """Codes a cycle after each list of bytes."""
    table = CodeTable(codes, lookups, code_bits)

    async def testbench(ctx):
        given = []
        ctx.set(table.enable, 1)
        for address in addresses:
            ctx.set(table.bytes, address)
            await ctx.tick()
            given.append([ctx.get(table.codes[index]) for index in range(lookups)])
        return given

    return run(table, testbench)[0]


@pytest.mark.parametrize("lookups", [1, 4])
@pytest.mark.parametrize("scale", [1, 8, 64, 128])
@pytest.mark.parametrize("kind", TABLES)
def test_every_byte_gives_its_code_after_a_cycle(kind, scale, lookups):
    codes = TABLES[kind](scale)
    code_bits = max(max(code, -code - 1).bit_length() for code in codes) + 1
    columns = [Random(lookup).sample(range(256), k=256) for lookup in range(lookups)]
    addresses = list(zip(*columns, strict=True))
    expected = [[codes[byte] for byte in address] for address in addresses]
    assert looked_up(codes, lookups, code_bits, addresses) == expected


def test_codes_stay_while_nothing_is_looked_up():
    codes = tables.fire_thresholds(64)
    table = CodeTable(codes, 1, 12)

    async def testbench(ctx):
        held = []
        for byte in range(0, 256, 15):
            ctx.set(table.bytes[0], byte)
            ctx.set(table.enable, 1)
            await ctx.tick()
            ctx.set(table.enable, 0)
            for other in (0, 255, byte ^ 1):
                ctx.set(table.bytes[0], other)
                await ctx.tick()
                held.append((ctx.get(table.codes[0]), codes[byte]))
        return held

    assert all(code == expected for code, expected in run(table, testbench)[0])


@pytest.mark.parametrize("code", [-9, 8])
def test_a_code_that_does_not_fit_is_refused(code):
    with pytest.raises(ValueError, match="codes must be 256 signed 4-bit numbers"):
        CodeTable((*[0] * 255, code), 1, 4)


@pytest.mark.parametrize("count", [0, 255, 257])
def test_another_number_of_codes_than_bytes_is_refused(count):
    with pytest.raises(ValueError, match="codes must be 256 signed 4-bit numbers"):
        CodeTable((0,) * count, 1, 4)


@pytest.mark.parametrize("code", [-8, 7])
def test_the_extreme_codes_that_fit_are_given_back(code):
    assert looked_up((code,) * 256, 1, 4, [[0], [255]]) == [[code], [code]]
