"""A graph of ggml tensors and where its allocator puts them: the compute buffer is as large as the highest address.

Only sizes, layouts and dependencies count, no data. The rules: a tensor lives until its last reader; an operation that
can work in place takes over an input of the same layout that nobody else reads; views take nothing; a new tensor goes
into the smallest free block that holds it, or else to the end.

Source: `ggml_gallocr_alloc_graph_impl` and `ggml_dyn_tallocr_alloc`,
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-alloc.c

Next: logits.
"""

from __future__ import annotations

from attrs import define, field

__all__ = ["FreeBlocks", "Node", "buffer_bytes", "expand"]

Layout = tuple[int, ...]
"""What two tensors must share to take each other's place."""


@define(eq=False, slots=True)
class Node:
    """A tensor: an operation's result, a view of another one, or an input."""

    n_bytes: int
    """Its size; zero for what is stored outside of the buffer."""

    sources: tuple[Node, ...] = ()
    """What it is computed from."""

    layout: Layout | None = None
    """Its layout; `None` for one that no other tensor has."""

    in_place: bool = False
    """Whether its operation can overwrite an input."""

    root: Node | None = None
    """The tensor that it is a view of, if it is one."""

    kept: bool = False
    """Whether it must outlive the graph."""

    copied: bool = False
    """Whether it is made elsewhere and copied to where the graph is computed."""

    weight: bool = False
    """Whether what is copied is a weight, whose place is taken anew for each operation that reads one."""

    on_host: bool = False
    """Whether the host computes it, while the rest of the graph is computed on a device."""

    visited: bool = False
    n_children: int = 0
    n_views: int = 0
    allocated: bool = False
    offset: int = -1


def expand(order: list[Node], node: Node) -> None:
    """Append a node and everything it depends on, first things first."""
    if node.visited:
        return
    node.visited = True
    for source in node.sources:
        expand(order, source)
    order.append(node)


@define
class FreeBlocks:
    """Free blocks by address, the last one without end; `peak` is the highest address ever used."""

    alignment: int
    peak: int = 0
    blocks: list[list[int]] = field(factory=lambda: [[0, 1 << 60]])

    def padded(self, n_bytes: int) -> int:
        """Round up to the buffer's alignment."""
        return -(-n_bytes // self.alignment) * self.alignment

    def take(self, n_bytes: int) -> int:
        """Take a block and return its address: the tightest fit, of equal ones the last."""
        size = self.padded(n_bytes)
        best, best_size = len(self.blocks) - 1, 1 << 62
        for index, block in enumerate(self.blocks[:-1]):
            if size <= block[1] <= best_size:
                best, best_size = index, block[1]
        block = self.blocks[best]
        offset = block[0]
        block[0] += size
        block[1] -= size
        if not block[1]:
            del self.blocks[best]
        self.peak = max(self.peak, offset + size)
        return offset

    def give(self, offset: int, n_bytes: int) -> None:
        """Free a block and join it with its neighbours."""
        size = self.padded(n_bytes)
        index = next((i for i, block in enumerate(self.blocks) if block[0] > offset), len(self.blocks))
        self.blocks.insert(index, [offset, size])
        if index + 1 < len(self.blocks) and offset + size == self.blocks[index + 1][0]:
            self.blocks[index][1] += self.blocks.pop(index + 1)[1]
        if index and sum(self.blocks[index - 1]) == offset:
            self.blocks[index - 1][1] += self.blocks.pop(index)[1]


def buffer_bytes(inputs: list[Node], order: list[Node], alignment: int) -> int:
    """Return the bytes of the buffer that holds a graph.

    Args:
        inputs: tensors that are there from the start, in order.
        order: every node that is computed, in order.
        alignment: bytes to which addresses are rounded up.

    Examples:
        Two tensors of 100 bytes made from each other need two places, three in a row still two.

        >>> first = Node(100)
        >>> second = Node(100, (first,))
        >>> third = Node(100, (second,))
        >>> buffer_bytes([first], [second, third], 128)
        256

    """
    free = FreeBlocks(alignment)
    for node in order:
        if node.root is not None:
            node.root.n_views += 1
        for source in node.sources:
            source.n_children += 1
    for node in inputs:
        _place(node, free)
    for node in order:
        _place(node, free)
        for source in node.sources:
            _release(source, free)
    return free.peak


def _place(node: Node, free: FreeBlocks) -> None:
    if node.root is not None or not node.n_bytes or node.allocated:
        return
    node.allocated = True
    parent = _overwritten(node) if node.in_place else None
    if parent is None:
        node.offset = free.take(node.n_bytes)
        return
    node.offset = parent.offset
    parent.allocated = False
    spare = free.padded(parent.n_bytes) - free.padded(node.n_bytes)
    if spare:
        free.give(node.offset + free.padded(node.n_bytes), spare)


def _overwritten(node: Node) -> Node | None:
    """Return the tensor whose place the node takes over, if there is one; a view's place is never taken over."""
    for source in node.sources:
        if not source.allocated or source.kept or source.n_views or source.n_children != 1:
            continue
        if source.layout is not None and source.layout == node.layout:
            return source
    return None


def _release(source: Node, free: FreeBlocks) -> None:
    source.n_children -= 1
    if source.n_children or source.n_views:
        return
    owner = source
    if source.root is not None:
        owner = source.root
        owner.n_views -= 1
        if owner.n_views or owner.n_children:
            return
    if owner.allocated and not owner.kept:
        owner.allocated = False
        free.give(owner.offset, owner.n_bytes)
