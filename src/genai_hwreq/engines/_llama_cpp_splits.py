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
    from genai_hwreq.engines._llama_cpp_graph import Graph

__all__ = ["device_order", "host_order"]


def device_order(g: Graph) -> list[Node]:
    """Return what the device computes, with each copy from the host where the turn starts that first reads it."""
    found: list[Node] = []
    turn: list[Node] = []
    copies: dict[int, Node] = {}
    done: set[int] = set()
    host = False
    for node in g.order:
        if node.copied:
            continue
        if node.root is None:
            if node.on_host != host or (copies and any(source.weight for source in node.sources)):
                found += [*copies.values(), *turn]
                done |= copies.keys()
                turn, copies, host = [], {}, node.on_host
            read = () if host else [source.root or source for source in node.sources]
            copies |= {id(source): source for source in read if source.copied and id(source) not in done}
        turn.append(node)
    return [*found, *copies.values(), *turn]


def host_order(g: Graph, looked_up: list[Node]) -> list[Node]:
    """Return what the host computes: rows of embeddings, and for each of its turns copies of what it reads."""
    found = [*looked_up, Node(0, tuple(looked_up))]
    computed = [node for node in g.order if node.root is None and not node.copied]
    for on_host, turn in groupby(computed, key=lambda node: node.on_host):
        if on_host:
            copies = [Node(source.n_bytes) for node in turn for source in node.sources if not source.copied]
            found += [*copies, Node(0, tuple(copies))]
    return found
