"""Models from files: a configuration, safetensors with the configuration beside them, GGUF, a folder of those.

The architecture comes from configuration or metadata; what is stored is held against it.
"""

from __future__ import annotations

import re
from collections import Counter
from math import prod
from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.errors import ConfigurationError, FileFormatError, MissingFactError
from genai_hwreq.models import Identity, model_inventory
from genai_hwreq.readers._ggml_types import FILE_TYPES
from genai_hwreq.readers._gguf_configs import gguf_config
from genai_hwreq.readers._json_objects import json_object
from genai_hwreq.readers._weight_files import read_whole, refuse_repeated
from genai_hwreq.readers.gguf import GgufHeader, read_gguf_header
from genai_hwreq.readers.hf_config import read_config
from genai_hwreq.readers.safetensors import INDEX_SUFFIX, read_safetensors_header

if TYPE_CHECKING:
    from pathlib import Path

    from genai_hwreq.models import TransformerModel
    from genai_hwreq.readers._weight_files import StoredTensor

__all__ = ["read_model_file"]

_LARGEST_CONFIG_BYTES = 16 * 2**20
"""Real configurations have some kilobytes."""

_SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})\.(safetensors|gguf)")
_MOST_SHARDS = 1024
_NAME_CHARACTERS = 120

_NATIVE = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}
"""Types of safetensors whose elements are parameters → weight formats."""

_TOLERANCE = 4
"""Stored elements may differ from the architecture's parameters by a part in so many: masks, heads that are stored
though they are shared, layers that predict further tokens. An adapter, or one file of several, differs by more."""


def read_model_file(path: Path) -> TransformerModel:
    """Read a model from whatever kind of file or folder this is."""
    try:
        return _from_file(_in_folder(path) if path.is_dir() else path)
    except OSError as error:
        raise FileFormatError(str(path), f"cannot be read: {error.strerror}") from error


def _from_file(path: Path) -> TransformerModel:
    if path.name.endswith((".safetensors", INDEX_SUFFIX)):
        return _from_safetensors(path)
    if path.name.endswith(".gguf"):
        return _from_gguf(path)
    return _from_config(path)


def _in_folder(folder: Path) -> Path:
    """Return the file that stands for a folder: its index, its one weight file, or its configuration."""
    for pattern in (f"*{INDEX_SUFFIX}", "*.safetensors", "*.gguf"):
        found = sorted(folder.glob(pattern))
        usual = [file for file in found if file.name.startswith("model.safetensors")]
        whole = usual or [file for file in found if _is_first(file)]
        if len(whole) == 1:
            return whole[0]
        if whole:
            names = ", ".join(file.name for file in whole[:5])
            raise FileFormatError(str(folder), f"holds several models: {names}; give the path of one")
    return folder / "config.json"


def _is_first(file: Path) -> bool:
    """Tell whether a file is whole, or the first of several."""
    match = _SHARD.fullmatch(file.name)
    return not match or file.name.startswith(f"{match[1]}-00001-")


# --- configurations and safetensors -------------------------------------------------------------------


def _from_config(path: Path) -> TransformerModel:
    data = read_whole(path, _LARGEST_CONFIG_BYTES, "a config.json")
    return read_config(json_object(path, data, "a config.json with a model_type", repeatable=True))


def _from_safetensors(path: Path) -> TransformerModel:
    match = _SHARD.fullmatch(path.name)
    index = path.with_name(f"{match[1]}{INDEX_SUFFIX}") if match else path
    path = index if index.exists() else path
    tensors = read_safetensors_header(path)
    config = path.with_name("config.json")
    if not config.exists():
        raise MissingFactError(str(path), "the architecture", _without_config(tensors))
    model = _from_config(config)
    if {tensor.dtype for tensor in tensors} <= _NATIVE.keys():
        _compare(path, model, tensors)
        model = evolve(model, native_format=_NATIVE[_main_type(tensors)])
    note = f"stored in {_stored(tensors)}"
    return evolve(model, identity=evolve(model.identity, note=note))


def _without_config(tensors: tuple[StoredTensor, ...]) -> str:
    n_elements = sum(prod(tensor.shape) for tensor in tensors)
    beside = "put the model's config.json beside the file: layers and caches follow from it"
    return f"{beside}. For a rough estimate, pass the {n_elements} elements it stores as the number of parameters"


# --- GGUF ---------------------------------------------------------------------------------------------


def _from_gguf(path: Path) -> TransformerModel:
    header = _whole_header(path)
    config = gguf_config(str(path), header.metadata, header.tensors)
    try:
        model = read_config(config, _identity(header))
    except ConfigurationError as error:
        raise FileFormatError(str(path), f"its metadata describes no model: {error}") from error
    _compare(path, model, header.tensors)
    return evolve(model, native_format=_recipe(header))


def _whole_header(path: Path) -> GgufHeader:
    """Return the metadata of the first file and the tensors of all of a split model."""
    match = _SHARD.fullmatch(path.name)
    if not match:
        return read_gguf_header(path)
    n_files = int(match[2])
    if not 1 <= n_files <= _MOST_SHARDS:
        raise FileFormatError(str(path), f"is one of {n_files} files; expected at most {_MOST_SHARDS}")
    names = (f"{match[1]}-{number:05}-of-{n_files:05}.gguf" for number in range(1, n_files + 1))
    headers = [read_gguf_header(path.with_name(name)) for name in names]
    tensors = [tensor for header in headers for tensor in header.tensors]
    refuse_repeated(path, tensors)
    return GgufHeader(metadata=headers[0].metadata, tensors=tuple(tensors))


def _identity(header: GgufHeader) -> Identity:
    given = header.metadata.get("general.name")
    fallback = f"{header.metadata['general.architecture']} model"
    name = given.strip()[:_NAME_CHARACTERS] if isinstance(given, str) and given.strip() else fallback
    kind = _file_type(header)
    described = f"GGUF file type {kind}" if kind else "GGUF of no known file type"
    return Identity(id=name.lower(), name=name, note=f"{described}; stored in {_stored(header.tensors)}")


def _file_type(header: GgufHeader) -> str | None:
    number = header.metadata.get("general.file_type")
    return FILE_TYPES.get(number) if isinstance(number, int) else None


def _recipe(header: GgufHeader) -> str:
    """Return the weight format: the recipe the file names, else the type that most of its bytes have."""
    kind = _file_type(header)
    if kind:
        return f"gguf-{kind.lower()}"
    main = _main_type(header.tensors)
    return f"gguf-{main.lower()}" if main in _NATIVE else f"ggml-{main.lower()}"


# --- what is stored -----------------------------------------------------------------------------------


def _compare(path: Path, model: TransformerModel, tensors: tuple[StoredTensor, ...]) -> None:
    """Refuse weights that cannot be those of the architecture."""
    stored, expected = sum(prod(tensor.shape) for tensor in tensors), model_inventory(model).n_params
    if abs(stored - expected) * _TOLERANCE > expected:
        reason = f"stores {stored} elements where its architecture has {expected} parameters"
        raise FileFormatError(str(path), f"{reason}; expected a whole model, not an adapter or a part")


def _bytes_by_type(tensors: tuple[StoredTensor, ...]) -> Counter[str]:
    found: Counter[str] = Counter()
    for tensor in tensors:
        found[tensor.dtype] += tensor.n_bytes
    return found


def _main_type(tensors: tuple[StoredTensor, ...]) -> str:
    return _bytes_by_type(tensors).most_common(1)[0][0]


def _stored(tensors: tuple[StoredTensor, ...]) -> str:
    kinds = _bytes_by_type(tensors)
    shares = ", ".join(f"{kind} {size}" for kind, size in kinds.most_common())
    return f"{len(tensors)} tensors of {kinds.total()} bytes ({shares})"
