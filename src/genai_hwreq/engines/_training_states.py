"""What a training step keeps whatever its tokens are: weights, adapters, gradients and optimizer states.

Next: _training.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from genai_hwreq.engines._weights import storage_of, stored_bytes, weights_component
from genai_hwreq.estimates import Component, Inputs
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.formulas.lora import adapter_elements, magnitude_elements
from genai_hwreq.formulas.optimizer import (
    OPTIMIZER_RULES,
    OptimizerRule,
    block_state_bytes,
    factored_bytes,
    low_rank_bytes,
)
from genai_hwreq.formulas.sharding import SHARE, share_bytes
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import Tensor, TransformerModel, model_inventory
from genai_hwreq.models._tensor import MATRIX_ROLES
from genai_hwreq.training import Full

if TYPE_CHECKING:
    from genai_hwreq.engines._training_plan import Plan
    from genai_hwreq.training import Lora

__all__ = ["States", "adapter_tensors", "make_states", "states_of", "trained_tensors"]

ALLOCATION_BYTES = 512
_FP32 = 4


@frozen(kw_only=True)
class States:
    """Sizes on one device, in bytes."""

    weights: tuple[Component, ...]
    """Weights that stay on the device, adapters among them."""

    weight_bytes: int
    """Their sum."""

    gradient_bytes: int
    """Gradients of everything trained, on one device."""

    whole_gradient_bytes: int
    """The same before they are shared out."""

    optimizer: Component
    """Optimizer states."""

    step_bytes: int
    """What the optimizer's step holds besides."""

    trained_bytes: int
    """Trained weights, in their own type."""


def make_states(model: TransformerModel, weight_format: WeightFormat, plan: Plan) -> States:
    """Work out the states of a run."""
    stored = _stored_format(weight_format, plan)
    whole = weights_component(model_inventory(model), stored, ALLOCATION_BYTES)
    if plan.types.quantized and plan.habits.quantizes_targets_only and plan.lora:
        whole = _partly_quantized(model, stored, plan.lora)
    return states_of(whole, trained_tensors(model, plan.lora), plan, _parts(model, plan))


def states_of(whole: Component, tensors: tuple[tuple[Tensor, int], ...], plan: Plan, parts: int) -> States:
    """Work out states from stored weights and the tensors that are trained; `parts` devices share each of both."""
    weights = [whole]
    element = plan.types.adapter_bytes if plan.lora else plan.types.weight_bytes
    if isinstance(plan.training.method, Full) and plan.training.method.with_reference:
        weights.append(_named(whole, "reference model"))
    if plan.lora:
        weights.append(_plain_sum("weights", "adapters", tensors, element))
    rule = OPTIMIZER_RULES[plan.training.optimizer or "adamw"]
    optimizer = _optimizer(
        tensors, rule, element, master=plan.training.precision == "bf16-master" and rule.keeps_gradients
    )
    trained = sum(
        copies * aligned(tensor.n_elements * element, ALLOCATION_BYTES) for tensor, copies in tensors
    )
    gradient = sum(
        copies * aligned(tensor.n_elements * _gradient_element(plan, element), ALLOCATION_BYTES)
        for tensor, copies in tensors
    )
    return _shared(
        weights, optimizer, trained, gradient, _step_bytes(tensors, rule, trained, plan), plan, parts
    )


def _gradient_element(plan: Plan, element: int) -> int:
    return element if plan.lora else plan.types.gradient_bytes


def _stored_format(weight_format: WeightFormat, plan: Plan) -> WeightFormat:
    """Return how weights lie in memory: a quantised model's other tensors may be copied to 32 bit."""
    if not (plan.types.quantized and plan.types.weight_bytes == _FP32):
        return weight_format
    wide = PlainType("fp32", 32)
    return evolve(weight_format, embedding=wide, head=wide, rest=wide)


def _partly_quantized(model: TransformerModel, weight_format: WeightFormat, lora: Lora) -> Component:
    """Return weights of which only matrices that carry an adapter are quantised."""
    size = 0
    for tensor, copies in model_inventory(model):
        storage = storage_of(tensor, weight_format)
        if tensor.role in MATRIX_ROLES and not _adapters(tensor, lora):
            storage = weight_format.rest
        size += copies * aligned(stored_bytes(tensor, storage), ALLOCATION_BYTES)
    return Component("weights", "weights", size, "weight_bytes", (("weight_bytes", size),), "exact")


def _parts(model: TransformerModel, plan: Plan) -> int:
    """Return how many devices share the weights by tensor, stage and expert: whole devices, rounded down.

    Experts are shared by more devices than the rest, so the share is a mean over both.
    """
    sharding = plan.sharding
    parts = sharding.tensor_parallel * sharding.pipeline_parallel
    total = model_inventory(model).n_params
    experts = sum(
        copies * tensor.n_elements
        for tensor, copies in model_inventory(model)
        if tensor.role.startswith("expert_")
    )
    spread = total - experts + experts // sharding.expert_parallel
    return max(1, parts * total // max(1, spread))


def _shared(
    weights: list[Component],
    optimizer: Component,
    trained: int,
    gradient: int,
    step: int,
    plan: Plan,
    parts: int,
) -> States:
    sharding = plan.sharding
    ranks = max(1, plan.data_ranks // (sharding.expert_parallel if sharding.stage == "zero1" else 1))
    stage = sharding.stage
    by_weights = parts * (ranks if stage in ("zero3", "fsdp") else 1)
    by_gradients = parts * (ranks if stage in ("zero2", "zero3", "fsdp", "fsdp-grad-op") else 1)
    by_states = parts * (ranks if stage != "none" else 1)
    resident = tuple(_share(part, by_weights) for part in weights)
    if sharding.offload == "optimizer+params" and stage in ("zero3", "fsdp"):
        resident = tuple(_away(part) for part in resident)
    states = _share(optimizer, by_states)
    if sharding.offload in ("optimizer", "optimizer+params"):
        states, step = _away(states), 0
    return States(
        weights=resident,
        weight_bytes=sum(part.bytes for part in resident),
        gradient_bytes=share_bytes(gradient, by_gradients),
        whole_gradient_bytes=gradient,
        optimizer=states,
        step_bytes=share_bytes(step, by_states),
        trained_bytes=share_bytes(trained, by_weights),
    )


def _named(part: Component, name: str) -> Component:
    return Component(part.kind, name, part.bytes, part.formula, part.inputs, part.basis, part.source)


def _share(part: Component, n_ranks: int) -> Component:
    if n_ranks == 1:
        return part
    size = share_bytes(part.bytes, n_ranks)
    text = SHARE.replace("whole_bytes", f"({part.formula})")
    return Component(
        part.kind, part.name, size, text, (*part.inputs, ("n_ranks", n_ranks)), part.basis, part.source
    )


def _away(part: Component) -> Component:
    return Component(part.kind, f"{part.name} (in host memory)", 0, "0", (), part.basis)


def trained_tensors(model: TransformerModel, lora: Lora | None) -> tuple[tuple[Tensor, int], ...]:
    """Return the tensors that are trained, each with its number of copies."""
    return adapter_tensors(model, lora) if lora else tuple(model_inventory(model))


@lru_cache(maxsize=512)
def adapter_tensors(model: TransformerModel, lora: Lora) -> tuple[tuple[Tensor, int], ...]:
    """Return the adapters of every targeted matrix of the decoder."""
    found: list[tuple[Tensor, int]] = []
    network = model.decoder
    for run in network.layers:
        for tensor in run.layer.tensors(network.hidden_dim):
            found += [(pair, run.n_layers) for pair in _adapters(tensor, lora)]
    for tensor in (*network.head, *network.embeddings):
        found += [(pair, 1) for pair in _adapters(tensor, lora)]
    return tuple(found)


_PARTS = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


def _adapters(tensor: Tensor, lora: Lora) -> tuple[Tensor, ...]:
    name = tensor.name.removesuffix(".weight")
    if len(tensor.shape) != 2 or not tensor.name.endswith(".weight") or tensor.role in _NEVER_ADAPTED:
        return ()
    if tensor.role in ("head", "embedding") and name not in lora.targets:
        return ()
    rows, columns = tensor.shape
    if not lora.adapts(name):
        parts = _PARTS.get(name, ())
        chosen = [part for part in parts if lora.adapts(part)]
        if not chosen:
            return ()
        rows = rows * len(chosen) // len(parts)
    size = adapter_elements(lora.rank, columns, rows)
    pair = (Tensor(f"{name}.adapter_down", "projection", (lora.rank, columns)),
            Tensor(f"{name}.adapter_up", "projection", (rows, lora.rank)))  # fmt: skip
    assert sum(part.n_elements for part in pair) == size
    return (
        (*pair, Tensor(f"{name}.magnitude", "projection", (magnitude_elements(rows),))) if lora.dora else pair
    )


_NEVER_ADAPTED = frozenset({"router", "position_embedding", "norm", "bias", "convolution", "state"})


def _plain_sum(kind: str, name: str, tensors: tuple[tuple[Tensor, int], ...], element: int) -> Component:
    count = sum(copies * tensor.n_elements for tensor, copies in tensors)
    size = sum(copies * aligned(tensor.n_elements * element, ALLOCATION_BYTES) for tensor, copies in tensors)
    inputs: Inputs = (
        ("trained_params", count),
        ("element_bytes", element),
        ("padding", size - count * element),
    )
    return Component(kind, name, size, "trained_params * element_bytes + padding", inputs, "exact")  # type: ignore[arg-type]


def _optimizer(
    tensors: tuple[tuple[Tensor, int], ...], rule: OptimizerRule, element: int, *, master: bool
) -> Component:
    count = sum(copies * tensor.n_elements for tensor, copies in tensors)
    size = (
        0
        if rule.paged
        else sum(copies * _state_bytes(tensor, rule, element, master=master) for tensor, copies in tensors)
    )
    whole = size // count if count else 0
    inputs: Inputs = (
        ("trained_params", count),
        ("whole_bytes_a_param", whole),
        ("rest", size - whole * count),
    )
    return Component(
        "optimizer", "optimizer states", size, "trained_params * whole_bytes_a_param + rest", inputs, "exact"
    )


def _state_bytes(tensor: Tensor, rule: OptimizerRule, element: int, *, master: bool) -> int:
    size = tensor.n_elements
    total = aligned(_FP32 * size, ALLOCATION_BYTES) if master else 0
    if rule.counter:
        total += ALLOCATION_BYTES
    moments = rule.moments
    if rule.factored:
        return total + factored_bytes(tensor.n_rows, tensor.row_elements)
    state_bits = rule.state_bits or (32 if master else 8 * element)
    if rule.low_rank and len(tensor.shape) > 1:
        return total + low_rank_bytes(tensor.n_rows, tensor.row_elements, rule.low_rank, state_bits // 8)
    if rule.orthogonal and len(tensor.shape) > 1 and tensor.role not in ("embedding", "head"):
        moments = 1
    one = block_state_bytes(size, state_bits, rule.block_elements, rule.least_elements)
    return total + moments * aligned(one, ALLOCATION_BYTES)


def _step_bytes(
    tensors: tuple[tuple[Tensor, int], ...], rule: OptimizerRule, trained: int, plan: Plan
) -> int:
    if plan.training.optimizer_in_backward or not tensors:
        return 0
    largest = max(tensor.n_elements for tensor, _ in tensors)
    return rule.step_copies * trained + rule.largest_copies * _FP32 * largest
