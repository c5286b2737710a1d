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

    norms_together: bool = False
    """Whether a parallel layer with two norms makes both normed inputs at its start."""

    feed_forward_copies: int = 2
    """Stream-wide tensors alive in the feed-forward moment beside the layer's input: residual and normed input,
    or normed input and attention output. (Parallel layers always have these two.)"""

    residual_in_fp32: bool = False
    """Whether the layer's input is kept in 32 bit."""

    half_widths: int | None = None
    """Feed-forward-wide tensors alive together, in halves; `None`: as the network's structure says."""

    positions: Literal["rotary", "learned", "counted", "none"] = "rotary"
    """Where positions come from: tables of cosines and sines, a learned embedding that stays alive, one of which
    only the counted positions stay, or the attention's own bias."""

    alibi: Literal["none", "rows", "table", "mask"] = "none"
    """What a bias by distance keeps: a row for each head, a table of all positions, or rows and a mask for each
    head (`mask` only where layers are sequential: Falcon's parallel ones rotate)."""

    rotary_tables: int = 1
    """Pairs of rotary tables, one for each rotary base."""

    rotary_percent: int = 100
    """Share of a head that is rotated."""

    rotary_table_bytes: int | None = None
    """Bytes of a table's element; `None`: as the compute type."""

    rotary_in_fp32: bool = False
    """Whether queries and keys are copied to 32 bit to be rotated."""

    rotary_tables_repeated: bool = False
    """Whether every layer repeats the tables' columns for its own use."""

    qk_norm: Literal["none", "before_cache", "after_cache"] = "none"
    """Whether normalising queries and keys holds most before the layer's keys are cached, or after."""

    keeps_projection: Literal["none", "fused", "partial", "apart", "split"] = "none"
    """What stays alive beside rotated queries: nothing; the fused projection; the parts cut for partial rotation;
    the unrotated projections and rotated parts; the fused projection, its parts and rotated parts in 32 bit."""

    keeps_linear_projection: bool = False
    """Whether linear attention keeps its fused projection while its parts are at work."""

    narrow_scores: int = 1
    """Copies of the scores in the compute type that eager attention holds at once."""

    wide_scores: int = 2
    """Copies of the scores in 32 bit beside them."""

    earlier_scores: bool = False
    """Whether eager attention still holds the scores of the layer before."""

    scores_in_fp32: bool = False
    """Whether eager attention copies queries and keys to 32 bit."""

    multi_query_unfused: bool = False
    """Whether fused attention is asked for with one key head for all queries, which only PyTorch's unfused
    fallback accepts."""

    passes_choice: bool = False
    """Whether an indexer's choice of tokens is handed on to the next layers."""

    logit_copies: int = 1
    """Copies of the logits alive at once: scaling makes a second, a soft cap a third."""

    always_masked: Literal["no", "shared", "each"] = "no"
    """Whether fused attention has a mask even where nothing is padded and no window is passed, and whether one
    serves all sequences."""

    idle_mask: bool = False
    """Whether a mask for sliding windows is made that no layer uses."""

    router_in_fp32: bool = False
    """Whether router logits are made in 32 bit."""

    router_weight_in_fp32: bool = False
    """Whether the router's matrix and input are copied to 32 bit for that."""

    routing_weights_in_fp32: bool = False
    """Whether the chosen experts' weights stay in 32 bit, and with them the weighted outputs."""

    shared_expert_first: bool = False
    """Whether the shared expert runs before the routed ones, so that its output waits."""

    every_expert_runs: bool = False
    """Whether every token passes every expert, the unchosen ones' outputs counting nothing."""

    expert_widths: int = 4
    """Expert-wide tensors of each chosen row alive together: gate and up, activation, product."""

    broadcast_cache: bool = False
    """Whether keys and values are cached once for every query head, grouped or not."""


_LIKE_LLAMA = ClassTraits()
_POST_NORM = ClassTraits(norm_before=False, feed_forward_copies=1, rotary_table_bytes=4)
_SCALED_LOGITS = ClassTraits(logit_copies=2)
_QK_NORM = ClassTraits(qk_norm="before_cache")
_FP32_ROUTER = ClassTraits(router_in_fp32=True, router_weight_in_fp32=True, routing_weights_in_fp32=True)
_GLM = ClassTraits(rotary_percent=50)
_GPT2 = ClassTraits(
    feed_forward_copies=3, positions="learned", keeps_projection="fused", narrow_scores=2, wide_scores=0
)
_MAMBA = ClassTraits(residual_in_fp32=True)
_QWEN3_5 = ClassTraits(rotary_percent=25)
_GPTJ = ClassTraits(
    rotary_percent=25,
    keeps_projection="apart",
    narrow_scores=0,
    earlier_scores=True,
    scores_in_fp32=True,
)

_CLASSES: dict[str, ClassTraits] = {
    "afmoe": evolve(_FP32_ROUTER, shared_expert_first=True),
    "apertus": ClassTraits(qk_norm="after_cache"),
    "biogpt": ClassTraits(
        feed_forward_copies=1, positions="learned", narrow_scores=2, wide_scores=0, always_masked="each"
    ),
    "bitnet": ClassTraits(half_widths=10),
    "bloom": ClassTraits(
        half_widths=10,
        positions="none",
        alibi="rows",
        keeps_projection="fused",
        narrow_scores=2,
        earlier_scores=True,
    ),
    "codegen": evolve(_GPTJ, rotary_percent=80, keeps_projection="split"),
    "cohere": ClassTraits(rotary_in_fp32=True, logit_copies=2),
    "cohere2": ClassTraits(rotary_in_fp32=True, logit_copies=2),
    "deepseek_v2": _FP32_ROUTER,
    "deepseek_v3": _FP32_ROUTER,
    "deepseek_v32": _FP32_ROUTER,
    "dots1": evolve(_FP32_ROUTER, qk_norm="before_cache"),
    "ernie4_5": ClassTraits(rotary_table_bytes=4, rotary_tables_repeated=True),
    "ernie4_5_moe": ClassTraits(
        rotary_table_bytes=4, rotary_tables_repeated=True, shared_expert_first=True, router_in_fp32=True
    ),
    "exaone4": evolve(_POST_NORM, qk_norm="after_cache", rotary_table_bytes=None),
    "exaone_moe": _FP32_ROUTER,
    "falcon": ClassTraits(
        norms_together=True,
        feed_forward_copies=4,
        alibi="mask",
        keeps_projection="fused",
        narrow_scores=3,
        wide_scores=0,
        earlier_scores=True,
        multi_query_unfused=True,
        always_masked="shared",
        broadcast_cache=True,
    ),
    "falcon_mamba": _MAMBA,
    "gemma2": ClassTraits(logit_copies=3),
    "gemma3_text": ClassTraits(qk_norm="after_cache", rotary_tables=2),
    "gemma4_text": ClassTraits(qk_norm="before_cache", rotary_tables=2),
    "glm": _GLM,
    "glm4": _GLM,
    "glm4_moe": evolve(_FP32_ROUTER, rotary_percent=50),
    "glm4_moe_lite": _FP32_ROUTER,
    "glm_moe_dsa": evolve(_FP32_ROUTER, passes_choice=True),
    "gpt2": _GPT2,
    "gpt_bigcode": evolve(_GPT2, narrow_scores=1, wide_scores=2),
    "gpt_neo": ClassTraits(positions="learned", narrow_scores=0, earlier_scores=True, scores_in_fp32=True),
    "gpt_neox": ClassTraits(keeps_projection="fused", rotary_percent=25),
    "gpt_oss": ClassTraits(rotary_percent=50, expert_widths=9, narrow_scores=3, wide_scores=0),
    "gptj": _GPTJ,
    "granite": _SCALED_LOGITS,
    "granitemoe": evolve(_SCALED_LOGITS, router_in_fp32=True),
    "granitemoehybrid": evolve(_SCALED_LOGITS, router_in_fp32=True),
    "hunyuan_v1_dense": ClassTraits(qk_norm="after_cache"),
    "hunyuan_v1_moe": ClassTraits(
        qk_norm="after_cache", shared_expert_first=True, router_in_fp32=True, routing_weights_in_fp32=True
    ),
    "hy_v3": _FP32_ROUTER,
    "kimi_k2": _FP32_ROUTER,
    "llama4_text": ClassTraits(every_expert_runs=True, feed_forward_copies=3),
    "mamba": _MAMBA,
    "mamba2": _MAMBA,
    "mimo_v2_flash": evolve(_FP32_ROUTER, rotary_tables=2, rotary_percent=33, narrow_scores=2, wide_scores=0),
    "minimax": ClassTraits(feed_forward_copies=1),
    "minimax_m2": ClassTraits(qk_norm="before_cache", rotary_percent=50, routing_weights_in_fp32=True),
    "mixtral": ClassTraits(routing_weights_in_fp32=True),
    "mpt": ClassTraits(
        feed_forward_copies=3,
        positions="none",
        alibi="table",
        keeps_projection="fused",
        earlier_scores=True,
        always_masked="each",
    ),
    "nemotron": ClassTraits(rotary_percent=50),
    "nemotron_h": evolve(_FP32_ROUTER, positions="none"),
    "olmo": ClassTraits(rotary_table_bytes=4),
    "olmo2": _POST_NORM,
    "olmo3": evolve(_POST_NORM, rotary_tables=2),
    "olmoe": _QK_NORM,
    "opt": ClassTraits(positions="counted"),
    "phi": ClassTraits(rotary_percent=50, keeps_projection="partial"),
    "phi3": ClassTraits(keeps_projection="fused"),
    "qwen2_moe": ClassTraits(shared_expert_first=True, idle_mask=True),
    "qwen3": _QK_NORM,
    "qwen3_5_moe_text": _QWEN3_5,
    "qwen3_5_text": _QWEN3_5,
    "qwen3_moe": _QK_NORM,
    "qwen3_next": evolve(_QWEN3_5, keeps_linear_projection=True),
    "recurrent_gemma": ClassTraits(rotary_percent=50, logit_copies=3),
    "solar_open": _FP32_ROUTER,
    "stablelm": ClassTraits(feed_forward_copies=4, rotary_percent=25, keeps_projection="partial"),
    "xglm": ClassTraits(positions="none", narrow_scores=2, wide_scores=0),
}
"""Traits by `model_type`. A class that is not listed is taken to be like Llama's."""


def class_traits(model_type: str) -> ClassTraits:
    """Return what sets a class apart; Llama's traits where nothing is known to."""
    return _CLASSES.get(model_type, _LIKE_LLAMA)
