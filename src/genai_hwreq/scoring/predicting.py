"""From a case to its prediction: find the model, map the request, estimate, read the metric off.

Next: scores.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeVar

from attrs import field, frozen

from genai_hwreq.catalog import get_model
from genai_hwreq.errors import HwReqError, UnknownNameError
from genai_hwreq.estimates import Estimate
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import HostedModel, Model, Pipeline, SizedModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.readers.diffusers_config import single_network
from genai_hwreq.readers.hf_config import known_model_types, read_config
from genai_hwreq.scoring._variants import same_architecture
from genai_hwreq.scoring.mapping import Run, map_case
from genai_hwreq.scoring.measures import FREE_OF_SIZE, measure
from genai_hwreq.scoring.settings import DeclinedError, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.scoring.cases import Case

__all__ = ["Predictor", "find_model"]

_T = TypeVar("_T")


@frozen
class Predictor:
    """Predicts cases; equal models and equal runs are worked out once."""

    _models: dict[Hashable, Model | HwReqError] = field(factory=dict, init=False, repr=False)
    _estimates: dict[Hashable, Estimate | HwReqError] = field(factory=dict, init=False, repr=False)

    def predict(self, case: Case) -> ByteRange:
        """Return the prediction of a case's figure.

        Raises:
            HwReqError: when it is declined; the message says why.
        """
        model = _once(self._models, _model_key(case), lambda: find_model(case))
        if case.task == "count":
            return ByteRange.exactly(_n_params(case, model))
        run = map_case(case, model)
        if not run.sized and run.stage != "load" and case.measured.metric not in FREE_OF_SIZE:
            msg = f"{case.measured.metric} depends on how much is asked, and the case does not say"
            raise DeclinedError(msg)
        estimate = _once(self._estimates, (id(model), run), lambda: _estimate(model, run))
        return measure(estimate, case.measured, run)


def _once(known: dict[Hashable, _T | HwReqError], key: Hashable, make: Callable[[], _T]) -> _T:
    if key not in known:
        try:
            known[key] = make()
        except HwReqError as error:
            known[key] = error
    result = known[key]
    if isinstance(result, HwReqError):
        raise result.with_traceback(None)
    return result


def _estimate(model: Model, run: Run) -> Estimate:
    return estimate_vram(
        run.model or model,
        run.workload,
        precision=run.precision,
        engine=run.engine,
        placement=run.placement,
    )


def _model_key(case: Case) -> Hashable:
    import json  # noqa: PLC0415

    return case.model, json.dumps(case.arch, sort_keys=True)


def find_model(case: Case) -> Model:
    """Return a case's model: from its `arch` where a reader knows its type, else from the catalog.

    Raises:
        DeclinedError: when neither knows it.
        ConfigurationError: when `arch` is of a known type, but a field is missing or wrong.
    """
    arch = case.arch or {}
    if arch.get("model_type") in known_model_types():
        return read_config(arch)
    if "_class_name" in arch:  # one network of a pipeline; the catalog's entry of that name is all of it
        return single_network(arch, case.model)
    try:
        return get_model(case.model)
    except UnknownNameError as error:
        variant = same_architecture(case.model)
        if variant is not None:
            return get_model(variant)
        if "model_type" not in arch:
            raise
        msg = f"model_type {arch['model_type']!r} cannot be read, and the catalog has no such model: {error}"
        raise DeclinedError(msg) from error


def _n_params(case: Case, model: Model) -> int:
    Settings(case.request).only("task", "engine", "engine_version")
    if case.measured.metric != "params":
        msg = f"nothing is run when parameters are counted; metric {case.measured.metric!r} has no figure"
        raise DeclinedError(msg)
    if isinstance(model, HostedModel):
        msg = f"the number of parameters of {model.identity.name} is not published"
        raise DeclinedError(msg)
    if isinstance(model, SizedModel):
        return sum(network.n_params for network in model.networks)
    if isinstance(model, Pipeline):
        return model.n_params
    return model_inventory(model).n_params
