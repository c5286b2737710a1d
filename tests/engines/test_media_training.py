"""What fine-tuning an image or video model needs."""

from __future__ import annotations

import pytest

import genai_hwreq as hw
from formula_text import evaluate
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import Memory, Request, get_engine
from genai_hwreq.engines._diffusers_trainer import DiffusersTrainer
from genai_hwreq.engines._media_blocks import denoiser_of
from genai_hwreq.models import Model, Pipeline, SizedModel
from genai_hwreq.training import Full, Lora, Training

VIDEO = get_model("cogvideox-2b")
CACHED = Training(
    method=Lora(rank=64, targets=("to_q", "to_k", "to_v", "to_out.0")),
    image_px=(480, 720),
    frames=49,
    cached_latents=True,
    cached_text=True,
)


def answer(
    training: Training, engine: str = "simpletuner", model: Model = VIDEO, precision: str = "fp16"
) -> Memory:
    """Ask a framework."""
    request = Request(model=model, weight_format=get_format(precision), workload=training)
    chosen = get_engine(engine)
    assert chosen.refuses(request) is None
    return chosen.memory(request)


def peak(memory: Memory) -> int:
    """Return what is allocated at the fullest moment."""
    return memory.devices[0].allocated_bytes


def of_phase(memory: Memory, name: str, *kinds: str) -> int:
    """Return bytes of kinds in a phase."""
    found = memory.devices[0].phase(name)
    assert found is not None
    return sum(part.bytes for part in found.components if part.kind in kinds)


def test_a_sample_s_tokens_are_its_patches_and_its_caption() -> None:
    """480 x 720 in 16-pixel patches, 13 latent frames of 49, 226 words."""
    assert isinstance(VIDEO, Pipeline)
    denoiser = denoiser_of(VIDEO)
    assert denoiser is not None
    assert 30 * 45 * 13 + 226 == denoiser.n_tokens(CACHED)


def test_checkpointing_keeps_the_stream_between_blocks() -> None:
    """30 blocks of 17776 tokens of 1920 elements of 2 bytes."""
    memory = answer(CACHED)
    assert 30 * 17776 * 1920 * 2 == of_phase(memory, "forward", "activations")


def test_adapters_of_four_matrices_in_each_block() -> None:
    """Rank 64 of 1920 to 1920: twice 64 x 1920, four times, thirty times; two bytes each."""
    adapters = next(
        part for part in answer(CACHED).devices[0].phases[0].components if part.name == "adapters"
    )
    assert 2 * 30 * 4 * 2 * 64 * 1920 == adapters.bytes


def test_encoders_are_counted_unless_all_is_cached() -> None:
    """Text encoder and autoencoder stay on the device where captions and images are encoded as they come."""
    fresh = Training(method=CACHED.method, image_px=(480, 720), frames=49)
    assert peak(answer(fresh)) > peak(answer(CACHED)) + 9 * 2**30


def test_encoding_beside_the_denoiser_is_a_phase_of_its_own() -> None:
    """Finetrainers loads all networks before it caches; SimpleTuner does not."""
    beside = answer(CACHED, "finetrainers").devices[0].phase("encode")
    assert beside is not None
    assert beside.bytes_of("weights") > 12 * 2**30
    assert answer(CACHED).devices[0].phase("encode") is None


def test_full_fine_tuning_trains_every_weight() -> None:
    """Gradients are as large as the weights."""
    memory = answer(Training(method=Full(), cached_latents=True, cached_text=True), precision="bf16")
    weights = of_phase(memory, "load", "weights")
    assert abs(of_phase(memory, "optimizer_step", "gradients") - weights) < weights // 100


def test_more_pixels_frames_and_samples_never_need_less() -> None:
    """Tokens grow with all three."""
    small = peak(answer(CACHED))
    for larger in ({"image_px": (720, 720)}, {"frames": 81}, {"micro_batch": 2}):
        changed = Training(method=CACHED.method, cached_latents=True, cached_text=True,
                           **{"image_px": (480, 720), "frames": 49, **larger})  # type: ignore[arg-type]  # fmt: skip
        assert peak(answer(changed)) > small


def test_a_model_known_by_size_gets_a_typical_stack() -> None:
    """Twelve squares of the width a block."""
    sized = next(
        model
        for name in hw.list_models()
        if isinstance(model := get_model(name), SizedModel) and denoiser_of(model) is not None
    )
    denoiser = denoiser_of(sized)
    assert denoiser is not None
    whole = 12 * denoiser.width**2 * denoiser.n_blocks
    assert whole <= denoiser.inventory.n_params < whole + 12 * denoiser.width**2
    assert 0 < peak(answer(Training(method=Lora(rank=4)), model=sized))


def test_targets_that_are_nowhere_mean_four_matrices_a_block() -> None:
    """A network whose matrices carry other names is adapted as most are."""
    training = Training(method=Lora(rank=4, targets=("elsewhere",)), cached_latents=True, cached_text=True)
    adapters = next(
        part for part in answer(training).devices[0].phases[0].components if part.name == "adapters"
    )
    assert 2 * 4 * 30 * 2 * 4 * 1920 == adapters.bytes


def test_a_token_passes_two_of_the_routed_experts() -> None:
    """HiDream's blocks hold four: half of their rows count."""
    model = get_model("hidream-i1-full")
    assert isinstance(model, Pipeline)
    denoiser = denoiser_of(model)
    assert denoiser is not None
    shared, routed = 2 * 3584 + 2560, 2 * 6912 + 2560
    assert 4 * 2560 + shared + 4 + 2 * routed == denoiser.mean_outputs


def test_activation_offload_keeps_nothing() -> None:
    """Only the block at work is on the device."""
    training = Training(method=CACHED.method, activation_offload=True, cached_latents=True, cached_text=True)
    assert 0 == of_phase(answer(training), "forward", "activations")


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_every_formula_evaluates_to_its_bytes(precision: str) -> None:
    """A component's text, evaluated over its inputs, is its size, and lies in its interval."""
    for phase in answer(CACHED, precision=precision).devices[0].phases:
        for part in phase.components:
            assert part.bytes == evaluate(part)
            assert part.range.low <= part.bytes <= part.range.high


def test_scripts_of_diffusers_keep_adapters_in_32_bit() -> None:
    """Twice SimpleTuner's."""
    request = Request(model=VIDEO, weight_format=get_format("bf16"), workload=CACHED)
    memory = DiffusersTrainer().memory(request)
    adapters = next(part for part in memory.devices[0].phases[0].components if part.name == "adapters")
    assert 4 * 30 * 4 * 2 * 64 * 1920 == adapters.bytes


@pytest.mark.parametrize(
    ("model", "workload", "precision", "reason"),
    [
        ("llama-2-7b", CACHED, "bf16", "only image and video"),
        ("cogvideox-2b", hw.Generation(), "bf16", "not training"),
        ("cogvideox-2b", CACHED, "q4_k_m", "GGUF"),
    ],
)
def test_what_cannot_be_trained_is_refused(model: str, workload: object, precision: str, reason: str) -> None:
    """The reason is said."""
    request = Request(model=get_model(model), weight_format=get_format(precision), workload=workload)  # type: ignore[arg-type]
    assert reason in str(get_engine("simpletuner").refuses(request))


def test_a_unet_is_answered_by_its_size() -> None:
    """Its blocks are of convolutions; a typical stack of its size stands for them."""
    training = Training(method=Lora(rank=4), image_px=(512, 512), cached_latents=True, cached_text=True)
    memory = answer(training, model=get_model("stable-diffusion-1.5"))
    assert 2 * 859_000_000 < of_phase(memory, "load", "weights") < 2 * 870_000_000
