"""What a moment is made of: one forward pass, and groups of equal tensors that are alive in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from genai_hwreq.engines._transformers_classes import ClassTraits
from genai_hwreq.estimates import Component, Kind
from genai_hwreq.formulas.activations import Rows, held_bytes, held_text, missing_text, row_count

if TYPE_CHECKING:
    from genai_hwreq.estimates import Inputs
    from genai_hwreq.models import Attention

__all__ = ["Held", "Mode", "Moment", "Pass", "Scene"]


@frozen(kw_only=True)
class Pass:
    """One forward pass: its size, its compute type and how attention is computed."""

    batch_size: int
    """Sequences."""

    tokens: int
    """Tokens of each sequence that pass."""

    seen_tokens: int
    """Tokens that the last of them sees."""

    element_bytes: int
    """Bytes of an element of the compute type."""

    logit_tokens: int
    """Tokens of each sequence whose successor is asked for."""

    bytes_per_logit: int
    """Bytes of a logit, copies in other types included."""

    eager: bool
    """Whether scores are held in full."""

    padded: bool
    """Whether a padding mask is given."""

    first_step: bool = False
    """Whether the prompt has just been read: sliding layers then still hold all of it."""

    position_limit: int = 0
    """Positions the model was made for; some classes make a table of them all."""

    @property
    def is_step(self) -> bool:
        """Whether this is a step of decoding: one token, others before it."""
        return self.tokens == 1 < self.seen_tokens


@frozen(kw_only=True, cache_hash=True)
class Mode:
    """What decides which tensors a pass holds, whatever its size."""

    is_step: bool
    """Whether it is a step of decoding."""

    first_step: bool
    """Whether that is the first one."""

    eager: bool
    """Whether scores are held in full."""

    padded: bool
    """Whether a padding mask is given."""

    several: bool
    """Whether there is more than one sequence."""

    passed_window: int
    """The longest window that the tokens fill; zero where they fill none."""

    element_bytes: int
    """Bytes of an element of the compute type."""

    bytes_per_logit: int
    """Bytes of a logit, copies in other types included."""

    position_limit: int
    """Positions the model was made for."""


@frozen(kw_only=True)
class Scene:
    """Where the moments of a layer are looked for: a class, the width of its stream, a mode."""

    traits: ClassTraits
    """What sets the class apart."""

    hidden_dim: int
    """Width of the stream."""

    mode: Mode
    """What decides which tensors are held."""

    has_distance_mask: bool = False
    """Whether a bias by distance is merged into a mask for each head."""

    @property
    def rotates(self) -> bool:
        """Whether queries and keys are rotated by their positions."""
        return self.traits.positions == "rotary" and not self.has_distance_mask

    def stream(self, copies: int) -> Held:
        """Return copies of the residual stream."""
        return Held("residual stream", copies, self.hidden_dim, self.mode.element_bytes)

    def cached_dims(self, attention: Attention) -> tuple[int, int]:
        """Return the widths of a token's cached keys and values."""
        if self.traits.broadcast_cache and attention.n_kv_heads > 1:
            return attention.query_dim, attention.output_dim
        return attention.key_dim, attention.value_dim

    def falls_back(self, attention: Attention) -> bool:
        """Whether fused attention without a mask finds no kernel for 32-bit queries that share key heads.

        Source: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/transformers/cuda/sdp_utils.cpp
        """
        return self.mode.element_bytes >= 4 and attention.n_kv_heads < attention.n_heads

    def repeats_keys(self, attention: Attention) -> bool:
        """Whether keys and values are copied to as many heads as the queries have."""
        return 1 < attention.n_kv_heads < attention.n_heads and not self.traits.broadcast_cache


@frozen
class Held:
    """Equal tensors that are alive together."""

    name: str
    """What they are."""

    n_tensors: int
    """How many."""

    width: int
    """Elements of a row."""

    element_bytes: int
    """Bytes of an element."""

    rows: Rows = "token"
    """What they have one row for."""

    span_tokens: int = 0
    """Length of the window or chunk, where rows depend on one."""

    kind: Kind = field(default="activations", kw_only=True)
    """What kind of component they are shown as."""

    def bytes_in(self, run: Pass) -> int:
        """Return their bytes in a pass."""
        rows = row_count(
            self.rows, run.batch_size, run.tokens, run.seen_tokens, run.logit_tokens, self.span_tokens
        )
        return held_bytes(self.n_tensors, rows, self.width, self.element_bytes)

    def component(self, run: Pass, moment: str) -> Component:
        """Return them as a component."""
        name = f"{self.name}, {moment}" if moment else self.name
        return Component(
            self.kind, name, self.bytes_in(run), held_text(self.rows), self.inputs(run), "modelled"
        )

    def inputs(self, run: Pass) -> Inputs:
        """Return what the formula is evaluated with."""
        return (
            ("n_tensors", self.n_tensors),
            ("batch_size", run.batch_size),
            ("tokens", run.tokens),
            ("seen_tokens", run.seen_tokens),
            ("logit_tokens", run.logit_tokens),
            ("span_tokens", self.span_tokens),
            ("width", self.width),
            ("element_bytes", self.element_bytes),
        )


@frozen(kw_only=True)
class Moment:
    """A moment of a pass: what is alive in it, beside what is alive in every layer."""

    name: str
    """Where in the pass."""

    stream: Held
    """Copies of the residual stream."""

    held: tuple[Held, ...] = ()
    """All other tensors."""

    in_layers: bool = True
    """Whether position tables and masks are alive."""

    common: tuple[Held, ...] = ()
    """What is alive in every moment of its place: ids, positions, masks."""

    uncached_token_bytes: int = 0
    """Bytes of each token that the final caches hold, but not yet: those of later layers."""

    uncached_sequence_bytes: int = 0
    """Bytes of each sequence's states that are not yet held."""

    def bytes_in(self, run: Pass) -> int:
        """Return the bytes of the moment's own tensors."""
        return self._stream_bytes(run) + sum(part.bytes_in(run) for part in self.held)

    def _stream_bytes(self, run: Pass) -> int:
        later = run.tokens * self.uncached_token_bytes + self.uncached_sequence_bytes
        return max(0, self.stream.bytes_in(run) - run.batch_size * later)

    def components(self, run: Pass) -> tuple[Component, ...]:
        """Return all that is alive as components."""
        shared = tuple(part.component(run, "") for part in self.common)
        own = tuple(part.component(run, self.name) for part in self.held)
        return (*shared, self._stream_component(run), *own)

    def _stream_component(self, run: Pass) -> Component:
        if not self.uncached_token_bytes and not self.uncached_sequence_bytes:
            return self.stream.component(run, self.name)
        inputs = (
            *self.stream.inputs(run),
            ("uncached_token_bytes", self.uncached_token_bytes),
            ("uncached_sequence_bytes", self.uncached_sequence_bytes),
        )
        name = f"{self.stream.name}, {self.name}, less later layers' caches"
        return Component(
            "activations", name, self._stream_bytes(run), missing_text(self.stream.rows), inputs, "modelled"
        )
