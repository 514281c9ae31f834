"""Outcomes as a table in Markdown or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from tests.aligned import aligned
from tests.trust.outcome import Outcome

HEAD = ("what", "promised", "measured", "of", "")


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return a table that can be read as it is printed."""
    return aligned(HEAD, [_cells(outcome) for outcome in outcomes])


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
