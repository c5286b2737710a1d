"""The one strict converter between plain data (TOML, JSON) and records.

Nothing is guessed: a number is a number and not text that looks like one, a list is a list, a key that no
field takes is a fault. One reading reports every fault with its path. This module is imported when data
are first read, never with the package.

- A size (`Bytes`) is a whole number or text with a unit, `"24 GiB"`.
- A date is a TOML date, or ISO text where the format has none (JSON).
- A union of records is told apart by the key `kind`. A record's kind is its class name in snake case, or its
  class variable `kind`; a record with a field `kind` of fixed words owns each of those words.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache, partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, overload

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError, transform_error
from cattrs.gen import make_dict_structure_fn
from cattrs.v import format_exception

from genai_hwreq._types import Bytes
from genai_hwreq.errors import CatalogDataError, QuantityError
from genai_hwreq.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["structure", "unstructure"]

T = TypeVar("T")


@overload
def structure(data: object, cls: type[T], path: str) -> T: ...


@overload
def structure(data: object, cls: object, path: str) -> Any: ...  # noqa: ANN401  (a union, unknown to type checkers)


def structure(data: object, cls: Any, path: str) -> Any:
    """Make a record (or a tuple or union of them) out of plain data.

    Args:
        data: Tables, lists and scalars, as `tomllib` or `json` return them.
        cls: What to make.
        path: The file they come from, for messages.

    Raises:
        CatalogDataError: with every fault and its path.

    """
    try:
        return _converter().structure(data, cls)
    except (ClassValidationError, IterableValidationError, ValueError, TypeError) as error:
        raise CatalogDataError(path, transform_error(error, "$", _explain)) from error


def unstructure(record: object, declared: object = None) -> Any:  # noqa: ANN401  (plain data of any shape)
    """Make plain data out of a record: tables, lists, scalars and dates; defaults are left out.

    Args:
        record: What to take apart.
        declared: The type it will be read back as; needed only where that is a union.

    """
    return _converter().unstructure(record, declared)


@cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, omit_if_default=True)
    for scalar in (int, str, bool):
        converter.register_structure_hook(scalar, partial(_exact, scalar))
    converter.register_structure_hook(float, _float)
    converter.register_structure_hook(date, _date)
    converter.register_structure_hook_func(lambda cls: cls == Bytes, _bytes)
    converter.register_structure_hook_func(_is_literal, _literal)
    converter.register_structure_hook_factory(attrs.has, partial(_record_hook, converter))
    converter.register_structure_hook_factory(_is_tuple, partial(_tuple_hook, converter))
    converter.register_structure_hook_factory(_is_union_of_records, partial(_union_hook, converter))
    converter.register_unstructure_hook(date, lambda value: value)
    converter.register_unstructure_hook_factory(_is_tuple, partial(_list_hook, converter))
    converter.register_unstructure_hook_factory(_is_union_of_records, partial(_tagging_hook, converter))
    return converter


def _exact(wanted: type, value: object, _: object) -> object:
    if type(value) is not wanted:
        _refuse(wanted.__name__, value)
    return value


def _float(value: object, _: object) -> float:
    if type(value) not in (int, float):
        _refuse("a number", value)
    return float(value)  # type: ignore[arg-type]  # just tested


def _bytes(value: object, _: object) -> int:
    if isinstance(value, str):
        return parse_bytes(value)
    if type(value) is not int:
        _refuse("whole bytes or a size with its unit", value)
    return value


def _date(value: object, _: object) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return date.fromisoformat(value)
    if type(value) is not date:
        _refuse("a date", value)
    return value


def _is_literal(cls: Any) -> bool:  # noqa: ANN401
    return get_origin(cls) is Literal


def _literal(value: object, cls: object) -> object:
    for word in get_args(cls):
        if type(value) is type(word) and value == word:
            return value
    return _refuse("one of " + ", ".join(repr(word) for word in get_args(cls)), value)


def _record_hook(converter: Converter, cls: type) -> Callable[[object, object], Any]:
    fill: Callable[[Any, Any], Any] = make_dict_structure_fn(cls, converter)

    def structure_record(value: object, _: object) -> object:
        if not isinstance(value, dict):
            _refuse("a table", value)
        return fill(value, cls)

    return structure_record


def _is_tuple(cls: object) -> bool:
    return get_origin(cls) is tuple


def _tuple_hook(converter: Converter, cls: Any) -> Callable[[object, object], tuple[Any, ...]]:  # noqa: ANN401
    items = get_args(cls)
    open_ended = len(items) == 2 and items[1] is Ellipsis

    def structure_tuple(value: object, _: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            _refuse("a list", value)
        if open_ended:
            return tuple(converter.structure(value, list[items[0]]))  # type: ignore[valid-type]
        if len(value) != len(items):
            _refuse(f"a list of {len(items)}", value)
        return tuple(converter.structure(item, of) for item, of in zip(value, items, strict=True))

    return structure_tuple


def _list_hook(converter: Converter, cls: Any) -> Callable[[tuple[Any, ...]], list[Any]]:  # noqa: ANN401
    items = get_args(cls)
    open_ended = len(items) == 2 and items[1] is Ellipsis

    def unstructure_tuple(value: tuple[Any, ...]) -> list[Any]:
        declared = items[:1] * len(value) if open_ended else items
        return [converter.unstructure(item, of) for item, of in zip(value, declared, strict=True)]

    return unstructure_tuple


def _is_union_of_records(cls: object) -> bool:
    if get_origin(cls) not in (Union, UnionType):
        return False
    members = [member for member in get_args(cls) if member is not NoneType]
    return len(members) > 1 and all(isinstance(member, type) and attrs.has(member) for member in members)


def _union_hook(converter: Converter, union: Any) -> Callable[[object, object], object]:  # noqa: ANN401
    members = _members(union)
    nullable = NoneType in get_args(union)

    def structure_member(value: object, _: object) -> object:
        if value is None and nullable:
            return None
        if not isinstance(value, dict):
            _refuse("a table", value)
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in members:
            _refuse("a table whose `kind` is one of " + ", ".join(map(repr, members)), kind)
        cls = members[kind]
        fields = (
            value if _has_kind_field(cls) else {key: item for key, item in value.items() if key != "kind"}
        )
        return converter.structure(fields, cls)

    return structure_member


def _tagging_hook(converter: Converter, union: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    kinds = {cls: kind for kind, cls in _members(union).items()}

    def unstructure_member(record: Any) -> Any:  # noqa: ANN401
        if record is None:
            return None
        cls = type(record)
        kind = record.kind if _has_kind_field(cls) else kinds[cls]
        return {"kind": kind, **converter.unstructure(record, cls)}

    return unstructure_member


def _members(union: Any) -> dict[str, type]:  # noqa: ANN401
    return {kind: cls for cls in get_args(union) if cls is not NoneType for kind in _kinds(cls)}


def _kinds(cls: type) -> tuple[str, ...]:
    attrs.resolve_types(cls)
    for attribute in attrs.fields(cls):
        if attribute.name == "kind":
            return get_args(attribute.type)
    stated = getattr(cls, "kind", None)
    return (stated if isinstance(stated, str) else _snake_case(cls.__name__),)


def _has_kind_field(cls: type) -> bool:
    return any(attribute.name == "kind" for attribute in attrs.fields(cls))


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _refuse(expected: str, value: object) -> NoReturn:
    shown = "nothing" if value is None else f"{type(value).__name__} {value!r}"
    msg = f"expected {expected}, got {shown}"
    raise TypeError(msg)


def _explain(error: BaseException, wanted: type | None) -> str:
    if isinstance(error, QuantityError) or (
        isinstance(error, TypeError) and str(error).startswith("expected")
    ):
        return str(error)
    return format_exception(error, wanted)
