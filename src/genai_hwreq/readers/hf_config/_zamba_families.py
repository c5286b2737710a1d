"""Zamba and Zamba2: Mamba layers, some of them with a transformer block whose weights are shared.

Each hybrid layer has a cache of its own, but the block's weights are stored once (Zamba) or once for each
of a few blocks used in turn (Zamba2, with small adapters of each layer's own). The block reads the stream
and the embeddings side by side, so its attention is twice as wide as the stream.

Sources: https://github.com/huggingface/transformers/blob/main/src/transformers/models/zamba/modeling_zamba.py,
https://github.com/huggingface/transformers/blob/main/src/transformers/models/zamba2/modeling_zamba2.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from genai_hwreq.models import Attention, Dense, Layer, Norm
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.hf_config._decoder import hidden_dim
from genai_hwreq.readers.hf_config._hybrid_fields import (
    assemble,
    auto_count,
    even_share,
    layer_kinds,
    with_defaults,
)
from genai_hwreq.readers.hf_config._state_spaces import mamba, mamba2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.models import StateSpace, Tensor, Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["DEFAULTS", "read"]

_KINDS = ("linear_attention", "hybrid")

DEFAULTS: dict[str, dict[str, Any]] = {
    "zamba": {
        "num_key_value_heads": 16,
        "n_mamba_heads": 2,
        "hidden_act": "gelu",
        "attn_layer_period": 6,
        "attn_layer_offset": 4,
        "mamba_d_state": 16,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
        "tie_word_embeddings": True,
    },
    "zamba2": {
        "n_mamba_heads": 8,
        "hidden_act": "gelu",
        "mamba_d_state": 64,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
        "mamba_ngroups": 1,
        "chunk_size": 256,
        "num_mem_blocks": 1,
        "adapter_rank": 128,
        "tie_word_embeddings": True,
    },
}
"""What the configuration classes take where a field is absent."""


def read(fields: Fields) -> Transformer:
    """Read the network of one of these families."""
    model_type = fields.text("model_type", default="zamba")
    fields = with_defaults(fields, DEFAULTS[model_type])
    dim, is_second = hidden_dim(fields), model_type == "zamba2"
    kinds = layer_kinds(fields, ("layers_block_type", "layer_types"), _KINDS)
    kinds = kinds or (_zamba2_kinds(fields) if is_second else _zamba_kinds(fields))
    mixer = _zamba2_mixer(fields, dim) if is_second else _zamba_mixer(fields, dim)
    n_blocks = fields.count("num_mem_blocks", default=1)
    layers = tuple(_layers(fields, kinds, mixer, n_blocks))
    return assemble(fields, layers, closing=Norm(name="final_layernorm", dim=dim).tensors())


def _layers(fields: Fields, kinds: tuple[str, ...], mixer: StateSpace, n_blocks: int) -> Iterator[Layer]:
    dim, softmax, network = hidden_dim(fields), _attention(fields), _network(fields)
    norm = Norm(name="input_layernorm", dim=dim)
    plain = Layer(mixers=(mixer,), norms=(norm,))
    block_norms = (
        Norm(name="shared_transformer.input_layernorm", dim=2 * dim),
        Norm(name="shared_transformer.pre_ff_layernorm", dim=dim),
    )
    linear, adapters = matrix("linear", "projection", dim, dim), tuple(_adapters(fields, softmax, network))
    # Where nothing is tied, each hybrid layer stores a block, with the adapters of all that would share it.
    tied, n_hybrid = fields.flag("tie_word_embeddings", default=True), kinds.count("hybrid")
    index = -1
    for kind in kinds:
        if kind == "linear_attention":
            yield plain
            continue
        index += 1
        stored = index < n_blocks or not tied
        n_sharing = 1 if tied else len(range(index % n_blocks, n_hybrid, n_blocks))
        yield Layer(
            mixers=(evolve(softmax, stored=stored), mixer),
            feed_forward=(evolve(network, stored=stored),),
            norms=(*block_norms, norm) if stored else (norm,),
            extra=linear + adapters * n_sharing,
        )


def _attention(fields: Fields) -> Attention:
    dim, heads = hidden_dim(fields), fields.count("num_attention_heads")
    head_dim = even_share(2 * dim, heads, "num_attention_heads")
    if fields.text("model_type", default="") == "zamba":
        head_dim = fields.count("attention_head_dim", default=head_dim)
    kv_heads = fields.count("num_key_value_heads", default=heads)
    even_share(heads, kv_heads, "num_key_value_heads")
    return Attention(
        n_heads=heads,
        n_kv_heads=kv_heads,
        head_dim=head_dim,
        input_dim=fields.count("attention_hidden_size", default=2 * dim),
    )


def _network(fields: Fields) -> Dense:
    is_second = fields.text("model_type", default="") == "zamba2"
    return Dense(
        intermediate_dim=fields.count("intermediate_size", default=4 * hidden_dim(fields)),
        activation=fields.text("hidden_act", default="gelu"),
        up_bias=is_second and fields.flag("add_bias_linear", default=False),
        fused=is_second,
    )


def _adapters(fields: Fields, softmax: Attention, network: Dense) -> Iterator[Tensor]:
    """Yield the low-rank matrices that a hybrid layer of Zamba2 adds to the shared ones."""
    if fields.text("model_type", default="") != "zamba2":
        return
    dim, rank = hidden_dim(fields), fields.count("adapter_rank")
    rows = [("gate_up_proj_adapter", dim, 2 * network.intermediate_dim)]
    if fields.flag("use_shared_attention_adapter", default=False):
        width = softmax.input_dim or 2 * dim
        rows += [(f"linear_{name}_adapter", width, width) for name in "qkv"]
    for name, n_in, n_out in rows:
        yield from matrix(f"{name}.0", "projection", rank, n_in)
        yield from matrix(f"{name}.1", "projection", n_out, rank)


def _zamba_kinds(fields: Fields) -> tuple[str, ...]:
    period, offset = fields.count("attn_layer_period"), fields.count("attn_layer_offset", minimum=0)
    n_layers = fields.n_layers()
    later = tuple(_KINDS[index % period == offset] for index in range(max(0, n_layers - 3)))
    return (*_KINDS[:1] * 2, "hybrid", *later)[:n_layers]


def _zamba2_kinds(fields: Fields) -> tuple[str, ...]:
    plain, hybrid = _KINDS[:1], _KINDS[1:]
    pattern = plain + (plain * 5 + hybrid) * 7 + plain * 4 + hybrid + plain * 3 + hybrid + plain * 2
    return pattern[: fields.n_layers()]


def _zamba_mixer(fields: Fields, dim: int) -> StateSpace:
    inner_dim, heads = fields.count("mamba_expand") * dim, fields.count("n_mamba_heads")
    even_share(inner_dim, heads, "n_mamba_heads")
    return mamba(
        dim,
        inner_dim=inner_dim,
        state_dim=fields.count("mamba_d_state"),
        dt_rank=auto_count(fields, "mamba_dt_rank", auto=-(-dim // 16)),
        kernel=fields.count("mamba_d_conv"),
        conv_bias=fields.flag("mamba_conv_bias", default=True),
        projection_bias=fields.flag("mamba_proj_bias", default=False),
        n_heads=heads,
    )


def _zamba2_mixer(fields: Fields, dim: int) -> StateSpace:
    inner_dim, heads = fields.count("mamba_expand") * dim, fields.count("n_mamba_heads")
    even_share(inner_dim, heads, "n_mamba_heads")
    bias = fields.flag("add_bias_linear", default=False)
    return mamba2(
        dim,
        inner_dim=inner_dim,
        n_heads=heads,
        n_groups=fields.count("mamba_ngroups"),
        state_dim=fields.count("mamba_d_state"),
        kernel=fields.count("mamba_d_conv"),
        chunk_tokens=fields.count("chunk_size"),
        in_bias=bias,
        out_bias=bias,
    )
