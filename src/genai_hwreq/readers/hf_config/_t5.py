"""T5 and its kin: encoder and decoder without biases, with relative positions, sharing one embedding.

Diffusion pipelines use the encoder alone; `architectures` says so in their configurations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from genai_hwreq.models import Attention, CrossAttention, Dense, Layer, Norm, Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, runs, vocabulary_head
from genai_hwreq.readers.hf_config._encoder import norm_weights

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read", "read_towers"]

_T5: dict[str, Any] = {
    "vocab_size": 32128,
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 2048,
    "num_layers": 6,
    "num_heads": 8,
    "feed_forward_proj": "relu",
}
_MT5: dict[str, Any] = {
    "vocab_size": 250112,
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 1024,
    "num_layers": 8,
    "num_heads": 6,
    "feed_forward_proj": "gated-gelu",
}
_Part = Literal["encoder", "decoder"]


def _with_defaults(fields: Fields) -> Fields:
    own = _T5 if fields.text("model_type", default="t5") == "t5" else _MT5
    return fields.with_defaults(own)


def _is_encoder_only(fields: Fields) -> bool:
    return any(
        isinstance(name, str) and name.endswith("EncoderModel")
        for name in fields.items("architectures") or ()
    )


def read(fields: Fields) -> Transformer:
    """Read the decoder, or the encoder where the configuration is that of an encoder alone."""
    return _network(
        _with_defaults(fields), "encoder" if _is_encoder_only(fields) else "decoder", has_embedding=True
    )


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read the encoder beside the decoder."""
    if _is_encoder_only(fields):
        return ()
    return (Tower(role="text", network=_network(_with_defaults(fields), "encoder", has_embedding=False)),)


def _network(fields: Fields, part: _Part, *, has_embedding: bool) -> Transformer:
    dim, vocab_size = fields.count("d_model"), fields.count("vocab_size")
    depth = fields.n_layers("num_layers")
    is_decoder = part == "decoder"
    if is_decoder and fields.has("num_decoder_layers"):
        depth = fields.n_layers("num_decoder_layers")
    every_layer = fields.text("model_type", default="t5") == "umt5"
    first, rest = (_layer(fields, part, has_positions=has) for has in (True, every_layer))
    return Transformer(
        model_type=fields.text("model_type", default="t5"),
        hidden_dim=dim,
        vocab_size=vocab_size if is_decoder else 0,
        embeddings=(Tensor("shared.weight", "embedding", (vocab_size, dim)),) if has_embedding else (),
        layers=runs([first] + [rest] * (depth - 1)),
        closing=norm_weights("final_layer_norm", dim, "rms"),
        head=vocabulary_head(fields, DecoderTraits(tied=True), dim) if is_decoder else (),
    )


def _layer(fields: Fields, part: _Part, *, has_positions: bool) -> Layer:
    """Return a layer; in T5 the first one holds the table of relative positions for all, in UMT5 each has its own."""
    dim, heads, head_dim = fields.count("d_model"), fields.count("num_heads"), fields.count("d_kv")
    buckets = fields.count("relative_attention_num_buckets", default=32)
    table = (Tensor("relative_attention_bias.weight", "position_embedding", (buckets, heads)),)
    own = Attention(n_heads=heads, n_kv_heads=heads, head_dim=head_dim)
    cross = CrossAttention(n_heads=heads, n_kv_heads=heads, head_dim=head_dim, source_dim=dim)
    is_decoder = part == "decoder"
    names = ("layer.0.layer_norm", "layer.1.layer_norm", "layer.2.layer_norm")[: 3 if is_decoder else 2]
    return Layer(
        mixers=(own, cross) if is_decoder else (own,),
        feed_forward=(_feed_forward(fields),),
        norms=tuple(Norm(name=name, dim=dim) for name in names),
        extra=table if has_positions else (),
    )


def _feed_forward(fields: Fields) -> Dense:
    kind, _, activation = fields.text("feed_forward_proj", default="relu").rpartition("-")
    return Dense(
        intermediate_dim=fields.count("d_ff"), gated=kind == "gated", activation=activation or "relu"
    )
