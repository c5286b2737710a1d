"""The header of a safetensors file, and of a checkpoint that is spread over several: names, types, shapes, bytes.

The file is eight bytes with the header's length, the header as JSON, and the tensors one after another.

Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from genai_hwreq.errors import FileFormatError
from genai_hwreq.readers._json_objects import json_object
from genai_hwreq.readers._weight_files import (
    MOST_TENSORS,
    StoredTensor,
    opened,
    read_whole,
    refuse_repeated,
    shown,
)

__all__ = ["INDEX_SUFFIX", "read_safetensors_header"]

INDEX_SUFFIX = ".safetensors.index.json"
"""How the name of a checkpoint's index ends."""

_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
"""Bits of an element, by type.

Source: https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs, `Dtype`
"""

_LENGTH_BYTES = 8
_MOST_HEADER_BYTES = 32 * 2**20
_MOST_INDEX_BYTES = 64 * 2**20
_MOST_DIMENSIONS = 16
_MOST_SHARDS = 4096
_MOST_CHECKPOINT_TENSORS = 2**19
_LARGEST = 2**60
"""No size, and no position in a file, comes near."""

_ENTRY = {"dtype", "shape", "data_offsets"}


def read_safetensors_header(path: str | Path) -> tuple[StoredTensor, ...]:
    """Read which tensors a safetensors file holds, without reading any of them.

    Args:
        path: a `*.safetensors` file, or the `*.safetensors.index.json` of a checkpoint of several.

    Returns:
        The tensors in the order of their bytes, file after file.

    Raises:
        FileFormatError: when a file cannot be read or is damaged, or claims what it does not hold.
    """
    file = Path(path)
    return _read_shards(file) if file.name.endswith(INDEX_SUFFIX) else _read_file(file)


def _read_file(path: Path) -> tuple[StoredTensor, ...]:
    with opened(path) as (stream, size):
        stream.seek(0)
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
            reason = f"claims a header of {length} bytes and has {size} in all; expected a whole safetensors file"
            raise FileFormatError(str(path), reason)
        if length > _MOST_HEADER_BYTES:
            reason = f"has a header of {length} bytes; expected at most {_MOST_HEADER_BYTES}"
            raise FileFormatError(str(path), reason)
        data = stream.read(length)
    header = json_object(path, data, "a safetensors header")
    header.pop("__metadata__", None)
    if len(header) > MOST_TENSORS:
        raise FileFormatError(str(path), f"holds {len(header)} tensors; expected at most {MOST_TENSORS}")
    return _tensors(path, header, size - _LENGTH_BYTES - length)


def _tensors(path: Path, header: dict[str, Any], n_data_bytes: int) -> tuple[StoredTensor, ...]:
    """Return the tensors in order; they must fill the file without gap or overlap, as the format demands."""
    entries = sorted((_entry(path, name, entry) for name, entry in header.items()), key=_position)
    end = 0
    for begin, tensor in entries:
        if begin != end:
            fault = "overlaps another" if begin < end else "leaves a gap before it"
            raise FileFormatError(str(path), f"tensor {shown(tensor.name)} at byte {begin} {fault}; expected byte {end}")
        end = begin + tensor.n_bytes
    if end != n_data_bytes:
        reason = f"describes {end} bytes of tensors and holds {n_data_bytes}; expected a file that was not cut or altered"
        raise FileFormatError(str(path), reason)
    return tuple(tensor for _, tensor in entries)


def _position(entry: tuple[int, StoredTensor]) -> tuple[int, int]:
    return entry[0], entry[1].n_bytes


def _entry(path: Path, name: str, entry: Any) -> tuple[int, StoredTensor]:  # noqa: ANN401  (as parsed)
    if not isinstance(entry, dict) or set(entry) != _ENTRY:
        raise FileFormatError(str(path), f"tensor {shown(name)} is not described by dtype, shape and data_offsets")
    dtype, shape = entry["dtype"], _sizes(path, name, "shape", entry["shape"])
    offsets = _sizes(path, name, "data_offsets", entry["data_offsets"])
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise FileFormatError(str(path), f"tensor {shown(name)} has type {shown(str(dtype))}; known are {', '.join(_BITS)}")
    n_bits = prod(shape) * _BITS[dtype]
    if len(offsets) != 2 or n_bits % 8 or offsets[1] - offsets[0] != n_bits // 8:
        reason = f"tensor {shown(name)} of {dtype} {shape} stands at {offsets}; expected {n_bits / 8:.15g} bytes"
        raise FileFormatError(str(path), reason)
    return offsets[0], StoredTensor(name=name, dtype=dtype, shape=shape, n_bytes=n_bits // 8)


def _sizes(path: Path, name: str, what: str, value: Any) -> tuple[int, ...]:  # noqa: ANN401  (as parsed)
    if isinstance(value, list) and len(value) <= _MOST_DIMENSIONS:
        sizes = tuple(value)
        if all(type(size) is int and 0 <= size < _LARGEST for size in sizes) and prod(sizes or (1,)) < _LARGEST**2:
            return sizes
    raise FileFormatError(str(path), f"tensor {shown(name)} has a {what} that is not a short list of whole numbers")


# --- checkpoints of several files ---------------------------------------------------------------------


def _read_shards(index: Path) -> tuple[StoredTensor, ...]:
    names = _weight_map(index)
    files = sorted(set(names.values()))
    if len(files) > _MOST_SHARDS:
        raise FileFormatError(str(index), f"names {len(files)} files; expected at most {_MOST_SHARDS}")
    found: list[StoredTensor] = []
    for file in files:
        tensors = _read_file(index.parent / file)
        held = {tensor.name for tensor in tensors}
        missing = next((name for name, place in names.items() if place == file and name not in held), None)
        if missing is not None:
            raise FileFormatError(str(index), f"tensor {shown(missing)} is not in {shown(file)}; expected it there")
        found += tensors
        if len(found) > _MOST_CHECKPOINT_TENSORS:
            raise FileFormatError(str(index), f"describes more than {_MOST_CHECKPOINT_TENSORS} tensors")
    refuse_repeated(index, found)
    return tuple(found)


def _weight_map(index: Path) -> dict[str, str]:
    """Return which file holds which tensor; files stand beside the index, wherever their names point."""
    parsed = json_object(index, read_whole(index, _MOST_INDEX_BYTES, "an index"), "an index of safetensors files")
    names = parsed.get("weight_map")
    if not isinstance(names, dict) or not names:
        raise FileFormatError(str(index), "has no weight_map; expected an object of tensor names and file names")
    strange = next((file for file in names.values() if not _is_plain_name(file)), None)
    if strange is not None:
        raise FileFormatError(str(index), f"names {shown(str(strange))}; expected *.safetensors beside the index")
    return names


def _is_plain_name(file: object) -> bool:
    return isinstance(file, str) and file.endswith(".safetensors") and not set(file) & set("/\\:\0")
