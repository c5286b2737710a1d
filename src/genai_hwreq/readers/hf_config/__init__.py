"""Models from Hub-style configurations (`config.json`): a `model_type` and its own field names.

Next: catalog.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError, QuantityError
from genai_hwreq.models import Identity, TransformerModel
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._registry import READERS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["known_model_types", "read_config"]

_FORMATS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "torch.float32": "fp32"}


def known_model_types() -> tuple[str, ...]:
    """Return every `model_type` that can be read."""
    return tuple(sorted(READERS))


def read_config(config: Mapping[str, Any], identity: Identity | None = None) -> TransformerModel:
    """Read a model from a Hub-style configuration.

    Args:
        config: the parsed `config.json`.
        identity: who the model is; by default named after the configuration's `_name_or_path` or `model_type`.

    Raises:
        ConfigurationError: when `model_type` is unknown, or a field is missing, of the wrong type or out of range.

    Examples:
        >>> tiny = {
        ...     "model_type": "llama",
        ...     "hidden_size": 64,
        ...     "num_hidden_layers": 2,
        ...     "num_attention_heads": 4,
        ...     "intermediate_size": 128,
        ...     "vocab_size": 1000,
        ... }
        >>> read_config(tiny).decoder.n_layers
        2

    """
    fields = Fields(config)
    model_type = fields.text("model_type", default="")
    if model_type not in READERS:
        raise _unknown(model_type)
    family = import_module(f"genai_hwreq.readers.hf_config.{READERS[model_type]}")
    read_towers = getattr(family, "read_towers", None)
    try:
        decoder, towers = family.read(fields), read_towers(fields) if read_towers else ()
    except QuantityError as error:  # single fields were fine, but they contradict each other
        msg = f"the {model_type!r} configuration contradicts itself: {error}"
        raise ConfigurationError(msg) from error
    text = fields.section("text_config") or Fields({})
    return TransformerModel(
        identity=identity or _identity(fields, model_type),
        decoder=decoder,
        towers=towers,
        native_format=_native_format(fields, text),
        context_tokens=_context_tokens(fields) or _context_tokens(text),
    )


def _native_format(fields: Fields, text: Fields) -> str:
    given = text.text("dtype", "torch_dtype", default="bfloat16")
    return _FORMATS.get(fields.text("dtype", "torch_dtype", default=given), "bf16")


def _context_tokens(fields: Fields) -> int | None:
    return fields.optional_count(
        "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_target_positions"
    )


def _identity(fields: Fields, model_type: str) -> Identity:
    name = fields.text("_name_or_path", default="") or f"{model_type} model"
    return Identity(id=name.lower(), name=name)


def _unknown(model_type: str) -> ConfigurationError:
    from difflib import get_close_matches  # noqa: PLC0415  (needed for the error alone)

    close = get_close_matches(model_type, READERS, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"{len(READERS)} types are known"
    return ConfigurationError(f"model_type {model_type!r} is not known; {hint}", field="model_type")
