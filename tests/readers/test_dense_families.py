"""Decoders that differ from Llama in a few vectors and names.

The expected counts are those of the real classes of Transformers 5.23, built without memory from the same fields.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, TransformerModel, model_inventory
from genai_hwreq.readers.hf_config import read_config

TINY: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
}

COUNTS: list[tuple[str, dict[str, Any], int]] = [
    ("llama", {}, 133_568),
    (
        "llama",
        {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "head_dim": 32},
        151_680,
    ),
    ("iquestcoder", {}, 391_616),
    ("mistral", {}, 133_568),
    ("ministral", {"head_dim": 24}, 152_000),
    ("ministral3", {}, 391_616),
    ("qwen2", {}, 133_952),
    ("qwen3", {"attention_bias": True}, 395_648),
    ("gemma", {}, 666_048),
    ("gemma2", {}, 666_432),
    ("gemma3_text", {"tie_word_embeddings": False}, 688_448),
    ("vaultgemma", {}, 666_048),
    ("phi3", {}, 133_568),
    ("cohere", {}, 112_896),
    ("cohere", {"use_qk_norm": True, "attention_bias": True}, 113_760),
    ("cohere2", {}, 112_896),
    ("stablelm", {}, 134_016),
    ("stablelm", {"use_qkv_bias": True, "qk_layernorm": True, "use_parallel_residual": True}, 134_304),
    ("nemotron", {"mlp_bias": True}, 116_064),
    ("arcee", {}, 115_136),
    ("jais2", {}, 116_640),
    ("granite", {}, 133_568),
    ("granite_swa", {}, 113_100),
    ("cwm", {}, 391_616),
    ("hyperclovax", {}, 133_952),
    ("hyperclovax", {"use_post_norm": False}, 133_568),
    ("glm", {}, 394_688),
    ("glm4", {"attention_bias": False}, 392_000),
    ("internlm3", {"qkv_bias": True, "bias": True}, 395_648),
    ("exaone4", {}, 133_664),
    ("olmo", {}, 133_120),
    ("olmo2", {}, 133_856),
    ("olmo3", {}, 133_856),
    ("smollm3", {}, 113_088),
    ("seed_oss", {}, 394_688),
    ("seed_oss", {"attention_out_bias": True, "attention_bias": False}, 391_808),
    ("apertus", {}, 115_238),
    ("helium", {"head_dim": 16, "attention_bias": True}, 133_952),
    ("ernie4_5", {}, 371_136),
    ("ernie4_5", {"use_bias": True}, 375_168),
    ("hunyuan_v1_dense", {"head_dim": 16}, 133_664),
    ("bitnet", {}, 134_048),
    ("diffllama", {}, 133_760),
    ("nanochat", {}, 114_688),
    (
        "minicpm3",
        {
            "num_key_value_heads": 4,
            "q_lora_rank": 24,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 12,
            "attention_bias": True,
        },
        103_560,
    ),
    (
        "youtu",
        {
            "num_key_value_heads": 4,
            "q_lora_rank": None,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 12,
        },
        106_224,
    ),
]


@pytest.mark.parametrize(("model_type", "config", "n_params"), COUNTS)
def test_parameter_count_equals_that_of_the_real_class(
    model_type: str, config: dict[str, Any], n_params: int
) -> None:
    """The count from the configuration alone equals the real class's, to the parameter."""
    model = read_config({"model_type": model_type, **TINY, **config})

    assert n_params == model_inventory(model).n_params


def windows(model: TransformerModel) -> list[int | None]:
    """Return each layer's window."""
    spans: list[int | None] = []
    for run in model.decoder.layers:
        (mixer,) = run.layer.mixers
        assert isinstance(mixer, Attention)
        spans += [mixer.window_tokens] * run.n_layers
    return spans


ALL = None
LISTED = {"layer_types": ["full_attention", "sliding_attention", "full_attention"], "sliding_window": 16}

WINDOWS: list[tuple[str, dict[str, Any], list[int | None]]] = [
    ("llama", {"sliding_window": 16}, [ALL, ALL, ALL]),
    ("mistral", {}, [ALL, ALL, ALL]),
    ("mistral", {"sliding_window": 4096}, [4096, 4096, 4096]),
    ("mistral", {"sliding_window": None}, [ALL, ALL, ALL]),
    ("ministral", {"sliding_window": 16}, [16, 16, 16]),
    ("ministral3", {}, [ALL, ALL, ALL]),
    ("phi3", {"sliding_window": 16}, [16, 16, 16]),
    ("starcoder2", {"sliding_window": 16}, [16, 16, 16]),
    ("qwen2", {"sliding_window": 16, "max_window_layers": 1}, [ALL, ALL, ALL]),
    ("qwen2", {"sliding_window": 16, "max_window_layers": 1, "use_sliding_window": True}, [ALL, 16, 16]),
    ("qwen2", {"use_sliding_window": True, "max_window_layers": 2}, [ALL, ALL, 4096]),
    ("qwen3", {"use_sliding_window": True, **LISTED}, [ALL, 16, ALL]),
    ("gemma2", {}, [4096, ALL, 4096]),
    ("gemma2", LISTED, [ALL, 16, ALL]),
    ("gemma3_text", {"sliding_window": 16}, [16, 16, 16]),
    ("gemma3_text", {"sliding_window": 16, "sliding_window_pattern": 2}, [16, ALL, 16]),
    ("gemma3_text", {"sliding_window": 16, "_sliding_window_pattern": 3}, [16, 16, ALL]),
    ("gemma3_text", {"sliding_window": 16, "use_bidirectional_attention": True}, [9, 9, 9]),
    ("cohere2", {"sliding_window": 16, "sliding_window_pattern": 3}, [16, 16, ALL]),
    ("exaone4", {"sliding_window": 16, "sliding_window_pattern": "LG"}, [16, ALL, 16]),
    ("exaone4", {"sliding_window": None}, [ALL, ALL, ALL]),
    ("olmo3", {"num_hidden_layers": 4}, [4096, 4096, 4096, ALL]),
    ("cwm", {}, [ALL, 8192, 8192]),
    ("granite_swa", {}, [ALL, 128, 128]),
    ("smollm3", {"sliding_window": 16, "no_rope_layers": [1, 0, 1]}, [ALL, ALL, ALL]),
    (
        "smollm3",
        {"sliding_window": 16, "no_rope_layers": [1, 0, 1], "use_sliding_window": True},
        [ALL, 16, ALL],
    ),
    (
        "smollm3",
        {"sliding_window": 16, "no_rope_layer_interval": 3, "use_sliding_window": True},
        [ALL, ALL, 16],
    ),
    ("smollm3", LISTED, [ALL, 16, ALL]),
]


@pytest.mark.parametrize(("model_type", "config", "expected"), WINDOWS)
def test_each_layer_has_the_window_of_its_rule(
    model_type: str, config: dict[str, Any], expected: list[int | None]
) -> None:
    """Listed layers, patterns, first windowed layers and switches give each layer its window."""
    assert expected == windows(read_config({"model_type": model_type, **TINY, **config}))


def test_null_key_value_heads_mean_as_many_as_query_heads() -> None:
    """A null field is not an absent one: it means plain multi-head attention, not the family's default."""
    (run,) = read_config({"model_type": "mistral", **TINY, "num_key_value_heads": None}).decoder.layers
    (mixer,) = run.layer.mixers

    assert isinstance(mixer, Attention)
    assert mixer.n_kv_heads == TINY["num_attention_heads"]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("llama", {"num_key_value_heads": 3}, "expected a divisor"),
    ("llama", {"hidden_size": None}, "missing"),
    ("llama", {"num_hidden_layers": 10**9}, "at most"),
    ("gemma2", {"layer_types": ["full_attention"]}, "one for each"),
    ("smollm3", {"use_sliding_window": True, "no_rope_layers": [1]}, "one for each"),
    ("cohere2", {"sliding_window_pattern": -1}, "whole number"),
    ("qwen2", {"use_sliding_window": "yes"}, "true or false"),
    ("gemma3_text", {"sliding_window": 0, "use_bidirectional_attention": True}, "whole number"),
]


@pytest.mark.parametrize(("model_type", "config", "message"), REFUSED)
def test_nonsense_is_refused_with_its_field(model_type: str, config: dict[str, Any], message: str) -> None:
    """A field that cannot be is refused by an error that says what was expected."""
    with pytest.raises(ConfigurationError, match=message):
        read_config({"model_type": model_type, **TINY, **config})
