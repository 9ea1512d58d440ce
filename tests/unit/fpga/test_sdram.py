"""The controller against a chip that raises on whatever its data sheet forbids."""

from dataclasses import replace
from random import Random

import pytest
from amaranth.sim import Simulator
from mutation import mutate
from stochastor.fpga.sdram import SdramController
from stochastor.fpga.sdram_chip import MBYTES_32, Timings
from stochastor.model.errors import ConfigError

from .sdram_chip import SdramChip, Violation

CLOCKS = [10_000_000, 25_000_000, 33_000_000, 40_000_000, 50_000_000, 66_000_000]
MOST_CYCLES = 6000
SOON = replace(MBYTES_32, power_up_us=2.0)


class Bench:
    """A controller and a chip, a cycle at a time.

    Attributes
    ----------
    read : list of int
        Words that came.
    """

    def __init__(self, clock_hz, chip=SOON):
        self.controller = SdramController(chip, clock_hz)
        self.chip = SdramChip(1e9 / clock_hz, chip.power_up_us)
        self.read = []
        self.cycles = 0
        self._violation = None

    def run(self, requests, rest=0):
        """Ask for (write, address, word), or pause for None; then go on for `rest` cycles.

        Raises
        ------
        Violation
            Of the chip, or if a request is not accepted.
        """
        simulator = Simulator(self.controller)
        simulator.add_clock(1e-6)

        async def ask(ctx):
            port = self.controller.port.requests
            for request in requests:
                if request is None:
                    await ctx.tick()
                    continue
                ctx.set(port.p, dict(zip(("write", "address", "word"), request, strict=True)))
                ctx.set(port.valid, 1)
                accepted, begun = False, self.chip.cycle
                while not accepted and self._violation is None:
                    accepted = ctx.get(port.ready)
                    await ctx.tick()
                    if self.chip.cycle - begun > MOST_CYCLES:
                        self._violation = Violation("a request is not accepted")
                ctx.set(port.valid, 0)
                self.cycles = self.chip.cycle
                if self._violation is not None:
                    return
            await ctx.tick().repeat(10 + rest)

        simulator.add_testbench(ask)
        simulator.add_testbench(self._clock, background=True)
        simulator.add_testbench(self._take, background=True)
        simulator.run()
        if self._violation is not None:
            raise self._violation

    async def _clock(self, ctx):
        """Pins have a register on the way out, and two on the way back."""
        pins = self.controller.pins
        seen = (pins.ras, pins.cas, pins.we, pins.bank, pins.address, pins.mask, pins.out, pins.drive)
        way_back = [None, None]
        async for _, _, *levels in ctx.tick().sample(*seen):
            try:
                way_back.append(self.chip.edge(*levels))
            except Violation as violation:
                self._violation = violation
                return
            word = way_back.pop(0)
            ctx.set(pins.coming, 0xBAD if word is None else word)

    async def _take(self, ctx):
        words = self.controller.port.words
        async for _, _, valid, word in ctx.tick().sample(words.valid, words.p):
            if valid:
                self.read.append(word)


def traffic(count, seed):
    """Random requests, in runs along addresses with pauses, and the words that must come; a long run at the end."""
    random, memory, requests, expected = Random(seed), {}, [], []
    places = [random.randrange(1 << 24) & ~0x1FF | column for column in (0, 120, 480, 490, 500, 450)]
    while count > 0:
        address, write = random.choice(places) + random.randrange(60), random.random() < 0.5
        for step in range(random.choice((1, 1, 2, 5, 20))):
            if write:
                memory[address + step] = random.getrandbits(16)
                requests.append((1, address + step, memory[address + step]))
            elif address + step in memory:
                requests.append((0, address + step, 0))
                expected.append(memory[address + step])
            count -= 1
        requests += [None] * random.choice((0, 0, 0, 1, 3, 100))
    return requests + [(1, places[0] + column, 0) for column in range(500)], expected


def check_traffic(clock_hz, count=1500, seed=1, chip=SOON):
    """Run random traffic; what the chip forbids, and a wrong word, raise."""
    bench = Bench(clock_hz, chip)
    requests, expected = traffic(count, seed)
    bench.run(requests, rest=round(20e-6 * clock_hz))
    assert bench.read == expected
    return bench


@pytest.mark.parametrize("clock_hz", CLOCKS)
def test_words_come_back_and_the_data_sheet_is_kept_at_every_clock(clock_hz):
    bench = check_traffic(clock_hz)
    names = [name for _, name in bench.chip.commands]
    assert min(names.count(name) for name in ("ACTIVATE", "READ", "WRITE", "PRECHARGE", "REFRESH")) > 20


def test_the_chip_is_made_ready_as_the_data_sheet_asks():
    bench = Bench(25_000_000, MBYTES_32)
    bench.run([(1, 0x123456, 7), (0, 0x123456, 0)])
    assert bench.read == [7]
    names = [name for _, name in bench.chip.commands]
    assert names[:10] == ["PRECHARGE", *["REFRESH"] * 8, "MODE"]
    assert bench.chip.commands[0][0] >= 5000
    assert bench.chip.words == {(2, 0x123456 >> 11, 0x56): 7}


def test_a_run_of_words_takes_a_cycle_each_within_a_row():
    bench = Bench(50_000_000)
    words = [(1, address, address) for address in range(512)] + [(0, address, 0) for address in range(512)]
    bench.run(words)
    assert bench.read == list(range(512))
    begun = next(cycle for cycle, name in bench.chip.commands if name == "ACTIVATE")
    # Three refreshes of 2 + 4 + 2 cycles at most come in between, and the turn of the data pins.
    assert bench.cycles - begun <= 1024 + 3 * (8 + 2) + 6


def test_a_word_comes_four_cycles_after_its_request():
    controller = SdramController(SOON, 50_000_000)
    cycles = []

    async def ask(ctx):
        port = controller.port
        ctx.set(port.requests.p, {"write": 0, "address": 5, "word": 0})
        ctx.set(port.requests.valid, 1)
        cycle = 0
        async for _, _, ready, valid in ctx.tick().sample(port.requests.ready, port.words.valid):
            cycle += 1
            if ready:
                ctx.set(port.requests.valid, 0)
            if ready or valid:
                cycles.append(cycle)
            if valid:
                return

    simulator = Simulator(controller)
    simulator.add_clock(1e-6)
    simulator.add_testbench(ask)
    simulator.run()
    assert cycles[1] - cycles[0] == 4


@pytest.mark.parametrize("clock_hz", [9_999_999, 66_000_001])
def test_a_clock_that_the_chip_cannot_have_is_refused(clock_hz):
    with pytest.raises(ConfigError, match="take another --frequency-mhz, or --no-memory"):
        SdramController(MBYTES_32, clock_hz)


@pytest.mark.parametrize(
    ("name", "clock_hz"),
    [
        ("activate_to_access", 50_000_000),
        ("precharge", 50_000_000),
        ("row", 50_000_000),
        ("refresh", 50_000_000),
        ("write_recovery", 25_000_000),
        ("mode", 25_000_000),
        ("power_up", 50_000_000),
    ],
)
def test_a_time_that_is_a_cycle_short_is_noticed(monkeypatch, name, clock_hz):
    check_traffic(clock_hz, count=300)
    of = Timings.of
    monkeypatch.setattr(
        Timings, "of", lambda *arguments: replace(times := of(*arguments), **{name: getattr(times, name) - 1})
    )
    with pytest.raises(Violation):
        check_traffic(clock_hz, count=300)


# Method, the code as it is, the code as it is not.
MUTATIONS = [
    ("elaborate", "init=times.power_up - 1)", "init=times.mode)"),
    ("elaborate", "== POWER_UP_REFRESHES - 1", "== POWER_UP_REFRESHES - 2"),
    ("elaborate", "(page == open_page)", "(row == open_page[self._chip.bank_bits :])"),
    ("elaborate", "(page == open_page)", "(bank == open_page[: self._chip.bank_bits])"),
    ("elaborate", "hit & ~due", "hit"),
    ("elaborate", "Elif(~self._coming.any())", "Else()"),
    ("elaborate", "pins.drive.eq(1)", "pins.drive.eq(0)"),
    ("elaborate", "(closing == 0)", "1"),
    ("elaborate", "closing.eq(times.write_recovery - 1)", "closing.eq(closing)"),
    ("elaborate", "masked.eq(0)", "masked.eq(1)"),
    ("elaborate", "pins.bank.eq(0)", "pins.bank.eq(1)"),
    ("_refresh_timer", "self._timings.refresh_interval - self._timings.delay", "self._timings.refresh_interval + 1"),
    ("_refresh_timer", "due.eq(1)", "due.eq(0)"),
    ("_words", "self._coming[-1]", "self._coming[-2]"),
]


@pytest.mark.parametrize(("method", "code", "other"), MUTATIONS, ids=[other for _, _, other in MUTATIONS])
def test_one_wrong_line_of_the_controller_is_noticed(monkeypatch, method, code, other):
    mutate(monkeypatch, SdramController, method, code, other)
    with pytest.raises(AssertionError):
        check_traffic(50_000_000, count=600)
