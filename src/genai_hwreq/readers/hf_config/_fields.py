"""Typed access to a configuration that nobody has checked: right type and range, or a clear error.

A `config.json` may hold anything. Every value a family needs goes through one of these methods, so a
hostile or damaged file ends in a `ConfigurationError` that names the field, never in a crash or a hang.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from genai_hwreq.errors import ConfigurationError

__all__ = ["Fields"]

_LARGEST = 2**48
"""No dimension of a real model comes near; products of two stay exact and fast."""

_MOST_LAYERS = 4096
"""The deepest published models have a few hundred layers."""


@frozen
class Fields:
    """A configuration, read field by field. Several names are tried in order: families spell them differently."""

    config: Mapping[str, Any]
    """The configuration as parsed from JSON."""

    def has(self, *names: str) -> bool:
        """Tell whether one of the names is there and not null."""
        return any(self.config.get(name) is not None for name in names)

    def count(self, *names: str, default: int | None = None, minimum: int = 1) -> int:
        """Return a whole number; `default` where no name is there, an error where there is none either."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                return _checked(name, value, minimum)
        if default is None:
            raise self._missing(names)
        return default

    def optional_count(self, *names: str) -> int | None:
        """Return a whole number above zero, or `None` where it is absent, null or zero."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                return _checked(name, value, 0) or None
        return None

    def n_layers(self, *names: str) -> int:
        """Return the number of layers, within what a real model can have."""
        layers = self.count(*(names or ("num_hidden_layers", "n_layer", "n_layers", "num_layers")))
        if layers > _MOST_LAYERS:
            msg = f"{layers} layers; expected at most {_MOST_LAYERS}"
            raise ConfigurationError(msg, field="num_hidden_layers")
        return layers

    def flag(self, *names: str, default: bool) -> bool:
        """Return a truth value; `default` where no name is there."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                if not isinstance(value, bool):
                    msg = f"{name} is {value!r}; expected true or false"
                    raise ConfigurationError(msg, field=name)
                return value
        return default

    def text(self, *names: str, default: str) -> str:
        """Return a string; `default` where no name is there."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                if not isinstance(value, str):
                    msg = f"{name} is {value!r}; expected text"
                    raise ConfigurationError(msg, field=name)
                return value
        return default

    def items(self, name: str) -> tuple[Any, ...] | None:
        """Return a list as a tuple, or `None` where it is absent; longer than any model has layers is refused."""
        value = self.config.get(name)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) > _MOST_LAYERS:
            msg = f"{name} is not a list of at most {_MOST_LAYERS} entries"
            raise ConfigurationError(msg, field=name)
        return tuple(value)

    def counts(self, name: str, minimum: int = 0) -> tuple[int, ...] | None:
        """Return a list of whole numbers, or `None` where it is absent."""
        values = self.items(name)
        return None if values is None else tuple(_checked(name, value, minimum) for value in values)

    def section(self, *names: str) -> Fields | None:
        """Return a nested configuration, or `None` where it is absent."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                if not isinstance(value, dict):
                    msg = f"{name} is {type(value).__name__}; expected a nested configuration"
                    raise ConfigurationError(msg, field=name)
                return Fields(value)
        return None

    def with_defaults(self, defaults: Mapping[str, Any]) -> Fields:
        """Return these fields with `defaults` where a name is absent or null."""
        missing = {name: value for name, value in defaults.items() if self.config.get(name) is None}
        return Fields({**self.config, **missing})

    def _missing(self, names: tuple[str, ...]) -> ConfigurationError:
        model_type = self.config.get("model_type")
        return ConfigurationError(
            f"{' or '.join(names)} is missing from the {model_type!r} configuration; add it", field=names[0]
        )


def _checked(name: str, value: object, minimum: int) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
        value = int(value)
    if type(value) is not int or not minimum <= value <= _LARGEST:
        msg = f"{name} is {value!r}; expected a whole number from {minimum} to 2**48"
        raise ConfigurationError(msg, field=name)
    return value
