"""Every error and warning the library raises, as one small tree.

```text
HwReqError
├── UnknownNameError (LookupError)        a name that no catalog, engine table or unit list holds
├── AmbiguousNameError (LookupError)      a name that means more than one record
├── QuantityError (ValueError)            a size, count or rate that cannot be what was asked for
├── CatalogDataError (ValueError)         a data file with faults; carries all of them
├── ConfigurationError (ValueError)       a model configuration that cannot be understood
├── FileFormatError (ValueError)          a weight file whose header is damaged or hostile
├── UnsupportedError                      an engine that cannot run this model, format or workload
├── MissingFactError                      a fact that nobody has supplied
└── MissingExtraError (ImportError)       an optional package that is not installed
HwReqWarning (UserWarning)
```

Errors keep their facts as attributes, pickle, and say what to do. This module imports nothing of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AmbiguousNameError",
    "CatalogDataError",
    "ConfigurationError",
    "FileFormatError",
    "HwReqError",
    "HwReqWarning",
    "MissingExtraError",
    "MissingFactError",
    "QuantityError",
    "UnknownNameError",
    "UnsupportedError",
]


class HwReqError(Exception):
    """Base of every error raised on purpose by this library."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by attributes, so that errors cross process borders whole."""
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(cls: type[HwReqError], args: tuple[Any, ...], facts: dict[str, Any]) -> HwReqError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(facts)
    return error


class UnknownNameError(HwReqError, LookupError):
    """A name that is not known here; `suggestions` are known names close to it."""

    def __init__(self, kind: str, query: str, suggestions: Sequence[str] = ()) -> None:
        """Say what kind of thing was looked for, the name given and near misses."""
        self.kind = kind
        self.query = query
        self.suggestions = tuple(suggestions)
        hint = f"did you mean {_either(self.suggestions)}?" if self.suggestions else "no known name is close to it"
        super().__init__(f"unknown {kind} {query!r}; {hint}")


class AmbiguousNameError(HwReqError, LookupError):
    """A name that means several records; `candidates` are their ids."""

    def __init__(self, kind: str, query: str, candidates: Sequence[str]) -> None:
        """Say what kind of thing was looked for, the name given and what it may mean."""
        self.kind = kind
        self.query = query
        self.candidates = tuple(candidates)
        super().__init__(f"{kind} {query!r} is ambiguous; use one of {_either(self.candidates)}")


class QuantityError(HwReqError, ValueError):
    """A quantity out of its range, of the wrong type or without a unit."""


class CatalogDataError(HwReqError, ValueError):
    """A catalog file that breaks the schema; `problems` lists every fault with its path."""

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        """Name the file and all that is wrong in it."""
        self.path = path
        self.problems = tuple(problems)
        super().__init__(f"{path}: " + "; ".join(self.problems))


class ConfigurationError(HwReqError, ValueError):
    """A model configuration with a field that is missing, of the wrong type or out of range."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        """Say what is wrong and, where one field is to blame, which."""
        self.field = field
        super().__init__(message)


class FileFormatError(HwReqError, ValueError):
    """A file header that is damaged, truncated or claims more than the file holds."""

    def __init__(self, path: str, reason: str) -> None:
        """Name the file and what is wrong with it."""
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class UnsupportedError(HwReqError):
    """An engine that cannot do what is asked; `reason` says why and what to do instead."""

    def __init__(self, engine: str, reason: str) -> None:
        """Name the engine and the reason."""
        self.engine = engine
        self.reason = reason
        super().__init__(f"{engine} cannot run this: {reason}")


class MissingFactError(HwReqError):
    """A fact the estimate needs and the record does not hold."""

    def __init__(self, record: str, fact: str, remedy: str) -> None:
        """Name the record, the fact and how to supply it."""
        self.record = record
        self.fact = fact
        self.remedy = remedy
        super().__init__(f"{record}: {fact} is not known; {remedy}")


class MissingExtraError(HwReqError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, extra: str, package: str) -> None:
        """Name the extra of this library and the package it would bring."""
        self.extra = extra
        self.package = package
        super().__init__(f"{package} is not installed; run: pip install 'genai-hwreq[{extra}]'")


class HwReqWarning(UserWarning):
    """Base of every warning of this library, so that one filter silences them all."""


def _either(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]
