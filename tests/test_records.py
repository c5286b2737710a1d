"""Records: every one comes back from plain data, JSON, pickle and `evolve` as it was."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from attrs import evolve, exceptions
from hypothesis import given, strategies as st

from genai_hwreq.catalog._compiled import decode, encode
from genai_hwreq.catalog._converter import structure, unstructure
from genai_hwreq.formats import Format
from genai_hwreq.models import HostedModel, Mixer, Model, SizedModel, TransformerModel
from genai_hwreq.placement import Placement
from genai_hwreq.provenance import Source
from genai_hwreq.workloads import Generation, ImageGeneration, Workload
from strategies import (
    accelerators,
    cpus,
    engines,
    estimates,
    formats,
    generations,
    hosted_models,
    machines,
    maybe,
    mixers,
    sized_models,
    sources,
    tiers,
    transformer_models,
)

pytestmark = pytest.mark.property

images = st.builds(
    ImageGeneration,
    width_px=maybe(st.integers(1, 4096)),
    height_px=maybe(st.integers(1, 4096)),
    batch_size=st.integers(1, 8),
    guidance=maybe(st.booleans()),
)
placements = st.builds(
    Placement, n_devices=st.integers(1, 8), offload=st.sampled_from(["none", "model", "sequential"])
)
facts = (
    accelerators()
    | cpus()
    | machines()
    | tiers()
    | formats()
    | transformer_models()
    | sized_models()
    | hosted_models()
)
everything = facts | images | placements | generations() | engines() | estimates()


@given(sources())
def test_source(record: Source) -> None:
    """A source comes back from plain data as it was."""
    assert record == structure(unstructure(record), Source, "")


@given(formats())
def test_format(record: Format) -> None:
    """A weight format comes back from plain data as it was, told apart by its kind."""
    assert record == structure(unstructure(record, Format), Format, "")


@given(mixers())
def test_mixer(record: Mixer) -> None:
    """A mixer comes back from plain data as it was, told apart by its kind."""
    assert record == structure(unstructure(record, Mixer), Mixer, "")


@given(transformer_models() | sized_models() | hosted_models())
def test_model(record: TransformerModel | SizedModel | HostedModel) -> None:
    """A model comes back from plain data as it was, told apart by its kind."""
    assert record == structure(unstructure(record, Model), Model, "")


@given(generations() | images)
def test_workload(record: Generation | ImageGeneration) -> None:
    """What is asked comes back from plain data as it was, told apart by its kind."""
    assert record == structure(unstructure(record, Workload), Workload, "")


@given(facts)
def test_compiled(record: Any) -> None:
    """A record comes back from the catalog's compiled form, through JSON, as it was."""
    assert record == decode(json.loads(json.dumps(encode(record))))


@given(everything)
def test_pickle_copy_evolve_hash(record: Any) -> None:
    """A record comes back from pickle, copy and `evolve` as it was, with the same hash."""
    again = (pickle.loads(pickle.dumps(record)), copy.copy(record), copy.deepcopy(record), evolve(record))  # noqa: S301
    for other in again:
        assert record == other
        assert hash(record) == hash(other)


@given(everything)
def test_frozen(record: Any) -> None:
    """No field of a record can be set."""
    with pytest.raises(exceptions.FrozenInstanceError):
        setattr(record, record.__attrs_attrs__[0].name, None)
