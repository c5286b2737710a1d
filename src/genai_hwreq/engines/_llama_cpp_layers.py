"""Layers of llama.cpp's graph: how mixers, feed-forward networks and normalisations follow one another.

Source: https://github.com/ggml-org/llama.cpp/tree/master/src/models

Next: _llama_cpp_buffers.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._ik_llama_cpp_latent import latent_rows_attention
from genai_hwreq.engines._llama_cpp_attention import softmax_attention
from genai_hwreq.engines._llama_cpp_feed_forward import dense, experts
from genai_hwreq.engines._llama_cpp_gemma4 import (
    dense_and_experts,
    has_own_input,
    layer_inputs,
    with_own_input,
)
from genai_hwreq.engines._llama_cpp_graph import F32, Graph, Pass
from genai_hwreq.engines._llama_cpp_homes import ON_DEVICE, Home, Homes
from genai_hwreq.engines._llama_cpp_latent import latent_attention
from genai_hwreq.engines._llama_cpp_recurrent import (
    gated_delta_net,
    mamba,
    mamba2,
    recurrent,
    short_convolution,
)
from genai_hwreq.models import Attention, Dense, LatentAttention, StateSpace

if TYPE_CHECKING:
    from genai_hwreq.formulas.ggml_graph import Node
    from genai_hwreq.models import FeedForward, Layer, Mixer, Transformer

__all__ = ["Stretch", "network_graph"]

_NORMED_AFTER = frozenset({"gemma2", "gemma3", "gemma3_text", "gemma4_text", "glm4", "olmo2", "olmo3"})
_NORMED_AFTER_ONLY = frozenset({"olmo2", "olmo3"})
_LAYER_NORM = frozenset({"mpt", "cohere", "cohere2"})
_ALWAYS_RESIDUAL_FIRST = frozenset({"jamba", "lfm2", "lfm2_moe"})
_RESIDUAL_FIRST = _ALWAYS_RESIDUAL_FIRST | {"phi3"}
_STREAM_FIRST = frozenset({"cohere", "cohere2", "gpt_neox"})
_ATTENTION_FIRST = frozenset({"phi"})
_SCALED_EMBEDDING = frozenset(
    {"gemma", "gemma2", "gemma3", "gemma3_text", "gemma4_text", "granite", "granitemoe", "granitemoehybrid", "minicpm"}
)
_SCALED_LOGITS = frozenset({"granite", "granitemoe", "granitemoehybrid", "cohere", "cohere2"})
_CAPPED_LOGITS = frozenset({"gemma2", "gemma4_text"})
_PICKED_LATE = frozenset({"gpt_oss"})
_PICKED_AFTER_NORM = frozenset({"gemma4_text", "qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"})
_MIXERS = {
    "mamba": mamba,
    "mamba2": mamba2,
    "gated_delta_net": gated_delta_net,
    "short_convolution": short_convolution,
}


@frozen
class Stretch:
    """The layers of one device, which follow one another."""

    first: int
    """Its first layer."""

    end: int
    """The layer after its last one."""

    output: bool
    """Whether it computes the logits."""


def network_graph(network: Transformer, run: Pass, stretch: Stretch, homes: Homes | None = None) -> Graph:
    """Build one device's part of a pass: from embedded tokens, or what the device before hands over, to logits.

    Args:
        network: the layers.
        run: the pass.
        stretch: the layers that the device computes.
        homes: what of each layer is kept on the host; `None` where all is on devices.
    """
    g = Graph(run)
    hidden_dim, tokens = network.hidden_dim, run.tokens
    if stretch.first:
        x = g.input("stream of the device before", F32 * hidden_dim * tokens, (hidden_dim, tokens))
    else:
        x = _embedded(g, network)
    if _reads_own_inputs(network):
        g.layer_inputs = layer_inputs(g, network, x)
    layers = _layers(network, stretch, homes)
    late = run.era == "2026" and network.model_type in _PICKED_LATE | _PICKED_AFTER_NORM
    picks = stretch.end == network.n_layers and not late
    for index, (layer, g.home) in enumerate(layers):
        x = _layer(g, x, layer, last=picks and index == len(layers) - 1)
    g.home = homes.output if homes else ON_DEVICE
    if stretch.output:
        _logits(g, x, network, late=late)
    g.expand(x)
    return g


def _reads_own_inputs(network: Transformer) -> bool:
    return network.model_type == "gemma4_text" and has_own_input(network.layers[0].layer)


def _embedded(g: Graph, network: Transformer) -> Node:
    hidden_dim, tokens = network.hidden_dim, g.run.tokens
    x = g.looked_up("embedded tokens", F32 * hidden_dim * tokens, (hidden_dim, tokens))
    if any(tensor.role == "position_embedding" for tensor in network.embeddings):
        x = g.over(x, g.looked_up("embedded positions", F32 * hidden_dim * tokens))
    return g.over(x) if network.model_type in _SCALED_EMBEDDING else x


def _layers(network: Transformer, stretch: Stretch, homes: Homes | None) -> list[tuple[Layer, Home]]:
    """Return the layers to lay out: of many equal ones the first few, after which the layout repeats by two."""
    found: list[tuple[Layer, Home]] = []
    start = 0
    for run in network.layers:
        end = start + run.n_layers
        here = range(max(start, stretch.first), min(end, stretch.end))
        for home, equal in groupby(homes.layers[index] if homes else ON_DEVICE for index in here):
            n = sum(1 for _ in equal)
            found += [(run.layer, home)] * (n if n <= _SETTLED else _SETTLED + (n - _SETTLED) % 2)
        start = end
    return found


_SETTLED = 8
"""Equal layers after which each odd one is laid out like the last odd one, each even one like the last even one."""


def _logits(g: Graph, x: Node, network: Transformer, *, late: bool) -> None:
    """Add the closing norm and the logits.

    Where the wanted rows are only picked here (`late`), what they are picked from is kept: a draft head may read it.
    """
    bias = any(tensor.role == "bias" for tensor in network.closing)
    after = network.model_type in _PICKED_AFTER_NORM
    if late and not after:
        x.kept = True
        x = g.picked(x)
    x = g.norm(x, layer_norm=bias or network.model_type in _LAYER_NORM, bias=bias)
    if late and after:
        x.kept = True
        x = g.picked(x)
    logits = g.matmul("head", network.vocab_size, g.run.n_outputs, x)
    if any(tensor.role == "bias" for tensor in network.head) or network.model_type in _SCALED_LOGITS:
        logits = g.over(logits)
    if network.model_type in _CAPPED_LOGITS:
        logits = g.over(g.over(g.over(logits))) if g.run.fork is None else g.copy(logits)
    logits.kept = True
    g.expand(logits)


def _layer(g: Graph, x: Node, layer: Layer, *, last: bool) -> Node:
    if len(layer.mixers) > 1:
        return _side_by_side(g, x, layer, last=last)
    if not layer.mixers:
        stream = g.picked(x) if last else x
        return g.over(_fed(g, _normed(g, stream, layer), layer.feed_forward), stream) if layer.feed_forward else stream
    if layer.residual == "parallel" and layer.feed_forward:
        return _parallel(g, x, layer, last=last)
    return _sequential(g, x, layer, last=last)


def _normed(g: Graph, x: Node, layer: Layer) -> Node:
    bias = any(norm.bias for norm in layer.norms)
    return g.norm(x, layer_norm=bias or g.run.model_type in _LAYER_NORM, bias=bias)


def _sequential(g: Graph, x: Node, layer: Layer, *, last: bool) -> Node:
    kind = g.run.model_type
    mixed = _mixed(g, x if kind in _NORMED_AFTER_ONLY else _normed(g, x, layer), layer.mixers[0])
    if last:
        mixed, x = g.picked(mixed), g.picked(x)
    if kind in _NORMED_AFTER:
        mixed = _normed(g, mixed, layer)
    stream = g.over(x, mixed) if kind in _ALWAYS_RESIDUAL_FIRST else g.over(mixed, x)
    if not layer.feed_forward:
        return stream
    if kind == "gemma4_text" and len(layer.feed_forward) > 1:
        out = dense_and_experts(g, stream, layer)
    else:
        out = _fed(g, stream if kind in _NORMED_AFTER_ONLY else _normed(g, stream, layer), layer.feed_forward)
    if kind in _NORMED_AFTER:
        out = _normed(g, out, layer)
    out = g.over(stream, out) if kind in _RESIDUAL_FIRST else g.over(out, stream)
    if g.layer_inputs is not None:
        out = with_own_input(g, out, layer, g.layer_inputs)
    return g.over(out) if kind == "gemma4_text" else out


def _parallel(g: Graph, x: Node, layer: Layer, *, last: bool) -> Node:
    kind = g.run.model_type
    normed = _normed(g, x, layer)
    mixed = _mixed(g, normed, layer.mixers[0])
    if last:
        mixed, x = g.picked(mixed), g.picked(x)
    if len(layer.norms) > 1:
        normed = _normed(g, x, layer)
    elif last:
        normed = g.picked(normed)
    fed = _fed(g, normed, layer.feed_forward)
    if kind in _STREAM_FIRST:
        return g.over(g.over(fed, x), mixed)
    if kind in _ATTENTION_FIRST:
        return g.over(g.over(mixed, fed), x)
    return g.over(g.over(fed, mixed), x)


def _side_by_side(g: Graph, x: Node, layer: Layer, *, last: bool) -> Node:
    """Add a layer whose attention and state space read the same input, each after a normalisation of its own."""
    mixed = [_mixed(g, _normed(g, x, layer), mixer) for mixer in layer.mixers]
    stream = g.over(g.over(*mixed), x)
    if last:
        stream = g.picked(stream)
    if not layer.feed_forward:
        return stream
    return g.over(_fed(g, _normed(g, stream, layer), layer.feed_forward), stream)


def _mixed(g: Graph, x: Node, mixer: Mixer) -> Node:
    if isinstance(mixer, Attention):
        return softmax_attention(g, x, mixer)
    if isinstance(mixer, LatentAttention):
        if g.run.fork is not None and g.run.latent != "full":
            return latent_rows_attention(g, x, mixer, g.run.fork)
        return latent_attention(g, x, mixer)
    assert isinstance(mixer, StateSpace)
    return _MIXERS.get(mixer.kind, recurrent)(g, x, mixer)


def _fed(g: Graph, x: Node, parts: tuple[FeedForward, ...]) -> Node:
    outs = [dense(g, x, part) if isinstance(part, Dense) else experts(g, x, part) for part in parts]
    return outs[0] if len(outs) == 1 else g.over(*outs)
