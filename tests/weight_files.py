"""A tiny writer of safetensors files for tests, and what became of reading a file."""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import HwReqError
from genai_hwreq.models import model_inventory
from genai_hwreq.readers import read_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 1000,
}
BYTES = {"BF16": 2, "F16": 2, "F32": 4, "U8": 1, "I32": 4}


def header_of(shapes: dict[str, tuple[int, ...]], dtype: str = "BF16") -> dict[str, Any]:
    """The header of a file that stores these tensors one after another."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + prod(shape) * BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    return header


def write(path: Path, header: object, n_data_bytes: int, length: int | None = None) -> Path:
    """Write a file of this header and as many bytes of tensors, which take no room on the disk."""
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write((len(data) if length is None else length).to_bytes(8, "little") + data)
        stream.truncate(8 + len(data) + n_data_bytes)
    return path


def write_tensors(path: Path, shapes: dict[str, tuple[int, ...]], dtype: str = "BF16") -> Path:
    """Write a file that stores these tensors."""
    return write(path, header_of(shapes, dtype), sum(prod(shape) for shape in shapes.values()) * BYTES[dtype])


def write_config(folder: Path, **changes: Any) -> None:
    """Write the tiny model's configuration."""
    (folder / "config.json").write_text(json.dumps({**TINY, **changes}), encoding="utf-8")


def tiny_shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the tiny model, by a name of its own."""
    inventory = model_inventory(read_config(TINY))
    return {
        f"{number}.{copy}": tensor.shape
        for number, (tensor, n_copies) in enumerate(inventory)
        for copy in range(n_copies)
    }


def told(read: Callable[[Path], object], path: Path) -> str:
    """What the error says where a file is refused, or its path where it is read; anything else is a crash."""
    try:
        read(path)
    except HwReqError as error:
        return str(error)
    return str(path)
