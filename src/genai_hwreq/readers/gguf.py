"""The header of a GGUF file: its metadata, and its tensors with their types, shapes and bytes.

Numbers are little-endian. Long lists, which hold the tokenizer, are walked over and only counted.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import BinaryIO, NoReturn

from attrs import frozen

from genai_hwreq.errors import FileFormatError
from genai_hwreq.readers._ggml_types import TENSOR_TYPES
from genai_hwreq.readers._weight_files import MOST_TENSORS, StoredTensor, opened, refuse_repeated, shown

__all__ = ["GgufHeader", "LongList", "Value", "read_gguf_header"]

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_HEADER_BYTES = 128 * 2**20
_MOST_ENTRIES = 2**14
_MOST_KEY_BYTES = 2**16 - 1
_MOST_STRING_BYTES = 2**22
_MOST_ITEMS = 2**21
"""Items of all lists together; the largest tokenizers have less than a million tokens and merges."""

_MOST_KEPT = 4096
"""Numbers of a list that are kept: one a layer, and no model has more layers."""

_MOST_DIMENSIONS = 4
_MOST_ALIGNMENT = 2**16
_USUAL_ALIGNMENT = 32
_LARGEST = 2**60

_STRING, _LIST = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Number of a value's type → how the struct module spells it."""


@frozen(kw_only=True)
class LongList:
    """A list in a header of which only the length was kept."""

    n_items: int
    """Its number of items."""


Value = int | float | bool | str | tuple[int | float | bool, ...] | LongList
"""What a key of the metadata holds."""


@frozen(kw_only=True)
class GgufHeader:
    """What a GGUF file says of itself."""

    metadata: Mapping[str, Value]
    """Its keys and what they hold, in the file's order."""

    tensors: tuple[StoredTensor, ...]
    """Its tensors, in the file's order."""


def read_gguf_header(path: str | Path) -> GgufHeader:
    """Read metadata and tensors of one GGUF file, without reading any weight.

    Raises:
        FileFormatError: when the file cannot be read or is damaged, or claims what it does not hold.
    """
    file = Path(path)
    with opened(file) as (stream, size):
        stream.seek(0)
        cursor = _Cursor(file, stream, size)
        if cursor.take(len(_MAGIC), "the magic number") != _MAGIC:
            cursor.refuse("does not begin with 'GGUF'; expected a GGUF file")
        version = cursor.number("I", "the version")
        if version not in _VERSIONS:
            cursor.refuse(f"is of version {version}; expected 2 or 3, little-endian")
        n_tensors = cursor.count("Q", "the number of tensors", MOST_TENSORS)
        n_entries = cursor.count("Q", "the number of metadata entries", _MOST_ENTRIES)
        metadata = _metadata(cursor, n_entries)
        found = [_tensor(cursor) for _ in range(n_tensors)]
    tensors = [tensor for _, tensor in found]
    refuse_repeated(file, tensors)
    _refuse_escapes(cursor, found, _alignment(cursor, metadata))
    return GgufHeader(metadata=metadata, tensors=tuple(tensors))


class _Cursor:
    """A place in a header that never passes the file's end or the limit for headers."""

    def __init__(self, path: Path, stream: BinaryIO, size: int) -> None:
        self.path, self.stream, self.size, self.position, self.n_items = path, stream, size, 0, 0

    def refuse(self, reason: str) -> NoReturn:
        """Say what is wrong with the file."""
        raise FileFormatError(str(self.path), reason)

    def take(self, n_bytes: int, what: str) -> bytes:
        """Return the next bytes, of which there must be as many."""
        self._pass(n_bytes, what)
        data = self.stream.read(n_bytes)
        if len(data) != n_bytes:
            self.refuse(f"ended early, in {what}; expected a file that nobody is writing to")
        return data

    def skip(self, n_bytes: int, what: str) -> None:
        """Pass over bytes without reading them."""
        self._pass(n_bytes, what)
        self.stream.seek(self.position)

    def number(self, code: str, what: str) -> int | float | bool:
        """Return the next number."""
        value: int | float | bool = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}"), what))[0]
        return value

    def count(self, code: str, what: str, most: int) -> int:
        """Return the next number, which must be within a limit."""
        value = int(self.number(code, what))
        if value > most:
            self.refuse(f"{what} is {value}; expected at most {most}")
        return value

    def text(self, what: str, most_bytes: int = _MOST_STRING_BYTES) -> str:
        """Return the next string."""
        return self.take(self.count("Q", f"the length of {what}", most_bytes), what).decode("utf-8", "replace")

    def count_items(self, n_items: int) -> None:
        """Add to the items that were walked over."""
        self.n_items += n_items
        if self.n_items > _MOST_ITEMS:
            self.refuse(f"has lists of {self.n_items} items; expected at most {_MOST_ITEMS}")

    def _pass(self, n_bytes: int, what: str) -> None:
        self.position += n_bytes
        if self.position > min(self.size, _MOST_HEADER_BYTES):
            limit = f"has {self.size} bytes" if self.size <= _MOST_HEADER_BYTES else "has its limit for headers there"
            self.refuse(f"claims {n_bytes} bytes for {what}, up to byte {self.position}, and {limit}")


def _metadata(cursor: _Cursor, n_entries: int) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for _ in range(n_entries):
        key = cursor.text("a metadata key", _MOST_KEY_BYTES)
        if key in found:
            cursor.refuse(f"holds two metadata entries named {shown(key)}; expected each key once")
        what = f"the value of {shown(key)}"
        kind = int(cursor.number("I", what))
        found[key] = _list(cursor, what) if kind == _LIST else _scalar(cursor, kind, what)
    return found


def _scalar(cursor: _Cursor, kind: int, what: str) -> int | float | bool | str:
    if kind == _STRING:
        return cursor.text(what)
    if kind not in _NUMBERS:
        cursor.refuse(f"{what} is of type {kind}; expected a number, a string or a list of those")
    return cursor.number(_NUMBERS[kind], what)


def _list(cursor: _Cursor, what: str) -> tuple[int | float | bool, ...] | LongList:
    kind, n_items = int(cursor.number("I", what)), cursor.count("Q", f"the length of {what}", _MOST_ITEMS)
    cursor.count_items(n_items)
    if kind == _STRING:
        for _ in range(n_items):
            cursor.skip(cursor.count("Q", f"a string's length in {what}", _MOST_STRING_BYTES), what)
        return LongList(n_items=n_items)
    if kind not in _NUMBERS:
        cursor.refuse(f"{what} is a list of type {kind}; expected numbers or strings")
    code = f"<{n_items}{_NUMBERS[kind]}"
    if n_items > _MOST_KEPT:
        cursor.skip(struct.calcsize(code), what)
        return LongList(n_items=n_items)
    return struct.unpack(code, cursor.take(struct.calcsize(code), what))


def _tensor(cursor: _Cursor) -> tuple[int, StoredTensor]:
    """Return the next tensor and where its bytes begin after the header."""
    name = cursor.text("a tensor's name", _MOST_KEY_BYTES)
    what = f"tensor {shown(name)}"
    n_dimensions = cursor.count("I", f"the number of dimensions of {what}", _MOST_DIMENSIONS)
    shape = tuple(int(cursor.number("Q", what)) for _ in range(n_dimensions))[::-1]
    kind, offset = int(cursor.number("I", what)), int(cursor.number("Q", what))
    if not shape or not all(1 <= size < _LARGEST for size in shape):
        cursor.refuse(f"{what} has shape {shape}; expected one to four sizes above zero")
    if kind not in TENSOR_TYPES:
        cursor.refuse(f"{what} is of type {kind}, which is not known; expected one of ggml's types")
    dtype, elements, size = TENSOR_TYPES[kind]
    if shape[-1] % elements:
        cursor.refuse(f"{what} has rows of {shape[-1]}; expected a multiple of {elements} for {dtype}")
    return offset, StoredTensor(name=name, dtype=dtype, shape=shape, n_bytes=prod(shape) // elements * size)


def _alignment(cursor: _Cursor, metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment", _USUAL_ALIGNMENT)
    if type(value) is not int or not 1 <= value <= _MOST_ALIGNMENT or value & (value - 1):
        cursor.refuse(f"has an alignment of {shown(str(value))}; expected a power of two up to {_MOST_ALIGNMENT}")
    return value


def _refuse_escapes(cursor: _Cursor, found: list[tuple[int, StoredTensor]], alignment: int) -> None:
    """Refuse tensors that overlap, stand between the alignment's steps or end behind the file."""
    begin = -(-cursor.position // alignment) * alignment
    end = 0
    for offset, tensor in sorted(found, key=lambda entry: entry[0]):
        if offset < end or offset % alignment:
            fault = "overlaps another" if offset < end else f"is not at a multiple of {alignment}"
            cursor.refuse(f"tensor {shown(tensor.name)} at byte {offset} of the weights {fault}")
        end = offset + tensor.n_bytes
        if begin + end > cursor.size:
            reason = f"tensor {shown(tensor.name)} ends at byte {begin + end} and the file at {cursor.size}"
            cursor.refuse(f"{reason}; expected a file that was not cut")
