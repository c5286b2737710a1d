"""A training run with every setting decided: what was asked, and the framework's own defaults for the rest.

Next: _tape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from genai_hwreq.engines._training_head import Logits
from genai_hwreq.engines._training_writer import Arithmetic
from genai_hwreq.estimates import Assumption
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.formulas.optimizer import OPTIMIZER_RULES
from genai_hwreq.placement import Sharding
from genai_hwreq.training import Checkpointing, Lora, Loss, Precision, Training

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Request

__all__ = ["Habits", "Plan", "make_plan"]


@frozen(kw_only=True)
class Habits:
    """What a framework does where nothing is set, and how its loop treats memory."""

    optimizer: str = "adamw"
    """Optimizer."""

    precision: Precision = "bf16"
    """Type of the step."""

    gradient_checkpointing: Checkpointing = "none"
    """Which layers compute their activations again."""

    attention: str = "sdpa"
    """How attention is computed."""

    loss: Loss = "torch"
    """How the loss is made."""

    n_loss_chunks: int = 8
    """Pieces of a chunked loss."""

    adapter_bytes: int = 4
    """Bytes of an adapter's element."""

    adapter_dropout: bool = False
    """Whether adapters' inputs are dropped out where nothing is said."""

    autocast: bool = False
    """Whether a 16-bit run is under autocast, so that 32-bit adapters are cast for each product."""

    logits: Logits = "dropped"
    """What the loop does with the logits."""

    upcasts_quantized: bool = False
    """Whether preparing a quantised model copies everything else to 32 bit."""

    fused_kernels: bool = False
    """Whether normalisation and gating are fused."""

    prefetched_units: int = 2
    """Units whose weights are gathered at once when they are shared out."""

    gradient_bytes: int | None = None
    """Bytes of a gradient's element where it is not the weight's."""

    master_weights: bool = False
    """Whether a 16-bit run always keeps a 32-bit copy of what is trained (DeepSpeed)."""

    activation_offload: bool = False
    """Whether kept activations wait in host memory where layers are checkpointed (Unsloth)."""

    keeps_quantized_inputs: bool = False
    """Whether products with quantised weights keep their inputs although the weights are frozen (bitsandbytes
    before 0.43)."""

    joined_queries: bool = False
    """Whether its own model code cuts queries, keys and values from one tensor and joins rotated parts anew."""

    ragged: bool = False
    """Whether lengths vary from batch to batch, so that freed blocks rarely fit the next tensor."""

    high_percent: int = 125
    """How far activations may exceed the estimate, in per cent of it: versions of a framework differ."""

    spare_percent: int = 10
    """Share of activations that the allocator holds beyond them where every step is alike."""

    sharded_spare_percent: int = 25
    """The same on several devices whose states are shared out."""

    quantizes_targets_only: bool = False
    """Whether only matrices that carry an adapter are quantised (torchtune)."""

    shares_optimizer: bool = False
    """Whether data-parallel ranks share out optimizer states where nothing is said (Megatron)."""

    block_quarter_bytes: int = 17
    """Quarters of a byte, in 16 bit, that a block of an image or video model keeps for each element its matrices put
    out: the output itself, and its share of inputs and normed rows. Fitted on CogVideoX-2b without checkpointing
    (finetrainers' table, 2024)."""

    bucket_bytes: int = 0
    """Buffers that gather gradients or weights for communication."""


@frozen(kw_only=True)
class Plan:
    """A run with nothing left open."""

    training: Training
    """What was asked, with every `None` filled in."""

    habits: Habits
    """What the framework does."""

    types: Arithmetic
    """Types of the step."""

    sharding: Sharding
    """How it is shared out."""

    n_devices: int
    """Devices in all."""

    assumptions: tuple[Assumption, ...]
    """Defaults that mattered."""

    @property
    def data_ranks(self) -> int:
        """Devices that work on different data."""
        sharding = self.sharding
        fixed = sharding.tensor_parallel * sharding.pipeline_parallel * sharding.context_parallel
        return max(1, self.n_devices // fixed)

    @property
    def keeps_gradients(self) -> bool:
        """Whether gradients wait for the optimizer's step."""
        rule = OPTIMIZER_RULES[self.training.optimizer or "adamw"]
        return rule.keeps_gradients and not self.training.optimizer_in_backward

    @property
    def n_tokens(self) -> int:
        """Tokens of one step on one device.

        Where there is a reference, a chosen and a rejected answer pass; sequence parallelism shares tokens out with
        the tensors.
        """
        sharding = self.sharding
        spread = sharding.context_parallel * sharding.tensor_parallel
        answers = 2 if self.training.method.with_reference else 1
        return max(1, answers * self.training.micro_batch * self.training.sequence_tokens // spread)

    @property
    def lora(self) -> Lora | None:
        """The adapters, if there are any."""
        return self.types.lora


_DEFAULTS = ("optimizer", "precision", "gradient_checkpointing", "attention", "loss")


def make_plan(request: Request, habits: Habits) -> Plan:
    """Fill in what was left open."""
    training, weight_format = request.workload, request.weight_format
    assert isinstance(training, Training)
    assert isinstance(weight_format, WeightFormat)
    open_settings = {name: getattr(habits, name) for name in _DEFAULTS if getattr(training, name) is None}
    assumed = tuple(
        Assumption(code=f"default-{name.replace('_', '-')}", text=f"{name} {value!r}, as the framework does")
        for name, value in open_settings.items()
    )
    filled = evolve(training, **open_settings)
    if habits.activation_offload and filled.gradient_checkpointing == "full":
        filled = evolve(filled, activation_offload=True)
    if habits.master_weights and filled.precision in ("bf16", "fp16"):
        filled = evolve(filled, precision="bf16-master")
    return Plan(
        training=filled,
        habits=habits,
        types=_arithmetic(filled, weight_format, habits),
        sharding=_sharding(request.placement.sharding, habits),
        n_devices=request.placement.n_devices,
        assumptions=assumed,
    )


def _sharding(sharding: Sharding, habits: Habits) -> Sharding:
    return (
        evolve(sharding, stage="zero1") if habits.shares_optimizer and sharding.stage == "none" else sharding
    )


_COMPUTE_BYTES = {"fp32": 4}


def _arithmetic(training: Training, weight_format: WeightFormat, habits: Habits) -> Arithmetic:
    method, precision = training.method, training.precision
    rest = weight_format.rest
    weight_bytes = rest.bits // 8 if isinstance(rest, PlainType) else 2
    quantized = not (isinstance(weight_format.matrices, PlainType) and weight_format.matrices.bits >= 16)
    compute_bytes = _COMPUTE_BYTES.get(precision or "", 2)
    lora = _adapters(method, habits) if isinstance(method, Lora) else None
    autocast = (precision or "").startswith("amp") or (habits.autocast and compute_bytes == 2)
    stream_bytes = weight_bytes
    if quantized and habits.upcasts_quantized and lora is not None:
        weight_bytes = stream_bytes = 4
        autocast = autocast or compute_bytes == 2
    return Arithmetic(
        stream_bytes=stream_bytes,
        compute_bytes=compute_bytes,
        weight_bytes=weight_bytes,
        gradient_bytes=habits.gradient_bytes or weight_bytes,
        autocast=autocast,
        quantized=quantized,
        trains_weights=lora is None,
        trains_norms=lora is None,
        lora=lora,
        adapter_bytes=_adapter_bytes(lora, habits),
        fused_kernels=habits.fused_kernels or training.loss == "liger" or training.compiled,
        keeps_quantized_inputs=habits.keeps_quantized_inputs,
        joined_queries=habits.joined_queries,
    )


def _adapter_bytes(lora: Lora | None, habits: Habits) -> int:
    if lora is None or lora.adapter_dtype is None:
        return habits.adapter_bytes
    return 4 if lora.adapter_dtype == "fp32" else 2


_NAMES: dict[str, tuple[str, ...]] = {
    "c_attn": ("qkv_proj",), "query_key_value": ("qkv_proj",), "Wqkv": ("qkv_proj",), "attn": ("qkv_proj",),
    "c_proj": ("o_proj", "down_proj"), "out_proj": ("o_proj",), "dense": ("o_proj",), "proj": ("o_proj",),
    "w1": ("up_proj",), "w2": ("gate_proj",), "w3": ("up_proj",), "c_fc": ("up_proj",),
    "fc1": ("up_proj",), "fc2": ("down_proj",), "dense_h_to_4h": ("up_proj",), "dense_4h_to_h": ("down_proj",),
}  # fmt: skip
"""Names of matrices in some checkpoints → the names they have in every inventory here."""


def _adapters(method: Lora, habits: Habits) -> Lora:
    named = canonical(method)
    return (
        evolve(named, dropout=_USUAL_DROPOUT) if named.dropout is None and habits.adapter_dropout else named
    )


_USUAL_DROPOUT = 0.05


def canonical(lora: Lora) -> Lora:
    """Return adapters whose targets carry the names of an inventory."""
    names = [name for target in lora.targets for name in _NAMES.get(target, (target,))]
    return evolve(lora, targets=tuple(dict.fromkeys(names)))
