"""Outcomes as a table in Markdown or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from tests.trust.outcome import Outcome

HEAD = ("what", "promised", "measured", "of", "")


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return a table whose columns are aligned, so that it can be read as it is printed."""
    rows = [HEAD, *map(_cells, outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, _line(["-" * width for width in widths], widths))
    return "\n".join(lines) + "\n"


def as_json(outcomes: Sequence[Outcome], seed: int, small: bool) -> str:
    """Return the same as a document: the seed, whether it is the small part, and the lines."""
    lines = [dataclasses.asdict(outcome) for outcome in outcomes]
    return json.dumps({"seed": seed, "small": small, "outcomes": lines}, indent=2) + "\n"


def verdict(outcomes: Sequence[Outcome]) -> str:
    failed = sum(not outcome.passed for outcome in outcomes)
    return f"{len(outcomes) - failed} of {len(outcomes)} lines are as promised"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    return (
        outcome.name,
        outcome.promised,
        outcome.measured,
        outcome.of,
        "ok" if outcome.passed else "FAILED",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
