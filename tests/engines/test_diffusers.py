"""The diffusers engine: worked examples against simulated allocations, and what holds for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from formula_text import evaluate
from genai_hwreq.catalog import get_model
from genai_hwreq.engines import get_engine
from genai_hwreq.engines.diffusers import Diffusers
from genai_hwreq.errors import UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.formats import GroupType, WeightFormat
from genai_hwreq.models import Pipeline
from genai_hwreq.placement import Placement
from genai_hwreq.workloads import Generation, ImageGeneration

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component, DeviceMemory, Estimate, Phase

PIPELINES = (
    "stable-diffusion-1.5",
    "stable-diffusion-2.1",
    "deepfloyd-if",
    "flux.1-dev",
    "stable-diffusion-3-medium-diffusers",
    "kandinsky-2-2-decoder",
)
SETTINGS = (
    Diffusers(),
    Diffusers(attention="eager"),
    Diffusers(enable_model_cpu_offload=True),
    Diffusers(attention="eager", enable_sequential_cpu_offload=True),
    Diffusers(attention="eager", enable_vae_slicing=True, enable_vae_tiling=True),
)


def estimate(name: str, engine: Diffusers | None = None, precision: str = "fp16", **asked: Any) -> Estimate:
    """Estimate a pipeline."""
    return estimate_vram(name, ImageGeneration(**asked), precision=precision, engine=engine or Diffusers())


def phase(found: Estimate, name: str) -> Phase:
    """Return a phase of the device."""
    (device,) = found.devices
    chosen = device.phase(name)
    assert chosen is not None
    return chosen


def working(found: Estimate, name: str) -> int:
    """Return what is alive beside the weights in a phase, the convolution library's workspace left out."""
    return phase(found, name).bytes_of("activations", "attention")


@pytest.mark.parametrize(
    ("simulated", "name", "attention", "px"),
    [
        (136_624_128, "stable-diffusion-1.5", "sdpa", 512),
        (1_131_722_752, "stable-diffusion-1.5", "eager", 512),
        (307_178_496, "stable-diffusion-2.1", "sdpa", 768),
        (6_972_189_696, "stable-diffusion-2.1", "eager", 768),
    ],
)
def test_denoising_as_simulated(simulated: int, name: str, attention: Any, px: int) -> None:
    """A step of the real UNet on fake tensors allocates the same, but for the time step's embedding."""
    found = estimate(name, Diffusers(attention=attention, cudnn_workspaces=False), width_px=px, height_px=px)
    assert simulated - working(found, "denoise") == 7168


@pytest.mark.parametrize(("simulated", "eager", "px"), [(402_718_720, 0, 512), (2_248_409_088, 1, 1024)])
def test_decoding_as_simulated(simulated: int, eager: int, px: int) -> None:
    """A decode peaks at full resolution, or in the attention whose scores are held in full."""
    engine = Diffusers(attention="eager" if eager else "sdpa")
    found = estimate("stable-diffusion-1.5", engine, width_px=px, height_px=px)
    assert simulated == pytest.approx(working(found, "vae_decode"), rel=2e-3)


def test_text_encoding_as_simulated() -> None:
    """CLIP's text encoder on two prompts."""
    found = estimate("stable-diffusion-1.5", batch_size=2)
    assert working(found, "text_encode") == pytest.approx(6_151_680, rel=1e-3)


def test_t5_keeps_matrices_in_fp32() -> None:
    """In fp16 the second feed-forward matrices stay in fp32, 10.74 GiB in all; in bf16 nothing does."""
    engine = Diffusers(enable_model_cpu_offload=True)
    half = phase(estimate("deepfloyd-if", engine), "text_encode").bytes_of("weights")
    brain = phase(estimate("deepfloyd-if", engine, "bf16"), "text_encode").bytes_of("weights")
    assert half == 2 * 4_762_310_656 + 2 * 24 * 4096 * 10240
    assert brain == 2 * 4_762_310_656


def test_safety_checker_stays() -> None:
    """Under offload the pipeline leaves it on the device: it is there while the denoiser works."""
    weights = phase(estimate("stable-diffusion-1.5", Diffusers(enable_model_cpu_offload=True)), "denoise")
    names = [part.name for part in weights.components if part.kind == "weights"]
    assert names == ["UNet", "CLIP ViT-L/14 image encoder with concepts"]


def test_face_encoder_stays() -> None:
    """What reads a face is put on the device by hand: no offload takes it away."""
    weights = phase(estimate("consisid-preview", Diffusers(enable_model_cpu_offload=True)), "denoise")
    names = [part.name for part in weights.components if part.kind == "weights"]
    assert names[0] == "EVA02-CLIP-L/14 at 336 pixels, image half"


def test_kandinskys_prior_stays() -> None:
    """Its pipeline leaves the prior out of offload: it is there while the image encoder works, the fullest moment."""
    result = estimate("kandinsky-2-2-decoder", Diffusers(enable_model_cpu_offload=True), "fp16")
    names = [part.name for part in phase(result, "image_encode").components if part.kind == "weights"]
    assert names == ["image prior", "CLIP ViT-bigG image encoder"]


def test_sequential_offload_holds_one_layer() -> None:
    """Layers come one at a time: the largest matrix, or a typical share of a network known by size."""
    engine = Diffusers(enable_sequential_cpu_offload=True)
    known = phase(estimate("stable-diffusion-2.1", engine), "denoise").bytes_of("weights")
    unknown = phase(estimate("deepfloyd-if", engine), "denoise").bytes_of("weights")
    assert known == 2 * 1280 * 2560 * 9
    assert unknown == -(-2 * 4_300_000_000 // 29)


def test_slicing_decodes_one_image() -> None:
    """Sliced, a batch decodes in the memory of one image."""
    one = working(estimate("stable-diffusion-2.1"), "vae_decode")
    sliced = estimate("stable-diffusion-2.1", Diffusers(enable_vae_slicing=True), batch_size=4)
    assert one == working(sliced, "vae_decode")


def test_tiling_caps_decoding() -> None:
    """Tiled, a large image decodes in the memory of one tile and the images it is joined from."""
    found = estimate("stable-diffusion-2.1", Diffusers(enable_vae_tiling=True), width_px=2048, height_px=2048)
    assert working(found, "vae_decode") == 768 * 512 * 512 * 2 + 2 * 3 * 2048 * 2048 * 2


def test_guidance_doubles_the_batch() -> None:
    """Without guidance a step takes half the working memory."""
    both = working(estimate("stable-diffusion-2.1"), "denoise")
    assert both == 2 * working(estimate("stable-diffusion-2.1", guidance=False), "denoise")


def test_upcast_vae_decodes_in_fp32() -> None:
    """A pipeline that decodes in fp32 takes twice the memory for it."""
    model = get_model("stable-diffusion-2.1")
    assert isinstance(model, Pipeline)
    plain = estimate_vram(model, precision="fp16")
    upcast = estimate_vram(evolve(model, upcast_vae=True), precision="fp16")
    assert working(upcast, "vae_decode") == 2 * working(plain, "vae_decode")


def test_unknown_networks_are_assumed() -> None:
    """A network known by size works in Stable Diffusion's proportions, and the estimate says so."""
    found = estimate("deepfloyd-if")
    assert {item.code for item in found.assumptions} == {"native-resolution", "typical-networks"}
    (part,) = (part for part in phase(found, "denoise").components if part.kind == "activations")
    assert (part.basis, part.bytes) == ("assumed", 26 * 2 * 64 * 64 * 715 * 2)


def test_sized_pipelines_are_run_with_usual_geometry() -> None:
    """A pipeline known by its networks' sizes gets latents of the usual scale, and the estimate says so."""
    found = estimate("wuerstchen", precision="bf16")
    assert {item.code for item in found.assumptions} == {
        "sized-pipeline",
        "native-resolution",
        "typical-networks",
    }
    names = ["load", "text_encode", "text_encode_2", "denoise", "denoise_2", "vae_decode"]
    assert [step.name for step in found.phases] == names
    (decoder,) = (part for part in phase(found, "vae_decode").components if part.kind == "activations")
    assert (decoder.basis, decoder.bytes) == ("assumed", 768 * 1024 * 1024 * 2)


def test_sized_pipelines_without_autoencoder_work_on_pixels() -> None:
    """A cascade's stage works on the pixels of its small images."""
    (part,) = (
        part for part in phase(estimate("if-ii-l-v1.0"), "upscale").components if part.kind == "activations"
    )
    assert dict(part.inputs)["pixels"] == 256 * 256


def test_sized_models_of_other_kinds_are_refused() -> None:
    """A sound model known by size makes no images, and the reason says what is missing."""
    with pytest.raises(UnsupportedError, match="only the number of parameters is known"):
        estimate("audioldm2")


def test_second_network_of_a_role_has_its_own_phase() -> None:
    """Two text encoders run one after another."""
    model = get_model("stable-diffusion-2.1")
    assert isinstance(model, Pipeline)
    first, *rest = model.networks
    two = evolve(model, networks=(first, evolve(first, name="another"), *rest))
    (device,) = estimate_vram(two, precision="fp16").devices
    assert [step.name for step in device.phases][1:3] == ["text_encode", "text_encode_2"]


def test_a_network_that_is_no_sampler_works_in_nothing() -> None:
    """A safety checker of unknown architecture adds its weights only."""
    found = phase(estimate("stable-diffusion-1.5"), "safety_check")
    assert found.bytes_of("activations", "attention", "fragmentation") == 0


def test_quantised_weights_compute_in_half() -> None:
    """With 4-bit matrices activations stay 16 bit wide."""
    assert working(estimate("stable-diffusion-2.1"), "denoise") == working(
        estimate("stable-diffusion-2.1", precision="int4"), "denoise"
    )


def test_grouped_rest_computes_in_half() -> None:
    """Where even the rest is stored in groups, activations are taken as 16 bit wide."""
    groups = GroupType(name="g", code_bits=8, group_elements=64, scale_bits=16)
    odd = WeightFormat(id="odd", name="odd", matrices=groups, rest=groups)
    found = estimate_vram("stable-diffusion-2.1", precision=odd)
    assert working(found, "denoise") == working(estimate("stable-diffusion-2.1"), "denoise")


@pytest.mark.parametrize(
    ("model", "workload", "precision", "placement", "reason"),
    [
        ("llama-2-7b", ImageGeneration(), "fp16", Placement(), "only image and video pipelines"),
        ("stable-diffusion-1.5", Generation(), "fp16", Placement(), "makes images"),
        ("stable-diffusion-1.5", ImageGeneration(), "q4_k_m", Placement(), "GGUF"),
        ("stable-diffusion-1.5", ImageGeneration(), "fp16", Placement(n_devices=2), "one device"),
    ],
)
def test_refuses(model: str, workload: Any, precision: str, placement: Placement, reason: str) -> None:
    """What it cannot run is refused with the reason."""
    with pytest.raises(UnsupportedError, match=reason):
        estimate_vram(model, workload, precision=precision, engine="diffusers", placement=placement)


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("engine", SETTINGS)
def test_formulas_evaluate_to_bytes(name: str, engine: Diffusers) -> None:
    """Every component's formula text gives its bytes, and every interval holds them."""
    found = estimate(name, engine)
    for part in _all_components(found):
        assert evaluate(part) == part.bytes
        assert part.range.likely == part.bytes


def _all_components(found: Estimate) -> list[Component]:
    assert found.host is not None
    devices: tuple[DeviceMemory, ...] = (*found.devices, found.host)
    return [part for device in devices for step in device.phases for part in step.components] + list(
        found.disk
    )


pipelines = st.sampled_from(PIPELINES)
settings = st.sampled_from(SETTINGS)
sides = st.integers(64, 2048)
batches = st.integers(1, 16)


@pytest.mark.property
class TestLaws:
    """What holds for every pipeline, size and setting."""

    @given(pipelines, settings, sides, sides, batches, st.integers(0, 512), st.integers(0, 8))
    def test_more_is_never_less(
        self, name: str, engine: Diffusers, width: int, height: int, batch: int, wider: int, more: int
    ) -> None:
        """A wider image or a larger batch never takes less."""
        small = estimate(name, engine, width_px=width, height_px=height, batch_size=batch)
        large = estimate(name, engine, width_px=width + wider, height_px=height, batch_size=batch + more)
        assert small.vram_bytes <= large.vram_bytes

    @given(pipelines, sides, batches, st.sampled_from(["sdpa", "eager"]))
    def test_offload_never_takes_more(self, name: str, side: int, batch: int, attention: Any) -> None:
        """Offloading networks takes no more than holding all, and offloading layers no more than that."""
        asked = ImageGeneration(width_px=side, height_px=side, batch_size=batch)
        engine = Diffusers(attention=attention)
        none, model, sequential = (
            estimate_vram(name, asked, precision="fp16", engine=engine, placement=Placement(offload=offload))
            for offload in ("none", "model", "sequential")
        )
        assert none.vram_bytes >= model.vram_bytes >= sequential.vram_bytes

    @given(pipelines, st.sampled_from(["none", "model"]))
    def test_offload_moves_weights(self, name: str, offload: Any) -> None:
        """While networks are offloaded whole, device and host hold every weight once between them, after loading."""
        asked = ImageGeneration()
        found = estimate_vram(name, asked, precision="fp16", placement=Placement(offload=offload))
        assert found.host is not None
        total = found.host.phases[0].bytes_of("weights")
        for step in found.phases[1:]:
            waiting = found.host.phase(step.name)
            assert waiting is not None
            assert total == step.bytes_of("weights") + waiting.bytes_of("weights")

    @given(pipelines, settings)
    def test_phase_is_the_sum_of_its_components(self, name: str, engine: Diffusers) -> None:
        """A phase's total is that of its components, and the device's peak its largest phase."""
        found = estimate(name, engine)
        assert all(step.process_bytes == sum(part.bytes for part in step.components) for step in found.phases)
        assert found.vram_bytes == max(step.process_bytes for step in found.phases)

    @given(pipelines, settings)
    def test_fewer_bits_never_take_more(self, name: str, engine: Diffusers) -> None:
        """Half precision takes no more than full."""
        assert estimate(name, engine).vram_bytes <= estimate(name, engine, "fp32").vram_bytes


def test_engine_by_name() -> None:
    """The name gives the default settings."""
    assert get_engine("diffusers") == Diffusers()
