"""Llama 3.2 Vision: a decoder some layers of which attend to images instead of tokens, and its tower.

A cross-attention layer has no attention of its own over tokens; its keys and values come from the image and
stay the same for all tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import CrossAttention, Layer, Norm, Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._composite import text_section
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    attention,
    dense,
    final_norm,
    hidden_dim,
    layer_norms,
    runs,
)
from genai_hwreq.readers.hf_config._encoder import (
    EncoderTraits,
    encoder_depth,
    encoder_layer,
    linear,
    n_patches,
    norm_weights,
    patch_convolution,
    vector,
)
from genai_hwreq.readers.hf_config._fields import Fields

if TYPE_CHECKING:
    from genai_hwreq.models import LayerRun

__all__ = ["read", "read_towers"]

_DEFAULTS: dict[str, Any] = {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "cross_attention_layers": (3, 8, 13, 18, 23, 28, 33, 38),
}
_TRAITS = DecoderTraits(bias_field=None)
_N_SPECIAL_TOKENS = 8
"""Rows that the embedding has beyond the vocabulary, for images; the head has none for them."""

_N_ASPECT_RATIOS = 8
"""Arrangements of up to four tiles; the embeddings of tiles have one row for each, and one for none."""


def _text(fields: Fields) -> Fields:
    return text_section(fields).with_defaults(_DEFAULTS)


def read(fields: Fields) -> Transformer:
    """Read the decoder; its head cannot be the embedding, which has more rows."""
    text = _text(fields)
    dim, vocab_size = hidden_dim(text), text.count("vocab_size")
    crossing = frozenset(text.counts("cross_attention_layers") or ())
    plain = Layer(mixers=(attention(text, _TRAITS),), feed_forward=(dense(text, _TRAITS),), norms=_norms(dim))
    cross = _cross_layer(text, dim)
    return Transformer(
        model_type="mllama",
        hidden_dim=dim,
        vocab_size=vocab_size,
        embeddings=(Tensor("embed_tokens.weight", "embedding", (vocab_size + _N_SPECIAL_TOKENS, dim)),),
        layers=runs(cross if index in crossing else plain for index in range(text.n_layers())),
        closing=final_norm(_TRAITS, dim),
        head=(Tensor("lm_head.weight", "head", (vocab_size, dim)),),
    )


def _norms(dim: int) -> tuple[Norm, ...]:
    return layer_norms(_TRAITS, dim)


def _cross_layer(text: Fields, dim: int) -> Layer:
    like = attention(text, _TRAITS)
    mixer = CrossAttention(
        n_heads=like.n_heads,
        n_kv_heads=like.n_kv_heads,
        head_dim=like.head_dim,
        source_dim=dim,
        norms=(
            Norm(name="cross_attn.q_norm", dim=like.head_dim),
            Norm(name="cross_attn.k_norm", dim=like.head_dim),
        ),
    )
    gates = (vector("cross_attn_attn_gate", 1), vector("cross_attn_mlp_gate", 1))
    return Layer(mixers=(mixer,), feed_forward=(dense(text, _TRAITS),), norms=_norms(dim), extra=gates)


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read the tower: tiles of an image through local layers, then gated global ones over all tiles."""
    vision = fields.section("vision_config") or Fields({})
    dim = vision.count("hidden_size", default=1280)
    rows = n_patches(vision, image_px=448, patch_px=14) + 1
    tiles = vision.count("max_num_tiles", default=4)
    output = vision.count("vision_output_dim", default=7680)
    network = Transformer(
        model_type="mllama_vision_model",
        hidden_dim=dim,
        embeddings=_embeddings(vision, dim, rows, tiles),
        layers=_layers(vision, dim),
        closing=(
            *_tile_embedding("post_tile_positional_embedding", vision, dim, tiles),
            *norm_weights("layernorm_post", dim),
            *linear("multi_modal_projector", hidden_dim(_text(fields)), output),
        ),
    )
    return (Tower(role="vision", network=network, stream_tokens=rows * tiles, output_tokens=rows * tiles),)


def _n_aspect_ratios(vision: Fields) -> int:
    ratios = vision.items("supported_aspect_ratios")
    return _N_ASPECT_RATIOS if ratios is None else len(ratios)


def _tile_embedding(name: str, vision: Fields, dim: int, tiles: int) -> tuple[Tensor, ...]:
    shape = (_n_aspect_ratios(vision) + 1, tiles * dim)
    return (vector(f"{name}.gate", 1), Tensor(f"{name}.embedding.weight", "position_embedding", shape))


def _embeddings(vision: Fields, dim: int, rows: int, tiles: int) -> tuple[Tensor, ...]:
    by_tile = (_n_aspect_ratios(vision) + 1, tiles * rows * dim)
    return (
        vector("class_embedding", dim),
        *patch_convolution("patch_embedding", vision, dim, patch_px=14, bias=False),
        vector("gated_positional_embedding.gate", 1),
        Tensor("gated_positional_embedding.embedding", "position_embedding", (rows, dim)),
        Tensor("gated_positional_embedding.tile_embedding.weight", "position_embedding", by_tile),
        *_tile_embedding("pre_tile_positional_embedding", vision, dim, tiles),
        *norm_weights("layernorm_pre", dim),
    )


def _layers(vision: Fields, dim: int) -> tuple[LayerRun, ...]:
    heads = vision.count("attention_heads", "num_attention_heads", default=16)
    width = vision.count("intermediate_size", default=5120)
    names = ("input_layernorm", "post_attention_layernorm")
    local = encoder_layer(
        dim, heads, width, EncoderTraits(query_bias=False, output_bias=False, layer_norms=names)
    )
    gated = Layer(
        mixers=local.mixers,
        feed_forward=local.feed_forward,
        norms=local.norms,
        extra=(vector("gate_attn", 1), vector("gate_ffn", 1)),
    )
    n_local, n_global = encoder_depth(vision, 32), encoder_depth(vision, 8, "num_global_layers")
    if n_local + n_global > 4096:
        msg = f"{n_local + n_global} vision layers; expected at most 4096"
        raise ConfigurationError(msg, field="num_hidden_layers")
    return runs([local] * n_local + [gated] * n_global)
