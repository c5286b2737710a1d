"""Hold the library against llama.cpp on any family that its converter knows, at sizes that take seconds.

A small model with random weights is built by transformers, turned into a GGUF file by llama.cpp's own converter, and
planned by llama-cpp-python without a device; the program's figures stand beside ours. Small sizes show a wrong tensor
as well as large ones: a difference of one stream is `width * n_ubatch * 4` bytes.

The converter is part of llama.cpp's sources, which the source archive of llama-cpp-python holds:
    pip download --no-deps --no-binary :all: llama-cpp-python && tar xzf llama_cpp_python-*.tar.gz
Run: python validation/compare_llama_cpp.py --llama-cpp llama_cpp_python-0.3.36/vendor/llama.cpp small.json
A configuration needs `model_type` and sizes, such as those of SIZES, which stand for what it leaves out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from llama_cpp_buffers import load, read_log
from writing_cases import read_facts

from genai_hwreq.catalog import get_format
from genai_hwreq.engines import LlamaCpp, Request
from genai_hwreq.readers.hf_config import read_config
from genai_hwreq.workloads import Generation

MIB = 2**20
SIZES: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 3000,
    "max_position_embeddings": 4096,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
RUNS = ((1024, 128, False), (2048, 256, True), (512, 512, False))
"""Context, tokens of a pass, and whether attention is fused."""


def build(facts: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Save a model with random weights, and a vocabulary of made-up words; return its configuration."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(**{**SIZES, **facts})
    AutoModelForCausalLM.from_config(config).to(torch.float16).save_pretrained(folder)
    words = {f"word{index}": index for index in range(config.vocab_size)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": words}, "added_tokens": []}))
    (folder / "tokenizer_config.json").write_text("{}")
    path = folder / "config.json"
    saved: dict[str, Any] = {**facts, **json.loads(path.read_text())}  # the converter asks for older names too
    path.write_text(json.dumps(saved))
    return saved


def convert(folder: Path, gguf_path: Path, sources: Path) -> None:
    """Turn a folder into a GGUF file by llama.cpp's own converter, with the made-up vocabulary."""
    sys.path[:0] = [str(sources), str(sources / "gguf-py")]
    base = importlib.import_module("conversion.base")
    gguf = importlib.import_module("gguf")
    name = base.get_model_architecture(base.ModelBase.load_hparams(folder, False), base.ModelType.TEXT)
    kind = importlib.import_module("conversion").get_model_class(name)

    def set_vocab(self: Any) -> None:
        n_words = self.hparams["vocab_size"]
        self.gguf_writer.add_tokenizer_model("llama")
        self.gguf_writer.add_token_list([f"word{index}" for index in range(n_words)])
        self.gguf_writer.add_token_scores([0.0] * n_words)
        self.gguf_writer.add_token_types([1] * n_words)

    kind.set_vocab = set_vocab
    kind(folder, gguf.LlamaFileType.MOSTLY_F16, gguf_path).write()


def theirs(gguf_path: Path, n_ctx: int, n_ubatch: int, *, flash_attn: bool) -> dict[str, float]:
    """Return what the program plans, in MiB."""
    asked = argparse.Namespace(
        gguf=gguf_path,
        n_gpu_layers=0,
        n_ctx=n_ctx,
        n_batch=2048,
        n_ubatch=n_ubatch,
        n_seq_max=1,
        n_outputs_max=None,
        type_k="f16",
        type_v="f16",
        flash_attn=flash_attn,
    )
    log, tensor_bytes = load(asked)
    sizes = read_log(log)
    kinds = ("kv_cache", "recurrent_state", "compute_buffer")
    found = {kind: sizes.get((kind, "host")) or sizes.get((kind, "all"), 0.0) for kind in kinds}
    return {"weights": tensor_bytes / MIB} | found


def ours(facts: dict[str, Any], n_ctx: int, n_ubatch: int, *, flash_attn: bool) -> dict[str, float]:
    """Return what the library estimates for the same, in MiB; the program's interface keeps whole windows."""
    engine = LlamaCpp(
        n_ubatch=n_ubatch, flash_attn=flash_attn, n_outputs_max=2048, swa_full=True, use_device=False
    )
    workload = Generation(context_tokens=n_ctx)
    asked = Request(model=read_config(facts), weight_format=get_format("gguf-f16"), workload=workload)
    host = engine.memory(asked).host
    phase = None if host is None else host.phase("prefill")
    assert phase is not None
    kinds = ("weights", "kv_cache", "recurrent_state", "compute_buffer")
    return {kind: phase.bytes_of(kind) / MIB for kind in kinds}


def main() -> None:
    """Compare each configuration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="+", help="paths of config.json files, or JSON objects")
    parser.add_argument("--llama-cpp", type=Path, required=True, help="llama.cpp's sources")
    args = parser.parse_args()
    for config in args.configs:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            facts = build(read_facts(config), folder)
            convert(folder, folder / "small.gguf", args.llama_cpp)
            for n_ctx, n_ubatch, flash_attn in RUNS:
                left = theirs(folder / "small.gguf", n_ctx, n_ubatch, flash_attn=flash_attn)
                right = ours(facts, n_ctx, n_ubatch, flash_attn=flash_attn)
                pairs = ", ".join(f"{kind} {left[kind]:.2f} | {right[kind]:.2f}" for kind in left)
                print(f"{facts['model_type']}, n_ctx {n_ctx}, n_ubatch {n_ubatch}: {pairs}")


if __name__ == "__main__":
    main()
