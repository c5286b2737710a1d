"""The recommendation table: VRAM and RAM for each model under one stated policy, beside the published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from genai_hwreq._tables import html_table, markdown_table, text_table
from genai_hwreq.catalog import get_model
from genai_hwreq.estimates import Estimate
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import HostedModel, TransformerModel
from genai_hwreq.planning._article import ArticleRow, article
from genai_hwreq.planning._policy import TablePolicy
from genai_hwreq.units import GIB, format_bytes
from genai_hwreq.workloads import Generation, ImageGeneration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.models import Model

__all__ = ["Recommendation", "RecommendationTable", "recommendation_table"]

_HEADER = ("model", "task", "VRAM (GB)", "RAM (GB)", "needs VRAM", "needs RAM", "published", "notes")
_RIGHT = frozenset({2, 3, 4, 5, 6})


@frozen(kw_only=True)
class Recommendation:
    """One row: what a model needs and the classes of memory that hold it."""

    model: str
    """Name of the model."""

    task: str
    """What it is used for."""

    estimate: Estimate
    """What it was derived from."""

    vram_need_bytes: int | None
    """What a device needs under the policy; `None` for a hosted model."""

    ram_need_bytes: int | None
    """What the host needs under the policy; `None` for a hosted model."""

    vram_tier_bytes: int | None
    """The class of card that holds the need; `None` for a hosted model."""

    ram_tier_bytes: int | None
    """The class of host memory that holds the need; `None` for a hosted model."""

    is_open: bool
    """Whether more is needed soon: for longer contexts, without offload, or because it takes several devices.

    RAM follows from the same working set as VRAM, and is open with it."""

    notes: tuple[str, ...]
    """Why it is open, or what else to know."""

    published: ArticleRow | None
    """The published row, if there is one."""

    @property
    def agrees(self) -> bool | None:
        """Whether figures and open ends are as published; `None` where nothing was."""
        if self.published is None:
            return None
        return _figures(self) == (
            self.published.vram_gb,
            self.published.ram_gb,
            self.published.vram_open,
            self.published.ram_open,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data."""
        vram_gb, ram_gb, vram_open, ram_open = _figures(self)
        return {
            "model": self.model,
            "task": self.task,
            "vram_gb": vram_gb,
            "ram_gb": ram_gb,
            "vram_open": vram_open,
            "ram_open": ram_open,
            "vram_need_bytes": self.vram_need_bytes,
            "ram_need_bytes": self.ram_need_bytes,
            "notes": "; ".join(self.notes),
            "article": _published_dict(self.published) if self.published else None,
        }


def _figures(row: Recommendation) -> tuple[int | None, int | None, bool, bool]:
    vram = None if row.vram_tier_bytes is None else row.vram_tier_bytes // GIB
    ram = None if row.ram_tier_bytes is None else row.ram_tier_bytes // GIB
    return vram, ram, row.is_open, row.is_open


def _published_dict(row: ArticleRow) -> dict[str, Any]:
    return {
        "vram_gb": row.vram_gb,
        "ram_gb": row.ram_gb,
        "vram_open": row.vram_open,
        "ram_open": row.ram_open,
        "notes": row.notes,
    }


@frozen(kw_only=True)
class RecommendationTable:
    """Recommendations for several models under one policy. `print(table)` shows them with the policy."""

    rows: tuple[Recommendation, ...]
    """One a model."""

    policy: TablePolicy
    """How they were derived."""

    def to_dict(self) -> dict[str, Any]:
        """Return rows and policy as plain data, ready for JSON."""
        return {"rows": [row.to_dict() for row in self.rows], "policy": list(self.policy.lines())}

    def __str__(self) -> str:
        """Show rows and policy as text."""
        lines = [text_table(_HEADER, [_cells(row) for row in self.rows], _RIGHT), "", "policy:"]
        return "\n".join([*lines, *(f"  - {line}" for line in self.policy.lines())])

    def _repr_markdown_(self) -> str:
        lines = [markdown_table(_HEADER, [_cells(row) for row in self.rows], _RIGHT), ""]
        return "\n".join([*lines, *(f"- {line}" for line in self.policy.lines())])

    def _repr_html_(self) -> str:
        from html import escape  # noqa: PLC0415  (notebooks only)

        items = "".join(f"<li>{escape(line)}</li>" for line in self.policy.lines())
        return f"<div>{html_table(_HEADER, [_cells(row) for row in self.rows], _RIGHT)}<ul>{items}</ul></div>"


def _cells(row: Recommendation) -> tuple[str, ...]:
    vram_gb, ram_gb, vram_open, ram_open = _figures(row)
    published = row.published
    there = "" if published is None else " / ".join(
        (_figure(published.vram_gb, published.vram_open), _figure(published.ram_gb, published.ram_open))
    )  # fmt: skip
    return (
        row.model,
        row.task,
        _figure(vram_gb, vram_open),
        _figure(ram_gb, ram_open),
        "-" if row.vram_need_bytes is None else format_bytes(row.vram_need_bytes),
        "-" if row.ram_need_bytes is None else format_bytes(row.ram_need_bytes),
        there,
        "; ".join(row.notes),
    )


def _figure(gigabytes: int | None, is_open: bool) -> str:
    if gigabytes is None:
        return "-"
    return f"{gigabytes}+" if is_open else str(gigabytes)


def recommendation_table(
    models: Iterable[str | Model] | None = None, policy: TablePolicy | None = None
) -> RecommendationTable:
    """Derive VRAM and RAM recommendations from estimates under one policy.

    Args:
        models: names of the catalog or records; by default the models of the published table.
        policy: how needs become recommendations; by default the one whose numbers the table prints.

    Raises:
        UnknownNameError: when the catalog has no model of a name.
        UnsupportedError: when the policy's engine cannot run a model.

    Examples:
        >>> table = recommendation_table(["llama-2-7b"])
        >>> table.to_dict()["rows"][0]["vram_gb"]
        6

    """
    chosen = policy or TablePolicy()
    published = {row.model: row for row in article().row}
    wanted = published if models is None else models
    records = [get_model(model) if isinstance(model, str) else model for model in wanted]
    rows = tuple(_row(record, chosen, published.get(record.identity.id)) for record in records)
    return RecommendationTable(rows=rows, policy=chosen)


def _row(model: Model, policy: TablePolicy, published: ArticleRow | None) -> Recommendation:
    task = published.task if published else ", ".join(model.identity.tasks)
    if isinstance(model, HostedModel):
        return _hosted_row(model, task, published)
    estimate = _estimate(model, policy, grown=False)
    need, tier = estimate.vram_bytes, policy.vram_tier_bytes(estimate.vram_bytes)
    ram_need = policy.ram_need_bytes(estimate.ram_bytes, need)
    reasons = _reasons(model, policy, tier)
    return Recommendation(
        model=published.name if published else model.identity.name,
        task=task,
        estimate=estimate,
        vram_need_bytes=need,
        ram_need_bytes=ram_need,
        vram_tier_bytes=tier,
        ram_tier_bytes=policy.ram_tier_bytes(ram_need),
        is_open=bool(reasons),
        notes=reasons or (("the smallest class of card",) if tier == policy.smallest_vram_bytes else ()),
        published=published,
    )


def _hosted_row(model: HostedModel, task: str, published: ArticleRow | None) -> Recommendation:
    return Recommendation(
        model=published.name if published else model.identity.name,
        task=task,
        estimate=estimate_vram(model),
        vram_need_bytes=None,
        ram_need_bytes=None,
        vram_tier_bytes=None,
        ram_tier_bytes=None,
        is_open=False,
        notes=("reached by an API, nothing is needed here",),
        published=published,
    )


def _reasons(model: Model, policy: TablePolicy, tier: int) -> tuple[str, ...]:
    """Return why a row is open."""
    found = []
    grown = _estimate(model, policy, grown=True).vram_bytes
    if grown > policy.usable_bytes(tier):
        what = (
            f"{policy.text.grown_context_tokens} tokens"
            if isinstance(model, TransformerModel)
            else "all networks resident"
        )
        found.append(f"{what}: {format_bytes(grown)}")
    if tier > policy.largest_card_bytes:
        found.append("several devices, or one beyond desktop cards")
    return tuple(found)


def _estimate(model: Model, policy: TablePolicy, *, grown: bool) -> Estimate:
    if isinstance(model, TransformerModel):
        text = policy.text
        tokens = text.grown_context_tokens if grown else text.context_tokens
        asked = Generation(context_tokens=tokens, batch_size=text.batch_size)
        return estimate_vram(model, asked, precision=text.precision, engine=text.engine)
    image = policy.image
    engine = image.grown_engine if grown else image.engine
    asked_image = ImageGeneration(batch_size=image.batch_size)
    return estimate_vram(model, asked_image, precision=image.precision, engine=engine)
