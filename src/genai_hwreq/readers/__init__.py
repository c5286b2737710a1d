"""Facts out of files: Hub-style configurations and the headers of weight files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_hwreq.readers.hf_config import read_config

if TYPE_CHECKING:
    from genai_hwreq.models import TransformerModel
    from genai_hwreq.readers._weight_files import StoredTensor
    from genai_hwreq.readers.gguf import GgufHeader, LongList, read_gguf_header
    from genai_hwreq.readers.safetensors import read_safetensors_header

__all__ = [
    "GgufHeader",
    "LongList",
    "StoredTensor",
    "read_config",
    "read_gguf_header",
    "read_model",
    "read_safetensors_header",
]


def read_model(path: str | Path) -> TransformerModel:
    """Read a model from a file or folder; of weight files, nothing but the header is read.

    Args:
        path: a Hub-style `config.json`; a `*.safetensors` file or the `*.safetensors.index.json` of several, with
            the `config.json` beside it; a `*.gguf` file; or a folder that holds one of these.

    Returns:
        The model. Its `native_format` is the format the weights are stored in, its identity's note says what is
        stored. The name says what kind of file it is: any that ends in none of these is taken for a configuration.

    Raises:
        FileFormatError: when a file cannot be read, is damaged or claims what it does not hold, when its
            architecture is not known, or when the weights are not those of the architecture.
        ConfigurationError: when a field of a configuration is missing, of the wrong type or out of range.
        MissingFactError: when safetensors have no `config.json` beside them.
    """
    from genai_hwreq.readers._checkpoints import read_model_file  # noqa: PLC0415  (only files need it)

    return read_model_file(Path(path))


_HOMES = {
    "StoredTensor": "_weight_files",
    "GgufHeader": "gguf",
    "LongList": "gguf",
    "read_gguf_header": "gguf",
    "read_safetensors_header": "safetensors",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (records and functions)
    """Load what reads weight files when it is first asked for."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
