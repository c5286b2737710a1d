"""Errors: their facts, their messages, and that they cross process borders whole."""

from __future__ import annotations

import copy
import pickle

import pytest

from genai_hwreq import errors
from genai_hwreq.errors import (
    AmbiguousNameError,
    CatalogDataError,
    ConfigurationError,
    FileFormatError,
    HwReqError,
    HwReqWarning,
    MissingExtraError,
    MissingFactError,
    QuantityError,
    UnknownNameError,
    UnsupportedError,
)

EVERY: list[tuple[HwReqError, type[Exception], str]] = [
    (
        UnknownNameError("model", "lama", ["llama"]),
        LookupError,
        "unknown model 'lama'; did you mean 'llama'?",
    ),
    (
        UnknownNameError("model", "lama", ["a", "b", "c"]),
        LookupError,
        "unknown model 'lama'; did you mean 'a', 'b' or 'c'?",
    ),
    (UnknownNameError("model", "x"), LookupError, "unknown model 'x'; no known name is close to it"),
    (
        AmbiguousNameError("model", "qwen", ["a", "b"]),
        LookupError,
        "model 'qwen' is ambiguous; use one of 'a' or 'b'",
    ),
    (QuantityError("n is 0"), ValueError, "n is 0"),
    (CatalogDataError("my.toml", ["one", "two"]), ValueError, "my.toml: one; two"),
    (ConfigurationError("no layers", field="n_layers"), ValueError, "no layers"),
    (FileFormatError("a.gguf", "cut short"), ValueError, "a.gguf: cut short"),
    (UnsupportedError("vllm", "no GGUF"), HwReqError, "vllm cannot run this: no GGUF"),
    (
        MissingFactError("model", "its context", "pass it"),
        HwReqError,
        "model: its context is not known; pass it",
    ),
    (
        MissingExtraError("plot", "matplotlib"),
        ImportError,
        "matplotlib is not installed; run: pip install 'genai-hwreq[plot]'",
    ),
]


@pytest.mark.parametrize(("error", "builtin", "message"), EVERY)
def test_message_and_builtin(error: HwReqError, builtin: type[Exception], message: str) -> None:
    """An error says what is wrong and what to do, and is caught as the builtin a caller expects."""
    assert message == str(error)
    assert isinstance(error, builtin)
    assert isinstance(error, HwReqError)


@pytest.mark.parametrize("error", [error for error, _, _ in EVERY])
def test_pickled_and_copied_whole(error: HwReqError) -> None:
    """An error keeps its class, message and facts through pickle and copy."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(error) is type(again)
        assert str(error) == str(again)
        assert vars(error) == vars(again)


def test_every_error_is_listed() -> None:
    """The public names of the module are its error tree, sorted."""
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and name[0] != "_"}
    assert errors.__all__ == sorted(classes & {*errors.__all__})
    assert {name for name in classes if name.endswith(("Error", "Warning"))} == {*errors.__all__}
    assert issubclass(HwReqWarning, UserWarning)
