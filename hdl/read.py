"""The two ways to read an integer crossbar: forward into held sums that are compared, backward into a sign."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out


class CompareRequest(data.StructLayout):
    """Compare the lines of `group` with the signed codes `lower`, and for a `window` with ~lower = -lower - 1, too."""

    def __init__(self, groups: int, tables: int, reference_bits: int) -> None:
        codes = data.ArrayLayout(signed(reference_bits), tables)
        super().__init__({"group": range(max(groups, 2)), "last": 1, "window": 1, "lower": codes})


class CompareResponse(data.StructLayout):
    """For each line of `group`: `above` is [z > lower]; `beyond` is [z > ~lower] of a window, otherwise 0."""

    def __init__(self, groups: int, tables: int) -> None:
        super().__init__({"group": range(max(groups, 2)), "last": 1, "above": tables, "beyond": tables})


class Sensed(data.StructLayout):
    """Comparator decisions on the backward sum s of `row`: [s > 0] and [s > -1]."""

    def __init__(self, rows: int) -> None:
        super().__init__({"valid": 1, "row": range(max(rows, 2)), "above_zero": 1, "above_minus_one": 1})


class ForwardRead(wiring.Component):
    """Sums the driven words lane by lane, holds the sums, and compares them.

    Parameters
    ----------
    lanes : int
        Columns in a word.
    groups, groups_per_fold, tables : int
        Lines are held and compared `tables` at a time.
    weight_bits, reference_bits, read_bits : int
        Widths of weights, codes and sums, signed.

    Members
    -------
    word : In(ArrayLayout(signed(weight_bits), lanes))
    valid, last : In(1)
        Add `word`, at the next edge; it is the last one of the fold.
    clear : In(1)
        Forget what is held and start with the first fold, at the next edge.
    busy : Out(1)
        The sums of a fold are being moved to where they are held; no word is accepted.
    request : In(stream of CompareRequest)
        Not ready before its group is held.
    response : Out(stream of CompareResponse)

    Latency
    -------
    A word a cycle. The first group of a fold is accepted two cycles after its last word, each further one a cycle
    later. Response two cycles after request.
    """

    def __init__(
        self,
        *,
        lanes: int,
        groups: int,
        groups_per_fold: int,
        tables: int,
        weight_bits: int,
        reference_bits: int,
        read_bits: int,
    ) -> None:
        self._lanes = lanes
        self._groups = groups
        self._groups_per_fold = groups_per_fold
        self._tables = tables
        self._read = signed(read_bits)
        super().__init__(
            {
                "word": In(data.ArrayLayout(signed(weight_bits), lanes)),
                "valid": In(1),
                "last": In(1),
                "clear": In(1),
                "busy": Out(1),
                "request": In(stream.Signature(CompareRequest(groups, tables, reference_bits))),
                "response": Out(stream.Signature(CompareResponse(groups, tables))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        group_sums = data.ArrayLayout(self._read, self._tables)
        m.submodules.held = held = memory.Memory(
            shape=group_sums, depth=self._groups, init=[], attrs={"no_rw_check": 1}
        )
        write_port = held.write_port()
        read_port = held.read_port()

        lines = self._groups_per_fold * self._tables
        sums = Signal(data.ArrayLayout(self._read, lines))
        held_groups = Signal(range(self._groups + 1))
        group_in_fold = Signal(range(max(self._groups_per_fold, 2)))
        next_held, next_group = Signal.like(held_groups), Signal.like(group_in_fold)
        fold_ends = Signal(init=1 in (self._groups_per_fold, self._groups))
        m.d.comb += [
            write_port.addr.eq(held_groups),
            write_port.data.eq(sums.as_value()[: group_sums.size]),
            write_port.en.eq(self.busy),
            next_held.eq(Mux(self.clear, 0, held_groups + self.busy)),
            next_group.eq(Mux(self.busy, Mux(fold_ends, 0, group_in_fold + 1), group_in_fold)),
        ]
        # A cycle ahead, for it empties all sums.
        m.d.sync += [
            held_groups.eq(next_held),
            group_in_fold.eq(next_group),
            fold_ends.eq((next_group == self._groups_per_fold - 1) | (next_held == self._groups - 1)),
        ]
        with m.If(self.valid & self.last):
            m.d.sync += self.busy.eq(1)
        with m.If(self.busy):
            # The lowest group is moved, and the others step down: less logic than to choose among all of them.
            m.d.sync += sums.eq(sums.as_value() >> group_sums.size)
            with m.If(fold_ends):
                m.d.sync += [sums.eq(0), self.busy.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += [sums[lane].eq(sums[lane] + self.word[lane]) for lane in range(self._lanes)]
        self._compare(m, read_port, held_groups)
        return m

    def _compare(self, m: Module, read_port: memory.ReadPort, held_groups: Signal) -> None:
        """Answer requests; a spare answer keeps who takes them apart from who asks."""
        response = self.response
        compared, decided, spare = (Signal.like(self.request.p), *(Signal.like(response.p) for _ in range(2)))
        compared_valid, spare_valid, compare, taken = Signal(), Signal(), Signal(), Signal()
        above = [read_port.data[line] > compared.lower[line] for line in range(self._tables)]
        beyond = [compared.window & (read_port.data[line] > ~compared.lower[line]) for line in range(self._tables)]
        m.d.comb += [
            decided.group.eq(compared.group),
            decided.last.eq(compared.last),
            decided.above.eq(Cat(above)),
            decided.beyond.eq(Cat(beyond)),
            compare.eq(~compared_valid | ~spare_valid),
            taken.eq(~response.valid | response.ready),
            self.request.ready.eq(compare & (self.request.p.group < held_groups)),
            read_port.addr.eq(self.request.p.group),
            read_port.en.eq(compare),
        ]
        with m.If(compare):
            m.d.sync += [compared_valid.eq(self.request.valid & self.request.ready), compared.eq(self.request.p)]
        with m.If(~spare_valid):
            m.d.sync += spare.eq(decided)
        with m.If(taken):
            m.d.sync += [
                response.valid.eq(spare_valid | compared_valid),
                response.p.eq(Mux(spare_valid, spare, decided)),
                spare_valid.eq(0),
            ]
        with m.Elif(compared_valid):
            m.d.sync += spare_valid.eq(1)


class BackwardRead(wiring.Component):
    """Sums a row's weights along the signs of the columns, fold after fold, and compares the sum.

    Parameters
    ----------
    rows, lanes : int
        Of the crossbar; columns in a word.
    weight_bits, sense_bits : int
        Widths of weights and of the sum over all folds, signed.

    Members
    -------
    word : In(ArrayLayout(signed(weight_bits), lanes))
    signs : In(ArrayLayout(signed(2), lanes))
    valid, last : In(1)
        Take `word` and `signs`, at the next edge; they are of the last fold.
    row : In(range(rows))
    sensed : Out(Sensed)
    busy : Out(1)
        A sum is under way.

    Latency
    -------
    A word a cycle; sensed 2 + ceil(log2(lanes)) cycles after the last one.
    """

    def __init__(self, *, rows: int, lanes: int, weight_bits: int, sense_bits: int) -> None:
        self._lanes = lanes
        self._weight_bits = weight_bits
        self._sense = signed(sense_bits)
        super().__init__(
            {
                "word": In(data.ArrayLayout(signed(weight_bits), lanes)),
                "signs": In(data.ArrayLayout(signed(2), lanes)),
                "valid": In(1),
                "last": In(1),
                "row": In(range(max(rows, 2))),
                "sensed": Out(Sensed(rows)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        terms = [self._signed_weight(m, lane) for lane in range(self._lanes)]
        valid, last, row = self.valid, self.last, self.row
        under_way = []
        level = 0
        while True:
            terms = [self._register(m, term, f"level{level}_{index}") for index, term in enumerate(terms)]
            valid, last, row = (
                self._register(m, value, f"level{level}_{name}")
                for name, value in (("valid", valid), ("last", last), ("row", row))
            )
            under_way.append(valid)
            if len(terms) == 1:
                break
            terms = [sum(terms[index + 1 : index + 2], terms[index]) for index in range(0, len(terms), 2)]
            level += 1

        folds = Signal(self._sense)
        total = Signal(self._sense)
        m.d.comb += [total.eq(folds + terms[0]), self.busy.eq(Cat(*under_way, self.sensed.valid).any())]
        with m.If(valid):
            m.d.sync += folds.eq(Mux(last, 0, total))
        m.d.sync += [
            self.sensed.valid.eq(valid & last),
            self.sensed.row.eq(row),
            self.sensed.above_zero.eq(total > 0),
            self.sensed.above_minus_one.eq(total > -1),
        ]
        return m

    def _signed_weight(self, m: Module, lane: int) -> Signal:
        product = Signal(signed(self._weight_bits + 1), name=f"product{lane}")
        with m.Switch(self.signs[lane]):
            with m.Case(1):
                m.d.comb += product.eq(self.word[lane])
            with m.Case(-1):
                m.d.comb += product.eq(-self.word[lane])
        return product

    def _register(self, m: Module, value: Signal, name: str) -> Signal:
        register = Signal(value.shape(), name=name)
        m.d.sync += register.eq(value)
        return register
