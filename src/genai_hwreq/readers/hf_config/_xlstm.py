"""xLSTM: layers of matrix memories (mLSTM), each with a gated feed-forward network.

Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/xlstm/modeling_xlstm.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import Dense, Layer, Norm, StateSpace, Tensor
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.hf_config._decoder import hidden_dim
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._hybrid_fields import assemble, even_share, factor

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer

__all__ = ["read"]


def read(fields: Fields) -> Transformer:
    """Read the network."""
    fields = Fields(
        {"num_heads": 8, "chunk_size": 64, **fields.config, "tie_word_embeddings": False}
    )  # it ties nothing
    dim, has_bias = hidden_dim(fields), fields.flag("use_bias", default=False)
    layer = Layer(
        mixers=(_mlstm(fields, dim, has_bias=has_bias),),
        feed_forward=(_network(fields, dim, has_bias=has_bias),),
        norms=tuple(Norm(name=name, dim=dim, bias=has_bias) for name in ("norm_mlstm", "norm_ffn")),
    )
    layers = [layer] * fields.n_layers("num_hidden_layers", "num_blocks")
    return assemble(fields, layers, closing=Norm(name="out_norm", dim=dim).tensors())


def _network(fields: Fields, dim: int, *, has_bias: bool) -> Dense:
    multiple = fields.count("ffn_round_up_to_multiple_of", default=64)
    width = int((dim * factor(fields, "ffn_proj_factor", 2.667) + multiple - 1) // multiple) * multiple
    fused = fields.text("weight_mode", default="single") == "fused"
    return Dense(intermediate_dim=width, up_bias=has_bias, fused=fused)


def _mlstm(fields: Fields, dim: int, *, has_bias: bool) -> StateSpace:
    heads = fields.count("num_heads")
    value_dim = int(dim * factor(fields, "v_dim_factor", 1.0))
    key_dim = int(dim * factor(fields, "qk_dim_factor", 0.5))
    key_head_dim = even_share(key_dim, heads, "num_heads")
    value_head_dim = even_share(value_dim, heads, "num_heads")
    rows = (("q", key_dim), ("k", key_dim), ("v", value_dim), ("ogate_preact", value_dim))
    return StateSpace(
        kind="mlstm",
        inner_dim=value_dim,
        n_heads=heads,
        n_groups=heads,
        state_dim=key_head_dim,
        # A matrix memory, its normaliser and its stabiliser.
        state_elements=heads * (key_head_dim * value_head_dim + key_head_dim + 1),
        chunk_tokens=fields.count("chunk_size"),
        weights=(
            *(tensor for name, n in rows for tensor in matrix(name, "projection", n, dim, has_bias=has_bias)),
            *(
                t
                for name in ("igate_preact", "fgate_preact")
                for t in matrix(name, "projection", heads, dim, has_bias=True)
            ),
            *_head_norm(value_dim, has_bias=has_bias),
            *matrix("out_proj", "projection", dim, value_dim, has_bias=has_bias),
        ),
    )


def _head_norm(value_dim: int, *, has_bias: bool) -> tuple[Tensor, ...]:
    return Norm(name="multihead_norm", dim=value_dim, kind="layer", bias=has_bias).tensors()
