"""Whisper's encoder, and the decoders that hear through it: Voxtral, Qwen2-Audio.

Two convolutions turn a spectrogram into the stream, the second of them halving the frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._composite import read_text, text_fields
from genai_hwreq.readers.hf_config._decoder import hidden_dim
from genai_hwreq.readers.hf_config._encoder import (
    EncoderTraits,
    encoder_depth,
    encoder_layer,
    layer_run,
    linear,
    norm_weights,
)
from genai_hwreq.readers.hf_config._fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SPEECH_NORMS", "read", "read_towers", "speech_encoder"]

SPEECH_NORMS = ("self_attn_layer_norm", "final_layer_norm")
"""Names of an encoder layer's normalisations."""

_DEFAULT_TEXT = {"voxtral": "llama", "qwen2_audio": "qwen2"}
_ENCODERS: Mapping[str, Mapping[str, int]] = {
    "whisper": {"d_model": 384, "heads": 6, "ffn": 1536, "layers": 4, "bands": 80},
    "voxtral": {"d_model": 1280, "heads": 20, "ffn": 5120, "layers": 32, "bands": 128},
    "qwen2_audio": {"d_model": 1280, "heads": 20, "ffn": 5120, "layers": 32, "bands": 128},
}


def speech_encoder(fields: Fields, kind: str) -> Tower:
    """Read the encoder of one of the kinds, whose defaults differ."""
    default = _ENCODERS[kind]
    dim = fields.count("d_model", "hidden_size", default=default["d_model"])
    bands = fields.count("num_mel_bins", default=default["bands"])
    frames = fields.count("max_source_positions", default=1500)
    layer = encoder_layer(
        dim,
        fields.count("encoder_attention_heads", "num_attention_heads", default=default["heads"]),
        fields.count("encoder_ffn_dim", "intermediate_size", default=default["ffn"]),
        EncoderTraits(key_bias=False, layer_norms=SPEECH_NORMS),
        activation=fields.text("activation_function", default="gelu"),
    )
    network = Transformer(
        model_type=kind,
        hidden_dim=dim,
        embeddings=(
            Tensor("conv1.weight", "convolution", (dim, bands, 3)),
            Tensor("conv1.bias", "bias", (dim,)),
            Tensor("conv2.weight", "convolution", (dim, dim, 3)),
            Tensor("conv2.bias", "bias", (dim,)),
            Tensor("embed_positions.weight", "position_embedding", (frames, dim)),
        ),
        layers=layer_run(
            layer, encoder_depth(fields, default["layers"], "encoder_layers", "num_hidden_layers")
        ),
        closing=norm_weights("layer_norm", dim),
    )
    return Tower(role="audio", network=network, stream_tokens=frames, output_tokens=frames)


def _kind(fields: Fields) -> str:
    return fields.text("model_type", default="voxtral")


def read(fields: Fields) -> Transformer:
    """Read the decoder of Voxtral or Qwen2-Audio, whose head is always its own."""
    kind = _kind(fields)
    absent = {"head_dim": 128} if kind == "voxtral" else {}
    return read_text(fields, _DEFAULT_TEXT[kind], tied=False, absent=absent)


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read the encoder with its projector."""
    kind = _kind(fields)
    audio = fields.section("audio_config") or Fields({})
    tower = speech_encoder(audio, kind)
    dim = tower.network.hidden_dim
    text_dim = hidden_dim(text_fields(fields, _DEFAULT_TEXT[kind]))
    frames = tower.stream_tokens or 1500
    if kind == "voxtral":  # four frames beside each other become one token
        joined = audio.count("intermediate_size", default=5120)
        projector = (
            *linear("multi_modal_projector.linear_1", text_dim, joined, bias=False),
            *linear("multi_modal_projector.linear_2", text_dim, text_dim, bias=False),
        )
        tokens = frames * dim // joined
    else:  # pairs of frames are averaged
        projector = linear("multi_modal_projector.linear", text_dim, dim)
        tokens = frames // 2
    network = evolve(tower.network, closing=tower.network.closing + projector)
    return (evolve(tower, network=network, output_tokens=max(1, tokens)),)
