"""Mixtures of experts in configurations: which layers have one, and how each is spelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Experts
from genai_hwreq.readers.hf_config._fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ExpertTraits",
    "all_sparse",
    "experts",
    "few_dense_first",
    "has_biases",
    "interleaved",
    "listed_or_few_dense_first",
    "named_layers",
    "per_layer",
    "stepped",
    "with_defaults",
]

# Families' defaults stand under the last name of each, so that any other spelling in a file goes before them.
_N_EXPERTS = ("num_local_experts", "n_routed_experts", "moe_num_experts", "num_experts")
_PER_TOKEN = (
    "num_experts_per_token",
    "num_selected_experts",
    "moe_topk",
    "moe_k",
    "moe_top_k",
    "num_experts_per_tok",
)


@frozen(kw_only=True)
class ExpertTraits:
    """What a family's experts store, and where its configuration states their widths."""

    width: tuple[str, ...] = ("moe_intermediate_size",)
    """Fields that hold the width of a routed expert."""

    shared_count: tuple[str, ...] = ()
    """Fields that hold how many shared experts there are, each as wide as a routed one."""

    shared_width: tuple[str, ...] = ()
    """Fields that hold the width of the shared network itself."""

    shared_gate: bool = False
    """Whether the shared network's output is scaled by a learned gate."""

    bias_field: str = ""
    """Configuration field that gives dense and shared networks biases; those of the routed never have it."""

    router_bias: bool = False
    """Whether the router stores a vector of one element an expert as a parameter."""

    has_bias: bool = False
    """Whether the routed experts have biases."""

    fused: bool = False
    """Whether gate and up are one tensor in the checkpoint."""


def with_defaults(fields: Fields, defaults: Mapping[str, Any]) -> Fields:
    """Return the fields on top of what the family's configuration class holds for absent ones.

    A field that is there and null stays null: it hides the default, as it does in that class.
    """
    return Fields({**defaults, **fields.config})


def per_layer(fields: Fields, names: tuple[str, ...], index: int, *, default: int | None = None) -> int:
    """Return a whole number that the configuration states once or for each layer."""
    for name in names:
        if isinstance(fields.config.get(name), list | tuple):
            values = fields.counts(name) or ()
            if index >= len(values):
                msg = f"{name} has {len(values)} entries; expected one for each layer"
                raise ConfigurationError(msg, field=name)
            return values[index]
    return fields.count(*names, default=default, minimum=0)


def experts(fields: Fields, traits: ExpertTraits, index: int = 0) -> Experts:
    """Read the mixture of one layer."""
    width = per_layer(fields, traits.width, index)
    n_experts = per_layer(fields, _N_EXPERTS, index)
    per_token = per_layer(fields, _PER_TOKEN, index)
    if not 1 <= per_token <= n_experts or not width:
        msg = f"{per_token} of {n_experts} experts of width {width} a token; expected at least one and at most all"
        raise ConfigurationError(msg, field=_PER_TOKEN[-1])
    shared_dim = _shared_dim(fields, traits, width, index)
    return Experts(
        n_experts=n_experts,
        n_experts_per_token=per_token,
        intermediate_dim=width,
        activation=fields.text("hidden_act", "activation_function", default="silu"),
        has_bias=traits.has_bias,
        fused=traits.fused,
        router_bias=traits.router_bias,
        shared_dim=shared_dim,
        shared_bias=has_biases(fields, traits),
        shared_gate=traits.shared_gate,
    )


def has_biases(fields: Fields, traits: ExpertTraits) -> bool:
    """Tell whether dense and shared networks have biases."""
    return bool(traits.bias_field) and fields.flag(traits.bias_field, default=False)


def _shared_dim(fields: Fields, traits: ExpertTraits, width: int, index: int) -> int:
    if traits.shared_width:
        return per_layer(fields, traits.shared_width, index, default=0)
    if traits.shared_count:
        return width * per_layer(fields, traits.shared_count, index, default=0)
    return 0


def all_sparse(fields: Fields, n_layers: int) -> tuple[bool, ...]:  # noqa: ARG001  (one shape for all rules)
    """Every layer has experts."""
    return (True,) * n_layers


def few_dense_first(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    """Leave the first layers dense; the others, or one in every few of them, have experts."""
    n_dense = fields.count("first_k_dense_replace", "num_dense_layers", default=0, minimum=0)
    every = (
        1
        if isinstance(fields.config.get("moe_layer_freq"), list)
        else fields.count("moe_layer_freq", default=1)
    )
    return tuple(index >= n_dense and index % every == 0 for index in range(n_layers))


def listed_or_few_dense_first(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    """Follow `mlp_layer_types` or a list in `moe_layer_freq` where given, else leave the first layers dense."""
    kinds = fields.items("mlp_layer_types")
    if kinds is not None:
        return tuple(kind != "dense" for kind in _one_each("mlp_layer_types", kinds, n_layers))
    if isinstance(fields.config.get("moe_layer_freq"), list | tuple):
        flags = fields.counts("moe_layer_freq") or ()
        return tuple(bool(flag) for flag in _one_each("moe_layer_freq", flags, n_layers))
    return few_dense_first(fields, n_layers)


def stepped(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    """Give every n-th layer experts, but not those listed as dense (Qwen)."""
    dense = set(fields.counts("mlp_only_layers") or ())
    step = fields.count("decoder_sparse_step", default=1)
    has_experts = fields.count(*_N_EXPERTS, minimum=0) > 0
    return tuple(has_experts and index not in dense and (index + 1) % step == 0 for index in range(n_layers))


def interleaved(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    """Give every n-th layer between two bounds experts (ERNIE)."""
    every = fields.count("moe_layer_interval", default=1)
    first = fields.count("moe_layer_start_index", default=0, minimum=0)
    last = fields.count("moe_layer_end_index", default=-1, minimum=-1)
    last = n_layers - 1 if last == -1 else last
    return tuple((index + 1) % every == 0 and first <= index <= last for index in range(n_layers))


def named_layers(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    """Give the layers named in `moe_layers` experts, else every n-th (Llama 4)."""
    names = fields.counts("moe_layers")
    step = fields.count("interleave_moe_layer_step", default=1)
    if names is not None:
        chosen = set(names)
        return tuple(index in chosen for index in range(n_layers))
    return tuple((index + 1) % step == 0 for index in range(n_layers))


def _one_each(name: str, values: tuple[Any, ...], n_layers: int) -> tuple[Any, ...]:
    if len(values) < n_layers:
        msg = f"{name} has {len(values)} entries; expected one for each of the {n_layers} layers"
        raise ConfigurationError(msg, field=name)
    return values[:n_layers]
