"""Dense decoders with latent attention in every layer: MiniCPM 3, Youtu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import LatentAttention
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, read_decoder
from genai_hwreq.readers.hf_config._family import Family, common_fields
from genai_hwreq.readers.hf_config._windows import no_windows

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read"]

_TRAITS = DecoderTraits(tied=True)

_FAMILIES = {
    "minicpm3": Family(
        defaults={
            "q_lora_rank": 768,
            "kv_lora_rank": 256,
            "qk_nope_head_dim": 64,
            "qk_rope_head_dim": 32,
            "v_head_dim": 64,
        }
    ),
    "youtu": Family(
        defaults={
            "q_lora_rank": 1536,
            "kv_lora_rank": 512,
            "qk_nope_head_dim": 128,
            "qk_rope_head_dim": 64,
            "v_head_dim": 128,
        }
    ),
}


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    fields = common_fields(fields, _FAMILIES[fields.text("model_type", default="minicpm3")])
    base = read_decoder(fields, _TRAITS, windows=no_windows(fields))
    mixer = LatentAttention(
        n_heads=fields.count("num_attention_heads"),
        q_lora_rank=fields.optional_count("q_lora_rank") or 0,
        kv_lora_rank=fields.count("kv_lora_rank"),
        qk_nope_head_dim=fields.count("qk_nope_head_dim"),
        qk_rope_head_dim=fields.count("qk_rope_head_dim"),
        v_head_dim=fields.count("v_head_dim"),
        has_bias=fields.flag("attention_bias", default=False),
    )
    layers = tuple(evolve(run, layer=evolve(run.layer, mixers=(mixer,))) for run in base.layers)
    return evolve(base, layers=layers)
