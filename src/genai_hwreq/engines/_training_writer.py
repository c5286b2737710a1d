"""Writes the steps of linear layers, normalisations and adapters onto a tape, in the types a run computes in.

Next: _training_layers.
"""

from __future__ import annotations

from attrs import frozen

from genai_hwreq.engines._tape import Node, Tape, Value
from genai_hwreq.training import Lora

__all__ = ["Arithmetic", "Writer"]


@frozen(kw_only=True)
class Arithmetic:
    """The types that a training step computes and keeps in."""

    stream_bytes: int
    """Bytes of an element of the residual stream: of the stored weights' type, or of the embedding's."""

    compute_bytes: int
    """Bytes of an element inside matrix products."""

    weight_bytes: int
    """Bytes of an element of an unquantised weight."""

    gradient_bytes: int
    """Bytes of an element of a weight's gradient."""

    autocast: bool
    """Whether products cast their operands, and the casts of weights are kept with the graph."""

    quantized: bool = False
    """Whether matrices are stored in few bits, and spread out for each product."""

    trains_weights: bool = True
    """Whether the model's own weights are trained."""

    trains_norms: bool = True
    """Whether normalisation weights are trained."""

    lora: Lora | None = None
    """The adapters, if there are any."""

    adapter_bytes: int = 4
    """Bytes of an element of an adapter's weight."""

    keeps_quantized_inputs: bool = False
    """Whether products with frozen quantised weights keep their inputs."""

    joined_queries: bool = False
    """Whether queries, keys and values are cut from one tensor and joined anew when rotated."""

    fused_kernels: bool = False
    """Whether normalisation and gating keep only their inputs (Liger, Unsloth)."""


@frozen
class Writer:
    """Records steps on a tape."""

    tape: Tape
    """Where to."""

    types: Arithmetic
    """In which types."""

    def value(self, name: str, width: int, element_bytes: int) -> Value:
        """Return a tensor of so many elements a token."""
        return Value(name, width * element_bytes, 0, element_bytes)

    def cast(self, source: Value, element_bytes: int, name: str) -> Value:
        """Copy a tensor into another type."""
        width = source.token_bytes // source.element_bytes
        return self.tape.add(Node("cast", (source,), self.value(name, width, element_bytes)))

    def add(self, first: Value, second: Value, name: str) -> Value:
        """Add two tensors; the gradient goes to both as it is."""
        wider = first if first.element_bytes >= second.element_bytes else second
        total = Value(name, wider.token_bytes, 0, wider.element_bytes)
        if first.element_bytes == second.element_bytes:
            return self.tape.add(Node("add", (first, second), total, passes=True))
        return self.tape.add(Node("add", (first, second), total))

    def rms_norm(
        self, source: Value, width: int, name: str, *, fp32_weight: bool = False, n_rows: int = 1
    ) -> Value:  # fmt: skip
        """Normalise in 32 bit: the 32-bit input is kept, and the normalised rows if their weight is trained."""
        types = self.types
        if types.fused_kernels:
            out = self.value(f"{name} output", width, source.element_bytes)
            statistics = Value(f"{name} statistics", 4 * n_rows)
            return self.tape.add(Node("norm", (source,), out, (source, statistics)))
        copied = source.element_bytes < _FP32
        wide = self.cast(source, _FP32, f"{name} input in 32 bit") if copied else source
        statistics = Value(f"{name} statistics", 4 * n_rows)
        wider = fp32_weight or not copied
        rows = self.value(f"{name} rows", width, _FP32 if wider else source.element_bytes)
        spare = self.value("squares", 2 * width, _FP32)
        self.tape.add(Node("normalise", (wide,), rows, (wide, statistics), backward_temporary=spare))
        element_bytes = _FP32 if wider else max(source.element_bytes, types.weight_bytes)
        out = self.value(f"{name} output", width, element_bytes)
        kept = (rows,) if types.trains_norms else ()
        temporary = rows if types.trains_norms else None
        self.tape.add(Node("scale", (rows,), out, kept, types.gradient_bytes * width * types.trains_norms,
                           backward_temporary=temporary))  # fmt: skip
        return self.cast(out, source.element_bytes, f"{name} output") if wider and copied else out

    def layer_norm(self, source: Value, width: int, name: str) -> Value:
        """Normalise in one kernel: only its input and two statistics are kept."""
        wide = source
        element_bytes = source.element_bytes
        if self.types.autocast and element_bytes < _FP32:
            wide = self.cast(source, _FP32, f"{name} input in 32 bit")
            element_bytes = _FP32
        out = self.value(f"{name} output", width, element_bytes)
        weights = 2 * width * self.types.gradient_bytes * self.types.trains_norms
        return self.tape.add(Node("norm", (wide,), out, (wide, Value(f"{name} statistics", 8)), weights))

    def linear(self, source: Value, in_dim: int, out_dim: int, name: str, *, has_bias: bool = False,
               out_name: str | None = None) -> Value:  # fmt: skip
        """Multiply by a weight, beside its adapter if it has one."""
        out = self._product(source, in_dim, out_dim, has_bias, out_name or f"{name} output")
        lora = self.types.lora
        if lora is None or not lora.adapts(name):
            return out
        return self._adapted(source, out, in_dim, out_dim, name)

    def _product(self, source: Value, in_dim: int, out_dim: int, has_bias: bool, out_name: str) -> Value:
        types = self.types
        size = in_dim * out_dim
        operand = source
        if types.autocast and source.element_bytes != types.compute_bytes:
            operand = self.cast(source, types.compute_bytes, "linear inputs cast")
        kept = (
            (operand,) if types.trains_weights or (types.quantized and types.keeps_quantized_inputs) else ()
        )
        spread = None
        if types.quantized:
            spread = Value("spread weights", 0, types.compute_bytes * size)
        elif types.autocast and types.weight_bytes != types.compute_bytes:
            kept = (*kept, Value("weights cast", 0, types.compute_bytes * size))
            if types.trains_weights:  # the gradient comes in the cast's type first
                spread = Value("gradient to be cast", 0, types.compute_bytes * size)
        element_bytes = (
            types.compute_bytes if types.autocast else max(types.compute_bytes, source.element_bytes)
        )
        out = self.value(out_name, out_dim, element_bytes)
        gradient = types.gradient_bytes * (size + out_dim * has_bias) if types.trains_weights else 0
        return self.tape.add(Node("product", (operand,), out, kept, gradient, backward_temporary=spread,
                                  forward_temporary=spread if types.quantized else None))  # fmt: skip

    def _adapted(self, source: Value, base: Value, in_dim: int, out_dim: int, name: str) -> Value:
        types = self.types
        lora = types.lora
        assert lora is not None
        operand = self._adapter_input(source, in_dim)
        inner_bytes = types.compute_bytes if types.autocast else types.adapter_bytes
        gradient = types.adapter_bytes * lora.rank
        casts = types.autocast and types.adapter_bytes != types.compute_bytes
        down_kept = (operand, Value("adapters cast", 0, 2 * lora.rank * in_dim)) if casts else (operand,)
        narrow = self.tape.add(
            Node("adapter down", (operand,), self.value("adapter rows", lora.rank, inner_bytes), down_kept,
                 gradient * in_dim)
        )  # fmt: skip
        up_kept = (narrow, Value("adapters cast", 0, 2 * lora.rank * out_dim)) if casts else (narrow,)
        up = self.tape.add(
            Node("adapter up", (narrow,), self.value(f"{name} adapter output", out_dim, inner_bytes), up_kept,
                 gradient * out_dim)
        )  # fmt: skip
        scaled = self.tape.add(
            Node("scale", (up,), self.value(f"{name} adapter output", out_dim, inner_bytes))
        )
        total = self.add(base, scaled, base.name)
        return (
            self.cast(total, base.element_bytes, base.name)
            if total.element_bytes > base.element_bytes
            else total
        )

    def _adapter_input(self, source: Value, width: int) -> Value:
        """Return what an adapter reads: cast to its own type, dropped out, and cast again under autocast."""
        types, operand = self.types, source
        assert types.lora is not None
        if types.adapter_bytes != source.element_bytes:
            operand = self.cast(operand, types.adapter_bytes, "adapter inputs cast")
        if types.lora.dropout:
            dropped = self.value("adapter inputs dropped out", width, operand.element_bytes)
            operand = self.tape.add(Node("dropout", (operand,), dropped, (Value("dropout masks", width),)))
        if types.autocast and operand.element_bytes != types.compute_bytes:
            operand = self.cast(operand, types.compute_bytes, "adapter inputs cast")
        return operand


_FP32 = 4
