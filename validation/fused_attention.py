"""Stand in for CUDA's fused attention: choose the kernel as PyTorch does and allocate what it allocates."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Attention(TorchFunctionMode):
    """Replace fused attention by the outputs and temporaries of the kernel CUDA would choose."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: dict[str, int] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            return self.attend(*args, **kwargs)
        if func is torch.nn.functional.one_hot:
            index, classes = args[0], kwargs.get("num_classes", args[1] if len(args) > 1 else None)
            return torch.zeros(*index.shape, classes, dtype=torch.int64, device=index.device)
        return func(*args, **kwargs)

    def attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        kernel = chosen_kernel(query, key, value, attn_mask, enable_gqa)
        self.kernels[kernel] = self.kernels.get(kernel, 0) + 1
        if kernel == "flash":
            return flash(query, value)
        if kernel == "mem_efficient":
            return mem_efficient(query, key, value, attn_mask)
        return math_attention(query, key, value, attn_mask, is_causal, scale, enable_gqa)


def chosen_kernel(query: Any, key: Any, value: Any, mask: Any, enable_gqa: bool) -> str:
    """Follow sdp_utils.cpp for an A100 without cuDNN attention."""
    if query.dim() != 4 or key.dim() != 4 or value.dim() != 4:
        return "math"
    if any(t.stride(-1) != 1 for t in (query, key, value)):
        return "math"
    same_heads = query.shape[1] == key.shape[1] == value.shape[1]
    same_batch = query.shape[0] == key.shape[0] == value.shape[0]
    half = query.dtype in (torch.float16, torch.bfloat16)
    same_dim = query.shape[-1] == key.shape[-1] == value.shape[-1]
    gqa_ok = same_heads or enable_gqa
    if mask is None and half and same_dim and query.shape[-1] <= 256 and gqa_ok and same_batch:
        return "flash"
    if same_heads and same_batch and query.dtype in (torch.float16, torch.bfloat16, torch.float32):
        return "mem_efficient"
    return "math"


def flash(query: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Allocate flash attention's output (laid out as B, T, H, D) and its log-sum-exp."""
    b, h, t, d = query.shape
    padded = -(-d // 8) * 8
    pads = [
        torch.empty(b, t, h, padded, dtype=query.dtype, device=query.device) for _ in range(3 * (padded != d))
    ]
    out = torch.empty(b, t, h, padded, dtype=query.dtype, device=query.device).transpose(1, 2)
    lse = torch.empty(b, h, t, dtype=torch.float32, device=query.device)
    del lse, pads
    return out[..., :d] if padded != d else out


def mem_efficient(query: Any, key: Any, value: Any, mask: Any) -> torch.Tensor:
    """Allocate the memory-efficient kernel's output; a mask becomes an additive bias of aligned rows."""
    b, h, t, _ = query.shape
    if mask is not None:
        bias = mask
        if mask.dtype == torch.bool:
            bias = torch.empty(mask.shape, dtype=query.dtype, device=query.device)
            bias = torch.where(mask, 0.0, torch.empty((), dtype=query.dtype, device=query.device))
        s_kv = key.shape[2]
        if s_kv % 16 or bias.stride(-1) != 1:
            bias = torch.nn.functional.pad(bias, (0, -s_kv % 16))
    return torch.empty(b, t, h, value.shape[-1], dtype=query.dtype, device=query.device).transpose(1, 2)


def math_attention(q: Any, k: Any, v: Any, mask: Any, is_causal: bool, scale: Any, enable_gqa: bool) -> Any:
    """Run PyTorch's composite attention, which computes 16-bit types in fp32 and also returns the scores."""
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.where(mask, torch.zeros((), dtype=q.dtype), torch.full((), -torch.inf, dtype=q.dtype))
    composite = torch.ops.aten._scaled_dot_product_attention_math.default
    return composite(q, k, v, mask, 0.0, is_causal, None, scale=scale, enable_gqa=enable_gqa)[0]
