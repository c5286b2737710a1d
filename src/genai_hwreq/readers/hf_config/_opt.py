"""OPT: learned positions, optional projections around a narrower embedding, norms before or after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import Tensor
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, final_norm, read_decoder, vocabulary_head
from genai_hwreq.readers.hf_config._family import Family, common_fields
from genai_hwreq.readers.hf_config._windows import no_windows

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read"]

_TRAITS = DecoderTraits(
    query_bias=True,
    output_bias=True,
    bias_field="enable_bias",
    feed_forward_bias=True,
    feed_forward_bias_field="enable_bias",
    norm_kind="layer",
    norm_bias=True,
    layer_norms=("self_attn_layer_norm", "final_layer_norm"),
    gated=False,
    activation="relu",
    tied=True,
)

_NAMES = Family(names={"ffn_dim": "intermediate_size"})

_POSITION_OFFSET = 2
"""Rows that the position embedding has before the first position."""


def read(fields: Fields) -> Transformer:
    """Read OPT's decoder."""
    fields = common_fields(fields, _NAMES)
    affine = fields.flag("layer_norm_elementwise_affine", default=True)
    traits = evolve(_TRAITS, norm_weight=affine, norm_bias=affine)
    decoder = read_decoder(fields, traits, windows=no_windows(fields))
    width = decoder.hidden_dim
    narrow = fields.count("word_embed_proj_dim", default=width)
    positions = fields.count("max_position_embeddings", default=2048) + _POSITION_OFFSET
    projected = narrow != width
    project_in = (Tensor("project_in.weight", "projection", (width, narrow)),) if projected else ()
    project_out = (Tensor("project_out.weight", "projection", (narrow, width)),) if projected else ()
    return evolve(
        decoder,
        embeddings=(
            Tensor("embed_tokens.weight", "embedding", (decoder.vocab_size, narrow)),
            Tensor("embed_positions.weight", "position_embedding", (positions, width)),
            *project_in,
        ),
        closing=(*_closing_norm(fields, traits, width), *project_out),
        head=vocabulary_head(fields, traits, narrow),
    )


def _closing_norm(fields: Fields, traits: DecoderTraits, width: int) -> tuple[Tensor, ...]:
    before = fields.flag("do_layer_norm_before", default=True)
    if not before or fields.flag("_remove_final_layer_norm", default=False):
        return ()
    return final_norm(traits, width)
