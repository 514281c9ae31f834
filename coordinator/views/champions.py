"""The champions as operators see them, their history, and what differs between two models."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from common.errors import NotFoundError
from common.protocol.champions import (
    ChampionHistory,
    ChampionPage,
    ChampionView,
    ModelDifference,
    ValueDifference,
)
from common.protocol.jobs import Cell
from common.protocol.reports import Manifest
from common.timeframes import Timeframe
from coordinator.champions.registry import ChampionRow, champion_jobs, champion_of, champions, changes
from coordinator.policy.rollback import champion_before, kind_refusal
from coordinator.store.database import Database, Transaction
from coordinator.store.documents import read_document
from coordinator.store.tables import jobs, manifests


class ChampionListing:
    """The champions as operators see them.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self) -> ChampionPage:
        """Return the champion of each cell that has one."""
        with self.database.read() as tx:
            found = [_view(tx, champion) for champion in champions(tx.connection)]
        order = tuple(Timeframe)
        found.sort(key=lambda one: (one.symbol, order.index(Timeframe(one.timeframe)), one.horizon))
        return ChampionPage(champions=tuple(found))

    def history(self, cell: Cell) -> ChampionHistory:
        """Return the champion of a cell and what was changed of it.

        Raises
        ------
        NotFoundError
            It has never had one.
        """
        with self.database.read() as tx:
            made = changes(tx.connection, cell=cell)
            if not made:
                raise NotFoundError(f"{cell.name} has never had a champion")
            champion = champion_of(tx.connection, cell)
            manifest = None if champion is None else champion.manifest()
            before = champion_before(champion_jobs(tx.connection, cell))
            return ChampionHistory(
                cell=cell.name,
                champion=None if champion is None else _view(tx, champion),
                before=before,
                refusal=_refusal(tx, before, manifest),
                changes=made[::-1],
                manifest=manifest,
            )

    def difference(self, left: int, right: int) -> ModelDifference:
        """Return what differs between the models of two jobs.

        Raises
        ------
        NotFoundError
            A job has no model.
        """
        with self.database.read() as tx:
            one, other = _manifest_of(tx, left), _manifest_of(tx, right)
        coefficients = _differing(_weights(one), _weights(other))
        return ModelDifference(
            left=left,
            right=right,
            scores=_differing(_scores(one), _scores(other)),
            lineage=_differing(_lineage(one), _lineage(other)),
            coefficients=tuple(sorted(coefficients, key=_change, reverse=True)),
        )


def _refusal(tx: Transaction, before: int | None, champion: Manifest | None) -> str:
    if before is None:
        return ""
    try:
        synthetic = _manifest_of(tx, before).synthetic
    except NotFoundError as error:
        return error.detail
    return kind_refusal(before, synthetic, None if champion is None else champion.synthetic)


def _view(tx: Transaction, champion: ChampionRow) -> ChampionView:
    manifest = champion.manifest()
    run = select(jobs.c.run_id).where(jobs.c.id == champion.job_id)
    return ChampionView(
        cell=champion.cell.name,
        symbol=champion.cell.symbol,
        timeframe=champion.cell.timeframe,
        horizon=champion.cell.horizon,
        job=champion.job_id,
        run=tx.connection.execute(run).scalar_one(),
        model=champion.sha256,
        synthetic=manifest.synthetic if manifest is not None else None,
        since=champion.since.time,
        by=champion.since.by,
        reason=champion.since.reason,
        trained_until=manifest.trained_span.end if manifest is not None else None,
        scores=manifest.scores if manifest is not None else None,
        p_value=manifest.p_value if manifest is not None else None,
    )


def _manifest_of(tx: Transaction, job_id: int) -> Manifest:
    query = select(manifests.c.document).where(manifests.c.job_id == job_id)
    document = tx.connection.execute(query).scalar()
    if document is None:
        raise NotFoundError(f"job {job_id} has no model", "name a job that has succeeded")
    manifest = read_document(Manifest, document, f"the model of job {job_id}")
    if manifest is None:
        raise NotFoundError(f"the model of job {job_id} cannot be read", "name another job")
    return manifest


def _scores(manifest: Manifest) -> dict[str, str]:
    return _numbers({**manifest.scores.model_dump(), "p_value": manifest.p_value})


def _lineage(manifest: Manifest) -> dict[str, str]:
    told = {
        "cell": manifest.cell.name,
        "feature_version": manifest.feature_version,
        "trained_from": f"{manifest.trained_span.start:%Y-%m-%d %H:%M}",
        "trained_until": f"{manifest.trained_span.end:%Y-%m-%d %H:%M}",
        "synthetic": str(manifest.synthetic).lower(),
    }
    numbers = {"trained_rows": manifest.trained_rows, "C": manifest.C, "intercept": manifest.intercept}
    return told | _numbers(numbers) | manifest.lineage


def _weights(manifest: Manifest) -> dict[str, str]:
    return _numbers(dict(zip(manifest.features, manifest.coefficients, strict=True)))


def _numbers(values: Mapping[str, float | None]) -> dict[str, str]:
    return {name: "" if value is None else f"{value:.6g}" for name, value in values.items()}


def _differing(left: Mapping[str, str], right: Mapping[str, str]) -> tuple[ValueDifference, ...]:
    names = list(dict.fromkeys((*left, *right)))
    return tuple(
        ValueDifference(name=name, left=left.get(name, ""), right=right.get(name, ""))
        for name in names
        if left.get(name) != right.get(name)
    )


def _change(one: ValueDifference) -> float:
    return abs(float(one.left or 0) - float(one.right or 0))
