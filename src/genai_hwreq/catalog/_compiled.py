"""The compiled catalog: one line of JSON a record, and an index of names.

Reading TOML and checking it takes a while; the facts do not change between releases. So the checked records
are written as constructor calls in JSON, and a look-up rebuilds the one record it needs. A test holds the
compiled form equal to the TOML.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import import_module
from typing import Any

from attrs import NOTHING, Factory, fields, has

__all__ = ["decode", "encode"]

_MODULES = (
    "genai_hwreq.provenance",
    "genai_hwreq.models",
    "genai_hwreq.catalog._entries",
    "genai_hwreq.formats",
    "genai_hwreq.hardware",
)
"""Where the records of the catalog live; what an estimate needs first, so that the rest is not imported for it."""


def encode(value: object) -> Any:  # noqa: ANN401  (JSON)
    """Turn a record into JSON data that names its classes; fields at their default are left out."""
    cls: Any = type(value)
    if has(cls):
        kept = {
            attribute.name: encode(getattr(value, attribute.name))
            for attribute in fields(cls)
            if attribute.init and not _is_default(value, attribute)
        }
        return {"_": cls.__name__, **kept}
    if isinstance(value, date):
        return {"_": "date", "iso": value.isoformat()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"_": "json", "value": value}
    return value


def _is_default(record: object, attribute: Any) -> bool:  # noqa: ANN401  (attrs' own type is generic)
    default = attribute.default
    if default is NOTHING:
        return False
    if isinstance(default, Factory):  # type: ignore[arg-type]  # the stubs call it a function
        default = default.factory(record) if default.takes_self else default.factory()
    return bool(default == getattr(record, attribute.name))


def decode(data: Any) -> Any:  # noqa: ANN401  (JSON)
    """Rebuild what `encode` wrote."""
    if isinstance(data, list):
        return tuple(decode(item) for item in data)
    if not isinstance(data, dict):
        return data
    name = data["_"]
    if name == "json":
        return data["value"]
    if name == "date":
        return date.fromisoformat(data["iso"])
    return _class(name)(**{key: decode(value) for key, value in data.items() if key != "_"})


@cache
def _class(name: str) -> Any:  # noqa: ANN401  (a record class)
    for module in _MODULES:
        found = getattr(import_module(module), name, None)
        if isinstance(found, type):
            return found
    msg = f"the compiled catalog names a record {name!r} that this version does not have"
    raise LookupError(msg)
