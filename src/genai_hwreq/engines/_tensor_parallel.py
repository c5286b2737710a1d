"""One device's share of a network under tensor and pipeline parallelism, as a network of its own.

The share has the same norms, routers and compressing projections, but a part of the heads, of the feed-forward
width and of the vocabulary. Whatever is counted of a whole network can so be counted of the share.
"""

from __future__ import annotations

from functools import lru_cache

from attrs import evolve

from genai_hwreq.formulas.weights import aligned, ceil_div
from genai_hwreq.models import (
    Attention,
    CrossAttention,
    Dense,
    Experts,
    FeedForward,
    LatentAttention,
    Layer,
    LayerRun,
    Mixer,
    StateSpace,
    Tensor,
    Tower,
    Transformer,
    TransformerModel,
)

__all__ = ["indivisible_heads", "share_of_model", "share_of_network", "stages"]

_VOCABULARY_PADDING = 64
"""Rows to which embedding and head are padded before they are cut.

Source: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/model_executor/layers/vocab_parallel_embedding.py
"""


def indivisible_heads(network: Transformer, n_devices: int) -> int | None:
    """Return a number of heads that cannot be dealt evenly to the devices, or `None` where all can.

    Key/value heads may also be held by several devices each, if those divide evenly.
    """
    for run in network.layers:
        for mixer in run.layer.mixers:
            if mixer.n_heads > 1 and mixer.n_heads % n_devices:
                return mixer.n_heads
            grouped = mixer.n_kv_heads if isinstance(mixer, Attention | CrossAttention) else 1
            if grouped % n_devices and n_devices % grouped:
                return grouped
    return None


@lru_cache(maxsize=512)
def share_of_model(model: TransformerModel, n_devices: int, *, whole_experts: bool = False) -> TransformerModel:
    """Return what one of `n_devices` holds of a model; a tower that cannot be cut evenly is held whole.

    Args:
        model: the whole model.
        n_devices: devices that share each layer.
        whole_experts: whether experts are dealt out whole (expert parallelism) instead of being cut.
    """
    if n_devices == 1:
        return model
    decoder = share_of_network(model.decoder, n_devices, whole_experts=whole_experts)
    return evolve(model, decoder=decoder, towers=tuple(_tower(tower, n_devices) for tower in model.towers))


def _tower(tower: Tower, n_devices: int) -> Tower:
    if indivisible_heads(tower.network, n_devices) is not None:
        return tower
    return evolve(tower, network=share_of_network(tower.network, n_devices))


def share_of_network(network: Transformer, n_devices: int, *, whole_experts: bool = False) -> Transformer:
    """Return what one of `n_devices` holds of a network."""
    layers = tuple(
        LayerRun(layer=_layer(run.layer, n_devices, whole_experts=whole_experts), n_layers=run.n_layers)
        for run in network.layers
    )
    return evolve(
        network,
        layers=layers,
        embeddings=tuple(_vocabulary(tensor, n_devices) for tensor in network.embeddings),
        head=tuple(_vocabulary(tensor, n_devices) for tensor in network.head),
    )


def _vocabulary(tensor: Tensor, n_devices: int) -> Tensor:
    if tensor.role not in {"embedding", "head"}:
        return tensor
    rows = ceil_div(aligned(tensor.shape[0], _VOCABULARY_PADDING), n_devices)
    return Tensor(tensor.name, tensor.role, (rows, *tensor.shape[1:]))


def _layer(layer: Layer, n_devices: int, *, whole_experts: bool) -> Layer:
    return evolve(
        layer,
        mixers=tuple(_mixer(mixer, n_devices) for mixer in layer.mixers),
        feed_forward=tuple(_feed_forward(part, n_devices, whole_experts=whole_experts) for part in layer.feed_forward),
    )


def _mixer(mixer: Mixer, n_devices: int) -> Mixer:
    if isinstance(mixer, Attention | CrossAttention):
        return evolve(mixer, n_heads=max(1, mixer.n_heads // n_devices), n_kv_heads=max(1, mixer.n_kv_heads // n_devices))
    if isinstance(mixer, LatentAttention):
        return evolve(mixer, n_heads=max(1, mixer.n_heads // n_devices))
    if isinstance(mixer, StateSpace):
        return _state_space(mixer, n_devices)
    return mixer


def _state_space(mixer: StateSpace, n_devices: int) -> StateSpace:
    return evolve(
        mixer,
        conv_channels=ceil_div(mixer.conv_channels, n_devices),
        state_elements=ceil_div(mixer.state_elements, n_devices),
        weights=tuple(_rows(tensor, n_devices) for tensor in mixer.weights),
    )


def _rows(tensor: Tensor, n_devices: int) -> Tensor:
    if tensor.role == "norm":
        return tensor
    return Tensor(tensor.name, tensor.role, (ceil_div(tensor.shape[0], n_devices), *tensor.shape[1:]))


def _feed_forward(part: FeedForward, n_devices: int, *, whole_experts: bool) -> FeedForward:
    if isinstance(part, Dense):
        return evolve(part, intermediate_dim=ceil_div(part.intermediate_dim, n_devices))
    shared_dim = ceil_div(part.shared_dim, n_devices)
    if whole_experts:
        return _fewer_experts(part, n_devices, shared_dim)
    return evolve(part, intermediate_dim=ceil_div(part.intermediate_dim, n_devices), shared_dim=shared_dim)


def _fewer_experts(part: Experts, n_devices: int, shared_dim: int) -> Experts:
    """Return experts of which others hold the rest: the router keeps its rows for them."""
    held = ceil_div(part.n_experts, n_devices)
    elsewhere = part.n_zero_experts + part.n_experts - held
    return evolve(part, n_experts=held, n_zero_experts=elsewhere, shared_dim=shared_dim)


@lru_cache(maxsize=512)
def stages(model: TransformerModel, n_stages: int) -> tuple[TransformerModel, ...]:
    """Cut a model into stages of consecutive layers; the first has embedding and towers, the last has the head.

    Layers that do not divide go one each to the stages before the last.
    Source: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/distributed/utils.py, `get_pp_indices`.
    """
    if n_stages == 1:
        return (model,)
    counts = _layers_by_stage(model.decoder.n_layers, n_stages)
    firsts = [sum(counts[:index]) for index in range(n_stages)]
    return tuple(
        _stage(model, first, count, is_first=index == 0, is_last=index == n_stages - 1)
        for index, (first, count) in enumerate(zip(firsts, counts, strict=True))
    )


def _layers_by_stage(n_layers: int, n_stages: int) -> list[int]:
    each, spare = divmod(n_layers, n_stages)
    counts = [each] * n_stages
    for index in range(spare):
        counts[-2 - index % (n_stages - 1)] += 1
    return counts


def _stage(model: TransformerModel, first: int, n_layers: int, *, is_first: bool, is_last: bool) -> TransformerModel:
    network = model.decoder
    tied = is_last and network.tied
    decoder = evolve(
        network,
        embeddings=network.embeddings if is_first or tied else (),
        layers=_slice(network.layers, first, n_layers),
        closing=network.closing if is_last else (),
        head=network.head if is_last else (),
    )
    return evolve(model, decoder=decoder, towers=model.towers if is_first else ())


def _slice(runs: tuple[LayerRun, ...], first: int, n_layers: int) -> tuple[LayerRun, ...]:
    found = []
    start = 0
    for run in runs:
        kept = min(first + n_layers, start + run.n_layers) - max(first, start)
        if kept > 0:
            found.append(LayerRun(layer=run.layer, n_layers=kept))
        start += run.n_layers
    return tuple(found)
