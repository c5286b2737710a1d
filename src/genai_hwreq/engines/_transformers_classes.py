"""What the model classes of transformers do differently: which tensors their code keeps alive.

Each class of the library is its own code, so this table speaks of classes (`model_type`), never of models.
Read off transformers 5.23 (`src/transformers/models/<model_type>/modeling_<model_type>.py`) by replaying its
allocations tensor by tensor; `validation/simulate_allocation.py` repeats that for any class and version.
"""

from __future__ import annotations

from typing import Literal

from attrs import evolve, frozen

__all__ = ["ClassTraits", "class_traits"]


@frozen(kw_only=True)
class ClassTraits:
    """Tensors that a model class keeps alive, where it differs from Llama's."""

    norm_before: bool = True
    """Whether a layer normalises before attention and feed-forward network; else only their outputs."""

    feed_forward_copies: int = 2
    """Stream-wide tensors alive in the feed-forward moment beside the layer's input: residual and normed input."""

    half_widths: int | None = None
    """Feed-forward-wide tensors alive together, in halves; `None`: as the network's structure says."""

    positions: Literal["rotary", "learned", "none"] = "rotary"
    """Where positions come from: tables of cosines and sines, a learned embedding, or the attention's own bias."""

    rotary_tables: int = 1
    """Pairs of rotary tables, one for each rotary base."""

    rotary_percent: int = 100
    """Share of a head that is rotated."""

    rotary_table_bytes: int | None = None
    """Bytes of a table's element; `None`: as the compute type."""

    rotary_in_fp32: bool = False
    """Whether queries and keys are copied to 32 bit to be rotated."""

    qk_norm: Literal["none", "before_cache", "after_cache"] = "none"
    """Whether normalising queries and keys holds most before the layer's keys are cached, or after."""

    keeps_projection: Literal["none", "fused", "partial"] = "none"
    """What stays alive beside rotated queries: the fused projection, or the parts cut for partial rotation."""

    score_copies: Literal["16+32+32", "16+16", "16+16+16"] = "16+32+32"
    """Copies of the scores alive at once in eager attention, by precision (of a 16-bit model)."""

    earlier_scores: bool = False
    """Whether eager attention still holds the scores of the layer before."""

    logit_copies: int = 1
    """Copies of the logits alive at once: scaling makes a second, a soft cap a third."""

    always_masked: bool = False
    """Whether a mask is made even where nothing is padded and no window is passed."""

    router_in_fp32: bool = False
    """Whether router logits are made in 32 bit."""

    routing_weights_in_fp32: bool = False
    """Whether the chosen experts' weights stay in 32 bit, and with them the weighted outputs."""

    shared_expert_first: bool = False
    """Whether the shared expert runs before the routed ones, so that its output waits."""

    expert_widths: int = 4
    """Expert-wide tensors of each chosen row alive together: gate and up, activation, product."""

    broadcast_cache: bool = False
    """Whether keys and values are cached once for every query head, grouped or not."""


_LIKE_LLAMA = ClassTraits()
_POST_NORM = ClassTraits(norm_before=False, feed_forward_copies=1, rotary_table_bytes=4)
_SCALED_LOGITS = ClassTraits(logit_copies=2)
_QK_NORM = ClassTraits(qk_norm="before_cache")
_DEEPSEEK = ClassTraits(router_in_fp32=True, routing_weights_in_fp32=True)
_GLM = ClassTraits(rotary_percent=50)
_GPT2 = ClassTraits(
    half_widths=8, feed_forward_copies=3, positions="learned", keeps_projection="fused", score_copies="16+16"
)

_CLASSES: dict[str, ClassTraits] = {
    "apertus": ClassTraits(qk_norm="after_cache", half_widths=11),
    "arcee": ClassTraits(half_widths=6),
    "biogpt": ClassTraits(
        feed_forward_copies=1, positions="learned", score_copies="16+16", always_masked=True
    ),
    "bloom": ClassTraits(positions="none"),
    "cohere": ClassTraits(rotary_in_fp32=True, logit_copies=2),
    "cohere2": ClassTraits(rotary_in_fp32=True, logit_copies=2),
    "deepseek_v2": _DEEPSEEK,
    "deepseek_v3": _DEEPSEEK,
    "dots1": evolve(_DEEPSEEK, qk_norm="before_cache"),
    "ernie4_5": ClassTraits(rotary_table_bytes=4),
    "ernie4_5_moe": ClassTraits(rotary_table_bytes=4, shared_expert_first=True, router_in_fp32=True),
    "exaone4": evolve(_POST_NORM, qk_norm="after_cache", rotary_table_bytes=None),
    "falcon": ClassTraits(
        keeps_projection="fused",
        always_masked=True,
        earlier_scores=True,
        score_copies="16+16+16",
        broadcast_cache=True,
    ),
    "gemma2": ClassTraits(logit_copies=3),
    "gemma3_text": ClassTraits(qk_norm="after_cache", rotary_tables=2),
    "glm": _GLM,
    "glm4": _GLM,
    "glm4_moe": evolve(_DEEPSEEK, rotary_percent=50),
    "gpt2": _GPT2,
    "gpt_bigcode": evolve(_GPT2, half_widths=4, score_copies="16+32+32"),
    "gpt_neox": ClassTraits(keeps_projection="fused", rotary_percent=25),
    "gpt_oss": ClassTraits(expert_widths=9, score_copies="16+16+16"),
    "granite": _SCALED_LOGITS,
    "granitemoe": evolve(_SCALED_LOGITS, router_in_fp32=True),
    "hunyuan_v1_dense": ClassTraits(qk_norm="after_cache"),
    "hunyuan_v1_moe": evolve(_DEEPSEEK, qk_norm="after_cache", shared_expert_first=True),
    "minimax_m2": ClassTraits(qk_norm="before_cache", routing_weights_in_fp32=True),
    "mixtral": ClassTraits(routing_weights_in_fp32=True),
    "mpt": ClassTraits(feed_forward_copies=3, positions="none"),
    "nemotron": ClassTraits(half_widths=6, rotary_percent=50),
    "olmo": ClassTraits(rotary_table_bytes=4),
    "olmo2": _POST_NORM,
    "olmo3": evolve(_POST_NORM, rotary_tables=2),
    "olmoe": _QK_NORM,
    "opt": ClassTraits(positions="learned"),
    "phi": ClassTraits(half_widths=8, rotary_percent=50, keeps_projection="partial"),
    "phi3": ClassTraits(keeps_projection="fused"),
    "qwen2_moe": ClassTraits(shared_expert_first=True),
    "qwen3": _QK_NORM,
    "qwen3_moe": _QK_NORM,
    "stablelm": ClassTraits(feed_forward_copies=4, rotary_percent=25, keeps_projection="partial"),
}
"""Traits by `model_type`. A class that is not listed is taken to be like Llama's."""


def class_traits(model_type: str) -> ClassTraits:
    """Return what sets a class apart; Llama's traits where nothing is known to."""
    return _CLASSES.get(model_type, _LIKE_LLAMA)
