"""What configurations of hybrids have in common: class defaults, `"auto"` widths, lists of layer kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Transformer
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    hidden_dim,
    runs,
    token_embedding,
    vocabulary_head,
)
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._state_spaces import mamba2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from genai_hwreq.models import Layer, StateSpace, Tensor

__all__ = [
    "assemble",
    "auto_count",
    "even_share",
    "factor",
    "layer_kinds",
    "mamba2_mixer",
    "named_kinds",
    "with_defaults",
]

_NAMES = {"mamba": "linear_attention", "attention": "full_attention"}
"""Older spellings of layer kinds.

Source: https://github.com/huggingface/transformers/blob/main/src/transformers/configuration_utils.py
"""


_LARGEST_FACTOR = 1024


def with_defaults(fields: Fields, defaults: Mapping[str, Any]) -> Fields:
    """Return the fields with the configuration class's `defaults` where a name is absent (null stays null)."""
    return Fields({**defaults, **fields.config})


def auto_count(fields: Fields, *names: str, auto: int) -> int:
    """Return a whole number that may be absent or spelled `"auto"`: then it is `auto`."""
    for name in names:
        if fields.has(name):
            return auto if fields.config[name] == "auto" else fields.count(name)
    return auto


def even_share(total: int, parts: int, name: str) -> int:
    """Return one part of `total`, which `parts` must divide."""
    if total < parts or total % parts:
        msg = f"{name} is {parts}; expected a divisor of {total}"
        raise ConfigurationError(msg, field=name)
    return total // parts


def factor(fields: Fields, name: str, default: float) -> float:
    """Return a number that scales a width."""
    value = fields.config.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LARGEST_FACTOR:
        msg = f"{name} is {value!r}; expected a number above 0 and below {_LARGEST_FACTOR}"
        raise ConfigurationError(msg, field=name)
    return value


def named_kinds(fields: Fields, name: str, known: Iterable[str]) -> tuple[str, ...] | None:
    """Return the list of layer kinds under `name`, in today's spelling; `None` where it is absent."""
    entries = fields.items(name)
    if entries is None:
        return None
    kinds = tuple(_NAMES.get(entry, entry) if isinstance(entry, str) else "" for entry in entries)
    if not kinds or not set(kinds) <= set(known):
        msg = f"{name} holds {sorted(set(kinds) - set(known))}; expected a list of {', '.join(known)}"
        raise ConfigurationError(msg, field=name)
    return kinds


def layer_kinds(fields: Fields, names: Iterable[str], known: Iterable[str]) -> tuple[str, ...] | None:
    """Return the kind of each layer from the first of the lists that is there, one entry for each layer."""
    n_layers = fields.n_layers()
    for name in names:
        kinds = named_kinds(fields, name, known)
        if kinds is not None:
            if len(kinds) != n_layers:
                msg = f"{name} has {len(kinds)} entries; expected one for each of the {n_layers} layers"
                raise ConfigurationError(msg, field=name)
            return kinds
    return None


def mamba2_mixer(fields: Fields, *, norm: bool = True, out_bias: str = "mamba_proj_bias") -> StateSpace:
    """Return the Mamba-2 mixer of Bamba and its kin, whose fields start with `mamba_`."""
    dim, heads = hidden_dim(fields), fields.count("mamba_n_heads")
    inner_dim = fields.count("mamba_d_ssm", default=fields.count("mamba_expand") * dim)
    even_share(inner_dim, heads, "mamba_n_heads")
    return mamba2(
        dim,
        inner_dim=inner_dim,
        n_heads=heads,
        n_groups=fields.count("mamba_n_groups"),
        state_dim=fields.count("mamba_d_state"),
        kernel=fields.count("mamba_d_conv"),
        chunk_tokens=fields.count("mamba_chunk_size"),
        conv_bias=fields.flag("mamba_conv_bias", default=True),
        in_bias=fields.flag("mamba_proj_bias", default=False),
        out_bias=fields.flag(out_bias, default=False),
        norm=norm,
    )


def assemble(
    fields: Fields,
    layers: Iterable[Layer],
    *,
    closing: tuple[Tensor, ...],
    traits: DecoderTraits | None = None,
) -> Transformer:
    """Return the network of these layers between token embedding and head."""
    return Transformer(
        model_type=fields.text("model_type", default=""),
        hidden_dim=hidden_dim(fields),
        vocab_size=fields.count("vocab_size"),
        embeddings=(token_embedding(fields),),
        layers=runs(layers),
        closing=closing,
        head=vocabulary_head(fields, traits or DecoderTraits()),
    )
