"""Image transformers of single families: HunyuanDiT, HiDream, OmniGen, and the priors that make image embeddings.

Their working memory follows the same feed-forward moment as the families whose forward pass was read off.

Next: _adapters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, Tensor, TokenMoment, TokenWork
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.diffusers._image_transformers import heads_and_width
from genai_hwreq.readers.diffusers._parts import (
    attention,
    embedding,
    feed_forward,
    group,
    linear,
    norm,
    patch_convolution,
    raw,
    time_embedding,
    word,
)

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["hidream", "hunyuan_dit", "omnigen", "prior"]

Tensors = tuple[Tensor, ...]


def hunyuan_dit(fields: Fields) -> EnumeratedNetwork:
    """Read HunyuanDiT's transformer: the later half of its blocks reads the earlier half's states again."""
    n_heads, head_dim, dim = heads_and_width(fields, 16, 88)
    channels, patch = fields.count("in_channels", default=4), fields.count("patch_size", default=2)
    n_layers = fields.n_layers("num_layers") if fields.has("num_layers") else 28
    clip, t5 = (
        fields.count("cross_attention_dim", default=1024),
        fields.count("cross_attention_dim_t5", default=2048),
    )
    pooled = fields.count("pooled_projection_dim", default=1024)
    text, text_t5 = fields.count("text_len", default=77), fields.count("text_len_t5", default=256)
    ratio = fields.config.get("mlp_ratio", 4.0)
    inner = int(dim * (ratio if isinstance(ratio, int | float) else 4.0))
    styled = fields.flag("use_style_cond_and_image_meta_size", default=True)
    out = channels * (2 if fields.flag("learn_sigma", default=True) else 1)
    extra = pooled + (256 * 6 + dim if styled else 0)
    time = "time_extra_emb"
    ends = group(
        "embeddings", 1,
        raw("text_embedding_padding", text + text_t5, clip),
        embedding("text_embedder", 4 * t5, t5, outputs=clip),
        patch_convolution("pos_embed.proj", dim, channels, patch, patch),
        time_embedding(f"{time}.timestep_embedder", dim),
        raw(f"{time}.pooler.positional_embedding", text_t5 + 1, t5),
        linear(f"{time}.pooler.k_proj", t5, t5), linear(f"{time}.pooler.q_proj", t5, t5),
        linear(f"{time}.pooler.v_proj", t5, t5), linear(f"{time}.pooler.c_proj", pooled, t5),
        raw(f"{time}.style_embedder.weight", 1, dim) if styled else (),
        embedding(f"{time}.extra_embedder", 4 * dim, extra, outputs=dim),
        linear("norm_out.linear", 2 * dim, dim), linear("proj_out", patch * patch * out, dim),
    )  # fmt: skip
    block = (
        *linear("norm1.linear", dim, dim), *norm("norm1.norm", dim, has_bias=True),
        *attention("attn1", dim, norm_dim=head_dim, norm_bias=True),
        *norm("norm2", dim, has_bias=True),
        *attention("attn2", dim, source=clip, norm_dim=head_dim, norm_bias=True),
        *norm("norm3", dim, has_bias=True), *feed_forward("ff", dim, inner),
    )  # fmt: skip
    skip = (*norm("skip_norm", 2 * dim, has_bias=True), *linear("skip_linear", dim, 2 * dim))
    skipping = sum(1 for index in range(n_layers) if index > n_layers // 2)
    kept = n_layers // 2
    moment = TokenMoment(
        name="feed-forward network",
        per_token=2 * inner + (5 + kept) * dim + channels * patch * patch,
        per_text_token=2 * clip + t5,
    )
    return EnumeratedNetwork(
        class_name="HunyuanDiT2DModel",
        groups=(
            *ends,
            *group("layers", n_layers - skipping, block),
            *group("layers", skipping, block, skip),
        ),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def hidream(fields: Fields) -> EnumeratedNetwork:
    """Read HiDream's transformer, whose feed-forward networks are experts."""
    n_heads, _, dim = heads_and_width(fields, 20, 128)
    channels, patch = fields.count("in_channels", default=64), fields.count("patch_size", default=2)
    captions = fields.counts("caption_channels", minimum=1) or (4096, 4096)
    llama = len(fields.items("llama_layers") or ())
    pooled, experts = (
        fields.count("text_emb_dim", default=2048),
        fields.count("num_routed_experts", default=4),
    )
    double, single = fields.count("num_layers", default=16), fields.count("num_single_layers", default=32)
    n_captions = llama or double + single
    inner = _rounded(2 * 4 * dim // 3)
    shared = _rounded(2 * (4 * dim // 2) // 3)
    mixture: list[Tensors] = [
        _swiglu("block.ff_i.shared_experts", dim, shared, "ffn"),
        linear("block.ff_i.gate", experts, dim, has_bias=False),
    ]
    mixture += [_swiglu(f"block.ff_i.experts.{index}", dim, inner, "expert") for index in range(experts)]
    projections = [
        linear(f"caption_projection.{i}.linear", dim, captions[0], has_bias=False) for i in range(n_captions)
    ]
    projections.append(linear(f"caption_projection.{n_captions}.linear", dim, captions[-1], has_bias=False))
    ends = group(
        "embeddings", 1,
        time_embedding("t_embedder.timestep_embedder", dim), embedding("p_embedder.pooled_embedder", dim, pooled),
        linear("x_embedder.proj", dim, channels * patch * patch),
        linear("final_layer.linear", patch * patch * fields.count("out_channels", default=channels), dim),
        linear("final_layer.adaLN_modulation.1", 2 * dim, dim),
        *projections,
    )  # fmt: skip
    active = fields.count("num_activated_experts", default=2)
    moment = TokenMoment(
        name="experts",
        per_token=3 * inner + (5 + active) * dim + channels * patch * patch,
        per_text_token=3 * inner + 5 * dim + n_captions * dim + captions[-1],
    )
    return EnumeratedNetwork(
        class_name="HiDreamImageTransformer2DModel",
        groups=(
            *ends,
            *group(
                "layers", double, linear("block.adaLN_modulation.1", 12 * dim, dim), _hidream_attention(dim, ""),
                _hidream_attention(dim, "_t"), *mixture, _swiglu("block.ff_t", dim, inner, "ffn"),
            ),
            *group("layers", single, linear("block.adaLN_modulation.1", 6 * dim, dim), _hidream_attention(dim, ""), *mixture),
        ),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )  # fmt: skip


def _rounded(width: int) -> int:
    return -(-width // 256) * 256


def _swiglu(name: str, dim: int, inner: int, kind: str) -> Tensors:
    gate, up, down = (
        ("expert_gate", "expert_up", "expert_down")
        if kind == "expert"
        else ("ffn_gate", "ffn_up", "ffn_down")
    )
    return (
        *matrix(f"{name}.w1", gate, inner, dim),  # type: ignore[arg-type]
        *matrix(f"{name}.w2", down, dim, inner),  # type: ignore[arg-type]
        *matrix(f"{name}.w3", up, inner, dim),  # type: ignore[arg-type]
    )


def _hidream_attention(dim: int, suffix: str) -> Tensors:
    name = "block.attn1"
    return (
        *matrix(f"{name}.to_q{suffix}", "attention_q", dim, dim, has_bias=True),
        *matrix(f"{name}.to_k{suffix}", "attention_k", dim, dim, has_bias=True),
        *matrix(f"{name}.to_v{suffix}", "attention_v", dim, dim, has_bias=True),
        *matrix(f"{name}.to_out{suffix}", "attention_output", dim, dim, has_bias=True),
        *norm(f"{name}.q_rms_norm{suffix}", dim),
        *norm(f"{name}.k_rms_norm{suffix}", dim),
    )


def omnigen(fields: Fields) -> EnumeratedNetwork:
    """Read OmniGen's transformer: a text model that takes patches between its tokens."""
    dim, n_heads = fields.count("hidden_size", default=3072), fields.count("num_attention_heads", default=32)
    kv = fields.count("num_key_value_heads", default=32) * (dim // n_heads)
    channels, patch = fields.count("in_channels", default=4), fields.count("patch_size", default=2)
    inner, time = fields.count("intermediate_size", default=8192), fields.count("time_step_dim", default=256)
    ends = group(
        "embeddings", 1,
        patch_convolution("patch_embedding.output_image_proj", dim, channels, patch, patch),
        patch_convolution("patch_embedding.input_image_proj", dim, channels, patch, patch),
        embedding("time_token", dim, time), embedding("t_embedder", dim, time),
        (Tensor("embed_tokens.weight", "embedding", (fields.count("vocab_size", default=32064), dim)),),
        norm("norm", dim), linear("norm_out.linear", 2 * dim, dim), linear("proj_out", patch * patch * channels, dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=32),
        norm("input_layernorm", dim), attention("self_attn", dim, kv_inner=kv, has_bias=False),
        norm("post_attention_layernorm", dim),
        matrix("mlp.gate_up_proj", "ffn_gate_up", 2 * inner, dim), matrix("mlp.down_proj", "ffn_down", dim, inner),
    )  # fmt: skip
    joint = 4 * inner + 4 * dim
    moment = TokenMoment(
        name="feed-forward network", per_token=joint + channels * patch * patch, per_text_token=joint
    )
    return EnumeratedNetwork(
        class_name="OmniGenTransformer2DModel",
        groups=(*ends, *layers),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def prior(fields: Fields) -> EnumeratedNetwork:
    """Read the transformer that turns a text's embedding into an image's (Kandinsky 2's prior)."""
    _, _, dim = heads_and_width(fields, 32, 64)
    width = fields.count("embedding_dim", default=768)
    clip = fields.count("clip_embed_dim", default=width)
    tokens = fields.count("num_embeddings", default=77) + fields.count("additional_embeddings", default=4)
    encoded = word(fields, "encoder_hid_proj_type", "linear") == "linear"
    added = word(fields, "added_emb_type", "prd") == "prd"
    time = fields.count("time_embed_dim", default=dim)
    ends = group(
        "embeddings", 1,
        raw("positional_embedding", 1, tokens, dim), raw("prd_embedding", 1, 1, dim) if added else (),
        raw("clip_mean", 1, clip), raw("clip_std", 1, clip),
        embedding("time_embedding", time, dim, outputs=dim),
        linear("proj_in", dim, width), linear("embedding_proj", dim, fields.count("embedding_proj_dim", default=width)),
        linear("encoder_hidden_states_proj", dim, width) if encoded else (),
        norm("norm_in", dim, has_bias=True) if fields.has("norm_in_type") else (),
        norm("norm_out", dim, has_bias=True), linear("proj_to_clip_embeddings", clip, dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=20),
        norm("norm1", dim, has_bias=True), attention("attn1", dim), norm("norm3", dim, has_bias=True),
        feed_forward("ff", dim, 4 * dim),
    )  # fmt: skip
    return EnumeratedNetwork(class_name="PriorTransformer", groups=(*ends, *layers))
