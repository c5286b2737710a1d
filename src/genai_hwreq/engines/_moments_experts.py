"""Moments of feed-forward networks and mixtures of experts: the same while reading a prompt and in a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._held import Held, Moment
from genai_hwreq.models import Attention, Dense, Experts, LatentAttention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines._held import Scene
    from genai_hwreq.models import Layer

__all__ = ["feed_forward_moments"]

_HALF_WIDTHS = {"gelu_new": 8, "relu2": 6, "xielu": 11}
"""Tensors as wide as the network that an activation without a gate holds, in halves of the width.

These are written in Python, and keep intermediate results; others are one operator, with an input and an output.
Source: https://github.com/huggingface/transformers/blob/main/src/transformers/activations.py
"""


def feed_forward_moments(layer: Layer, scene: Scene) -> Iterator[Moment]:
    """Yield the moments inside a layer's feed-forward networks; eager attention's weights are still held."""
    weights = _attention_weights(layer, scene)
    copies = 2 + _copies(layer, scene)
    for network in layer.feed_forward:
        if isinstance(network, Dense):
            yield _dense(network, scene, copies, weights)
        elif scene.traits.every_expert_runs:
            yield from _every_expert(network, scene, copies, weights)
        else:
            yield from _experts(network, scene, copies, weights)


def _copies(layer: Layer, scene: Scene) -> int:
    """Return the stream-wide tensors beside the layer's input: of a parallel layer, its norms' and attention's."""
    if layer.residual == "sequential":
        return scene.traits.feed_forward_copies if layer.mixers else 1
    return 1 + (len(layer.norms) if scene.traits.norms_together else 1)


def _attention_weights(layer: Layer, scene: Scene) -> tuple[Held, ...]:
    """Return the weights that eager attention hands back, which the layer holds until it is done."""
    attentions = [mixer for mixer in layer.mixers if isinstance(mixer, Attention | LatentAttention)]
    if not scene.mode.eager or not attentions:
        return ()
    n_heads = max(attention.n_heads for attention in attentions)
    n_tensors = 1 + scene.traits.earlier_scores
    return (
        Held("attention weights", n_tensors, n_heads, scene.mode.element_bytes, "pair", kind="attention"),
    )


def _dense(network: Dense, scene: Scene, copies: int, weights: tuple[Held, ...]) -> Moment:
    half_widths = scene.traits.half_widths or _half_widths(network)
    width, size = network.intermediate_dim, scene.mode.element_bytes
    held = [Held("inner activations", half_widths // 2, width, size)]
    if half_widths % 2:
        held.append(Held("signs of inner activations", 1, width, 1))
    return Moment(name="feed-forward network", stream=scene.stream(copies), held=(*held, *weights))


def _half_widths(network: Dense) -> int:
    """Return the feed-forward-wide tensors alive together, in halves of the width.

    Without a gate: before and after the activation. With one: gate after activation, up, and their product;
    where gate and up are one matrix, its whole output stays until the product is made.
    """
    if not network.gated:
        return _HALF_WIDTHS.get(network.activation, 4)
    return 8 if network.fused else 6


def _every_expert(experts: Experts, scene: Scene, copies: int, weights: tuple[Held, ...]) -> Iterator[Moment]:
    """Yield the moments of experts that all tokens pass: at the product of gate and up, and at the outputs."""
    size, n_experts = scene.mode.element_bytes, experts.n_experts
    stream = scene.stream(copies)
    inputs = Held("inputs of all experts", n_experts, scene.hidden_dim, size)
    inner = Held("inner activations of all experts", 4 * n_experts, experts.intermediate_dim, size)
    yield Moment(name="all experts", stream=stream, held=(inputs, inner, *weights))
    product = Held("inner activations of all experts", 3 * n_experts, experts.intermediate_dim, size)
    outputs = Held("outputs of all experts", n_experts, scene.hidden_dim, size)
    yield Moment(name="all experts' outputs", stream=stream, held=(inputs, product, outputs, *weights))


def _experts(experts: Experts, scene: Scene, copies: int, weights: tuple[Held, ...]) -> Iterator[Moment]:
    """Yield the moments of grouped experts: inside them, when their outputs are combined, and in the router.

    Source: `grouped_mm_experts_forward`,
    https://github.com/huggingface/transformers/blob/main/src/transformers/integrations/moe.py
    """
    traits, size = scene.traits, scene.mode.element_bytes
    if experts.shared_dim and traits.shared_expert_first:
        copies += 1
    chosen, width = experts.n_experts_per_token, experts.latent_dim or scene.hidden_dim
    stream = scene.stream(copies)
    if traits.router_weight_in_fp32:
        yield Moment(name="router", stream=stream, held=(*_wide_router(experts, scene), *weights))
    outputs = (
        Held("rows and outputs of chosen experts", 2, chosen * width, size),
        Held("weighted outputs", 2, chosen * width, 4 if traits.routing_weights_in_fp32 else size),
    )
    routing = _routing(experts, scene)
    order = Held("order of outputs", 1, chosen, 8)
    yield Moment(name="experts, outputs combined", stream=stream, held=(*routing, order, *outputs, *weights))
    inner = (
        Held("rows of chosen experts", 1, chosen * width, size),
        Held(
            "inner activations of chosen experts",
            1,
            _widths(experts, scene) * chosen * experts.intermediate_dim,
            size,
        ),
    )
    yield Moment(name="experts", stream=stream, held=(*routing, *inner, *weights))


def _widths(experts: Experts, scene: Scene) -> int:
    if experts.gated:
        return scene.traits.expert_widths
    return _HALF_WIDTHS.get(experts.activation, 4) // 2


def _routing(experts: Experts, scene: Scene) -> tuple[Held, ...]:
    """Return the router's logits, and each chosen expert's index, order and weight."""
    traits, size = scene.traits, scene.mode.element_bytes
    chosen = experts.n_experts_per_token
    return (
        Held("router logits", 1, experts.n_experts, 4 if traits.router_in_fp32 else size),
        Held("indices of chosen experts", 3, chosen, 8),
        Held("counts of chosen experts", 1, chosen, 4),
        Held("weights of chosen experts", 2, chosen, 4 if traits.routing_weights_in_fp32 else size),
    )


def _wide_router(experts: Experts, scene: Scene) -> tuple[Held, ...]:
    return (
        Held("router in 32 bit", 1, experts.n_experts * scene.hidden_dim, 4, "once"),
        Held("router input in 32 bit", 1, scene.hidden_dim, 4),
        Held("router logits", 1, experts.n_experts, 4),
    )
