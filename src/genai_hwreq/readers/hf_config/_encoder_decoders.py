"""Encoder-decoders: Whisper, T5 and the BART family. The encoder is a tower; the decoder attends to it.

A decoder layer has two mixers: attention over the tokens so far, and attention over the encoder's rows,
whose keys and values are computed once for an input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from genai_hwreq.models import CrossAttention, Layer, Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, vocabulary_head
from genai_hwreq.readers.hf_config._encoder import (
    EncoderTraits,
    encoder_depth,
    encoder_layer,
    layer_run,
    norm_weights,
)
from genai_hwreq.readers.hf_config._speech_encoders import SPEECH_NORMS, speech_encoder

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read", "read_towers"]


@frozen(kw_only=True)
class _Bart:
    """What sets a member of the BART family apart."""

    padding_rows: int | None = 2
    """Stored positions beyond those of the longest text; `None` where positions are computed, not stored."""

    embedding_norm: bool = True
    """Whether the embeddings are normalised."""

    final_norm: bool = False
    """Whether encoder and decoder end in a normalisation."""

    vocab_size: int = 50265
    """Vocabulary where the configuration does not say."""


_FAMILIES: dict[str, _Bart] = {
    "bart": _Bart(),
    "m2m_100": _Bart(padding_rows=None, embedding_norm=False, final_norm=True, vocab_size=128112),
    "marian": _Bart(padding_rows=0, embedding_norm=False, vocab_size=58101),
    "mbart": _Bart(final_norm=True),
    "pegasus": _Bart(padding_rows=0, embedding_norm=False, final_norm=True),
}
_DECODER_NORMS = ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")


def read(fields: Fields) -> Transformer:
    """Read the decoder, whose embedding the encoder shares."""
    if fields.text("model_type", default="") == "whisper":
        return _whisper_decoder(fields)
    return _bart_network(fields, "decoder")


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read the encoder."""
    if fields.text("model_type", default="") == "whisper":
        return (speech_encoder(fields, "whisper"),)
    return (Tower(role="text", network=_bart_network(fields, "encoder")),)


def _decoder_layer(dim: int, heads: int, width: int, *, key_bias: bool, activation: str) -> Layer:
    traits = EncoderTraits(key_bias=key_bias, layer_norms=_DECODER_NORMS)
    plain = encoder_layer(dim, heads, width, traits, activation=activation)
    cross = CrossAttention(
        n_heads=heads,
        n_kv_heads=heads,
        head_dim=dim // heads,
        source_dim=dim,
        query_bias=True,
        key_bias=key_bias,
        output_bias=True,
    )
    return Layer(mixers=(*plain.mixers, cross), feed_forward=plain.feed_forward, norms=plain.norms)


def _whisper_decoder(fields: Fields) -> Transformer:
    fields = fields.with_defaults({"vocab_size": 51865})
    dim, vocab_size = fields.count("d_model", default=384), fields.count("vocab_size")
    positions = fields.count("max_target_positions", default=448)
    layer = _decoder_layer(
        dim,
        fields.count("decoder_attention_heads", default=6),
        fields.count("decoder_ffn_dim", default=1536),
        key_bias=False,
        activation=fields.text("activation_function", default="gelu"),
    )
    return Transformer(
        model_type="whisper",
        hidden_dim=dim,
        vocab_size=vocab_size,
        embeddings=(
            Tensor("embed_tokens.weight", "embedding", (vocab_size, dim)),
            Tensor("embed_positions.weight", "position_embedding", (positions, dim)),
        ),
        layers=layer_run(layer, encoder_depth(fields, 4, "decoder_layers")),
        closing=norm_weights("layer_norm", dim),
        head=vocabulary_head(fields, DecoderTraits(tied=True), dim),
    )


def _bart_network(fields: Fields, part: Literal["encoder", "decoder"]) -> Transformer:
    model_type = fields.text("model_type", default="bart")
    family = _FAMILIES[model_type]
    fields = fields.with_defaults({"vocab_size": family.vocab_size})
    dim, vocab_size = fields.count("d_model", default=1024), fields.count("vocab_size")
    is_decoder = part == "decoder"
    heads = fields.count(f"{part}_attention_heads", default=16)
    width = fields.count(f"{part}_ffn_dim", default=4096)
    activation = fields.text("activation_function", default="gelu")
    own_embedding = not fields.flag("tie_word_embeddings", default=True)  # then even the two parts share none
    names = (("shared",) if is_decoder else ()) + (("embed_tokens",) if own_embedding else ())
    embedding = tuple(Tensor(f"{name}.weight", "embedding", (vocab_size, dim)) for name in names)
    return Transformer(
        model_type=model_type,
        hidden_dim=dim,
        vocab_size=vocab_size if is_decoder else 0,
        embeddings=embedding + _bart_positions(fields, family, dim),
        layers=layer_run(
            _decoder_layer(dim, heads, width, key_bias=True, activation=activation)
            if is_decoder
            else encoder_layer(
                dim, heads, width, EncoderTraits(layer_norms=SPEECH_NORMS), activation=activation
            ),
            encoder_depth(fields, 12, f"{part}_layers"),
        ),
        closing=norm_weights("layer_norm", dim) if family.final_norm else (),
        head=vocabulary_head(fields, DecoderTraits(tied=True), dim) if is_decoder else (),
    )


def _bart_positions(fields: Fields, family: _Bart, dim: int) -> tuple[Tensor, ...]:
    positions: tuple[Tensor, ...] = ()
    if family.padding_rows is not None:
        rows = fields.count("max_position_embeddings", default=1024) + family.padding_rows
        positions = (Tensor("embed_positions.weight", "position_embedding", (rows, dim)),)
    return positions + (norm_weights("layernorm_embedding", dim) if family.embedding_norm else ())
