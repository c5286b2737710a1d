"""Gemma 3n and Gemma 4 with their towers: one that sees and, in the small models, a conformer that hears."""

from __future__ import annotations

from attrs import evolve

from genai_hwreq.models import Attention, Dense, Layer, Norm, Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._composite import read_text, text_fields
from genai_hwreq.readers.hf_config._conformer import gemma3n_audio, gemma4_audio
from genai_hwreq.readers.hf_config._encoder import encoder_depth, image_sides, layer_run, linear, norm_weights
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._gemma_text import with_defaults
from genai_hwreq.readers.hf_config._mobilenet import mobilenet_v5
from genai_hwreq.readers.hf_config._projectors import gemma4_projector

__all__ = ["gemma4_vision", "read", "read_towers"]


_TEXT = {"gemma3n": "gemma3n_text", "gemma4": "gemma4_text"}


def _text_type(fields: Fields) -> str:
    return _TEXT[fields.text("model_type", default="gemma4")]


def read(fields: Fields) -> Transformer:
    """Read the decoder."""
    return read_text(fields, _text_type(fields), tied=fields.flag("tie_word_embeddings", default=True))


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read Gemma 3n's two towers, or those that Gemma 4's configuration has."""
    text_type = _text_type(fields)
    text_dim = with_defaults(text_fields(fields, text_type)).count("hidden_size")
    vision, audio = fields.section("vision_config"), fields.section("audio_config")
    if text_type == "gemma3n_text":
        return _gemma3n_towers(vision or Fields({}), audio or Fields({}), text_dim)
    towers: tuple[Tower, ...] = ()
    if vision is not None:
        tower = gemma4_vision(vision)
        tokens = fields.optional_count("vision_soft_tokens_per_image") or tower.output_tokens
        projector = gemma4_projector(fields, vision, tower.network.hidden_dim, text_dim)
        towers += (_with_projector(evolve(tower, output_tokens=tokens), projector),)
    if audio is not None:
        output = audio.count("output_proj_dims", default=1536)
        projector = linear("embed_audio.embedding_projection", text_dim, output, bias=False)
        towers += (_with_projector(gemma4_audio(audio), projector),)
    return towers


def _gemma3n_towers(vision: Fields, audio: Fields, text_dim: int) -> tuple[Tower, ...]:
    seeing, hearing = mobilenet_v5(), gemma3n_audio(audio)
    vision_dim = seeing.network.hidden_dim
    return (
        _with_projector(seeing, _embedder("embed_vision", vision, vision_dim, text_dim)),
        _with_projector(hearing, _embedder("embed_audio", audio, hearing.network.hidden_dim, text_dim)),
    )


def _embedder(name: str, fields: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:
    """Return Gemma 3n's projector, which also embeds the few special tokens of its modality."""
    words = fields.count("vocab_size", default=128)
    return (
        Tensor(f"{name}.embedding.weight", "embedding", (words, dim)),
        *norm_weights(f"{name}.hard_embedding_norm", dim, "rms"),
        *norm_weights(f"{name}.soft_embedding_norm", dim, "rms"),
        *linear(f"{name}.embedding_projection", text_dim, dim, bias=False),
    )


def _with_projector(tower: Tower, projector: tuple[Tensor, ...]) -> Tower:
    return evolve(tower, network=evolve(tower.network, closing=tower.network.closing + projector))


def gemma4_vision(fields: Fields) -> Tower:
    """Read Gemma 4's vision transformer: unfolded patches, a table of positions for each side, pooled rows."""
    dim = fields.count("hidden_size", default=768)
    patch = image_sides(fields, "patch_size", 16)
    positions = fields.count("position_embedding_size", default=10240)
    pooled = fields.count("pooling_kernel_size", default=3) ** 2
    tokens = fields.optional_count("default_output_length")
    network = Transformer(
        model_type="gemma4_vision",
        hidden_dim=dim,
        embeddings=(
            Tensor("patch_embedder.position_embedding_table", "position_embedding", (2, positions, dim)),
            *linear("patch_embedder.input_proj", dim, 3 * patch[0] * patch[1], bias=False),
        ),
        layers=layer_run(_gemma4_vision_layer(fields, dim), encoder_depth(fields, 16)),
    )
    stream = tokens * pooled if tokens else None
    return Tower(role="vision", network=network, stream_tokens=stream, output_tokens=tokens)


def _gemma4_vision_layer(fields: Fields, dim: int) -> Layer:
    heads = fields.count("num_attention_heads", default=12)
    head_dim = fields.count("head_dim", default=64)
    mixer = Attention(
        n_heads=heads,
        n_kv_heads=fields.count("num_key_value_heads", default=12),
        head_dim=head_dim,
        norms=(Norm(name="q_norm", dim=head_dim), Norm(name="k_norm", dim=head_dim)),
    )
    network = Dense(
        intermediate_dim=fields.count("intermediate_size", default=3072),
        activation=fields.text("hidden_activation", default="gelu_pytorch_tanh"),
    )
    names = (
        "input_layernorm",
        "post_attention_layernorm",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    )
    return Layer(
        mixers=(mixer,), feed_forward=(network,), norms=tuple(Norm(name=name, dim=dim) for name in names)
    )
