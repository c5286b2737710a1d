"""Networks of image pipelines from diffusers-style configurations: a `_class_name` and its own field names.

Defaults are those of the classes in diffusers 0.42. Text encoders keep their Hub-style configuration
(`model_type`) and are read by `hf_config`.

Next: catalog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import (
    Autoencoder,
    EnumeratedNetwork,
    FrameWork,
    Identity,
    Pipeline,
    PipelineNetwork,
    SpatialTransformer,
    Tensor,
    Transformer,
    UNet,
    UNetLevel,
)
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.diffusers import NETWORKS, reader_of
from genai_hwreq.readers.diffusers._adapters import controlnet, motion_unet
from genai_hwreq.readers.diffusers._parts import embedding
from genai_hwreq.readers.hf_config import read_config
from genai_hwreq.readers.hf_config._fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_hwreq.models import NetworkRole

__all__ = ["read_network", "single_network"]

_DOWN_BLOCKS = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
_ATTENTION_BLOCK = "CrossAttnDownBlock2D"
_PLAIN_BLOCK = "DownBlock2D"


def read_network(config: Mapping[str, Any]) -> Transformer | UNet | Autoencoder | EnumeratedNetwork:
    """Read one network of a pipeline from its own configuration.

    Raises:
        ConfigurationError: when the class is not known, or a field is missing, of the wrong type or out of range.

    Examples:
        >>> unet = read_network({"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768})
        >>> sum(tensor.n_elements for tensor in unet.tensors())
        859520964

    """
    fields = Fields(config)
    name = fields.text("_class_name", default="")
    if name == "UNet2DConditionModel":
        return _unet(fields)
    if name in ("AutoencoderKL", "AutoencoderKLFlux2"):
        return _autoencoder(fields)
    if not name:
        return read_config(config).decoder
    if name == "ControlNetModel":
        return controlnet(fields, _unet(fields))
    if name == "UNetMotionModel":
        return motion_unet(fields, _unet(_without_motion(fields)))
    reader = reader_of(name)
    if reader is not None:
        return reader(fields)
    known = ", ".join(
        ("UNet2DConditionModel", "ControlNetModel", "UNetMotionModel", "AutoencoderKL", *NETWORKS)
    )
    msg = f"_class_name {name!r} is not known; known are {known}"
    raise ConfigurationError(msg, field="_class_name")


def single_network(config: Mapping[str, Any], name: str) -> Pipeline:
    """Return a pipeline of one network that was read from its own configuration.

    Raises:
        ConfigurationError: as `read_network` does.

    Examples:
        >>> single_network({"_class_name": "FluxTransformer2DModel"}, "a transformer").n_params
        11891178560

    """
    network = read_network(config)
    scale, frame_scale = 8, 1
    role: NetworkRole = "denoiser"
    if isinstance(network, Autoencoder):
        role, scale = "vae", network.scale
    elif isinstance(network, EnumeratedNetwork) and isinstance(network.work, FrameWork):
        role, scale, frame_scale = "vae", network.work.scale, network.work.frame_scale
    return Pipeline(
        identity=Identity(id=name, name=name, modality="image"),
        networks=(PipelineNetwork(role=role, name=name, network=network),),
        width_px=_USUAL_PX,
        height_px=_USUAL_PX,
        latent_scale=scale,
        frame_scale=frame_scale,
        guidance=False,
    )


_USUAL_PX = 1024


def _unet(fields: Fields) -> UNet:
    _refuse_variants(fields)
    widths = _widths(fields, (320, 640, 1280, 1280))
    kinds = fields.items("down_block_types") or _DOWN_BLOCKS
    unknown = set(kinds) - {_ATTENTION_BLOCK, _PLAIN_BLOCK}
    if unknown or len(kinds) != len(widths):
        msg = f"down_block_types is {kinds!r}; expected {len(widths)} of {_ATTENTION_BLOCK!r} and {_PLAIN_BLOCK!r}"
        raise ConfigurationError(msg, field="down_block_types")
    transformers = _transformers(fields, len(widths))
    return UNet(
        in_channels=fields.count("in_channels", default=4),
        out_channels=fields.count("out_channels", default=4),
        levels=tuple(
            UNetLevel(width=width, transformer=transformer if kind == _ATTENTION_BLOCK else None)
            for width, kind, transformer in zip(widths, kinds, transformers, strict=True)
        ),
        n_residual_blocks=fields.count("layers_per_block", default=2),
        middle=transformers[-1],
        cross_dim=fields.count("cross_attention_dim", default=1280),
        addition_dim=_addition_dim(fields),
        upcast_attention=fields.flag("upcast_attention", default=False),
        conditions=_conditions(fields, widths[0]),
    )


def _without_motion(fields: Fields) -> Fields:
    """Return the configuration of the image UNet inside a UNet with motion modules."""
    kinds = fields.items("down_block_types")
    if kinds is None:
        return fields
    plain = [str(kind).replace("BlockMotion", "Block2D") for kind in kinds]
    return Fields({**fields.config, "down_block_types": plain})


def _refuse_variants(fields: Fields) -> None:
    known = {"class_embed_type": ("projection",), "encoder_hid_dim_type": ("text_proj",)}
    for name in ("class_embed_type", "only_cross_attention", "encoder_hid_dim_type"):
        value = fields.config.get(name)
        if value and value not in known.get(name, ()):
            msg = f"{name} is {value!r}; UNets with it are not known yet"
            raise ConfigurationError(msg, field=name)


def _conditions(fields: Fields, first: int) -> tuple[Tensor, ...]:
    """Read what is added to the time step or done to the text beyond the usual: classes, guidance, a projection."""
    time = 4 * first
    found: list[Tensor] = []
    guidance = fields.optional_count("time_cond_proj_dim")
    if guidance:
        found += matrix("time_embedding.cond_proj", "projection", first, guidance)
    classes = fields.optional_count("num_class_embeds")
    if fields.text("class_embed_type", default="") == "projection":
        found += embedding("class_embedding", time, fields.count("projection_class_embeddings_input_dim"))
    elif classes:
        found.append(Tensor("class_embedding.weight", "embedding", (classes, time)))
    text = fields.optional_count("encoder_hid_dim")
    if text:
        cross = fields.count("cross_attention_dim", default=1280)
        found += matrix("encoder_hid_proj", "projection", cross, text, has_bias=True)
    return tuple(found)


def _transformers(fields: Fields, n_levels: int) -> tuple[SpatialTransformer, ...]:
    """Read the attention of each level; `attention_head_dim` holds numbers of heads, as diffusers itself reads it.

    Source: https://github.com/huggingface/diffusers/issues/2011.
    """
    name = "num_attention_heads" if fields.has("num_attention_heads") else "attention_head_dim"
    heads = _by_level(fields, name, n_levels, 8)
    blocks = _by_level(fields, "transformer_layers_per_block", n_levels, 1)
    return tuple(SpatialTransformer(n_blocks=n, n_heads=h) for n, h in zip(blocks, heads, strict=True))


def _by_level(fields: Fields, name: str, n_levels: int, default: int) -> tuple[int, ...]:
    if not isinstance(fields.config.get(name), list | tuple):
        return (fields.count(name, default=default),) * n_levels
    values = fields.counts(name, minimum=1) or ()
    if len(values) != n_levels:
        msg = f"{name} has {len(values)} entries; expected {n_levels}, one a level"
        raise ConfigurationError(msg, field=name)
    return values


def _addition_dim(fields: Fields) -> int:
    kind = fields.text("addition_embed_type", default="")
    if kind == "text_time":
        return fields.count("projection_class_embeddings_input_dim")
    if kind:
        msg = f"addition_embed_type is {kind!r}; expected 'text_time' or null"
        raise ConfigurationError(msg, field="addition_embed_type")
    return 0


def _autoencoder(fields: Fields) -> Autoencoder:
    is_flux2 = fields.text("_class_name", default="") == "AutoencoderKLFlux2"
    return Autoencoder(
        image_channels=fields.count("in_channels", default=3),
        latent_channels=fields.count("latent_channels", default=32 if is_flux2 else 4),
        widths=_widths(fields, (128, 256, 512, 512) if is_flux2 else (64,)),
        n_residual_blocks=fields.count("layers_per_block", default=2 if is_flux2 else 1),
        quant_convolutions=fields.flag("use_quant_conv", default=True),
        middle_attention=fields.flag("mid_block_add_attention", default=True),
        tile_px=fields.count("sample_size", default=512),
    )


def _widths(fields: Fields, default: tuple[int, ...]) -> tuple[int, ...]:
    return fields.counts("block_out_channels", minimum=1) or default
