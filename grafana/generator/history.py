"""Sections of the board *Models*: the runs of the last 30 days, one against the other."""

from __future__ import annotations

from common.metrics.declarations import (
    EARLIER_AUC,
    PROMOTION_LIMIT,
    RUN_FAILED_JOBS,
    RUN_FINISHED,
    RUN_INFO,
    RUN_JOBS,
    RUN_PROMOTED_MODELS,
    RUN_STARTED,
)
from common.protocol.jobs import JobState
from grafana.generator.alerts import condition, firing
from grafana.generator.panels import graph_panel
from grafana.generator.queries import Query, every, last_by_run, milliseconds
from grafana.generator.style import CLEAR, CLOCK, COUNT, PLAIN, Frame, Look, Panel
from grafana.generator.tables import Cells, Column, table_panel

SPAN = "30d"
"""What Prometheus keeps."""

FINE = 10_000
"""Points of a subquery over `SPAN`: fine enough to find a run that was current for a few minutes only."""

OPEN_RUN = (
    "/d/nighttrain-night?var-run=${__data.fields.Run}"
    "&from=${__data.fields.Began.numeric}&to=${__data.fields.Until.numeric}"
)


def history() -> list[Panel]:
    """Return the panels."""
    return [_runs(), _means()]


def _runs() -> Panel:
    score = Look(PLAIN, decimals=4)
    moment = Look(CLOCK)
    failed = Look(COUNT, firing("NighttrainTooManyFailedJobs", whole=True, clear=CLEAR))
    runs = table_panel(
        Frame(
            "Runs of the last 30 days",
            "One row a run; compare those of one configuration. A run is current until the next begins. "
            "Its number leads to its night. Red: so many jobs failed that an alert fired.",
            "No run in the last 30 days",
            24,
            9,
        ),
        [
            Query(f"max by (run, config, synthetic) (last_over_time({RUN_INFO.name}[$__range]))", ref="info"),
            Query(milliseconds(last_by_run(f"max({RUN_STARTED.name})")), ref="began"),
            Query(milliseconds(last_by_run(f"max({RUN_FINISHED.name})")), ref="ended"),
            Query(milliseconds(last_by_run(f"max(timestamp({RUN_STARTED.name}))")), ref="until"),
            Query(last_by_run("max(nighttrain:cell_auc_ratio:avg)"), ref="auc"),
            Query(last_by_run("max(nighttrain:cell_brier_ratio:avg)"), ref="brier"),
            Query(last_by_run("max(nighttrain:cell_accuracy_ratio:avg)"), ref="accuracy"),
            Query(last_by_run(f"max({RUN_PROMOTED_MODELS.name})"), ref="promoted"),
            Query(last_by_run(f"sum({every(RUN_JOBS, state=JobState.SUCCEEDED)})"), ref="succeeded"),
            Query(last_by_run(f'sum({RUN_FAILED_JOBS.name}{{cause!="data"}})'), ref="failed"),
        ],
        [
            Column("run", "Run", width=80, link=OPEN_RUN),
            Column("config", "Configuration"),
            Column("synthetic", "Synthetic candles"),
            Column("began", "Began", moment),
            Column("ended", "Ended", moment),
            Column("until", "Until", moment),
            Column("auc", "Mean AUC", score),
            Column("brier", "Mean Brier score", score),
            Column("accuracy", "Mean accuracy", score),
            Column("promoted", "Promoted", Look(COUNT)),
            Column("succeeded", "Jobs done", Look(COUNT)),
            Column("failed", "Jobs failed", failed, Cells.COLOURED),
        ],
        "Began",
        largest_first=True,
    )
    return runs.time_from(SPAN).max_data_points(FINE)


def _means() -> Panel:
    drop = condition("NighttrainMeanAucDropped", "nighttrain:cell_auc_drop:ratio").limit
    means = graph_panel(
        Frame(
            "Mean AUC of the last 30 days",
            "Of the run that was current, with the mean of up to five runs before it of the same "
            f"configuration. An alert fires if it ends more than {drop:g} below.",
            "No cell was trained in the last 30 days",
            24,
            8,
        ),
        [
            Query("nighttrain:cell_auc_ratio:avg", "mean AUC of the run"),
            Query(f"max({EARLIER_AUC.name})", "mean of the runs before"),
            Query(f"max({EARLIER_AUC.name}) - scalar(nighttrain:threshold:auc_drop_ratio)", "alert below"),
            Query(f"max({every(PROMOTION_LIMIT, score='auc')})", "limit of a model"),
        ],
        Look(PLAIN, decimals=4),
        limits=["alert below"],
    )
    return means.time_from(SPAN)
