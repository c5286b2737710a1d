"""How fine-tuning an image or video model spends memory: a denoiser that is trained beside cached or resident encoders.

A block of the denoiser keeps what its matrices put out and what they read; both follow from their shapes.

Methodology: docs/explanation/methodology/training.md. Next: simpletuner.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve, frozen

from genai_hwreq.engines._media_blocks import Denoiser, adapter_pairs, denoiser_of, full_tensors
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._runtime import host_runtime_component
from genai_hwreq.engines._training_overheads import TRAINING_RUNTIME_BYTES
from genai_hwreq.engines._training_plan import Habits, Plan, make_plan
from genai_hwreq.engines._training_states import States, states_of
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component, DeviceMemory, Phase
from genai_hwreq.formats import PlainType, RecipeFormat, WeightFormat
from genai_hwreq.models import Pipeline, SizedModel, network_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.training import Training
from genai_hwreq.units import GIB, MIB

__all__ = ["MediaTrainingEngine", "media_training_memory", "media_training_refusal"]


@frozen(kw_only=True)
class MediaTrainingEngine:
    """A framework that fine-tunes image and video models."""

    name: ClassVar[str]
    """The framework's name, as users write it."""

    habits: ClassVar[Habits]
    """Its defaults."""

    encodes_beside: ClassVar[bool] = False
    """Whether captions and images are encoded while the denoiser is already on the device."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return media_training_refusal(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        return media_training_memory(request, self.habits, encodes_beside=self.encodes_beside)


def media_training_refusal(request: Request) -> str | None:
    """Say why a run cannot be estimated, or `None` where it can."""
    if not isinstance(request.model, Pipeline | SizedModel) or denoiser_of(request.model) is None:
        return "only image and video models are trained here; language models are on trl"
    if not isinstance(request.workload, Training):
        return f"it trains models; {type(request.workload).__name__} is not training, pass a Training"
    if isinstance(request.weight_format, RecipeFormat):
        return f"{request.weight_format.id} is a GGUF file type, which is not trained; pass precision='bf16'"
    return None


def media_training_memory(request: Request, habits: Habits, *, encodes_beside: bool) -> Memory:
    """Turn a request into memory, phase by phase, device by device."""
    model = request.model
    assert isinstance(model, Pipeline | SizedModel)
    plan = make_plan(request, habits)
    denoiser = denoiser_of(model)
    assert denoiser is not None
    run = _Run(model, denoiser, plan, _states(denoiser, request.weight_format, plan))
    phases = run.phases(encodes_beside=encodes_beside)
    weights = _file(run.states.weights[0])
    host = DeviceMemory(name="host", phases=(Phase(name="run", components=(host_runtime_component(),)),))
    devices = tuple(DeviceMemory(name=f"gpu:{index}", phases=phases) for index in range(plan.n_devices))
    return Memory(devices=devices, host=host, disk=(weights,), assumptions=plan.assumptions)


def _file(part: Component) -> Component:
    """Return weights as the file they come from."""
    return Component("file", "weight files", part.bytes, part.formula, part.inputs, part.basis)


def _states(denoiser: Denoiser, weight_format: object, plan: Plan) -> States:
    assert isinstance(weight_format, WeightFormat)
    weights = weights_component(denoiser.inventory, weight_format, 512, name="denoiser")
    if plan.types.quantized:  # frameworks leave matrices of their choice in 16 bit
        weights = evolve(weights, interval=ByteRange(weights.bytes, weights.bytes, weights.bytes * 5 // 4))
    tensors = adapter_pairs(denoiser, plan.lora) if plan.lora else full_tensors(denoiser)
    return states_of(weights, tensors, plan, parts=1)


@frozen
class _Run:
    """A run with its sizes."""

    model: Pipeline | SizedModel
    denoiser: Denoiser
    plan: Plan
    states: States

    def phases(self, *, encodes_beside: bool) -> tuple[Phase, ...]:
        training = self.plan.training
        encoders = self._encoders(text=not training.cached_text, images=not training.cached_latents)
        resting = (*self.states.weights, self.states.optimizer, *encoders)
        kept, work = self._kept(), self._at_work()
        gradients = self._gradients()
        return (
            self._phase("load", (*self.states.weights, *encoders), ()),
            *self._encode(encodes_beside=encodes_beside),
            self._phase("forward", resting, (kept,)),
            self._phase("backward", resting, (kept, work, gradients)),
            self._phase("optimizer_step", resting, (gradients, self._step())),
        )

    def _encode(self, *, encodes_beside: bool) -> tuple[Phase, ...]:
        """Return the phase in which everything is encoded while the denoiser is there already."""
        if not encodes_beside:
            return ()
        return (self._phase("encode", (*self.states.weights, *self._encoders(text=True, images=True)), ()),)

    def _phase(self, name: str, resting: tuple[Component, ...], working: tuple[Component, ...]) -> Phase:
        live = sum(part.bytes for part in working if part.kind == "activations")
        percent = self.plan.habits.spare_percent
        size = live * percent // 100
        inputs = (("working_bytes", live), ("spare_percent", percent))
        text = "working_bytes * spare_percent // 100"
        spare = Component("fragmentation", "held spare by the allocator", size, text, inputs, "fitted", None,
                          ByteRange(0, size, max(size, live // 2)))  # fmt: skip
        return Phase(name=name, components=(*resting, *working, spare, _context()))

    def _encoders(self, *, text: bool, images: bool) -> tuple[Component, ...]:
        if isinstance(self.model, SizedModel):
            return ()
        wanted = ({"text_encoder"} if text else set()) | ({"vae"} if images else set())
        half = WeightFormat(id="16-bit", name="16-bit", matrices=_HALF, embedding=_HALF, rest=_HALF)
        return tuple(
            weights_component(network_inventory(part), half, 512, name=part.name)
            for part in self.model.networks
            if part.role in wanted
        )

    def _kept(self) -> Component:
        training = self.plan.training
        n_tokens = training.micro_batch * self.denoiser.n_tokens(training)
        full = training.gradient_checkpointing == "full"
        boundary = self.denoiser.width * self.plan.types.compute_bytes
        each = boundary if full else self._block_bytes()
        each = 0 if training.activation_offload else each
        size = n_tokens * self.denoiser.n_blocks * each
        inputs = (("n_tokens", n_tokens), ("n_blocks", self.denoiser.n_blocks), ("block_bytes", each))
        interval = ByteRange(size // 2, size, size * 7 // 5)
        name = f"kept by {self.denoiser.n_blocks} blocks"
        return Component(
            "activations", name, size, "n_tokens * n_blocks * block_bytes", inputs, "modelled", None, interval
        )

    def _block_bytes(self) -> int:
        """Return what a block keeps of a token, from what its matrices put out."""
        return (
            self.denoiser.mean_outputs
            * self.plan.habits.block_quarter_bytes
            * self.plan.types.compute_bytes
            // 8
        )

    def _at_work(self) -> Component:
        training = self.plan.training
        n_tokens = training.micro_batch * self.denoiser.n_tokens(training)
        recomputed = training.gradient_checkpointing == "full"
        each = self._block_bytes() * (3 if recomputed else 1) // 2
        size = n_tokens * each
        inputs = (("n_tokens", n_tokens), ("work_bytes", each))
        interval = ByteRange(size // 2, size, 2 * size)
        return Component(
            "activations", "block at work", size, "n_tokens * work_bytes", inputs, "modelled", None, interval
        )

    def _gradients(self) -> Component:
        size = self.states.gradient_bytes
        return Component(
            "gradients", "gradients", size, "gradient_bytes", (("gradient_bytes", size),), "exact"
        )

    def _step(self) -> Component:
        size = self.states.step_bytes
        inputs = (("step_bytes", size),)
        return Component("activations", "optimizer's temporaries", size, "step_bytes", inputs, "modelled")


_HALF = PlainType("16-bit", 16)


def _context() -> Component:
    size = TRAINING_RUNTIME_BYTES.value
    interval = ByteRange(500 * MIB, size, size + 2 * GIB)
    return Component(
        "runtime", "CUDA context and libraries", size, "context_bytes", (("context_bytes", size),), "fitted",
        TRAINING_RUNTIME_BYTES.source, interval,
    )  # fmt: skip
