"""The working memory of one forward pass, as explained components: prefill, and one step of decoding."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.engines._moments import Moment, Pass, largest_moment
from genai_hwreq.engines._transformers_classes import class_traits
from genai_hwreq.estimates import Component
from genai_hwreq.formulas import activations as formula
from genai_hwreq.models import Attention, LatentAttention

if TYPE_CHECKING:
    from genai_hwreq.estimates import Inputs
    from genai_hwreq.models import Transformer

__all__ = ["pass_components"]


def pass_components(network: Transformer, run: Pass) -> tuple[Component, ...]:
    """Return what a pass holds at its largest moment, beside weights and caches."""
    masks = _masks(network, run)
    moment = largest_moment(network, run, masked=bool(masks) and not run.eager)
    in_layers = moment.logit_copies == 0
    components = [_inputs(network, run, tables=in_layers), *(masks if in_layers else ()), _stream(network, run, moment)]
    if moment.seen_elements or moment.old_elements:
        components.append(_seen(run, moment))
    if moment.half_widths:
        components.append(_feed_forward(run, moment))
    if moment.n_score_heads:
        components.append(_scores(run, moment))
    if moment.mask_bias:
        components.append(_mask_bias(run))
    if moment.logit_copies:
        components.append(_logits(network, run, moment))
    return tuple(components)


def _inputs(network: Transformer, run: Pass, *, tables: bool) -> Component:
    """Return the token ids, positions and position tables; the tables go when the layers are done."""
    traits = class_traits(network.model_type)
    rotary_dim = _rotary_dim(network) * traits.rotary_percent // 100
    n_tables = traits.rotary_tables if rotary_dim and tables and traits.positions == "rotary" else 0
    table_bytes = traits.rotary_table_bytes or run.element_bytes
    learned_dim = network.hidden_dim if tables and traits.positions == "learned" else 0
    size = formula.token_id_bytes(run.batch_size, run.seen_tokens, 1 + run.padded, run.tokens)
    size += formula.rotary_table_bytes(n_tables, run.tokens, rotary_dim, table_bytes)
    size += run.tokens * learned_dim * run.element_bytes
    inputs = (
        ("seen_tokens", run.seen_tokens),
        ("n_id_tensors", 1 + run.padded),
        ("batch_size", run.batch_size),
        ("n_tables", n_tables),
        ("tokens", run.tokens),
        ("rotary_dim", rotary_dim),
        ("table_bytes", table_bytes),
        ("learned_dim", learned_dim),
        ("element_bytes", run.element_bytes),
    )
    text = f"{formula.TOKEN_IDS} + {formula.ROTARY_TABLES} + tokens * learned_dim * element_bytes"
    return Component("activations", "token ids and position tables", size, text, inputs, "modelled")


def _seen(run: Pass, moment: Moment) -> Component:
    elements = run.seen_tokens * moment.seen_elements + (run.seen_tokens - 1) * moment.old_elements
    inputs = (
        ("batch_size", run.batch_size),
        ("seen_tokens", run.seen_tokens),
        ("seen_elements", moment.seen_elements),
        ("old_elements", moment.old_elements),
        ("element_bytes", run.element_bytes),
    )
    size = run.batch_size * elements * run.element_bytes
    return Component("activations", f"rows of earlier tokens, {moment.name}", size, formula.SEEN_ROWS, inputs, "modelled")


@lru_cache(maxsize=512)
def _rotary_dim(network: Transformer) -> int:
    for layer_run in network.layers:
        for mixer in layer_run.layer.mixers:
            if isinstance(mixer, Attention):
                return mixer.head_dim
            if isinstance(mixer, LatentAttention):
                return mixer.qk_rope_head_dim
    return 0


def _stream(network: Transformer, run: Pass, moment: Moment) -> Component:
    """Return the copies of the residual stream and what each token has beside them."""
    size = formula.stream_bytes(
        run.batch_size,
        run.tokens,
        moment.stream_copies * network.hidden_dim + moment.other_elements,
        run.element_bytes,
        moment.token_bytes,
    )
    inputs = (
        ("batch_size", run.batch_size),
        ("tokens", run.tokens),
        ("stream_copies", moment.stream_copies),
        ("hidden_dim", network.hidden_dim),
        ("other_elements", moment.other_elements),
        ("element_bytes", run.element_bytes),
        ("token_bytes", moment.token_bytes),
    )
    return Component("activations", f"residual stream, {moment.name}", size, formula.STREAM, inputs, "modelled")


def _feed_forward(run: Pass, moment: Moment) -> Component:
    size = formula.feed_forward_bytes(
        run.batch_size, run.tokens, moment.half_widths, moment.intermediate_dim, run.element_bytes
    )
    inputs = (
        ("batch_size", run.batch_size),
        ("tokens", run.tokens),
        ("half_widths", moment.half_widths),
        ("intermediate_dim", moment.intermediate_dim),
        ("element_bytes", run.element_bytes),
    )
    return Component("activations", f"inside the {moment.name}", size, formula.FEED_FORWARD, inputs, "modelled")


def _scores(run: Pass, moment: Moment) -> Component:
    size = formula.eager_score_bytes(
        run.batch_size, moment.n_score_heads, run.tokens, run.seen_tokens, moment.bytes_per_score
    )
    inputs = (
        ("batch_size", run.batch_size),
        ("n_heads", moment.n_score_heads),
        ("tokens", run.tokens),
        ("seen_tokens", run.seen_tokens),
        ("bytes_per_score", moment.bytes_per_score),
    )
    return Component("attention", "attention scores, held in full", size, formula.EAGER_SCORES, inputs, "modelled")


def _mask_bias(run: Pass) -> Component:
    rows = run.batch_size if run.padded else 1
    size = formula.attention_mask_bytes(1, rows, run.tokens, run.seen_tokens, run.element_bytes)
    inputs = _mask_inputs(run, 1, rows, run.element_bytes)
    return Component("activations", "attention mask as a bias", size, formula.ATTENTION_MASK, inputs, "modelled")


def _masks(network: Transformer, run: Pass) -> list[Component]:
    windows = _windows(network)
    if run.eager:
        n_masks, rows, mask_bytes = len(windows), run.batch_size, run.element_bytes
    elif run.padded:
        n_masks, rows, mask_bytes = len(windows), run.batch_size, 1
    else:
        passed = any(window is not None and run.tokens >= window for window in windows)
        n_masks = int(passed or (class_traits(network.model_type).always_masked and run.tokens > 1))
        rows, mask_bytes = 1, 1
    if not n_masks:
        return []
    size = formula.attention_mask_bytes(n_masks, rows, run.tokens, run.seen_tokens, mask_bytes)
    inputs = _mask_inputs(run, n_masks, rows, mask_bytes)
    return [Component("activations", "attention masks", size, formula.ATTENTION_MASK, inputs, "modelled")]


@lru_cache(maxsize=512)
def _windows(network: Transformer) -> frozenset[int | None]:
    """Return the kinds of window a network's attention has; each kind has a mask of its own."""
    return frozenset(
        mixer.window_tokens
        for layer_run in network.layers
        for mixer in layer_run.layer.mixers
        if isinstance(mixer, Attention)
    )


def _mask_inputs(run: Pass, n_masks: int, rows: int, mask_bytes: int) -> Inputs:
    return (
        ("n_masks", n_masks),
        ("mask_rows", rows),
        ("tokens", run.tokens),
        ("seen_tokens", run.seen_tokens),
        ("mask_bytes", mask_bytes),
    )


def _logits(network: Transformer, run: Pass, moment: Moment) -> Component:
    bytes_per_logit = moment.logit_copies * run.bytes_per_logit
    size = formula.logits_bytes(run.batch_size, run.logit_tokens, network.vocab_size, bytes_per_logit)
    inputs = (
        ("batch_size", run.batch_size),
        ("logit_tokens", run.logit_tokens),
        ("vocab_size", network.vocab_size),
        ("bytes_per_logit", bytes_per_logit),
    )
    return Component("logits", "logits", size, formula.LOGITS, inputs, "modelled")
