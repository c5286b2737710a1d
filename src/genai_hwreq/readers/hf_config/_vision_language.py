"""Families that are a decoder with a vision tower: what each is made of.

The decoder is read by the family that `text_config` names. Whether embedding and head are shared is usually
decided by the configuration as a whole, so that a value in `text_config` does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from attrs import evolve, frozen

from genai_hwreq.models import Tower
from genai_hwreq.readers.hf_config import _native_towers as native, _projectors as projectors
from genai_hwreq.readers.hf_config._composite import read_text, text_fields
from genai_hwreq.readers.hf_config._decoder import hidden_dim
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._vision_towers import gemma3_vision, idefics3_vision, shared_vision

if TYPE_CHECKING:
    from genai_hwreq.models import Tensor, Transformer

__all__ = ["FAMILIES", "VisionLanguage", "read", "read_towers"]


class _Projector(Protocol):
    def __call__(self, fields: Fields, tower: Fields, dim: int, text_dim: int, /) -> tuple[Tensor, ...]: ...


@frozen(kw_only=True)
class VisionLanguage:
    """What a family of vision-language models is made of."""

    text: str
    """Family of the decoder where `text_config` does not say."""

    vision: Callable[[Fields], Tower]
    """Reader of the tower."""

    projector: _Projector = projectors.no_projector
    """What maps the tower's rows to the decoder's width."""

    tied: bool = False
    """Whether embedding and head are shared where the configuration does not say."""

    tied_by: Literal["whole", "either", "text"] = "whole"
    """Whose `tie_word_embeddings` decides: that of the configuration as a whole, either's, or `text_config`'s."""

    text_absent: tuple[tuple[str, Any], ...] = ()
    """What fields of `text_config` mean that are not there, where it differs from the decoder's family."""

    vision_defaults: tuple[tuple[str, Any], ...] = ()
    """The tower's configuration where there is none."""


_CLIP_LARGE = (
    ("hidden_size", 1024),
    ("intermediate_size", 4096),
    ("num_hidden_layers", 24),
    ("num_attention_heads", 16),
    ("image_size", 336),
    ("patch_size", 14),
)
_SIGLIP_SO400M = (
    ("hidden_size", 1152),
    ("intermediate_size", 4304),
    ("num_attention_heads", 16),
    ("patch_size", 14),
    ("vision_use_head", False),
)
_CLIP = partial(shared_vision, default="clip_vision_model")
_SIGLIP = partial(shared_vision, default="siglip_vision_model")
_PIXTRAL = partial(shared_vision, default="pixtral")
_QWEN3_5 = partial(native.qwen3_vl_vision, deepstack=False)

FAMILIES: dict[str, VisionLanguage] = {
    "aya_vision": VisionLanguage(
        text="cohere2",
        vision=_SIGLIP,
        projector=projectors.aya_projector,
        tied=True,
        vision_defaults=(
            *_SIGLIP_SO400M,
            ("num_hidden_layers", 26),
            ("num_attention_heads", 14),
            ("image_size", 384),
        ),
    ),
    "cohere2_vision": VisionLanguage(
        text="cohere2",
        vision=_SIGLIP,
        projector=projectors.cohere_projector,
        tied=True,
        vision_defaults=(
            ("hidden_size", 1152),
            ("num_hidden_layers", 27),
            ("image_size", 512),
        ),
    ),
    "deepseek_vl": VisionLanguage(
        text="llama", vision=_SIGLIP, projector=projectors.deepseek_projector, tied=True
    ),
    "gemma3": VisionLanguage(
        text="gemma3_text", vision=gemma3_vision, projector=projectors.gemma3_projector, tied=True
    ),
    "glm46v": VisionLanguage(text="glm4v_text", vision=native.glm4v_vision),
    "glm4v": VisionLanguage(text="glm4v_text", vision=native.glm4v_vision, tied_by="either"),
    "glm4v_moe": VisionLanguage(text="glm4v_moe_text", vision=native.glm4v_vision, tied_by="either"),
    "idefics3": VisionLanguage(text="llama", vision=idefics3_vision, projector=projectors.idefics3_projector),
    "internvl": VisionLanguage(
        text="qwen2",
        vision=partial(shared_vision, default="internvl_vision"),
        projector=projectors.internvl_projector,
        tied=True,
    ),
    "kimi_k25": VisionLanguage(
        text="deepseek_v3", vision=native.kimi_vision, projector=projectors.kimi_projector, tied=True
    ),
    "kimi_k3": VisionLanguage(
        text="kimi_linear", vision=native.kimi_k3_vision, projector=projectors.kimi_k3_projector
    ),
    "kimi_vl": VisionLanguage(
        text="deepseek_v3",
        vision=native.kimi_vision,
        projector=projectors.kimi_projector,
        text_absent=(("q_lora_rank", None),),
    ),
    "lfm2_vl": VisionLanguage(
        text="lfm2",
        vision=partial(shared_vision, default="siglip2_vision_model"),
        projector=projectors.lfm2_projector,
        tied=True,
    ),
    "llama4": VisionLanguage(
        text="llama4_text", vision=native.llama4_vision, projector=projectors.llama4_projector, tied_by="text"
    ),
    "llava": VisionLanguage(
        text="llama",
        vision=_CLIP,
        projector=projectors.llava_projector,
        tied_by="either",
        vision_defaults=_CLIP_LARGE,
    ),
    "llava_next": VisionLanguage(
        text="llama", vision=_CLIP, projector=projectors.llava_next_projector, vision_defaults=_CLIP_LARGE
    ),
    "llava_next_video": VisionLanguage(
        text="llama", vision=_CLIP, projector=projectors.llava_next_projector, vision_defaults=_CLIP_LARGE
    ),
    "llava_onevision": VisionLanguage(
        text="qwen2",
        vision=_SIGLIP,
        projector=projectors.llava_next_projector,
        tied_by="either",
        vision_defaults=(*_SIGLIP_SO400M, ("num_hidden_layers", 26), ("image_size", 384)),
    ),
    "minimax_m3_vl": VisionLanguage(
        text="minimax_m3_vl_text",
        vision=native.minimax_vision,
        projector=projectors.minimax_projector,
        tied_by="either",
    ),
    "mistral3": VisionLanguage(
        text="mistral",
        vision=_PIXTRAL,
        projector=projectors.mistral3_projector,
        tied=True,
        text_absent=(("sliding_window", None),),
        vision_defaults=(("image_size", 1540), ("patch_size", 14)),
    ),
    "paligemma": VisionLanguage(
        text="gemma",
        vision=_SIGLIP,
        projector=projectors.paligemma_projector,
        tied=True,
        vision_defaults=(
            *_SIGLIP_SO400M,
            ("intermediate_size", 4096),
            ("num_hidden_layers", 27),
            ("projection_dim", 2048),
        ),
    ),
    "qwen2_5_vl": VisionLanguage(text="qwen2_5_vl_text", vision=native.qwen2_5_vl_vision, tied_by="either"),
    "qwen2_vl": VisionLanguage(text="qwen2_vl_text", vision=native.qwen2_vl_vision, tied_by="either"),
    "qwen3_5": VisionLanguage(text="qwen3_5_text", vision=_QWEN3_5),
    "qwen3_5_moe": VisionLanguage(text="qwen3_5_moe_text", vision=_QWEN3_5),
    "qwen3_vl": VisionLanguage(text="qwen3_vl_text", vision=native.qwen3_vl_vision),
    "qwen3_vl_moe": VisionLanguage(text="qwen3_vl_moe_text", vision=native.qwen3_vl_vision),
    "smolvlm": VisionLanguage(text="llama", vision=idefics3_vision, projector=projectors.idefics3_projector),
    "step3p7": VisionLanguage(text="step3p5", vision=native.step_vision, projector=projectors.step_projector),
    "vipllava": VisionLanguage(
        text="llama", vision=_CLIP, projector=projectors.vipllava_projector, vision_defaults=_CLIP_LARGE
    ),
}
"""Each family's parts, by `model_type`."""


def _family(fields: Fields) -> VisionLanguage:
    return FAMILIES[fields.text("model_type", default="llava")]


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    family = _family(fields)
    return read_text(fields, family.text, tied=_is_tied(fields, family), absent=dict(family.text_absent))


def _is_tied(fields: Fields, family: VisionLanguage) -> bool:
    whole = fields.flag("tie_word_embeddings", default=family.tied)
    if family.tied_by == "whole":
        return whole
    text = text_fields(fields, family.text).flag("tie_word_embeddings", default=False)
    return text or (whole and family.tied_by == "either")


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read the vision tower of one of these families, with its projector."""
    family = _family(fields)
    section = fields.section("vision_config") or Fields(dict(family.vision_defaults))
    tower = family.vision(section)
    text_dim = hidden_dim(text_fields(fields, family.text))
    projector = family.projector(fields, section, tower.network.hidden_dim, text_dim)
    network = evolve(tower.network, closing=tower.network.closing + projector)
    tokens = fields.optional_count("mm_tokens_per_image") or tower.output_tokens
    return (evolve(tower, network=network, output_tokens=tokens),)
