"""Panels of the board *Models*: the runs of the last 30 days, one against the other."""

from __future__ import annotations

from common.metrics.declarations import (
    EARLIER_AUC,
    RUN_FAILED_JOBS,
    RUN_FINISHED,
    RUN_INFO,
    RUN_JOBS,
    RUN_PROMOTED_MODELS,
    RUN_STARTED,
)
from common.protocol.jobs import JobState
from grafana.generator.alerts import firing
from grafana.generator.colours import BLUE, CLEAR, GREY
from grafana.generator.layout import PAGE
from grafana.generator.panels import bar_panel
from grafana.generator.queries import Query, every, last_by_run, last_of_run, milliseconds, once, or_words
from grafana.generator.style import CLOCK, COUNT, PLAIN, Frame, Look, Panel
from grafana.generator.tables import Cells, Column, table_panel

SPAN = "30d"
"""What Prometheus keeps."""

FINE = 10_000
"""Points of a subquery over `SPAN`: fine enough to find a run that was current for a few minutes only."""

FAILED = once(f'{RUN_FAILED_JOBS.name}{{cause!="data"}}')
REFUSED = once(every(RUN_FAILED_JOBS, cause="data"))
"""Jobs of the run that failed in training, and for their candles; by symbol and cause."""

OPEN_RUN = (
    "/d/nighttrain-night?var-run=${__data.fields.Run}"
    "&from=${__data.fields.Began.numeric}&to=${__data.fields.Until.numeric}"
)
OPEN_PAGE = f"${{{PAGE}}}/nights/${{__data.fields.Run}}"


def runs() -> Panel:
    """Return the table of the runs."""
    score = Look(PLAIN, decimals=4)
    moment = Look(CLOCK)
    failed = Look(COUNT, firing("NighttrainTooManyFailedJobs", whole=True, clear=CLEAR))
    refused = Look(COUNT, firing("NighttrainDataRefused", whole=True, clear=CLEAR))
    known = f"max by (run, config) (last_over_time({RUN_INFO.name}[$__range]))"
    made_up = f'max by (run) (last_over_time({RUN_INFO.name}{{synthetic="true"}}[$__range]))'
    table = table_panel(
        Frame(
            "Runs of the last 30 days",
            "One row a run; compare those of one configuration. A run is current until the next begins. "
            "Its number leads to its night on the board, its configuration to the coordinator's page. Red: "
            "so many jobs failed in training that an alert fired.",
            "No run in the last 30 days",
            24,
            9,
        ),
        [
            Query(or_words(known, "config", "no run"), ref="info"),
            Query(milliseconds(last_by_run(f"max({RUN_STARTED.name})")), ref="began"),
            Query(milliseconds(last_by_run(f"max({RUN_FINISHED.name})")), ref="ended"),
            Query(milliseconds(last_by_run(f"max(timestamp({RUN_STARTED.name}))")), ref="until"),
            Query(last_by_run("max(nighttrain:cell_auc_ratio:avg)"), ref="auc"),
            Query(last_by_run("max(nighttrain:cell_brier_ratio:avg)"), ref="brier"),
            Query(last_by_run("max(nighttrain:cell_accuracy_ratio:avg)"), ref="accuracy"),
            Query(last_by_run(f"max({RUN_PROMOTED_MODELS.name})"), ref="promoted"),
            Query(last_by_run(f"sum({once(every(RUN_JOBS, state=JobState.SUCCEEDED))})"), ref="succeeded"),
            Query(last_by_run(f"sum({FAILED})"), ref="failed"),
            Query(last_by_run(f"sum({REFUSED})"), ref="refused"),
            Query(made_up, ref="made_up"),
        ],
        [
            Column("run", "Run", link=OPEN_RUN),
            Column("config", "Configuration", width=150, link=OPEN_PAGE),
            Column("began", "Began", moment, width=140),
            Column("ended", "Ended", moment, width=140),
            Column("failed", "Failed", failed, Cells.COLOURED),
            Column("refused", "Refused", refused, Cells.COLOURED),
            Column("succeeded", "Done", Look(COUNT)),
            Column("promoted", "Promoted", Look(COUNT)),
            Column("auc", "Mean AUC", score),
            Column("brier", "Mean Brier", score),
            Column("accuracy", "Mean accuracy", score),
            Column(
                "made_up",
                "Candles",
                Look(PLAIN, values={1: ("synthetic", CLEAR)}),
                width=80,
                absent=("real", CLEAR),
            ),
            Column("until", "Until", moment, width=140),
        ],
        "Began",
        largest_first=True,
    )
    return table.time_from(SPAN).max_data_points(FINE)


def mean_by_run() -> Panel:
    """Return the mean AUC of each run, beside that of the runs that the shown one is compared with."""
    means = bar_panel(
        Frame(
            "Mean AUC by run",
            "Of the runs of the last 30 days, whatever their configuration; and the mean of those that the "
            "run that is shown is compared with. 0.5 is chance.",
            "No cell was trained in the last 30 days",
            12,
            12,
        ),
        [
            Query(last_by_run("max(nighttrain:cell_auc_ratio:avg)"), "Run {{run}}"),
            Query(last_of_run(f"max({EARLIER_AUC.name})"), "mean of those before", "before"),
        ],
        Look(PLAIN, ((None, BLUE),), decimals=4, minimum=0.45, maximum=0.6),
        colours={"before": GREY},
    )
    return means.time_from(SPAN).max_data_points(FINE)
