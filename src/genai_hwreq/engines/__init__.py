"""How programs spend memory: one file an engine, loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.engines._protocol import Engine, Memory, Request
from genai_hwreq.engines._registry import ENGINES, engine_class, get_engine

if TYPE_CHECKING:
    from genai_hwreq.engines.diffusers import Diffusers
    from genai_hwreq.engines.transformers import Transformers

__all__ = ["ENGINES", "Diffusers", "Engine", "Memory", "Request", "Transformers", "get_engine"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (an engine class, or nothing)
    for engine, target in ENGINES.items():
        if target.endswith(f":{name}"):
            return engine_class(engine)
    msg = f"module 'genai_hwreq.engines' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*__all__, *(target.partition(":")[2] for target in ENGINES.values())]
