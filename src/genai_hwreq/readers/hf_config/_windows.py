"""Which layers see a window only, where a configuration states a rule instead of listing `layer_types`.

The rules are those of the families' configuration classes: a whole-sight layer every so many layers, a first
layer from which windows apply, or windows only where positions are not rotated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.readers.hf_config._decoder import layer_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["Windows", "every_layer", "from_layer", "no_windows", "one_full_in", "where_unrotated"]

Windows = tuple[int | None, ...]
"""Each layer's window, first to last; `None` where a token sees all before it."""


def every_layer(fields: Fields) -> Windows:
    """Return what `layer_types` says, else the one window for all layers (none where there is none)."""
    return layer_windows(fields, fields.n_layers())


def no_windows(fields: Fields) -> Windows:
    """Return whole sight for all layers."""
    return (None,) * fields.n_layers()


def one_full_in(
    period: int, full: Literal["first", "last"] = "last", field: str = "sliding_window_pattern"
) -> Callable[[Fields], Windows]:
    """Return the rule of one whole-sight layer, the first or the last of each `period`, unless the fields differ."""

    def windows(fields: Fields) -> Windows:
        if fields.has("layer_types"):
            return every_layer(fields)
        length = _period(fields, field, period)
        window = fields.optional_count("sliding_window")
        at = 0 if full == "first" else length - 1
        return tuple(None if index % length == at else window for index in range(fields.n_layers()))

    return windows


def _period(fields: Fields, field: str, default: int) -> int:
    if isinstance(fields.config.get(field), str):  # EXAONE 4 spells it out: "LLLG"
        return len(fields.text(field, default="")) or default
    return fields.count(field, f"_{field}", default=default)


def from_layer(fields: Fields) -> Windows:
    """Return windows from layer `max_window_layers` on, if `use_sliding_window` switches them on (Qwen 2 and 3)."""
    layers = fields.n_layers()
    if not fields.flag("use_sliding_window", default=False):
        return (None,) * layers
    if fields.has("layer_types"):
        return every_layer(fields)
    window, first = (
        fields.optional_count("sliding_window"),
        fields.count("max_window_layers", default=28, minimum=0),
    )
    return tuple(window if index >= first else None for index in range(layers))


def where_unrotated(fields: Fields) -> Windows:
    """Return windows for the layers without rotary positions, if `use_sliding_window` is on (SmolLM 3)."""
    layers = fields.n_layers()
    if fields.has("layer_types"):
        return every_layer(fields)
    if not fields.flag("use_sliding_window", default=False):
        return (None,) * layers
    window, rotated = fields.optional_count("sliding_window"), fields.counts("no_rope_layers")
    if rotated is None:
        interval = fields.count("no_rope_layer_interval", default=4)
        rotated = tuple(int((index + 1) % interval != 0) for index in range(layers))
    if len(rotated) != layers:
        msg = f"no_rope_layers has {len(rotated)} entries; expected one for each of the {layers} layers"
        raise ConfigurationError(msg, field="no_rope_layers")
    return tuple(None if has_rope else window for has_rope in rotated)
