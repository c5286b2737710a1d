"""Read what llama.cpp allocates for a GGUF file: weights, key/value cache, recurrent state, compute buffers.

Through llama-cpp-python's low-level API the file is loaded with `no_alloc`, where the version has it: only metadata
is read and the graph is planned, so that neither a GPU nor memory for the model is needed. Versions without it load
the file in earnest. With `--log` nothing is loaded: the lines of a run of any of llama.cpp's programs are read, which
is the way on a machine with a GPU, of which one may be used. The facts of the model come as a Hub config.json.

Run: python validation/llama_cpp_buffers.py model.gguf --config config.json --weights gguf-q4_k_m --n-ctx 8192
     llama-cli -m model.gguf -c 8192 -ngl 99 -n 1 2> run.log
     python validation/llama_cpp_buffers.py --log run.log --config config.json --weights gguf-q4_k_m --n-ctx 8192

Tried with llama-cpp-python 0.3.36, which has `no_alloc`, on files of gguf_skeleton.py.
"""

from __future__ import annotations

import argparse
import re
from datetime import date
from pathlib import Path
from typing import Any

from writing_cases import case, read_facts, write_cases

MIB = 2**20
ROUNDING_BYTES = 5243
"""Half of the last digit of "12.34 MiB"."""

CACHE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "bf16": 30}
"""Names of ggml's types, and their numbers in `ggml.h`."""

BUFFER = re.compile(
    r":\s+(?P<where>\S+)\s+(?P<what>model|KV|RS|compute) buffer size\s*=\s*(?P<mib>[\d.]+) MiB"
)
TOTAL = re.compile(r"llama_(?P<what>kv_cache|memory_recurrent)\w*: size =\s*(?P<mib>[\d.]+) MiB")
METRICS = {
    "model": "weights",
    "KV": "kv_cache",
    "RS": "recurrent_state",
    "compute": "compute_buffer",
    "kv_cache": "kv_cache",
    "memory_recurrent": "recurrent_state",
}


def side(where: str) -> str:
    """Tell device buffers from those of the host, whose names are CPU, CPU_Mapped, CUDA_Host and the like."""
    return "host" if where.startswith("CPU") or where.endswith("_Host") else where


def read_log(text: str) -> dict[tuple[str, str], float]:
    """Return MiB by metric and place: a device's name, `host`, or `all` for what is stated as a total."""
    found: dict[tuple[str, str], float] = {}
    for line in BUFFER.finditer(text):
        key = METRICS[line["what"]], side(line["where"])
        found[key] = found.get(key, 0.0) + float(line["mib"])
    for line in TOTAL.finditer(text):
        key = METRICS[line["what"]], "all"
        found[key] = found.get(key, 0.0) + float(line["mib"])
    return found


def load(args: argparse.Namespace) -> tuple[str, int]:
    """Load the file and plan its graph; return what was logged, and the bytes of the file's tensors."""
    import llama_cpp

    lines: list[bytes] = []

    @llama_cpp.llama_log_callback
    def keep(_level: int, text: bytes, _data: Any) -> None:
        lines.append(text)

    llama_cpp.llama_log_set(keep, None)
    llama_cpp.llama_backend_init()
    model_params = llama_cpp.llama_model_default_params()
    model_params.n_gpu_layers = args.n_gpu_layers
    if hasattr(model_params, "no_alloc"):
        model_params.no_alloc = True
        if hasattr(model_params, "use_mmap"):
            model_params.use_mmap = False  # the two exclude each other
        else:
            model_params.load_mode = 0
    model = llama_cpp.llama_model_load_from_file(str(args.gguf).encode(), model_params)
    if not model:
        raise SystemExit(b"".join(lines).decode(errors="replace") + f"\n{args.gguf} cannot be loaded")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = args.n_ctx, args.n_batch, args.n_ubatch
    params.n_seq_max = args.n_seq_max
    if args.n_outputs_max is not None:
        params.n_outputs_max = args.n_outputs_max
    params.type_k, params.type_v = CACHE_TYPES[args.type_k], CACHE_TYPES[args.type_v]
    if hasattr(params, "flash_attn_type"):
        params.flash_attn_type = int(args.flash_attn)
    else:
        params.flash_attn = args.flash_attn
    context = llama_cpp.llama_init_from_model(model, params)
    size = int(llama_cpp.llama_model_size(model))
    if context:
        llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return b"".join(lines).decode(errors="replace"), size


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the context as a request spells them."""
    names = ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "flash_attn", "type_k", "type_v", "n_gpu_layers")
    settings = {name: getattr(args, name) for name in names}
    if args.n_outputs_max is not None:
        settings["n_outputs_max"] = args.n_outputs_max
    return settings if args.n_gpu_layers else {**settings, "gpus": 0}


def cases_of(args: argparse.Namespace, sizes: dict[tuple[str, str], float], tensor_bytes: int) -> list[Any]:
    """Return a case for each figure; a total counts only where no buffer of its kind is stated."""
    facts, title = read_facts(args.config), f"llama.cpp's own report, {args.version}"
    model = {
        "task": "generate",
        "engine": "llama.cpp",
        "engine_version": args.version,
        "weights": args.weights,
    }
    stated = {metric for (metric, where), mib in sizes.items() if where != "all" and mib}
    cases = []
    for (metric, where), mib in sizes.items():
        request = {**model, **settings_of(args)}
        if where == "all" and metric in stated:
            continue
        if where != "all":
            on_host = "host" if args.n_gpu_layers else "cpu"
            request["device"] = on_host if where == "host" else "gpu"
        cases.append(
            case(
                facts,
                request,
                metric,
                round(mib * MIB),
                title,
                kind="log",
                rounding_bytes=ROUNDING_BYTES,
                scope="sum" if where == "all" else "device",
            )
        )
    if tensor_bytes and "weights" not in stated:
        cases.append(case(facts, model, "weights", tensor_bytes, title, kind="log", scope="sum"))
    return cases


def main() -> None:
    """Read one run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gguf", nargs="?", type=Path, help="file to load; absent where a log is read")
    parser.add_argument("--log", type=Path, help="what a program of llama.cpp printed")
    parser.add_argument("--config", required=True, help="the model's config.json, as a path or JSON object")
    parser.add_argument("--weights", required=True, help="file type, such as gguf-q4_k_m")
    parser.add_argument("--version", default=f"{date.today():%Y-%m}", help="month or build of llama.cpp")
    parser.add_argument("--n-ctx", type=int, default=4096)
    parser.add_argument("--n-batch", type=int, default=2048)
    parser.add_argument("--n-ubatch", type=int, default=512)
    parser.add_argument("--n-seq-max", type=int, default=1)
    parser.add_argument("--n-gpu-layers", type=int, default=0)
    parser.add_argument(
        "--n-outputs-max", type=int, help="rows of logits; absent: as the library or a log has it"
    )
    parser.add_argument("--type-k", default="f16", choices=CACHE_TYPES)
    parser.add_argument("--type-v", default="f16", choices=CACHE_TYPES)
    parser.add_argument("--flash-attn", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--cases", type=Path, help="file to add the cases to; absent: print them")
    args = parser.parse_args()
    if (args.log is None) == (args.gguf is None):
        parser.error("give either a GGUF file or --log")
    text, tensor_bytes = (args.log.read_text("utf-8", "replace"), 0) if args.log else load(args)
    write_cases(cases_of(args, read_log(text), tensor_bytes), args.cases)


if __name__ == "__main__":
    main()
