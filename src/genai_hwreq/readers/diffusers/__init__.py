"""Networks of diffusers pipelines, class by class."""

from __future__ import annotations

from genai_hwreq.readers.diffusers._registry import NETWORKS, reader_of

__all__ = ["NETWORKS", "reader_of"]
