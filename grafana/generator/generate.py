"""Writes the boards: ``python -m grafana.generator.generate`` makes `grafana/dashboards/*.json` anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.generator.boards.coordinator import coordinator
from grafana.generator.boards.models import models
from grafana.generator.boards.night import night
from grafana.generator.boards.trainers import trainers
from grafana.generator.expressions import DASHBOARDS


def boards() -> Mapping[str, Dashboard]:
    """Return every board by the name of its file."""
    return {
        "night.json": night(),
        "trainers.json": trainers(),
        "models.json": models(),
        "coordinator.json": coordinator(),
    }


def text(board: Dashboard) -> str:
    """Return a board's file: the same bytes for the same declarations, rules and code."""
    return json.dumps(board, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write the boards, remove what else lies there as JSON, and return the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {folder / name: text(board) for name, board in boards().items()}
    for file in set(folder.glob("*.json")) - set(made):
        file.unlink()
    for file, content in made.items():
        file.write_text(content, encoding="utf-8")
    return list(made)


if __name__ == "__main__":
    for written in write(DASHBOARDS):
        sys.stdout.write(f"{written}\n")
