from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastor.hdl.crossbar import Operation
from stochastor.hdl.pinned_crossbar import PinnedCrossbar

from .bench import STALLS, fixed_seed, run, watch
from .test_line_driver import Bench, pinned

machines = st.builds(
    lambda carry, **fields: pinned(**fields, **carry),
    carry=st.sampled_from([{}, {"carry_digits": 2, "carry_base": 3, "carry_period": 1}]),
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 4)),
    tables=st.sampled_from([1, 2, 4]),
    weight_bits=st.just(3),
    **{name: st.integers(1, 2) for name in ("settle_cycles", "compare_cycles", "pulse_cycles", "recovery_cycles")},
)


class CellBench(Bench):
    """The bench of the line driver, with access to cells before it."""

    unused: ClassVar[dict[str, int]] = {"fold": 0, "cell": 0, "value": 0}

    def __init__(self, config, seed=1, stalls=None):
        super().__init__(config, seed, stalls)
        self.driver = PinnedCrossbar(config, 1)
        self.port = self.driver.port

    async def access(self, ctx, operation, row, cell, value=0):
        await self.operate(ctx, operation, [row], cell=cell, value=value)
        await self.settle(ctx)

    async def operate(self, ctx, operation, rows, **part):
        if operation in (Operation.LOAD, Operation.DUMP):
            payload = {"operation": operation, "row": rows[0], "last": 0, "fold": 0} | part
            for name, value in payload.items():
                ctx.set(self.port.operation.p[name], value)
            ctx.set(self.port.operation.valid, 1)
            await ctx.tick().until(self.port.operation.ready)
            ctx.set(self.port.operation.valid, 0)
            return
        await super().operate(ctx, operation, rows, **part)


@settings(fixed_seed, max_examples=6)
@given(config=machines, seed=st.integers(0, 2**32), stalls=st.sampled_from(STALLS))
def test_cells_are_loaded_and_dumped_through_the_pins_between_other_operations(config, seed, stalls):
    bench = CellBench(config, seed, stalls)
    most, columns, dumped = config.digit_max, config.cell_columns(1), []

    async def testbench(ctx):
        for _ in range(3):
            await bench.drive(ctx)
            await bench.pulse(ctx)
            row, cell = bench.random.randrange(bench.geometry.rows), bench.random.randrange(columns)
            value = bench.random.choice((-most, most, bench.random.randint(-most, most)))
            cells = bench.model.dump()
            cells[row, cell] = value
            bench.model.load(cells)
            await bench.access(ctx, Operation.LOAD, row, cell, value)
            assert bench.array.cells().tolist() == cells.tolist()
            await bench.access(ctx, Operation.DUMP, row, cell)
        for row in range(bench.geometry.rows):
            for cell in range(columns):
                await bench.access(ctx, Operation.DUMP, row, cell)
        return bench.model.dump()

    port = bench.port
    background = [bench.answer, bench.ask, watch(port.dumped.valid, port.dumped.value, dumped)]
    (cells,) = run(bench.driver, testbench, background=background)
    assert [value for _, value in dumped][3:] == cells.ravel().tolist()


@pytest.mark.parametrize("value", [-3, 3])
def test_programming_gives_up_where_a_cell_does_not_move(value):
    bench = CellBench(pinned(sizes=(2, 3), weight_bits=3))
    bench.array.pairs[:] = 0
    bench.array.stuck = True

    async def testbench(ctx):
        await bench.access(ctx, Operation.LOAD, 1, 2, value)

    run(bench.driver, testbench, background=[bench.answer])
    assert not bench.array.cells().any()
