"""Nights of one cell, trained up to their end, and what has become of its models."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import select

from common.protocol.reports import ChampionComparison
from coordinator.store.tables import promotions
from tests.coordinator.specimens import Night, scores

ONE = {"symbols": ("BTCUSDT",), "timeframes": ("1h",), "horizons": (1,)}


def direction(night: Night) -> dict[str, Path]:
    return {path.name: path for path in (night.out / "artifacts" / "direction").glob("[!.]*")}


def trained(
    night: Night, seed: str = "", synthetic: bool = False, log_loss: float = 0.68, **changes: object
) -> int:
    """Train a night of one cell up to its end, comparing with the champion where there is one."""
    run = night.begin(**{**ONE, **changes})
    night.survey_all(night.register(), synthetic=synthetic)
    grant = night.grant("t1-boot")
    comparison = None
    if grant.champion is not None:
        comparison = ChampionComparison(
            champion=grant.champion.pickle_sha256,
            rows_compared=500,
            scores=grant.champion.scores,
            challenger_scores=scores(log_loss=log_loss),
            detail="",
        )
    night.succeed(grant, seed=seed, log_loss=log_loss, champion=comparison)
    return run


def history(night: Night) -> list[tuple[bool, list[str]]]:
    with night.database.read() as tx:
        rows = tx.connection.execute(
            select(promotions.c.promoted, promotions.c.reasons).order_by(promotions.c.id)
        )
        return [(row.promoted, json.loads(row.reasons)) for row in rows]
