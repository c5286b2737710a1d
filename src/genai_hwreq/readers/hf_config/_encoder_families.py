"""Encoders of text: BERT and its kin, ModernBERT. They keep no keys and values; their one network is the decoder.

What stands on the layers follows from `architectures`: a masked-language head, or the bare model with its pooler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import Layer, Norm, Tensor
from genai_hwreq.models._tensor import bias, matrix
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    attention,
    dense,
    hidden_dim,
    read_decoder,
    runs,
    token_embedding,
    vocabulary_head,
)
from genai_hwreq.readers.hf_config._family import Family, common_fields
from genai_hwreq.readers.hf_config._windows import no_windows, one_full_in

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read"]

_BERT = DecoderTraits(
    query_bias=True,
    output_bias=True,
    bias_field=None,
    feed_forward_bias=True,
    norm_kind="layer",
    norm_bias=True,
    layer_norms=("attention.output.LayerNorm", "output.LayerNorm"),
    gated=False,
    activation="gelu",
    tied=True,
)

_NOMIC = evolve(
    _BERT, query_bias=False, output_bias=False, feed_forward_bias=False, gated=True, activation="silu"
)

_MODERN = DecoderTraits(norm_kind="layer", fused_qkv=True, fused_gate_up=True, activation="gelu", tied=True)

_LOCAL_TOKENS = 128
"""ModernBERT's window where the configuration does not say: half before the token and half behind it."""


def read(fields: Fields) -> Transformer:
    """Read the network of one of these families."""
    model_type = fields.text("model_type", default="bert")
    if model_type.startswith("modernbert"):
        return _read_modern(fields, is_decoder=model_type.endswith("decoder"))
    if model_type == "nomic_bert":
        return _read_bert(fields, _NOMIC, has_positions=False, has_pooler=False)
    return _read_bert(fields, _BERT, has_positions=True, has_pooler=True)


def _has_head(fields: Fields, *, default: bool) -> bool:
    classes = fields.items("architectures")
    if not classes:
        return default
    return any(str(name).endswith(("MaskedLM", "LMHeadModel", "CausalLM")) for name in classes)


def _read_bert(
    fields: Fields, traits: DecoderTraits, *, has_positions: bool, has_pooler: bool
) -> Transformer:
    network = read_decoder(fields, traits, windows=no_windows(fields))
    width = network.hidden_dim
    embeddings = (
        token_embedding(fields),
        *(_positions(fields, width) if has_positions else ()),
        Tensor(
            "token_type_embeddings.weight", "embedding", (fields.count("type_vocab_size", default=2), width)
        ),
        *Norm(name="embeddings.LayerNorm", dim=width, kind="layer", bias=True).tensors(),
    )
    if _has_head(fields, default=False):
        weights = vocabulary_head(fields, traits)
        # An untied head keeps its own bias beside the shared one.
        head = (*weights, *(bias("lm_head", network.vocab_size) for _ in range(1 + len(weights))))
        return evolve(network, embeddings=embeddings, closing=_transform(width, has_bias=True), head=head)
    pooler = matrix("pooler.dense", "projection", width, width, has_bias=True) if has_pooler else ()
    return evolve(network, embeddings=embeddings, vocab_size=0, closing=pooler, head=())


def _positions(fields: Fields, width: int) -> tuple[Tensor, ...]:
    rows = fields.count("max_position_embeddings", default=512)
    return (Tensor("position_embeddings.weight", "position_embedding", (rows, width)),)


def _transform(width: int, *, has_bias: bool, norm_bias: bool = True) -> tuple[Tensor, ...]:
    """Return the dense layer and norm before the head."""
    norm = Norm(name="transform.LayerNorm", dim=width, kind="layer", bias=norm_bias)
    return (*matrix("transform.dense", "projection", width, width, has_bias=has_bias), *norm.tensors())


def _read_modern(fields: Fields, *, is_decoder: bool) -> Transformer:
    half = fields.count("sliding_window", default=_LOCAL_TOKENS // 2)
    local = fields.count("local_attention", default=2 * half)
    window = local // 2 if is_decoder else local
    family = Family(derived=lambda _: {"sliding_window": window})
    fields = common_fields(fields, family)
    norm_bias = fields.flag("norm_bias", default=False)
    traits = evolve(_MODERN, norm_bias=norm_bias, fused_qkv=not is_decoder)
    width = hidden_dim(fields)
    windows = one_full_in(3, "first", "global_attn_every_n_layers")(fields)
    has_head = is_decoder or _has_head(fields, default=False)
    network = read_decoder(fields, traits, windows=windows)
    return evolve(
        network,
        vocab_size=network.vocab_size if has_head else 0,
        embeddings=(
            token_embedding(fields),
            *Norm(name="embeddings.norm", dim=width, kind="layer", bias=norm_bias).tensors(),
        ),
        layers=runs(_modern_layers(fields, traits, windows)),
        closing=(
            *network.closing,
            *(_modern_transform(fields, width, norm_bias=norm_bias) if has_head else ()),
        ),
        head=_modern_head(fields, traits, network.vocab_size) if has_head else (),
    )


def _modern_layers(fields: Fields, traits: DecoderTraits, windows: tuple[int | None, ...]) -> list[Layer]:
    """Return the layers; the first has no norm before its attention, as the embedding is normalised already."""
    width, network = hidden_dim(fields), dense(fields, traits)
    norms = tuple(
        Norm(name=name, dim=width, kind="layer", bias=traits.norm_bias) for name in ("attn_norm", "mlp_norm")
    )
    kinds = {window: attention(fields, traits, window_tokens=window) for window in set(windows)}
    return [
        Layer(mixers=(kinds[window],), feed_forward=(network,), norms=norms if index else norms[1:])
        for index, window in enumerate(windows)
    ]


def _modern_transform(fields: Fields, width: int, *, norm_bias: bool) -> tuple[Tensor, ...]:
    return _transform(width, has_bias=fields.flag("classifier_bias", default=False), norm_bias=norm_bias)


def _modern_head(fields: Fields, traits: DecoderTraits, vocab_size: int) -> tuple[Tensor, ...]:
    biases = (bias("decoder", vocab_size),) if fields.flag("decoder_bias", default=True) else ()
    return (*vocabulary_head(fields, traits), *biases)
