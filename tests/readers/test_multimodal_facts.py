"""What decides caches and image tokens in models with towers and in encoder-decoders, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, CrossAttention, Layer, TransformerModel, transformer_inventory
from genai_hwreq.readers.hf_config import read_config

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
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

LLAVA = {
    "model_type": "llava",
    "text_config": {**TEXT, "model_type": "llama"},
    "vision_config": {**VISION, "model_type": "clip_vision_model"},
}
GEMMA = {"model_type": "gemma4_text", **TEXT, "num_hidden_layers": 12, "head_dim": 16, "global_head_dim": 32}

GEMMA_3N = {**GEMMA, "model_type": "gemma3n_text", "num_kv_shared_layers": 0}


def _layers(model: TransformerModel) -> list[Layer]:
    return [run.layer for run in model.decoder.layers for _ in range(run.n_layers)]


def _attention(layer: Layer) -> Attention:
    (mixer,) = layer.mixers
    assert isinstance(mixer, Attention)
    return mixer


def test_last_layers_share_a_cache() -> None:
    """The last `num_kv_shared_layers` layers keep no keys and values of their own."""
    model = read_config({**GEMMA, "num_kv_shared_layers": 4})
    assert [_attention(layer).cache for layer in _layers(model)] == ["own"] * 8 + ["shared"] * 4


def test_shared_layers_store_no_keys_and_values() -> None:
    """A layer that reads another's cache stores a query matrix, but none for keys and values."""
    layer = _layers(read_config({**GEMMA, "num_kv_shared_layers": 4}))[-1]
    roles = {tensor.role for tensor in layer.tensors(64)}
    assert "attention_q" in roles
    assert not roles & {"attention_k", "attention_v", "attention_qkv"}


@pytest.mark.parametrize(
    ("model_type", "windows"),
    [("gemma4_text", [512] * 5 + [None]), ("gemma3n_text", [512] * 4 + [None] + [512])],
)
def test_every_so_many_layers_see_all(model_type: str, windows: list[int | None]) -> None:
    """Without `layer_types`, one layer of six (Gemma 4) or of five (Gemma 3n) sees all tokens."""
    config = {**TEXT, "model_type": model_type, "num_hidden_layers": 6, "num_kv_shared_layers": 0}
    model = read_config(config)
    assert windows == [_attention(layer).window_tokens for layer in _layers(model)]


def test_layers_of_whole_sight_have_wider_heads() -> None:
    """Gemma 4's layers of whole sight have heads of their own width and number, and may reuse keys as values."""
    config = {**GEMMA, "attention_k_eq_v": True, "num_global_key_value_heads": 1}
    heads = {
        (mixer.window_tokens, mixer.head_dim, mixer.n_kv_heads, mixer.value_is_key)
        for mixer in map(_attention, _layers(read_config(config)))
    }
    assert {(512, 16, 2, False), (None, 32, 1, True)} == heads


def test_image_layers_attend_to_the_image_only() -> None:
    """Llama 3.2 Vision's cross-attention layers hold no attention over tokens."""
    config = {"model_type": "mllama", "text_config": {**TEXT, "cross_attention_layers": [1, 3]}}
    kinds = [type(layer.mixers[0]) for layer in _layers(read_config(config))]
    assert [Attention, CrossAttention, Attention, CrossAttention] == kinds


@pytest.mark.parametrize("model_type", ["whisper", "bart", "t5"])
def test_decoder_layers_attend_to_tokens_and_to_the_encoder(model_type: str) -> None:
    """Each layer of an encoder-decoder's decoder has attention of its own and cross-attention."""
    model = read_config({"model_type": model_type})
    assert {(Attention, CrossAttention)} == {
        tuple(type(mixer) for mixer in layer.mixers) for layer in _layers(model)
    }
    assert len(model.towers) == 1


def test_encoder_alone_is_the_whole_model() -> None:
    """A T5 encoder keeps the embedding, and has neither head nor tower."""
    model = read_config({"model_type": "t5", "architectures": ["T5EncoderModel"]})
    assert (model.decoder.vocab_size, model.towers) == (0, ())
    assert model.decoder.embeddings[0].shape == (32128, 512)


@pytest.mark.parametrize(
    ("config", "stream_tokens", "output_tokens"),
    [
        (LLAVA, 17, 16),
        ({**LLAVA, "model_type": "gemma3", "mm_tokens_per_image": 256, "vision_config": VISION}, 16, 256),
        ({"model_type": "whisper"}, 1500, 1500),
        ({"model_type": "voxtral", "text_config": {**TEXT, "model_type": "llama"}}, 1500, 375),
        ({"model_type": "qwen2_audio", "text_config": {**TEXT, "model_type": "qwen2"}}, 1500, 750),
        (
            {"model_type": "gemma4", "text_config": TEXT, "vision_config": {"default_output_length": 280}},
            2520,
            280,
        ),
        ({"model_type": "qwen2_vl", "text_config": TEXT}, None, None),
    ],
)
def test_tower_knows_its_tokens(
    config: dict[str, Any], stream_tokens: int | None, output_tokens: int | None
) -> None:
    """A tower states how many patches or frames pass it and how many tokens they become, where that is fixed."""
    (tower,) = read_config(config).towers
    assert (stream_tokens, output_tokens) == (tower.stream_tokens, tower.output_tokens)


def test_tower_holds_its_projector() -> None:
    """The projector's rows are as wide as the decoder's stream."""
    (tower,) = read_config(LLAVA).towers
    assert tower.network.closing[-2].shape == (64, 64)
    assert transformer_inventory(tower.network).n_params > 0


def test_kimi_k3_attention_wider_than_its_stream() -> None:
    """Kimi K3's tower attends over more than the stream's width, without biases, and norms what it projects."""
    text = {**TEXT, "model_type": "llama"}
    vision = {"vt_hidden_size": 24, "qkv_hidden_size": 48, "vt_num_attention_heads": 4, "vt_intermediate_size": 80}
    (tower,) = read_config(
        {"model_type": "kimi_k3", "text_config": text, "vision_config": {**vision, "vt_num_hidden_layers": 2}}
    ).towers
    patches, positions = 24 * 3 * 14 * 14, 64 * 64 * 24
    layer = 4 * 24 * 48 + 2 * 24 * 80 + 2 * 24
    projector = (4 * 24) ** 2 + (4 * 24) * 64 + 64
    assert transformer_inventory(tower.network).n_params == patches + positions + 2 * layer + 24 + projector


def test_nested_configuration_gives_context_and_format() -> None:
    """Context and dtype are found in `text_config` where the whole configuration has none."""
    text = {**TEXT, "model_type": "llama", "max_position_embeddings": 4096, "torch_dtype": "float16"}
    model = read_config({**LLAVA, "text_config": text})
    assert (model.context_tokens, model.native_format) == (4096, "fp16")


@pytest.mark.parametrize("model_type", ["qwen2_vl", "qwen2_5_vl"])
def test_decoder_beside_its_tower(model_type: str) -> None:
    """Qwen 2's models were published with the decoder's fields at the top level, which means the same."""
    nested = read_config({"model_type": model_type, "text_config": TEXT, "tie_word_embeddings": False})
    assert read_config({"model_type": model_type, **TEXT, "tie_word_embeddings": False}) == nested


@pytest.mark.parametrize("model_type", ["gemma3", "gemma4", "llava", "mllama", "step3p7", "voxtral"])
def test_decoder_where_its_class_does_not_look(model_type: str) -> None:
    """Fields that the class would ignore are refused, and the message says where to put them."""
    with pytest.raises(ConfigurationError, match=r"text_config is missing .* move the decoder's fields") as failure:
        read_config({"model_type": model_type, **TEXT})
    assert failure.value.field == "text_config"


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"model_type": "llava", "text_config": {"hidden_size": 0}}, "hidden_size"),
        ({**LLAVA, "text_config": {**TEXT, "model_type": "no-such-family"}}, "text_config.model_type"),
        ({**LLAVA, "vision_config": {"model_type": "no-such-tower"}}, "vision_config.model_type"),
        ({**LLAVA, "vision_config": {**VISION, "num_attention_heads": 5}}, "num_attention_heads"),
        ({**LLAVA, "vision_config": {**VISION, "patch_size": 57}}, "patch_size"),
        ({**LLAVA, "vision_config": {**VISION, "image_size": [56, 56, 56]}}, "image_size"),
        ({**LLAVA, "vision_config": {**VISION, "num_hidden_layers": 10**9}}, "num_hidden_layers"),
        ({**LLAVA, "vision_config": "large"}, "vision_config"),
        ({"model_type": "qwen2_vl", "text_config": TEXT, "vision_config": {"mlp_ratio": -1}}, "mlp_ratio"),
        ({"model_type": "kimi_k3", "text_config": TEXT, "vision_config": {"qkv_hidden_size": 7}}, "qkv_hidden_size"),
        ({**GEMMA, "num_kv_shared_layers": 12}, "num_kv_shared_layers"),
        ({**GEMMA, "num_kv_shared_layers": 400}, "num_kv_shared_layers"),
        ({**GEMMA, "layer_types": ["full_attention"]}, "layer_types"),
        ({**GEMMA_3N, "intermediate_size": [96]}, "intermediate_size"),
        ({**GEMMA_3N, "altup_num_inputs": 10**6}, "altup_num_inputs"),
        (
            {
                "model_type": "mllama",
                "text_config": TEXT,
                "vision_config": {"num_hidden_layers": 4096, "num_global_layers": 4096},
            },
            "num_hidden_layers",
        ),
    ],
)
def test_nonsense_is_refused(config: dict[str, Any], field: str) -> None:
    """A configuration that cannot be understood raises an error that names the field."""
    with pytest.raises(ConfigurationError) as caught:
        read_config(config)
    assert field == caught.value.field


def test_gemma_3n_is_the_sum_of_its_parts() -> None:
    """Decoder, convolutional tower, conformer and both projectors count as much as their classes alone."""
    model = read_config({"model_type": "gemma3n", "text_config": {"model_type": "gemma3n_text"}})
    vision, audio = model.towers
    parts = (model.decoder, vision.network, audio.network)
    expected = [6_835_235_568, 294_126_912 + 4_460_544, 681_348_640 + 3_345_408]
    assert expected == [transformer_inventory(part).n_params for part in parts]


def test_contradiction_is_refused() -> None:
    """Fields that are fine alone but contradict each other end in the same error."""
    with pytest.raises(ConfigurationError, match="contradicts itself"):
        read_config({**GEMMA, "num_key_value_heads": 3})
