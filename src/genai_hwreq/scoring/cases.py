"""Measured cases: JSON Lines in, typed records out, every fault of a file named with its line.

The format is version 1: one object a line with a model, what was asked of it, and the figure that was measured.
Fields beside those of the format are notes and are left alone; what a request may hold is the mapping's business.

Next: settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from attrs import field, frozen

from genai_hwreq.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_FILE_BYTES", "MAX_LINE_BYTES", "Case", "Measured", "read_cases"]

MAX_FILE_BYTES = 256 * 2**20
"""Larger files are refused."""

MAX_LINE_BYTES = 2**20
"""Longer lines are refused."""

_MAX_FAULTS = 10

Scope = Literal["device", "sum"]
"""Whether a figure is of the fullest device or of all devices together."""

Relation = Literal["eq", "le", "ge"]
"""Whether a figure was measured, or only a bound on it."""


@frozen(kw_only=True)
class Measured:
    """A figure that was measured, and what it counts."""

    metric: str
    """What was counted, such as `peak_allocated`."""

    value: int
    """The figure: bytes, or a number of parameters where the metric is `params`."""

    rounding: int = 0
    """Half of the last printed digit: an error inside it is no error."""

    scope: Scope = "device"
    """The fullest device, or all devices together."""

    relation: Relation = "eq"
    """The figure itself, or a bound."""


@frozen(kw_only=True)
class Case:
    """One measured case."""

    id: str
    """Its name."""

    source: str
    """Where it was read: an address or else a title. Cases of one source share their weight."""

    model: str
    """The model's Hub id, or its common name."""

    arch: Mapping[str, Any] | None = field(default=None, repr=False)
    """Facts about the model, spelled as in a `config.json`."""

    request: Mapping[str, Any]
    """What was run."""

    measured: Measured
    """What came out."""

    scored: bool = True
    """Whether it counts."""

    @property
    def task(self) -> str:
        """What was done, such as `generate` or `count`."""
        return str(self.request["task"])

    @property
    def engine(self) -> str:
        """The program that did it."""
        return str(self.request["engine"])


def read_cases(path: str | Path) -> tuple[Case, ...]:
    """Read a file of cases.

    Raises:
        FileFormatError: when the file cannot be read, is too large, or a line is not a case; the first faults
            are listed with their lines.
    """
    cases: list[Case] = []
    faults: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            try:
                cases.append(_case(line))
            except ValueError as error:
                faults.append(f"line {number}: {error}")
    if faults:
        more = f"; and {len(faults) - _MAX_FAULTS} more" if len(faults) > _MAX_FAULTS else ""
        raise FileFormatError(str(path), "; ".join(faults[:_MAX_FAULTS]) + more)
    return tuple(cases)


def _lines(path: str | Path) -> Iterator[bytes]:
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise FileFormatError(str(path), f"{size} bytes; a file of cases may have {MAX_FILE_BYTES}")
        yield from file.read_bytes().split(b"\n")
    except OSError as error:
        raise FileFormatError(str(path), f"cannot be read ({error.strerror})") from error


def _case(line: bytes) -> Case:
    import json  # noqa: PLC0415  (cases are read by few)

    if len(line) > MAX_LINE_BYTES:
        msg = f"{len(line)} bytes; a case may have {MAX_LINE_BYTES}"
        raise ValueError(msg)
    try:
        facts = json.loads(line)
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None
    if not isinstance(facts, dict):
        msg = f"expected an object, got {type(facts).__name__}"
        raise ValueError(msg)  # noqa: TRY004  (a fault of the data, not of the caller)
    return Case(
        id=_text(facts, "id"),
        source=_source(facts),
        model=_text(facts, "model"),
        arch=_object(facts, "arch") if facts.get("arch") is not None else None,
        request=_request(facts),
        measured=_measured(_object(facts, "measured")),
        scored=_flag(facts, "score", default=True),
    )


def _source(facts: Mapping[str, Any]) -> str:
    source = _object(facts, "source")
    return _text(source, "url") if source.get("url") else _text(source, "title")


def _request(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    request = _object(facts, "request")
    _text(request, "task")
    _text(request, "engine")
    return request


def _measured(facts: Mapping[str, Any]) -> Measured:
    metric = _text(facts, "metric")
    return Measured(
        metric=metric,
        value=_whole(facts, "count" if metric == "params" else "bytes", 1),
        rounding=_whole({"rounding_bytes": 0, **facts}, "rounding_bytes", 0),
        scope=cast("Scope", _word({"scope": "device", **facts}, "scope", ("device", "sum"))),
        relation=cast("Relation", _word({"relation": "eq", **facts}, "relation", ("eq", "le", "ge"))),
    )


def _text(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    if isinstance(value, str) and value:
        return value
    raise _fault(key, value, "some text")


def _object(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = facts.get(key)
    if isinstance(value, dict):
        return value
    raise _fault(key, value, "an object")


def _flag(facts: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = facts.get(key, default)
    if isinstance(value, bool):
        return value
    raise _fault(key, value, "true or false")


def _whole(facts: Mapping[str, Any], key: str, minimum: int) -> int:
    value = facts.get(key)
    if type(value) is int and value >= minimum:
        return value
    raise _fault(key, value, f"a whole number of at least {minimum}")


def _word(facts: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    value = facts.get(key)
    if value in choices:
        return str(value)
    raise _fault(key, value, " or ".join(choices))


def _fault(key: str, value: object, wanted: str) -> ValueError:
    return ValueError(f"{key} is {value!r:.80}; expected {wanted}")
