"""The catalog: records by name, compiled for speed, extended by a user's own files without global state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from genai_hwreq.catalog._compiled import decode
from genai_hwreq.catalog._load import compiled_index, compiled_line, parse_toml
from genai_hwreq.catalog._names import find_id, folded
from genai_hwreq.errors import CatalogDataError

if TYPE_CHECKING:
    from genai_hwreq.formats import Format
    from genai_hwreq.hardware import Accelerator, Cpu, Machine, Tier
    from genai_hwreq.models import Model

__all__ = ["Catalog", "names_of", "record_id"]


def record_id(record: Any) -> str:  # noqa: ANN401  (any record of the catalog)
    """Return the id of a record: its own, or its identity's."""
    identity = getattr(record, "identity", record)
    return str(identity.id)


def names_of(record: Any) -> set[str]:  # noqa: ANN401  (any record of the catalog)
    """Return every folded name a record is looked up by: id, name, aliases, Hub id with and without its maker."""
    identity = getattr(record, "identity", record)
    names = {identity.id, identity.name, *identity.aliases}
    hub_id = getattr(identity, "hub_id", None)
    if hub_id:
        names |= {hub_id, hub_id.rpartition("/")[2]}
    return {folded(name) for name in names}


@frozen
class Catalog:
    """Records by name. `Catalog.default()` holds what ships; `Catalog.read(path)` adds a file of your own.

    Examples:
        >>> Catalog.default().format("NF4").id
        'bnb-nf4'

    """

    own: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False)
    """Records of the user's own, by kind and id; they come before what ships."""

    @classmethod
    def default(cls) -> Catalog:
        """Return the catalog that ships with the library."""
        return _DEFAULT

    @classmethod
    def read(cls, path: str | Path) -> Catalog:
        """Return the shipped catalog with the records of a TOML file added.

        Raises:
            CatalogDataError: when the file breaks the schema; every fault is listed with its path.
        """
        from genai_hwreq.catalog._schema import structure_tables  # noqa: PLC0415  (needs the converter)

        try:
            tables = parse_toml(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise CatalogDataError(str(path), [str(error)]) from error
        return cls(structure_tables(tables, str(path)))

    def model(self, name: str) -> Model:
        """Return a model by id, alias or Hub id.

        Raises:
            UnknownNameError: when no model bears the name.
        """
        record: Model = self._find("model", name).model()
        return record

    def accelerator(self, name: str) -> Accelerator:
        """Return an accelerator by id or alias.

        Raises:
            UnknownNameError: when no accelerator bears the name.
        """
        record: Accelerator = self._find("accelerator", name)
        return record

    def cpu(self, name: str) -> Cpu:
        """Return a processor by id or alias.

        Raises:
            UnknownNameError: when no processor bears the name.
        """
        record: Cpu = self._find("cpu", name)
        return record

    def machine(self, name: str) -> Machine:
        """Return a machine by id or alias.

        Raises:
            UnknownNameError: when no machine bears the name.
        """
        record: Machine = self._find("machine", name)
        return record

    def format(self, name: str) -> Format:
        """Return a weight format by id or alias.

        Raises:
            UnknownNameError: when no format bears the name.
        """
        record: Format = self._find("format", name)
        return record

    def tier(self, name: str) -> Tier:
        """Return a tier by id or alias.

        Raises:
            UnknownNameError: when no tier bears the name.
        """
        record: Tier = self._find("tier", name)
        return record

    def ids(self, kind: str) -> tuple[str, ...]:
        """Return every id of a kind: `model`, `accelerator`, `cpu`, `machine`, `format` or `tier`."""
        return tuple(sorted({*self.own.get(kind, {}), *(entry[0] for entry in _names(kind).values())}))

    def entry(self, name: str) -> Any:  # noqa: ANN401  (one of the model entries)
        """Return a model's entry as its file states it, with its stated parameter count."""
        return self._find("model", name)

    def _find(self, kind: str, name: str) -> Any:  # noqa: ANN401  (the record of that kind)
        shipped = _names(kind)
        own = self.own.get(kind, {})
        names = {known: entry[0] for known, entry in shipped.items()}
        names |= {known: key for key, record in own.items() for known in names_of(record)}
        key = find_id(kind, name, names)
        return own[key] if key in own else _shipped(kind, shipped[folded(key)][1])


_DEFAULT = Catalog()
_INDEX: dict[str, dict[str, list[Any]]] = {}
_RECORDS: dict[tuple[str, int], Any] = {}


def _names(kind: str) -> dict[str, list[Any]]:
    if kind not in _INDEX:
        _INDEX[kind] = compiled_index(kind)
    return _INDEX[kind]


def _shipped(kind: str, line: int) -> Any:  # noqa: ANN401  (the record of that kind)
    key = (kind, line)
    if key not in _RECORDS:
        _RECORDS[key] = decode(compiled_line(kind, line))
    return _RECORDS[key]
