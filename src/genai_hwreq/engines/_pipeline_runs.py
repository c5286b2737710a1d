"""What a run of a pipeline is made of: its workloads, sizes, and the names of its phases.

Next: diffusers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.workloads import AudioGeneration, ImageGeneration, VideoGeneration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.models import NetworkRole, Pipeline, PipelineNetwork

__all__ = ["PHASES", "WORKLOADS", "Asked", "compute_bytes", "is_fp16", "named_networks", "sizes_of"]

PHASES: dict[NetworkRole, str] = {
    "image_encoder": "image_encode",
    "text_encoder": "text_encode",
    "denoiser": "denoise",
    "upscaler": "upscale",
    "vae": "vae_decode",
    "safety_checker": "safety_check",
}
"""What happens while a network of a role works."""


WORKLOADS = (ImageGeneration, VideoGeneration, AudioGeneration)
"""What a pipeline can be asked."""
Asked = ImageGeneration | VideoGeneration | AudioGeneration


def sizes_of(model: Pipeline, workload: Asked) -> tuple[int, int, int, int]:
    """Return width, height, frames and text tokens; of sound the width is its samples."""
    if isinstance(workload, AudioGeneration):
        samples = (workload.audio_seconds or 0) * (model.sample_rate_hz or 0)
        return samples or model.width_px, 1, 1, model.text_tokens
    frames = workload.n_frames if isinstance(workload, VideoGeneration) else None
    return (
        workload.width_px or model.width_px,
        workload.height_px or model.height_px,
        frames or model.n_frames,
        workload.text_tokens or model.text_tokens,
    )


def compute_bytes(weight_format: WeightFormat) -> int:
    """Return the bytes of an element of activations: those of the tensors that are not quantised."""
    rest = weight_format.rest
    return rest.bits // 8 if isinstance(rest, PlainType) else 2


def named_networks(networks: Iterable[PipelineNetwork]) -> tuple[tuple[str, PipelineNetwork], ...]:
    """Name each network's phase; a second network of a role gets a number."""
    seen: dict[str, int] = {}
    found = []
    for part in networks:
        name = PHASES[part.role]
        seen[name] = seen.get(name, 0) + 1
        found.append((name if seen[name] == 1 else f"{name}_{seen[name]}", part))
    return tuple(found)


def is_fp16(weight_format: WeightFormat) -> bool:
    """Tell whether matrices are stored in fp16."""
    matrices = weight_format.matrices
    return isinstance(matrices, PlainType) and matrices.name == "fp16"
