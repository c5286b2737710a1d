"""Training as a workload: what is trained, how a step computes, and what it keeps.

Next: workloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import Converter, field, frozen

from genai_hwreq._validators import non_empty, optional_fraction, optional_positive, positive
from genai_hwreq.errors import QuantityError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attrs import AttrsInstance

__all__ = [
    "CHECKPOINTING",
    "LOSSES",
    "OPTIMIZERS",
    "PRECISIONS",
    "Checkpointing",
    "Full",
    "Lora",
    "Loss",
    "Method",
    "Precision",
    "Training",
]


def _words(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@frozen(kw_only=True)
class Full:
    """All weights are trained."""

    with_reference: bool = False
    """Whether a second, frozen copy of the model gives the reference answers (preference training)."""


@frozen(kw_only=True)
class Lora:
    """Low-rank adapters beside frozen matrices are trained (LoRA, DoRA, QLoRA)."""

    rank: int = field(default=16, validator=positive)
    """Width of the adapters."""

    targets: tuple[str, ...] = field(default=("all-linear",), converter=_words, validator=non_empty)
    """Matrices that get an adapter, as the model's checkpoint names them; `all-linear`: all but the head."""

    dora: bool = False
    """Whether the matrices' magnitudes are trained beside the directions (DoRA)."""

    rslora: bool = False
    """Whether adapters are scaled by the root of the rank; it changes no memory."""

    adapter_dtype: Literal["fp32", "bf16", "fp16"] | None = None
    """Type of the adapters; `None`: as the engine does, 32 bit for most."""

    dropout: float | None = field(default=None, validator=optional_fraction)
    """Share of the adapters' inputs that is dropped; `None`: as the engine does, none for most."""

    quantized_base: bool = False
    """Whether the frozen matrices are stored in few bits (QLoRA) where no precision is named."""

    with_reference: bool = False
    """Whether reference answers are needed; the model without adapters gives them, so no copy is."""

    def adapts(self, name: str) -> bool:
        """Tell whether a matrix of that name gets an adapter."""
        return name in self.targets or ("all-linear" in self.targets and name != "lm_head")


Method = Full | Lora
"""What is trained."""

_METHODS: tuple[str, ...] = ("full", "lora", "qlora", "dora")


def _method(value: str | Method, instance: AttrsInstance) -> Method:
    """Make a method of its name, with the rank and targets that were given beside it."""
    if isinstance(value, Full | Lora):
        return value
    if value not in _METHODS:
        msg = f"method is {value!r}; expected {', '.join(_METHODS)}, or a record Full or Lora"
        raise QuantityError(msg)
    if value == "full":
        return Full()
    return Lora(
        rank=getattr(instance, "lora_rank", None) or 16,
        targets=getattr(instance, "lora_targets", ()) or ("all-linear",),
        dora=value == "dora",
        quantized_base=value == "qlora",
    )


PRECISIONS = ("fp32", "bf16", "fp16", "amp-bf16", "amp-fp16", "bf16-master")
"""How a training step computes: throughout in one type; under autocast; or 16-bit weights with a 32-bit copy."""

CHECKPOINTING = ("none", "full", "selective")
"""Which layers forget their activations and compute them again."""

LOSSES = ("torch", "liger", "cce", "chunked")
"""How the loss is made of the last hidden states: from all logits, in fused chunks, or without logits."""

OPTIMIZERS = (
    "adamw", "adamw-fused", "adamw-8bit", "adamw-4bit", "adamw-fp8", "adamw-paged", "adamw-paged-8bit",
    "adamw-bf16", "sgd", "sgd-momentum", "adafactor", "lion", "lion-8bit", "muon", "galore-adamw",
    "galore-adamw-8bit", "apollo", "badam", "lora-fa", "lomo",
)  # fmt: skip
"""Optimizers that are modelled."""

Precision = Literal["fp32", "bf16", "fp16", "amp-bf16", "amp-fp16", "bf16-master"]
Checkpointing = Literal["none", "full", "selective"]
Loss = Literal["torch", "liger", "cce", "chunked"]


@frozen(kw_only=True)
class Training:
    """Training or fine-tuning of a model. What is `None` is as the engine does when nothing is set.

    Examples:
        >>> Training(method="qlora", lora_rank=8).method.rank
        8
        >>> Training(method=Full(), micro_batch=4).micro_batch
        4

    """

    lora_rank: int | None = field(default=None, validator=optional_positive)
    """Shortcut: rank of a method that is given by name."""

    lora_targets: tuple[str, ...] = field(default=(), converter=_words)
    """Shortcut: matrices with adapters, of a method that is given by name."""

    method: Method = field(default="full", converter=Converter(_method, takes_self=True))  # type: ignore[assignment, misc]
    """What is trained: a record, or `full`, `lora`, `qlora`, `dora`."""

    sequence_tokens: int = field(default=2048, validator=positive)
    """Tokens of a sequence."""

    micro_batch: int = field(default=1, validator=positive)
    """Sequences of one step on one device; accumulating gradients over several steps adds nothing to it."""

    packed: bool | None = None
    """Whether samples are packed so that sequences are full; else `sequence_tokens` is only a limit."""

    optimizer: str | None = field(default=None)
    """Which optimizer, one of `OPTIMIZERS`."""

    precision: Precision | None = field(default=None)
    """How the step computes, one of `PRECISIONS`."""

    gradient_checkpointing: Checkpointing | None = field(default=None)
    """Which layers compute their activations again on the way back."""

    attention: Literal["eager", "sdpa", "flash"] | None = field(default=None)
    """How attention is computed; `eager` keeps all scores."""

    loss: Loss | None = field(default=None)
    """How the loss is made."""

    optimizer_in_backward: bool = False
    """Whether each weight is updated, and its gradient dropped, as soon as the gradient is made."""

    activation_offload: bool = False
    """Whether kept activations wait in host memory."""

    compiled: bool = False
    """Whether the model is compiled, which fuses elementwise steps."""

    image_px: tuple[int, int] | None = None
    """Height and width of the images or frames that an image or video model is trained on."""

    frames: int | None = field(default=None, validator=optional_positive)
    """Frames of a clip; `None` for an image."""

    cached_latents: bool = False
    """Whether images were encoded beforehand, so that the autoencoder is not loaded."""

    cached_text: bool = False
    """Whether captions were encoded beforehand, so that the text encoders are not loaded."""

    def __attrs_post_init__(self) -> None:
        """Refuse words that are not known."""
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                msg = f"{name} is {value!r}; expected one of {', '.join(choices)}"
                raise QuantityError(msg)


_CHOICES: dict[str, tuple[str, ...]] = {
    "optimizer": OPTIMIZERS,
    "precision": PRECISIONS,
    "gradient_checkpointing": CHECKPOINTING,
    "attention": ("eager", "sdpa", "flash"),
    "loss": LOSSES,
}
