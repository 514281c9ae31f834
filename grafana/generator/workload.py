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
)
from grafana.generator.alerts import condition
from grafana.generator.colours import BLUE, CAUSES, CLEAR, ORANGE, PURPLE, RED
from grafana.generator.layout import CELL_JOB_OF_RUN
from grafana.generator.panels import Drawing, bar_panel, graph_panel
from grafana.generator.queries import (
    Query,
    each_timeframe,
    last_of_run,
    numbered,
    of_run,
    of_symbols,
    once,
    or_words,
)
from grafana.generator.style import (
    COUNT,
    MINUTES,
    NEUTRAL,
    NO_RUN,
    PLAIN,
    SECONDS,
    Frame,
    Look,
    Panel,
    numbered_states,
)
from grafana.generator.tables import Cells, Column, matrix_panel, table_panel

ELAPSED, EXPECTED = (f"cell:nighttrain_running_job_{what}:seconds" for what in ("elapsed", "expected"))


def at_work() -> list[Panel]:
    """Return panels on the cells that are being trained, and how long cells take."""
    elapsed, expected = (
        f"max by (symbol, timeframe, horizon) ({of_symbols(name)})" for name in (ELAPSED, EXPECTED)
    )
    times = condition("NighttrainJobOverdue", f"{ELAPSED} / {EXPECTED}")
    seconds = condition("NighttrainJobOverdue", ELAPSED)
    overdue = f"({elapsed} / {expected} > bool {times.limit:g}) * ({elapsed} > bool {seconds.limit:g})"
    durations = f"timeframe:{JOB_DURATION.name}"
    return [
        table_panel(
            Frame(
                "Cells being trained",
                "What is at work, for how long, and how long it should take by measured durations. Overdue: "
                f"more than {times.limit:g} times as long, and more than {seconds.limit:g} seconds, at which "
                "an alert fires. Each leads to its job.",
                "No cell is being trained, as far as Prometheus knows",
                12,
                9,
            ),
            [
                Query(or_words(of_run(elapsed), "symbol", "nobody is at work"), ref="elapsed"),
                Query(of_run(expected), ref="expected"),
                Query(of_run(f"{elapsed} / {expected}"), ref="factor"),
                Query(of_run(overdue), ref="overdue"),
            ],
            [
                Column("symbol", "Symbol", width=150, link=CELL_JOB_OF_RUN),
                Column("timeframe", "Timeframe"),
                Column("horizon", "Horizon"),
                Column(
                    "overdue",
                    "Overdue",
                    Look(PLAIN, values={0: ("no", CLEAR), 1: ("yes", RED)}),
                    Cells.COLOURED,
                ),
                Column("elapsed", "Elapsed", Look(SECONDS, decimals=1), width=90),
                Column("expected", "Expected", Look(SECONDS, decimals=1), width=90),
                Column("factor", "Ratio", Look("suffix:x", decimals=1)),
            ],
            "Elapsed",
            largest_first=True,
        ),
        table_panel(
            Frame(
                "Duration of a training job",
                "Of the successful attempts of the run that is shown, by timeframe; P90 is the 90th "
                "percentile.",
                "No cell was trained in this run, as far as Prometheus knows",
                12,
                9,
            ),
            [
                Query(
                    or_words(
                        last_of_run(f"max by (timeframe) ({JOB_DURATION.name}_count)"),
                        "timeframe",
                        "none yet",
                    ),
                    ref="jobs",
                ),
                Query(last_of_run(each_timeframe(f"{JOB_DURATION.name}_count")), ref="bar"),
                Query(last_of_run(f"max by (timeframe) ({durations}:p50)"), ref="median"),
                Query(last_of_run(f"max by (timeframe) ({durations}:p90)"), ref="late"),
                Query(last_of_run(f"max by (timeframe) ({JOB_DURATION.name}_sum)"), ref="total"),
            ],
            [
                Column("timeframe", "Timeframe", width=150),
                Column("jobs", "Jobs", Look(COUNT)),
                Column("median", "Median", Look(SECONDS, decimals=1), width=90),
                Column("late", "P90", Look(SECONDS, decimals=1), width=90),
                Column("total", "In all", Look(SECONDS, decimals=1), width=90),
                Column("bar", "Bar", Look(SECONDS)),
            ],
            "Bar",
        ),
    ]


def queue() -> list[Panel]:
    """Return panels on the jobs that wait."""
    return [
        table_panel(
            Frame(
                "Symbols",
                "Jobs that wait, and for how long the oldest; it waits all night for what comes last in "
                "order. A symbol whose cells fail in a row is parked for a while (red: an alert fires); then "
                "one probe goes first (orange). Failed for good: by training, and for its candles.",
                "No run, as far as Prometheus knows",
                12,
                9,
            ),
            [
                Query(
                    or_words(last_of_run(f"max by (symbol) ({of_symbols(QUEUE_JOBS)})"), "symbol", "no run"),
                    ref="waiting",
                ),
                Query(last_of_run(f"max by (symbol) ({of_symbols(QUEUE_OLDEST_WAIT)})"), ref="oldest"),
                Query(last_of_run(f"max by (symbol) ({numbered(BREAKER_STATE, of_symbols)})"), ref="breaker"),
                Query(last_of_run(f"sum by (symbol) ({once(of_symbols(RUN_FAILED_JOBS))})"), ref="failed"),
            ],
            [
                Column("symbol", "Symbol", width=150),
                Column("failed", "Failed", Look(COUNT, ((None, CLEAR), (1, ORANGE))), Cells.COLOURED),
                Column(
                    "breaker",
                    "Breaker",
                    Look(PLAIN, values=numbered_states(BREAKER_STATES, (CLEAR, RED, ORANGE))),
                    Cells.COLOURED,
                    width=90,
                ),
                Column("waiting", "Waiting", Look(COUNT)),
                Column("oldest", "Oldest wait", Look(SECONDS, decimals=0), width=90),
            ],
            "Symbol",
        ),
        graph_panel(
            Frame(
                "Waiting jobs",
                "The queue by symbol, those in backoff and of parked symbols included.",
                NO_RUN,
                12,
                9,
            ),
            [Query(of_run(f"max by (symbol) ({of_symbols(QUEUE_JOBS)})"), "{{symbol}}")],
            Look(COUNT, minimum=0, reach=5),
            Drawing.STACKED,
        ),
    ]


def failures() -> list[Panel]:
    """Return panels on what ended without a result and why, and on what a crash would cost."""
    age = "kind:nighttrain_checkpoint_age:seconds"
    return [
        matrix_panel(
            Frame(
                "Failed jobs by symbol and cause",
                "Jobs that failed for good. Orange: at least one. `data` means refused candles: trying again "
                "does not help.",
                "No failed job is known",
                12,
                9,
            ),
            Query(last_of_run(f"max by (symbol, cause) ({of_symbols(RUN_FAILED_JOBS)}) > 0")),
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
                12,
                9,
            ),
            [Query(of_run("cause:nighttrain_attempt_failures:increase1h"), "{{cause}}")],
            Look(COUNT, minimum=0, decimals=0, reach=5),
            Drawing.STACKED,
            colours=CAUSES,
        ),
        bar_panel(
            Frame(
                "Attempts by outcome",
                "Of the run. Expired: nothing was heard from the trainer for the length of a lease.",
                NO_RUN,
                12,
                9,
            ),
            [Query(f"sort_desc({last_of_run(f'max by (outcome) ({ATTEMPTS.name})')})", "{{outcome}}")],
            Look(COUNT, NEUTRAL, minimum=0),
        ),
        graph_panel(
            Frame(
                "Work at risk",
                "Time since progress was last made safe: by the job whose last checkpoint is the oldest, and "
                "in the night's checkpoint file. That much would be repeated, or unreported, after a crash.",
                "Nothing is being trained",
                12,
                9,
            ),
            [
                Query(f"({of_run(age)}) / 60", "{{kind}}"),
                Query("nighttrain:threshold:checkpoint_age_seconds / 60", "limit, {{kind}}"),
            ],
            Look(MINUTES, minimum=0, decimals=1),
            limits=["limit, job", "limit, night"],
            colours={"job": BLUE, "night": PURPLE, "limit, night": ORANGE},
        ),
    ]
