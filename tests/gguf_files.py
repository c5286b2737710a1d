"""A tiny writer of GGUF files for tests, and the tiny Llama that they describe."""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, Any

from genai_hwreq.models import model_inventory
from genai_hwreq.readers._ggml_types import TENSOR_TYPES
from genai_hwreq.readers.hf_config import read_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from genai_hwreq.models import TransformerModel

Shapes = dict[str, tuple[int, ...]]

KINDS = {name: number for number, (name, _, _) in TENSOR_TYPES.items()}


def text(value: str) -> bytes:
    """A string as the format stores it."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def typed(value: Any) -> bytes:
    """A value with its type: a whole number in 32 bits, or in 64 where those don't do."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value) if 0 <= value < 2**32 else struct.pack("<Iq", 11, value)
    if isinstance(value, float):
        return struct.pack("<Id", 12, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)


def entry(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    """A tensor's place in the header."""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, offset)


def stored(shape: tuple[int, ...], kind: str) -> int:
    """Bytes of a tensor."""
    _, elements, size = TENSOR_TYPES[KINDS[kind]]
    return prod(shape) // elements * size


def write_parts(path: Path, entries: list[bytes], tensors: list[bytes], n_data_bytes: int) -> Path:
    """Write a file of these metadata entries and tensors, and room for so many bytes, which take none on the disk."""
    data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries + tensors)
    path.write_bytes(data)
    with path.open("r+b") as stream:
        stream.truncate(-(-len(data) // 32) * 32 + n_data_bytes)
    return path


def write(path: Path, metadata: Mapping[str, Any], shapes: Shapes, kind: str = "F32") -> Path:
    """Write a file of this metadata that stores these tensors in one type."""
    entries, end = [], 0
    for name, shape in shapes.items():
        entries.append(entry(name, shape, KINDS[kind], end))
        end = -(-(end + stored(shape, kind)) // 32) * 32
    return write_parts(path, [text(key) + typed(value) for key, value in metadata.items()], entries, end)


LLAMA: dict[str, Any] = {
    "block_count": 2,
    "context_length": 512,
    "embedding_length": 64,
    "feed_forward_length": 128,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
}
BASE: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 320,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}


def described(architecture: str, entries: Mapping[str, Any], file_type: int | None = 0) -> dict[str, Any]:
    """The metadata of an architecture."""
    named = {f"{architecture}.{key}": value for key, value in entries.items()}
    general: dict[str, Any] = {"general.architecture": architecture}
    return {**general, **named} if file_type is None else {**general, "general.file_type": file_type, **named}


def tensors_of(model: TransformerModel, *named: str) -> Shapes:
    """Tensors of as many elements as a model has; those that are looked at by name have theirs."""
    embedding = model.decoder.embeddings[0].shape
    looked_at = {"token_embd.weight": embedding, "output.weight": (1,), **dict.fromkeys(named, (1,))}
    rest = model_inventory(model).n_params - sum(map(prod, looked_at.values()))
    return {**looked_at, "rest": (rest,)}


def tiny(path: Path, file_type: int | None = 0, kind: str = "F32", **entries: Any) -> Path:
    """Write a tiny Llama, with more or other metadata."""
    shapes = tensors_of(read_config({"model_type": "llama", **BASE}))
    if kind != "F32":
        shapes = {"token_embd.weight": (320, 64), "rest": (shapes["rest"][0] // 256 * 256,)}
    return write(path, {**described("llama", LLAMA, file_type), **entries}, shapes, kind)
