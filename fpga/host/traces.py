"""Reads the trace of the last training sample off a board."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.lib import data

from ...hdl.carry import Carried
from ...hdl.geometry import Geometry
from ...hdl.layer import LayerTrace
from ...hdl.observation import Observer
from ...hdl.words import WORD_BITS, Words, locate, word_count
from ...model.config import Config
from ...model.errors import BoardError, RefusedError
from ...model.trace import Trace
from ..trace_recorder import StepRecord, TracePart, most_carries, most_steps, record_words
from .link import Link
from .requests import Requests


@dataclass(frozen=True)
class _Part:
    """Records of a layer, or its signs: where they are in the trace ports' payload.

    Attributes
    ----------
    layout : StructLayout
        Of a record.
    name : str
        What of the payload the record is; empty for the payload itself.
    records : int
    """

    part: TracePart
    layout: data.StructLayout
    name: str
    records: int

    @property
    def words(self) -> int:
        return self.records * record_words(self.layout)


class TraceReader:
    """Reads traces by a link.

    Parameters
    ----------
    config : Config
        The machine.
    link : Link
    requests : Requests
    """

    def __init__(self, config: Config, link: Link, requests: Requests) -> None:
        self._config = config
        self._link = link
        self._requests = requests
        self._observer = Observer(config)

    def check(self) -> None:
        """Ask whether the board keeps traces.

        Raises
        ------
        BoardError
            If not; the session is over then.
        """
        try:
            self._link.ask(self._requests.read_nothing_of_trace())
        except RefusedError:
            raise BoardError("the board keeps no traces: build it with --trace") from None

    def read(self, number: int, label: int, exponent: int) -> Trace:
        """The trace of the last training sample, under its number, label and k.

        Raises
        ------
        BoardError
            If there are more records than a sample can have.
        """
        layers = range(1, self._config.layers + 1)
        counts = list(self._words([(layer, TracePart.COUNTS, 2) for layer in layers]))
        parts = [self._parts(layer, count.tolist()) for layer, count in zip(layers, counts, strict=True)]
        wanted = [(layer, part.part, part.words) for layer in layers for part in parts[layer - 1]]
        contents = self._words(wanted)
        cycles = [_payloads(self._observer.layouts[layer - 1], parts[layer - 1], contents) for layer in layers]
        return self._observer.assemble(number, label, exponent, cycles).trace

    def _parts(self, layer: int, counts: Sequence[int]) -> list[_Part]:
        config, geometry = self._config, Geometry.of(self._config, layer)
        for count, most in zip(counts, (most_steps(config, layer), most_carries(config, layer)), strict=True):
            if count > most:
                raise BoardError(f"the board tells of {count} records of a sample in layer {layer}, of {most} at most")
        steps, carries = counts
        parts = [_Part(TracePart.STEPS, StepRecord(config, layer), "", steps)]
        if geometry.digits > 1:
            parts.append(_Part(TracePart.CARRIES, Carried(geometry), "carried", carries))
        whole = LayerTrace(config, layer)
        signs = data.StructLayout({"signs": whole.members["signs"]})
        return [*parts, _Part(TracePart.SIGNS, signs, "", 1)]

    def _words(self, wanted: Sequence[tuple[int, TracePart, int]]) -> Iterator[Words]:
        """Words of parts of layers, all asked for in a row."""
        content = b"".join(
            self._link.exchange(
                request
                for layer, part, count in wanted
                for request in self._requests.read_trace(layer - 1, part, count)
            )
        )
        words = np.frombuffer(content, dtype="<u4")
        yield from np.split(words, np.cumsum([count for *_, count in wanted])[:-1])


def _payloads(layout: data.StructLayout, parts: Sequence[_Part], contents: Iterator[Words]) -> Words:
    """The trace port in the cycles that have records, those of the signs last, shape (cycles, words)."""
    payloads = []
    for part in parts:
        records = next(contents).reshape(part.records, record_words(part.layout))
        bits = np.unpackbits(np.ascontiguousarray(records).view(np.uint8), axis=1, bitorder="little")
        payload = np.zeros((part.records, word_count(layout.size) * WORD_BITS), dtype=np.uint8)
        for name, offset, width in _fields(part.layout):
            place = locate(layout, ".".join(filter(None, (part.name, name))))[0]
            payload[:, place : place + width] = bits[:, offset : offset + width]
        payloads.append(np.packbits(payload, axis=1, bitorder="little").view("<u4"))
    return np.concatenate(payloads)


def _fields(layout: data.StructLayout, prefix: str = "", start: int = 0) -> Iterator[tuple[str, int, int]]:
    """Dotted names, offsets and widths of the fields, those of structures one by one."""
    for name, field in layout:
        if isinstance(field.shape, data.StructLayout):
            yield from _fields(field.shape, f"{prefix}{name}.", start + field.offset)
        else:
            yield f"{prefix}{name}", start + field.offset, field.width
