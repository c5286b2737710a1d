"""Facts out of files: Hub-style configurations and the headers of weight files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genai_hwreq.errors import ConfigurationError, FileFormatError
from genai_hwreq.readers.hf_config import read_config

if TYPE_CHECKING:
    from genai_hwreq.models import TransformerModel

__all__ = ["read_config", "read_model"]

_LARGEST_CONFIG_BYTES = 16 * 2**20
"""Real configurations have some kilobytes."""


def read_model(path: str | Path) -> TransformerModel:
    """Read a model from a Hub-style `config.json`.

    Raises:
        FileFormatError: when the file cannot be read, is not JSON, or is too large to be a configuration.
        ConfigurationError: when a field is missing, of the wrong type or out of range.
    """
    import json  # noqa: PLC0415  (only files need it)

    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_LARGEST_CONFIG_BYTES + 1)
    except OSError as error:
        raise FileFormatError(str(path), f"cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST_CONFIG_BYTES:
        raise FileFormatError(str(path), f"larger than {_LARGEST_CONFIG_BYTES} bytes; expected a config.json")
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(str(path), f"is not JSON: {error}; expected a config.json") from error
    if not isinstance(config, dict):
        msg = f"{path} holds a {type(config).__name__}; expected an object with a model_type"
        raise ConfigurationError(msg)
    return read_config(config)
