from __future__ import annotations

from pathlib import Path

from common.protocol.results import results_schema

SCHEMA = Path(__file__).parents[3] / "deploy" / "results.schema.json"


def test_the_documented_schema_is_that_of_the_results() -> None:
    rewrite = "rewrite it: python -m common.protocol.results > deploy/results.schema.json"
    assert SCHEMA.read_text(encoding="utf-8") == results_schema(), rewrite
