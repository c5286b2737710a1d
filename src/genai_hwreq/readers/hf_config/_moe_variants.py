"""Families with experts whose attention differs from layer to layer: MiMo, Llama 4, Step, MiniMax-M3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Norm
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, layer_windows
from genai_hwreq.readers.hf_config._experts import (
    ExpertTraits,
    listed_or_few_dense_first,
    named_layers,
)
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._moe_decoder import MoeFamily, plain, read_moe
from genai_hwreq.readers.hf_config._moe_rules import unbiased_output

if TYPE_CHECKING:
    from genai_hwreq.models import Attention, Transformer

__all__ = ["read"]


def _mimo_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    """Return MiMo's windows: the checkpoint's own field counts the earlier tokens only."""
    before = fields.optional_count("sliding_window_size")
    window = fields.count("sliding_window", default=129) if before is None else before + 1
    if fields.has("layer_types"):
        spans = layer_windows(fields, n_layers)
        return tuple(window if span else None for span in spans)
    pattern = fields.counts("hybrid_layer_pattern")
    if pattern is None:
        pattern = tuple(int(index > 0 and (index + 1) % 6 > 0) for index in range(n_layers))
    if len(pattern) != n_layers:
        msg = (
            f"hybrid_layer_pattern has {len(pattern)} entries; expected one for each of the {n_layers} layers"
        )
        raise ConfigurationError(msg, field="hybrid_layer_pattern")
    return tuple(window if slides else None for slides in pattern)


def _mimo_attention(
    fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None
) -> Attention:
    if window_tokens is not None:
        n_kv_heads = fields.count("swa_num_key_value_heads", default=2 * fields.count("num_key_value_heads"))
        fields = Fields({**fields.config, "num_key_value_heads": n_kv_heads})
    return evolve(
        unbiased_output(fields, traits, index, window_tokens),
        value_head_dim=fields.count("v_head_dim", default=128),
        sinks=window_tokens is not None,
    )


def _llama4_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    chunk = fields.optional_count("attention_chunk_size")
    kinds = fields.items("layer_types")
    if kinds is None:
        with_positions = _llama4_positions(fields, n_layers)
        return tuple(chunk if turned else None for turned in with_positions)
    if len(kinds) != n_layers:
        msg = f"layer_types has {len(kinds)} entries; expected one for each of the {n_layers} layers"
        raise ConfigurationError(msg, field="layer_types")
    return tuple(chunk if kind == "chunked_attention" else None for kind in kinds)


def _llama4_positions(fields: Fields, n_layers: int) -> tuple[int, ...]:
    """Return one for each layer with rotary positions, zero for one without."""
    stated = fields.counts("no_rope_layers")
    if stated and len(stated) >= n_layers:
        return stated[:n_layers]
    every = fields.count("no_rope_layer_interval", default=4)
    return tuple(int((index + 1) % every != 0) for index in range(n_layers))


def _llama4_attention(
    fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None
) -> Attention:
    base = evolve(plain(fields, traits, index, window_tokens), window_kind="chunked")
    if not fields.flag("use_qk_norm", default=True):
        return base
    return evolve(base, norms=(Norm(name="qk_norm", dim=base.head_dim, weight=False),))


def _step_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    """Return Step's windows; entries beyond the last layer are for token prediction."""
    kinds = fields.items("layer_types")
    if kinds is None:
        return (None,) * n_layers
    return layer_windows(Fields({**fields.config, "layer_types": list(kinds[:n_layers])}), n_layers)


def _step_attention(
    fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None
) -> Attention:
    if window_tokens is not None:
        other = fields.section("attention_other_setting") or Fields({})
        heads = fields.count("num_attention_heads")
        heads = fields.count(
            "num_sliding_attention_heads", default=other.count("num_attention_heads", default=heads)
        )
        fields = Fields({**fields.config, "num_attention_heads": heads})
    return evolve(plain(fields, traits, index, window_tokens), gate="head")


def _step_sparse(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    listed = fields.config.get("moe_layers_enum")
    if fields.has("mlp_layer_types") or listed is None:
        return listed_or_few_dense_first(fields, n_layers)
    entries = listed.split(",") if isinstance(listed, str) else fields.items("moe_layers_enum") or ()
    chosen = {str(entry).strip() for entry in entries}
    return tuple(str(index) in chosen for index in range(n_layers))


def _minimax_m3_attention(
    fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None
) -> Attention:
    base = plain(fields, traits, index, window_tokens)
    sparse = fields.section("sparse_attention_config") or Fields({})
    kinds = fields.items("layer_types")
    flags = sparse.counts("sparse_attention_freq") if kinds is None else None
    stated = (kinds or flags or ())[index : index + 1]
    if stated not in (("minimax_m3_sparse",), (1,)):
        return base
    return evolve(
        base,
        n_index_heads=sparse.count(
            "sparse_num_index_heads", default=fields.count("index_n_heads", default=4)
        ),
        index_head_dim=sparse.count("sparse_index_dim", default=fields.count("index_head_dim", default=128)),
    )


_MINIMAX_M3 = MoeFamily(
    decoder=DecoderTraits(bias_field=None, qk_norm="head", fused_gate_up=True),
    experts=ExpertTraits(
        width=("intermediate_size",), shared_width=("shared_intermediate_size",), fused=True
    ),
    sparse=listed_or_few_dense_first,
    attention=_minimax_m3_attention,
    dense_width="dense_intermediate_size",
    defaults={
        "num_key_value_heads": 4,
        "head_dim": 128,
        "num_experts": 128,
        "num_experts_per_tok": 4,
        "dense_intermediate_size": 12288,
        "shared_intermediate_size": 3072,
    },
)

_FAMILIES: dict[str, MoeFamily] = {
    "mimo_v2_flash": MoeFamily(
        sparse=listed_or_few_dense_first,
        windows=_mimo_windows,
        attention=_mimo_attention,
        defaults={
            "num_key_value_heads": 4,
            "head_dim": 192,
            "num_experts": 256,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 2048,
            "sliding_window": 129,
            "first_k_dense_replace": 1,
        },
    ),
    "llama4_text": MoeFamily(
        experts=ExpertTraits(width=("intermediate_size",), shared_width=("intermediate_size",), fused=True),
        sparse=named_layers,
        windows=_llama4_windows,
        attention=_llama4_attention,
        dense_width="intermediate_size_mlp",
        defaults={
            "num_key_value_heads": 8,
            "head_dim": 128,
            "num_experts": 16,
            "num_experts_per_tok": 1,
            "intermediate_size_mlp": 16384,
            "attention_chunk_size": 8192,
        },
    ),
    "step3p5": MoeFamily(
        decoder=DecoderTraits(qk_norm="head"),
        experts=ExpertTraits(
            shared_width=("share_expert_dims", "share_expert_dim"), bias_field="mlp_bias", fused=True
        ),
        sparse=_step_sparse,
        windows=_step_windows,
        attention=_step_attention,
        defaults={
            "num_key_value_heads": 8,
            "head_dim": 128,
            "num_experts": 288,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 1280,
            "share_expert_dim": 1280,
            "first_k_dense_replace": 3,
        },
    ),
    "minimax_m3": _MINIMAX_M3,
    "minimax_m3_vl_text": _MINIMAX_M3,
}


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    return read_moe(fields, _FAMILIES[fields.text("model_type", default="")])
