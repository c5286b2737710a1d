"""`genai-hwreq …`: the verbs of the library on a command line, each with `--json`."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import HwReqError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genai_hwreq.estimates import Estimate
    from genai_hwreq.models import Model

__all__ = ["main"]

_COUNT = re.compile(r"(\d[\d_]*)(\.\d+)?\s*([kmbt]?)", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")
_MODEL_HELP = "a name, a number of parameters (7b), or a path: config.json, *.safetensors, *.gguf, a folder"
_THOUSANDS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, or 2 where something was asked wrongly."""
    arguments = _parser().parse_args(argv)
    try:
        print(_SHOWN[arguments.verb](arguments))
    except HwReqError as error:
        print(f"genai-hwreq: {error}", file=sys.stderr)
        return 2
    return 0


# --- arguments ----------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="genai-hwreq", description="What memory does a generative model need?"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_table(verbs)
    _add_run(verbs, "estimate", "memory of a model, with every part explained").add_argument(
        "--explain", action="store_true", help="show each formula with its numbers"
    )
    for verb, text in (("fit", "whether a model fits on a device"), ("advise", "what to change so that it fits")):
        _add_run(verbs, verb, text).add_argument(
            "--on", required=True, metavar="DEVICE", help="an accelerator, such as rtx-4090"
        )
    _add_list(verbs, "models", "models of the catalog")
    _add_list(verbs, "gpus", "accelerators of the catalog")
    _add_score(verbs)
    return parser


def _add_verb(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:  # noqa: ANN401  (private to argparse)
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    verb.add_argument("--json", action="store_true", help="print plain data")
    return verb


def _add_table(verbs: Any) -> None:  # noqa: ANN401
    verb = _add_verb(verbs, "table", "recommended VRAM and RAM of well-known models")
    verb.add_argument("models", nargs="*", metavar="MODEL", help="rows to show; all by default")


def _add_run(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:  # noqa: ANN401
    verb = _add_verb(verbs, name, text)
    verb.add_argument("model", metavar="MODEL", help=_MODEL_HELP)
    verb.add_argument("--precision", metavar="FORMAT", help="weight format or recipe, such as int4")
    verb.add_argument("--engine", metavar="NAME", help="the program that runs it")
    verb.add_argument(
        "--context", type=int, dest="context_tokens", metavar="TOKENS", help="prompt and answer"
    )
    verb.add_argument("--new-tokens", type=int, dest="new_tokens", metavar="TOKENS", help="answer alone")
    verb.add_argument("--batch", type=int, dest="batch_size", metavar="N", help="sequences or images at once")
    verb.add_argument("--width", type=int, dest="width_px", metavar="PX", help="width of an image")
    verb.add_argument("--height", type=int, dest="height_px", metavar="PX", help="height of an image")
    return verb


def _add_list(verbs: Any, name: str, text: str) -> None:  # noqa: ANN401
    verb = _add_verb(verbs, name, text)
    verb.add_argument("filter", nargs="?", default="", metavar="FILTER", help="part of the name")


def _add_score(verbs: Any) -> None:  # noqa: ANN401
    verb = _add_verb(verbs, "score", "compare with measured cases")
    verb.add_argument("files", nargs="+", metavar="FILE", help="cases, one JSON object a line")
    verb.add_argument("--rows", action="store_true", help="show every case")


# --- verbs --------------------------------------------------------------------------------------------


def _table(arguments: argparse.Namespace) -> str:
    from genai_hwreq.planning.table import recommendation_table  # noqa: PLC0415  (verbs load what they need)

    table = recommendation_table(arguments.models) if arguments.models else recommendation_table()
    return _json(table.to_dict()) if arguments.json else str(table)


def _estimated(arguments: argparse.Namespace) -> str:
    estimate = _estimate(arguments)
    if arguments.json:
        return _json(estimate.to_dict())
    return estimate.explain() if arguments.explain else str(estimate)


def _fit(arguments: argparse.Namespace) -> str:
    from genai_hwreq.planning import fits  # noqa: PLC0415

    fit = fits(_estimate(arguments), arguments.on)
    if not arguments.json:
        return str(fit)
    need = fit.needed
    return _json(
        {
            "device": fit.device,
            "verdict": fit.verdict,
            "fits": fit.fits,
            "usable_bytes": fit.usable_bytes,
            "usable_basis": fit.usable_basis,
            "headroom_bytes": fit.headroom_bytes,
            "needed": {"low": need.low, "likely": need.likely, "high": need.high},
        }
    )


def _advise(arguments: argparse.Namespace) -> str:
    from genai_hwreq.planning.advice import advise  # noqa: PLC0415

    model = _model(arguments.model)
    advice = advise(
        model,
        on=arguments.on,
        precision=arguments.precision,
        engine=arguments.engine,
        **_shortcuts(arguments),
    )
    return _json(advice.to_dict()) if arguments.json else str(advice)


def _models(arguments: argparse.Namespace) -> str:
    from genai_hwreq.catalog import list_models  # noqa: PLC0415

    ids = _filtered(list_models(), arguments.filter)
    return _json({"models": ids}) if arguments.json else "\n".join(ids)


def _gpus(arguments: argparse.Namespace) -> str:
    from genai_hwreq._tables import text_table  # noqa: PLC0415
    from genai_hwreq.catalog import get_accelerator, list_accelerators  # noqa: PLC0415
    from genai_hwreq.units import format_bytes  # noqa: PLC0415

    cards = [get_accelerator(name) for name in _filtered(list_accelerators(), arguments.filter)]
    if arguments.json:
        return _json(
            {
                "gpus": [
                    {"id": card.id, "name": card.name, "memory_bytes": card.memory_bytes} for card in cards
                ]
            }
        )
    rows = [(card.id, card.name, format_bytes(card.memory_bytes)) for card in cards]
    return text_table(("id", "name", "memory"), rows, frozenset({2}))


def _score(arguments: argparse.Namespace) -> str:
    from genai_hwreq.scoring import score  # noqa: PLC0415
    from genai_hwreq.scoring.report import rows_text  # noqa: PLC0415

    scores = score(arguments.files)
    if arguments.json:
        return _json(scores.to_dict())
    return f"{rows_text(scores)}\n\n{scores}" if arguments.rows else str(scores)


_SHOWN = {
    "table": _table,
    "estimate": _estimated,
    "fit": _fit,
    "advise": _advise,
    "models": _models,
    "gpus": _gpus,
    "score": _score,
}
"""Verb → the function that answers it with text."""


# --- what the verbs share -----------------------------------------------------------------------------


def _estimate(arguments: argparse.Namespace) -> Estimate:
    from genai_hwreq.estimation import estimate_vram  # noqa: PLC0415

    return estimate_vram(
        _model(arguments.model), precision=arguments.precision, engine=arguments.engine, **_shortcuts(arguments)
    )


def _shortcuts(arguments: argparse.Namespace) -> Any:  # noqa: ANN401  (keywords of a workload)
    names = ("batch_size", "context_tokens", "new_tokens", "width_px", "height_px")
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def _model(text: str) -> str | int | Model:
    """Read MODEL: a count such as `7b`, a path to a configuration, weights or a folder, or else a name."""
    counted = _COUNT.fullmatch(text.strip())
    if counted:
        from decimal import Decimal  # noqa: PLC0415

        digits = counted[1].replace("_", "") + (counted[2] or "")
        return int(Decimal(digits) * _THOUSANDS[counted[3].lower()])
    if text.endswith((".json", ".safetensors", ".gguf")) or _is_folder(text):
        from genai_hwreq.readers import read_model  # noqa: PLC0415

        return read_model(text)
    return text


def _is_folder(text: str) -> bool:
    """Tell whether MODEL is a folder; one without a slash is a name, whatever lies in the current folder."""
    from pathlib import Path  # noqa: PLC0415

    return (text in {".", ".."} or "/" in text or "\\" in text) and Path(text).is_dir()


def _filtered(ids: Sequence[str], wanted: str) -> list[str]:
    """Return the ids in which every word of the filter begins a part."""
    words = _WORD.findall(wanted.casefold())
    return [
        name
        for name in ids
        if all(any(part.startswith(word) for part in _WORD.findall(name)) for word in words)
    ]


def _json(data: Any) -> str:  # noqa: ANN401  (plain data)
    import json  # noqa: PLC0415

    return json.dumps(data, indent=2, ensure_ascii=False)
