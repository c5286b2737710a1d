"""Transformers over patches and video autoencoders in diffusers: simulated allocations, residency, and laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from formula_text import evaluate
from genai_hwreq.catalog import get_model
from genai_hwreq.engines import Diffusers
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import Pipeline
from genai_hwreq.workloads import ImageGeneration, VideoGeneration

if TYPE_CHECKING:
    from genai_hwreq.estimates import Estimate, Phase

TENSORS = Diffusers(cudnn_workspaces=False)
"""Counts tensors alone, as a simulation does."""


def estimate(name: str, engine: Any = TENSORS, precision: str = "bf16", **asked: Any) -> Estimate:
    """Estimate a pipeline, a video where frames are asked for."""
    workload = VideoGeneration(**asked) if "n_frames" in asked else ImageGeneration(**asked)
    return estimate_vram(name, workload, precision=precision, engine=engine)


def phase(found: Estimate, name: str) -> Phase:
    """Return a phase of the device."""
    chosen = found.devices[0].phase(name)
    assert chosen is not None
    return chosen


def working(found: Estimate, name: str) -> int:
    """Return what is alive beside the weights in a phase."""
    return phase(found, name).bytes_of("activations", "attention", "compute_buffer")


@pytest.mark.parametrize(
    ("simulated", "name", "precision", "asked"),
    [
        (267_149_312, "stable-diffusion-3.5-large", "bf16", {"width_px": 1024, "height_px": 1024}),
        (490_816_000, "flux.1-dev", "bf16", {"width_px": 1024, "height_px": 1024}),
        (461_714_944, "flux.1-schnell", "bf16", {"width_px": 1024, "height_px": 1024, "text_tokens": 256}),
        (229_335_040, "pixart-xl-2-1024-ms", "fp16", {"width_px": 1024, "height_px": 1024, "guidance": True}),
        (70_398_976, "sana-600m-1024px-diffusers", "bf16", {"guidance": True}),
        (698_929_664, "auraflow", "fp16", {"guidance": True}),
        (387_136_000, "qwen-image", "bf16", {}),
        (649_853_952, "qwen-image", "bf16", {"width_px": 1328, "height_px": 1328}),
        (453_872_640, "cogview4-6b", "bf16", {}),
        (1_221_826_560, "flux.2-dev", "bf16", {}),
        (530_371_072, "z-image-turbo", "bf16", {"text_tokens": 256}),
        (
            3_731_301_888,
            "wan2.1-t2v-14b-diffusers",
            "bf16",
            {"width_px": 832, "height_px": 480, "n_frames": 81},
        ),
        (
            1_603_465_728,
            "wan2.1-t2v-1.3b-diffusers",
            "bf16",
            {"width_px": 832, "height_px": 480, "n_frames": 81},
        ),
        (
            2_266_677_760,
            "wan2.2-ti2v-5b-diffusers",
            "bf16",
            {"width_px": 1280, "height_px": 704, "n_frames": 121},
        ),
        (1_648_269_824, "cogvideox-2b", "fp16", {"n_frames": 49, "guidance": True}),
        (1_423_213_056, "cogvideox-5b", "bf16", {"n_frames": 49}),
        (487_962_112, "ltx-video", "bf16", {"width_px": 704, "height_px": 512, "n_frames": 161}),
        (3_667_081_216, "hunyuanvideo", "bf16", {"width_px": 960, "height_px": 544, "n_frames": 61}),
        (8_302_968_320, "stable-video-diffusion-img2vid-xt", "fp16", {"n_frames": 25, "guidance": True}),
    ],
)
def test_denoising_as_simulated(simulated: int, name: str, precision: str, asked: dict[str, Any]) -> None:
    """A step of the real network on fake tensors allocates the same within one per cent."""
    found = estimate(name, precision=precision, **{"guidance": False, **asked})
    assert simulated == pytest.approx(working(found, "denoise"), rel=0.01)


@pytest.mark.parametrize(
    ("simulated", "name", "precision", "asked", "engine"),
    [
        (15_823_820_800, "cogvideox-2b", "fp16", {"n_frames": 49}, TENSORS),
        (5_812_314_112, "ltx-video", "bf16", {"width_px": 704, "height_px": 512, "n_frames": 161}, TENSORS),
        (6_506_338_304, "hunyuanvideo", "fp16", {"width_px": 512, "height_px": 320, "n_frames": 61}, TENSORS),
        (
            4_244_398_080,
            "wan2.1-t2v-14b-diffusers",
            "bf16",
            {"width_px": 832, "height_px": 480, "n_frames": 81},
            TENSORS,
        ),
        (
            10_362_478_592,
            "wan2.2-ti2v-5b-diffusers",
            "bf16",
            {"width_px": 1280, "height_px": 704, "n_frames": 121},
            TENSORS,
        ),
        (3_627_813_376, "qwen-image", "fp16", {}, TENSORS),
        (1_746_993_152, "sana-600m-1024px-diffusers", "bf16", {}, TENSORS),
        (2_424_438_784, "sana-600m-1024px-diffusers", "fp32", {}, TENSORS),
        (16_912_466_944, "stable-video-diffusion-img2vid-xt", "fp16", {"n_frames": 14}, TENSORS),
        (
            9_664_267_264,
            "stable-video-diffusion-img2vid-xt",
            "fp16",
            {"n_frames": 14},
            evolve(TENSORS, decode_chunk_size=8),
        ),
        (4_044_023_296, "cogvideox-2b", "fp16", {"n_frames": 49}, evolve(TENSORS, enable_vae_tiling=True)),
        (
            2_801_256_448,
            "hunyuanvideo",
            "fp16",
            {"width_px": 960, "height_px": 544, "n_frames": 61},
            evolve(TENSORS, enable_vae_tiling=True),
        ),
    ],
)
def test_decoding_as_simulated(
    simulated: int, name: str, precision: str, asked: dict[str, Any], engine: Diffusers
) -> None:
    """A decode of the real network on fake tensors allocates the same within three per cent."""
    assert simulated == pytest.approx(
        working(estimate(name, engine, precision, **asked), "vae_decode"), rel=0.03
    )


@pytest.mark.parametrize(
    ("simulated", "name", "precision", "asked"),
    [
        (337_117_184, "stable-diffusion-1.5", "fp16", {"width_px": 512, "height_px": 512}),
        (2_028_210_688, "qwen-image", "fp16", {}),
        (
            3_170_519_040,
            "wan2.1-t2v-14b-diffusers",
            "bf16",
            {"width_px": 832, "height_px": 480, "n_frames": 81},
        ),
        (6_688_396_800, "cogvideox-2b", "fp16", {"n_frames": 49}),
    ],
)
def test_encoding_as_simulated(simulated: int, name: str, precision: str, asked: dict[str, Any]) -> None:
    """An encode of the real network on fake tensors allocates the same within two per cent."""
    found = estimate(name, evolve(TENSORS, encode_input=True), precision, **asked)
    assert simulated == pytest.approx(working(found, "vae_encode"), rel=0.02)


def test_encoder_of_unknown_architecture_works_in_nothing() -> None:
    """An autoencoder known by its size alone has no encoder to count."""
    assert working(estimate("kandinsky-3", evolve(TENSORS, encode_input=True)), "vae_encode") == 0


@pytest.mark.parametrize(
    ("loaded", "name", "precision"),
    [
        (16_292_718_592, "stable-diffusion-3.5-large", "bf16"),
        (28_635_875_840, "wan2.1-t2v-14b-diffusers", "bf16"),
        (10_022_046_208, "wan2.2-ti2v-5b-diffusers", "bf16"),
        (3_455_944_704, "cogvideox-2b", "fp16"),
        (40_865_058_304, "qwen-image", "bf16"),
    ],
)
def test_weights_as_loaded(loaded: int, name: str, precision: str) -> None:
    """Tables of positions and what stays in fp32 are part of a denoiser's weights."""
    model = get_model(name)
    assert isinstance(model, Pipeline)
    denoiser = next(part for part in model.networks if part.role == "denoiser")
    found = estimate_vram(evolve(model, networks=(denoiser,)), precision=precision, engine=TENSORS)
    assert loaded == pytest.approx(phase(found, "load").bytes_of("weights"), rel=2e-4)


def test_last_encoder_stays_for_the_empty_prompt() -> None:
    """Under offload with guidance the others run again while it is there: 12.04 GiB in Stable Diffusion 3."""
    found = estimate("stable-diffusion-3.5-medium", Diffusers(enable_model_cpu_offload=True), "fp16")
    held = phase(found, "text_encode_2").bytes_of("weights")
    assert held == pytest.approx(12.04 * 2**30, rel=2e-3)


def test_sliced_attention_holds_half_the_heads_of_one_sample() -> None:
    """Its scores do not grow with the batch."""
    sliced = Diffusers(attention="sliced", cudnn_workspaces=False)
    one = estimate("stable-diffusion-1.5", sliced, "fp16", batch_size=1)
    four = estimate("stable-diffusion-1.5", sliced, "fp16", batch_size=4)
    assert phase(one, "denoise").bytes_of("attention") == 2 * 4 * 4096**2 * 2
    assert phase(four, "denoise").bytes_of("attention") in (0, 2 * 4 * 4096**2 * 2)


def test_eager_transformers_hold_all_scores() -> None:
    """Image and text tokens attend together."""
    found = phase(estimate("flux.1-dev", Diffusers(attention="eager")), "denoise")
    assert found.bytes_of("attention") == 2 * 24 * 4608**2 * 2


NETWORKS = (
    "flux.1-dev", "stable-diffusion-3.5-medium", "qwen-image", "sana-600m-1024px-diffusers", "auraflow", "z-image-turbo",
    "wan2.1-t2v-1.3b-diffusers", "cogvideox-5b", "hunyuanvideo", "ltx-video", "stable-video-diffusion-img2vid-xt",
)  # fmt: skip
SETTINGS = (
    Diffusers(),
    Diffusers(attention="eager"),
    Diffusers(enable_model_cpu_offload=True, encode_input=True),
    Diffusers(enable_sequential_cpu_offload=True, enable_vae_slicing=True, enable_vae_tiling=True),
)

names = st.sampled_from(NETWORKS)
settings = st.sampled_from(SETTINGS)
sides = st.integers(64, 1536)
frames = st.integers(1, 130)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("engine", SETTINGS)
def test_formulas_evaluate_to_bytes(name: str, engine: Diffusers) -> None:
    """Every component's formula text gives its bytes, and every interval holds them."""
    found = estimate(name, engine, "fp16", n_frames=17)
    for step in found.devices[0].phases:
        for part in step.components:
            assert evaluate(part) == part.bytes
            assert part.range.low <= part.bytes <= part.range.high


@pytest.mark.property
class TestLaws:
    """What holds for every pipeline, size and setting."""

    @given(
        names,
        settings,
        sides,
        frames,
        st.integers(1, 4),
        st.integers(0, 256),
        st.integers(0, 60),
        st.integers(0, 3),
    )
    def test_more_is_never_less(
        self,
        name: str,
        engine: Diffusers,
        side: int,
        n_frames: int,
        batch: int,
        wider: int,
        longer: int,
        more: int,
    ) -> None:
        """Wider, longer or more videos never take less."""
        small = estimate(name, engine, width_px=side, height_px=side, n_frames=n_frames, batch_size=batch)
        large = estimate(
            name,
            engine,
            width_px=side + wider,
            height_px=side,
            n_frames=n_frames + longer,
            batch_size=batch + more,
        )
        assert small.vram_bytes <= large.vram_bytes

    @given(names, sides, frames)
    def test_tiling_never_takes_more(self, name: str, side: int, n_frames: int) -> None:
        """Decoding in tiles takes no more than decoding whole."""
        whole = estimate(name, Diffusers(), width_px=side, height_px=side, n_frames=n_frames)
        tiled = estimate(
            name, Diffusers(enable_vae_tiling=True), width_px=side, height_px=side, n_frames=n_frames
        )
        for step in whole.devices[0].phases:
            assert (
                phase(tiled, step.name).allocated_bytes <= step.allocated_bytes or step.name == "vae_decode"
            )
        assert working(tiled, "vae_decode") <= working(whole, "vae_decode") + 2 * 3 * side**2 * n_frames * 2

    @given(names, st.sampled_from(["none", "model"]))
    def test_offload_creates_nothing(self, name: str, offload: str) -> None:
        """After loading, device and host hold every weight once between them."""
        found = estimate(name, Diffusers(enable_model_cpu_offload=offload == "model"), n_frames=9)
        assert found.host is not None
        total = found.host.phases[0].bytes_of("weights")
        for step in found.devices[0].phases[1:]:
            waiting = found.host.phase(step.name)
            assert waiting is not None
            assert total == step.bytes_of("weights") + waiting.bytes_of("weights")
