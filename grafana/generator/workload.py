"""Sections of the board *Night*: what is at work, what waits, and what failed."""

from __future__ import annotations

from common.metrics.declarations import (
    ATTEMPTS,
    BREAKER_STATE,
    BREAKER_STATES,
    FINAL_CAUSE,
    JOB_DURATION,
    QUEUE_JOBS,
    QUEUE_OLDEST_WAIT,
    RUN_FAILED_JOBS,
    RUN_JOBS,
)
from common.protocol.jobs import Cause, JobState
from grafana.generator.alerts import condition, firing
from grafana.generator.panels import Drawing, bar_panel, graph_panel, timeline_panel
from grafana.generator.queries import Query, last_of_run, numbered, of_run, of_symbols
from grafana.generator.style import (
    COUNT,
    GREEN,
    NEUTRAL,
    NO_RUN,
    ORANGE,
    PLAIN,
    RED,
    SECONDS,
    Frame,
    Look,
    Panel,
    numbered_states,
)
from grafana.generator.tables import Cells, Column, matrix_panel, table_panel


def at_work() -> list[Panel]:
    """Return panels on the cells that are being trained, and how long cells take."""
    recorded = [f"cell:nighttrain_running_job_{what}:seconds" for what in ("elapsed", "expected")]
    elapsed, expected = (f"max by (symbol, timeframe, horizon) ({of_symbols(name)})" for name in recorded)
    overdue = " / ".join(recorded)
    durations = f"timeframe:{JOB_DURATION.name}"
    factor = Look("suffix:x", firing("NighttrainJobOverdue", overdue), decimals=1)
    return [
        table_panel(
            Frame(
                "Cells being trained",
                "What is at work, for how long, and how long it should take by measured durations. Red: "
                f"above {condition('NighttrainJobOverdue', overdue).limit:g} times the expected duration, at "
                "which an alert fires, but not before "
                f"{condition('NighttrainJobOverdue', recorded[0]).limit:g} seconds.",
                "No cell is being trained",
                14,
                8,
            ),
            [
                Query(last_of_run(elapsed), ref="elapsed"),
                Query(last_of_run(expected), ref="expected"),
                Query(last_of_run(f"{elapsed} / {expected}"), ref="factor"),
            ],
            [
                Column("symbol", "Symbol"),
                Column("timeframe", "Timeframe"),
                Column("horizon", "Horizon"),
                Column("elapsed", "Elapsed", Look(SECONDS)),
                Column("expected", "Expected", Look(SECONDS)),
                Column("factor", "Elapsed / expected", factor, Cells.COLOURED),
            ],
            "Elapsed",
            largest_first=True,
        ),
        table_panel(
            Frame(
                "Duration of a training job",
                "Of the successful attempts of the run that is current, by timeframe.",
                "No training job has succeeded yet",
                10,
                8,
            ),
            [
                Query(last_of_run(f"sum by (timeframe) ({JOB_DURATION.name}_count)"), ref="jobs"),
                Query(last_of_run(f"max by (timeframe) ({durations}:p50)"), ref="median"),
                Query(last_of_run(f"max by (timeframe) ({durations}:p90)"), ref="late"),
                Query(last_of_run(f"sum by (timeframe) ({JOB_DURATION.name}_sum)"), ref="total"),
            ],
            [
                Column("timeframe", "Timeframe"),
                Column("jobs", "Jobs", Look(COUNT)),
                Column("median", "Median", Look(SECONDS, decimals=1)),
                Column("late", "90th percentile", Look(SECONDS, decimals=1)),
                Column("total", "In all", Look(SECONDS, decimals=1)),
            ],
            "Timeframe",
        ),
        graph_panel(
            Frame(
                "Work at risk",
                "Time since progress was last made safe: by the job whose last checkpoint is the oldest, and "
                "in the night's checkpoint file. That much would be repeated, or unreported, after a crash.",
                "Nothing is being trained",
                12,
                7,
            ),
            [
                Query(of_run("kind:nighttrain_checkpoint_age:seconds"), "{{kind}}"),
                Query("nighttrain:threshold:checkpoint_age_seconds", "limit, {{kind}}"),
            ],
            Look(SECONDS, minimum=0),
            limits=["limit, job", "limit, night"],
        ),
        matrix_panel(
            Frame(
                "Jobs by kind",
                "Surveys read a symbol's candles once; training jobs train a cell.",
                NO_RUN,
                12,
                7,
            ),
            Query(last_of_run(f"sum by (kind, state) ({RUN_JOBS.name})")),
            "kind",
            tuple(JobState),
            Look(COUNT),
            "state",
        ),
    ]


def queue() -> list[Panel]:
    """Return panels on the jobs that wait."""
    return [
        graph_panel(
            Frame(
                "Waiting jobs",
                "The queue by symbol, those in backoff and of parked symbols included.",
                NO_RUN,
                8,
                8,
            ),
            [Query(of_run(f"sum by (symbol) ({of_symbols(QUEUE_JOBS)})"), "{{symbol}}")],
            Look(COUNT, minimum=0),
            Drawing.STACKED,
        ),
        graph_panel(
            Frame(
                "Oldest wait",
                "How long the job that has waited longest has been waiting, by symbol. It grows all night "
                "for what comes last in order; it is a sign of trouble only while nothing ends.",
                NO_RUN,
                8,
                8,
            ),
            [Query(of_run(f"max by (symbol) ({of_symbols(QUEUE_OLDEST_WAIT)})"), "{{symbol}}")],
            Look(SECONDS, minimum=0),
        ),
        timeline_panel(
            Frame(
                "Breakers",
                "A symbol whose cells fail in a row is parked for a while; then one probe goes first.",
                NO_RUN,
                8,
                8,
            ),
            Query(of_run(f"max by (symbol) ({numbered(BREAKER_STATE, of_symbols)})"), "{{symbol}}"),
            Look(PLAIN, values=numbered_states(BREAKER_STATES, (GREEN, RED, ORANGE))),
        ),
    ]


def failures() -> list[Panel]:
    """Return panels on what ended without a result, and why."""
    return [
        matrix_panel(
            Frame(
                "Failed jobs by symbol and cause",
                "Jobs that failed for good. `data` means refused candles: trying again does not help.",
                "No job has failed",
                10,
                8,
            ),
            Query(last_of_run(f"sum by (symbol, cause) ({of_symbols(RUN_FAILED_JOBS)}) > 0")),
            "symbol",
            FINAL_CAUSE.values,
            Look(COUNT, ((None, ORANGE),)),
            "cause",
        ),
        graph_panel(
            Frame(
                "Attempts without a result, by cause",
                "In the hour before. Stops and a disk that is full (storage) are free of charge.",
                NO_RUN,
                8,
                8,
            ),
            [Query(of_run("cause:nighttrain_attempt_failures:increase1h"), "{{cause}}")],
            Look(COUNT, minimum=0),
            Drawing.STACKED,
            colours={str(Cause.OOM): RED, str(Cause.DATA): ORANGE},
        ),
        bar_panel(
            Frame(
                "Attempts by outcome",
                "Of the run. Expired: nothing was heard from the trainer for the length of a lease.",
                NO_RUN,
                6,
                8,
            ),
            [Query(last_of_run(f"sum by (outcome) ({ATTEMPTS.name})"), "{{outcome}}")],
            Look(COUNT, NEUTRAL, minimum=0),
        ),
    ]
