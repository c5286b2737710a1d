"""A model's tensors as a GGUF file holds them: what the quantisation rules call each, where it stands, its stored bytes.

Experts of a layer are one three-dimensional tensor, fused matrices stay fused, latent attention's second key/value
matrix is split by heads, vectors and small tensors stay in F32.

Source: https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py

Next: _llama_cpp_weights.
"""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from genai_hwreq.engines._weights import storage_of, stored_bytes
from genai_hwreq.formats import Format, RecipeFormat
from genai_hwreq.formulas.ggml_types import row_bytes, row_fragment_bytes
from genai_hwreq.formulas.gguf_recipe import LOW_RECIPES, Category, RecipeFacts, tensor_type
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import Attention, Experts, LatentAttention, StateSpace, Tensor
from genai_hwreq.models._tensor import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.models import LayerRun, Transformer

__all__ = ["FALCON", "GgufTensor", "Stored", "gguf_tensors", "recipe_facts", "stored_tensors"]

FALCON = frozenset({"falcon"})
"""Model types that the quantisation rules treat as Falcon."""

_SCALED_ROPE = frozenset({("llama", 131_072), ("llama4_text", 10_485_760)})
"""Model types with the context by which those are known that store frequency factors of their rotary embedding.

Source: `Llama3` rope scaling, https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py
"""

_CORRECTED_ROUTERS = frozenset(
    {"deepseek_v3", "deepseek_v32", "kimi_k2", "glm4_moe", "dots1", "ernie4_5_moe", "bailing_moe_v2", "minimax_m2", "exaone_moe"}
)
"""Model types whose router's correction is a buffer of the checkpoint, not a parameter, and a tensor of the file."""

_NORMED_STATES = frozenset({"falcon_h1"})
"""Model types whose normalisation of the state space is in llama.cpp's list of tensors, though many checkpoints lack it.

Source: https://github.com/ggml-org/llama.cpp/blob/master/src/models/falcon-h1.cpp
"""

_FUSED = frozenset({"phi", "glm"})
"""Model types whose query, key and value matrices were one in the checkpoints that the file format was made for."""

_MXFP4_EXPERTS = frozenset({"gpt_oss"})
"""Model types whose experts are published in MXFP4 and never stored otherwise."""

_LINEAR_QKV = "in_proj_qkv"
"""Linear attention's queries, keys and values in one, which the file names as attention's."""

_EXPANDED_QUERY = "q_b_proj"
"""The second half of a compressed query's projection, which has no rule of its own."""

Place = Literal["input", "layer", "output", "shared"]
"""With what a tensor is placed: the host (token embedding), its layer, the output layer, each device with layers."""


@frozen
class GgufTensor:
    """One kind of tensor, in one layer or in several that follow one another."""

    category: Category
    """What the quantisation rules call it."""

    tensor: Tensor
    """Its shape, and its role for formats that go by role."""

    place: Place
    """With what it is placed."""

    first_layer: int = 0
    """The first layer that holds it."""

    n_layers: int = 1
    """How many layers hold it."""

    expert: bool = False
    """Whether it is three-dimensional."""

    stacked: bool = False
    """Whether it is the matrices of routed experts, which can stay on the host alone."""

    native: str = ""
    """Type it keeps whatever the recipe: it was trained and published in it."""


@frozen
class Stored:
    """One tensor of one layer with its type."""

    place: Place
    """With what it is placed."""

    layer: int
    """Its layer; zero outside of layers."""

    role: Role
    """What it does."""

    n_bytes: int
    """Its bytes in the file."""

    device_bytes: int
    """Its bytes in a CUDA buffer: a last fragment fills rows up to 512 elements."""

    stacked: bool = False
    """Whether it is the matrices of routed experts."""

    embedding: bool = False
    """Whether it is the token embedding."""


_CATEGORIES: dict[Role, Category] = {
    "embedding": "token_embd",
    "head": "output",
    "attention_q": "attn_q",
    "attention_k": "attn_k",
    "attention_v": "attn_v",
    "attention_qkv": "attn_qkv",
    "attention_output": "attn_output",
    "ffn_gate": "ffn_gate",
    "ffn_up": "ffn_up",
    "ffn_gate_up": "ffn_up",
    "ffn_down": "ffn_down",
    "expert_gate": "ffn_gate",
    "expert_up": "ffn_up",
    "expert_gate_up": "ffn_up",
    "expert_down": "ffn_down",
    "projection": "other",
}


@lru_cache(maxsize=256)
def gguf_tensors(network: Transformer, context_tokens: int | None) -> tuple[GgufTensor, ...]:
    """List the tensors of a GGUF file of a network."""
    found = [_outside(tensor, "input") for tensor in network.embeddings]
    found += [_outside(tensor, "output") for tensor in (*network.closing, *network.head)]
    first = 0
    for run in network.layers:
        tensors = tuple(run.layer.tensors(network.hidden_dim))
        for tensor in _fused(tensors) if network.model_type in _FUSED else tensors:
            found += _in_layers(network.model_type, tensor, run.layer.mixers, first, run.n_layers)
        first += run.n_layers
        found += _unlisted(network.model_type, run, first - run.n_layers)
    if (network.model_type, context_tokens) in _SCALED_ROPE:
        head_dim = next(mixer.head_dim for mixer in network.layers[0].layer.mixers if isinstance(mixer, Attention))
        found.append(GgufTensor("keep", Tensor("rope_freqs", "state", (head_dim // 2,)), "shared"))
    return tuple(found)


def _unlisted(model_type: str, run: LayerRun, first: int) -> Iterator[GgufTensor]:
    """Yield what the file holds beyond the checkpoint's parameters: buffers, and what llama.cpp's own list adds."""
    for experts in run.layer.feed_forward:
        if isinstance(experts, Experts) and not experts.router_bias and model_type in _CORRECTED_ROUTERS:
            correction = Tensor("exp_probs_b", "bias", (experts.n_experts,))
            yield GgufTensor("keep", correction, "layer", first, run.n_layers)
    for mixer in run.layer.mixers:
        if isinstance(mixer, StateSpace) and model_type in _NORMED_STATES:
            norm = Tensor("ssm_norm", "norm", (mixer.inner_dim,))
            yield GgufTensor("keep", norm, "layer", first, run.n_layers)


def _outside(tensor: Tensor, place: Place) -> GgufTensor:
    return GgufTensor(_CATEGORIES.get(tensor.role, "keep"), tensor, place)


def _fused(tensors: tuple[Tensor, ...]) -> Iterator[Tensor]:
    parts = [tensor for tensor in tensors if tensor.role in ("attention_q", "attention_k", "attention_v")]
    if not parts:
        yield from tensors
        return
    rows = sum(tensor.n_rows for tensor in parts)
    yield Tensor("qkv_proj.weight", "attention_qkv", (rows, parts[0].row_elements))
    yield from (tensor for tensor in tensors if tensor not in parts)


def _category(tensor: Tensor) -> Category:
    if tensor.name.startswith(_LINEAR_QKV):
        return "attn_qkv"
    if tensor.name.startswith(_EXPANDED_QUERY):
        return "other"
    return _CATEGORIES.get(tensor.role, "keep")


def _in_layers(
    model_type: str, tensor: Tensor, mixers: tuple[object, ...], first: int, n_layers: int
) -> tuple[GgufTensor, ...]:
    """Return what a tensor becomes in the file."""
    latent = next((mixer for mixer in mixers if isinstance(mixer, LatentAttention)), None)
    if latent is not None and tensor.name.startswith("kv_b_proj"):
        keys = Tensor("k_b", "projection", (latent.n_heads, latent.kv_lora_rank, latent.qk_nope_head_dim))
        values = Tensor("v_b", "projection", (latent.n_heads, latent.v_head_dim, latent.kv_lora_rank))
        return tuple(GgufTensor("other", part, "layer", first, n_layers, expert=True) for part in (keys, values))
    category = _category(tensor)
    stacked = tensor.name.startswith("experts.")
    expert = stacked and category != "keep"
    native = "MXFP4" if expert and model_type in _MXFP4_EXPERTS else ""
    halves = _halves(tensor) if tensor.role == "expert_gate_up" else (tensor,)
    return tuple(GgufTensor(category, part, "layer", first, n_layers, expert, stacked, native) for part in halves)


def _halves(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Split fused gates and ups of experts, which the file keeps apart."""
    n_experts, rows, columns = tensor.shape
    half = Tensor(tensor.name, tensor.role, (n_experts, rows // 2, columns))
    return half, half


@lru_cache(maxsize=256)
def recipe_facts(network: Transformer, *, imatrix: bool) -> RecipeFacts:
    """Return what the quantisation rules ask about a network."""
    n_experts = 0
    values = ("attn_v", "attn_qkv")
    n_values = sum(part.n_layers for part in gguf_tensors(network, None) if part.category in values)
    for run in network.layers:
        experts = next((part for part in run.layer.feed_forward if isinstance(part, Experts)), None)
        n_experts = max(n_experts, experts.n_experts if experts else 0)
    return RecipeFacts(
        n_layers=network.n_layers,
        n_values=n_values,
        heads_per_kv=_heads_per_kv(network),
        n_experts=n_experts,
        falcon=network.model_type in FALCON,
        tied=network.tied,
        imatrix=imatrix,
    )


def _heads_per_kv(network: Transformer) -> int:
    """Return query heads a key/value head: of the first layer where the file lists heads layer by layer."""
    for run in network.layers:
        for mixer in run.layer.mixers:
            if isinstance(mixer, LatentAttention):
                return mixer.n_heads
            if isinstance(mixer, Attention):
                return mixer.n_heads // mixer.n_kv_heads
        if network.model_type in _HEADS_BY_LAYER:
            return 0
    return 0


_HEADS_BY_LAYER = frozenset({"granitemoehybrid", "jamba", "nemotron_h", "lfm2", "lfm2_moe", "bamba", "kimi_linear"})
"""Model types whose files list the key/value heads of each layer, zero where a layer has no attention."""


@lru_cache(maxsize=256)
def stored_tensors(network: Transformer, context_tokens: int | None, weight_format: Format) -> tuple[Stored, ...]:
    """Return every tensor of every layer with its stored bytes."""
    tensors = gguf_tensors(network, context_tokens)
    if isinstance(weight_format, RecipeFormat):
        recipe, _, imatrix = weight_format.recipe.partition("+")
        facts = recipe_facts(network, imatrix=bool(imatrix))
        return tuple(_by_recipe(tensors, recipe, facts))
    found = []
    for part in tensors:
        size = stored_bytes(part.tensor, storage_of(part.tensor, weight_format))
        found += [_stored(part, layer, size, size) for layer in range(part.first_layer, part.first_layer + part.n_layers)]
    return tuple(found)


def _by_recipe(tensors: tuple[GgufTensor, ...], recipe: str, facts: RecipeFacts) -> Iterator[Stored]:
    orders: dict[str, int] = {}
    for layer, part in _in_order(tensors):
        counted = "attn_v" if part.category == "attn_qkv" else part.category
        order = orders.get(counted, 0)
        orders[counted] = order + 1
        if facts.n_experts and counted.startswith("ffn_") and recipe not in LOW_RECIPES:
            order = layer
        row = part.tensor.row_elements
        block = part.native or tensor_type(recipe, part.category, facts, row, order, expert=part.expert)
        size = part.tensor.n_rows * row_bytes(block, row)
        yield _stored(part, layer, size, size + row_fragment_bytes(block, row))


def _in_order(tensors: tuple[GgufTensor, ...]) -> list[tuple[int, GgufTensor]]:
    """Return each tensor of each layer, layer after layer as in the file."""
    each = [
        (layer, part) for part in tensors for layer in range(part.first_layer, part.first_layer + part.n_layers)
    ]
    return sorted(each, key=itemgetter(0))


def _stored(part: GgufTensor, layer: int, size: int, device_bytes: int) -> Stored:
    return Stored(
        part.place, layer, part.tensor.role, size, aligned(device_bytes, 128), part.stacked,
        part.category == "token_embd",
    )
