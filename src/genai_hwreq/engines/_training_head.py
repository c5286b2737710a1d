"""Writes what follows the last layer onto a tape: the closing normalisation, the logits and the loss.

Next: _training_states.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from attrs import frozen

from genai_hwreq.engines._tape import Node, Replay, Tape, Value
from genai_hwreq.engines._training_classes import training_traits
from genai_hwreq.engines._training_writer import Arithmetic, Writer
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.training import Loss

__all__ = ["HeadRequest", "Logits", "head_replay"]

Logits = Literal["held", "dropped", "shifted"]
"""What a training loop does with the logits: hold them through the backward pass, let them go when the loss is
made, or (older versions) copy them to 32 bit and again without the last token."""


@frozen(kw_only=True, cache_hash=True)
class HeadRequest:
    """Which head is replayed, and how."""

    model_type: str
    """Class of the model."""

    hidden_dim: int
    """Width of the stream."""

    vocab_size: int
    """Width of the logits."""

    layer_norm: bool
    """Whether the closing normalisation is a layer normalisation."""

    n_tokens: int
    """Tokens of all sequences of the step."""

    loss: Loss
    """How the loss is made."""

    logits: Logits
    """What becomes of the logits."""

    n_chunks: int
    """Pieces that a chunked loss is made in."""

    compiled: bool = False
    """Whether the loss is compiled."""

    types: Arithmetic
    """Types of the step."""


@lru_cache(maxsize=1024)
def head_replay(request: HeadRequest) -> Replay:
    """Replay the head."""
    writer = _HeadWriter(Tape(), request.types, request)
    writer.write()
    return writer.tape.replay(request.n_tokens)


@frozen
class _HeadWriter(Writer):
    """Records the head's steps."""

    request: HeadRequest

    def write(self) -> None:
        """Record closing normalisation, logits and loss."""
        request, width = self.request, self.request.hidden_dim
        traits = training_traits(request.model_type)
        stream = self.value("stream", width, self.types.stream_bytes)
        if request.layer_norm:
            normed = self.layer_norm(stream, width, "closing norm")
        else:
            normed = self.rms_norm(stream, width, "closing norm", fp32_weight=traits.norm_weight_in_fp32)
        if request.loss in ("liger", "cce"):
            self._fused(normed)
        elif request.loss == "chunked":
            self._chunked(normed)
        else:
            self._plain(self.linear(normed, width, request.vocab_size, "lm_head", out_name="logits"))

    def _plain(self, logits: Value) -> None:
        vocab = self.request.vocab_size
        traits = training_traits(self.request.model_type)
        for index in range(traits.logit_copies):
            kept = self.value("capped logits", vocab, logits.element_bytes)
            last = index == traits.logit_copies - 1
            logits = self.tape.add(Node("cap", (logits,), kept, () if last else (kept,)))
        if self.request.logits == "held":
            self.tape.held.append(logits)
        wide = self.cast(logits, _FP32, "logits in 32 bit") if logits.element_bytes < _FP32 else logits
        spare_bytes = _FP32 if wide is not logits else 0
        if self.request.logits != "held":
            spare_bytes += logits.element_bytes
        if self.request.logits == "shifted":  # copied to 32 bit, and once more without the last token
            spare_bytes = 2 * _FP32
        spare = self.value("logits in 32 bit", vocab, spare_bytes) if spare_bytes else None
        chances = self.value("log probabilities", vocab, _FP32)
        self.tape.add(Node("log softmax", (wide,), chances, (chances,), forward_temporary=spare))
        self.tape.add(Node("loss", (chances,), Value("loss")))

    def _fused(self, normed: Value) -> None:
        """Record a loss that never holds all logits.

        Liger makes the gradients on the way forward, piece by piece; cut cross-entropy makes all anew on the way back.
        """
        request, types = self.request, self.types
        size = request.hidden_dim * request.vocab_size
        trained = types.trains_weights
        element = types.compute_bytes
        head_gradient = types.gradient_bytes * size if trained else 0
        gradient = self.value("hidden gradients", request.hidden_dim, element)
        if request.loss == "cce":
            kept = (normed, Value("log-sum-exp", _FP32))
            work = self.value("hidden gradients in 32 bit", request.hidden_dim, _FP32)
            self.tape.add(
                Node("loss", (normed,), Value("loss"), kept, head_gradient, backward_temporary=work)
            )
            return
        rows = _power_of_two(ceil_div(request.n_tokens, ceil_div(request.vocab_size, request.hidden_dim)))
        chunk = Value("logits of a chunk", 0, rows * request.vocab_size * (element + _FP32) + head_gradient)
        kept = (gradient, Value("head gradient", 0, head_gradient))
        self.tape.add(Node("loss", (normed,), Value("loss"), kept, forward_temporary=chunk))

    def _chunked(self, normed: Value) -> None:
        """Record a loss made in pieces: 16-bit logits of all, 32-bit copies of one piece at a time."""
        request, vocab = self.request, self.request.vocab_size
        logits = self.linear(normed, request.hidden_dim, vocab, "lm_head", out_name="logits")
        piece = ceil_div(vocab * _FP32, request.n_chunks)
        if request.compiled:  # one kernel makes each piece's gradient where its logits were
            work = Value("one piece in 32 bit", 2 * piece)
            self.tape.add(
                Node("loss", (logits,), Value("loss"), forward_temporary=work, backward_temporary=work)
            )
            return
        work = Value("one piece in 32 bit", piece)
        chances = self.value("log probabilities", vocab, _FP32)
        self.tape.add(
            Node(
                "log softmax", (logits,), chances, (chances,), forward_temporary=work, backward_temporary=work
            )
        )
        self.tape.add(Node("loss", (chances,), Value("loss")))


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


_FP32 = 4
