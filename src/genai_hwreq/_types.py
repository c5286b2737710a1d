"""Type names shared by the records, with marks that the catalog's converter reads.

Next: _validators.
"""

from __future__ import annotations

from typing import Annotated

__all__ = ["Bytes"]

Bytes = Annotated[int, "bytes"]
"""A number of bytes: an `int` in Python; a data file may also write a size with its unit, `"24 GiB"`."""
