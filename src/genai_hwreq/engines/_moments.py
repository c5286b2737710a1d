"""Moments of a forward pass: which tensors are alive together, and which moment needs the most.

A pass through a decoder peaks in one of a few moments: while queries are normalised or rotated, while scores
are made, in a feed-forward network, among the experts, or when the logits are made. Each moment is a handful
of counts of tensors; the largest sum is the peak. What decides a moment's tensors is kept apart from the size
of the pass, so that the moments of a network are looked for once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.engines._held import Held, Mode, Moment, Pass, Scene
from genai_hwreq.engines._moments_attention import attention_moments
from genai_hwreq.engines._moments_experts import feed_forward_moments
from genai_hwreq.engines._moments_inputs import has_distance_mask, in_every_layer, outside_layers, windows
from genai_hwreq.engines._moments_latent import latent_moments, latent_step_moments
from genai_hwreq.engines._moments_states import state_moments, state_step_moments
from genai_hwreq.engines._moments_steps import step_moments
from genai_hwreq.engines._transformers_classes import class_traits
from genai_hwreq.formulas.recurrent_state import transformers_state_bytes
from genai_hwreq.models import Attention, LatentAttention, StateSpace, Transformer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.models import Layer, LayerRun, Mixer

__all__ = ["Pass", "largest_moment"]


def largest_moment(network: Transformer, run: Pass) -> Moment:
    """Return the moment of a pass that needs the most, with what is alive in every layer."""
    mode = _mode(network, run)
    moments = _moments(network, mode)
    common = {True: in_every_layer(network, mode), False: outside_layers(mode)}
    sizes = {place: sum(part.bytes_in(run) for part in parts) for place, parts in common.items()}
    largest = max(moments, key=lambda moment: sizes[moment.in_layers] + moment.bytes_in(run))
    return evolve(largest, common=common[largest.in_layers])


def _mode(network: Transformer, run: Pass) -> Mode:
    passed = [window for window in windows(network) if window is not None and run.tokens >= window]
    return Mode(
        is_step=run.is_step,
        first_step=run.first_step,
        eager=run.eager,
        padded=run.padded,
        several=run.batch_size > 1,
        passed_window=max(passed, default=0),
        element_bytes=run.element_bytes,
        bytes_per_logit=run.bytes_per_logit,
        position_limit=run.position_limit,
    )


@lru_cache(maxsize=1024)
def _moments(network: Transformer, mode: Mode) -> tuple[Moment, ...]:
    scene = Scene(
        traits=class_traits(network.model_type),
        hidden_dim=network.hidden_dim,
        mode=mode,
        has_distance_mask=has_distance_mask(network),
    )
    found = [_logits_moment(network, scene)] if network.vocab_size else []
    found += _step(network, scene) if mode.is_step else _reading(network, scene)
    return tuple(dict.fromkeys(found)) or (Moment(name="layer", stream=scene.stream(1)),)


def _logits_moment(network: Transformer, scene: Scene) -> Moment:
    bytes_per_logit = scene.traits.logit_copies * scene.mode.bytes_per_logit
    logits = Held("logits", 1, network.vocab_size, bytes_per_logit, "logit", kind="logits")
    last = Held("residual stream", 1, network.hidden_dim, scene.mode.element_bytes)
    return Moment(name="logits", stream=last, held=(logits,), in_layers=False)


def _reading(network: Transformer, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of reading a prompt, each in the last layer of its kind: caches then hold the most."""
    last = {run.layer: index for index, run in enumerate(network.layers)}
    for layer, index in last.items():
        token_bytes, sequence_bytes = _yet_to_cache(network.layers[index + 1 :], scene)
        for moment in _reading_layer(layer, scene):
            yield evolve(
                moment,
                uncached_token_bytes=moment.uncached_token_bytes + token_bytes,
                uncached_sequence_bytes=moment.uncached_sequence_bytes + sequence_bytes,
            )


def _reading_layer(layer: Layer, scene: Scene) -> Iterator[Moment]:
    for mixer in layer.mixers:
        if isinstance(mixer, Attention):
            yield from attention_moments(mixer, layer, scene)
        elif isinstance(mixer, LatentAttention):
            yield from latent_moments(mixer, scene)
        elif isinstance(mixer, StateSpace):
            yield from state_moments(mixer, scene)
    yield from feed_forward_moments(layer, scene)


def _yet_to_cache(runs: tuple[LayerRun, ...], scene: Scene) -> tuple[int, int]:
    """Return the bytes of each token, and of each sequence, that later layers add to the caches."""
    token_bytes = sequence_bytes = 0
    for run in runs:
        for mixer in run.layer.mixers:
            token_bytes += run.n_layers * _cached_elements(mixer, scene) * scene.mode.element_bytes
            sequence_bytes += run.n_layers * _state_bytes(mixer, scene)
    return token_bytes, sequence_bytes


def _cached_elements(mixer: Mixer, scene: Scene) -> int:
    if isinstance(mixer, LatentAttention):
        return mixer.latent_dim + (mixer.index_head_dim if mixer.n_index_heads else 0)
    if isinstance(mixer, Attention) and mixer.cache == "own":
        return sum(scene.cached_dims(mixer))
    return 0


def _state_bytes(mixer: Mixer, scene: Scene) -> int:
    if not isinstance(mixer, StateSpace):
        return 0
    return transformers_state_bytes(
        kind=mixer.kind,
        channels=mixer.conv_channels,
        kernel=mixer.conv_kernel,
        shift_elements=mixer.shift_elements,
        state_elements=mixer.state_elements,
        element_bytes=scene.mode.element_bytes,
    )


def _step(network: Transformer, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of one step of decoding: a single token a sequence, all earlier ones seen."""
    yield from step_moments(network, scene)
    for layer in dict.fromkeys(run.layer for run in network.layers):
        for mixer in layer.mixers:
            if isinstance(mixer, LatentAttention):
                yield from latent_step_moments(mixer, scene)
            elif isinstance(mixer, StateSpace):
                yield from state_step_moments(mixer, scene)
        yield from feed_forward_moments(layer, scene)
