"""The cocotb benches of the buses: masters of others drive the Verilog, and the golden model says what is right."""

import itertools
import os
from random import Random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from cocotbext.wishbone.driver import WBOp, WishboneMaster
from stochastor.fpga.bus.host import BusMachine
from stochastor.fpga.bus.registers import WordCounts, register_map
from stochastor.model.config import Config
from stochastor.model.trainer import Trainer

CONFIG = Config(
    sizes=(9, 4, 5), scale=4, weight_bits=4, carry_digits=2, carry_base=4, carry_period=3, lanes=3, pixels_per_beat=2
)
RNG = np.random.default_rng(2)
FEATURES = RNG.integers(0, 256, (24, 9), dtype=np.uint8)
LABELS = RNG.integers(0, 5, 24)
STALLS = float(os.environ.get("STOCHASTOR_STALLS", "0"))
CLOCK_NS = 10
PATIENCE_NS = 20_000 * CLOCK_NS
WISHBONE = {
    "cyc": "cyc",
    "stb": "stb",
    "we": "we",
    "adr": "adr",
    "datwr": "dat_w",
    "datrd": "dat_r",
    "ack": "ack",
}


def pauses(seed: int) -> Any:
    """Whether a channel pauses, cycle after cycle."""
    random = Random(seed)
    while True:
        yield random.random() < STALLS


def check_training(machine: BusMachine) -> None:
    """Whatever crosses the bus is the golden model's."""
    model = Trainer(CONFIG)
    for part, exponent in ((slice(0, 9), 0), (slice(9, 14), 2)):
        fired = machine.train(FEATURES[part], LABELS[part], exponent)
        traces = model.train(FEATURES[part], LABELS[part], exponent)
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
        np.testing.assert_array_equal(machine.infer(FEATURES[14:17], 3), model.infer(FEATURES[14:17], 3))
    check_state(machine, model)
    counters = machine.counters()
    assert counters.pop("busy_cycles")
    assert counters == model.counts.to_dict()


def check_state(machine: BusMachine, model: Trainer) -> None:
    for ours, theirs in zip(model.weights(), machine.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert machine.generator_states() == model.generator_states()
    assert machine.samples_trained == model.samples_trained


def check_restoring(machine: BusMachine) -> None:
    """From a state that was written, and after a reset, the machine goes on as the golden model does."""
    model = Trainer(CONFIG)
    model.train(FEATURES[:5], LABELS[:5])
    machine.restore(model.weights(), model.generator_states(), 5)
    for trainer in (machine, model):
        trainer.train(FEATURES[5:9], LABELS[5:9])
    check_state(machine, model)
    machine.reset()
    assert machine.generator_states() == Trainer(CONFIG).generator_states()
    assert set(np.concatenate([np.atleast_1d(count) for count in machine.counters().values()])) == {0}
    for ours, theirs in zip(model.weights(), machine.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


class StableSource:
    """Watches a channel that comes out of the machine: what is offered stays as it is until it is taken."""

    def __init__(self, clock: Any, valid: Any, ready: Any, payload: list[Any]) -> None:
        self.transfers = 0
        self.waits = 0
        self._signals = valid, ready, payload
        cocotb.start_soon(self._run(clock))

    async def _run(self, clock: Any) -> None:
        valid, ready, payload = self._signals
        waiting = None
        while True:
            await RisingEdge(clock)
            if waiting is not None:
                assert valid.value == 1, "what was offered was taken back"
                assert [int(signal.value) for signal in payload] == waiting, "what was offered has changed"
            waiting = None
            if valid.value == 1:
                self.transfers += ready.value == 1
                self.waits += ready.value == 0
                if ready.value == 0:
                    waiting = [int(signal.value) for signal in payload]


@cocotb.test()
async def axi(dut: Any) -> None:
    """Train by streams, then by registers; errors of the bus, cut packets, aborts."""
    Clock(dut.aclk, CLOCK_NS, unit="ns").start()
    names = dut.aclk, dut.aresetn
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), *names, reset_active_level=False)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_samples"), *names, reset_active_level=False)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_results"), *names, reset_active_level=False)
    channels = (
        master.write_if.aw_channel,
        master.write_if.w_channel,
        master.write_if.b_channel,
        master.read_if.ar_channel,
        master.read_if.r_channel,
        source,
        sink,
    )
    for seed, channel in enumerate(channels):
        channel.set_pause_generator(pauses(seed))
    watched = [
        StableSource(dut.aclk, dut.s_axi_bvalid, dut.s_axi_bready, [dut.s_axi_bresp]),
        StableSource(dut.aclk, dut.s_axi_rvalid, dut.s_axi_rready, [dut.s_axi_rdata, dut.s_axi_rresp]),
        StableSource(
            dut.aclk,
            dut.m_axis_results_tvalid,
            dut.m_axis_results_tready,
            [dut.m_axis_results_tdata, dut.m_axis_results_tlast],
        ),
    ]
    dut.aresetn.value = 0
    for _ in range(3):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1

    @resume
    async def read(offset: int) -> int:
        response = await master.read(offset, 4)
        assert response.resp == 0
        return int.from_bytes(response.data, "little")

    @resume
    async def write(offset: int, word: int) -> None:
        assert (await master.write(offset, word.to_bytes(4, "little"))).resp == 0

    @resume
    async def transfer(words: Any, count: int) -> Any:
        await source.send(AxiStreamFrame(words.astype("<u4").tobytes()))
        frame = await with_timeout(cocotb.start_soon(sink.recv()), PATIENCE_NS, "ns")
        assert len(frame.tdata) == 4 * count, "a packet of results has another length"
        return np.frombuffer(bytes(frame.tdata), dtype="<u4")

    @bridge
    def by_streams() -> None:
        machine = BusMachine(read, write, CONFIG, transfer)
        check_training(machine)
        check_restoring(machine)

    await by_streams()
    assert all(channel.transfers for channel in watched)
    assert STALLS == 0 or all(channel.waits for channel in watched)
    await check_errors_of_axi(master)
    await check_cut_packet(master, source, sink)

    @bridge
    def by_registers() -> None:
        machine = BusMachine(read, write, CONFIG)
        model = Trainer(CONFIG)
        machine.restore(model.weights(), model.generator_states(), 0)
        np.testing.assert_array_equal(
            machine.train(FEATURES[:6], LABELS[:6]),
            [trace.outputs for trace in model.train(FEATURES[:6], LABELS[:6])],
        )
        check_state(machine, model)

    await by_registers()


async def check_errors_of_axi(master: Any) -> None:
    """What is not there is answered with SLVERR and changes nothing."""
    offsets = register_map(CONFIG, streams=True).offsets
    for offset, content in (
        (offsets["identity"], b"\1\0\0\0"),
        (offsets["result"], b"\1\0\0\0"),
        (0x7C, b"\1\0\0\0"),
        (offsets["target"], b"\5"),
    ):
        assert (await master.write(offset, content)).resp == 2
    for offset in (0x7C, offsets["sample"]):
        assert (await master.read(offset, 4)).resp == 2
    assert int.from_bytes((await master.read(offsets["identity"], 4)).data, "little") == 0x434F5453
    assert int.from_bytes((await master.read(offsets["target"], 4)).data, "little") != 5


async def check_cut_packet(master: Any, source: Any, sink: Any) -> None:
    """A packet that ends within a sample trains nothing of it, and the next one is whole."""
    offsets = register_map(CONFIG, streams=True).offsets
    counts = WordCounts.of(CONFIG)
    before = int.from_bytes((await master.read(offsets["position"], 4)).data, "little")
    await master.write_dword(offsets["packet"], 1)
    sample = bytes([3, 0, 0, 0, *FEATURES[0], 0, 0, 0])
    await source.send(AxiStreamFrame(sample[:8]))
    await source.send(AxiStreamFrame(sample))
    frame = await with_timeout(cocotb.start_soon(sink.recv()), PATIENCE_NS, "ns")
    assert len(frame.tdata) == 4 * counts.result
    assert int.from_bytes(frame.tdata[:4], "little") == before
    assert await master.read_dword(offsets["position"]) == before + 1
    assert await master.read_dword(offsets["errors"]) == 8
    await master.write_dword(offsets["errors"], 8)
    assert await master.read_dword(offsets["errors"]) == 0


@cocotb.test()
async def wishbone(dut: Any) -> None:
    """Train by registers; errors of the bus, and what the buffers refuse."""
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    dut.rst.value = 1
    for name in ("cyc", "stb", "we", "adr", "sel", "dat_w"):
        getattr(dut, f"wb_{name}").value = 0
    for _ in range(3):
        await RisingEdge(dut.clk)
    # Not before: what the master sets at once is lost in Icarus before the first step in time.
    master = WishboneMaster(dut, "wb", dut.clk, timeout=100_000, signals_dict=WISHBONE)
    random = Random(5)
    cocotb.start_soon(watch_wishbone(dut))
    dut.rst.value = 0

    async def cycle(*operations: tuple[int, int | None]) -> Any:
        """Operations in one cycle of the bus, with strobes that pause."""
        idles = [next(i for i in itertools.count() if random.random() >= STALLS) for _ in operations]
        return await master.send_cycle(
            [WBOp(offset // 4, word, idle=idle) for (offset, word), idle in zip(operations, idles, strict=True)]
        )

    @resume
    async def read(offset: int) -> int:
        (result,) = await cycle((offset, None))
        assert result.ack == 1
        return int(result.datrd)

    @resume
    async def write(offset: int, word: int) -> None:
        (result,) = await cycle((offset, word))
        assert result.ack == 1

    await check_errors_of_wishbone(cycle)

    @bridge
    def by_registers() -> None:
        machine = BusMachine(read, write, CONFIG)
        check_training(machine)
        check_restoring(machine)
        check_refusals(machine)

    await by_registers()


async def check_errors_of_wishbone(cycle: Any) -> None:
    """What is not there is answered with ERR, and the operations around it with ACK."""
    offsets = register_map(CONFIG, streams=False).offsets
    results = await cycle(
        (offsets["identity"], None),
        (offsets["identity"], 1),
        (0x7C, None),
        (offsets["target"], 0x10002),
        (offsets["sample"], None),
        (offsets["target"], None),
    )
    assert [result.ack for result in results] == [1, 2, 2, 1, 2, 1]
    assert [int(results[index].datrd) for index in (0, 5)] == [0x434F5453, 0x10002]


def check_refusals(machine: BusMachine) -> None:
    """A buffer that is full or empty and a machine that works refuse, and tell of it; what was accepted is kept."""
    counts = WordCounts.of(CONFIG)
    machine.set("control", run=0)
    assert machine.get("result") == 0
    for _ in range(machine.get("room") + 1):
        machine.set("sample", value=0)
    assert machine.get("room") == 0
    assert machine.get("waiting") == 0
    assert machine.fields("errors") == {"overflow": 1, "underflow": 1, "collision": 0, "cut": 0}
    machine.set("errors", underflow=1)
    assert machine.fields("errors") == {"overflow": 1, "underflow": 0, "collision": 0, "cut": 0}
    assert machine.samples_trained == 0
    machine.set("control", run=1)
    machine.set("value", value=0)
    machine.set("position", value=5)
    assert machine.fields("errors") == {"overflow": 1, "underflow": 0, "collision": 1, "cut": 0}
    while machine.get("waiting") < counts.result:
        pass
    machine.set("sample", value=0)
    machine.set("errors", overflow=1, collision=1)
    machine.abort()
    assert machine.fields("status") == {"idle": 1, "training": 0, "empty": 1, "streams": 0}
    assert machine.get("room") == counts.sample_buffer
    assert machine.samples_trained == counts.sample_buffer // counts.sample == 2
    machine.set("position", value=77)
    assert machine.samples_trained == 77
    machine.check_errors()


async def watch_wishbone(dut: Any) -> None:
    """ACK and ERR end a strobe, one of them, for a cycle."""
    ended = False
    while True:
        await RisingEdge(dut.clk)
        if dut.rst.value == 1:
            continue
        answers = int(dut.wb_ack.value) + int(dut.wb_err.value)
        assert answers <= 1, "a strobe was answered twice"
        assert not answers or (dut.wb_cyc.value == 1 and dut.wb_stb.value == 1), "nobody asked"
        assert not (answers and ended), "an answer lasts longer than a cycle"
        ended = bool(answers)
