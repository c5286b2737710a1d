"""A network given by its tensors and by what works hardest in it: transformers over patches, video autoencoders.

Next: _diffusion.
"""

from __future__ import annotations

from attrs import field, frozen

from genai_hwreq._validators import count, non_empty, positive
from genai_hwreq.models._tensor import Tensor
from genai_hwreq.models.inventory import TensorGroup

__all__ = [
    "EnumeratedNetwork",
    "FrameMoment",
    "FrameWork",
    "LatentWork",
    "NetworkWork",
    "Tile",
    "TokenMoment",
    "TokenWork",
]


@frozen(kw_only=True)
class TokenMoment:
    """Elements alive together at one moment of a transformer, by what they grow with."""

    name: str = field(validator=non_empty)
    """What happens at that moment."""

    per_token: int = field(default=0, validator=count)
    """Elements of the working type for each image or video token."""

    per_text_token: int = field(default=0, validator=count)
    """Elements of the working type for each text token."""

    fp32_per_token: int = field(default=0, validator=count)
    """Elements kept in fp32 for each image or video token."""

    fp32_per_text_token: int = field(default=0, validator=count)
    """Elements kept in fp32 for each text token."""

    fp32_shared: int = field(default=0, validator=count)
    """Elements in fp32 for each image or video token that all samples share: position tables."""

    fp32_shared_text: int = field(default=0, validator=count)
    """Elements in fp32 for each text token that all samples share."""

    bytes_per_token: int = field(default=0, validator=count)
    """Bytes for each image or video token that depend on no element type, once for all samples."""


@frozen(kw_only=True)
class TokenWork:
    """What a transformer over patches works on."""

    patch: int = field(default=1, validator=positive)
    """Latent elements along the side of a token."""

    patch_frames: int = field(default=1, validator=positive)
    """Latent frames of a token."""

    n_heads: int = field(validator=positive)
    """Heads of its self-attention."""

    moments: tuple[TokenMoment, ...] = field(validator=non_empty)
    """Moments that can be the fullest."""


@frozen(kw_only=True)
class Tile:
    """A piece of an image or video that is decoded by itself."""

    height_px: int = field(validator=positive)
    """Its height."""

    width_px: int = field(validator=positive)
    """Its width."""

    frames: int | None = None
    """Its frames; `None`: all of them."""


@frozen(kw_only=True)
class FrameMoment:
    """Elements alive together at one moment of an autoencoder."""

    name: str = field(validator=non_empty)
    """What happens at that moment."""

    milli_per_pixel: int = field(default=0, validator=count)
    """Thousandths of an element for each pixel of each frame that is worked on at once."""

    milli_per_image_pixel: int = field(default=0, validator=count)
    """Thousandths of an element for each pixel of one frame, however many are worked on at once."""

    fp32_milli_per_pixel: int = field(default=0, validator=count)
    """Thousandths of an element that is kept in fp32, for each pixel of each frame that is worked on at once."""


@frozen(kw_only=True)
class FrameWork:
    """What an autoencoder of images or video works on."""

    scale: int = field(validator=positive)
    """Pixels along the side of one latent element."""

    frame_scale: int = field(default=1, validator=positive)
    """Frames of one latent frame."""

    image_channels: int = field(default=3, validator=positive)
    """Channels of a frame."""

    latent_channels: int = field(validator=positive)
    """Channels of the latent."""

    frames_at_once: int | None = None
    """Frames that it decodes together; `None`: all of them."""

    decode: tuple[FrameMoment, ...] = field(validator=non_empty)
    """Moments of the decoder that can be the fullest."""

    encode: tuple[FrameMoment, ...] = ()
    """Moments of the encoder."""

    workspace: FrameMoment | None = None
    """What the convolution library takes beside the tensors; `None`: nothing is known to."""

    tile: Tile | None = None
    """Pieces of tiled decoding; `None`: it is not tiled."""


@frozen(kw_only=True)
class LatentWork:
    """What a denoiser of convolutions works on, in proportion to its latent."""

    milli_per_position: int = field(validator=positive)
    """Thousandths of an element alive at its fullest moment for each position of each latent frame."""


NetworkWork = TokenWork | FrameWork | LatentWork
"""What decides the working memory of a network."""


@frozen(kw_only=True, cache_hash=True)
class EnumeratedNetwork:
    """A network of a pipeline, by its tensors."""

    class_name: str = field(validator=non_empty)
    """Its class in diffusers."""

    groups: tuple[TensorGroup, ...] = field(validator=non_empty)
    """Every stored weight."""

    tables: tuple[Tensor, ...] = ()
    """Buffers that stay on the device and are no parameters: sine tables of positions."""

    kept_in_fp32: tuple[str, ...] = ()
    """Parts of tensors' names; tensors with one of them stay in fp32 when the rest is 16-bit."""

    work: NetworkWork | None = None
    """What it works on; `None` where only its weights are known."""

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return sum(group.n_params for group in self.groups)
