"""Replay the tensor allocations of one diffusers network on fake CUDA tensors, without a GPU.

Run: python validation/simulate_networks.py AutoencoderKLWan '{}' decode '[[1, 16, 21, 60, 104]]' --dtype bfloat16
     python validation/simulate_networks.py FluxTransformer2DModel '{"num_layers": 2, "num_single_layers": 2}' forward \
         '{"hidden_states": [1, 4096, 64], "encoder_hidden_states": [1, 512, 4096], "pooled_projections": [1, 768],
           "timestep": [1], "img_ids": [4096, 3], "txt_ids": [512, 3]}' --dtype bfloat16

Two blocks of a kind are enough: what is alive at the fullest moment does not depend on how many follow.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import diffusers
import torch
from allocation_ledger import Ledger, Recorder
from fused_attention import Attention
from simulate_allocation import live_table, patch_for_fake_cuda
from torch._subclasses.fake_tensor import FakeTensorMode


def build(class_name: str, config: dict[str, Any], dtype: torch.dtype) -> tuple[torch.nn.Module, FakeTensorMode]:
    """Build a network of fake tensors; what its class keeps in fp32 stays so."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode, torch.device("cuda"), torch.no_grad():
        network = getattr(diffusers, class_name)(**config)
        kept = getattr(network, "_keep_in_fp32_modules", None) or []
        for name, parameter in network.named_parameters():
            stays = dtype != torch.float32 and any(word in name.split(".") for word in kept)
            parameter.data = parameter.data.to(torch.float32 if stays else dtype)
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.data = buffer.data.to(dtype)
    return network.eval(), mode


def main() -> None:
    """Print the weights, the peak beside them, and what was alive then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("class_name", help="class of diffusers")
    parser.add_argument("config", help="JSON object of its settings")
    parser.add_argument("method", choices=("forward", "decode", "encode"))
    parser.add_argument("inputs", help="JSON: shapes of its arguments, as a list or by name")
    parser.add_argument("--dtype", default="float16")
    parser.add_argument("--tiling", action="store_true")
    args = parser.parse_args()
    patch_for_fake_cuda()
    dtype = getattr(torch, args.dtype)
    network, mode = build(args.class_name, json.loads(args.config), dtype)
    if args.tiling:
        network.enable_tiling()
    ledger, attention, shapes = Ledger(), Attention(), json.loads(args.inputs)
    for tensor in [*network.parameters(), *network.buffers()]:
        ledger.add(tensor, "weight")
    weights = ledger.current
    call = network if args.method == "forward" else getattr(network, args.method)
    with mode, torch.no_grad(), torch.device("cuda"), attention, Recorder(ledger):
        if isinstance(shapes, dict):
            output = call(**{name: torch.empty(*shape, dtype=dtype) for name, shape in shapes.items()}, return_dict=False)
        else:
            output = call(*(torch.empty(*shape, dtype=dtype) for shape in shapes), return_dict=False)
    print(f"weights {weights:,}  peak beside them {ledger.peak - weights:,}  kernels {attention.kernels}")
    print(live_table(ledger.at_peak))
    del output


if __name__ == "__main__":
    main()
