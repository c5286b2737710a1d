"""Scoring against measured cases: cases in, errors and the coverage of intervals out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genai_hwreq.errors import HwReqError
from genai_hwreq.scoring.cases import Case, Measured, read_cases
from genai_hwreq.scoring.predicting import Predictor
from genai_hwreq.scoring.scores import Bounds, Group, Row, Scores
from genai_hwreq.scoring.settings import DeclinedError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Bounds",
    "Case",
    "DeclinedError",
    "Group",
    "Measured",
    "Row",
    "Scores",
    "read_cases",
    "score",
    "score_cases",
    "score_file",
]


def score(paths: Iterable[str | Path]) -> Scores:
    """Predict every scored case of some files and compare.

    Raises:
        FileFormatError: when a file cannot be read or a line of it is not a case.
    """
    predictor = Predictor()
    rows = [row for path in paths for row in _rows(read_cases(path), Path(path).name, predictor)]
    return Scores(rows=tuple(rows))


def score_file(path: str | Path) -> Scores:
    """Predict every scored case of one file and compare.

    Raises:
        FileFormatError: when the file cannot be read or a line of it is not a case.
    """
    return score([path])


def score_cases(cases: Iterable[Case], file: str = "cases") -> Scores:
    """Predict every scored case and compare; `file` names them in the tables."""
    return Scores(rows=tuple(_rows(cases, file, Predictor())))


def _rows(cases: Iterable[Case], file: str, predictor: Predictor) -> list[Row]:
    return [_row(case, file, predictor) for case in cases if case.scored]


def _row(case: Case, file: str, predictor: Predictor) -> Row:
    try:
        return Row(file=file, case=case, answer=predictor.predict(case))
    except HwReqError as error:
        return Row(file=file, case=case, answer=None, declined=str(error))
