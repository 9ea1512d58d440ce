"""Payloads of the hardware's ports as arrays of 32-bit words, for all simulators alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data
from numpy.typing import NDArray

Words = NDArray[np.uint32]
WORD_BITS = 32


def word_count(width: int) -> int:
    """Words that hold `width` bits."""
    return -(-width // WORD_BITS)


def pack(layout: data.Layout, fields: Mapping[str, Any], count: int) -> Words:
    """Pack `count` payloads.

    Parameters
    ----------
    layout : Layout
        Of the payload.
    fields : mapping
        By dotted name ("sideband.label", "features.3"): a number or an array of shape (count,), of at most 32 bits.
    count : int

    Returns
    -------
    ndarray of uint32, shape (count, words)
    """
    words = np.zeros((count, word_count(layout.size) + 1), dtype=np.uint64)
    for name, value in fields.items():
        offset, width, _ = locate(layout, name)
        word, bit = divmod(offset, WORD_BITS)
        bits = (np.asarray(value).astype(np.int64).astype(np.uint64) & np.uint64((1 << width) - 1)) << np.uint64(bit)
        words[:, word] |= bits & np.uint64(0xFFFFFFFF)
        words[:, word + 1] |= bits >> np.uint64(WORD_BITS)
    return words[:, :-1].astype(np.uint32)


def unpack(layout: data.Layout, name: str, words: Words) -> NDArray[np.int64]:
    """Read the field `name` (dotted, at most 32 bits) of payloads (count, words), shape (count,), signed if it is."""
    offset, width, signed = locate(layout, name)
    word, bit = divmod(offset, WORD_BITS)
    wide = words[:, word].astype(np.uint64)
    if bit + width > WORD_BITS:
        wide |= words[:, word + 1].astype(np.uint64) << np.uint64(WORD_BITS)
    value = ((wide >> np.uint64(bit)) & np.uint64((1 << width) - 1)).astype(np.int64)
    return value - ((value >> (width - 1)) << width) if signed else value


def unpack_array(layout: data.Layout, name: str, words: Words) -> NDArray[np.int64]:
    """Read an array field or a field of single bits, shape (count, length); what `unpack` does for numbers."""
    offset, width, _ = locate(layout, name)
    shape = _shape(layout, name)
    if isinstance(shape, data.ArrayLayout):
        element, length = _element(shape), shape.length
    else:
        element, length = (1, False), width
    step, signed = element
    bits = np.unpackbits(np.ascontiguousarray(words, dtype="<u4").view(np.uint8), axis=1, bitorder="little")
    lanes = bits[:, offset : offset + width].reshape(len(words), length, step).astype(np.int64)
    value: NDArray[np.int64] = (lanes << np.arange(step)).sum(axis=2)
    return value - ((value >> (step - 1)) << step) if signed else value


def from_int(payloads: Sequence[int], count: int) -> Words:
    """Split payloads, as numbers, into `count` words each, shape (payloads, count)."""
    data = b"".join(payload.to_bytes(4 * count, "little") for payload in payloads)
    return np.frombuffer(data, dtype="<u4").reshape(len(payloads), count)


def to_int(words: Words) -> int:
    """Join the words of one payload, shape (words,), to a number."""
    return int.from_bytes(words.astype("<u4").tobytes(), "little")


def locate(layout: data.Layout, name: str) -> tuple[int, int, bool]:
    """Offset in bits, width and signedness of the field `name` (dotted)."""
    offset = 0
    shape: Any = layout
    for key in name.split("."):
        field = shape[int(key) if isinstance(shape, data.ArrayLayout) else key]
        offset += field.offset
        shape = field.shape
    return offset, *_element_of(shape)


def _shape(layout: data.Layout, name: str) -> Any:
    shape: Any = layout
    for key in name.split("."):
        shape = shape[int(key) if isinstance(shape, data.ArrayLayout) else key].shape
    return shape


def _element(shape: data.ArrayLayout) -> tuple[int, bool]:
    return _element_of(shape.elem_shape)


def _element_of(shape: Any) -> tuple[int, bool]:
    if isinstance(shape, data.Layout):
        return shape.size, False
    cast = Shape.cast(shape)
    return cast.width, cast.signed
