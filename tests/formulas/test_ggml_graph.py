"""The graph allocator: tensors that are never alive together share memory."""

from __future__ import annotations

import itertools

from hypothesis import given, strategies as st

from genai_hwreq.formulas.ggml_graph import FreeBlocks, Node, buffer_bytes, expand


def test_a_chain_needs_two_places() -> None:
    """Tensors made one from another need the places of two neighbours."""
    first = Node(128)
    chain = [first]
    for _ in range(5):
        chain.append(Node(128, (chain[-1],)))
    assert buffer_bytes([first], chain[1:], 128) == 256


def test_an_operation_in_place_needs_one() -> None:
    """A result of the same layout takes over the place of an input that nobody else reads."""
    first = Node(128, layout=(32,))
    result = Node(128, (first,), (32,), in_place=True)
    assert buffer_bytes([first], [result], 128) == 128


def test_an_input_that_is_read_again_is_not_overwritten() -> None:
    """An input with another reader keeps its place."""
    first = Node(128, layout=(32,))
    result = Node(128, (first,), (32,), in_place=True)
    total = Node(128, (first, result), (32,), in_place=True)
    assert buffer_bytes([first], [result, total], 128) == 256


def test_a_view_keeps_its_tensor_alive() -> None:
    """The tensor behind a view is freed with the view's last reader."""
    first = Node(128)
    view = Node(128, (first,), root=first)
    other = Node(128, ())
    reader = Node(128, (view, other))
    assert buffer_bytes([first], [view, other, reader], 128) == 384


def test_what_is_kept_is_not_overwritten() -> None:
    """A tensor that must outlive the graph is neither freed nor overwritten."""
    first = Node(128, layout=(32,), kept=True)
    result = Node(128, (first,), (32,), in_place=True)
    last = Node(128, (result,))
    assert buffer_bytes([first], [result, last], 128) == 384


def test_the_tightest_block_is_taken() -> None:
    """Of the free blocks the smallest that fits is taken, the end only if none does."""
    free = FreeBlocks(1)
    for size in (10, 1, 5, 1):
        free.take(size)
    free.give(0, 10)
    free.give(11, 5)
    assert free.take(4) == 11
    assert free.take(9) == 0
    assert free.take(9) == 17


def test_expand_puts_first_things_first() -> None:
    """A node comes after everything it is computed from, once."""
    first = Node(1)
    second, third = Node(1, (first,)), Node(1, (first,))
    last = Node(1, (second, third))
    order: list[Node] = []
    expand(order, last)
    expand(order, second)
    assert order == [first, second, third, last]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_a_chain_never_needs_more_than_all_nor_less_than_its_largest_pair(sizes: list[int]) -> None:
    """The buffer holds each tensor with the one it is made from, and never more than all of them."""
    nodes = [Node(sizes[0])]
    for size in sizes[1:]:
        nodes.append(Node(size, (nodes[-1],)))
    needed = buffer_bytes(nodes[:1], nodes[1:], 1)
    pairs = [a + b for a, b in itertools.pairwise(sizes)]
    assert max([*pairs, sizes[0]]) <= needed <= sum(sizes)


@given(st.lists(st.integers(1, 500), max_size=20))
def test_what_is_given_back_joins(sizes: list[int]) -> None:
    """When everything is given back one block is left."""
    free = FreeBlocks(1)
    taken = [(free.take(size), size) for size in sizes]
    for offset, size in taken[::2] + taken[1::2]:
        free.give(offset, size)
    assert len(free.blocks) == 1
    assert free.peak == sum(sizes)
