"""The models of runs that are over: what those of the current run are measured by."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from common.protocol.runs import RunState
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import RunRow
from coordinator.store.tables import jobs, runs

MOST_EARLIER_RUNS = 5

_MEAN_AUCS = Prepared(
    select(func.avg(jobs.c.auc))
    .join_from(jobs, runs, jobs.c.run_id == runs.c.id)
    .where(
        runs.c.id < bindparam("run"),
        runs.c.state == RunState.DONE,
        # Scores on synthetic candles say nothing about those on real ones.
        runs.c.config == bindparam("config"),
        runs.c.synthetic == bindparam("synthetic"),
        jobs.c.auc.is_not(None),
    )
    .group_by(runs.c.id)
    .order_by(runs.c.id.desc())
    .limit(MOST_EARLIER_RUNS)
)


class EarlierRuns:
    """The mean AUC of each of the last runs before the current one; read once for each, for they are over."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, str, bool], tuple[float, ...]] | None = None

    def mean_aucs(self, tx: Transaction, run: RunRow) -> tuple[float, ...]:
        """Return those of the runs that can be compared with a run, the newest first."""
        key = run.id, run.config, run.synthetic
        if self._kept is None or self._kept[0] != key:
            values = {"run": run.id, "config": run.config, "synthetic": run.synthetic}
            self._kept = key, tuple(_MEAN_AUCS.on(tx.connection, values).scalars())
        return self._kept[1]
