"""How a training step spends memory, whatever the framework: load, forward, backward, optimizer step.

A framework's file states its `Habits`; this file turns them and a request into memory.

Methodology: docs/explanation/methodology/training.md. Next: pytorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._runtime import host_runtime_component
from genai_hwreq.engines._training_moments import Live, StepMoments, step_moments
from genai_hwreq.engines._training_overheads import overheads
from genai_hwreq.engines._training_plan import Habits, Plan, make_plan
from genai_hwreq.engines._training_states import States, make_states
from genai_hwreq.engines._training_units import gathered_component
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component, DeviceMemory, Inputs, Kind, Phase
from genai_hwreq.formats import RecipeFormat, WeightFormat
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.training import Training

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer

__all__ = ["TrainingEngine", "training_memory", "training_refusal"]


@frozen(kw_only=True)
class TrainingEngine:
    """A framework that trains: its name, and what it does where nothing is set."""

    name: ClassVar[str]
    """The framework's name, as users write it."""

    habits: ClassVar[Habits]
    """Its defaults, and how its loop treats memory."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return training_refusal(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        return training_memory(request, self.habits)


def training_refusal(request: Request) -> str | None:
    """Say why a run cannot be estimated, or `None` where it can."""
    if not isinstance(request.model, TransformerModel):
        return "only transformer models are trained here; image pipelines run on diffusers"
    if not isinstance(request.workload, Training):
        return f"it trains models; {type(request.workload).__name__} is not training, pass a Training"
    if isinstance(request.weight_format, RecipeFormat):
        return f"{request.weight_format.id} is a GGUF file type, which is not trained; pass precision='bf16'"
    return None


def training_memory(request: Request, habits: Habits) -> Memory:
    """Turn a request into memory, phase by phase, device by device."""
    model, weight_format = request.model, request.weight_format
    assert isinstance(model, TransformerModel)
    assert isinstance(weight_format, WeightFormat)
    plan = make_plan(request, habits)
    states = make_states(model, weight_format, plan)
    moments = step_moments(model.decoder, plan, states.gradient_bytes if plan.keeps_gradients else 0)
    phases = _Phases(model, plan, states, moments).phases()
    devices = tuple(DeviceMemory(name=f"gpu:{index}", phases=phases) for index in range(plan.n_devices))
    weights = weights_component(model_inventory(model), weight_format, 1, "file", "weight files")
    return Memory(devices=devices, host=_host(states), disk=(weights,), assumptions=plan.assumptions)


@frozen
class _Phases:
    """The phases of one device."""

    model: TransformerModel
    plan: Plan
    states: States
    moments: StepMoments

    @property
    def network(self) -> Transformer:
        return self.model.decoder

    def phases(self) -> tuple[Phase, ...]:
        resting = (*self.states.weights, self.states.optimizer)
        gathered = gathered_component(self.network, self.plan)
        backward = self._live(self.moments.backward)
        freed = sum(part.bytes for part in backward if part.kind != "gradients")
        step = (self._gradients(self.states.gradient_bytes), *self._step())
        return (
            self._phase("load", self.states.weights, ()),
            self._phase("forward", resting, (*gathered, *self._live(self.moments.forward))),
            self._phase("backward", resting, (*gathered, *backward)),
            self._phase(
                "optimizer_step",
                resting,
                step,
                freed if self.plan.types.trains_weights and self.states.step_bytes else 0,
            ),
        )

    def _phase(
        self, name: str, resting: tuple[Component, ...], working: tuple[Component, ...], freed: int = 0
    ) -> Phase:
        spare = overheads(working, freed, self.plan, loading=name == "load")
        return Phase(name=name, components=(*resting, *(part for part in working if part.bytes), *spare))

    def _gradients(self, whole: int) -> Component:
        size = whole if self.plan.keeps_gradients else 0
        sharded = self.plan.sharding.stage != "none" and self.plan.data_ranks > 1
        high = max(size, self.states.whole_gradient_bytes) if sharded and size else size
        inputs: Inputs = (("gradient_bytes", size),)
        return Component(
            "gradients",
            "gradients",
            size,
            "gradient_bytes",
            inputs,
            "exact",
            None,
            ByteRange(size, size, high),
        )

    def _step(self) -> tuple[Component, ...]:
        size = self.states.step_bytes
        text = "step_bytes"
        return (
            Component(
                "activations", "optimizer's temporaries", size, text, (("step_bytes", size),), "modelled"
            ),
        )

    def _live(self, live: Live) -> tuple[Component, ...]:
        kept = [self._kept(index, count) for index, count in live.kept_layers if count]
        layer = _at_work("activations", f"layer at work ({live.name})", live.layer_bytes, self.plan)
        head = _at_work("logits", "logits and loss", live.head_bytes, self.plan)
        return (*kept, layer, head, self._gradients(live.gradient_bytes))

    def _kept(self, index: int, count: int) -> Component:
        """Return what equal layers keep for the way back, each tensor named."""
        _, replay, each = self.moments.replays[index]
        n_tokens = self.plan.n_tokens
        inputs: list[tuple[str, int]] = [("n_layers", count), ("n_tokens", n_tokens)]
        if each != replay.saved_bytes:
            inputs = [("n_layers", count), ("layer_bytes", each)]
            text = "n_layers * layer_bytes"
        else:
            names = [
                (_identifier(saved.name), saved.token_bytes) for saved in replay.saved if saved.token_bytes
            ]
            fixed = sum(saved.fixed_bytes for saved in replay.saved)
            text = f"n_layers * (n_tokens * ({' + '.join(name for name, _ in names)}) + weight_casts)"
            inputs += [*names, ("weight_casts", fixed)]
        size = count * each
        interval = _width(size, self.plan)
        return Component(
            "activations", f"kept by {count} layers", size, text, tuple(inputs), "modelled", None, interval
        )


def _identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _at_work(kind: Kind, name: str, size: int, plan: Plan) -> Component:
    inputs: Inputs = (("alive_bytes", size),)
    return Component(kind, name, size, "alive_bytes", inputs, "modelled", None, _width(size, plan))


def _width(size: int, plan: Plan) -> ByteRange:
    """Return how far activations may lie: other versions keep more, and sharding frameworks copy what they hand on."""
    percent = plan.habits.high_percent
    if plan.sharding.stage != "none" and plan.data_ranks > 1:
        percent += 40
    low = size // 2 if not plan.training.packed and plan.habits.high_percent > 100 else size * 9 // 10
    return ByteRange(low, size, size * percent // 100)


def _host(states: States) -> DeviceMemory:
    staged = states.weights[0]
    interval = ByteRange(0, staged.bytes, 2 * staged.bytes)
    waiting = Component(
        "weights", "weights on their way to the device", staged.bytes, staged.formula, staged.inputs, "modelled", None,
        interval,
    )  # fmt: skip
    return DeviceMemory(
        name="host",
        phases=(
            Phase(name="load", components=(waiting, host_runtime_component())),
            Phase(name="run", components=(host_runtime_component(),)),
        ),
    )
