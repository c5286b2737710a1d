"""The fullest moment of a step's forward pass and of its backward pass, over all layers.

A layer is replayed once; going back through equal layers, what is kept falls and gradients rise by the same amount
each time, so the fullest of them is the first or the last.

Next: _training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from genai_hwreq.engines._tape import Replay
from genai_hwreq.engines._training_head import HeadRequest, head_replay
from genai_hwreq.engines._training_layers import LayerRequest, layer_replay

if TYPE_CHECKING:
    from genai_hwreq.engines._training_plan import Plan
    from genai_hwreq.models import Transformer

__all__ = ["Live", "StepMoments", "step_moments"]


@frozen(kw_only=True)
class Live:
    """What is alive at a moment, beside weights and optimizer states."""

    name: str
    """The moment."""

    kept_layers: tuple[tuple[int, int], ...] = ()
    """Runs of layers whose kept tensors are all alive: index of the run, and how many of its layers."""

    kept_bytes: int = 0
    """What those layers keep."""

    layer_bytes: int = 0
    """Kept tensors, gradients of activations and temporaries of the layer at work."""

    head_bytes: int = 0
    """The same of the head: logits, their copies and their gradients."""

    gradient_bytes: int = 0
    """Gradients of weights made so far, of this device's share."""

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.kept_bytes + self.layer_bytes + self.head_bytes + self.gradient_bytes


@frozen(kw_only=True)
class StepMoments:
    """The fullest moments of a step."""

    forward: Live
    """On the way forward."""

    backward: Live
    """On the way back."""

    replays: tuple[tuple[int, Replay, int], ...]
    """Runs of equal layers: how many, what one shows, and what one keeps between the passes."""


def step_moments(network: Transformer, plan: Plan, gradient_bytes: int) -> StepMoments:
    """Work out the fullest moments; `gradient_bytes` are the most that a device keeps of weights' gradients."""
    runs = _runs(network, plan)
    head = _head(network, plan)
    kept = sum(count * each for count, _, each in runs)
    held = _held_logits(network, plan)
    whole = tuple((index, count) for index, (count, _, _) in enumerate(runs))
    forward = Live(
        name="loss", kept_layers=whole, kept_bytes=kept,
        head_bytes=head.forward_peak.saved_bytes + head.forward_peak.flowing_bytes,
    )  # fmt: skip
    peak = head.backward_peak
    candidates = [
        Live(
            name=peak.name,
            kept_layers=whole,
            kept_bytes=kept,
            head_bytes=peak.saved_bytes + peak.flowing_bytes,
            gradient_bytes=peak.weight_gradient_bytes,
        )
    ]
    candidates += _layer_moments(runs, head, held, plan)
    candidates.append(_embedding_moment(network, plan, held, gradient_bytes))
    held_back = [evolve(live, gradient_bytes=min(live.gradient_bytes, gradient_bytes)) for live in candidates]
    return StepMoments(forward=forward, backward=max(held_back, key=_total), replays=runs)


def _total(live: Live) -> int:
    return live.total_bytes


def _runs(network: Transformer, plan: Plan) -> tuple[tuple[int, Replay, int], ...]:
    found = []
    checkpointing = plan.training.gradient_checkpointing
    boundary = plan.n_tokens * network.hidden_dim * plan.types.stream_bytes
    for run in network.layers:
        request = LayerRequest(
            layer=run.layer, model_type=network.model_type, hidden_dim=network.hidden_dim, n_tokens=plan.n_tokens,
            sequence_tokens=plan.training.sequence_tokens, eager=plan.training.attention == "eager", unfused=plan.training.attention == "sdpa", types=plan.types,
        )  # fmt: skip
        replay = layer_replay(request)
        each = replay.saved_bytes
        if checkpointing == "full":
            each = boundary
        elif checkpointing == "selective":
            each = min(each, (each + boundary) // 2)
        if plan.training.activation_offload:
            each = 0
        found.append((run.n_layers, replay, each))
    return tuple(found)


def _head(network: Transformer, plan: Plan) -> Replay:
    closing = [tensor for tensor in network.closing if tensor.role in ("norm", "bias")]
    return head_replay(
        HeadRequest(
            model_type=network.model_type,
            hidden_dim=network.hidden_dim,
            vocab_size=max(1, network.vocab_size),
            layer_norm=_closes_with_layer_norm(network, len(closing)),
            n_tokens=plan.n_tokens,
            loss=plan.training.loss or "torch",
            logits=plan.habits.logits,
            n_chunks=plan.habits.n_loss_chunks,
            compiled=plan.training.compiled,
            types=plan.types,
        )
    )


def _closes_with_layer_norm(network: Transformer, n_closing: int) -> bool:
    norms = network.layers[-1].layer.norms
    return bool(norms and norms[0].kind == "layer") or n_closing > 1


def _held_logits(network: Transformer, plan: Plan) -> int:
    if plan.habits.logits != "held" or plan.training.loss != "torch":
        return 0
    return plan.n_tokens * network.vocab_size * plan.types.compute_bytes


def _layer_moments(
    runs: tuple[tuple[int, Replay, int], ...], head: Replay, held: int, plan: Plan
) -> list[Live]:
    """Return the moment inside the last and the first layer of every run."""
    recomputed = plan.training.gradient_checkpointing == "full" or plan.training.activation_offload
    found = []
    before = 0
    after = head.weight_gradient_bytes + sum(
        count * replay.weight_gradient_bytes for count, replay, _ in runs
    )
    for index, (count, replay, each) in enumerate(runs):
        after -= count * replay.weight_gradient_bytes
        earlier = tuple((other, runs[other][0]) for other in range(index))
        for position in {0, count - 1}:
            peak = replay.backward_peak
            kept = before + position * each + (each if recomputed else 0)
            found.append(
                Live(
                    name=f"layer: {peak.name}",
                    kept_layers=(*earlier, (index, position + (1 if recomputed else 0))),
                    kept_bytes=kept,
                    layer_bytes=peak.saved_bytes + peak.flowing_bytes,
                    head_bytes=held,
                    gradient_bytes=after
                    + (count - 1 - position) * replay.weight_gradient_bytes
                    + peak.weight_gradient_bytes,
                )
            )
        before += count * each
    return found


def _embedding_moment(network: Transformer, plan: Plan, held: int, gradient_bytes: int) -> Live:
    """Return the moment in which the embedding's gradient is made: a tied one is added to the head's, in a third."""
    stream = plan.n_tokens * network.hidden_dim * plan.types.stream_bytes
    spare = 0
    if network.tied and plan.types.trains_weights:
        spare = 2 * network.vocab_size * network.hidden_dim * plan.types.gradient_bytes
    return Live(name="embedding", layer_bytes=stream + spare, head_bytes=held, gradient_bytes=gradient_bytes)
