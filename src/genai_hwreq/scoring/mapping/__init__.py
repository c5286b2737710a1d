"""From what a case says was run to a run that can be estimated, by engine and task.

An engine is added by one line of `MAPPINGS` and one function that reads its settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.scoring.settings import DeclinedError, Settings

if TYPE_CHECKING:
    from genai_hwreq.models import Model
    from genai_hwreq.scoring.cases import Case

__all__ = ["MAPPINGS", "Run", "map_case"]

MAPPINGS: dict[tuple[str, str], str] = {
    ("transformers", "generate"): "_transformers:generation",
}
"""Engine and task → module of this package and its function, which takes `Settings` and the model and returns a `Run`."""


def map_case(case: Case, model: Model) -> Run:
    """Return what to estimate for a case.

    Raises:
        DeclinedError: when the engine, the task or a setting is not modelled.
    """
    target = MAPPINGS.get((case.engine, case.task))
    if target is None:
        raise DeclinedError(_unmodelled(case))
    module, _, function = target.partition(":")
    read = getattr(import_module(f"{__name__}.{module}"), function)
    run: Run = read(Settings(case.request), model)
    return run


def _unmodelled(case: Case) -> str:
    if any(engine == case.engine for engine, _ in MAPPINGS):
        return f"task {case.task!r} of engine {case.engine!r} is not modelled yet"
    return f"engine {case.engine!r} is not modelled yet"
