"""The boards as they lie in the repository, for the tests to read."""

import json
from pathlib import Path

import pytest

from grafana.generator.expressions import DASHBOARDS

ROOT = Path(__file__).parents[2]
BOARDS = {
    file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(DASHBOARDS.glob("*.json"))
}
PANELS = [
    pytest.param(board, panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] not in ("row", "text")
]
"""The panels that ask for something, each with its board."""


def asked(board, title, ref="A"):
    """What a panel asks for, with its variables as they stand."""
    (panel,) = (one for one in BOARDS[board]["panels"] if one["title"] == title and "targets" in one)
    (expr,) = (target["expr"] for target in panel["targets"] if target["refId"] == ref)
    return expr
