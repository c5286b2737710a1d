"""What vLLM's profiling run holds at its peak: one pass over as many tokens as a step may have, then one sampling.

Three moments can be the largest: the images are encoded, a layer's feed-forward network is computed, the logits
are sampled. From 0.17 on the experts' workspaces stay, so that they are alive while sampling too.

Sources: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/v1/worker/gpu_model_runner.py, `profile_run`;
https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/v1/sample/ops/topk_topp_sampler.py;
https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/model_executor/layers/fused_moe/fused_moe.py, `workspace_shapes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.estimates import Component
from genai_hwreq.formats import BlockType
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import Dense, Experts
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.estimates import Inputs, Kind
    from genai_hwreq.formats import WeightFormat
    from genai_hwreq.models import Tower, Transformer, TransformerModel

__all__ = ["Step", "profile_components"]

_SORTED_LOGIT_BYTES = 38
"""Bytes of a logit while the pure PyTorch sampler sorts: 2 as computed, 4 in 32 bit, 12 for the sorted values and
their 64-bit indices, as much again for the sort's buffers, 4 for the probabilities and 4 for their running sum."""

_PIVOTED_LOGIT_BYTES = 14
"""Bytes of a logit without sorting: 2 as computed, 4 in 32 bit, 4 for the probabilities, 4 for the noise."""


@frozen(kw_only=True)
class Step:
    """The largest step that is profiled."""

    tokens: int
    """Tokens of the pass."""

    sequences: int
    """Sequences that are sampled."""

    sorts_logits: bool
    """Whether the sampler sorts the logits (before 0.17)."""

    keeps_workspaces: bool
    """Whether the experts' workspaces stay after the pass (from 0.17 on)."""

    sees_images: bool
    """Whether images are encoded while profiling."""

    n_multiprocessors: int
    """Multiprocessors of the device: each has a row of logits as scratch when they are not sorted."""

    workspace_bytes: int
    """cuBLAS's workspace."""


def profile_components(
    model: TransformerModel, share: TransformerModel, weight_format: WeightFormat, step: Step
) -> tuple[Component, ...]:
    """Return what is alive at the peak beside the weights.

    Args:
        model: the whole model: logits are gathered before they are sampled.
        share: what one device holds of it.
        weight_format: how its weights are stored.
        step: the largest step.
    """
    experts = _workspaces(share.decoder, weight_format, step)
    images = _images(model, step)
    sampling = _sampling(model.decoder, step)
    kept = experts if step.keeps_workspaces else ()
    moments = (
        (*sampling, *kept, *images),
        (*_feed_forward(share.decoder, step), *experts, *images),
        (*_encoding(share, step), *images),
    )
    peak = max(moments, key=lambda parts: sum(part.bytes for part in parts))
    return (*peak, _workspace(step))


def _sampling(network: Transformer, step: Step) -> tuple[Component, ...]:
    if not network.vocab_size:
        return ()
    each = _SORTED_LOGIT_BYTES if step.sorts_logits else _PIVOTED_LOGIT_BYTES
    scratch_rows = 0 if step.sorts_logits else step.n_multiprocessors
    logits = _part(
        "logits",
        "logits while sampling",
        "(sequences * bytes_per_logit + scratch_rows * 4) * vocab_size",
        (
            ("sequences", step.sequences),
            ("bytes_per_logit", each),
            ("scratch_rows", scratch_rows),
            ("vocab_size", network.vocab_size),
        ),
        (step.sequences * each + scratch_rows * 4) * network.vocab_size,
    )
    stream = _part(
        "activations",
        "hidden states of the step",
        "(tokens + sequences) * hidden_dim * 2",
        (("tokens", step.tokens), ("sequences", step.sequences), ("hidden_dim", network.hidden_dim)),
        (step.tokens + step.sequences) * network.hidden_dim * 2,
    )
    return (logits, stream)


def _feed_forward(network: Transformer, step: Step) -> tuple[Component, ...]:
    width = max((_width(part) for run in network.layers for part in run.layer.feed_forward), default=0)
    inputs = (("tokens", step.tokens), ("widths", width), ("hidden_dim", network.hidden_dim))
    size = step.tokens * (width + 2 * network.hidden_dim) * 2
    return (_part("activations", "feed-forward network", "tokens * (widths + 2 * hidden_dim) * 2", inputs, size),)


def _width(part: Dense | Experts) -> int:
    if isinstance(part, Experts):
        return 3 * part.shared_dim
    return (3 if part.gated else 2) * part.intermediate_dim


def _workspaces(network: Transformer, weight_format: WeightFormat, step: Step) -> tuple[Component, ...]:
    """Return the two workspaces of the fused experts; those stored in 4-bit blocks run without."""
    layers = [part for run in network.layers for part in run.layer.feed_forward if isinstance(part, Experts)]
    if not layers or isinstance(weight_format.experts, BlockType):
        return ()
    widest = max(layers, key=lambda part: part.n_experts_per_token * part.intermediate_dim)
    hidden_dim = widest.latent_dim or network.hidden_dim
    rows = step.tokens * widest.n_experts_per_token
    first = (2 if widest.gated else 1) * widest.intermediate_dim
    inputs = (
        ("tokens", step.tokens),
        ("experts_per_token", widest.n_experts_per_token),
        ("gate_up_dim", first),
        ("intermediate_dim", widest.intermediate_dim),
        ("hidden_dim", hidden_dim),
    )
    text = "tokens * experts_per_token * (max(gate_up_dim, hidden_dim) + max(intermediate_dim, hidden_dim)) * 2"
    size = rows * (max(first, hidden_dim) + max(widest.intermediate_dim, hidden_dim)) * 2
    return (_part("activations", "workspaces of the experts", text, inputs, size),)


def _images(model: TransformerModel, step: Step) -> tuple[Component, ...]:
    """Return the pixels of the images that a step may hold, and what the encoder made of them."""
    if not step.sees_images:
        return ()
    return tuple(_seen(tower, model.decoder.hidden_dim, step) for tower in model.towers if tower.role == "vision")


def _seen(tower: Tower, hidden_dim: int, step: Step) -> Component:
    patch = _patch_elements(tower) if tower.stream_tokens and tower.output_tokens else 0
    patches = ceil_div(step.tokens * (tower.stream_tokens or 0), tower.output_tokens or 1)
    inputs = (
        ("tokens", step.tokens),
        ("hidden_dim", hidden_dim),
        ("patches", patches),
        ("elements_per_patch", patch),
    )
    size = 2 * (step.tokens * hidden_dim + patches * patch)
    return _part(
        "activations", "images and their encodings", "2 * (tokens * hidden_dim + patches * elements_per_patch)", inputs, size
    )


def _patch_elements(tower: Tower) -> int:
    """Return the elements of one patch: what its convolution, or the matrix in its place, reads."""
    for tensor in tower.network.embeddings:
        if tensor.role in {"convolution", "projection"} and len(tensor.shape) > 1:
            return tensor.n_elements // tensor.shape[0]
    return 0


def _encoding(share: TransformerModel, step: Step) -> tuple[Component, ...]:
    """Return a feed-forward network of the image encoder, over the patches of all images of a step."""
    if not step.sees_images:
        return ()
    found = []
    for tower in share.towers:
        if tower.role != "vision" or not tower.stream_tokens or not tower.output_tokens:
            continue
        patches = ceil_div(step.tokens * tower.stream_tokens, tower.output_tokens)
        width = max((_width(part) for run in tower.network.layers for part in run.layer.feed_forward), default=0)
        hidden_dim = tower.network.hidden_dim
        inputs = (("patches", patches), ("widths", width), ("hidden_dim", hidden_dim))
        size = patches * (width + 2 * hidden_dim) * 2
        text = "patches * (widths + 2 * hidden_dim) * 2"
        found.append(_part("activations", "image encoder", text, inputs, size))
    return tuple(found)


def _workspace(step: Step) -> Component:
    size = step.workspace_bytes
    return Component("compute_buffer", "cuBLAS workspace", size, "workspace_bytes", (("workspace_bytes", size),), "exact")


def _part(kind: Kind, name: str, formula: str, inputs: Inputs, size: int) -> Component:
    interval = ByteRange(size * 11 // 12, size, size * 9 // 8)
    return Component(kind, name, size, formula, inputs, "modelled", None, interval)
