"""Models as the catalog's files state them: identity, and the facts from which the record is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import non_empty, optional_positive, positive
from genai_hwreq.models import (
    HostedModel,
    Identity,
    Model,
    NetworkRole,
    Pipeline,
    PipelineNetwork,
    SizedModel,
    SizedNetwork,
    UnknownNetwork,
)

__all__ = ["HostedEntry", "ModelEntry", "PipelineEntry", "PipelinePart", "SizedEntry", "TransformerEntry"]


@frozen(kw_only=True)
class TransformerEntry:
    """A transformer, by its own Hub-style configuration."""

    kind: ClassVar[str] = "transformer"
    """Its tag in a data file."""

    identity: Identity
    """Who it is."""

    native_format: str
    """Weight format of the published checkpoint."""

    context_tokens: int | None = field(default=None, validator=optional_positive)
    """Longest context it was made for."""

    n_params: int | None = field(default=None, validator=optional_positive)
    """Parameters as stated by the sources; `None` where the configuration is all we have."""

    n_params_note: str | None = None
    """Why the configuration gives another number, where it does."""

    config: Mapping[str, Any]
    """The configuration's fields that decide its architecture."""

    def model(self) -> Model:
        """Build the record."""
        from attrs import evolve  # noqa: PLC0415  (keeps the import of the catalog light)

        from genai_hwreq.readers.hf_config import read_config  # noqa: PLC0415

        model = read_config(self.config, self.identity)
        return evolve(model, native_format=self.native_format, context_tokens=self.context_tokens)


@frozen(kw_only=True)
class SizedEntry:
    """A model of which only the sizes of its parts are known."""

    kind: ClassVar[str] = "sized"
    """Its tag in a data file."""

    identity: Identity
    """Who it is."""

    native_format: str
    """Weight format of the published checkpoint."""

    context_tokens: int | None = field(default=None, validator=optional_positive)
    """Longest context it was made for."""

    networks: tuple[SizedNetwork, ...] = field(validator=non_empty)
    """Its parts."""

    def model(self) -> Model:
        """Build the record."""
        return SizedModel(identity=self.identity, networks=self.networks, native_format=self.native_format)


@frozen(kw_only=True)
class PipelinePart:
    """One network of a pipeline, by its own configuration or by its size."""

    role: NetworkRole
    """What it does."""

    name: str = field(validator=non_empty)
    """What it is called."""

    n_params: int = field(validator=positive)
    """Parameters as stated by the sources; a configuration must give the same number."""

    config: Mapping[str, Any] | None = None
    """The fields that decide its architecture; `None` where only the size is known."""

    output_px: int | None = field(default=None, validator=optional_positive)
    """Side of the images it makes, where that differs from the pipeline's."""

    always_resident: bool = False
    """Whether the pipeline leaves it on the device even when networks are offloaded."""

    def network(self) -> PipelineNetwork:
        """Build the record."""
        from genai_hwreq.readers.diffusers_config import read_network  # noqa: PLC0415

        architecture = (
            UnknownNetwork(n_params=self.n_params) if self.config is None else read_network(self.config)
        )
        return PipelineNetwork(
            role=self.role,
            name=self.name,
            network=architecture,
            output_px=self.output_px,
            always_resident=self.always_resident,
        )


@frozen(kw_only=True)
class PipelineEntry:
    """A pipeline of networks that makes images, video or sound."""

    kind: ClassVar[str] = "pipeline"
    """Its tag in a data file."""

    identity: Identity
    """Who it is."""

    native_format: str
    """Weight format of the published checkpoint."""

    networks: tuple[PipelinePart, ...] = field(validator=non_empty)
    """Its networks, in the order in which they run."""

    width_px: int = field(validator=positive)
    """Width of the images it was made for."""

    height_px: int = field(validator=positive)
    """Height of the images it was made for."""

    latent_scale: int = field(default=1, validator=positive)
    """Pixels along the side of one element of what the denoiser works on."""

    text_tokens: int = field(default=77, validator=positive)
    """Tokens of a prompt."""

    guidance: bool = True
    """Whether every step runs on the prompt and on the empty prompt together."""

    sequential_guidance: bool = False
    """Whether guidance runs the prompt and the empty prompt one after the other."""

    n_frames: int = field(default=1, validator=positive)
    """Frames of the video it was made for."""

    frame_scale: int = field(default=1, validator=positive)
    """Frames of one latent frame."""

    sample_rate_hz: int | None = field(default=None, validator=optional_positive)
    """Samples of a second of sound; then `width_px` counts samples, and `height_px` is one."""

    upcast_vae: bool = False
    """Whether the pipeline decodes in fp32 whatever the weights are."""

    def model(self) -> Model:
        """Build the record."""
        return Pipeline(
            identity=self.identity,
            networks=tuple(part.network() for part in self.networks),
            width_px=self.width_px,
            height_px=self.height_px,
            latent_scale=self.latent_scale,
            text_tokens=self.text_tokens,
            guidance=self.guidance,
            sequential_guidance=self.sequential_guidance,
            n_frames=self.n_frames,
            frame_scale=self.frame_scale,
            sample_rate_hz=self.sample_rate_hz,
            upcast_vae=self.upcast_vae,
            native_format=self.native_format,
        )


@frozen(kw_only=True)
class HostedEntry:
    """A model reached by its maker's API only."""

    kind: ClassVar[str] = "hosted"
    """Its tag in a data file."""

    identity: Identity
    """Who it is."""

    context_tokens: int | None = field(default=None, validator=optional_positive)
    """Longest context it takes."""

    def model(self) -> Model:
        """Build the record."""
        return HostedModel(identity=self.identity)


ModelEntry = TransformerEntry | PipelineEntry | SizedEntry | HostedEntry
"""Anything a model file can hold."""
