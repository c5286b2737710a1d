"""Families whose modelling code is published beside the checkpoint.

The expected counts are those of the published checkpoints.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, model_inventory
from genai_hwreq.readers.hf_config import read_config

SEVEN_B: dict[str, Any] = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 11008,
}

GROUPED: dict[str, Any] = {**SEVEN_B, "num_key_value_heads": 8, "intermediate_size": 14336}

GLM: dict[str, Any] = {
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "kv_channels": 128,
    "ffn_hidden_size": 13696,
    "add_bias_linear": False,
    "add_qkv_bias": True,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
}

COUNTS: list[tuple[str, dict[str, Any], int]] = [
    (
        "qwen",
        {**SEVEN_B, "intermediate_size": 22016, "vocab_size": 151936, "kv_channels": 128},
        7_721_324_544,
    ),
    ("baichuan", {**SEVEN_B, "vocab_size": 125696}, 7_505_973_248),
    ("internlm", {**SEVEN_B, "vocab_size": 103168, "bias": True}, 7_321_948_160),
    ("internlm2", {**GROUPED, "vocab_size": 92544, "bias": False}, 7_737_708_544),
    ("chatglm", {**GLM, "num_layers": 28, "padded_vocab_size": 65024}, 6_243_584_000),
    ("chatglm", {**GLM, "num_layers": 40, "padded_vocab_size": 151552}, 9_399_951_360),
    ("exaone", {**GROUPED, "vocab_size": 102400, "tie_word_embeddings": False}, 7_818_448_896),
    # The file of this one holds 2048 numbers more: rotary frequencies, which are no parameters.
    ("phi3small", {**SEVEN_B, "ff_intermediate_size": 14336, "vocab_size": 100352}, 7_392_272_384),
    (
        "minicpm",
        {
            "hidden_size": 2304,
            "num_hidden_layers": 40,
            "num_attention_heads": 36,
            "intermediate_size": 5760,
            "vocab_size": 122753,
        },
        2_724_880_896,
    ),
    (
        "mimo",
        {
            **GROUPED,
            "num_hidden_layers": 36,
            "intermediate_size": 11008,
            "vocab_size": 151680,
            "num_nextn_predict_layers": 1,
        },
        7_833_409_536,
    ),
]


@pytest.mark.parametrize(("model_type", "config", "n_params"), COUNTS)
def test_parameter_count_equals_the_published_one(
    model_type: str, config: dict[str, Any], n_params: int
) -> None:
    """The count from the configuration alone equals the checkpoint's, to the parameter."""
    model = read_config({"model_type": model_type, **config})

    assert n_params == model_inventory(model).n_params


def test_qwen_states_gate_and_up_together_unless_rewritten() -> None:
    """Half of a width above four times the stream's, and all of a smaller one, is the width of the network."""
    config = {"model_type": "qwen", **SEVEN_B, "vocab_size": 151936}
    stated, rewritten = (
        read_config({**config, "intermediate_size": width}).decoder.layers for width in (22016, 11008)
    )

    assert stated == rewritten


def test_predicting_layers_stand_beside_the_decoder() -> None:
    """MiMo's extra layers are no part of the decoder, and absent where the configuration has none."""
    config = {"model_type": "mimo", **GROUPED, "vocab_size": 151680}

    assert read_config(config).towers == ()
    (tower,) = read_config({**config, "num_nextn_predict_layers": 2}).towers
    assert (tower.role, tower.network.n_layers) == ("prediction", 2)


@pytest.mark.parametrize(("grouped", "n_kv_heads"), [(True, 2), (False, 32)])
def test_chatglm_shares_keys_only_when_told(grouped: bool, n_kv_heads: int) -> None:
    """`multi_query_group_num` counts only where multi-query attention is on."""
    config = {**GLM, "num_layers": 2, "padded_vocab_size": 64, "multi_query_attention": grouped}
    (run,) = read_config({"model_type": "chatglm", **config}).decoder.layers
    (mixer,) = run.layer.mixers

    assert isinstance(mixer, Attention)
    assert n_kv_heads == mixer.n_kv_heads


def test_first_chatglm_has_an_ungated_network_and_biases() -> None:
    """The first ChatGLM shares the `model_type`, but stores other weights."""
    config = {
        "model_type": "chatglm",
        "hidden_size": 8,
        "num_layers": 1,
        "num_attention_heads": 2,
        "inner_hidden_size": 32,
        "vocab_size": 10,
    }
    attention = 3 * 8 * 8 + 3 * 8 + 8 * 8 + 8
    network = 2 * 8 * 32 + 32 + 8
    norms = 3 * 2 * 8

    assert 2 * 10 * 8 + attention + network + norms == model_inventory(read_config(config)).n_params


SEARCHED: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 100,
}

BLOCKS: list[dict[str, Any]] = [
    {"attention": {"n_heads_in_group": 2}, "ffn": {"ffn_mult": 6.0}},
    {"attention": {"n_heads_in_group": 4}, "ffn": {"intermediate_size": 40}},
    {"attention": {"no_op": True}, "ffn": {"replace_with_linear": True}},
    {"attention": {"replace_with_linear": True}, "ffn": {"no_op": True}},
]


def test_searched_blocks_may_leave_parts_out_or_replace_them() -> None:
    """Each block stores what its own entry says: grouped heads, a width, one matrix or nothing."""
    model = read_config({"model_type": "nemotron-nas", **SEARCHED, "block_configs": BLOCKS})
    ends = 2 * 100 * 64 + 64
    two_groups = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 256 + 2 * 64
    one_group = 2 * 64 * 64 + 2 * 64 * 16 + 3 * 64 * 40 + 2 * 64
    one_matrix = 64 * 64 + 64

    assert ends + two_groups + one_group + 2 * one_matrix == model_inventory(model).n_params


def test_decilm_lists_key_value_heads_by_layer() -> None:
    """Neighbours with equal heads form runs, in order."""
    config = {**SEARCHED, "intermediate_size": 96, "num_key_value_heads_per_layer": [4, 2, 2, 1]}
    layers = read_config({"model_type": "deci", **config}).decoder.layers

    assert [run.n_layers for run in layers] == [1, 2, 1]


def test_decilm_without_a_list_has_equal_layers() -> None:
    """One number for all layers makes one run."""
    config = {**SEARCHED, "intermediate_size": 96, "num_key_value_heads": 2}

    assert len(read_config({"model_type": "deci", **config}).decoder.layers) == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"block_configs": BLOCKS[:2]}, "one for each"),
        ({"block_configs": [1, 2, 3, 4]}, "nested"),
        ({"block_configs": [{"attention": {"no_op": True}, "ffn": {"ffn_mult": "wide"}}] * 4}, "ffn_mult"),
        ({"block_configs": [{"attention": {}, "ffn": {"no_op": True}}] * 4}, "n_heads_in_group"),
        ({"num_key_value_heads_per_layer": [4, 4], "intermediate_size": 8}, "one for each"),
    ],
)
def test_blocks_that_make_no_sense_are_refused(config: dict[str, Any], message: str) -> None:
    """A list of the wrong length or of the wrong things is refused with what was expected."""
    with pytest.raises(ConfigurationError, match=message):
        read_config({"model_type": "nemotron-nas", **SEARCHED, **config})
