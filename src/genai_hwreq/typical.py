"""A model from nothing but its number of parameters: the usual shape of its size.

Next: estimation.
"""

from __future__ import annotations

from functools import cache
from math import isqrt

from genai_hwreq.estimates import Assumption
from genai_hwreq.models import (
    Attention,
    Dense,
    Identity,
    Layer,
    LayerRun,
    Norm,
    Tensor,
    Transformer,
    TransformerModel,
    transformer_inventory,
)

__all__ = ["typical_model"]

_HEAD_DIM = 128
_VOCAB_SIZE = 32_000
_DIM_PER_LAYER = 128
"""Width divided by depth in the Llama 2 family: 4096/32, 5120/40 (8192/80 for 70B is somewhat less)."""


def typical_model(n_params: int) -> tuple[TransformerModel, Assumption]:
    """Return a model of Llama 2's proportions with exactly `n_params` parameters, and say so.

    Width is 128 times depth, the feed-forward network 8/3 as wide, every head has its own keys and values:
    the cache comes out at its largest, and the estimate's interval reaches down to grouped heads.

    Examples:
        >>> model, _ = typical_model(7_000_000_000)
        >>> model.decoder.n_layers, model.decoder.hidden_dim
        (32, 4096)

    """
    n_layers = _depth(n_params)
    network = _network(n_layers, n_layers * _DIM_PER_LAYER)
    rest = n_params - transformer_inventory(network).n_params
    if rest < 0:
        network, rest = _smallest(n_params), 0
    elif rest:
        network = _network(n_layers, n_layers * _DIM_PER_LAYER, rest)
    identity = Identity(
        id=f"{n_params}-parameters",
        name=f"a model of {n_params:,} parameters",
        confidence="low",
        note="only the number of parameters was given",
    )
    text = f"Llama 2's proportions for {n_params:,} parameters: {network.n_layers} layers of width {network.hidden_dim}"
    return TransformerModel(identity=identity, decoder=network), Assumption(code="typical-shape", text=text)


def _depth(n_params: int) -> int:
    """Return the deepest network that has no more parameters: a layer has about 12 width² of them."""
    depth = 1
    while _count(depth + 1) <= n_params:
        depth += 1
    return depth


@cache
def _count(n_layers: int) -> int:
    return transformer_inventory(_network(n_layers, n_layers * _DIM_PER_LAYER)).n_params


def _network(n_layers: int, dim: int, rest: int = 0) -> Transformer:
    heads = max(1, dim // _HEAD_DIM)
    layer = Layer(
        mixers=(Attention(n_heads=heads, n_kv_heads=heads, head_dim=_HEAD_DIM),),
        feed_forward=(Dense(intermediate_dim=8 * dim // 3),),
        norms=(Norm(name="input_layernorm", dim=dim), Norm(name="post_attention_layernorm", dim=dim)),
    )
    return Transformer(
        model_type="llama",
        hidden_dim=dim,
        vocab_size=_VOCAB_SIZE,
        embeddings=(Tensor("embed_tokens.weight", "embedding", (_VOCAB_SIZE, dim)),),
        layers=(LayerRun(layer=layer, n_layers=n_layers),),
        closing=(Tensor("unattributed.weight", "projection", (1, rest)),) if rest else (),
        head=(Tensor("lm_head.weight", "head", (_VOCAB_SIZE, dim)),),
    )


def _smallest(n_params: int) -> Transformer:
    """Return a network for a count below the smallest usual shape: one layer, all in one matrix."""
    dim = max(1, isqrt(n_params))
    layer = Layer(extra=(Tensor("unattributed.weight", "projection", (1, n_params)),))
    return Transformer(model_type="llama", hidden_dim=dim, layers=(LayerRun(layer=layer, n_layers=1),))
