"""Writes feed-forward networks, experts and recurrences onto a tape.

Next: _training_layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._tape import Node, Value
from genai_hwreq.engines._training_writer import Writer
from genai_hwreq.engines._transformers_classes import class_traits
from genai_hwreq.models import Dense

if TYPE_CHECKING:
    from genai_hwreq.models import Experts, StateSpace

__all__ = ["FeedForwardWriter"]

_FURTHER_COPIES = {"gelu_new": 3, "gelu_fast": 3}
"""Tensors as wide as the network that an activation written out in Python keeps beside its input."""

_POWERS = {"gelu_new": 14, "gelu_fast": 14, "relu2": 6}
"""Bytes an element that activations with a power keep under autocast, which takes powers in 32 bit."""

_KEEPS_RESULT_ONLY = frozenset({"relu"})

_FP32 = 4


@frozen
class FeedForwardWriter(Writer):
    """Records what every token passes on its own."""

    model_type: str
    """Class of the model."""

    def _view(self, whole: Value, width: int, name: str) -> Value:
        """Return a part of a tensor: its gradient is made apart, its memory is the whole's."""
        return self.tape.add(
            Node("split", (whole,), self.value(name, width, whole.element_bytes), passes=True)
        )

    def _dense(self, source: Value, width: int, dense: Dense) -> Value:
        inner = dense.intermediate_dim
        bias = dense.up_bias
        if not dense.gated:
            up = self.linear(source, width, inner, "up_proj", has_bias=bias, out_name="up")
            active = self._activate(up, inner, dense.activation)
            return self.linear(active, inner, width, "down_proj", has_bias=dense.down_bias)
        if dense.fused:
            whole = self.linear(
                source, width, 2 * inner, "gate_up_proj", has_bias=bias, out_name="gate and up"
            )
            gate, up = self._view(whole, inner, "gate"), self._view(whole, inner, "up")
        else:
            gate = self.linear(source, width, inner, "gate_proj", has_bias=bias, out_name="gate")
            up = self.linear(source, width, inner, "up_proj", has_bias=bias, out_name="up")
        product = self._gated(gate, up, inner, dense.activation)
        return self.linear(product, inner, width, "down_proj", has_bias=dense.down_bias)

    def _gated(self, gate: Value, up: Value, inner: int, activation: str) -> Value:
        product = self.value("product", inner, gate.element_bytes)
        if self.types.fused_kernels:
            return self.tape.add(Node("gate", (gate, up), product, (gate, up)))
        active = self._activate(gate, inner, activation)
        return self.tape.add(Node("multiply", (active, up), product, (active, up)))

    def _activate(self, source: Value, inner: int, activation: str) -> Value:
        active = self.value("activated", inner, source.element_bytes)
        if activation in _KEEPS_RESULT_ONLY:
            return self.tape.add(Node("activate", (source,), active, (active,)))
        if self.types.autocast and source.element_bytes < _FP32 and activation in _POWERS:
            parts = Value("activation's parts", inner * _POWERS[activation])
            wide = self.value("activated", inner, _FP32)
            return self.tape.add(Node("activate", (source,), wide, (parts,)))
        copies = _FURTHER_COPIES.get(activation, 0)
        spare = self.value("activation's parts", inner * copies, source.element_bytes)
        kept = (source, spare) if copies else (source,)
        return self.tape.add(Node("activate", (source,), active, kept))

    def _experts(self, source: Value, width: int, experts: Experts) -> Value:
        chosen, inner = experts.n_experts_per_token, experts.intermediate_dim
        element = source.element_bytes
        router = self.value("router", experts.n_experts, _FP32)
        router = self.tape.add(Node("route", (source,), router, (router, source)))
        rows = self.tape.add(Node("gather", (source,), self.value("gathered rows", chosen * width, element)))
        gradient = self.types.gradient_bytes * experts.n_experts * width * inner * self.types.trains_weights
        frozen_base = not self.types.trains_weights
        kept = () if frozen_base else (rows,)
        gates = 2 if experts.gated else 1
        whole = self.tape.add(
            Node("experts up", (rows,), self.value("gate and up", gates * chosen * inner, element), kept,
                 gates * gradient)
        )  # fmt: skip
        if experts.gated:
            gate = self._view(whole, chosen * inner, "gate")
            up = self._view(whole, chosen * inner, "up")
            active = self.value("activated", chosen * inner, element)
            active = self.tape.add(Node("activate", (gate,), active, (whole,)))
            product = self.value("product", chosen * inner, element)
            product = self.tape.add(Node("multiply", (active, up), product, (active, whole)))
        else:
            product = self._activate(whole, chosen * inner, experts.activation)
        kept = () if frozen_base else (product,)
        out = self.tape.add(
            Node(
                "experts down",
                (product,),
                self.value("experts' outputs", chosen * width, element),
                kept,
                gradient,
            )
        )
        wide = _FP32 if class_traits(self.model_type).routing_weights_in_fp32 else element
        weighed = self.value("weighed outputs", chosen * width, wide)
        weighed = self.tape.add(Node("weigh", (out, router), weighed, (out,)))
        total = self.tape.add(Node("combine", (weighed,), self.value("experts' sum", width, element)))
        if experts.shared_dim:
            shared = Dense(
                intermediate_dim=experts.shared_dim, gated=experts.gated, activation=experts.activation
            )
            total = self.add(total, self._dense(source, width, shared), "feed-forward output")
        return total

    def _recurrence(self, source: Value, width: int, mixer: StateSpace) -> Value:
        """Record a state space roughly: its projections, its convolution and its states once a chunk."""
        element = source.element_bytes
        inner = max(1, getattr(mixer, "inner_dim", width))
        size = sum(tensor.n_elements for tensor in mixer.tensors(width))
        rows = self.value("recurrent inputs", 4 * inner, element)
        gradient = size * self.types.gradient_bytes * self.types.trains_weights
        states = self.tape.add(Node("recur", (source,), rows, (source, rows), gradient))
        return self.tape.add(Node("project", (states,), self.value("mixer output", width, element)))
