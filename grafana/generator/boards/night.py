"""The board *Night*: will it be done in time, and what stands in the way.

At 23:00 it answers whether the night has begun, who works on what, and when it will end; at 07:00 whether it
ended, what failed and why, and how many models were promoted.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from common.metrics.declarations import (
    NIGHT_DEADLINE,
    NIGHT_LAST_OPENING,
    NIGHT_NEXT_OPENING,
    NIGHT_OPEN,
    RUN_ETA,
    RUN_FAILED_JOBS,
    RUN_FINISHED,
    RUN_PAUSED,
    RUN_PROGRESS,
    RUN_PROMOTED_MODELS,
    RUN_SHED_JOBS,
    RUN_STARTED,
    RUN_STATE,
)
from common.protocol.jobs import JobState
from common.protocol.runs import RunState
from grafana.generator.alerts import firing, to_spare
from grafana.generator.layout import Section, board, run_variable, symbol_variable
from grafana.generator.panels import Drawing, graph_panel, stat_panel
from grafana.generator.queries import (
    CHOSEN_RUN,
    ONE_RUN,
    RANGE,
    Query,
    every,
    last_of_run,
    milliseconds,
    numbered,
    of_run,
)
from grafana.generator.style import (
    BLUE,
    BRIEFLY_NO_RUN,
    CLOCK,
    COUNT,
    GREEN,
    GREY,
    NO_RUN,
    ORANGE,
    PLAIN,
    RATIO,
    RED,
    SECONDS,
    Frame,
    Look,
    Panel,
    numbered_states,
)
from grafana.generator.tables import Cells, Column, table_panel
from grafana.generator.workload import at_work, failures, queue

UID = "nighttrain-night"
STATE_COLOURS: dict[str, str] = {
    JobState.QUEUED: GREY,
    JobState.LEASED: BLUE,
    JobState.SUCCEEDED: GREEN,
    JobState.FAILED: RED,
    JobState.CANCELLED: ORANGE,
}


def night() -> Dashboard:
    """Return the board."""
    return board(
        UID,
        "Whether the night will be done in time, and what stands in its way.",
        [
            Section("At a glance", _glance()),
            Section("Alerts", [_alerts()]),
            Section("Progress", _progress()),
            Section("At work", at_work()),
            Section("Queue", queue()),
            Section("Failures", failures()),
        ],
        [run_variable(), symbol_variable()],
        since="now-12h",
    )


def _glance() -> list[Panel]:
    deadline = f"max({NIGHT_DEADLINE.name})"
    median, late = (f"max({every(RUN_ETA, percentile=percentile)})" for percentile in ("50", "90"))
    return [
        stat_panel(
            Frame("Run", "The run that is shown, and where it is in its life.", BRIEFLY_NO_RUN, 5, 4),
            [Query(_run_state(), "Run {{run}} (synthetic candles: {{synthetic}})")],
            Look(PLAIN, values=numbered_states(tuple(RunState), (BLUE, GREEN, ORANGE))),
            BigValueTextMode.VALUE_AND_NAME,
        ),
        stat_panel(
            Frame(
                "Trained",
                "Share of the run's training that is done, finished folds of unfinished jobs included. Blue: "
                "under way; green: done.",
                BRIEFLY_NO_RUN,
                3,
                4,
            ),
            [Query(last_of_run(f"max({RUN_PROGRESS.name})"), "trained")],
            Look(RATIO, ((None, BLUE), (1.0, GREEN)), decimals=1, minimum=0, maximum=1),
        ),
        stat_panel(
            Frame(
                "When",
                "When the run began; when it ended, or will end (median and 90th percentile by the durations "
                "that were measured); and when the window closes.",
                BRIEFLY_NO_RUN,
                12,
                4,
            ),
            [
                Query(milliseconds(last_of_run(f"max({RUN_STARTED.name})")), "Began", "began"),
                Query(milliseconds(last_of_run(f"max({RUN_FINISHED.name})")), "Ended", "ended"),
                Query(milliseconds(of_run(median)), "Ends, median", "median"),
                Query(milliseconds(of_run(late)), "Ends, 90 % sure", "late"),
                Query(milliseconds(of_run(deadline)), "Window closes", "deadline"),
            ],
            Look(CLOCK),
        ),
        stat_panel(
            Frame(
                "To spare",
                "Time between the end of the run (90th percentile) and the closing of the window. Red, "
                "below zero: the night will miss its deadline; what is left over is carried to the next one.",
                "nothing due",
                4,
                4,
            ),
            [Query(of_run(f"{deadline} - {late}"), "to spare")],
            Look(SECONDS, to_spare("NighttrainNightMissesDeadline"), decimals=1),
        ),
        stat_panel(
            Frame(
                "Failed jobs",
                "Jobs of the run that failed for good. Orange: at least one; red: so many that an "
                "alert fires.",
                BRIEFLY_NO_RUN,
                3,
                4,
            ),
            [Query(last_of_run(f'sum({RUN_FAILED_JOBS.name}{{cause!="data"}})'), "failed")],
            Look(COUNT, firing("NighttrainTooManyFailedJobs", whole=True, warning=1)),
        ),
        stat_panel(
            Frame(
                "Promoted",
                "Models that the run has promoted; it decides when all jobs are final. Green: at least one.",
                BRIEFLY_NO_RUN,
                3,
                4,
            ),
            [Query(last_of_run(f"max({RUN_PROMOTED_MODELS.name})"), "promoted")],
            Look(COUNT, ((None, GREY), (1, GREEN))),
        ),
        stat_panel(
            Frame(
                "Trainers",
                "Trainers that are alive, working or idle. Red: none, for which an alert fires "
                "while there is work.",
                "unknown",
                3,
                4,
            ),
            [Query("nighttrain:trainers_live:sum", "alive")],
            Look(COUNT, firing("NighttrainNoTrainer", "nighttrain:trainers_live:sum", whole=True)),
        ),
        stat_panel(
            Frame("Firing", "Alerts that are firing. Red: at least one.", "unknown", 3, 4),
            [
                Query(
                    'count(ALERTS{alertstate="firing",alertname!="NighttrainWatchdog"}) or vector(0)',
                    "firing",
                )
            ],
            Look(COUNT, ((None, GREEN), (1, RED))),
        ),
        stat_panel(
            Frame(
                "Coordinator",
                "Whether the coordinator answers Prometheus.",
                "not scraped",
                3,
                4,
            ),
            [Query('max(up{job="coordinator"})', "coordinator")],
            Look(PLAIN, values={0: ("down", RED), 1: ("up", GREEN)}),
        ),
        stat_panel(
            Frame(
                "Window",
                "Whether jobs are handed out now: always, without a window, but for a run that is paused.",
                "unknown",
                3,
                4,
            ),
            [Query(f"max({NIGHT_OPEN.name}) * (1 + (max({RUN_PAUSED.name}) or vector(0)))", "window")],
            Look(PLAIN, values={0: ("closed", GREY), 1: ("open", GREEN), 2: ("paused", ORANGE)}),
        ),
        stat_panel(
            Frame(
                "Left over",
                "Cells that do not fit before the window closes: they go last, those of least value, and are "
                "left for the next night unless this one gets faster. Orange: at least one.",
                BRIEFLY_NO_RUN,
                2,
                4,
            ),
            [Query(last_of_run(f"max({RUN_SHED_JOBS.name})"), "left over")],
            Look(COUNT, ((None, GREY), (1, ORANGE))),
        ),
        stat_panel(
            Frame(
                "Openings",
                "When the window last opened by the schedule, and when it opens next.",
                "no window",
                4,
                4,
            ),
            [
                Query(milliseconds(f"max({NIGHT_LAST_OPENING.name})"), "Last", "last"),
                Query(milliseconds(f"max({NIGHT_NEXT_OPENING.name})"), "Next", "next"),
            ],
            Look(CLOCK),
        ),
    ]


def _run_state() -> str:
    def of(run: str) -> str:
        return f"max by (run, synthetic) (({numbered(RUN_STATE, every)}) * on () group_right () {run})"

    return f"{of(CHOSEN_RUN)} or last_over_time(({of(ONE_RUN)}){RANGE})"


def _alerts() -> Panel:
    subjects = {
        "component": "Component",
        "symbol": "Symbol",
        "timeframe": "Timeframe",
        "horizon": "Horizon",
        "trainer": "Trainer",
        "kind": "Kind",
        "job": "Service",
        "instance": "Target",
    }
    labels = ", ".join(("alertname", "alertstate", "severity", *subjects))
    severities = Look(PLAIN, values={"critical": ("critical", RED), "warning": ("warning", ORANGE)})
    states = Look(PLAIN, values={"firing": ("firing", RED), "pending": ("pending", GREY)})
    return table_panel(
        Frame(
            "Alerts",
            "Alerts that are firing, or will be if their condition lasts (pending). What each means and "
            "what to do stands under its name in the runbook, at /runbook of the coordinator.",
            "No alert is firing or pending",
            24,
            6,
        ),
        [
            Query(
                milliseconds(
                    f"max by ({labels}) (ALERTS_FOR_STATE * ignoring (alertstate) group_right () "
                    'ALERTS{alertname!="NighttrainWatchdog"})'
                ),
                ref="since",
            )
        ],
        [
            Column("since", "Since", Look(CLOCK), width=170),
            Column("alertname", "Alert", width=230),
            Column("alertstate", "State", states, Cells.COLOURED, width=100),
            Column("severity", "Severity", severities, Cells.COLOURED, width=100),
            *(Column(label, title) for label, title in subjects.items()),
        ],
        "Since",
        largest_first=True,
    )


def _progress() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Jobs by state", "Jobs of the run, surveys included; done is what is green.", NO_RUN, 12, 8
            ),
            [Query(of_run("state:nighttrain_run_jobs:sum"), "{{state}}")],
            Look(COUNT, minimum=0),
            Drawing.STACKED,
            colours=STATE_COLOURS,
        ),
        graph_panel(
            Frame(
                "Time left",
                "Time until the run ends, and until the window closes: where the first crosses the second "
                "from below, the night begins to miss its deadline.",
                "No run is going, or too few jobs have ended for an estimate",
                12,
                8,
            ),
            [
                Query(of_run(f"max({every(RUN_ETA, percentile='50')}) - time()"), "to the end, median"),
                Query(of_run(f"max({every(RUN_ETA, percentile='90')}) - time()"), "to the end, 90 % sure"),
                Query(of_run(f"max({NIGHT_DEADLINE.name}) - time()"), "until the window closes"),
            ],
            Look(SECONDS),
            limits=["until the window closes"],
        ),
    ]
