"""MusicGen's decoder: one embedding and one head for each codebook, cross-attention to the text in every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import CrossAttention, Layer, LayerRun, Tensor
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, attention, dense, layer_norms, read_decoder
from genai_hwreq.readers.hf_config._family import Family, common_fields
from genai_hwreq.readers.hf_config._windows import no_windows

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read"]

_FAMILY = Family(
    traits=DecoderTraits(
        bias_field=None,
        norm_kind="layer",
        norm_bias=True,
        layer_norms=("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"),
        gated=False,
        activation="gelu",
    ),
    names={"ffn_dim": "intermediate_size"},
    defaults={"num_codebooks": 4},
)


def read(fields: Fields) -> Transformer:
    """Read the decoder."""
    fields = common_fields(fields, _FAMILY)
    traits = _FAMILY.traits
    base = read_decoder(fields, traits, windows=no_windows(fields))
    mixer = attention(fields, traits)
    cross = CrossAttention(
        n_heads=mixer.n_heads, n_kv_heads=mixer.n_heads, head_dim=mixer.head_dim, source_dim=base.hidden_dim
    )
    layer = Layer(
        mixers=(mixer, cross),
        feed_forward=(dense(fields, traits),),
        norms=layer_norms(traits, base.hidden_dim),
    )
    codebooks, entries = fields.n_layers("num_codebooks"), base.vocab_size
    # Each embedding has one row more, for the token that starts a sequence.
    rows, width = entries + 1, base.hidden_dim
    return evolve(
        base,
        vocab_size=codebooks * entries,
        embeddings=tuple(
            Tensor(f"embed_tokens.{index}.weight", "embedding", (rows, width)) for index in range(codebooks)
        ),
        layers=(LayerRun(layer=layer, n_layers=base.n_layers),),
        head=tuple(
            Tensor(f"lm_heads.{index}.weight", "head", (entries, width)) for index in range(codebooks)
        ),
    )
