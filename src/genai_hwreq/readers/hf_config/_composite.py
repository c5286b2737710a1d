"""The text part of a model with towers: its nested configuration, read by the family it belongs to.

Configurations keep the decoder's fields in `text_config`. Only the classes of `_BESIDE` also take them from the top
level; the others would build their default decoder and ignore what stands there, so such a configuration is refused.
Fields that a nested configuration leaves out have the values of its family's configuration class.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._registry import READERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_hwreq.models import Transformer

__all__ = ["read_text", "text_fields", "text_section"]

_TOWER_SECTIONS = ("vision_config", "audio_config")

_BESIDE = frozenset({"qwen2_vl", "qwen2_5_vl"})
"""Families whose class also reads the decoder's fields beside the tower's, as they were first published.

Found by building each family's class of transformers 5.24 from fields at the top level alone.
"""

_SAME_AS = {
    "glm4v_text": "glm4",
    "glm4v_moe_text": "glm4_moe",
    "kimi_k2": "deepseek_v3",
    "kimi_k3_text": "kimi_linear",
    "qwen2_5_vl_text": "qwen2",
    "qwen2_vl_text": "qwen2",
    "qwen3_vl_moe_text": "qwen3_moe",
    "qwen3_vl_text": "qwen3",
    "step3p7_text": "step3p5",
}
"""Text parts whose weights are those of a family with a name of its own."""

_LLAMA = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}

_DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma": {
        "hidden_size": 3072,
        "intermediate_size": 24576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 256,
        "vocab_size": 256000,
    },
    "gemma3_text": {
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262208,
        "sliding_window": 4096,
    },
    "llama": _LLAMA,
    "mistral": {**_LLAMA, "intermediate_size": 14336, "num_key_value_heads": 8},
    "qwen2": {**_LLAMA, "intermediate_size": 22016, "vocab_size": 151936},
}
"""What published nested configurations leave out, as the configuration classes of these families have it."""


_SET_APART: dict[str, dict[str, Any]] = {
    "glm4v_moe_text": {"attention_bias": True},
}
"""Where a text part's own class has other defaults than the family that reads it."""


def text_section(fields: Fields) -> Fields:
    """Return `text_config`.

    Raises:
        ConfigurationError: when there is none.

    """
    section = fields.section("text_config")
    if section is None:
        model_type = fields.text("model_type", default="")
        msg = (
            f"text_config is missing from the {model_type!r} configuration, whose class reads the decoder from there"
            " and ignores such fields at the top level; move the decoder's fields into text_config, or give"
            " the model_type of the decoder alone"
        )
        raise ConfigurationError(msg, field="text_config")
    return section


def text_fields(fields: Fields, default_type: str) -> Fields:
    """Return the decoder's fields, with the `model_type` of the family that reads them."""
    model_type = fields.text("model_type", default="")
    if model_type in _BESIDE and not fields.has("text_config"):
        beside = {
            name: value
            for name, value in fields.config.items()
            if name not in (*_TOWER_SECTIONS, "model_type")
        }
        return _for_family(Fields(beside), default_type, nested=False)
    return _for_family(text_section(fields), default_type, nested=True)


def _for_family(section: Fields, default_type: str, *, nested: bool) -> Fields:
    own_type = section.text("model_type", default=default_type)
    kind = _SAME_AS.get(own_type, own_type)
    given = dict(section.config)
    defaults = dict(_SET_APART.get(own_type, {}))
    if nested:
        defaults.update(_DEFAULTS.get(kind, {}))
    if own_type == "glm4v_text" and section.has("hidden_size", "num_attention_heads"):  # GLM 4 itself has 128
        defaults["head_dim"] = max(1, section.count("hidden_size") // section.count("num_attention_heads"))
        given["attention_bias"] = True  # its class has the bias whatever the configuration says
    return Fields({**given, "model_type": kind}).with_defaults(defaults)


def read_text(
    fields: Fields, default_type: str, *, tied: bool, absent: Mapping[str, Any] | None = None
) -> Transformer:
    """Read the decoder inside a model with towers.

    Args:
        fields: the whole configuration.
        default_type: family of the decoder where its configuration does not say.
        tied: whether embedding and head are shared, which the model as a whole decides.
        absent: what fields mean that are not there at all, where it differs from the decoder's family.

    Raises:
        ConfigurationError: when no family of that name is known.

    """
    text = text_fields(fields, default_type)
    kind = text.text("model_type", default=default_type)
    if kind not in READERS:
        msg = f"text model_type {kind!r} is not known"
        raise ConfigurationError(msg, field="text_config.model_type")
    family = import_module(f"genai_hwreq.readers.hf_config.{READERS[kind]}")
    decoder: Transformer = family.read(Fields({**(absent or {}), **text.config, "tie_word_embeddings": tied}))
    return decoder
