"""llama.cpp's compute buffers on device and host, and its output buffer.

The graph of one pass is built and laid out as ggml's allocator does: the buffer is its highest address. What a pass of
equal settings needs is worked out once.

Next: llama_cpp.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from genai_hwreq.engines._llama_cpp_caches import CacheSettings, cells_of, layer_caches, layer_states
from genai_hwreq.engines._llama_cpp_graph import F32, Fork, Graph, Pass
from genai_hwreq.engines._llama_cpp_homes import Homes
from genai_hwreq.engines._llama_cpp_layers import Stretch, network_graph
from genai_hwreq.engines._llama_cpp_splits import device_order, host_order
from genai_hwreq.estimates import Component
from genai_hwreq.formulas.ggml_graph import Node, buffer_bytes
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_versions import Era
    from genai_hwreq.models import Transformer

__all__ = ["HOST_ALIGNMENT", "BufferSettings", "Side", "compute_bytes", "compute_component", "output_component"]

Side = Literal["device", "host", "cpu"]
"""Which buffer: a device's, the host's of a run with a device, or the only one of a run without."""

_DEVICE_ALIGNMENT, HOST_ALIGNMENT = 128, 32
"""Bytes to which addresses are rounded up.

Sources: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-cuda/ggml-cuda.cu,
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-backend.cpp, `TENSOR_ALIGNMENT`
"""

_SOURCE = Source(
    title="ggml's graph allocator, laid out over the tensors of one pass",
    as_of=date(2026, 11, 25),
    url="https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-alloc.c",
)


_COPIES = 4
"""Copies of each input that a pipeline of devices keeps, so that the next batch can be handed over meanwhile.

Source: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-backend.cpp, `GGML_SCHED_MAX_COPIES`
"""


@frozen(kw_only=True)
class BufferSettings:
    """The settings that decide compute buffers, with every default worked out."""

    caches: CacheSettings
    """Settings of the caches."""

    n_outputs: int
    """Rows of logits."""

    homes: Homes | None = None
    """What of each layer is kept on the host; `None` where all is on devices."""

    fork: Fork | None = None
    """What ik_llama.cpp computes in its own way; `None` for llama.cpp."""

    pipelined: bool = False
    """Whether several devices work on one batch after another at the same time."""


@lru_cache(maxsize=4096)
def compute_bytes(network: Transformer, settings: BufferSettings, side: Side, stretch: Stretch) -> int:
    """Return the bytes of a compute buffer of the device that computes a stretch of layers."""
    run = _pass(network, settings.caches, settings.fork, settings.n_outputs, side)
    graph = network_graph(network, run, stretch, settings.homes)
    if side == "device":
        return _device_bytes(graph, pipelined=settings.pipelined)
    looked_up = [node for name, node in graph.inputs.items() if name.startswith("embedded")]
    given = _token_inputs(graph, len(looked_up)) + [node for node in _read_inputs(graph) if node not in looked_up]
    if side == "cpu":
        return buffer_bytes(given, looked_up + graph.order, HOST_ALIGNMENT)
    n_copies = _COPIES if settings.pipelined else 1
    turns = buffer_bytes([], host_order(graph, looked_up), HOST_ALIGNMENT)
    return n_copies * buffer_bytes(given, [], HOST_ALIGNMENT) + turns


def _device_bytes(graph: Graph, *, pipelined: bool) -> int:
    """Return what the device needs: in a pipeline every input is there several times, from first to last."""
    if not pipelined:
        return buffer_bytes([], device_order(graph), _DEVICE_ALIGNMENT)
    inputs = _read_inputs(graph)
    inputs += [Node(node.n_bytes) for node in inputs for _ in range(_COPIES - 1)]
    for node in inputs:
        node.kept = True
    return buffer_bytes(inputs, graph.order, _DEVICE_ALIGNMENT)


def _token_inputs(graph: Graph, n_tables: int) -> list[Node]:
    """Return what the host is given for the tokens: numbers of rows in each table, since 2026 also rows themselves."""
    run = graph.run
    rows = [Node(F32 * run.hidden_dim * run.tokens)] if run.era == "2026" else []
    return [*rows, *(Node(4 * run.tokens) for _ in range(n_tables))]


def _pass(network: Transformer, caches: CacheSettings, fork: Fork | None, n_outputs: int, side: Side) -> Pass:
    hybrid = any(layer_states(network))
    windows = _windows(network, caches) or {None}
    found = layer_caches(network, caches.era, caches.latent, flash_attn=caches.flash_attn)
    split = caches.era != "2024"
    one_sequence = caches.era == "2025" and caches.kv_unified
    return Pass(
        model_type=network.model_type,
        hidden_dim=network.hidden_dim,
        era=caches.era,
        tokens=caches.n_ubatch,
        n_sequences=1 if one_sequence else caches.n_seq_max,
        n_outputs=n_outputs,
        cells={window: cells_of(caches, window if split else None, hybrid=hybrid) for window in windows},
        latent=caches.latent,
        flash_attn=caches.flash_attn,
        value_dim=max((cache.value_dim for cache in found if cache is not None), default=0),
        type_k=caches.type_k,
        type_v=caches.type_v,
        on_device=side != "cpu",
        fork=fork,
    )


def _windows(network: Transformer, caches: CacheSettings) -> set[int | None]:
    """Return the windows that have a mask: also before they had caches of their own."""
    era: Era = "2025" if caches.era == "2024" else caches.era
    found = layer_caches(network, era, caches.latent, flash_attn=caches.flash_attn)
    return {cache.window_tokens for cache in found if cache is not None}


def _read_inputs(graph: Graph) -> list[Node]:
    """Return the inputs in the order they are first read."""
    given = {id(node) for node in graph.inputs.values() if node.copied}
    read = [source for node in graph.order for source in node.sources if id(source) in given]
    return list({id(source): source for source in read}.values())


def compute_component(network: Transformer, settings: BufferSettings, side: Side, stretch: Stretch) -> Component:
    """Return a compute buffer as a component."""
    size = compute_bytes(network, settings, side, stretch)
    low, high = (size * 9 // 10, size * 11 // 10) if settings.homes else (size * 98 // 100, size * 105 // 100)
    return Component(
        "compute_buffer", f"compute buffer, {side}", size, "graph_bytes", (("graph_bytes", size),), "modelled", _SOURCE,
        ByteRange(low, size, high),
    )


@lru_cache(maxsize=512)
def output_component(network: Transformer, n_seq_max: int) -> Component:
    """Return the buffer on the host that logits are copied to: a row a sequence, until more are asked for."""
    inputs = (("n_sequences", n_seq_max), ("vocab_size", network.vocab_size))
    size = 4 * n_seq_max * network.vocab_size
    return Component("logits", "output buffer", size, "4 * n_sequences * vocab_size", inputs, "exact")
