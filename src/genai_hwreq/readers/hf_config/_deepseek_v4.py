"""DeepSeek-V4: windows with compressed rows of all earlier tokens, and several streams mixed in each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import CompressedAttention, Layer, Norm, Tensor, Transformer
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    final_norm,
    hidden_dim,
    runs,
    token_embedding,
    vocabulary_head,
)
from genai_hwreq.readers.hf_config._experts import ExpertTraits, experts, with_defaults

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read"]

_DEFAULTS = {
    "head_dim": 512,
    "q_lora_rank": 1024,
    "num_experts": 256,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 2048,
    "n_shared_experts": 1,
    "sliding_window": 128,
    "o_groups": 8,
    "o_lora_rank": 1024,
    "index_n_heads": 64,
    "index_head_dim": 128,
    "hc_mult": 4,
}
_SPARSE, _HEAVY, _WINDOW = "compressed_sparse_attention", "heavily_compressed_attention", "sliding_attention"
_KIND_OF_RATIO = {0: _WINDOW, 4: _SPARSE, 128: _HEAVY}


def read(fields: Fields) -> Transformer:
    """Read the decoder."""
    fields = with_defaults(fields, _DEFAULTS)
    dim, traits, streams = hidden_dim(fields), DecoderTraits(), fields.count("hc_mult")
    routed = experts(fields, ExpertTraits(shared_count=("n_shared_experts",), bias_field="mlp_bias"))
    norms = tuple(Norm(name=name, dim=dim) for name in ("input_layernorm", "post_attention_layernorm"))
    kinds = _layer_kinds(fields, fields.n_layers())
    mixers = {kind: _attention(fields, kind) for kind in set(kinds)}
    extra = _stream_mixing("attn_hc", streams, dim) + _stream_mixing("ffn_hc", streams, dim)
    layers = [
        Layer(mixers=(mixers[kind],), feed_forward=(routed,), norms=norms, extra=extra) for kind in kinds
    ]
    return Transformer(
        model_type=fields.text("model_type", default="deepseek_v4"),
        hidden_dim=dim,
        vocab_size=fields.count("vocab_size"),
        embeddings=(token_embedding(fields),),
        layers=runs(layers),
        closing=(*final_norm(traits, dim), *_stream_closing(streams, dim)),
        head=vocabulary_head(fields, traits),
    )


def _layer_kinds(fields: Fields, n_layers: int) -> tuple[str, ...]:
    """Return each layer's kind of attention; entries beyond the last layer are for token prediction."""
    kinds = fields.items("layer_types")
    if kinds is None and fields.has("compress_ratios"):
        kinds = tuple(_KIND_OF_RATIO.get(ratio, "") for ratio in fields.counts("compress_ratios") or ())
    if kinds is None:
        kinds = (_HEAVY, _HEAVY, *(_SPARSE if index % 2 else _HEAVY for index in range(max(n_layers - 2, 0))))
    chosen = kinds[:n_layers]
    if len(chosen) < n_layers or not set(chosen) <= {_SPARSE, _HEAVY, _WINDOW}:
        msg = f"attention kinds {sorted(set(map(str, chosen)))} of {len(chosen)} layers; expected one known kind a layer"
        raise ConfigurationError(msg, field="layer_types")
    return chosen


def _attention(fields: Fields, kind: str) -> CompressedAttention:
    compressing: dict[str, Any] = {}
    if kind == _HEAVY:
        compressing = {"compress_tokens": _rate(fields, kind, "compress_rate_hca", 128)}
    elif kind == _SPARSE:
        compressing = {
            "compress_tokens": _rate(fields, kind, "compress_rate_csa", 4),
            "overlapping": True,
            "n_index_heads": fields.count("index_n_heads"),
            "index_head_dim": fields.count("index_head_dim"),
        }
    return CompressedAttention(
        n_heads=fields.count("num_attention_heads"),
        head_dim=fields.count("head_dim"),
        q_lora_rank=fields.count("q_lora_rank"),
        n_output_groups=fields.count("o_groups"),
        output_lora_rank=fields.count("o_lora_rank"),
        window_tokens=fields.count("sliding_window"),
        **compressing,
    )


def _rate(fields: Fields, kind: str, older_name: str, default: int) -> int:
    rates = fields.section("compress_rates")
    default = rates.count(kind, default=default) if rates else default
    return fields.count(older_name, default=default)


def _stream_mixing(name: str, streams: int, dim: int) -> tuple[Tensor, ...]:
    """Return the weights that read a layer's input from several streams and write back to them."""
    rows = (2 + streams) * streams
    return (
        Tensor(f"{name}.fn", "state", (rows, streams * dim)),
        Tensor(f"{name}.base", "state", (rows,)),
        Tensor(f"{name}.scale", "state", (3,)),
    )


def _stream_closing(streams: int, dim: int) -> tuple[Tensor, ...]:
    return (
        Tensor("hc_head.fn", "state", (streams, streams * dim)),
        Tensor("hc_head.base", "state", (streams,)),
        Tensor("hc_head.scale", "state", (1,)),
    )
