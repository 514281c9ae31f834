"""Section of the board *Coordinator*: which coordinators there are, and which of them leads."""

from __future__ import annotations

from common.metrics.declarations import (
    BUILD_INFO,
    COORDINATOR_MEMORY_LIMIT,
    COORDINATOR_MEMORY_USAGE,
    COORDINATORS,
    HTTP_DURATION,
    LEADERS,
    LEADS,
)
from grafana.generator.colours import BLUE, CLEAR, GREEN, GREY, LOST, RED
from grafana.generator.panels import graph_panel
from grafana.generator.queries import Query, or_words
from grafana.generator.style import BYTES, COUNT, PER_SECOND, PLAIN, RATIO, SECONDS, Frame, Look, Panel
from grafana.generator.tables import Cells, Column, table_panel

DOWN = "No coordinator answers"
MINE = '{job="coordinator"}'


def coordinators() -> list[Panel]:
    """Return the panels."""
    return [
        _table(),
        graph_panel(
            Frame(
                "There, and lost",
                "By their heartbeats in the database. Lost: silent, not asked to stop, and none in its "
                "place; an alert fires.",
                DOWN,
                12,
                8,
            ),
            [Query(f"max by (state) ({COORDINATORS.name})", "{{state}}")],
            Look(COUNT, minimum=0, reach=1),
            colours={"present": GREEN, "lost": LOST},
        ),
        graph_panel(
            Frame(
                "Takeovers",
                "Times in the hour before that a coordinator took the lead; and how many lead, by what each "
                "says of itself: for a moment of a takeover none or two, of whom the database hears one. "
                "With SQLite there is one, which always leads.",
                DOWN,
                12,
                8,
            ),
            [
                Query(f"round(max(increase({LEADERS.name}[1h])))", "took the lead"),
                Query(f"sum({LEADS.name})", "lead"),
            ],
            Look(COUNT, minimum=0, decimals=0, reach=1),
            colours={"took the lead": BLUE, "lead": GREY},
        ),
    ]


def _table() -> Panel:
    used = f"{COORDINATOR_MEMORY_USAGE.name} / {COORDINATOR_MEMORY_LIMIT.name}"
    answers = f"max by (instance) (up{MINE})"
    return table_panel(
        Frame(
            "Coordinators",
            "Each that Prometheus scrapes: whether it answers and does the housekeeping for all, since when "
            "it runs, the requests that it answers and the memory that it takes. What they share, which is "
            "the whole night, counts once on all boards; what is of each is added up.",
            "No coordinator is scraped",
            24,
            7,
        ),
        [
            Query(or_words(answers, "instance", "none"), ref="answers"),
            Query(f"max by (instance, coordinator) ({LEADS.name})", ref="leads"),
            Query(f"max by (instance) (time() - process_start_time_seconds{MINE})", ref="age"),
            Query(f"sum by (instance) (rate({HTTP_DURATION.name}_count[5m]))", ref="requests"),
            Query(f"max by (instance) ({COORDINATOR_MEMORY_USAGE.name})", ref="memory"),
            Query(f"max by (instance) ({used})", ref="share"),
            Query(f"max by (instance, version) ({BUILD_INFO.name}{MINE})", ref="build"),
        ],
        [
            Column("instance", "Target", width=150),
            Column("coordinator", "Name", width=110),
            Column(
                "answers", "Answers", Look(PLAIN, values={0: ("no", RED), 1: ("yes", GREEN)}), Cells.COLOURED
            ),
            Column(
                "leads", "Leads", Look(PLAIN, values={0: ("no", CLEAR), 1: ("yes", BLUE)}), Cells.COLOURED
            ),
            Column("age", "Up for", Look(SECONDS, decimals=1), width=90),
            Column("requests", "Requests", Look(PER_SECOND, decimals=1), width=90),
            Column("memory", "Memory", Look(BYTES, decimals=0), width=90),
            Column("share", "Of its limit", Look(RATIO, decimals=0), width=90),
            Column("version", "Version", width=90),
        ],
        "Target",
    )
