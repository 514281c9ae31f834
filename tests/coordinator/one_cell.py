"""Nights of one cell, trained up to their end, and what has become of its models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from common.protocol.reports import ChampionComparison, ChampionRetest, Manifest
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
        comparison = compared(grant.champion, log_loss)
    night.succeed(grant, seed=seed, log_loss=log_loss, champion=comparison)
    return run


def compared(champion: Manifest, log_loss: float = 0.68, **changes: Any) -> ChampionComparison:
    """What a trainer may have found out about a champion: that it stands, and who is worse."""
    found = ChampionComparison(
        champion=champion.pickle_sha256,
        rows_compared=500,
        scores=champion.scores,
        challenger_scores=scores(log_loss=log_loss),
        detail="",
        retest=ChampionRetest(
            rows=500,
            span=champion.trained_span,
            scores=champion.scores,
            challenger_scores=scores(log_loss=log_loss),
            floor_auc=0.515,
            lost_p_value=0.5,
            record_p_value=0.001,
        ),
        challenger_worse_p_value=0.001 if log_loss > champion.scores.log_loss else 0.999,
        challenger_worse_rows=500,
    )
    return found.model_copy(update=changes)


def history(night: Night) -> list[tuple[bool, list[str]]]:
    with night.database.read() as tx:
        rows = tx.connection.execute(
            select(promotions.c.promoted, promotions.c.reasons).order_by(promotions.c.id)
        )
        return [(row.promoted, json.loads(row.reasons)) for row in rows]
