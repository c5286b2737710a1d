"""What decides caches and active parameters in decoders with mixtures of experts, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, Dense, Experts, TransformerModel, model_inventory, n_active_params
from genai_hwreq.readers.hf_config import read_config

TINY: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 96,
}

STEP = {"layer_types": ["sliding_attention"] * 4, "sliding_window": 8}


def tiny(model_type: str, **fields: object) -> TransformerModel:
    """Read a tiny model of one family."""
    return read_config({"model_type": model_type, **TINY, **fields})


def attentions(model: TransformerModel) -> list[Attention]:
    """Return the attention of each layer, first to last."""
    found = []
    for run in model.decoder.layers:
        attention = run.layer.mixers[0]
        assert isinstance(attention, Attention)
        found.extend([attention] * run.n_layers)
    return found


def windows(model: TransformerModel) -> list[int | None]:
    """Return the window of each layer, first to last."""
    return [attention.window_tokens for attention in attentions(model)]


@pytest.mark.parametrize(
    ("model_type", "fields", "expected"),
    [
        ("mixtral", {"sliding_window": 16}, [16] * 4),
        ("mixtral", {}, [None] * 4),
        ("qwen2_moe", {"use_sliding_window": True, "max_window_layers": 2}, [4096, None, None, None]),
        (
            "qwen2_moe",
            {"use_sliding_window": True, "layer_types": ["sliding_attention"] + ["full_attention"] * 3},
            [4096, None, None, None],
        ),
        ("qwen2_moe", {}, [None] * 4),
        ("qwen3_moe", {"use_sliding_window": True, "sliding_window": 8}, [8] * 4),
        ("gpt_oss", {}, [128, None, 128, None]),
        (
            "gpt_oss",
            {"layer_types": ["full_attention"] * 3 + ["sliding_attention"]},
            [None, None, None, 128],
        ),
        (
            "dots1",
            {"n_routed_experts": 4, "num_experts_per_tok": 1, "max_window_layers": 3},
            [None, None, None, 4096],
        ),
        (
            "dots1",
            {
                "n_routed_experts": 4,
                "num_experts_per_tok": 1,
                "layer_types": ["sliding_attention"] * 2 + ["full_attention"] * 2,
            },
            [4096, 4096, None, None],
        ),
        ("afmoe", {}, [1024, 1024, 1024, None]),
        ("afmoe", {"global_attn_every_n_layers": 2, "sliding_window": 8}, [8, None, 8, None]),
        ("granitemoe_swa", {}, [None, 128, 128, 128]),
        (
            "granitemoe_swa",
            {"layer_types": ["sliding_attention"] + ["full_attention"] * 3},
            [128, None, None, None],
        ),
        ("mellum", {}, [None] * 4),
        ("mellum", {"layer_types": ["sliding_attention"] * 4}, [1024] * 4),
        ("exaone_moe", {}, [4096, 4096, 4096, None]),
        ("cohere2_moe", {"first_k_dense_replace": 1}, [None, 4096, 4096, 4096]),
        (
            "cohere2_moe",
            {"layer_types": ["full_attention"] * 3 + ["sliding_attention"]},
            [None, None, None, 4096],
        ),
        ("mimo_v2_flash", {}, [None, 129, 129, 129]),
        (
            "mimo_v2_flash",
            {"sliding_window_size": 16, "hybrid_layer_pattern": [0, 1, 0, 1]},
            [None, 17, None, 17],
        ),
        (
            "mimo_v2_flash",
            {"layer_types": ["sliding_attention"] + ["full_attention"] * 3},
            [129, None, None, None],
        ),
        ("llama4_text", {}, [8192, 8192, 8192, None]),
        ("llama4_text", {"no_rope_layers": [0, 1, 1, 0]}, [None, 8192, 8192, None]),
        (
            "llama4_text",
            {"layer_types": ["chunked_attention"] + ["full_attention"] * 3, "attention_chunk_size": 32},
            [32, None, None, None],
        ),
        (
            "step3p5",
            {"layer_types": ["sliding_attention"] + ["full_attention"] * 5, "sliding_window": 16},
            [16, None, None, None],
        ),
        ("step3p5", {}, [None] * 4),
    ],
)
def test_windows(model_type: str, fields: dict[str, Any], expected: list[int | None]) -> None:
    """Each layer sees what the real class lets it see."""
    assert expected == windows(tiny(model_type, **fields))


def test_mimo_doubles_key_value_heads_under_a_window() -> None:
    """MiMo's windowed layers have twice the key/value heads, narrow values and sinks."""
    full, sliding = attentions(tiny("mimo_v2_flash"))[:2]
    assert (full.n_kv_heads, full.head_dim, full.value_head_dim, full.sinks) == (4, 192, 128, False)
    assert (
        sliding.n_kv_heads,
        sliding.head_dim,
        sliding.value_head_dim,
        sliding.sinks,
    ) == (8, 192, 128, True)


def test_llama4_sees_chunks_and_normalises_without_weights() -> None:
    """Llama 4's windows come in chunks, and its query/key normalisation stores nothing."""
    first = attentions(tiny("llama4_text"))[0]
    assert first.window_kind == "chunked"
    assert [norm.weight for norm in first.norms] == [False]


def test_minimax_m3_indexes_sparse_layers_only() -> None:
    """Only MiniMax-M3's sparse layers have an indexer, whose key is cached."""
    model = tiny("minimax_m3", layer_types=["full_attention"] * 3 + ["minimax_m3_sparse"])
    assert [attention.index_head_dim for attention in attentions(model)] == [0, 0, 0, 128]


def test_layers_without_experts_are_dense() -> None:
    """A layer that the rule leaves out has one dense network of the family's dense width."""
    model = tiny("llama4_text", interleave_moe_layer_step=2, intermediate_size_mlp=80)
    kinds = [run.layer.feed_forward[0] for run in model.decoder.layers]
    assert [Dense, Experts, Dense, Experts] == [type(kind) for kind in kinds]
    assert isinstance(kinds[0], Dense)
    assert kinds[0].intermediate_dim == 80


def test_arctic_has_a_dense_network_beside_its_experts() -> None:
    """Arctic's layers pass a dense network as wide as the stream as well as their experts, unless switched off."""
    with_both = tiny("arctic", moe_layer_frequency=2)
    plain = tiny("arctic", moe_layer_frequency=2, parallel_attn_mlp_res=False)
    assert [len(run.layer.feed_forward) for run in with_both.decoder.layers] == [1, 2, 1, 2]
    assert model_inventory(with_both).n_params - model_inventory(plain).n_params == 2 * (3 * 64 * 64 + 64)


@pytest.mark.parametrize(
    ("model_type", "fields", "expected"),
    [
        # two of eight experts: six idle ones of three matrices in each layer
        ("mixtral", {}, 6 * 3 * 64 * 96 * 4),
        # their biases are idle too
        ("gpt_oss", {"num_local_experts": 12}, 8 * (3 * 64 * 96 + 2 * 96 + 64) * 4),
        # unused query and output experts as well
        ("jetmoe", {"kv_channels": 8}, 6 * (3 * 64 * 96 + 2 * 64 * 32) * 4),
    ],
)
def test_idle_parameters(model_type: str, fields: dict[str, Any], expected: int) -> None:
    """What a token does not pass are the experts it is not sent to, and nothing else."""
    model = tiny(model_type, **fields)
    assert expected == model_inventory(model).n_params - n_active_params(model)


@pytest.mark.parametrize(
    ("model_type", "fields", "field"),
    [
        ("mixtral", {"num_local_experts": 2, "num_experts_per_tok": 3}, "num_experts_per_tok"),
        ("mixtral", {"num_local_experts": 0}, "num_experts_per_tok"),
        ("mixtral", {"num_local_experts": "many"}, "num_local_experts"),
        ("mixtral", {"intermediate_size": None}, "intermediate_size"),
        ("dots1", {}, "num_local_experts"),
        ("qwen3_moe", {"decoder_sparse_step": 0}, "decoder_sparse_step"),
        ("hunyuan_v1_moe", {"moe_topk": [1]}, "moe_topk"),
        ("hy_v3", {"mlp_layer_types": ["dense"]}, "mlp_layer_types"),
        ("minimax_m3", {"moe_layer_freq": [1]}, "moe_layer_freq"),
        ("gpt_oss", {"layer_types": ["full_attention"]}, "layer_types"),
        ("llama4_text", {"layer_types": ["full_attention"]}, "layer_types"),
        ("mimo_v2_flash", {"hybrid_layer_pattern": [1]}, "hybrid_layer_pattern"),
        ("mimo_v2_flash", {"swa_num_key_value_heads": 3}, "num_key_value_heads"),
        ("step3p5", {**STEP, "attention_other_setting": []}, "attention_other_setting"),
        ("dbrx", {"ffn_config": 3}, "ffn_config"),
        ("mixtral", {"num_hidden_layers": 10**9}, "num_hidden_layers"),
    ],
)
def test_refusals(model_type: str, fields: dict[str, Any], field: str) -> None:
    """A configuration that cannot be understood is refused by the name of its field."""
    with pytest.raises(ConfigurationError) as caught:
        tiny(model_type, **fields)
    assert caught.value.field == field
