"""Settings are read from files and the environment of each test alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_settings_in_environment(monkeypatch):
    for name in os.environ:
        if name.upper().startswith("BT_NIGHT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "night.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
