"""Look-up by name: any spelling of a known name finds its record, an unknown one is answered with known ones."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, strategies as st

from genai_hwreq import catalog
from genai_hwreq.catalog import Catalog
from genai_hwreq.catalog._catalog import names_of, record_id
from genai_hwreq.catalog._names import find_id, folded, squeezed
from genai_hwreq.errors import AmbiguousNameError, UnknownNameError

GETTERS: dict[str, Any] = {
    "model": catalog.get_model,
    "accelerator": catalog.get_accelerator,
    "cpu": catalog.get_cpu,
    "machine": catalog.get_machine,
    "format": catalog.get_format,
    "tier": catalog.get_tier,
}
KINDS = st.sampled_from(sorted(GETTERS))


@cache
def ids(kind: str) -> tuple[str, ...]:
    """Return every id of a kind."""
    return Catalog.default().ids(kind)


@st.composite
def spellings(draw: st.DrawFn, name: str) -> str:
    """Draw a spelling of a name: letters in either case, dashes as other punctuation, some around it."""
    between = draw(st.sampled_from(["-", "_", " ", ".", " - ", "/"]))
    cased = "".join(draw(st.sampled_from([char.lower(), char.upper()])) for char in name)
    around = draw(st.sampled_from(["", " ", "(", "--"]))
    return around + cased.replace("-", between) + around


@pytest.mark.property
@given(st.data(), KINDS)
def test_any_spelling_of_an_id(data: st.DataObject, kind: str) -> None:
    """An id in any case and punctuation finds its record."""
    record = GETTERS[kind](data.draw(st.sampled_from(ids(kind)), label="id"))
    spelling = data.draw(spellings(record_id(record)), label="spelling")
    assert record == GETTERS[kind](spelling)


@pytest.mark.property
@given(st.data(), KINDS)
def test_every_alias(data: st.DataObject, kind: str) -> None:
    """Every name a record bears (name, alias, Hub id with and without its maker) finds it."""
    record = GETTERS[kind](data.draw(st.sampled_from(ids(kind)), label="id"))
    for name in sorted(names_of(record)):
        assert record_id(record) == record_id(GETTERS[kind](name))


@pytest.mark.property
@given(KINDS, st.text(min_size=1, max_size=12))
def test_unknown_names(kind: str, name: str) -> None:
    """A name finds a record, or raises with suggestions each of which exists."""
    try:
        named: tuple[str, ...] = (record_id(GETTERS[kind](name)),)
    except UnknownNameError as error:
        named = error.suggestions
    except AmbiguousNameError as error:
        named = error.candidates
    assert {*named} <= {*ids(kind)}


@pytest.mark.parametrize(
    ("kind", "name", "suggestion"),
    [
        ("model", "llama-2-7bb", "llama-2-7b"),
        ("accelerator", "rtx-4090-24g", "nvidia-geforce-rtx-4090"),
        ("format", "fp61", "fp16"),
        ("tier", "minimun", "minimum"),
    ],
)
def test_near_miss(kind: str, name: str, suggestion: str) -> None:
    """A slip of the finger is answered with what was meant."""
    with pytest.raises(UnknownNameError, match=f"unknown {kind} ") as caught:
        GETTERS[kind](name)
    assert suggestion in caught.value.suggestions


def test_squeezed_names() -> None:
    """Punctuation left out finds a name where that is unique, and is refused with the candidates where not."""
    known = {"gpt-2": "gpt-2", "qwen2-5-7b": "qwen2.5-7b", "qwen2-57b": "qwen2-57b"}
    assert find_id("model", "GPT2", known) == "gpt-2"
    with pytest.raises(AmbiguousNameError) as caught:
        find_id("model", "qwen257b", known)
    assert caught.value.candidates == ("qwen2-57b", "qwen2.5-7b")


@pytest.mark.property
@given(st.text(max_size=20))
def test_folding_twice_changes_nothing(name: str) -> None:
    """Folded names are their own folding, in lower-case letters, digits and single dashes."""
    assert folded(name) == folded(folded(name))
    assert squeezed(name) == folded(name).replace("-", "")


def test_lists() -> None:
    """Lists hold sorted ids that all look up."""
    for listed, kind in (
        (catalog.list_models(), "model"),
        (catalog.list_accelerators(), "accelerator"),
        (catalog.list_formats(), "format"),
    ):
        assert listed == ids(kind)
        assert sorted(listed) == [*listed]
