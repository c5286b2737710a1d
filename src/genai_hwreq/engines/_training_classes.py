"""What the model classes of transformers do differently when they are trained: which tensors autograd keeps.

Beside `_transformers_classes`, and like it about classes (`model_type`), never about models. Read off
transformers 5.23 by replaying a training step tensor by tensor; `validation/simulate_training.py` repeats that.

Next: _training_layers.
"""

from __future__ import annotations

from attrs import evolve, frozen

__all__ = ["TrainingTraits", "training_traits"]


@frozen(kw_only=True)
class TrainingTraits:
    """Tensors that a model class keeps for the way back, where it differs from Llama's."""

    norm_weight_in_fp32: bool = False
    """Whether normalised rows are scaled before they return to 16 bit."""

    norm_in_fp32: bool = False
    """Whether a layer normalisation copies its input to 32 bit first."""

    output_copied: bool = False
    """Whether attention's output is copied for the output projection: so where rotated queries were joined anew."""

    norm_by_hand: bool = False
    """Whether a layer normalisation is written out: its centred input and its rows are kept besides."""

    capped_scores: bool = False
    """Whether eager attention caps its scores, which keeps them once more."""

    logit_copies: int = 0
    """Further tensors as wide as the vocabulary that scaling or capping the logits keeps."""

    residual_dropout: bool = False
    """Whether outputs are dropped out where they join the stream, which keeps a mask of a byte each."""


_LIKE_LLAMA = TrainingTraits()
_GEMMA = TrainingTraits(norm_weight_in_fp32=True)
_JOINED = TrainingTraits(output_copied=True)
_CLASSES: dict[str, TrainingTraits] = {
    "cohere": TrainingTraits(norm_in_fp32=True, norm_by_hand=True),
    "cohere2": TrainingTraits(norm_in_fp32=True, norm_by_hand=True),
    "gemma": _GEMMA,
    "gemma2": evolve(_GEMMA, logit_copies=2, capped_scores=True),
    "gemma3_text": _GEMMA,
    "glm": _JOINED,
    "glm4": _JOINED,
    "glm4_moe": _JOINED,
    "gpt2": TrainingTraits(residual_dropout=True),
    "gpt_bigcode": TrainingTraits(residual_dropout=True),
    "gpt_neox": _JOINED,
    "gpt_oss": TrainingTraits(norm_weight_in_fp32=True),
    "nemotron": _JOINED,
    "olmo": TrainingTraits(norm_in_fp32=True),
    "olmo2": _GEMMA,
    "olmo3": _GEMMA,
    "opt": TrainingTraits(residual_dropout=True),
    "phi": _JOINED,
    "phi3": _JOINED,
    "stablelm": _JOINED,
}


def training_traits(model_type: str) -> TrainingTraits:
    """Return what sets a class apart; Llama's traits where nothing is known to."""
    return _CLASSES.get(model_type, _LIKE_LLAMA)
