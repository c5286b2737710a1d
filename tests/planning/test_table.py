"""The recommendation table: the published rows from the stated policy, and any other model by the same rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from genai_hwreq.catalog import get_model
from genai_hwreq.engines import Memory, Request, get_engine
from genai_hwreq.errors import UnknownNameError
from genai_hwreq.planning._article import article
from genai_hwreq.planning._policy import TablePolicy, TextPolicy
from genai_hwreq.planning.table import recommendation_table
from genai_hwreq.units import GIB

if TYPE_CHECKING:
    from genai_hwreq.models import Model

TABLE = recommendation_table()

PUBLISHED = [
    ("Llama 2 7B", 6, 16, False),
    ("Llama 2 13B", 12, 32, False),
    ("Llama 2 70B", 48, 128, True),
    ("Falcon 7B", 6, 16, True),  # published without "+"; its one key head costs it fused attention at 2048 tokens
    ("Falcon 40B", 24, 64, True),
    ("MPT-7B", 6, 16, False),
    ("GPT-3.5-turbo", None, None, False),
    ("GPT-4", None, None, False),
    ("Stable Diffusion 1.5", 6, 16, False),
    ("Stable Diffusion 2.1", 12, 32, False),
    ("DeepFloyd IF", 12, 32, True),
]


@pytest.mark.parametrize(("row", "expected"), list(zip(TABLE.to_dict()["rows"], PUBLISHED, strict=True)))
def test_published_rows_are_derived(row: dict[str, object], expected: tuple[object, ...]) -> None:
    """Each published row comes out of the policy, in both columns and with its open end."""
    assert expected == (row["model"], row["vram_gb"], row["ram_gb"], row["vram_open"])
    assert row["vram_open"] == row["ram_open"]


def test_published_figures_stand_beside() -> None:
    """Each row carries the published figures; only Falcon 7B differs, by its open end, and the table shows both."""
    assert ["Falcon 7B"] == [row.model for row in TABLE.rows if not row.agrees]
    (line,) = (line for line in str(TABLE).splitlines() if line.startswith("Falcon 7B"))
    assert "6+" in line
    assert " 6 / 16 " in line
    assert TABLE.to_dict()["rows"][2]["article"] == {
        "vram_gb": 48,
        "ram_gb": 128,
        "vram_open": True,
        "ram_open": True,
        "notes": "Requires high-end GPUs or multiple GPUs",
    }


def test_hosted_models_need_nothing() -> None:
    """A model behind an API shows a dash, and null in data."""
    (row,) = recommendation_table(["gpt-4"]).rows
    assert row.to_dict()["vram_gb"] is None
    assert "GPT-4" in str(recommendation_table(["gpt-4"]))
    assert row.vram_need_bytes is None


def test_table_is_plain_data() -> None:
    """The whole table is ready for JSON, policy and all."""
    data = json.loads(json.dumps(TABLE.to_dict()))
    assert data["rows"][0]["model"] == "Llama 2 7B"
    assert data["policy"] == list(TABLE.policy.lines())


def test_text_shows_rows_and_policy() -> None:
    """The text has a line a row, open ends with a plus, and the policy below."""
    lines = str(TABLE).splitlines()
    assert "48+" in lines[4]
    assert lines[15:] == [f"  - {line}" for line in TABLE.policy.lines()]


def test_notebook_shows_rows_and_policy() -> None:
    """HTML and Markdown hold the same rows and policy."""
    for shown in (TABLE._repr_html_(), TABLE._repr_markdown_()):
        assert "DeepFloyd IF" in shown
        assert "diffusers with attention=" in shown


@pytest.mark.parametrize("model", ["llama-3.1-8b", get_model("qwen2.5-7b")])
def test_any_model_extends_it(model: str | Model) -> None:
    """A name or a record gives a row by the same rules; nothing is published beside it."""
    (row,) = recommendation_table([model]).rows
    assert row.published is None
    assert row.agrees is None
    assert row.to_dict()["article"] is None
    assert row.vram_tier_bytes is not None


def test_large_models_go_beyond_the_usual_classes() -> None:
    """Classes double without end: the largest models need many devices, and their rows are open."""
    (row,) = recommendation_table(["llama-3.1-405b"]).rows
    assert row.vram_tier_bytes == 384 * GIB
    assert row.is_open


def test_unknown_name_is_an_error() -> None:
    """A name that the catalog does not have is refused."""
    with pytest.raises(UnknownNameError):
        recommendation_table(["no-such-model"])


def test_policy_decides() -> None:
    """Eight bits instead of four take the next class."""
    policy = TablePolicy(text=TextPolicy(precision="int8"))
    (row,) = recommendation_table(["llama-2-7b"], policy).rows
    assert row.vram_tier_bytes == 12 * GIB


def test_article_states_its_source() -> None:
    """The published table names where it comes from."""
    assert article().source.title.startswith("XI. Hardware Recommendations")


class _Foreign:
    """An engine of a third party that is no attrs record."""

    name: ClassVar[str] = "foreign"

    def refuses(self, request: Request) -> str | None:
        """Refuse nothing."""
        return get_engine("transformers").refuses(request)

    def memory(self, request: Request) -> Memory:
        """Answer as transformers does."""
        return get_engine("transformers").memory(request)


def test_policy_takes_any_engine() -> None:
    """An engine that is no attrs record is shown by its name."""
    policy = TablePolicy(text=TextPolicy(engine=_Foreign()))
    assert policy.lines()[0].endswith(", foreign")
    assert recommendation_table(["llama-2-7b"], policy).rows[0].vram_tier_bytes == 6 * GIB


@pytest.mark.property
class TestLaws:
    """What holds for every need."""

    @given(st.integers(0, 2**44))
    def test_class_is_the_smallest_that_holds(self, need: int) -> None:
        """The class of card holds the need, and the class below does not."""
        policy = TablePolicy()
        tier = policy.vram_tier_bytes(need)
        assert policy.usable_bytes(tier) >= need
        assert tier == policy.smallest_vram_bytes or policy.usable_bytes(tier // 2) < need

    @given(st.integers(0, 2**44), st.integers(0, 2**44))
    def test_ram_holds_the_process_and_the_system(self, process: int, vram: int) -> None:
        """Host memory holds the process beside the system, and every staged copy."""
        policy = TablePolicy()
        need = policy.ram_need_bytes(process, vram)
        assert policy.ram_tier_bytes(need) >= max(process, 2 * vram) + policy.system_ram_bytes

    @given(st.integers(1, 8))
    def test_longer_contexts_never_need_less(self, factor: int) -> None:
        """A policy with more tokens gives no smaller class."""
        text = TextPolicy(context_tokens=512 * factor)
        policy = evolve(TablePolicy(), text=text)
        rows = zip(
            recommendation_table(["mpt-7b"]).rows, recommendation_table(["mpt-7b"], policy).rows, strict=True
        )
        assert all((a.vram_need_bytes or 0) <= (b.vram_need_bytes or 0) for a, b in rows)
