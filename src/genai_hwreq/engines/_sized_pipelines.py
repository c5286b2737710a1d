"""Image pipelines of which only the networks' sizes are known: the usual geometry is assumed, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from genai_hwreq.estimates import Assumption
from genai_hwreq.models import Pipeline, PipelineNetwork, UnknownNetwork

if TYPE_CHECKING:
    from genai_hwreq.models import NetworkRole, SizedModel

__all__ = ["assumed_pipeline"]

_LATENT_SIDE_PX, _LATENT_SCALE = 1024, 8
_PIXEL_SIDE_PX = 256
"""Pipelines without an autoencoder work on pixels, and on fewer of them."""

_ORDER: dict[str, tuple[int, str]] = {
    "text_encoder": (0, "text_encoder"),
    "image_encoder": (0, "text_encoder"),
    "prior": (1, "denoiser"),
    "denoiser": (2, "denoiser"),
    "upscaler": (3, "upscaler"),
    "vae": (4, "vae"),
    "safety_checker": (5, "safety_checker"),
}
"""Role of a sized network → when it runs and what it works like."""


def assumed_pipeline(model: SizedModel) -> tuple[Pipeline, tuple[Assumption, ...]]:
    """Return a pipeline of the model's networks that makes images of the usual size from latents of the usual scale.

    Networks of a role that is not known here are run first, as encoders are.
    """
    parts = sorted(model.networks, key=lambda part: _ORDER.get(part.role, _ORDER["text_encoder"])[0])
    networks = tuple(
        PipelineNetwork(
            role=cast("NetworkRole", _ORDER.get(part.role, _ORDER["text_encoder"])[1]),
            name=part.name,
            network=UnknownNetwork(n_params=part.n_params),
        )
        for part in parts
    )
    has_latents = any(part.role == "vae" for part in networks)
    side_px = _LATENT_SIDE_PX if has_latents else _PIXEL_SIDE_PX
    pipeline = Pipeline(
        identity=model.identity,
        networks=networks,
        width_px=side_px,
        height_px=side_px,
        latent_scale=_LATENT_SCALE if has_latents else 1,
        native_format=model.native_format,
    )
    works_on = "latents of an eighth of the image's side" if has_latents else "pixels"
    text = f"only sizes are known: work on {works_on}, images of {side_px} pixels unless stated"
    return pipeline, (Assumption(code="sized-pipeline", text=text),)
