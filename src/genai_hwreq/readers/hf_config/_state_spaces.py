"""The weights of each kind of state space and linear attention, from their widths.

Shapes and names are those of the Hub checkpoints: https://github.com/huggingface/transformers/tree/main/src/transformers/models
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import Norm, StateSpace, Tensor
from genai_hwreq.models._tensor import matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.models._tensor import Role

__all__ = [
    "convolution",
    "gated_delta_net",
    "kimi_delta_attention",
    "lightning_attention",
    "mamba",
    "mamba2",
    "rg_lru",
    "short_convolution",
]


def convolution(name: str, channels: int, kernel: int, *, has_bias: bool) -> Iterator[Tensor]:
    """Yield the weights of a convolution that treats each channel on its own."""
    yield Tensor(f"{name}.weight", "convolution", (channels, 1, kernel))
    if has_bias:
        yield Tensor(f"{name}.bias", "bias", (channels,))


def mamba(  # noqa: PLR0913  (each is a dimension or a flag of the configuration)
    dim: int,
    *,
    inner_dim: int,
    state_dim: int,
    dt_rank: int,
    kernel: int,
    conv_bias: bool = True,
    projection_bias: bool = False,
    norms: bool = False,
    n_heads: int = 1,
) -> StateSpace:
    """Return a Mamba mixer; with `norms`, step, B and C are normalised (Jamba).

    With heads (Zamba), each has an inner projection of its own; they are parameters rather than linear layers.
    """
    head_dim = inner_dim // n_heads
    per_head = (n_heads,) if n_heads > 1 else ()
    role: Role = "state" if n_heads > 1 else "projection"
    weights = (
        *matrix("in_proj", "projection", 2 * inner_dim, dim, has_bias=projection_bias),
        *convolution("conv1d", inner_dim, kernel, has_bias=conv_bias),
        Tensor("x_proj.weight", role, (*per_head, dt_rank + 2 * state_dim, head_dim)),
        Tensor("dt_proj.weight", role, (*per_head, head_dim, dt_rank)),
        Tensor("dt_proj.bias", "bias", (inner_dim,)),
        Tensor("A_log", "state", (inner_dim, state_dim)),
        Tensor("D", "state", (inner_dim,)),
        *matrix("out_proj", "projection", dim, inner_dim, has_bias=projection_bias),
    )
    widths = (
        (("dt_layernorm", dt_rank), ("b_layernorm", state_dim), ("c_layernorm", state_dim)) if norms else ()
    )
    return StateSpace(
        kind="mamba",
        inner_dim=inner_dim,
        n_heads=n_heads,
        state_dim=state_dim,
        conv_kernel=kernel,
        weights=weights
        + tuple(tensor for name, width in widths for tensor in Norm(name=name, dim=width).tensors()),
    )


def mamba2(  # noqa: PLR0913  (each is a dimension or a flag of the configuration)
    dim: int,
    *,
    inner_dim: int,
    n_heads: int,
    n_groups: int,
    state_dim: int,
    kernel: int,
    chunk_tokens: int = 256,
    conv_bias: bool = True,
    in_bias: bool = False,
    out_bias: bool = False,
    norm: bool = True,
) -> StateSpace:
    """Return a Mamba-2 mixer; Falcon-H1 may go without the gated norm."""
    channels = inner_dim + 2 * n_groups * state_dim
    return StateSpace(
        kind="mamba2",
        inner_dim=inner_dim,
        n_heads=n_heads,
        n_groups=n_groups,
        state_dim=state_dim,
        conv_kernel=kernel,
        chunk_tokens=chunk_tokens,
        weights=(
            *matrix("in_proj", "projection", inner_dim + channels + n_heads, dim, has_bias=in_bias),
            *convolution("conv1d", channels, kernel, has_bias=conv_bias),
            *(Tensor(name, "state", (n_heads,)) for name in ("dt_bias", "A_log", "D")),
            *(Norm(name="norm", dim=inner_dim).tensors() if norm else ()),
            *matrix("out_proj", "projection", dim, inner_dim, has_bias=out_bias),
        ),
    )


def gated_delta_net(
    dim: int, *, n_key_heads: int, n_value_heads: int, key_head_dim: int, value_head_dim: int, kernel: int
) -> StateSpace:
    """Return a gated delta net; checkpoints fuse its input projections in different ways, the sizes are the same."""
    key_dim, value_dim = n_key_heads * key_head_dim, n_value_heads * value_head_dim
    channels = 2 * key_dim + value_dim
    return StateSpace(
        kind="gated_delta_net",
        inner_dim=value_dim,
        n_heads=n_value_heads,
        n_groups=n_key_heads,
        state_dim=key_head_dim,
        conv_kernel=kernel,
        chunk_tokens=64,
        weights=(
            *matrix("in_proj_qkv", "projection", channels, dim),
            *matrix("in_proj_z", "projection", value_dim, dim),
            *matrix("in_proj_b", "projection", n_value_heads, dim),
            *matrix("in_proj_a", "projection", n_value_heads, dim),
            *convolution("conv1d", channels, kernel, has_bias=False),
            Tensor("dt_bias", "state", (n_value_heads,)),
            Tensor("A_log", "state", (n_value_heads,)),
            *Norm(name="norm", dim=value_head_dim).tensors(),
            *matrix("out_proj", "projection", dim, value_dim),
        ),
    )


def kimi_delta_attention(
    dim: int, *, n_heads: int, head_dim: int, kernel: int, full_rank_gate: bool = False
) -> StateSpace:
    """Return Kimi delta attention: a gated delta net that forgets channel by channel."""
    inner_dim = n_heads * head_dim
    low_rank_gate = (
        *matrix("g_a_proj", "projection", head_dim, dim),
        *matrix("g_b_proj", "projection", inner_dim, head_dim),
    )
    return StateSpace(
        kind="kimi_delta_attention",
        inner_dim=inner_dim,
        n_heads=n_heads,
        n_groups=n_heads,
        state_dim=head_dim,
        conv_kernel=kernel,
        chunk_tokens=64,
        weights=(
            *(
                t
                for name in ("q_proj", "k_proj", "v_proj")
                for t in matrix(name, "projection", inner_dim, dim)
            ),
            *convolution("conv1d", 3 * inner_dim, kernel, has_bias=False),
            Tensor("dt_bias", "state", (inner_dim,)),
            Tensor("A_log", "state", (1, 1, n_heads, 1)),
            *matrix("f_a_proj", "projection", head_dim, dim),
            *matrix("f_b_proj", "projection", inner_dim, head_dim),
            *matrix("b_proj", "projection", n_heads, dim),
            *(matrix("g_proj", "projection", inner_dim, dim) if full_rank_gate else low_rank_gate),
            *Norm(name="o_norm", dim=head_dim).tensors(),
            *matrix("o_proj", "projection", dim, inner_dim),
        ),
    )


def lightning_attention(dim: int, *, n_heads: int, head_dim: int, chunk_tokens: int) -> StateSpace:
    """Return MiniMax's lightning attention: linear attention with a fixed decay a head."""
    inner_dim = n_heads * head_dim
    return StateSpace(
        kind="lightning_attention",
        inner_dim=inner_dim,
        n_heads=n_heads,
        n_groups=n_heads,
        state_dim=head_dim,
        chunk_tokens=chunk_tokens,
        weights=(
            *matrix("qkv_proj", "projection", 3 * inner_dim, dim),
            *matrix("output_gate", "projection", inner_dim, dim),
            *Norm(name="norm", dim=inner_dim).tensors(),
            *matrix("out_proj", "projection", dim, inner_dim),
        ),
    )


def rg_lru(dim: int, *, width: int, n_heads: int, kernel: int) -> StateSpace:
    """Return Griffin's recurrent block: a gated linear recurrent unit with block-diagonal gates."""
    block = width // n_heads
    gates = tuple(
        tensor
        for name in ("input_gate", "recurrent_gate")
        for tensor in (
            Tensor(f"rg_lru.{name}_weight", "state", (n_heads, block, block)),
            Tensor(f"rg_lru.{name}_bias", "bias", (n_heads, block)),
        )
    )
    return StateSpace(
        kind="rg_lru",
        inner_dim=width,
        n_heads=n_heads,
        state_dim=1,
        conv_kernel=kernel,
        weights=(
            *matrix("linear_y", "projection", width, dim, has_bias=True),
            *matrix("linear_x", "projection", width, dim, has_bias=True),
            *convolution("conv_1d", width, kernel, has_bias=True),
            Tensor("rg_lru.recurrent_param", "state", (width,)),
            *gates,
            *matrix("linear_out", "projection", dim, width, has_bias=True),
        ),
    )


def short_convolution(dim: int, *, kernel: int, has_bias: bool) -> StateSpace:
    """Return LFM2's gated short convolution; its tail is all the state it has."""
    return StateSpace(
        kind="short_convolution",
        inner_dim=dim,
        conv_kernel=kernel,
        weights=(
            *matrix("in_proj", "projection", 3 * dim, dim, has_bias=has_bias),
            *convolution("conv", dim, kernel, has_bias=has_bias),
            *matrix("out_proj", "projection", dim, dim, has_bias=has_bias),
        ),
    )
