"""Encoders of text and MusicGen's decoder.

The expected counts are those of the real classes of Transformers 5.23, built without memory from the same fields.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.models import Attention, CrossAttention, model_inventory
from genai_hwreq.readers.hf_config import read_config

PLAIN: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 40,
}


COUNTS: list[tuple[str, dict[str, Any], int]] = [
    ("bert", {**PLAIN, "architectures": ["BertModel"]}, 115_488),
    ("bert", {**PLAIN, "architectures": ["BertForMaskedLM"]}, 115_936),
    ("roberta", {**PLAIN, "architectures": ["RobertaModel"]}, 115_488),
    ("roberta", {**PLAIN, "architectures": ["RobertaForMaskedLM"]}, 115_936),
    ("xlm-roberta", {**PLAIN, "architectures": ["XLMRobertaModel"]}, 115_488),
    ("xlm-roberta", {**PLAIN, "architectures": ["XLMRobertaForMaskedLM"]}, 115_936),
    ("camembert", {**PLAIN, "architectures": ["CamembertModel"]}, 115_488),
    ("camembert", {**PLAIN, "architectures": ["CamembertForMaskedLM"]}, 115_936),
    (
        "bert",
        {**PLAIN, "architectures": ["BertForMaskedLM"], "tie_word_embeddings": False, "type_vocab_size": 1},
        136_672,
    ),
    ("nomic_bert", {**PLAIN, "architectures": ["NomicBertModel"]}, 125_952),
    ("modernbert", {**PLAIN, "architectures": ["ModernBertModel"]}, 125_376),
    (
        "modernbert",
        {
            **PLAIN,
            "architectures": ["ModernBertForMaskedLM"],
            "norm_bias": True,
            "attention_bias": True,
            "mlp_bias": True,
            "classifier_bias": True,
        },
        131_968,
    ),
    ("modernbert", {**PLAIN, "architectures": ["ModernBertForMaskedLM"], "decoder_bias": False}, 129_536),
    ("modernbert-decoder", PLAIN, 129_856),
    (
        "musicgen_decoder",
        {
            "vocab_size": 32,
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "ffn_dim": 96,
            "num_codebooks": 2,
        },
        144_768,
    ),
    (
        "musicgen_decoder",
        {
            "vocab_size": 32,
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "ffn_dim": 96,
        },
        153_088,
    ),
]


@pytest.mark.parametrize(("model_type", "config", "n_params"), COUNTS)
def test_parameter_count_equals_that_of_the_real_class(
    model_type: str, config: dict[str, Any], n_params: int
) -> None:
    """The count from the configuration alone equals the real class's, to the parameter."""
    model = read_config({"model_type": model_type, **config})

    assert n_params == model_inventory(model).n_params


BERT = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}


def test_a_bare_encoder_has_no_logits() -> None:
    """Without a language head there are no logits to hold."""
    assert read_config({"model_type": "bert", **BERT}).decoder.vocab_size == 0


@pytest.mark.parametrize(
    ("model_type", "config", "expected"),
    [
        ("modernbert", {}, [None, 128, 128, None]),
        ("modernbert", {"global_attn_every_n_layers": 2, "local_attention": 32}, [None, 32, None, 32]),
        ("modernbert-decoder", {"sliding_window": 20}, [None, 20, 20, None]),
    ],
)
def test_modernbert_alternates_whole_sight_and_windows(
    model_type: str, config: dict[str, Any], expected: list[int | None]
) -> None:
    """Every third layer sees all; the encoder's window counts both sides, the decoder's the past alone."""
    spans: list[int | None] = []
    for run in read_config({"model_type": model_type, **BERT, **config}).decoder.layers:
        (mixer,) = run.layer.mixers
        assert isinstance(mixer, Attention)
        spans += [mixer.window_tokens] * run.n_layers

    assert expected == spans


def test_musicgen_attends_to_the_text_in_every_layer() -> None:
    """Each layer has an attention to the past and one to the text, and there is one set of logits a codebook."""
    config = {
        "vocab_size": 32,
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "ffn_dim": 96,
    }
    decoder = read_config({"model_type": "musicgen_decoder", **config, "num_codebooks": 2}).decoder
    (run,) = decoder.layers
    own, cross = run.layer.mixers

    assert isinstance(own, Attention)
    assert isinstance(cross, CrossAttention)
    assert (decoder.vocab_size, decoder.n_layers) == (64, 3)
