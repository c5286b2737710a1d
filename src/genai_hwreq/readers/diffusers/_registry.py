"""Class names of diffusers' networks and the readers that know them.

A class is added by one line of `NETWORKS` and one function.

Next: diffusers_config.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import EnumeratedNetwork
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["NETWORKS", "reader_of"]

NETWORKS: dict[str, str] = {
    "AllegroTransformer3DModel": "_video_transformers:allegro",
    "AuraFlowTransformer2DModel": "_image_transformers:auraflow",
    "AutoencoderDC": "_compressors:deep_compression",
    "AutoencoderKLAllegro": "_autoencoders:allegro",
    "AutoencoderKLCogVideoX": "_autoencoders:cogvideox",
    "AutoencoderKLHunyuanVideo": "_autoencoders:hunyuan_video",
    "AutoencoderKLLTXVideo": "_frame_autoencoders:ltx_video",
    "AutoencoderKLMochi": "_adapters:mochi_autoencoder",
    "AutoencoderKLQwenImage": "_wan_autoencoders:wan",
    "AutoencoderKLTemporalDecoder": "_frame_autoencoders:temporal_decoder",
    "AutoencoderKLWan": "_wan_autoencoders:wan",
    "AutoencoderOobleck": "_compressors:oobleck",
    "AutoencoderTiny": "_adapters:tiny_autoencoder",
    "ChromaTransformer2DModel": "_rotary_transformers:chroma",
    "CogVideoXTransformer3DModel": "_video_transformers:cogvideox",
    "CogView3PlusTransformer2DModel": "_image_transformers:cogview3_plus",
    "CogView4Transformer2DModel": "_image_transformers:cogview4",
    "ConsisIDTransformer3DModel": "_consisid:consisid",
    "Flux2Transformer2DModel": "_rotary_transformers:flux2",
    "FluxTransformer2DModel": "_rotary_transformers:flux",
    "HiDreamImageTransformer2DModel": "_further_transformers:hidream",
    "HunyuanDiT2DModel": "_further_transformers:hunyuan_dit",
    "HunyuanImageTransformer2DModel": "_hunyuan_transformers:hunyuan_image",
    "HunyuanVideo15Transformer3DModel": "_hunyuan_transformers:hunyuan_video_15",
    "HunyuanVideoTransformer3DModel": "_hunyuan_transformers:hunyuan_video",
    "LTX2VideoTransformer3DModel": "_sound_transformers:ltx2_video",
    "LTXVideoTransformer3DModel": "_video_transformers:ltx_video",
    "LongCatImageTransformer2DModel": "_rotary_transformers:longcat",
    "Lumina2Transformer2DModel": "_sequence_transformers:lumina2",
    "MochiTransformer3DModel": "_sound_transformers:mochi",
    "MotionAdapter": "_adapters:motion_adapter",
    "OmniGenTransformer2DModel": "_further_transformers:omnigen",
    "PixArtTransformer2DModel": "_image_transformers:pixart",
    "PriorTransformer": "_further_transformers:prior",
    "QwenImageTransformer2DModel": "_sequence_transformers:qwen_image",
    "SD3Transformer2DModel": "_image_transformers:sd3",
    "SanaTransformer2DModel": "_image_transformers:sana",
    "StableAudioDiTModel": "_sound_transformers:stable_audio",
    "UNet3DConditionModel": "_unets:three_dimensional",
    "UNetSpatioTemporalConditionModel": "_unets:spatio_temporal",
    "WanTransformer3DModel": "_video_transformers:wan",
    "ZImageTransformer2DModel": "_sequence_transformers:z_image",
}
"""Class name → module of this package and function. A module is imported when one of its classes is first read."""


def reader_of(class_name: str) -> Callable[[Fields], EnumeratedNetwork] | None:
    """Return the function that reads a class's configuration, or `None` where the class is not known."""
    target = NETWORKS.get(class_name)
    if target is None:
        return None
    module, _, function = target.partition(":")
    found: Callable[[Fields], EnumeratedNetwork] = getattr(
        import_module(f"genai_hwreq.readers.diffusers.{module}"), function
    )
    return found
