"""The published table that ours is held against, read from its data file."""

from __future__ import annotations

from functools import cache

from attrs import field, frozen

from genai_hwreq._validators import non_empty, optional_positive
from genai_hwreq.provenance import Source

__all__ = ["Article", "ArticleRow", "article"]


@frozen(kw_only=True)
class ArticleRow:
    """One row as published."""

    model: str = field(validator=non_empty)
    """The catalog's id of the model."""

    name: str = field(validator=non_empty)
    """Its name there."""

    task: str = ""
    """What it is used for."""

    vram_gb: int | None = field(default=None, validator=optional_positive)
    """VRAM in the nominal gigabytes of cards; `None` for a hosted model."""

    ram_gb: int | None = field(default=None, validator=optional_positive)
    """RAM in the nominal gigabytes of memory kits; `None` for a hosted model."""

    vram_open: bool = False
    """Whether the figure bears a plus."""

    ram_open: bool = False
    """Whether the figure bears a plus."""

    notes: str = ""
    """What is said about it."""


@frozen(kw_only=True)
class Article:
    """The table as published."""

    source: Source
    """Where it was published."""

    row: tuple[ArticleRow, ...]
    """Its rows, in order."""


@cache
def article() -> Article:
    """Read the published table."""
    from genai_hwreq.catalog._converter import structure  # noqa: PLC0415  (cattrs is loaded when data are read)
    from genai_hwreq.catalog._load import data_text, parse_toml  # noqa: PLC0415

    name = "article.toml"
    return structure(parse_toml(data_text(name)), Article, name)
