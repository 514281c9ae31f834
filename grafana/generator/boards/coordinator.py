"""The board *Coordinator*: how much it does and how fast, its leases, its database and its machine."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from common.metrics.declarations import (
    ADMISSION_REFUSALS,
    ATTEMPTS,
    BUILD_INFO,
    CHECKPOINT_WRITES,
    CLAIMS,
    COORDINATOR_CRASHES,
    DATABASE_DURATION,
    DATABASE_SIZE,
    RENEWALS,
    STALE_WRITES,
    UNSENT,
    WRONG_TOKENS,
)
from common.protocol.job_views import Outcome
from grafana.generator.alerts import firing
from grafana.generator.alerts_table import alerts_now
from grafana.generator.attendance import coordinators
from grafana.generator.colours import BLUE, GREEN, GREY, LOST, ORANGE, PURPLE, RED, WAITING
from grafana.generator.layout import Section, board
from grafana.generator.machine import machine
from grafana.generator.panels import Drawing, graph_panel, stat_panel
from grafana.generator.queries import Query, per_minute
from grafana.generator.style import (
    BYTES,
    COUNT,
    NEUTRAL,
    PER_MINUTE,
    PER_SECOND,
    PLAIN,
    RATIO,
    SECONDS,
    Frame,
    Look,
    Panel,
)
from grafana.generator.tables import Cells, Column, table_panel

UID = "nighttrain-coordinator"
DOWN = "The coordinator does not answer"
UP = 'up{job="coordinator"}'
REQUESTS = "status:nighttrain_http_requests:rate5m"


def coordinator() -> Dashboard:
    """Return the board."""
    return board(
        UID,
        "How much the coordinator does and how fast; its leases, its database and its machine.",
        [
            Section("At a glance", _glance()),
            Section("Coordinators", coordinators()),
            Section("Leases", _leases()),
            Section("Requests", _requests()),
            Section("Database", _database()),
            Section("Object store", _object_store()),
            Section("Machine", machine()),
            Section("Who is scraped, and which version runs", _targets()),
        ],
        [],
        since="now-6h",
    )


def _glance() -> list[Panel]:
    failing = f'(sum({REQUESTS}{{status="5xx"}}) or vector(0)) / sum({REQUESTS})'
    return [
        stat_panel(
            Frame("State now", "Whether one answers Prometheus.", "not scraped", 4, 4),
            [Query(f"max({UP})", "coordinator")],
            Look(PLAIN, values={0: ("down", RED), 1: ("up", GREEN)}),
        ),
        alerts_now(),
        stat_panel(
            Frame(
                "Up for",
                "Time since its process began, or that of the one which began last.",
                "unknown",
                4,
                4,
            ),
            [Query('time() - max(process_start_time_seconds{job="coordinator"})', "up for")],
            Look(SECONDS, decimals=1),
        ),
        stat_panel(
            Frame(
                "Crashes",
                "In 15 minutes; a clean stop is none. Red: so many that an alert fires.",
                "unknown",
                4,
                4,
            ),
            [Query(f"max by (job) ({COORDINATOR_CRASHES.name})", "crashes")],
            Look(
                COUNT, firing("NighttrainCrashLoop", f"max by (job) ({COORDINATOR_CRASHES.name})", whole=True)
            ),
        ),
        stat_panel(
            Frame("Last job", "Time since a job was last handed out, in any run.", "never", 4, 4),
            [Query("time() - (nighttrain:last_claim:timestamp_seconds > 0)", "ago")],
            Look(SECONDS, decimals=1),
        ),
        stat_panel(
            Frame(
                "Requests",
                "A second, over 5 minutes; and the share of them that was answered with 5xx.",
                "unknown",
                4,
                4,
            ),
            [Query(f"sum({REQUESTS})", "all", "all"), Query(failing, "errors", "errors")],
            Look(PER_SECOND, decimals=1),
            different={"errors": {"unit": RATIO}},
        ),
    ]


def _leases() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Claimed, renewed, expired",
                "A minute, over 5 minutes. A lease that expires was not renewed for its whole life: its "
                "trainer is gone, or could not reach the coordinator.",
                DOWN,
                12,
                9,
            ),
            [
                Query(per_minute(CLAIMS), "claimed"),
                Query(per_minute(RENEWALS), "renewed"),
                Query(per_minute(ATTEMPTS, outcome=Outcome.EXPIRED), "expired"),
            ],
            Look(PER_MINUTE, decimals=1, minimum=0, reach=1),
            colours={"claimed": BLUE, "renewed": GREY, "expired": LOST},
        ),
        graph_panel(
            Frame(
                "Is the queue moving",
                "Jobs without an end, those of them that wait, and those that may be taken now; and how "
                "often some ended in half an hour. An alert fires if some may be taken and none has ended "
                "for so long.",
                DOWN,
                12,
                9,
            ),
            [
                Query("nighttrain:run_jobs_unfinished:sum", "unfinished"),
                Query("nighttrain:queue_jobs:sum", "waiting"),
                Query("nighttrain:queue_jobs_admissible:sum", "may be taken"),
                Query("changes(nighttrain:run_jobs_ended:sum[30m])", "times that some ended"),
            ],
            Look(COUNT, minimum=0, reach=5),
            colours={
                "unfinished": PURPLE,
                "waiting": WAITING,
                "may be taken": BLUE,
                "times that some ended": GREEN,
            },
        ),
        graph_panel(
            Frame(
                "Why no job was handed out",
                "Claims that got none, a minute over 5 minutes, by reason. Empty and waiting are normal as a "
                "run ends.",
                "No claim was refused",
                12,
                9,
            ),
            [Query(f"{per_minute(ADMISSION_REFUSALS, 'reason')} > 0", "{{reason}}")],
            Look(PER_MINUTE, decimals=1, minimum=0, reach=1),
        ),
        graph_panel(
            Frame(
                "Stale writes refused",
                "A minute, over 5 minutes, by what was to be written: somebody worked on under a lease that "
                "had gone to another. The refusal is what keeps the results right; many of them mean lost "
                "trainers.",
                "No write was refused",
                12,
                9,
            ),
            [Query(f"{per_minute(STALE_WRITES, 'operation')} > 0", "{{operation}}")],
            Look(PER_MINUTE, decimals=1, minimum=0, reach=1),
        ),
        graph_panel(
            Frame(
                "Wrong tokens",
                "A minute, over 5 minutes: tokens that are nobody's, from a program with an old one or from "
                "who guesses; the log names the last address. Throttled are those of an address that has "
                "shown too many; whoever shows a right token is never kept waiting.",
                "No wrong token was shown",
                24,
                7,
            ),
            [Query(f"{per_minute(WRONG_TOKENS, 'answer')} > 0", "{{answer}}")],
            Look(PER_MINUTE, decimals=1, minimum=0, reach=1),
        ),
    ]


def _requests() -> list[Panel]:
    slow = "route:nighttrain_http_request_duration_seconds:p90_rate5m"
    return [
        graph_panel(
            Frame("Requests by route", "A second.", DOWN, 12, 10),
            [Query("route:nighttrain_http_requests:rate5m > 0", "{{route}}")],
            Look(PER_SECOND, decimals=1, minimum=0, reach=0.1),
            Drawing.STACKED,
        ),
        graph_panel(
            Frame("Time to an answer, by route", "90th percentile over 5 minutes.", DOWN, 12, 10),
            [Query(f"{slow} > 0", "{{route}}")],
            Look(SECONDS, minimum=0, reach=0.01),
        ),
        graph_panel(
            Frame(
                "Requests by status",
                "A second. 409 (4xx) is a stale lease, which is part of the design. Red: 5xx, an error of "
                "the coordinator.",
                DOWN,
                12,
                9,
            ),
            [Query(f"{REQUESTS} > 0", "{{status}}")],
            Look(PER_SECOND, decimals=1, minimum=0, reach=0.1),
            Drawing.STACKED,
            colours={"1xx": GREY, "2xx": GREEN, "3xx": BLUE, "4xx": ORANGE, "5xx": RED},
        ),
        graph_panel(
            Frame("Checkpoints stored", "Of jobs, a minute over 5 minutes.", DOWN, 12, 9),
            [Query(per_minute(CHECKPOINT_WRITES), "checkpoints")],
            Look(PER_MINUTE, decimals=0, minimum=0, reach=1),
        ),
    ]


def _database() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Time of a transaction", "90th percentile over 5 minutes, from begin to commit.", DOWN, 8, 9
            ),
            [Query("mode:nighttrain_database_transaction_duration_seconds:p90_rate5m", "{{mode}}")],
            Look(SECONDS, minimum=0),
        ),
        graph_panel(
            Frame("Transactions", "A second.", DOWN, 8, 9),
            [Query(f"sum by (mode) (rate({DATABASE_DURATION.name}_count[5m]))", "{{mode}}")],
            Look(PER_SECOND, minimum=0),
            Drawing.STACKED,
        ),
        graph_panel(
            Frame("Size", "Write-ahead log included.", DOWN, 8, 9),
            [Query(f"max({DATABASE_SIZE.name})", "database")],
            Look(BYTES, minimum=0),
        ),
    ]


def _object_store() -> list[Panel]:
    return [
        graph_panel(
            Frame("Waits to be sent", "Models, results and reports; 0 without an object store.", DOWN, 12, 8),
            [Query(f"max({UNSENT.name})", "files")],
            Look(COUNT, minimum=0),
        ),
        graph_panel(
            Frame(
                "For how long the oldest waits",
                "The status says why. Above the red line an alert fires.",
                DOWN,
                12,
                8,
            ),
            [Query("nighttrain:artifacts_unsent_oldest:seconds", "oldest")],
            Look(SECONDS, firing("NighttrainArtifactsUnsent"), minimum=0),
        ),
    ]


def _targets() -> list[Panel]:
    return [
        table_panel(
            Frame(
                "Targets", "What Prometheus scrapes; an alert fires for one that is down.", "No target", 12, 8
            ),
            [Query("max by (job, instance) (up)", ref="up")],
            [
                Column("job", "Service"),
                Column("instance", "Target", width=150),
                Column(
                    "up",
                    "Answers",
                    Look(PLAIN, values={0: ("down", RED), 1: ("up", GREEN)}),
                    Cells.COLOURED,
                ),
            ],
            "Service",
        ),
        table_panel(
            Frame("Versions", "Different versions at once mean that an update is half done.", DOWN, 12, 8),
            [Query(f"count by (job, version, python) ({BUILD_INFO.name})", ref="processes")],
            [
                Column("job", "Service"),
                Column("version", "Nighttrain"),
                Column("python", "Python"),
                Column("processes", "Processes", Look(COUNT, NEUTRAL)),
            ],
            "Service",
        ),
    ]
