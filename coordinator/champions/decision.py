"""The decision at the end of a run: which of its models are promoted, kept with the reasons."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, select, update

from common.protocol.jobs import Cell, JobKind, JobState
from common.protocol.reports import ChampionComparison, Manifest, Scores
from common.settings.grid import GridConfig
from coordinator.champions.registry import ChampionRow, champion_of, record_change
from coordinator.policy.promotion import Challenger, Champion, Decision, decide
from coordinator.store.database import Transaction
from coordinator.store.rows import RunRow
from coordinator.store.tables import jobs, manifests, promotions, runs


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
    cells = {
        job_id: Cell(symbol=row.symbol, timeframe=row.timeframe, horizon=row.horizon)
        for job_id, row in rows.items()
    }
    present = {job_id: champion_of(tx.connection, cell) for job_id, cell in cells.items()}
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
                predecessor=_promotion_of(tx, former),
                reasons=reasons,
            )
        )
        tx.connection.execute(
            update(jobs)
            .where(jobs.c.id == decision.job_id)
            .values(promoted=decision.promoted, refused_by=json.dumps(decision.refused_by), reasons=reasons)
        )
        if decision.promoted:
            reason = _why(challengers[decision.job_id])
            record_change(tx, cells[decision.job_id], decision.job_id, reason, run_id=run.id)
    tx.connection.execute(update(runs).where(runs.c.id == run.id).values(decided=tx.now))
    return decisions


def _why(challenger: Challenger) -> str:
    auc = "unknown" if challenger.scores.auc is None else f"{challenger.scores.auc:.4f}"
    return (
        f"AUC {auc} on {challenger.scores.n} rows, p-value {challenger.p_value:.3g}: it meets every condition"
    )


def _promotion_of(tx: Transaction, champion: ChampionRow | None) -> int | None:
    if champion is None:
        return None
    query = select(promotions.c.id).where(promotions.c.job_id == champion.job_id)
    return tx.connection.execute(query).scalar_one_or_none()


def _champion(row: ChampionRow) -> Champion:
    manifest = Manifest.model_validate_json(row.document)
    return Champion(row.sha256, manifest.synthetic, manifest.feature_version, manifest.scores)


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
