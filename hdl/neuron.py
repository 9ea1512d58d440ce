"""Neurons: reference codes for every line, and what their comparisons mean; the twin of the samplers that compare."""

from abc import abstractmethod

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..model.config import Gate
from .events import LineGroup
from .lfsr import GeneratorPort
from .read import CompareRequest, CompareResponse
from .samplers import Draws, present
from .tables import CodeTable


class RandomCodes(wiring.Component):
    """Draws a reference code for each line of one or more operations.

    Parameters
    ----------
    columns, groups, tables : int
        Lines of an operation, `tables` of them in each of `groups` groups.
    codes : tuple of int
        Code of every byte.
    reference_bits : int
        Width of a signed code.
    operations : int
        Operations that a start runs, one after the other.
    window : bool
        Whether the codes are lower ends of windows.
    seeds : tuple of int
        Reset state of each bank.

    Members
    -------
    port : In(GeneratorPort())
    start : In(1)
    request : Out(stream of CompareRequest)
        `last` marks the last group of every operation.

    Latency
    -------
    Two cycles from start to the first request, then a group a cycle.
    """

    def __init__(
        self,
        *,
        columns: int,
        groups: int,
        tables: int,
        codes: tuple[int, ...],
        reference_bits: int,
        operations: int,
        window: bool,
        seeds: tuple[int, ...],
    ) -> None:
        self._columns = columns
        self._tables = tables
        self._codes = codes
        self._reference_bits = reference_bits
        self._operations = operations
        self._window = window
        self._seeds = seeds
        super().__init__(
            {
                "port": In(GeneratorPort()),
                "start": In(1),
                "request": Out(stream.Signature(CompareRequest(groups, tables, reference_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.draws = draws = Draws(self._columns, self._tables, self._seeds)
        m.submodules.table = table = CodeTable(self._codes, self._tables, self._reference_bits)
        connect(m, flipped(self.port), draws.port)
        left = Signal(range(self._operations + 1))
        group = Signal.like(draws.beat)
        last = Signal()
        advance = Signal()
        m.d.comb += [
            advance.eq(~self.request.valid | self.request.ready),
            draws.advance.eq(advance & (left != 0)),
            table.bytes.eq(draws.bytes),
            table.enable.eq(draws.advance),
            self.request.p.lower.eq(table.codes),
            self.request.p.group.eq(group),
            self.request.p.last.eq(last),
            self.request.p.window.eq(self._window),
        ]
        with m.If(advance):
            m.d.sync += [self.request.valid.eq(draws.advance), group.eq(draws.beat), last.eq(draws.last)]
        with m.If(draws.advance & draws.last):
            m.d.sync += left.eq(left - 1)
        with m.If(self.start):
            m.d.sync += left.eq(self._operations)
        return m


class FixedCodes(wiring.Component):
    """Offers the same reference code for each line, the lower end of a window.

    Parameters
    ----------
    groups, tables : int
        Lines in groups of `tables`.
    code, reference_bits : int
        The code and its signed width.

    Members
    -------
    start : In(1)
    request : Out(stream of CompareRequest)

    Latency
    -------
    One cycle from start to the first request, then a group a cycle.
    """

    def __init__(self, *, groups: int, tables: int, code: int, reference_bits: int) -> None:
        self._groups = groups
        self._tables = tables
        self._code = code
        self._reference_bits = reference_bits
        super().__init__(
            {
                "start": In(1),
                "request": Out(stream.Signature(CompareRequest(groups, tables, reference_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = self.request
        group = Signal.like(request.p.group)
        last = Signal()
        m.d.comb += [
            last.eq(group == self._groups - 1),
            request.p.group.eq(group),
            request.p.last.eq(last),
            request.p.window.eq(1),
            request.p.lower.eq(Cat([Const(self._code, self._reference_bits)] * self._tables)),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += group.eq(Mux(last, 0, group + 1))
            with m.If(last):
                m.d.sync += request.valid.eq(0)
        with m.If(self.start):
            m.d.sync += request.valid.eq(1)
        return m


class Decision(wiring.Component):
    """Turns comparator decisions into one bit a line.

    Parameters
    ----------
    columns, groups, tables : int
        Lines, `tables` of them in each of `groups` groups.

    Members
    -------
    response : In(stream of CompareResponse)
    groups : Out(stream of LineGroup)

    Latency
    -------
    None.
    """

    def __init__(self, *, columns: int, groups: int, tables: int) -> None:
        self._columns = columns
        self._groups = groups
        self._tables = tables
        super().__init__(
            {
                "response": In(stream.Signature(CompareResponse(groups, tables))),
                "groups": Out(stream.Signature(LineGroup(groups, tables))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        response = self.response.p
        bits = Signal(self._tables)
        complete = self._decide(m, bits)
        m.d.comb += [
            self.groups.valid.eq(self.response.valid & complete),
            self.response.ready.eq(self.groups.ready | ~complete),
            self.groups.p.group.eq(response.group),
            self.groups.p.last.eq(response.last),
            self.groups.p.bits.eq(bits & present(self._columns, self._tables, response.last)),
        ]
        return m

    @abstractmethod
    def _decide(self, m: Module, bits: Signal) -> Signal | Const:
        """Drive `bits`; return whether the operation at hand completes them."""


class Fire(Decision):
    """A line fires if z is above its threshold."""

    def _decide(self, m: Module, bits: Signal) -> Signal | Const:
        m.d.comb += bits.eq(self.response.p.above)
        return Const(1)


class WindowGate(Decision):
    """A gate is open if z is above the lower end of the window and not beyond the upper one."""

    def _decide(self, m: Module, bits: Signal) -> Signal | Const:
        m.d.comb += bits.eq(self.response.p.above & ~self.response.p.beyond)
        return Const(1)


class XorGate(Decision):
    """A gate is open if two operations with fire thresholds differ; the first one is kept and gives no groups."""

    def _decide(self, m: Module, bits: Signal) -> Signal | Const:
        response = self.response.p
        kept = Signal(self._groups * self._tables)
        second = Signal()
        first = kept.word_select(response.group, self._tables)
        m.d.comb += bits.eq(response.above ^ first)
        with m.If(self.response.valid & self.response.ready):
            with m.If(~second):
                m.d.sync += first.eq(response.above)
            with m.If(response.last):
                m.d.sync += second.eq(~second)
        return second


class Neurons(wiring.Component):
    """The comparators' controller of a layer: which codes to compare with, and what the answers mean.

    Parameters
    ----------
    columns, groups, tables : int
        Lines, `tables` of them in each of `groups` groups.
    thresholds : tuple of int
        Fire threshold of every byte.
    windows : tuple of int
        Half width of the gate window of every byte; not used by the xor gate.
    gate : Gate or None
        Kind of gate; None in the output layer, which has none.
    reference_bits : int
        Width of a signed code.
    fire_seeds, gate_seeds : tuple of int
        Reset states of the generators; the latter is not used by the fixed window.

    Members
    -------
    fire_port : In(GeneratorPort())
    gate_port : In(GeneratorPort())
        Only where gates are drawn.
    fire, gate : In(1)
        Start to fire, start to gate; never at the same time.
    request : Out(stream of CompareRequest)
    response : In(stream of CompareResponse)
    fired : Out(stream of LineGroup)
    gates : Out(stream of LineGroup)
        Not in the output layer.

    Latency
    -------
    As of `RandomCodes` or `FixedCodes`.
    """

    def __init__(
        self,
        *,
        columns: int,
        groups: int,
        tables: int,
        thresholds: tuple[int, ...],
        windows: tuple[int, ...],
        gate: Gate | None,
        reference_bits: int,
        fire_seeds: tuple[int, ...],
        gate_seeds: tuple[int, ...],
    ) -> None:
        self._lines = {"columns": columns, "groups": groups, "tables": tables}
        self._thresholds = thresholds
        self._windows = windows
        self._gate = gate
        self._reference_bits = reference_bits
        self._fire_seeds = fire_seeds
        self._gate_seeds = gate_seeds
        line_groups = stream.Signature(LineGroup(groups, tables))
        members = {
            "fire_port": In(GeneratorPort()),
            "fire": In(1),
            "gate": In(1),
            "request": Out(stream.Signature(CompareRequest(groups, tables, reference_bits))),
            "response": In(stream.Signature(CompareResponse(groups, tables))),
            "fired": Out(line_groups),
        }
        if gate is not None:
            members["gates"] = Out(line_groups)
        if gate in (Gate.RANDOM_WINDOW, Gate.XOR):
            members["gate_port"] = In(GeneratorPort())
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fire_codes = fire_codes = self._random_codes(self._thresholds, self._fire_seeds)
        m.submodules.fire_decision = fire_decision = Fire(**self._lines)
        connect(m, flipped(self.fire_port), fire_codes.port)
        connect(m, fire_decision.groups, flipped(self.fired))
        m.d.comb += fire_codes.start.eq(self.fire)
        if self._gate is None:
            self._compare(m, fire_codes, fire_decision)
            return m

        m.submodules.gate_codes = gate_codes = self._gate_codes()
        m.submodules.gate_decision = gate_decision = (XorGate if self._gate is Gate.XOR else WindowGate)(**self._lines)
        if isinstance(gate_codes, RandomCodes):
            connect(m, flipped(self.gate_port), gate_codes.port)
        connect(m, gate_decision.groups, flipped(self.gates))
        m.d.comb += gate_codes.start.eq(self.gate)
        gating = Signal()
        with m.If(self.fire):
            m.d.sync += gating.eq(0)
        with m.Elif(self.gate):
            m.d.sync += gating.eq(1)
        with m.If(gating):
            self._compare(m, gate_codes, gate_decision)
        with m.Else():
            self._compare(m, fire_codes, fire_decision)
        return m

    def _random_codes(
        self, codes: tuple[int, ...], seeds: tuple[int, ...], *, operations: int = 1, window: bool = False
    ) -> RandomCodes:
        return RandomCodes(
            **self._lines,
            codes=codes,
            reference_bits=self._reference_bits,
            operations=operations,
            window=window,
            seeds=seeds,
        )

    def _gate_codes(self) -> RandomCodes | FixedCodes:
        if self._gate is Gate.XOR:
            return self._random_codes(self._thresholds, self._gate_seeds, operations=2)
        lower = tuple(-width for width in self._windows)
        if self._gate is Gate.RANDOM_WINDOW:
            return self._random_codes(lower, self._gate_seeds, window=True)
        return FixedCodes(
            groups=self._lines["groups"],
            tables=self._lines["tables"],
            code=lower[0],
            reference_bits=self._reference_bits,
        )

    def _compare(self, m: Module, codes: RandomCodes | FixedCodes, decision: Decision) -> None:
        m.d.comb += [
            self.request.valid.eq(codes.request.valid),
            self.request.p.eq(codes.request.p),
            codes.request.ready.eq(self.request.ready),
            decision.response.valid.eq(self.response.valid),
            decision.response.p.eq(self.response.p),
            self.response.ready.eq(decision.response.ready),
        ]
