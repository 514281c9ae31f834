"""The promoted models in the database: what is decided on them, and who is the champion of a cell.

The database decides, the files of `coordinator.champions.files` follow.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from common.protocol.jobs import Cell, JobKind, JobState
from common.protocol.reports import ChampionComparison, Manifest, Scores
from common.settings.grid import GridConfig
from coordinator.policy.promotion import Challenger, Champion, Decision, decide
from coordinator.store.database import Transaction
from coordinator.store.rows import RunRow
from coordinator.store.tables import jobs, manifests, promotions, runs


def champion_manifest(connection: Connection, cell: Cell, synthetic: bool) -> Manifest | None:
    """Return the manifest of a cell's champion if both were trained on the same kind of candles."""
    row = _champion_row(connection, cell.symbol, cell.timeframe, cell.horizon)
    if row is None or row.synthetic != synthetic:
        return None
    return Manifest.model_validate_json(row.document)


def decide_run(tx: Transaction, run: RunRow) -> list[Decision]:
    """Decide on every model of a run whose jobs are all final, and append the decisions to the history."""
    config = GridConfig.model_validate_json(run.config)
    query = (
        select(
            jobs.c.id,
            jobs.c.symbol,
            jobs.c.timeframe,
            jobs.c.horizon,
            jobs.c.scores,
            jobs.c.p_value,
            manifests.c.sha256,
            manifests.c.certified,
            manifests.c.comparison,
            manifests.c.document,
        )
        .join_from(jobs, manifests, manifests.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run.id, jobs.c.kind == JobKind.TRAINING, jobs.c.state == JobState.SUCCEEDED)
        .order_by(jobs.c.ordinal)
    )
    rows = {row.id: row for row in tx.connection.execute(query)}
    present = {
        job_id: _champion_row(tx.connection, row.symbol, row.timeframe, row.horizon)
        for job_id, row in rows.items()
    }
    champions = {job_id: _champion(row) for job_id, row in present.items() if row is not None}
    challengers = {job_id: _challenger(row) for job_id, row in rows.items()}
    decisions = decide(list(challengers.values()), champions, config.promote_if, config.false_discovery_rate)
    for decision in decisions:
        row, former = rows[decision.job_id], present[decision.job_id]
        reasons = json.dumps(decision.reasons)
        tx.connection.execute(
            promotions.insert().values(
                run_id=run.id,
                job_id=decision.job_id,
                symbol=row.symbol,
                timeframe=row.timeframe,
                horizon=row.horizon,
                decided=tx.now,
                promoted=decision.promoted,
                synthetic=challengers[decision.job_id].synthetic,
                sha256=row.sha256,
                predecessor=former.id if former is not None else None,
                reasons=reasons,
            )
        )
        tx.connection.execute(
            update(jobs)
            .where(jobs.c.id == decision.job_id)
            .values(promoted=decision.promoted, refused_by=json.dumps(decision.refused_by), reasons=reasons)
        )
    tx.connection.execute(update(runs).where(runs.c.id == run.id).values(decided=tx.now))
    return decisions


def champions(connection: Connection) -> list[tuple[Cell, str, str]]:
    """Return every cell's champion: the cell, the digest of its .pkl and its manifest as JSON."""
    newest = (
        select(func.max(promotions.c.id))
        .where(promotions.c.promoted)
        .group_by(promotions.c.symbol, promotions.c.timeframe, promotions.c.horizon)
    )
    query = (
        select(
            promotions.c.symbol,
            promotions.c.timeframe,
            promotions.c.horizon,
            promotions.c.sha256,
            manifests.c.document,
        )
        .join_from(promotions, manifests, manifests.c.job_id == promotions.c.job_id)
        .where(promotions.c.id.in_(newest))
        .order_by(promotions.c.id)
    )
    return [
        (Cell(symbol=row.symbol, timeframe=row.timeframe, horizon=row.horizon), row.sha256, row.document)
        for row in connection.execute(query)
    ]


def _champion_row(
    connection: Connection, symbol: str, timeframe: str, horizon: int
) -> Row[*tuple[Any, ...]] | None:
    query = (
        select(promotions.c.id, promotions.c.synthetic, promotions.c.sha256, manifests.c.document)
        .join_from(promotions, manifests, manifests.c.job_id == promotions.c.job_id)
        .where(
            promotions.c.symbol == symbol,
            promotions.c.timeframe == timeframe,
            promotions.c.horizon == horizon,
            promotions.c.promoted,
        )
        .order_by(promotions.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).first()


def _champion(row: Row[*tuple[Any, ...]]) -> Champion:
    manifest = Manifest.model_validate_json(row.document)
    return Champion(row.sha256, row.synthetic, manifest.feature_version, manifest.scores)


def _challenger(row: Row[*tuple[Any, ...]]) -> Challenger:
    manifest = Manifest.model_validate_json(row.document)
    comparison = ChampionComparison.model_validate_json(row.comparison) if row.comparison else None
    return Challenger(
        job_id=row.id,
        scores=Scores.model_validate_json(row.scores),
        p_value=row.p_value,
        certified=row.certified,
        synthetic=manifest.synthetic,
        feature_version=manifest.feature_version,
        comparison=comparison,
        failed_checks=manifest.certificate.failed,
    )
