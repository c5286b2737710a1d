"""Write a GGUF file of a Llama-like decoder that has every tensor's name, type and shape, but no data.

The data is a hole in the file, so that models of any size take a few hundred kilobytes on disk. llama.cpp plans its
memory for such a file as for the real one; nothing sensible can be generated with it.

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


def shapes_of(facts: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor, by llama.cpp's names."""
    width, inner, vocabulary = facts["hidden_size"], facts["intermediate_size"], facts["vocab_size"]
    n_heads = facts["num_attention_heads"]
    head_dim = facts.get("head_dim") or width // n_heads
    queries, keys = n_heads * head_dim, facts.get("num_key_value_heads", n_heads) * head_dim
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (vocabulary, width), "output_norm": (width,)}
    if not facts.get("tie_word_embeddings"):
        shapes["output"] = (vocabulary, width)
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm": (width,),
        "attn_q": (queries, width),
        "attn_k": (keys, width),
        "attn_v": (keys, width),
        "attn_output": (width, queries),
        "ffn_norm": (width,),
        "ffn_gate": (inner, width),
        "ffn_up": (inner, width),
        "ffn_down": (width, inner),
    }
    for index in range(facts["num_hidden_layers"]):
        shapes |= {f"blk.{index}.{name}": shape for name, shape in layer.items()}
    return {f"{name}.weight": shape for name, shape in shapes.items()}


def describe(writer: gguf.GGUFWriter, facts: dict[str, Any]) -> None:
    """Write the metadata that llama.cpp asks for, with a vocabulary of made-up words."""
    n_heads, vocabulary = facts["num_attention_heads"], facts["vocab_size"]
    writer.add_context_length(facts.get("max_position_embeddings", 4096))
    writer.add_embedding_length(facts["hidden_size"])
    writer.add_block_count(facts["num_hidden_layers"])
    writer.add_feed_forward_length(facts["intermediate_size"])
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(facts.get("num_key_value_heads", n_heads))
    writer.add_rope_dimension_count(facts.get("head_dim") or facts["hidden_size"] // n_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"word{index}" for index in range(vocabulary)])
    writer.add_token_scores([0.0] * vocabulary)
    writer.add_token_types([1] * vocabulary)


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config.json of a model of Llama's shape, as a path or JSON object")
    parser.add_argument("gguf", type=Path, help="file to write")
    args = parser.parse_args()
    facts = read_facts(args.config)
    writer = gguf.GGUFWriter(args.gguf, "llama")
    describe(writer, facts)
    data_bytes = 0
    for name, shape in shapes_of(facts).items():
        dtype = np.dtype(np.float16 if len(shape) > 1 else np.float32)
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
