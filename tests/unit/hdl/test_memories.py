"""Block RAM is free to give anything for a word that is read in the cycle in which it is written."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory
from stochastor.model.config import Config, Gate
from stochastor.sim.interpreted import interpret
from stochastor.sim.scoreboard import Scoreboard

MACHINE = Config(sizes=(9, 5, 3), scale=3)
MACHINES = {
    "lane per column": MACHINE,
    "folds": replace(MACHINE, lanes=2, gate=Gate.XOR),
    "input draws": replace(MACHINE, input_draws=2, reference_bits=16),
    "one beat": replace(MACHINE, sizes=(4, 5, 3), input_draws=3, reference_bits=16),
    "carry": replace(MACHINE, weight_bits=3, carry_digits=3, carry_base=2, carry_period=2),
}


WHOLE = memory.Memory.elaborate


def elaborate_colliding(self, platform):
    """A memory whose words are wrong in every bit where they are read in the cycle in which they are written."""
    if "no_rw_check" not in self.attrs:
        return WHOLE(self, platform)
    m = Module()
    m.submodules.whole = whole = memory.Memory(self.data)
    for port in self.write_ports:
        inner = whole.write_port(granularity=port.signature.granularity)
        m.d.comb += [inner.addr.eq(port.addr), Value.cast(inner.data).eq(port.data), inner.en.eq(port.en)]
    for port in self.read_ports:
        inner, collided = whole.read_port(), Signal()
        given = Value.cast(inner.data)
        m.d.comb += [inner.addr.eq(port.addr), inner.en.eq(port.en)]
        with m.If(port.en):
            writes = (write.en.any() & (write.addr == port.addr) for write in self.write_ports)
            m.d.sync += collided.eq(Cat(writes).any())
        m.d.comb += Value.cast(port.data).eq(Mux(collided, ~given, given))
    return m


def first_difference(config):
    rng = np.random.default_rng(5)
    features = rng.integers(0, 256, (12, config.sizes[0]), dtype=np.uint8)
    labels = rng.integers(0, config.sizes[-1], 12).tolist()
    session = interpret(config, features, labels, [index % 3 for index in range(12)])
    scoreboard = Scoreboard(config)
    checks = (scoreboard.check(sample, seen) for sample, seen in zip(features, session.observed, strict=True))
    return next((difference for difference in checks if difference is not None), None)


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_no_machine_uses_a_word_that_it_reads_in_the_cycle_of_its_write(monkeypatch, config):
    monkeypatch.setattr(memory.Memory, "elaborate", elaborate_colliding)
    assert first_difference(config) is None
