"""The decision at the end of a run: which champions stand, which models are promoted, kept with the reasons.

First each champion is judged on what its cell's trainer found out about it, then the new models are decided
on, then both change who is champion. All of it is one transaction: a crash leaves nothing of it, or all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select, update

from common.bounds import clamped
from common.protocol.jobs import Cell, JobKind, JobState
from common.protocol.reports import ChampionComparison, Manifest, Scores
from common.protocol.retests import ChampionResult, Verdict
from common.settings.grid import GridConfig, grid_of
from coordinator.champions.registry import ChampionRow, champions, record_change
from coordinator.policy.championship import (
    Champion,
    Judgement,
    judge,
    kind_objection,
    succession_objection,
)
from coordinator.policy.multiplicity import p_value_words
from coordinator.policy.promotion import Challenger, Decision, decide
from coordinator.store.database import Transaction
from coordinator.store.documents import read_document
from coordinator.store.prepared import Prepared
from coordinator.store.rows import RunRow, scores_of
from coordinator.store.tables import champion_tests, jobs, manifests, promotions, runs

_PREDECESSOR = Prepared(select(promotions.c.id).where(promotions.c.job_id == bindparam("job")))
_DECISION, _TEST = Prepared(promotions.insert()), Prepared(champion_tests.insert())
_JOB = Prepared(
    update(jobs)
    .where(jobs.c.id == bindparam("this"))
    .values(promoted=bindparam("is_promoted"), refused_by=bindparam("missed"), reasons=bindparam("why_not"))
)

NO_SCORES = Scores(auc=None, brier=1.0, accuracy=0.0, log_loss=1.0, base_rate=0.0, n=0)
"""Stand for the scores of a champion whose manifest cannot be read."""


@dataclass(frozen=True)
class Entrant:
    """A cell of the run: its job, and its model with what was found out about the champion, if it has one."""

    job_id: int
    cell: Cell
    state: JobState
    message: str
    manifest: Manifest | None = None
    comparison: ChampionComparison | None = None
    challenger: Challenger | None = None


@dataclass(frozen=True)
class Sitting:
    """A champion that stood when the night ended, and what becomes of it."""

    row: ChampionRow
    champion: Champion
    manifest: Manifest | None
    entrant: Entrant | None
    judgement: Judgement

    @property
    def comparison(self) -> ChampionComparison | None:
        """What was found out about this very champion."""
        found = self.entrant.comparison if self.entrant else None
        return found if found and found.champion == self.row.sha256 else None


@dataclass
class Outcome:
    """What was decided: on each model that was trained, and how many champions ended without a successor."""

    decisions: list[Decision] = field(default_factory=list)
    demoted: int = 0
    expired: int = 0


def decide_run(tx: Transaction, run: RunRow, is_intact: Callable[[str], bool]) -> Outcome:
    """Judge the champions and decide on every model of a run whose jobs are all final.

    Parameters
    ----------
    tx : Transaction
        A write.
    run : RunRow
        The run.
    is_intact : callable
        Whether the .pkl of a digest is there and undamaged.
    """
    config = grid_of(run.config)
    entrants = {one.cell: one for one in _entrants(tx, run)}
    sittings = {
        row.cell: _sitting(row, entrants.get(row.cell), tx, config, run, is_intact)
        for row in champions(tx.connection)
    }
    standing = {
        sitting.entrant.job_id: sitting.champion
        for sitting in sittings.values()
        if sitting.entrant and sitting.judgement.verdict is Verdict.STANDS
    }
    challengers = [
        replace(one.challenger, succession=_succession(sittings.get(one.cell), one.challenger.synthetic))
        for one in entrants.values()
        if one.challenger
    ]
    outcome = Outcome(decide(challengers, standing, config.promote_if, config.false_discovery_rate))
    promoted = {decision.job_id for decision in outcome.decisions if decision.promoted}
    for cell, present in sittings.items():
        replaced = present.entrant is not None and present.entrant.job_id in promoted
        _end(tx, run, present, replaced, outcome)
        if cell in entrants:
            _keep_test(tx, run, present, replaced)
    decisions = {decision.job_id: decision for decision in outcome.decisions}
    for entrant in entrants.values():
        if entrant.challenger and entrant.manifest:
            sitting = sittings.get(entrant.cell)
            _keep_decision(tx, run, entrant, entrant.manifest, decisions[entrant.job_id], sitting)
            if entrant.job_id in promoted:
                _crown(tx, run, entrant, entrant.challenger, sitting)
    tx.connection.execute(update(runs).where(runs.c.id == run.id).values(decided=moment_of_end(tx)))
    return outcome


def moment_of_end(tx: Transaction) -> datetime:
    """Return the time at which a run is decided: the present, or the second after that of another decision.

    The files of results and reports bear that second: two nights that end within one would share theirs.
    """
    last = tx.connection.execute(select(func.max(runs.c.decided))).scalar()
    if last is None or last.replace(microsecond=0) < tx.now.replace(microsecond=0):
        return tx.now
    after: datetime = last.replace(microsecond=0) + timedelta(seconds=1)
    return after


def tests_of(tx: Transaction, run_id: int) -> tuple[ChampionResult, ...]:
    """Return what a run found out about the champions of its cells, in the order of their names."""
    query = select(champion_tests.c.document).where(champion_tests.c.run_id == run_id)
    found = [
        read_document(ChampionResult, row.document, f"what night {run_id} found of a champion")
        for row in tx.connection.execute(query)
    ]
    return tuple(
        sorted((one for one in found if one), key=lambda one: (one.symbol, one.timeframe, one.horizon))
    )


def _entrants(tx: Transaction, run: RunRow) -> list[Entrant]:
    query = (
        select(
            jobs.c.id,
            jobs.c.symbol,
            jobs.c.timeframe,
            jobs.c.horizon,
            jobs.c.state,
            jobs.c.message,
            jobs.c.scores,
            jobs.c.p_value,
            manifests.c.sha256,
            manifests.c.certified,
            manifests.c.comparison,
            manifests.c.document,
        )
        .join_from(jobs, manifests, manifests.c.job_id == jobs.c.id, isouter=True)
        .where(jobs.c.run_id == run.id, jobs.c.kind == JobKind.TRAINING)
        .order_by(jobs.c.ordinal)
    )
    found = []
    for row in tx.connection.execute(query):
        cell = Cell(symbol=row.symbol, timeframe=row.timeframe, horizon=row.horizon)
        state = JobState(row.state)
        if state is not JobState.SUCCEEDED or row.document is None:
            found.append(Entrant(row.id, cell, state, row.message))
            continue
        manifest = read_document(Manifest, row.document, f"the model of {cell.name} in job {row.id}")
        scores = scores_of(row.scores)
        if manifest is None or scores is None:
            found.append(Entrant(row.id, cell, state, "its model cannot be read"))
            continue
        what = f"the comparison of job {row.id} with the champion of {cell.name}"
        comparison = read_document(ChampionComparison, row.comparison, what)
        challenger = Challenger(
            job_id=row.id,
            scores=scores,
            p_value=clamped(row.p_value, 0.0, 1.0),
            certified=row.certified,
            synthetic=manifest.synthetic,
            comparison=comparison,
            failed_checks=manifest.certificate.failed,
            timeframe=row.timeframe,
            sha256=row.sha256,
            gates=manifest.gates,
        )
        found.append(Entrant(row.id, cell, state, "", manifest, comparison, challenger))
    return found


def _sitting(
    row: ChampionRow,
    entrant: Entrant | None,
    tx: Transaction,
    config: GridConfig,
    run: RunRow,
    is_intact: Callable[[str], bool],
) -> Sitting:
    manifest = row.manifest()
    damage = ""
    if manifest is None:
        damage = "its manifest cannot be read"
    elif manifest.synthetic and not run.synthetic:
        damage = "it was trained on synthetic candles, and tonight's are real"
    elif not is_intact(row.sha256):
        damage = "its .pkl is missing or damaged in the store of models"
    champion = Champion(
        sha256=row.sha256,
        synthetic=run.synthetic if manifest is None else manifest.synthetic,
        scores=NO_SCORES if manifest is None else manifest.scores,
        trained_until=row.since.time if manifest is None else manifest.trained_span.end,
        since=row.since.time,
        damage=damage,
    )
    tonight = entrant.manifest if entrant else None
    judgement = judge(
        champion,
        entrant.comparison if entrant else None,
        tonight.trained_span.end if tonight and tonight.synthetic == champion.synthetic else None,
        tx.now,
        config.champion.max_age_days,
        _untested(champion, entrant),
    )
    return Sitting(row, champion, manifest, entrant, judgement)


def _succession(sitting: Sitting | None, synthetic: bool) -> str:
    if sitting is None or sitting.judgement.verdict is Verdict.STANDS:
        return ""
    kind = kind_objection(sitting.champion, synthetic)
    if kind or sitting.judgement.verdict is not Verdict.DEMOTED:
        return kind
    return succession_objection(sitting.comparison)


def _untested(champion: Champion, entrant: Entrant | None) -> str:
    if entrant is None:
        return "its cell is not in the grid of tonight"
    if entrant.challenger is None:
        return f"its cell was not trained tonight: {entrant.message or entrant.state}"
    if entrant.challenger.sha256 == champion.sha256:
        return "it is tonight's model itself, and no row has come since its training"
    if entrant.challenger.synthetic != champion.synthetic:
        kinds = ("synthetic", "real") if champion.synthetic else ("real", "synthetic")
        return f"it was trained on {kinds[0]} candles, and tonight's are {kinds[1]}"
    return "the champion has changed since the cell was trained"


def _end(tx: Transaction, run: RunRow, sitting: Sitting, replaced: bool, outcome: Outcome) -> None:
    """Leave the cell without its champion, if it ends without a successor or for a fault of its own."""
    verdict, words = sitting.judgement.verdict, sitting.judgement.words
    if verdict is Verdict.DEMOTED:
        record_change(tx, sitting.row.cell, None, words, run_id=run.id)
        outcome.demoted += 1
    elif verdict is Verdict.EXPIRED and not replaced:
        record_change(tx, sitting.row.cell, None, words, expired=True, run_id=run.id)
        outcome.expired += 1


def _crown(
    tx: Transaction, run: RunRow, entrant: Entrant, challenger: Challenger, sitting: Sitting | None
) -> None:
    stands = sitting is not None and sitting.judgement.verdict is Verdict.STANDS
    if sitting is not None and stands and sitting.row.sha256 == challenger.sha256:
        # Trained again on the same candles it is the champion itself.
        return
    auc = "unknown" if challenger.scores.auc is None else f"{challenger.scores.auc:.4f}"
    reason = f"AUC {auc} on {challenger.scores.n} rows, p-value {p_value_words(challenger.p_value)}"
    if sitting is not None and sitting.judgement.verdict is not Verdict.DEMOTED:
        reason += f"; the champion before it: {sitting.judgement.words}{_paired(sitting)}"
    record_change(tx, entrant.cell, entrant.job_id, reason, run_id=run.id)


def _paired(sitting: Sitting) -> str:
    found = sitting.comparison
    if found is None or found.challenger_worse_p_value is None:
        return ""
    return f"; p-value {found.challenger_worse_p_value:.2g} that the new one is worse"


def _keep_decision(
    tx: Transaction,
    run: RunRow,
    entrant: Entrant,
    manifest: Manifest,
    decision: Decision,
    sitting: Sitting | None,
) -> None:
    reasons = json.dumps(decision.reasons)
    predecessor = None
    if sitting is not None:
        predecessor = _PREDECESSOR.on(tx.connection, {"job": sitting.row.job_id}).scalar()
    _DECISION.on(
        tx.connection,
        {
            "run_id": run.id,
            "job_id": decision.job_id,
            "symbol": entrant.cell.symbol,
            "timeframe": entrant.cell.timeframe,
            "horizon": entrant.cell.horizon,
            "decided": tx.now,
            "promoted": decision.promoted,
            "synthetic": manifest.synthetic,
            "sha256": manifest.pickle_sha256,
            "predecessor": predecessor,
            "reasons": reasons,
        },
    )
    missed = json.dumps(decision.refused_by)
    told = {"is_promoted": decision.promoted, "missed": missed, "why_not": reasons}
    _JOB.on(tx.connection, {"this": decision.job_id, **told})


def _keep_test(tx: Transaction, run: RunRow, sitting: Sitting, replaced: bool) -> None:
    cell, found = sitting.row.cell, sitting.comparison
    after = found.retest if found else None
    itself = bool(
        sitting.entrant and sitting.entrant.challenger
        and sitting.entrant.challenger.sha256 == sitting.row.sha256
    )  # fmt: skip
    result = ChampionResult(
        symbol=cell.symbol,
        timeframe=cell.timeframe,
        horizon=cell.horizon,
        model=sitting.row.sha256,
        verdict=sitting.judgement.verdict,
        replaced=replaced and not itself,
        words=sitting.judgement.words,
        promised_auc=sitting.champion.scores.auc,
        trained_until=sitting.champion.trained_until if sitting.manifest else None,
        since=sitting.champion.since,
        age_days=sitting.judgement.age_days,
        new_rows=after.rows if after else 0,
        new_span=after.span if after else None,
        new_scores=after.scores if after else None,
        lost_p_value=after.lost_p_value if after else None,
        record_p_value=after.record_p_value if after else None,
        challenger_worse_p_value=found.challenger_worse_p_value if found else None,
    )
    _TEST.on(
        tx.connection,
        {
            "run_id": run.id,
            "symbol": cell.symbol,
            "timeframe": cell.timeframe,
            "horizon": cell.horizon,
            "job_id": sitting.row.job_id,
            "document": result.model_dump_json(),
        },
    )
