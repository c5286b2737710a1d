"""A tape of one layer: which tensors its forward pass keeps, and what is alive at each step of the way back.

Autograd keeps the tensors a backward step will need and frees them as soon as that step is done. Replaying the
steps in reverse therefore gives the most that a layer ever holds. One layer is replayed; all its equals add up.

Next: _training_layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Moment", "Node", "Replay", "Saved", "Tape", "Value"]


@frozen(eq=False)
class Value:
    """A tensor: its name, its bytes a token, and bytes that do not grow with the tokens."""

    name: str
    """What it is."""

    token_bytes: int = 0
    """Bytes for every token."""

    fixed_bytes: int = 0
    """Bytes however many tokens there are."""

    element_bytes: int = 2
    """Bytes of one element."""

    def bytes(self, n_tokens: int) -> int:
        """Return its size."""
        return n_tokens * self.token_bytes + self.fixed_bytes


@frozen(eq=False)
class Node:
    """One step of the forward pass, as autograd remembers it."""

    name: str
    """What it does."""

    inputs: tuple[Value, ...]
    """Tensors through which the gradient goes on."""

    output: Value
    """What it makes."""

    saved: tuple[Value, ...] = ()
    """What it keeps for the way back."""

    weight_gradient_bytes: int = 0
    """Gradient of its weights, made on the way back."""

    passes: bool = False
    """Whether the very tensor that comes in as gradient is handed on (an addition), without a copy."""

    forward_temporary: Value | None = None
    """What is alive besides while it runs forward."""

    backward_temporary: Value | None = None
    """What is alive besides while it runs backward."""


@frozen
class Saved:
    """A kept tensor, or several of one name."""

    name: str
    """What it is."""

    token_bytes: int
    """Bytes for every token."""

    fixed_bytes: int
    """Bytes however many tokens there are."""


@frozen
class Moment:
    """What a layer holds at one step."""

    name: str
    """The step."""

    saved_bytes: int
    """Kept tensors not freed yet."""

    flowing_bytes: int
    """Gradients of activations, and temporaries."""

    weight_gradient_bytes: int
    """Gradients of weights made so far."""

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.saved_bytes + self.flowing_bytes + self.weight_gradient_bytes


@frozen(kw_only=True)
class Replay:
    """What replaying a tape showed."""

    saved: tuple[Saved, ...]
    """Tensors kept from the forward to the backward pass, in the order they are made."""

    saved_bytes: int
    """Their sum."""

    forward_peak: Moment
    """The step that holds most on the way forward."""

    backward_peak: Moment
    """The step that holds most on the way back."""

    weight_gradient_bytes: int
    """Gradients of all weights."""


@define
class Tape:
    """Records the steps of one forward pass."""

    nodes: list[Node] = Factory(list)
    held: list[Value] = Factory(list)
    """Tensors that something beside autograd keeps to the end of the step, such as the returned logits."""

    def add(self, node: Node) -> Value:
        """Record a step and return what it makes."""
        self.nodes.append(node)
        return node.output

    def replay(self, n_tokens: int) -> Replay:
        """Return what is kept, and the fullest step each way."""
        saved = _distinct(value for node in self.nodes for value in (*node.saved, *()))
        held = _distinct(iter(self.held))
        saved_bytes = sum(value.bytes(n_tokens) for value in {**dict.fromkeys(saved), **dict.fromkeys(held)})
        back = _Backward(n_tokens, held={*held})
        return Replay(
            saved=_named([*saved, *(value for value in held if value not in set(saved))]),
            saved_bytes=saved_bytes,
            forward_peak=self._forward_peak(n_tokens),
            backward_peak=back.run(self.nodes),
            weight_gradient_bytes=sum(node.weight_gradient_bytes for node in self.nodes),
        )

    def _forward_peak(self, n_tokens: int) -> Moment:
        seen: dict[Value, None] = {}
        peak = Moment("start", 0, 0, 0)
        kept = 0
        for node in self.nodes:
            for value in (*node.saved, *(value for value in (node.output,) if value in self.held)):
                if value not in seen:
                    seen[value] = None
                    kept += value.bytes(n_tokens)
            spare = node.forward_temporary.bytes(n_tokens) if node.forward_temporary else 0
            if node.output not in seen:
                spare += node.output.bytes(n_tokens)
            if kept + spare > peak.total_bytes:
                peak = Moment(node.name, kept, spare, 0)
        return peak


@define
class _Storage:
    """A gradient in memory; several tensors may be the same one."""

    bytes: int
    references: int = 0


@define
class _Backward:
    """The way back: gradients appear, kept tensors go."""

    n_tokens: int
    held: set[Value]
    gradients: dict[Value, _Storage] = field(factory=dict)
    flowing: int = 0
    weight_gradients: int = 0

    def run(self, nodes: list[Node]) -> Moment:
        uses = _uses(nodes)
        kept = sum(value.bytes(self.n_tokens) for value in {*uses, *self.held})
        last = nodes[-1].output
        self._receive(last, _Storage(last.bytes(self.n_tokens)))
        peak = Moment("start", kept, self.flowing, 0)
        for node in reversed(nodes):
            peak = max(peak, self._step(node, kept), key=_total)
            for value in dict.fromkeys(node.saved):
                uses[value] -= 1
                if not uses[value] and value not in self.held:
                    kept -= value.bytes(self.n_tokens)
        return peak

    def _step(self, node: Node, kept: int) -> Moment:
        incoming = self.gradients.pop(node.output)
        made = (
            [incoming for _ in node.inputs]
            if node.passes
            else [_Storage(value.bytes(self.n_tokens)) for value in node.inputs]
        )
        before = self.flowing
        self.weight_gradients += node.weight_gradient_bytes
        fresh = 0 if node.passes else sum(storage.bytes for storage in made)
        spare = node.backward_temporary.bytes(self.n_tokens) if node.backward_temporary else 0
        moment = Moment(node.name, kept, before + fresh + spare, self.weight_gradients)
        for value, storage in zip(node.inputs, made, strict=True):
            self._receive(value, storage)
        self._release(incoming)
        return moment

    def _receive(self, value: Value, storage: _Storage) -> None:
        earlier = self.gradients.get(value)
        if earlier is None:
            self.gradients[value] = storage
            if not storage.references:
                self.flowing += storage.bytes
            storage.references += 1
            return
        # Added up: into the earlier one where nothing else holds it, else into a new one of the same size.
        if earlier.references > 1:
            earlier.references -= 1
            self.gradients[value] = _Storage(earlier.bytes, 1)
            self.flowing += earlier.bytes

    def _release(self, storage: _Storage) -> None:
        storage.references -= 1
        if storage.references <= 0:
            self.flowing -= storage.bytes


def _total(moment: Moment) -> int:
    return moment.total_bytes


def _uses(nodes: list[Node]) -> dict[Value, int]:
    uses: dict[Value, int] = {}
    for node in nodes:
        for value in dict.fromkeys(node.saved):
            uses[value] = uses.get(value, 0) + 1
    return uses


def _distinct(values: Iterable[Value]) -> list[Value]:
    return list(dict.fromkeys(values))


def _named(values: list[Value]) -> tuple[Saved, ...]:
    token: dict[str, int] = {}
    fixed: dict[str, int] = {}
    for value in values:
        token[value.name] = token.get(value.name, 0) + value.token_bytes
        fixed[value.name] = fixed.get(value.name, 0) + value.fixed_bytes
    return tuple(Saved(name, token[name], fixed[name]) for name in token)
