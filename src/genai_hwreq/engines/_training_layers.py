"""Writes one layer of a model onto a tape: normalisations, attention, feed-forward networks, experts.

Each step names the tensors that autograd keeps for it. What classes do differently is in `_training_classes`.

Next: _training_head.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._tape import Node, Replay, Tape, Value
from genai_hwreq.engines._training_classes import training_traits
from genai_hwreq.engines._training_feed_forward import FeedForwardWriter
from genai_hwreq.engines._training_writer import Arithmetic
from genai_hwreq.engines._transformers_classes import class_traits
from genai_hwreq.models import Attention, Dense, Experts, LatentAttention, Layer

if TYPE_CHECKING:
    from genai_hwreq.engines._training_classes import TrainingTraits

__all__ = ["LayerRequest", "layer_replay"]


@frozen(kw_only=True, cache_hash=True)
class LayerRequest:
    """Which layer is replayed, and how."""

    layer: Layer
    """The layer."""

    model_type: str
    """Class of its model."""

    hidden_dim: int
    """Width of its stream."""

    n_tokens: int
    """Tokens of all sequences of the step."""

    sequence_tokens: int
    """Tokens of one sequence."""

    eager: bool
    """Whether attention keeps all scores."""

    unfused: bool = False
    """Whether PyTorch's own choice of attention falls back on 32-bit products that keep all scores."""

    types: Arithmetic
    """Types of the step."""


@lru_cache(maxsize=4096)
def layer_replay(request: LayerRequest) -> Replay:
    """Replay one layer."""
    writer = _LayerWriter(Tape(), request.types, request.model_type, request)
    writer.write()
    return writer.tape.replay(request.n_tokens)


@frozen
class _LayerWriter(FeedForwardWriter):
    """Records one layer's steps."""

    request: LayerRequest

    @property
    def _traits(self) -> TrainingTraits:
        return training_traits(self.request.model_type)

    def write(self) -> None:
        """Record the layer."""
        layer, width = self.request.layer, self.request.hidden_dim
        stream = self.value("stream", width, self.types.stream_bytes)
        if layer.residual == "parallel" and layer.mixers and layer.feed_forward:
            self._parallel(stream, width)
            return
        before, after = self._norm_places(len(layer.norms), len(layer.mixers) + len(layer.feed_forward))
        for mixer in layer.mixers:
            stream = self._block(stream, width, before, after, mixer)
        for network in layer.feed_forward:
            stream = self._block(stream, width, before, after, network)

    def _norm_places(self, n_norms: int, n_parts: int) -> tuple[bool, bool]:
        if n_norms >= 2 * n_parts:
            return True, True
        before = class_traits(self.request.model_type).norm_before and n_norms > 0
        return before, not before and n_norms > 0

    def _block(self, stream: Value, width: int, before: bool, after: bool, part: object) -> Value:
        normed = self._norm(stream, width, "norm") if before else stream
        out = self._part(normed, width, part)
        if self._traits.residual_dropout:
            dropped = Value("dropped output", out.token_bytes, 0, out.element_bytes)
            out = self.tape.add(Node("dropout", (out,), dropped, (Value("dropout masks", width),)))
        if after:
            out = self._norm(out, width, "output norm")
        return self.add(stream, out, "stream")

    def _parallel(self, stream: Value, width: int) -> None:
        layer = self.request.layer
        normed = self._norm(stream, width, "norm")
        second = self._norm(stream, width, "second norm") if len(layer.norms) > 1 else normed
        total = self._part(normed, width, layer.mixers[0])
        for network in layer.feed_forward:
            total = self.add(total, self._part(second, width, network), "layer output")
        self.add(stream, total, "stream")

    def _norm(self, source: Value, width: int, name: str) -> Value:
        norms = self.request.layer.norms
        if norms and norms[0].kind == "layer":
            if self._traits.norm_in_fp32 and source.element_bytes < _FP32:
                wide = self.layer_norm(self.cast(source, _FP32, f"{name} input in 32 bit"), width, name)
                if self._traits.norm_by_hand:
                    kept = self.value(f"{name} centred input and rows", 2 * width, _FP32)
                    scaled = self.value(f"{name} output", width, _FP32)
                    wide = self.tape.add(Node("scale", (wide,), scaled, (kept,)))
                return self.cast(wide, source.element_bytes, f"{name} output")
            return self.layer_norm(source, width, name)
        return self.rms_norm(source, width, name, fp32_weight=self._traits.norm_weight_in_fp32)

    def _part(self, source: Value, width: int, part: object) -> Value:
        if isinstance(part, Attention):
            return self._attention(source, width, part)
        if isinstance(part, LatentAttention):
            return self._latent(source, width, part)
        if isinstance(part, Dense):
            return self._dense(source, width, part)
        if isinstance(part, Experts):
            return self._experts(source, width, part)
        return self._recurrence(source, width, part)  # type: ignore[arg-type]

    # Attention

    def _attention(self, source: Value, width: int, attention: Attention) -> Value:
        width = attention.input_dim or width
        query_dim = attention.query_dim * (2 if attention.gate == "element" else 1)
        fused = None
        if (attention.fused or self.types.joined_queries) and attention.cache == "own":
            dims = query_dim + attention.key_dim + attention.value_dim
            fused = self.linear(source, width, dims, "qkv_proj", has_bias=attention.query_bias)
            query = self._view(fused, query_dim, "queries")
            key = self._view(fused, attention.key_dim, "keys")
            value = self._view(fused, attention.value_dim, "values")
        else:
            query = self.linear(
                source, width, query_dim, "q_proj", has_bias=attention.query_bias, out_name="queries"
            )
            key = self.linear(
                source, width, attention.key_dim, "k_proj", has_bias=attention.key_bias, out_name="keys"
            )
            value = self.linear(
                source, width, attention.value_dim, "v_proj", has_bias=attention.value_bias, out_name="values"
            )
        rotated = class_traits(self.request.model_type).positions == "rotary"
        for norm in attention.norms:
            if norm.name.startswith("q"):
                query = self._head_norm(query, norm.dim, "query norm")
            elif norm.name.startswith("k"):
                key = self._head_norm(key, norm.dim, "key norm")
        if rotated:
            query = self._rotate(query, "rotated queries")
            key = self._rotate(key, "rotated keys")
        out = self._attend(query, key, fused if fused and rotated else value, value, attention, fused)
        if attention.gate in {"element", "element_apart"}:
            gated = self.value("gated attention output", attention.output_dim, out.element_bytes)
            out = self.tape.add(
                Node("gate", (out,), gated, (out, self.value("gate", attention.output_dim, 2)))
            )
        return self.linear(
            out, attention.output_dim, self.request.hidden_dim, "o_proj", has_bias=attention.output_bias
        )

    def _head_norm(self, source: Value, norm_dim: int, name: str) -> Value:
        width = source.token_bytes // source.element_bytes
        wide = self._traits.norm_weight_in_fp32
        return self.rms_norm(source, width, name, fp32_weight=wide, n_rows=max(1, width // norm_dim))

    def _rotate(self, source: Value, name: str) -> Value:
        width = source.token_bytes // source.element_bytes
        spare = self.value("rotated halves", width, source.element_bytes)
        return self.tape.add(
            Node("rotate", (source,), self.value(name, width, source.element_bytes), backward_temporary=spare)
        )

    def _attend(
        self, query: Value, key: Value, kept_value: Value, value: Value, attention: Attention, fused: Value | None
    ) -> Value:  # fmt: skip
        types, tokens = self.types, self.request.sequence_tokens
        compute = types.compute_bytes
        if query.element_bytes != compute:
            query, key = self.cast(query, compute, "rotated queries"), self.cast(key, compute, "rotated keys")
        out = self.value("attention output", attention.output_dim, compute)
        operands = (query, key, value)
        if self.request.eager:
            return self._eager(operands, out, attention, tokens)
        if self.request.unfused and class_traits(self.request.model_type).multi_query_unfused:
            return self._unfused(operands, out, attention, tokens)
        row = attention.n_heads * _FP32
        kept: tuple[Value, ...] = (query, key, kept_value, out, Value("log-sum-exp", row))
        if fused is not None and class_traits(self.request.model_type).positions != "rotary":
            kept = (fused, out, Value("log-sum-exp", row))
        work = Value("attention's own gradients", attention.query_dim * _FP32 + row)
        self.tape.add(Node("attend", operands, out, kept, backward_temporary=work))
        if self._traits.output_copied or self.types.joined_queries:
            copied = self.value("attention output copied", attention.output_dim, compute)
            out = self.tape.add(Node("copy", (out,), copied))
        return out

    def _eager(
        self, operands: tuple[Value, Value, Value], out: Value, attention: Attention, tokens: int
    ) -> Value:
        types = self.types
        compute = types.compute_bytes
        groups = attention.n_heads // attention.n_kv_heads
        query = operands[0]
        kept_key, kept_value = operands[1:]
        if groups > 1:
            kept_key = self.value("repeated keys", attention.query_dim, compute)
            kept_value = self.value("repeated values", attention.output_dim, compute)
        score = attention.n_heads * tokens
        weights = self.value("attention weights", score, compute)
        wide = self.value("attention weights in 32 bit", score, _FP32)
        scores = self.tape.add(
            Node("scores", operands[:2], self.value("scores", score, compute), (query, kept_key),
                 forward_temporary=self.value("scores in 32 bit", score, _FP32))
        )  # fmt: skip
        if self._traits.capped_scores:
            capped = self.value("capped scores", score, compute)
            scores = self.tape.add(Node("cap", (scores,), capped, (capped,)))
        soft = self.tape.add(Node("softmax", (scores,), wide, (wide,), backward_temporary=wide))
        if compute < _FP32:
            soft = self.tape.add(Node("cast", (soft,), weights))
        mixed = self.tape.add(Node("mix", (soft, operands[2]), out, (soft, kept_value)))
        copied = self.value("attention output", attention.output_dim, compute)
        return self.tape.add(Node("copy", (mixed,), copied))

    def _unfused(
        self, operands: tuple[Value, Value, Value], out: Value, attention: Attention, tokens: int
    ) -> Value:
        wide = [self.cast(operand, _FP32, "attention's operands in 32 bit") for operand in operands]
        scores = self.value("attention weights in 32 bit", attention.n_heads * tokens, _FP32)
        soft = self.tape.add(
            Node("scores", (wide[0], wide[1]), scores, (wide[0], wide[1], scores), backward_temporary=scores)
        )
        mixed = self.tape.add(
            Node("mix", (soft, wide[2]), self.value("mixed", attention.output_dim, _FP32), (soft, wide[2]))
        )
        return self.tape.add(Node("cast", (mixed,), out))

    def _latent(self, source: Value, width: int, attention: LatentAttention) -> Value:
        if attention.q_lora_rank:
            narrow = self.linear(
                source, width, attention.q_lora_rank, "q_a_proj", out_name="compressed queries"
            )
            narrow = self.rms_norm(narrow, attention.q_lora_rank, "query norm")
            query = self.linear(
                narrow, attention.q_lora_rank, attention.n_heads * attention.qk_head_dim, "q_b_proj"
            )
        else:
            query = self.linear(source, width, attention.n_heads * attention.qk_head_dim, "q_proj")
        latent = self.linear(
            source, width, attention.latent_dim, "kv_a_proj_with_mqa", out_name="compressed keys"
        )
        normed = self.rms_norm(latent, attention.kv_lora_rank, "key norm")
        expanded = attention.n_heads * (attention.qk_nope_head_dim + attention.v_head_dim)
        keys = self.linear(
            normed, attention.kv_lora_rank, expanded, "kv_b_proj", out_name="expanded keys and values"
        )
        joined = attention.n_heads * attention.qk_head_dim
        query = self._rotate(query, "joined queries")
        key = self.tape.add(
            Node("join", (keys,), self.value("joined keys", joined, self.types.compute_bytes))
        )
        as_plain = Attention(
            n_heads=attention.n_heads, n_kv_heads=attention.n_heads, head_dim=attention.qk_head_dim,
            value_head_dim=attention.v_head_dim,
        )  # fmt: skip
        out = self._attend(query, key, keys, keys, as_plain, None)
        return self.linear(out, attention.n_heads * attention.v_head_dim, self.request.hidden_dim, "o_proj")


_FP32 = 4
