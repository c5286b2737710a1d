"""Parameter counts of models with towers and of encoder-decoders, from small configurations.

Expected counts are those of the real classes of transformers 5.23, built without weights.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.models import model_inventory
from genai_hwreq.readers.hf_config import read_config

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
}
VISION = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 56,
    "patch_size": 14,
}
CLIP = {**VISION, "model_type": "clip_vision_model"}
SIGLIP = {**VISION, "model_type": "siglip_vision_model"}
PIXTRAL = {**VISION, "model_type": "pixtral"}
QWEN_VISION = {"depth": 2, "hidden_size": 48, "num_heads": 4, "intermediate_size": 100, "out_hidden_size": 64}
GLM_VISION = {**QWEN_VISION, "image_size": 56, "patch_size": 14}
SPARSE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
SPEECH = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 192}
SPECTROGRAM = {"num_mel_bins": 20, "max_source_positions": 40}
SEQ2SEQ = {
    "d_model": 48,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 3,
    "encoder_ffn_dim": 80,
    "decoder_ffn_dim": 96,
    "vocab_size": 300,
    "max_position_embeddings": 70,
    "pad_token_id": 0,
}
T5 = {"d_model": 48, "d_kv": 8, "d_ff": 80, "num_layers": 3, "num_heads": 5, "vocab_size": 300}
GEMMA = {
    "hidden_size": 64,
    "vocab_size": 300,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 96,
    "num_hidden_layers": 12,
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": 50,
}
LATENT = {
    **TEXT,
    "model_type": "deepseek_v3",
    "num_key_value_heads": 4,
    "moe_intermediate_size": 16,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": 32,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
}

CASES: list[tuple[str, dict[str, Any], int]] = [
    ("llava", {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": CLIP}, 171_552),
    (
        "llava",
        {"text_config": {**TEXT, "model_type": "llama", "tie_word_embeddings": True}, "vision_config": CLIP},
        152_352,
    ),
    (
        "llava",
        {
            "text_config": {**TEXT, "model_type": "mistral"},
            "vision_config": PIXTRAL,
            "multimodal_projector_bias": False,
        },
        177_264,
    ),
    (
        "llava",
        {
            "text_config": {**TEXT, "model_type": "qwen2"},
            "vision_config": SIGLIP,
            "vision_feature_layer": [-1, -2],
        },
        192_096,
    ),
    ("llava", {"text_config": {"model_type": "llama", "vocab_size": 32064}}, 7_063_427_072),
    ("llava_next", {"text_config": {**TEXT, "model_type": "mistral"}, "vision_config": CLIP}, 171_616),
    ("llava_next_video", {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": CLIP}, 171_616),
    (
        "llava_onevision",
        {
            "text_config": {**TEXT, "model_type": "qwen2"},
            "vision_config": {**SIGLIP, "vision_use_head": False},
        },
        171_728,
    ),
    ("vipllava", {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": CLIP}, 184_320),
    (
        "vipllava",
        {
            "text_config": {**TEXT, "model_type": "llama"},
            "vision_config": CLIP,
            "vision_feature_layer": [-2, -1],
        },
        174_816,
    ),
    ("deepseek_vl", {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": SIGLIP}, 169_568),
    (
        "lfm2_vl",
        {
            "text_config": {**TEXT, "model_type": "lfm2", "layer_types": ["conv", "full_attention"]},
            "vision_config": {**VISION, "model_type": "siglip2_vision_model", "num_patches": 30},
        },
        887_072,
    ),
    (
        "lfm2_vl",
        {
            "text_config": {**TEXT, "model_type": "lfm2", "layer_types": ["conv", "full_attention"]},
            "projector_use_layernorm": False,
            "projector_bias": False,
        },
        101_105_184,
    ),
    ("glm46v", {"text_config": {**TEXT, "model_type": "glm4v_text"}, "vision_config": GLM_VISION}, 230_864),
    (
        "minimax_m3_vl",
        {
            "text_config": {
                **TEXT,
                "head_dim": 16,
                "num_local_experts": 4,
                "num_experts_per_tok": 2,
                "dense_intermediate_size": 100,
                "shared_intermediate_size": 32,
                "index_n_heads": 2,
                "index_head_dim": 8,
                "mlp_layer_types": ["dense", "sparse"],
                "layer_types": ["full_attention", "minimax_m3_sparse"],
                "rotary_dim": 8,
            },
            "vision_config": VISION,
            "projector_hidden_size": 90,
        },
        294_788,
    ),
    ("siglip2", {}, 203_202_050),
    (
        "mistral3",
        {
            "text_config": {**TEXT, "model_type": "mistral"},
            "vision_config": PIXTRAL,
            "tie_word_embeddings": False,
        },
        186_528,
    ),
    ("mistral3", {"text_config": {**TEXT, "model_type": "ministral3"}}, 407_823_424),
    (
        "gemma3",
        {"text_config": {**TEXT, "head_dim": 32}, "vision_config": {**SIGLIP, "vision_use_head": False}},
        172_992,
    ),
    (
        "gemma3",
        {"text_config": {"num_hidden_layers": 2}, "vision_config": {**SIGLIP, "vision_use_head": False}},
        760_037_120,
    ),
    (
        "qwen2_vl",
        {"text_config": TEXT, "vision_config": {**QWEN_VISION, "embed_dim": 32, "hidden_size": 64}},
        188_288,
    ),
    (
        "qwen2_vl",
        {
            **TEXT,
            "tie_word_embeddings": True,
            "vision_config": {"depth": 2, "embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2},
        },
        160_768,
    ),
    (
        "qwen2_5_vl",
        {"text_config": {**TEXT, "tie_word_embeddings": True}, "vision_config": QWEN_VISION},
        235_424,
    ),
    (
        "qwen3_vl",
        {
            "text_config": {**TEXT, "head_dim": 16},
            "vision_config": {**QWEN_VISION, "deepstack_visual_indexes": [0, 1]},
        },
        472_376,
    ),
    (
        "qwen3_vl_moe",
        {"text_config": {**TEXT, **SPARSE}, "vision_config": QWEN_VISION, "tie_word_embeddings": True},
        503_480,
    ),
    (
        "qwen3_5",
        {"text_config": {**TEXT, "head_dim": 32, "num_hidden_layers": 4}, "vision_config": QWEN_VISION},
        3_675_000,
    ),
    (
        "qwen3_5_moe",
        {
            "text_config": {**TEXT, **SPARSE, "shared_expert_intermediate_size": 32, "num_hidden_layers": 4},
            "vision_config": QWEN_VISION,
        },
        3_930_680,
    ),
    ("glm4v", {"text_config": TEXT, "vision_config": GLM_VISION}, 230_864),
    (
        "glm4v_moe",
        {
            "text_config": {
                **TEXT,
                "n_routed_experts": 4,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 24,
                "n_shared_experts": 1,
                "first_k_dense_replace": 1,
            },
            "vision_config": {**GLM_VISION, "attention_bias": True},
        },
        235_760,
    ),
    (
        "mllama",
        {
            "text_config": {**TEXT, "cross_attention_layers": [1], "pad_token_id": 0},
            "vision_config": {
                **VISION,
                "attention_heads": 4,
                "num_global_layers": 1,
                "vision_output_dim": 96,
                "intermediate_layers_indices": [0],
            },
        },
        220_679,
    ),
    (
        "llama4",
        {
            "text_config": {**TEXT, "num_local_experts": 4, "intermediate_size_mlp": 128, "head_dim": 16},
            "vision_config": {
                **VISION,
                "intermediate_size": 192,
                "vision_output_dim": 96,
                "projector_input_dim": 96,
                "projector_output_dim": 96,
            },
        },
        367_744,
    ),
    (
        "llama4",
        {
            "text_config": {
                **TEXT,
                "num_local_experts": 4,
                "intermediate_size_mlp": 128,
                "head_dim": 16,
                "tie_word_embeddings": True,
            },
            "vision_config": {
                **VISION,
                "intermediate_size": 192,
                "vision_output_dim": 96,
                "projector_input_dim": 96,
                "projector_output_dim": 96,
            },
        },
        348_544,
    ),
    (
        "kimi_k25",
        {
            "text_config": LATENT,
            "vision_config": {**VISION, "pos_emb_height": 8, "pos_emb_width": 6},
            "projection_hidden_size": 48,
        },
        186_064,
    ),
    (
        "step3p7",
        {
            "text_config": {
                **TEXT,
                "head_dim": 16,
                "n_routed_experts": 4,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 16,
                "share_expert_dim": 16,
                "mlp_layer_types": ["dense", "sparse"],
            },
            "vision_config": {**VISION, "mlp_ratio": 2.5, "max_position_embeddings": 16},
            "projector_bias": True,
        },
        389_776,
    ),
    (
        "internvl",
        {
            "text_config": {**TEXT, "model_type": "qwen2"},
            "vision_config": {
                **VISION,
                "image_size": [56, 56],
                "patch_size": [14, 14],
                "use_qk_norm": True,
                "norm_type": "rms_norm",
            },
        },
        161_968,
    ),
    (
        "internvl_vision",
        {
            **VISION,
            "use_mask_token": True,
            "use_absolute_position_embeddings": False,
            "use_mean_pooling": False,
            "attention_bias": True,
        },
        63_472,
    ),
    (
        "paligemma",
        {
            "text_config": {**TEXT, "model_type": "gemma", "head_dim": 16},
            "vision_config": SIGLIP,
            "projection_dim": 64,
        },
        165_408,
    ),
    (
        "idefics3",
        {"text_config": {**TEXT, "model_type": "llama", "vocab_size": 128010}, "vision_config": VISION},
        16_523_280,
    ),
    (
        "smolvlm",
        {
            "text_config": {**TEXT, "model_type": "llama", "vocab_size": 128010},
            "vision_config": VISION,
            "scale_factor": 4,
        },
        16_560_144,
    ),
    ("aya_vision", {"text_config": {**TEXT, "model_type": "cohere2"}, "vision_config": SIGLIP}, 176_992),
    (
        "cohere2_vision",
        {
            "text_config": {**TEXT, "model_type": "cohere2"},
            "vision_config": SIGLIP,
            "alignment_intermediate_size": 50,
        },
        173_458,
    ),
    (
        "voxtral",
        {
            "text_config": {**TEXT, "model_type": "llama"},
            "audio_config": {**SPEECH, **SPECTROGRAM},
            "hidden_size": 64,
        },
        356_928,
    ),
    (
        "qwen2_audio",
        {
            "text_config": {**TEXT, "model_type": "qwen2"},
            "audio_config": {
                "d_model": 48,
                "encoder_layers": 2,
                "encoder_attention_heads": 4,
                "encoder_ffn_dim": 80,
                **SPECTROGRAM,
            },
        },
        150_176,
    ),
    ("gemma3n_text", {**GEMMA, "num_kv_shared_layers": 2}, 536_360),
    (
        "gemma3n_text",
        {
            **GEMMA,
            "num_kv_shared_layers": 0,
            "intermediate_size": [64 + index for index in range(12)],
            "altup_num_inputs": 2,
            "laurel_rank": 8,
        },
        378_776,
    ),
    ("gemma3n_text", {}, 6_835_235_568),
    ("gemma4_text", {}, 5_077_177_856),
    (
        "gemma4_text",
        {**GEMMA, "num_kv_shared_layers": 4, "use_double_wide_mlp": True, "attention_bias": True},
        1_117_016,
    ),
    (
        "gemma4_text",
        {
            **GEMMA,
            "global_head_dim": 32,
            "num_global_key_value_heads": 1,
            "attention_k_eq_v": True,
            "hidden_size_per_layer_input": 0,
        },
        403_712,
    ),
    (
        "gemma4_text",
        {
            **GEMMA,
            "enable_moe_block": True,
            "num_experts": 4,
            "top_k_experts": 2,
            "moe_intermediate_size": 24,
            "tie_word_embeddings": False,
        },
        1_425_784,
    ),
    ("gemma4_text", {**GEMMA, "layer_types": ["full_attention", "sliding_attention"] * 6}, 3_088_808),
    (
        "gemma4",
        {
            "text_config": {**GEMMA, "per_layer_config": {"05": {"head_dim": 32}, "11": {"head_dim": 32}}},
            "vision_config": {
                **VISION,
                "num_key_value_heads": 4,
                "head_dim": 12,
                "position_embedding_size": 10,
            },
        },
        514_168,
    ),
    (
        "gemma4",
        {
            "text_config": GEMMA,
            "audio_config": {
                "hidden_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "subsampling_conv_channels": [16, 8],
                "conv_kernel_size": 3,
                "output_proj_dims": 40,
            },
        },
        1_385_912,
    ),
    ("whisper", {**SEQ2SEQ, **SPECTROGRAM, "max_target_positions": 30}, 147_664),
    ("whisper", {**SEQ2SEQ, **SPECTROGRAM, "tie_word_embeddings": False}, 182_128),
    ("whisper", {}, 37_760_640),
    ("bart", SEQ2SEQ, 141_712),
    ("bart", {**SEQ2SEQ, "tie_word_embeddings": False}, 184_912),
    ("mbart", SEQ2SEQ, 141_904),
    ("marian", SEQ2SEQ, 141_328),
    ("m2m_100", SEQ2SEQ, 134_800),
    ("pegasus", SEQ2SEQ, 141_520),
    ("t5", {**T5, "num_decoder_layers": 2}, 107_552),
    ("t5", {**T5, "architectures": ["T5EncoderModel"]}, 60_976),
    ("mt5", T5, 153_776),
    ("umt5", {**T5, "feed_forward_proj": "relu", "relative_attention_num_buckets": 16}, 130_896),
    ("t5", {}, 60_506_624),
    (
        "clip",
        {
            "projection_dim": 40,
            "text_config": {
                "hidden_size": 32,
                "intermediate_size": 60,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "vocab_size": 100,
                "max_position_embeddings": 20,
            },
            "vision_config": CLIP,
        },
        87_769,
    ),
    ("clip", {}, 151_277_313),
    (
        "siglip",
        {
            "text_config": {
                "hidden_size": 48,
                "intermediate_size": 60,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "vocab_size": 100,
                "projection_size": 48,
            },
            "vision_config": SIGLIP,
        },
        122_570,
    ),
    (
        "clip_text_model",
        {"hidden_size": 32, "intermediate_size": 60, "num_hidden_layers": 2, "num_attention_heads": 4},
        1_600_152,
    ),
    (
        "clip_text_model",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "projection_dim": 24,
            "architectures": ["CLIPTextModelWithProjection"],
        },
        1_859_360,
    ),
    ("clip_vision_model", {}, 87_456_000),
    ("siglip_vision_model", VISION, 81_312),
    (
        "siglip_text_model",
        {
            "hidden_size": 48,
            "intermediate_size": 60,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "projection_size": 24,
        },
        1_571_280,
    ),
]


@pytest.mark.parametrize(("model_type", "config", "n_params"), CASES)
def test_count_is_that_of_the_real_class(model_type: str, config: dict[str, Any], n_params: int) -> None:
    """The parameter count from the configuration alone equals that of the real class."""
    model = read_config({"model_type": model_type, **config})
    assert n_params == model_inventory(model).n_params
