"""The package run as a program."""

from __future__ import annotations

import runpy
import sys

import pytest


def test_package_runs_as_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m genai_hwreq` is the command line, exit code and all."""
    monkeypatch.setattr(sys, "argv", ["genai-hwreq", "gpus", "4090"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("genai_hwreq", run_name="__main__")
    assert ended.value.code == 0
    assert "nvidia-geforce-rtx-4090" in capsys.readouterr().out
