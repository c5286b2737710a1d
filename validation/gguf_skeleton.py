"""Write a GGUF file of a decoder that has every tensor's name, type and shape, but no data.

The data is a hole in the file, so that models of any size take a few hundred kilobytes on disk. llama.cpp plans its
memory for such a file as for the real one; nothing sensible can be generated with it. Known are decoders of Llama's
shape and two hybrids, LFM2 and Qwen3.5, by the `model_type` of their config.json.

Run: python validation/gguf_skeleton.py config.json skeleton.gguf
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from writing_cases import read_facts

ALIGNMENT = 32
ARCHITECTURES = {"lfm2": "lfm2", "qwen3_5_text": "qwen35"}
"""llama.cpp's names of families that are not of Llama's shape."""

Shapes = dict[str, tuple[int, ...]]


def shapes_of(facts: dict[str, Any]) -> Shapes:
    """Return the shape of every tensor, by llama.cpp's names."""
    width, vocabulary = facts["hidden_size"], facts["vocab_size"]
    closing = "token_embd_norm" if facts.get("model_type") == "lfm2" else "output_norm"
    shapes: Shapes = {"token_embd.weight": (vocabulary, width), f"{closing}.weight": (width,)}
    if not facts.get("tie_word_embeddings"):
        shapes["output.weight"] = (vocabulary, width)
    for index in range(facts["num_hidden_layers"]):
        layer = mixer_of(facts, index) | network_of(facts)
        shapes |= {f"blk.{index}.{name}": shape for name, shape in layer.items()}
    return shapes


def network_of(facts: dict[str, Any]) -> Shapes:
    """Return the norms and the feed-forward network of a layer."""
    width, inner = facts["hidden_size"], facts["intermediate_size"]
    second = "post_attention_norm" if facts.get("model_type") == "qwen3_5_text" else "ffn_norm"
    return {
        "attn_norm.weight": (width,),
        f"{second}.weight": (width,),
        "ffn_gate.weight": (inner, width),
        "ffn_up.weight": (inner, width),
        "ffn_down.weight": (width, inner),
    }


def mixer_of(facts: dict[str, Any], index: int) -> Shapes:
    """Return what mixes a layer's tokens."""
    kind, width = facts.get("model_type"), facts["hidden_size"]
    if kind == "lfm2" and not key_heads(facts)[index]:
        return {
            "shortconv.conv.weight": (width, facts["conv_L_cache"]),
            "shortconv.in_proj.weight": (3 * width, width),
            "shortconv.out_proj.weight": (width, width),
        }
    if kind == "qwen3_5_text" and (index + 1) % 4:
        return delta_net(facts)
    return attention(facts, gated=kind == "qwen3_5_text", normed=kind in ARCHITECTURES)


def attention(facts: dict[str, Any], *, gated: bool, normed: bool) -> Shapes:
    """Return attention's tensors: with a gate beside each query, with norms of queries and keys."""
    width, head_dim = facts["hidden_size"], head_dim_of(facts)
    queries, keys = facts["num_attention_heads"] * head_dim, max(key_heads(facts)) * head_dim
    shapes: Shapes = {
        "attn_q.weight": (queries * (2 if gated else 1), width),
        "attn_k.weight": (keys, width),
        "attn_v.weight": (keys, width),
        "attn_output.weight": (width, queries),
    }
    return shapes | {f"attn_{part}_norm.weight": (head_dim,) for part in "qk" if normed}


def delta_net(facts: dict[str, Any]) -> Shapes:
    """Return the tensors of a gated delta net."""
    width, heads = facts["hidden_size"], facts["linear_num_value_heads"]
    keys = facts["linear_num_key_heads"] * facts["linear_key_head_dim"]
    values = heads * facts["linear_value_head_dim"]
    return {
        "attn_qkv.weight": (2 * keys + values, width),
        "attn_gate.weight": (values, width),
        "ssm_conv1d.weight": (2 * keys + values, facts["linear_conv_kernel_dim"]),
        "ssm_dt.bias": (heads,),
        "ssm_a": (heads,),
        "ssm_beta.weight": (heads, width),
        "ssm_alpha.weight": (heads, width),
        "ssm_norm.weight": (facts["linear_value_head_dim"],),
        "ssm_out.weight": (width, values),
    }


def head_dim_of(facts: dict[str, Any]) -> int:
    """Return the width of a head."""
    return facts.get("head_dim") or facts["hidden_size"] // facts["num_attention_heads"]


def key_heads(facts: dict[str, Any]) -> list[int]:
    """Return each layer's key/value heads: none where LFM2 convolves."""
    heads = facts.get("num_key_value_heads", facts["num_attention_heads"])
    layers = range(facts["num_hidden_layers"])
    if facts.get("model_type") != "lfm2":
        return [heads for _ in layers]
    return [heads if index in facts["full_attn_idxs"] else 0 for index in layers]


def describe(writer: gguf.GGUFWriter, facts: dict[str, Any]) -> None:
    """Write the metadata that llama.cpp asks for, with a vocabulary of made-up words."""
    vocabulary, heads = facts["vocab_size"], key_heads(facts)
    writer.add_context_length(facts.get("max_position_embeddings", 4096))
    writer.add_embedding_length(facts["hidden_size"])
    writer.add_block_count(facts["num_hidden_layers"])
    writer.add_feed_forward_length(facts["intermediate_size"])
    writer.add_head_count(facts["num_attention_heads"])
    writer.add_head_count_kv(heads if len(set(heads)) > 1 else heads[0])
    writer.add_key_length(head_dim_of(facts))
    writer.add_value_length(head_dim_of(facts))
    writer.add_rope_dimension_count(head_dim_of(facts))
    writer.add_layer_norm_rms_eps(1e-5)
    describe_hybrid(writer, facts)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"word{index}" for index in range(vocabulary)])
    writer.add_token_scores([0.0] * vocabulary)
    writer.add_token_types([1] * vocabulary)


def describe_hybrid(writer: gguf.GGUFWriter, facts: dict[str, Any]) -> None:
    """Write what only hybrids have."""
    if facts.get("model_type") == "lfm2":
        writer.add_shortconv_l_cache(facts["conv_L_cache"])
    if facts.get("model_type") == "qwen3_5_text":
        quarter = head_dim_of(facts) // 4
        writer.add_rope_dimension_sections([quarter // 2 - 2 * (quarter // 6), quarter // 6, quarter // 6, 0])
        writer.add_ssm_conv_kernel(facts["linear_conv_kernel_dim"])
        writer.add_ssm_inner_size(facts["linear_num_value_heads"] * facts["linear_value_head_dim"])
        writer.add_ssm_state_size(facts["linear_key_head_dim"])
        writer.add_ssm_time_step_rank(facts["linear_num_value_heads"])
        writer.add_ssm_group_count(facts["linear_num_key_heads"])


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config.json of a known model, as a path or JSON object")
    parser.add_argument("gguf", type=Path, help="file to write")
    args = parser.parse_args()
    facts = read_facts(args.config)
    writer = gguf.GGUFWriter(args.gguf, ARCHITECTURES.get(facts.get("model_type", ""), "llama"))
    describe(writer, facts)
    data_bytes = 0
    for name, shape in shapes_of(facts).items():
        kernel = name.endswith(("conv.weight", "conv1d.weight"))
        dtype = np.dtype(np.float16 if len(shape) > 1 and not kernel else np.float32)
        n_bytes = int(np.prod(shape)) * dtype.itemsize
        writer.add_tensor_info(name, shape, dtype, n_bytes)
        data_bytes += -(-n_bytes // ALIGNMENT) * ALIGNMENT
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    start = -(-args.gguf.stat().st_size // ALIGNMENT) * ALIGNMENT
    os.truncate(args.gguf, start + data_bytes)


if __name__ == "__main__":
    main()
