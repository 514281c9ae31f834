"""The board *Coordinator*: how much it does and how fast, its leases, its database and its machine."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from common.metrics.declarations import (
    ADMISSION_REFUSALS,
    ATTEMPTS,
    BUILD_INFO,
    CHECKPOINT_WRITES,
    CLAIMS,
    DATABASE_DURATION,
    DATABASE_SIZE,
    RENEWALS,
    RUN_JOBS,
    STALE_WRITES,
)
from common.protocol.job_views import Outcome
from common.protocol.jobs import JobState
from grafana.generator.layout import Section, board
from grafana.generator.machine import machine
from grafana.generator.panels import Drawing, graph_panel, stat_panel
from grafana.generator.queries import Query, every
from grafana.generator.style import (
    BYTES,
    COUNT,
    GREEN,
    NEUTRAL,
    ORANGE,
    PER_SECOND,
    PLAIN,
    RATIO,
    RED,
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
            Section("Leases", _leases()),
            Section("Requests", _requests()),
            Section("Database", _database()),
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
            Frame("Coordinator", "Whether it answers Prometheus.", "not scraped", 3, 4),
            [Query(f"max({UP})", "coordinator")],
            Look(PLAIN, values={0: ("down", RED), 1: ("up", GREEN)}),
        ),
        stat_panel(
            Frame("Up for", "Time since its process began.", "unknown", 4, 4),
            [Query('time() - max(process_start_time_seconds{job="coordinator"})', "up for")],
            Look(SECONDS, decimals=1),
        ),
        stat_panel(
            Frame("Last job handed out", "Time since, in any run.", "never", 4, 4),
            [Query("time() - (nighttrain:last_claim:timestamp_seconds > 0)", "ago")],
            Look(SECONDS, decimals=1),
        ),
        stat_panel(
            Frame("Leases held", "Jobs that a trainer is at work on.", "unknown", 3, 4),
            [Query(f"sum({every(RUN_JOBS, state=JobState.LEASED)})", "leases")],
            Look(COUNT),
        ),
        stat_panel(
            Frame("Requests", "A second, over 5 minutes.", "unknown", 3, 4),
            [Query(f"sum({REQUESTS})", "requests")],
            Look(PER_SECOND, decimals=1),
        ),
        stat_panel(
            Frame("Server errors", "Share of requests that were answered with 5xx.", "unknown", 3, 4),
            [Query(failing, "5xx")],
            Look(RATIO, decimals=2),
        ),
        stat_panel(
            Frame("Database", "Size of the database, write-ahead log included.", "unknown", 4, 4),
            [Query(f"max({DATABASE_SIZE.name})", "database")],
            Look(BYTES),
        ),
    ]


def _leases() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Claimed, renewed, expired",
                "In 5 minutes. A lease that expires was not renewed for its whole life: its trainer is gone, "
                "or could not reach the coordinator.",
                DOWN,
                8,
                8,
            ),
            [
                Query(f"sum(increase({CLAIMS.name}[5m]))", "claimed"),
                Query(f"sum(increase({RENEWALS.name}[5m]))", "renewed"),
                Query(f"sum(increase({every(ATTEMPTS, outcome=Outcome.EXPIRED)}[5m]))", "expired"),
            ],
            Look(COUNT, minimum=0),
            colours={"expired": RED},
        ),
        graph_panel(
            Frame(
                "Why no job was handed out",
                "Claims in 5 minutes that got none, by reason. Empty and waiting are normal as a run ends.",
                "No claim was refused",
                8,
                8,
            ),
            [Query(f"sum by (reason) (increase({ADMISSION_REFUSALS.name}[5m])) > 0", "{{reason}}")],
            Look(COUNT, minimum=0),
            Drawing.BARS,
        ),
        graph_panel(
            Frame(
                "Stale writes refused",
                "In 5 minutes, by what was to be written: somebody worked on under a lease that had gone to "
                "another. The refusal is what keeps the results right; many of them mean lost trainers.",
                "No write was refused",
                8,
                8,
            ),
            [Query(f"sum by (operation) (increase({STALE_WRITES.name}[5m])) > 0", "{{operation}}")],
            Look(COUNT, minimum=0),
            Drawing.BARS,
        ),
        graph_panel(
            Frame(
                "Is the queue moving",
                "Jobs that wait, those of them that may be taken, those without an end, and how often some "
                "ended in half an hour. An alert fires if some may be taken and none has ended for so long.",
                DOWN,
                12,
                8,
            ),
            [
                Query("nighttrain:queue_jobs:sum", "waiting"),
                Query("nighttrain:queue_jobs_admissible:sum", "may be taken"),
                Query("changes(nighttrain:run_jobs_ended:sum[30m])", "times that some ended, in 30 min"),
                Query("nighttrain:run_jobs_unfinished:sum", "unfinished"),
            ],
            Look(COUNT, minimum=0),
        ),
        graph_panel(
            Frame("Checkpoints stored", "Of jobs, in 5 minutes.", DOWN, 12, 8),
            [Query(f"sum(increase({CHECKPOINT_WRITES.name}[5m]))", "checkpoints")],
            Look(COUNT, minimum=0),
            Drawing.BARS,
        ),
    ]


def _requests() -> list[Panel]:
    slow = "route:nighttrain_http_request_duration_seconds:p90_rate5m"
    return [
        graph_panel(
            Frame("Requests by route", "A second.", DOWN, 12, 8),
            [Query("route:nighttrain_http_requests:rate5m > 0", "{{route}}")],
            Look(PER_SECOND, minimum=0),
            Drawing.STACKED,
        ),
        graph_panel(
            Frame("Time to an answer, by route", "90th percentile over 5 minutes.", DOWN, 12, 8),
            [Query(f"{slow} > 0", "{{route}}")],
            Look(SECONDS, minimum=0),
        ),
        graph_panel(
            Frame(
                "Requests by status",
                "A second. 409 (4xx) is a stale lease, which is part of the design.",
                DOWN,
                24,
                6,
            ),
            [Query(f"{REQUESTS} > 0", "{{status}}")],
            Look(PER_SECOND, minimum=0),
            Drawing.STACKED,
            colours={"2xx": GREEN, "4xx": ORANGE, "5xx": RED},
        ),
    ]


def _database() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Time of a transaction", "90th percentile over 5 minutes, from begin to commit.", DOWN, 8, 8
            ),
            [Query("mode:nighttrain_database_transaction_duration_seconds:p90_rate5m", "{{mode}}")],
            Look(SECONDS, minimum=0),
        ),
        graph_panel(
            Frame("Transactions", "A second.", DOWN, 8, 8),
            [Query(f"sum by (mode) (rate({DATABASE_DURATION.name}_count[5m]))", "{{mode}}")],
            Look(PER_SECOND, minimum=0),
            Drawing.STACKED,
        ),
        graph_panel(
            Frame("Size", "Write-ahead log included.", DOWN, 8, 8),
            [Query(f"max({DATABASE_SIZE.name})", "database")],
            Look(BYTES, minimum=0),
        ),
    ]


def _targets() -> list[Panel]:
    return [
        table_panel(
            Frame(
                "Targets", "What Prometheus scrapes; an alert fires for one that is down.", "No target", 12, 7
            ),
            [Query("max by (job, instance) (up)", ref="up")],
            [
                Column("job", "Service"),
                Column("instance", "Target"),
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
            Frame("Versions", "Different versions at once mean that an update is half done.", DOWN, 12, 7),
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
