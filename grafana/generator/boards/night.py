"""The board *Night*: will it be done in time, and what stands in the way.

At 23:00 it answers whether the night has begun, who works on what, and when it will end; at 07:00 whether it
ended, what failed and why, and how many models were promoted. What is of this moment, whichever run is
chosen, says so in its title.
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
    RUN_FINISHED,
    RUN_PAUSED,
    RUN_PROGRESS,
    RUN_PROMOTED_MODELS,
    RUN_REUSED_JOBS,
    RUN_SHED_JOBS,
    RUN_STARTED,
    RUN_STATE,
    TRAINERS,
)
from common.protocol.runs import RunState
from common.protocol.status import TrainerState
from grafana.generator.alerts import firing, to_spare
from grafana.generator.alerts_table import alerts_now, alerts_table
from grafana.generator.colours import BLUE, GREEN, ORANGE, PURPLE, RED, STATES, TEXT
from grafana.generator.history import FAILED, REFUSED
from grafana.generator.layout import Section, board, page_variable, run_variable, symbol_variable
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
    once,
)
from grafana.generator.style import (
    BRIEF_CLOCK,
    BRIEFLY_NO_RUN,
    COUNT,
    MINUTES,
    NO_RUN,
    PLAIN,
    RATIO,
    SECONDS,
    Frame,
    Look,
    Panel,
    numbered_states,
    thresholds,
)
from grafana.generator.workload import at_work, failures, queue

UID = "nighttrain-night"
UNKNOWN = "unknown"
TO_CLOSE = "until the window closes"
MEDIAN_LEFT, LATE_LEFT = "to the end, median", "to the end, 90 % sure"
DEADLINE = f"max({NIGHT_DEADLINE.name})"
MEDIAN, LATE = (f"max({every(RUN_ETA, percentile=percentile)})" for percentile in ("50", "90"))


def night() -> Dashboard:
    """Return the board."""
    return board(
        UID,
        "Whether the night will be done in time, and what stands in its way.",
        [
            Section("At a glance", [*_progress_at_a_glance(), *_health_at_a_glance()]),
            Section("Alerts", [alerts_table()]),
            Section("Progress", _progress()),
            Section("At work", at_work()),
            Section("Queue", queue()),
            Section("Failures and risk", failures()),
        ],
        [run_variable(), symbol_variable(), page_variable()],
        since="now-12h",
    )


def _progress_at_a_glance() -> list[Panel]:
    return [
        stat_panel(
            Frame("Run", "The run that is shown, and where it is in its life.", BRIEFLY_NO_RUN, 4, 4),
            [Query(_run_state(), "Run {{run}}")],
            Look(PLAIN, values=numbered_states(tuple(RunState), (BLUE, GREEN, ORANGE))),
            BigValueTextMode.VALUE_AND_NAME,
        ),
        stat_panel(
            Frame(
                "Trained",
                "Share of the run's training that is done, finished folds of unfinished jobs included. Blue: "
                "under way; green: done. And how many of its cells have reused an earlier "
                "result, since nothing had changed.",
                BRIEFLY_NO_RUN,
                4,
                4,
            ),
            [
                Query(last_of_run(f"max({RUN_PROGRESS.name})"), "trained", "trained"),
                Query(last_of_run(f"max({RUN_REUSED_JOBS.name})"), "reused", "reused"),
            ],
            Look(RATIO, ((None, BLUE), (1.0, GREEN)), decimals=0, minimum=0, maximum=1),
            different={"reused": {"unit": COUNT, "thresholds": thresholds(((None, TEXT),)).build()}},
        ),
        stat_panel(
            Frame(
                "Begin and end",
                "When the run began; when it ended, or will end (median and 90th percentile by the durations "
                "that were measured).",
                BRIEFLY_NO_RUN,
                7,
                4,
            ),
            [
                Query(milliseconds(last_of_run(f"max({RUN_STARTED.name})")), "Began", "began"),
                Query(milliseconds(last_of_run(f"max({RUN_FINISHED.name})")), "Ended", "ended"),
                Query(milliseconds(of_run(MEDIAN)), "Ends, median", "median"),
                Query(milliseconds(of_run(LATE)), "Ends, 90 % sure", "late"),
            ],
            Look(BRIEF_CLOCK),
        ),
        stat_panel(
            Frame(
                "Time to spare",
                "Time between the end of the run (90th percentile) and the closing of the window. Red, "
                "below zero: the night will miss its deadline; what is left over is carried to the next one. "
                "Without a window, and without a run that is going, there is no deadline.",
                "no deadline",
                5,
                4,
            ),
            [Query(of_run(f"{DEADLINE} - {LATE}"), "to spare")],
            Look(SECONDS, to_spare("NighttrainNightMissesDeadline"), decimals=1),
        ),
        stat_panel(
            Frame(
                "Models",
                "Models that the run has promoted, which it decides when all jobs are final; and cells that "
                "do not fit before the window closes: those of least value, left for the next night unless "
                "this one gets faster. Green: at least one is promoted; orange: at least one is left over.",
                BRIEFLY_NO_RUN,
                4,
                4,
            ),
            [
                Query(last_of_run(f"max({RUN_PROMOTED_MODELS.name})"), "promoted", "promoted"),
                Query(last_of_run(f"max({RUN_SHED_JOBS.name})"), "left over", "shed"),
            ],
            Look(COUNT, ((None, TEXT), (1, GREEN))),
            different={"shed": {"thresholds": thresholds(((None, TEXT), (1, ORANGE))).build()}},
        ),
    ]


def _health_at_a_glance() -> list[Panel]:
    live = "nighttrain:trainers_live:sum"
    of_all = f'{live} * on () group_left (of) count_values("of", sum({once(TRAINERS.name)}))'
    lost = f"max({every(TRAINERS, state=TrainerState.LOST)})"
    window = f"max({NIGHT_OPEN.name}) * (1 + (max({RUN_PAUSED.name}) or vector(0)))"
    refused = firing("NighttrainDataRefused", whole=True)
    clock = {"unit": BRIEF_CLOCK, "mappings": []}
    openings = stat_panel(
        Frame(
            "Window now",
            "Whether jobs are handed out: always, without a window, but for a run that is paused. When the "
            "window opened last by its schedule, when it closes, and when it opens the next time.",
            UNKNOWN,
            7,
            4,
        ),
        [
            Query(window, "now", "window"),
            Query(milliseconds(f"max({NIGHT_LAST_OPENING.name})"), "Opened", "opened"),
            Query(milliseconds(DEADLINE), "Closes", "closes"),
            Query(milliseconds(f"max({NIGHT_NEXT_OPENING.name})"), "Opens next", "opens"),
        ],
        Look(PLAIN, values={0: ("closed", TEXT), 1: ("open", GREEN), 2: ("paused", ORANGE)}),
        different={"opened": clock, "closes": clock, "opens": clock},
    )
    return [
        stat_panel(
            Frame(
                "Failed jobs",
                "Jobs of the run that failed for good, by what went wrong in training, and those whose "
                "candles were refused. Orange: at least one; red: so many that an alert fires.",
                BRIEFLY_NO_RUN,
                4,
                4,
            ),
            [
                Query(last_of_run(f"sum({FAILED})"), "failed", "failed"),
                Query(last_of_run(f"sum({REFUSED})"), "refused", "refused"),
            ],
            Look(COUNT, firing("NighttrainTooManyFailedJobs", whole=True, warning=1)),
            different={"refused": {"thresholds": thresholds(refused).build()}},
        ),
        stat_panel(
            Frame(
                "Trainers now",
                "Trainers that are alive, of all that are known. Orange: one is lost, so it fell silent "
                "while it held a job; red: none is alive, for which an alert fires while there is work.",
                UNKNOWN,
                4,
                4,
            ),
            [
                Query(f"{of_all} and on () {lost} == 0", "alive, of {{of}}", "all"),
                Query(f"{of_all} and on () {lost} > 0", "of {{of}}, some lost", "fewer"),
            ],
            Look(
                COUNT,
                firing("NighttrainNoTrainer", live, whole=True),
                values={0: ("none", RED)},
            ),
            BigValueTextMode.VALUE_AND_NAME,
            colours={"fewer": ORANGE},
        ),
        alerts_now(),
        stat_panel(
            Frame("Coordinator now", "Whether the coordinator answers Prometheus.", "not scraped", 5, 4),
            [Query('max(up{job="coordinator"})', "coordinator")],
            Look(PLAIN, values={0: ("down", RED), 1: ("up", GREEN)}),
        ),
        openings,
    ]


def _run_state() -> str:
    def of(run: str) -> str:
        return f"max by (run) (max({numbered(RUN_STATE, every)}) * on () group_right () {run})"

    return f"{of(CHOSEN_RUN)} or last_over_time(({of(ONE_RUN)}){RANGE})"


def _progress() -> list[Panel]:
    def minutes(moment: str) -> str:
        # An estimate may lie a second behind; a negative time is none.
        return f"clamp_min(({of_run(moment)}) - time(), 0) / 60"

    return [
        graph_panel(
            Frame(
                "Jobs by state",
                "Jobs of the run, surveys included. Green: done; red: failed for good; grey: waiting.",
                NO_RUN,
                12,
                9,
            ),
            [Query(of_run("state:nighttrain_run_jobs:sum"), "{{state}}")],
            Look(COUNT, minimum=0),
            Drawing.STACKED,
            colours=STATES,
        ),
        graph_panel(
            Frame(
                "Time left",
                "Time until the run ends, and until the window closes: where the first crosses the second "
                "from below, the night begins to miss its deadline.",
                "No run is going, or too few jobs have ended for an estimate",
                12,
                9,
            ),
            [
                Query(minutes(MEDIAN), MEDIAN_LEFT),
                Query(minutes(LATE), LATE_LEFT),
                Query(minutes(DEADLINE), TO_CLOSE),
            ],
            Look(MINUTES, decimals=0, minimum=0, reach=10),
            limits=[TO_CLOSE],
            colours={MEDIAN_LEFT: BLUE, LATE_LEFT: PURPLE},
        ),
    ]
