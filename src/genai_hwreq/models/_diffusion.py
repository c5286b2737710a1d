"""A pipeline of networks that makes images, video or sound: text encoders, denoiser, autoencoder, and what checks or enlarges.

Next: inventory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from attrs import field, frozen

from genai_hwreq._validators import non_empty, optional_positive, positive
from genai_hwreq.models._autoencoder import Autoencoder
from genai_hwreq.models._enumerated import EnumeratedNetwork
from genai_hwreq.models._identity import Identity
from genai_hwreq.models._tensor import Tensor
from genai_hwreq.models._transformer import Transformer
from genai_hwreq.models._unet import UNet
from genai_hwreq.models.inventory import Inventory, TensorGroup, transformer_inventory

__all__ = ["NetworkRole", "Pipeline", "PipelineNetwork", "UnknownNetwork", "network_inventory"]

NetworkRole = Literal["image_encoder", "text_encoder", "denoiser", "upscaler", "vae", "safety_checker"]
"""What a network does. Input is encoded once, the denoiser runs every step, then an upscaler, then the decoder."""


@frozen(kw_only=True, cache_hash=True)
class UnknownNetwork:
    """A network of which only the number of parameters is known."""

    n_params: int = field(validator=positive)
    """Number of parameters, counted or stated."""


@frozen(kw_only=True, cache_hash=True)
class PipelineNetwork:
    """One network of a pipeline."""

    role: NetworkRole
    """What it does."""

    name: str = field(validator=non_empty)
    """What it is called."""

    network: Transformer | UNet | Autoencoder | EnumeratedNetwork | UnknownNetwork
    """Its architecture, or its size alone."""

    output_px: int | None = None
    """Side of the images it makes, where that differs from the pipeline's (a first or second stage)."""

    always_resident: bool = False
    """Whether the pipeline leaves it on the device even when networks are offloaded."""

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return network_inventory(self).n_params


@frozen(kw_only=True, cache_hash=True)
class Pipeline:
    """A model that is a pipeline of networks, run one after another."""

    identity: Identity
    """Who it is."""

    networks: tuple[PipelineNetwork, ...] = field(validator=non_empty)
    """Its networks, in the order in which they run."""

    width_px: int = field(validator=positive)
    """Width of the images it was made for."""

    height_px: int = field(validator=positive)
    """Height of the images it was made for."""

    latent_scale: int = field(default=1, validator=positive)
    """Pixels along the side of one element of what the denoiser works on; one in pixel space."""

    text_tokens: int = field(default=77, validator=positive)
    """Tokens of a prompt, padded to this length."""

    guidance: bool = True
    """Whether every step runs on the prompt and on the empty prompt together, as a doubled batch."""

    sequential_guidance: bool = False
    """Whether guidance runs the prompt and the empty prompt one after the other."""

    n_frames: int = field(default=1, validator=positive)
    """Frames of the video it was made for; one for images."""

    frame_scale: int = field(default=1, validator=positive)
    """Frames of one latent frame."""

    sample_rate_hz: int | None = field(default=None, validator=optional_positive)
    """Samples of a second of sound; then `width_px` counts samples, and `height_px` is one."""

    upcast_vae: bool = False
    """Whether the pipeline decodes in fp32 whatever the weights are."""

    native_format: str = "fp16"
    """Weight format of the published checkpoint."""

    @property
    def n_params(self) -> int:
        """Number of parameters of all networks."""
        return sum(network.n_params for network in self.networks)


@lru_cache(maxsize=256)
def network_inventory(part: PipelineNetwork) -> Inventory:
    """List the weights of one network; one of unknown architecture counts as a single matrix."""
    network = part.network
    if isinstance(network, Transformer):
        return transformer_inventory(network)
    if isinstance(network, EnumeratedNetwork):
        return Inventory(groups=network.groups)
    if isinstance(network, UnknownNetwork):
        tensors: tuple[Tensor, ...] = (Tensor("weights", "projection", (1, network.n_params)),)
    else:
        tensors = tuple(network.tensors())
    return Inventory(groups=(TensorGroup(name="layers", tensors=tensors),))
