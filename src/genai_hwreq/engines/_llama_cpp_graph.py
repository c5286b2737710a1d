"""The graph that llama.cpp computes in one pass, as far as memory goes: sizes, layouts and readers of its tensors.

Next: _llama_cpp_attention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from genai_hwreq.engines._llama_cpp_caches import Cells, Latent
from genai_hwreq.engines._llama_cpp_homes import ON_DEVICE, Home
from genai_hwreq.engines._llama_cpp_versions import Era
from genai_hwreq.formulas.ggml_graph import Layout, Node, expand
from genai_hwreq.formulas.ggml_types import row_bytes, row_fragment_bytes

if TYPE_CHECKING:
    from genai_hwreq.models._tensor import Role

__all__ = ["F32", "NORMED_WITHIN", "Fork", "Graph", "Pass"]

F32 = 4
"""Bytes of an element of nearly every tensor of the graph."""


NORMED_WITHIN = frozenset({"bitnet"})
"""Model types that normalise before the last matrix of attention and of the feed-forward network."""


_PLACES_IN_IMAGES = frozenset({"qwen3_5_text", "qwen3_5_moe_text"})
"""Model types whose rotation follows time, height and width."""


@frozen(kw_only=True)
class Fork:
    """What ik_llama.cpp computes in its own way.

    A root-mean-square norm with its weight, an activated gate with its product, a sum of experts and a soft cap are one
    operation each there, none of which can overwrite its input.
    Source: https://github.com/ikawrakow/ik_llama.cpp/blob/main/ggml/src/ggml-alloc.c, `ggml_op_can_inplace`
    """

    mla: int
    """How latent attention caches and computes."""

    attn_max_batch_mib: int
    """Most that attention's scores, or the keys and values it unpacks, may take at once; zero for no limit."""

    fused_moe: bool
    """Whether an expert's gate, up and product are one operation too."""


@frozen(kw_only=True)
class Pass:
    """One pass of a batch through a network, with every default worked out."""

    model_type: str
    """The network's implementation."""

    hidden_dim: int
    """Width of its stream."""

    era: Era
    """Which way with memory."""

    tokens: int
    """Tokens computed at once."""

    n_sequences: int
    """Sequences that they belong to."""

    n_outputs: int
    """Rows of logits."""

    cells: dict[int | None, Cells]
    """Cells of each cache, by window."""

    latent: Latent
    """What latent attention caches."""

    flash_attn: bool
    """Whether attention is fused."""

    value_dim: int
    """Width of the widest layer's cached values."""

    type_k: str
    """Block type of cached keys."""

    type_v: str
    """Block type of cached values."""

    on_device: bool
    """Whether it runs on a device."""

    fork: Fork | None = None
    """What ik_llama.cpp computes in its own way; `None` for llama.cpp."""


@define
class Graph:
    """Tensors in the order they are computed, and inputs by name."""

    run: Pass
    """What is computed."""

    order: list[Node] = field(factory=list)
    """Everything that is computed, first things first."""

    inputs: dict[str, Node] = field(factory=dict)
    """What comes from outside."""

    layer_inputs: Node | None = None
    """Inputs of the layers' own, for models that have them."""

    home: Home = ON_DEVICE
    """What of the layer that is being built is on the host."""

    frequencies: Node | None = None
    """The copy of the rotary embedding's factors."""

    def input(self, name: str, n_bytes: int, layout: Layout | None = None) -> Node:
        """Return an input; all of one name are the same."""
        if name not in self.inputs:
            self.inputs[name] = Node(n_bytes, layout=layout, copied=True)
        return self.inputs[name]

    def looked_up(self, name: str, n_bytes: int, layout: Layout | None = None) -> Node:
        """Return rows that the host looks up in a table: recent versions before all else, older ones when they are read."""
        found = self.input(name, n_bytes, layout)
        if self.run.era != "2026" and not found.sources:
            found.sources = (Node(0, on_host=True),)
        return found

    def positions(self) -> Node:
        """Return the positions of the tokens: four each where images have places of their own."""
        return self.input("positions", 4 * self.run.tokens * (4 if self.run.model_type in _PLACES_IN_IMAGES else 1))

    def op(self, width: int, rows: int, *sources: Node) -> Node:
        """Return a new tensor of `rows` by `width` elements."""
        return Node(F32 * width * rows, sources, (width, rows))

    def matmul(self, role: Role, width: int, rows: int, *sources: Node) -> Node:
        """Return the product with a matrix."""
        return self.op(width, rows, *sources, *self.matrix(role))

    def matrix(self, role: Role) -> tuple[Node, ...]:
        """Return the copy of a matrix that is kept on the host; nothing for one that is not."""
        return tuple(_weight(n_bytes) for name, n_bytes in self.home.matrices if name == role)

    def vector(self, layout: Layout | None) -> tuple[Node, ...]:
        """Return the copy of a norm's weight or of a bias that is kept on the host; nothing for one that is not."""
        return (_weight(F32 * layout[0]),) if self.home.vectors and layout else ()

    def rotary_factors(self) -> tuple[Node, ...]:
        """Return the copy of the rotary embedding's factors that are kept on the host; nothing for those that are not."""
        if not self.home.frequency_bytes:
            return ()
        if self.frequencies is None:
            self.frequencies = _weight(self.home.frequency_bytes)
        return (self.frequencies,)

    def cached(self, block: str, dim: int, head_dim: int, cells: Cells) -> tuple[Node, ...]:
        """Return the copy of a layer's keys or values that are kept on the host; nothing for those that are not."""
        if not self.home.cache:
            return ()
        n_bytes = cells.cells * cells.streams * row_bytes(block, dim)
        return (Node(n_bytes + row_fragment_bytes(block, head_dim), copied=True),)

    def kept_state(self, elements: int) -> tuple[Node, ...]:
        """Return the copy of a layer's states that are kept on the host; nothing for those that are not."""
        return (Node(F32 * elements * self.run.n_sequences, copied=True),) if self.home.cache else ()

    def over_host(self, x: Node, layout: Layout) -> Node:
        """Return the copy that comes back of a result that the host copies together."""
        self.expand(Node(0, (x,), on_host=True))
        return Node(x.n_bytes, layout=layout, copied=True)

    def shaped(self, layout: Layout, *sources: Node) -> Node:
        """Return a new tensor of a layout."""
        n_bytes = F32
        for size in layout:
            n_bytes *= size
        return Node(n_bytes, sources, layout)

    def over(self, *sources: Node) -> Node:
        """Return the result of an operation that overwrites an input of its layout where nobody else needs it."""
        first = sources[0]
        return Node(first.n_bytes, sources, first.layout, in_place=True)

    def copy(self, source: Node, layout: Layout | None = None) -> Node:
        """Return a contiguous copy."""
        return Node(source.n_bytes, (source,), layout or source.layout)

    def view(self, source: Node, layout: Layout | None = None, n_bytes: int | None = None) -> Node:
        """Return a view; one without a layout is not contiguous."""
        size = source.n_bytes if n_bytes is None else n_bytes
        return Node(size, (source,), layout, root=source.root or source)

    def store(self, *sources: Node) -> None:
        """Write something into a cache, now, where the cache is."""
        self.expand(Node(0, sources, on_host=self.home.cache))

    def hold(self, *nodes: Node) -> None:
        """Keep nodes until now."""
        self.expand(Node(0, nodes))

    def expand(self, *nodes: Node) -> None:
        """Compute nodes now, with all they depend on."""
        for node in nodes:
            expand(self.order, node)

    def norm(self, x: Node, *, layer_norm: bool = False, bias: bool = False, weight: bool = True) -> Node:
        """Normalise: root-mean-square works in place, layer normalisation does not; weight and bias do."""
        fused = weight and not layer_norm and self.run.fork is not None
        out = self.copy(x) if layer_norm or fused else self.over(x)
        if weight and not fused:
            out = self.over(out, *self.vector(x.layout))
        return self.biased(out) if bias else out

    def biased(self, x: Node) -> Node:
        """Add a bias."""
        return self.over(x, *self.vector((x.root or x).layout))

    def picked(self, x: Node) -> Node:
        """Return the rows whose logits are wanted."""
        assert x.layout is not None
        rows = self.run.n_outputs
        return self.op(x.layout[0], rows, x, self.input("out_ids", 4 * rows))


def _weight(n_bytes: int) -> Node:
    return Node(n_bytes, copied=True, weight=True)
