"""Register file, counters of 64 bits and the bridges, with masters that pause at random."""

from random import Random

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator
from mutation import mutate
from stochastor.fpga.bus import axi, counter_bank, register_file, wishbone
from stochastor.fpga.bus.axi import AxiLiteBridge
from stochastor.fpga.bus.counter_bank import CounterBank
from stochastor.fpga.bus.definition import Field, Kind, Register, RegisterMap
from stochastor.fpga.bus.register_file import RegisterFile
from stochastor.fpga.bus.wishbone import WishboneBridge

OK, REFUSED = 0, 2


def register(name, offset, *fields):
    return Register(
        name=name,
        offset=offset,
        description="",
        fields=tuple(
            Field(name=field, low=low, width=width, kind=kind, reset=reset, description="")
            for field, low, width, kind, reset in fields
        ),
    )


MAP = RegisterMap(
    name="map",
    description="",
    registers=(
        register("fixed", 0x00, ("low", 0, 8, Kind.CONSTANT, 0x5A), ("high", 31, 1, Kind.CONSTANT, 1)),
        register("held", 0x04, ("a", 1, 4, Kind.HELD, 9), ("b", 8, 16, Kind.HELD, 0), ("act", 30, 1, Kind.PULSE, 0)),
        register("shown", 0x08, ("level", 4, 8, Kind.STATUS, 0)),
        register("events", 0x0C, ("x", 0, 1, Kind.STICKY, 0), ("y", 5, 1, Kind.STICKY, 0)),
        register("slow", 0x10, ("value", 0, 32, Kind.PORT, 0)),
        register("given", 0x14, ("value", 0, 32, Kind.GIVEN, 0)),
        register("taken", 0x18, ("value", 0, 32, Kind.TAKEN, 0)),
    ),
)
# Address, what is written, and what must come: word and response.
OPERATIONS = [
    (0x00, None, 0x8000005A, OK),
    (0x00, 1, 0, REFUSED),
    (0x04, None, 9 << 1, OK),
    (0x04, 0xFFFFFFFF, 0, OK),
    (0x04, None, 0x00FFFF1E, OK),
    (0x08, None, 0xC70, OK),
    (0x08, 3, 0, REFUSED),
    (0x0C, None, 0x21, OK),
    (0x0C, 0x20, 0, OK),
    (0x0C, None, 0x01, OK),
    (0x10, 77, 0, OK),
    (0x10, None, 78, OK),
    (0x14, None, 0, REFUSED),
    (0x14, 5, 0, OK),
    (0x18, None, 6, OK),
    (0x18, 5, 0, REFUSED),
    (0x1C, None, 0, REFUSED),
    (0x1C, 5, 0, REFUSED),
]


def behind(registers, log):
    """What is behind the registers: a status, events, a port that takes its time and keeps a word."""

    async def run(ctx):
        random = Random(1)
        ctx.set(registers.shown.level, 0xC7)
        for event in (registers.events.x, registers.events.y):
            ctx.set(event.set, 1)
        await ctx.tick()
        for event in (registers.events.x, registers.events.y):
            ctx.set(event.set, 0)
        kept = 0
        while True:
            done = 0
            for port in (registers.slow, registers.given, registers.taken):
                ctx.set(port.done, 0)
                if (ctx.get(port.read) or ctx.get(port.write)) and random.random() < 0.4:
                    done = port
                    ctx.set(port.value, kept + 1)
                    ctx.set(port.done, 1)
                    kept = ctx.get(port.data) if ctx.get(port.write) else kept
            if ctx.get(registers.held.act):
                log.append("act")
            if done:
                log.append((kept, ctx.get(done.write)))
            await ctx.tick()

    return run


def run(top, *testbenches, background=(), cycles=1500):
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    simulator.run_until(cycles * 1e-6)


def bridged(bridge):
    m = Module()
    m.submodules.registers = registers = RegisterFile(MAP)
    m.submodules.bridge = bridge
    connect(m, bridge.bus, registers.bus)
    return m, registers


def check_axi_lite():
    """All operations by AXI4-Lite, with channels that pause; what is offered must stay."""
    bridge = AxiLiteBridge(MAP.address_bits)
    top, registers = bridged(bridge)
    bus, answers, events, random = bridge.axi, [], [], Random(2)

    async def give(ctx, channel, **payload):
        while random.random() < 0.4:
            await ctx.tick()
        for name, value in payload.items():
            ctx.set(getattr(bus, name), value)
        ctx.set(getattr(bus, f"{channel}valid"), 1)
        await ctx.tick().until(getattr(bus, f"{channel}ready"))
        ctx.set(getattr(bus, f"{channel}valid"), 0)

    async def take(ctx, channel, *payload):
        valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")
        signals = [getattr(bus, name) for name in payload]
        offered = None
        while True:
            ctx.set(ready, random.random() < 0.5)
            _, _, seen, taken, *values = await ctx.tick().sample(valid, ready, *signals)
            assert offered is None or (seen and values == offered), "what was offered has changed"
            offered = values if seen else None
            if seen and taken:
                ctx.set(ready, 0)
                return values

    async def master(ctx):
        for offset, word, _, _ in OPERATIONS:
            if word is None:
                await give(ctx, "ar", araddr=offset)
                answers.append(tuple(await take(ctx, "r", "rdata", "rresp")))
                continue
            channels = [("aw", {"awaddr": offset}), ("w", {"wdata": word, "wstrb": 0xF})]
            random.shuffle(channels)
            for channel, payload in channels:
                await give(ctx, channel, **payload)
            answers.append((0, *await take(ctx, "b", "bresp")))
        await give(ctx, "aw", awaddr=0x04)
        await give(ctx, "w", wdata=0, wstrb=0b0111)
        assert await take(ctx, "b", "bresp") == [REFUSED]
        answers.append("end")

    run(top, master, background=(behind(registers, events),))
    assert answers == [(value, response) for _, _, value, response in OPERATIONS] + ["end"]
    assert events == ["act", (77, 1), (77, 0), (5, 1), (5, 0)]


def check_wishbone():
    """All operations by Wishbone, some in one cycle of the bus, some given up."""
    bridge = WishboneBridge(MAP.address_bits)
    top, registers = bridged(bridge)
    bus, answers, events, random = bridge.wb, [], [], Random(3)

    async def master(ctx):
        for offset, word, _, _ in OPERATIONS:
            while random.random() < 0.3:
                ctx.set(bus.cyc, random.random() < 0.5)
                ctx.set(bus.stb, 0)
                await ctx.tick()
            # Given up: no answer may come to what is asked next.
            for signal, value in ((bus.adr, 2), (bus.we, 0), (bus.cyc, 1), (bus.stb, 1)):
                ctx.set(signal, value)
            await ctx.tick().repeat(random.randint(1, 2))
            ctx.set(bus.stb, 0)
            await ctx.tick().repeat(random.randint(1, 2))
            for signal, value in ((bus.adr, offset // 4), (bus.we, word is not None), (bus.dat_w, word or 0)):
                ctx.set(signal, value)
            for signal, value in ((bus.sel, 0xF), (bus.cyc, 1), (bus.stb, 1)):
                ctx.set(signal, value)
            *_, value, err = await ctx.tick().sample(bus.dat_r, bus.err).until(bus.ack | bus.err)
            answers.append((0 if word is not None else value, REFUSED if err else OK))
            ctx.set(bus.stb, 0)
        for signal, value in ((bus.adr, 1), (bus.we, 1), (bus.sel, 0b0111), (bus.stb, 1)):
            ctx.set(signal, value)
        assert (await ctx.tick().sample(bus.err).until(bus.ack | bus.err)) == (1,)
        answers.append("end")

    run(top, master, background=(behind(registers, events),))
    assert answers == [(value, response) for _, _, value, response in OPERATIONS] + ["end"]
    assert events == ["act", (77, 1), (77, 0), (5, 1), (5, 0)]


def test_registers_read_and_act_as_they_are_defined_by_axi_lite():
    check_axi_lite()


def test_registers_read_and_act_as_they_are_defined_by_wishbone():
    check_wishbone()


def test_answers_come_after_the_cycles_that_the_page_says():
    axi_bridge, wishbone_bridge = AxiLiteBridge(MAP.address_bits), WishboneBridge(MAP.address_bits)
    cycles = []

    def counting(signal, *start):
        async def master(ctx):
            await ctx.tick().repeat(3)
            for each in start:
                ctx.set(each, 1)
            if start[0] is axi_bridge.axi.arvalid:
                await ctx.tick()
                ctx.set(start[0], 0)
                cycles.append(1)
            else:
                cycles.append(0)
            while not ctx.get(signal):
                cycles[-1] += 1
                await ctx.tick()

        return master

    run(bridged(axi_bridge)[0], counting(axi_bridge.axi.rvalid, axi_bridge.axi.arvalid))
    run(bridged(wishbone_bridge)[0], counting(wishbone_bridge.wb.ack, wishbone_bridge.wb.cyc, wishbone_bridge.wb.stb))
    assert cycles == [4, 3]


def check_counters(wraps=3):
    """Counters that wrap again and again, while others are read, have the upper words that they should."""
    bank = CounterBank(1)
    names = [name for name, _ in bank.counters.shape() if name != "layers"]
    random, read = Random(4), {"done": False}

    async def word(ctx, index):
        ctx.set(bank.port.index, index)
        ctx.set(bank.port.read, 1)
        (value,) = await ctx.tick().sample(bank.port.value).until(bank.port.done)
        ctx.set(bank.port.read, 0)
        return value

    async def counter(ctx, index):
        low = await word(ctx, 2 * index)
        return low | await word(ctx, 2 * index + 1) << 32

    async def drive(ctx):
        await ctx.tick().repeat(2 * 23 + 5)
        step = 0x3FFF_FFFF
        totals = [0] * len(names)
        for _ in range(4 * wraps):
            for index, name in enumerate(names):
                totals[index] += step - index
                ctx.set(bank.counters[name], totals[index] % (1 << 32))
            for _ in range(40):
                index = random.randrange(len(names))
                assert await counter(ctx, index) == totals[index]
        read["totals"] = totals
        # The high word stays as the low one was read.
        low = await word(ctx, 0)
        ctx.set(bank.counters[names[0]], (low + step) % (1 << 32))
        await ctx.tick().repeat(100)
        assert low | await word(ctx, 1) << 32 == totals[0]
        ctx.set(bank.clear, 1)
        await ctx.tick()
        ctx.set(bank.clear, 0)
        for name in names:
            ctx.set(bank.counters[name], 0)
        for index in range(len(names)):
            assert await counter(ctx, index) == 0
        await ctx.tick().repeat(100)
        for index in range(len(names)):
            assert await counter(ctx, index) == 0
        read["done"] = True

    run(bank, drive, cycles=6000)
    assert read["done"]
    assert all(total >> 32 for total in read["totals"])


def test_counters_have_64_bits_and_are_read_in_one_instant():
    check_counters()


# Check, class, method, the code as it is, the code as it is not.
MUTATIONS = [
    (check_axi_lite, axi.AxiLiteBridge, "elaborate", "axi.awaddr[2:]", "axi.awaddr[3:]"),
    (check_axi_lite, axi.AxiLiteBridge, "elaborate", "with m.If(axi.rready):", "if True:"),
    (check_axi_lite, axi.AxiLiteBridge, "_accept", "kept.eq(0), ready.eq(1)", "ready.eq(1)"),
    (check_axi_lite, axi.AxiLiteBridge, "elaborate", "~strobes.all()", "~strobes.any()"),
    (check_axi_lite, register_file.RegisterFile, "_write", "is_set.eq(0)", "is_set.eq(1)"),
    (check_axi_lite, register_file.RegisterFile, "elaborate", "~external | ~allowed | done", "1"),
    (check_axi_lite, register_file.RegisterFile, "_decode", "allowed.eq(~self.bus.write)", "allowed.eq(1)"),
    (check_wishbone, wishbone.WishboneBridge, "elaborate", "bus.address.eq(wb.adr)", "bus.address.eq(wb.adr ^ 1)"),
    (check_wishbone, wishbone.WishboneBridge, "elaborate", "~wb.sel.all()", "~wb.sel.any()"),
    (check_wishbone, wishbone.WishboneBridge, "elaborate", "abandoned.eq(1)", "abandoned.eq(0)"),
    (check_wishbone, wishbone.WishboneBridge, "elaborate", "strobe & ~wb.ack & ~wb.err", "strobe"),
    (check_counters, counter_bank.CounterBank, "elaborate", "read_port.data.top & ~low[-1]", "0"),
    (check_counters, counter_bank.CounterBank, "elaborate", "data.top.eq(low[-1])", "data.top.eq(0)"),
    (check_counters, counter_bank.CounterBank, "elaborate", "clearing.eq(1), looking.eq(0)", "looking.eq(0)"),
    (check_counters, counter_bank.CounterBank, "elaborate", "latched.eq(high)", "latched.eq(low)"),
]


@pytest.mark.parametrize(
    ("check", "owner", "method", "code", "other"),
    MUTATIONS,
    ids=[f"{owner.__name__}: {other}" for _, owner, _, _, other in MUTATIONS],
)
def test_one_wrong_line_of_registers_and_bridges_is_noticed(monkeypatch, check, owner, method, code, other):
    mutate(monkeypatch, owner, method, code, other)
    with pytest.raises(AssertionError):
        check()
