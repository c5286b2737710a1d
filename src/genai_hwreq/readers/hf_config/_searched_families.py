"""Decoders found by architecture search: every layer may have other key/value heads, another width, or no part.

DeciLM lists key/value heads a layer; Nemotron-NAS lists a block a layer, whose attention or feed-forward network
may be left out or replaced by one matrix.
"""

from __future__ import annotations

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, Dense, Layer, LayerRun, Norm, Tensor, Transformer
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    attention,
    dense,
    final_norm,
    hidden_dim,
    runs,
    token_embedding,
    vocabulary_head,
)
from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read"]

_TRAITS = DecoderTraits()

_WIDTH_STEP = 256
"""Feed-forward widths that are given as a multiple of the stream are rounded up to a multiple of this."""


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    layers = _from_blocks(fields) if fields.has("block_configs") else _from_heads(fields)
    width = hidden_dim(fields)
    return Transformer(
        model_type=fields.text("model_type", default="nemotron-nas"),
        hidden_dim=width,
        vocab_size=fields.count("vocab_size"),
        embeddings=(token_embedding(fields),),
        layers=layers,
        closing=final_norm(_TRAITS, width),
        head=vocabulary_head(fields, _TRAITS),
    )


def _from_heads(fields: Fields) -> tuple[LayerRun, ...]:
    n_layers = fields.n_layers()
    heads = fields.counts("num_key_value_heads_per_layer", minimum=1)
    if heads is None:
        heads = (fields.count("num_key_value_heads", default=fields.count("num_attention_heads")),) * n_layers
    _expect_one_each("num_key_value_heads_per_layer", len(heads), n_layers)
    network, norms = (dense(fields, _TRAITS),), _norms(fields, "input_layernorm", "post_attention_layernorm")
    return runs(
        Layer(mixers=(_attention(fields, kv_heads),), feed_forward=network, norms=norms) for kv_heads in heads
    )


def _from_blocks(fields: Fields) -> tuple[LayerRun, ...]:
    blocks = fields.items("block_configs") or ()
    _expect_one_each("block_configs", len(blocks), fields.n_layers())
    return runs(_block_layer(fields, _nested(block, "block_configs")) for block in blocks)


def _block_layer(fields: Fields, block: Fields) -> Layer:
    mixing = block.section("attention") or Fields({})
    widening = block.section("ffn") or Fields({})
    mixer, mixing_extra = _mixer(fields, mixing)
    network, widening_extra = _network(fields, widening)
    norms = (
        *(() if mixing.flag("no_op", default=False) else _norms(fields, "input_layernorm")),
        *(() if widening.flag("no_op", default=False) else _norms(fields, "post_attention_layernorm")),
    )
    return Layer(mixers=mixer, feed_forward=network, norms=norms, extra=mixing_extra + widening_extra)


def _mixer(fields: Fields, mixing: Fields) -> tuple[tuple[Attention, ...], tuple[Tensor, ...]]:
    if mixing.flag("no_op", default=False):
        return (), ()
    if mixing.flag("replace_with_linear", default=False):
        return (), _square(fields, "self_attn.linear_attn")
    group = mixing.count("n_heads_in_group")
    return (_attention(fields, max(1, fields.count("num_attention_heads") // group)),), ()


def _network(fields: Fields, widening: Fields) -> tuple[tuple[Dense, ...], tuple[Tensor, ...]]:
    if widening.flag("no_op", default=False):
        return (), ()
    if widening.flag("replace_with_linear", default=False):
        return (), _square(fields, "mlp.linear_mlp")
    return (dense(fields, _TRAITS, _block_width(fields, widening)),), ()


def _block_width(fields: Fields, widening: Fields) -> int:
    if widening.has("intermediate_size"):
        return widening.count("intermediate_size")
    multiple = widening.config.get("ffn_mult")
    if isinstance(multiple, bool) or not isinstance(multiple, int | float) or not 0 < multiple <= _WIDTH_STEP:
        msg = f"ffn_mult is {multiple!r}; expected a number above 0 and up to {_WIDTH_STEP}"
        raise ConfigurationError(msg, field="ffn_mult")
    # Float arithmetic on purpose: the published configuration class rounds this product down, then up to a step.
    width = int(2 * multiple * hidden_dim(fields) / 3)
    return max(1, -(-width // _WIDTH_STEP)) * _WIDTH_STEP


def _attention(fields: Fields, kv_heads: int) -> Attention:
    return attention(Fields({**fields.config, "num_key_value_heads": kv_heads}), _TRAITS)


def _norms(fields: Fields, *names: str) -> tuple[Norm, ...]:
    return tuple(Norm(name=name, dim=hidden_dim(fields)) for name in names)


def _square(fields: Fields, name: str) -> tuple[Tensor, ...]:
    width = hidden_dim(fields)
    return (Tensor(f"{name}.weight", "projection", (width, width)),)


def _nested(value: object, name: str) -> Fields:
    if not isinstance(value, dict):
        msg = f"{name} holds {type(value).__name__}; expected nested configurations"
        raise ConfigurationError(msg, field=name)
    return Fields(value)


def _expect_one_each(name: str, entries: int, n_layers: int) -> None:
    if entries != n_layers:
        msg = f"{name} has {entries} entries; expected one for each of the {n_layers} layers"
        raise ConfigurationError(msg, field=name)
