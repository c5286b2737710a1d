"""Moments of layers with a state of fixed size, as transformers runs them without extra CUDA kernels.

State spaces and linear attention then work through a prompt in chunks of 32-bit tensors that exceed everything
else in a pass. With mamba-ssm, causal-conv1d or flash-linear-attention installed, none of this is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._held import Held, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines._held import Scene
    from genai_hwreq.models import StateSpace

__all__ = ["state_moments", "state_step_moments"]

_DELTA_CHUNK_TOKENS = 64
"""Tokens of a chunk of the gated delta rule (`torch_chunk_gated_delta_rule`)."""

_SCAN_CHUNK_TOKENS = 256
"""Tokens of a chunk of Mamba-2's scan where the model does not state them."""

_LIGHTNING_BLOCK_TOKENS = 256
"""Tokens of a block of lightning attention."""


def state_moments(mixer: StateSpace, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of a state layer while a prompt is read."""
    match mixer.kind:
        case "mamba":
            yield _selective_scan(mixer, scene)
        case "mamba2":
            yield from _chunk_scan(mixer, scene)
        case "gated_delta_net":
            yield from _delta_rule(mixer, scene)
        case "lightning_attention":
            yield _lightning(mixer, scene)
        case "rg_lru":
            yield _gated_recurrence(mixer, scene)


def state_step_moments(mixer: StateSpace, scene: Scene) -> Iterator[Moment]:
    """Yield the moment in which one token updates a state: old, new and intermediate ones are held together."""
    size, state = scene.mode.element_bytes, mixer.state_elements
    match mixer.kind:
        case "mamba":
            held = [
                Held("states in 32 bit", 5, state, 4, "sequence"),
                Held("decay of the states", 1, state, 4, "once"),
                Held("step weights in 32 bit", 1, mixer.inner_dim, 4, "once"),
                Held("projected input", 1, 2 * mixer.inner_dim, size),
                Held("recurrence inputs", 3, mixer.inner_dim, size),
            ]
        case "mamba2":
            held = [
                Held("states in 32 bit", 3, state, 4, "sequence"),
                Held("state inputs", 2, state, size, "sequence"),
                Held("projected input", 1, mixer.inner_dim + mixer.conv_channels + mixer.n_heads, size),
                Held("convolved input", 1, mixer.conv_channels, size),
                Held("heads' inputs", 1, mixer.n_heads * mixer.state_dim, size),
            ]
        case "gated_delta_net":
            keys = mixer.n_heads * mixer.state_dim
            held = [
                Held("states in 32 bit", 3, state, 4, "sequence"),
                Held("projected input", 1, mixer.conv_channels + mixer.inner_dim, size),
                Held("convolved input", 1, mixer.conv_channels, size),
                Held("keys and values in 32 bit", 5, max(keys, mixer.inner_dim), 4),
            ]
        case "lightning_attention":
            held = [
                Held("states", 3, state, size, "sequence"),
                Held("queries, keys and values", 3, mixer.inner_dim, size),
            ]
        case _:
            held = [Held("recurrence", 3, mixer.inner_dim, size)]
    yield Moment(name="state update", stream=scene.stream(3), held=(*held, *_wide_residual(scene)))


def _wide_residual(scene: Scene) -> tuple[Held, ...]:
    """Return what a residual in 32 bit takes beyond one in the compute type."""
    extra = 4 - scene.mode.element_bytes
    if not scene.traits.residual_in_fp32 or extra <= 0:
        return ()
    return (Held("residual in 32 bit", 1, scene.hidden_dim, extra),)


def _masked_input(scene: Scene) -> tuple[Held, ...]:
    """Return the layer's input with padding set to zero."""
    if not scene.mode.padded:
        return ()
    return (Held("input without padding", 1, scene.hidden_dim, scene.mode.element_bytes),)


def _selective_scan(mixer: StateSpace, scene: Scene) -> Moment:
    """Return Mamba's scan: decay, input and their product for each state element of each token."""
    size, inner, state = scene.mode.element_bytes, mixer.inner_dim, mixer.state_elements
    held = (
        Held("states of all tokens in 32 bit", 3, state, 4),
        Held("projected input", 1, 2 * inner, size),
        Held("recurrence inputs and outputs", 5, inner, size),
        Held("outputs in 32 bit", 2, inner, 4),
        Held("decay of the states", 1, state, 4, "once"),
        *_wide_residual(scene),
        *_masked_input(scene),
    )
    return Moment(name="selective scan", stream=scene.stream(3), held=held)


def _chunk_scan(mixer: StateSpace, scene: Scene) -> Iterator[Moment]:
    """Yield the two moments of Mamba-2's scan: states of all chunks decayed, and outputs added up.

    Source: `mamba2_chunk_scan` in each class's modelling file.
    """
    size, inner, heads = scene.mode.element_bytes, mixer.inner_dim, mixer.n_heads
    keys, state = heads * mixer.state_dim, mixer.state_elements
    chunk = mixer.chunk_tokens or _SCAN_CHUNK_TOKENS
    rows = 3 * inner + 4 * heads + 3 * keys + 3 * heads * chunk
    common = (
        Held("projected input", 1, inner + mixer.conv_channels + heads, size),
        Held("convolved input", 1, mixer.conv_channels + heads, size),
        Held("chunks in 32 bit", 1, chunk * rows + state, 4, "chunk", chunk),
        Held("states in 32 bit", 1, state, 4, "sequence"),
        Held("decay between chunks", 1, heads, 4, "chunk_pair", chunk),
        *_wide_residual(scene),
    )
    # With one chunk only, no state is passed on, and the states' operand is not copied.
    decayed = Held(
        "decayed states of chunks", 1, chunk * (keys + inner) + state, 4, "chunk_of_several", chunk
    )
    outputs = Held("outputs of chunks", 1, chunk * 4 * inner, 4, "chunk", chunk)
    for name, part in (("chunk scan, states", decayed), ("chunk scan, outputs", outputs)):
        yield Moment(name=name, stream=scene.stream(3), held=(*common, part))


def _delta_rule(mixer: StateSpace, scene: Scene) -> Iterator[Moment]:
    """Yield the gated delta rule's products of keys and values within chunks, and its update of the state.

    Source: `torch_chunk_gated_delta_rule` in each class's modelling file.
    """
    size, heads, values = scene.mode.element_bytes, mixer.n_heads, mixer.inner_dim
    keys, chunk = heads * mixer.state_dim, _DELTA_CHUNK_TOKENS
    kept = values + 2 * heads + mixer.conv_channels if scene.traits.keeps_linear_projection else 0
    rows = 5 * values + 4 * keys + 3 * chunk * heads + 3 * heads
    common = (
        Held("projected input", 1, values + kept + mixer.conv_channels + 3 * heads, size),
        Held("chunks in 32 bit", 1, chunk * rows, 4, "chunk", chunk),
        Held("decay in 32 bit", 1, heads, 4),
        Held("one chunk's products", 2, chunk * values, 4, "sequence"),
        *_masked_input(scene),
    )
    products = Held("keys' products", 1, chunk * keys, 4, "chunk", chunk)
    states = Held("states in 32 bit", 3, mixer.state_elements, 4, "sequence")
    for name, part in (("gated delta rule", products), ("gated delta rule, state", states)):
        yield Moment(name=name, stream=scene.stream(3), held=(*common, part))


def _lightning(mixer: StateSpace, scene: Scene) -> Moment:
    """Return lightning attention: projections, the output normalised in 32 bit, products within a block."""
    size, inner = scene.mode.element_bytes, mixer.inner_dim
    held = (
        Held("queries, keys, values and output", 4, inner, size),
        Held("output in 32 bit", 2, inner, 4),
        Held("products within a block", 5, inner, size, "windowed", _LIGHTNING_BLOCK_TOKENS),
        Held("state of a block", 1, mixer.state_elements, size, "sequence"),
    )
    return Moment(name="lightning attention", stream=scene.stream(3), held=held)


def _gated_recurrence(mixer: StateSpace, scene: Scene) -> Moment:
    """Return Griffin's recurrence: convolved input, gates, and the states of all tokens."""
    tensors = 13 if scene.mode.several else 12
    held = (Held("gates and states of all tokens", tensors, mixer.inner_dim, scene.mode.element_bytes),)
    return Moment(name="gated recurrence", stream=scene.stream(3), held=held)
