"""Where a fact comes from: a source with its date.

Next: ranges.
"""

from __future__ import annotations

from datetime import date

from attrs import field, frozen

from genai_hwreq._validators import non_empty

__all__ = ["Source"]


@frozen(kw_only=True)
class Source:
    """A place where a fact was read, and the day it was read."""

    title: str = field(validator=non_empty)
    """What was read: a document, a repository and its file, a log."""

    as_of: date
    """The day on which the fact was read or computed."""

    url: str | None = None
    """Where it can be read again; `None` where there is no stable address."""

    note: str | None = None
    """What the reader should know about it, such as sources that disagree."""
