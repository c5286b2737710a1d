"""Where the host's and the device's work on a pass take turns in llama.cpp, and what is copied over at each turn.

The device also starts anew for each weight that is copied to it. What a turn reads from the other side is copied when
the turn starts.
Source: `ggml_backend_sched_split_graph`,
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-backend.cpp

Next: _llama_cpp_buffers.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from genai_hwreq.formulas.ggml_graph import Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.engines._llama_cpp_graph import Graph

__all__ = ["device_order", "host_order"]


def device_order(g: Graph) -> list[Node]:
    """Return what the device computes, with each copy from the host where the turn starts that first reads it."""
    outside = g.outside()
    found: list[Node] = []
    turn: list[Node] = []
    copies: list[Node] = []
    copied: set[int] = set()
    host = False
    for node in g.order:
        if id(node) in outside:
            continue
        if not _is_view(node):
            on_host = id(node) in g.on_host
            if on_host != host or (copies and any(id(source) in g.weights for source in node.sources)):
                found += copies + turn
                turn, copies, host = [], [], on_host
            for source in _roots(node.sources):
                if id(source) in outside and id(source) not in copied and not on_host:
                    copied.add(id(source))
                    copies.append(source)
        turn.append(node)
    return found + copies + turn


def host_order(g: Graph, looked_up: list[Node]) -> list[Node]:
    """Return what the host computes: rows of embeddings, and for each of its turns copies of what it reads."""
    given = {id(node) for node in g.inputs.values()}
    found = [*looked_up, _read(looked_up)]
    computed = [node for node in g.order if not _is_view(node) and id(node) not in given | set(g.copies)]
    for on_host, turn in groupby(computed, key=lambda node: id(node) in g.on_host):
        if on_host:
            sources = [source for node in turn for source in node.sources if id(source) not in given]
            copies = [Node(source.n_bytes) for source in sources]
            found += [*copies, _read(copies)]
    return found


def _is_view(node: Node) -> bool:
    """Tell views from operations that write into a cache, whose place is outside of the graph."""
    return node.root is not None and node.root.n_bytes > 0


def _roots(nodes: Iterable[Node]) -> list[Node]:
    return [node if node.root is None else node.root for node in nodes]


def _read(nodes: list[Node]) -> Node:
    return Node(0, tuple(nodes), root=Node(0))
