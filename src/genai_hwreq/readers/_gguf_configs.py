"""Hub-style configurations from the metadata of GGUF files: which `model_type` an architecture is, and its fields.

What metadata leaves out, such as biases, shared embeddings and the vocabulary, is seen from the tensors.

Sources: https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py,
https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from genai_hwreq.errors import FileFormatError
from genai_hwreq.readers._weight_files import shown
from genai_hwreq.readers.gguf import Value

if TYPE_CHECKING:
    from genai_hwreq.readers._weight_files import StoredTensor

__all__ = ["gguf_config", "known_architectures"]

_IN_LAYER = re.compile(r"blk\.\d+\.(.+)", re.DOTALL)

_FIELDS: dict[str, tuple[str, ...]] = {
    "block_count": ("num_hidden_layers",),
    "context_length": ("max_position_embeddings",),
    "embedding_length": ("hidden_size",),
    "feed_forward_length": ("intermediate_size", "n_inner"),
    "attention.head_count": ("num_attention_heads",),
    "attention.head_count_kv": ("num_key_value_heads",),
    "attention.key_length": ("head_dim",),
    "attention.sliding_window": ("sliding_window",),
    "use_parallel_residual": ("use_parallel_residual",),
    "expert_count": ("num_experts",),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size", "shared_intermediate_size"),
    "expert_shared_count": ("n_shared_experts", "num_shared_experts"),
    "leading_dense_block_count": ("first_k_dense_replace",),
}
"""Key of the metadata, below the architecture → fields of the configuration."""

_SEEN: dict[str, tuple[str, ...]] = {
    "attention_bias": ("attn_q.bias", "attn_qkv.bias"),
    "bias": ("attn_q.bias", "attn_qkv.bias"),
    "use_bias": ("attn_q.bias", "attn_qkv.bias"),
    "use_qkv_bias": ("attn_q.bias", "attn_qkv.bias"),
    "mlp_bias": ("ffn_up.bias",),
    "lm_head_bias": ("output.bias",),
    "use_qk_norm": ("attn_q_norm.weight",),
    "qk_layernorm": ("attn_q_norm.weight",),
}
"""Field of the configuration → tensors of which one stands in the file where the field is true."""


@frozen
class _Facts:
    """What a file says of one architecture."""

    path: str
    architecture: str
    metadata: Mapping[str, Value]
    shapes: Mapping[str, tuple[int, ...]]
    kinds: frozenset[str]
    """Names of tensors, without their layer."""

    def value(self, key: str) -> int | float | None:
        """Return the number that a key below the architecture holds; of equal ones for each layer, the one."""
        name = f"{self.architecture}.{key}"
        value = self.metadata.get(name)
        if isinstance(value, tuple):
            if len(set(value)) != 1:
                reason = f"{name} differs from layer to layer, which is not known for this architecture"
                raise FileFormatError(self.path, reason)
            value = value[0]
        if value is None or isinstance(value, int | float):
            return value
        raise FileFormatError(self.path, f"{name} is {shown(str(value))}; expected a number")

    def number(self, key: str, default: int = 0) -> int:
        """Return the whole number that a key holds."""
        value = self.value(key)
        if value is None:
            return default
        if type(value) is not int:
            raise FileFormatError(self.path, f"{self.architecture}.{key} is {value!r}; expected a whole number")
        return value

    def holds(self, *kinds: str) -> bool:
        """Tell whether one of the tensors is there, in any layer."""
        return not self.kinds.isdisjoint(kinds)


# --- where architectures need more than that ----------------------------------------------------------


def _llama(facts: _Facts) -> dict[str, Any]:
    return {"model_type": "mixtral" if facts.number("expert_count") else "llama"}


def _bigcode(facts: _Facts) -> dict[str, Any]:
    return {"multi_query": facts.number("attention.head_count_kv") == 1}


def _falcon(facts: _Facts) -> dict[str, Any]:
    """Tell Falcon's generations apart: one key/value head, groups of them, one or two norms before the parallel halves."""
    kv_heads, two_norms = facts.number("attention.head_count_kv", 1), facts.holds("attn_norm_2.weight")
    is_new = two_norms or kv_heads not in (1, facts.number("attention.head_count"))
    return {
        "new_decoder_architecture": is_new,
        "multi_query": kv_heads == 1,
        "num_kv_heads": kv_heads,
        "num_ln_in_parallel_attn": 2 if two_norms else 1,
    }


def _stablelm(facts: _Facts) -> dict[str, Any]:
    return {"use_parallel_residual": not facts.holds("ffn_norm.weight")}


def _olmo2(facts: _Facts) -> dict[str, Any]:
    return {"model_type": "olmo3" if facts.number("attention.sliding_window") else "olmo2"}


def _granite_experts(facts: _Facts) -> dict[str, Any]:
    is_shared = facts.number("expert_shared_feed_forward_length")
    return {"model_type": "granitemoeshared" if is_shared else "granitemoe"}


def _experts_alone(facts: _Facts) -> dict[str, Any]:
    """Return the width of experts where the configuration has no other and calls it the network's."""
    return {"intermediate_size": facts.value("expert_feed_forward_length") or facts.value("feed_forward_length")}


def _latent(facts: _Facts) -> dict[str, Any]:
    """Return DeepSeek's latent attention; newer files give the widths of uncompressed heads apart."""
    rotated = facts.number("rope.dimension_count")
    key = facts.number("attention.key_length_mla") or facts.number("attention.key_length")
    value = facts.number("attention.value_length_mla") or facts.number("attention.value_length")
    return {
        "model_type": "deepseek_v3" if facts.holds("exp_probs_b.bias", "exp_probs_b") else "deepseek_v2",
        "q_lora_rank": facts.value("attention.q_lora_rank"),
        "kv_lora_rank": facts.value("attention.kv_lora_rank"),
        "qk_rope_head_dim": rotated,
        "qk_nope_head_dim": key - rotated,
        "v_head_dim": value,
        "num_key_value_heads": facts.value("attention.head_count"),
    }


def _mamba(facts: _Facts) -> dict[str, Any]:
    return {
        "model_type": "falcon_mamba" if facts.value("ssm.dt_b_c_rms") else "mamba",
        "conv_kernel": facts.value("ssm.conv_kernel"),
        "intermediate_size": facts.value("ssm.inner_size"),
        "state_size": facts.value("ssm.state_size"),
        "time_step_rank": facts.value("ssm.time_step_rank"),
        "use_conv_bias": facts.holds("ssm_conv1d.bias"),
        "use_bias": facts.holds("ssm_in.bias"),
    }


def _mamba2(facts: _Facts) -> dict[str, Any]:
    heads = facts.number("ssm.time_step_rank")
    return {
        "conv_kernel": facts.value("ssm.conv_kernel"),
        "state_size": facts.value("ssm.state_size"),
        "num_heads": heads,
        "head_dim": facts.number("ssm.inner_size") // max(1, heads),
        "n_groups": facts.value("ssm.group_count"),
        "use_conv_bias": facts.holds("ssm_conv1d.bias"),
        "use_bias": facts.holds("ssm_in.bias"),
    }


_Refine = Callable[[_Facts], Mapping[str, Any]]

_ARCHITECTURES: dict[str, tuple[str, _Refine | None]] = {
    "llama": ("llama", _llama), "mistral3": ("ministral3", None), "arcee": ("arcee", None), "smollm3": ("smollm3", None),
    "seed_oss": ("seed_oss", None), "baichuan": ("baichuan", None), "internlm2": ("internlm2", None),
    "minicpm": ("minicpm", None), "exaone": ("exaone", None), "exaone4": ("exaone4", None),
    "ernie4_5": ("ernie4_5", None), "hunyuan-dense": ("hunyuan_v1_dense", None), "nemotron": ("nemotron", None),
    "qwen2": ("qwen2", None), "qwen2vl": ("qwen2", None), "qwen2moe": ("qwen2_moe", None),
    "qwen3": ("qwen3", None), "qwen3vl": ("qwen3", None),
    "qwen3moe": ("qwen3_moe", None), "qwen3vlmoe": ("qwen3_moe", None),
    "gemma": ("gemma", None), "gemma2": ("gemma2", None), "gemma3": ("gemma3_text", None),
    "phi2": ("phi", None), "phi3": ("phi3", None), "phimoe": ("phimoe", None),
    "command-r": ("cohere", None), "cohere2": ("cohere2", None), "stablelm": ("stablelm", _stablelm),
    "olmo": ("olmo", None), "olmo2": ("olmo2", _olmo2), "olmoe": ("olmoe", None),
    "chatglm": ("glm", None), "glm4": ("glm4", None), "glm4moe": ("glm4_moe", None),
    "granite": ("granite", None), "granitemoe": ("granitemoe", _granite_experts),
    "gpt2": ("gpt2", None), "gptneox": ("gpt_neox", None), "starcoder": ("gpt_bigcode", _bigcode),
    "starcoder2": ("starcoder2", None), "bloom": ("bloom", None), "mpt": ("mpt", None), "falcon": ("falcon", _falcon),
    "deepseek": ("deepseek", None), "deepseek2": ("deepseek_v2", _latent), "dots1": ("dots1", None),
    "gpt-oss": ("gpt_oss", _experts_alone), "minimax-m2": ("minimax_m2", _experts_alone),
    "mamba": ("mamba", _mamba), "mamba2": ("mamba2", _mamba2),
}  # fmt: skip
"""Architecture → its usual `model_type`, and what finds the fields that others don't have."""


def known_architectures() -> tuple[str, ...]:
    """Return every `general.architecture` that can be read."""
    return tuple(sorted(_ARCHITECTURES))


def gguf_config(path: str, metadata: Mapping[str, Value], tensors: tuple[StoredTensor, ...]) -> dict[str, Any]:
    """Return the Hub-style configuration of the model in a GGUF file.

    Raises:
        FileFormatError: when the architecture is not known, or its metadata is missing or contradicts itself.
    """
    facts = _facts(path, metadata, tensors)
    model_type, refine = _ARCHITECTURES[facts.architecture]
    embedding = facts.shapes.get("token_embd.weight", ())
    if len(embedding) != 2:
        reason = f"token_embd.weight has shape {embedding}; expected a matrix of vocabulary and width"
        raise FileFormatError(path, reason)
    # A window that is not in the file is none, whatever the family's configuration class takes for an absent one.
    config: dict[str, Any] = {"model_type": model_type, "vocab_size": embedding[0], "sliding_window": None}
    for key, names in _FIELDS.items():
        value = facts.value(key)
        if value is not None:
            config |= dict.fromkeys(names, value)
    config["num_hidden_layers"] = facts.number("block_count") - facts.number("nextn_predict_layers")
    config |= {name: facts.holds(*kinds) for name, kinds in _SEEN.items()}
    config["tie_word_embeddings"] = not facts.holds("output.weight")
    return {**config, **refine(facts)} if refine else config


def _facts(path: str, metadata: Mapping[str, Value], tensors: tuple[StoredTensor, ...]) -> _Facts:
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in _ARCHITECTURES:
        known = ", ".join(known_architectures())
        reason = f"general.architecture is {shown(str(architecture))}, which is not known; known are {known}"
        raise FileFormatError(path, reason)
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    kinds = frozenset(match[1] if (match := _IN_LAYER.fullmatch(name)) else name for name in shapes)
    return _Facts(path, architecture, metadata, shapes, kinds)
