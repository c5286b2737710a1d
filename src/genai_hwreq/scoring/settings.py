"""What a case says was run, read by type; whatever is not understood is declined and never guessed.

Next: mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import frozen

from genai_hwreq.errors import HwReqError

__all__ = ["DeclinedError", "Settings"]

_T = TypeVar("_T")


class DeclinedError(HwReqError):
    """A case that is not answered; the message says why."""


@frozen
class Settings:
    """A request's keys. A key that is absent is not known: the program's own default applies."""

    values: Mapping[str, Any]
    """Key and value as the case states them."""

    def only(self, *keys: str) -> None:
        """Decline a request that holds any other key: it may change the memory."""
        for key in self.values:
            if key not in keys:
                msg = f"unknown request key {key!r}"
                raise DeclinedError(msg)

    def has(self, key: str) -> bool:
        """Tell whether a key is stated."""
        return self.values.get(key) is not None

    def whole(self, key: str, default: int, minimum: int = 0) -> int:
        """Return a whole number."""
        value = self.values.get(key)
        if value is None:
            return default
        if type(value) is int and value >= minimum:
            return value
        raise _misread(key, value, f"a whole number of at least {minimum}")

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        raise _misread(key, value, "true or false")

    def text(self, key: str) -> str | None:
        """Return a word, or `None` where none is stated."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        raise _misread(key, value, "some text")

    def choice(self, key: str, choices: Mapping[str, _T], default: _T) -> _T:
        """Return what a word stands for; a word that is not listed is not modelled."""
        value = self.text(key)
        if value is None:
            return default
        if value in choices:
            return choices[value]
        msg = f"{key} {value!r} is not modelled; {', '.join(choices)} are"
        raise DeclinedError(msg)

    def refuse(self, key: str, *allowed: object) -> None:
        """Decline any value of a key but those that are the same as leaving it out."""
        if self.has(key) and self.values[key] not in allowed:
            msg = f"{key} {self.values[key]!r} is not modelled"
            raise DeclinedError(msg)


def _misread(key: str, value: object, wanted: str) -> DeclinedError:
    return DeclinedError(f"request key {key!r} is {value!r:.80}; expected {wanted}")
