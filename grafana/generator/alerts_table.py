"""What fires now: the number on each board's first line, and the table with what to do."""

from __future__ import annotations

from grafana.generator.alerts import actions
from grafana.generator.colours import CLEAR, GREEN, ORANGE, RED, TEXT
from grafana.generator.layout import PAGE
from grafana.generator.panels import stat_panel
from grafana.generator.queries import UP, Query, milliseconds, or_words
from grafana.generator.style import CLOCK, COUNT, PLAIN, Frame, Look, Panel
from grafana.generator.tables import Cells, Column, table_panel

REAL = 'alertname!="NighttrainWatchdog"'
"""The watchdog fires always, for machines."""

SUBJECTS = ("symbol", "timeframe", "horizon", "trainer", "kind", "job", "instance")
LABELS = ("alertname", "alertstate", "severity", "component")


def alerts_now() -> Panel:
    """Return the number of alerts that fire; unknown where nobody could know of one."""
    return stat_panel(
        Frame(
            "Alerts now",
            "Alerts that are firing. Red: at least one. Unknown: the coordinator does not answer Prometheus, "
            "and most alerts rest on what it says.",
            "unknown",
            4,
            4,
        ),
        [Query(f'count(ALERTS{{alertstate="firing",{REAL}}}) or 0 * max({UP})', "firing")],
        Look(COUNT, ((None, GREEN), (1, RED))),
    )


def alerts_table() -> Panel:
    """Return the table: what fires first, then the more severe."""
    since = f"ALERTS_FOR_STATE{{{REAL}}} * ignoring (alertstate) group_right () ALERTS{{{REAL}}}"
    joined = ", ".join(f'"{label}"' for label in SUBJECTS)
    about = f'label_join(label_join({since}, "about", " ", {joined}), "do", "", "alertname")'
    rows = milliseconds(f"max by ({', '.join((*LABELS, 'about', 'do'))}) ({about})")
    rows = or_words(rows, "alertname", "No alert is firing or pending")
    severities = Look(PLAIN, values={"critical": ("critical", RED), "warning": ("warning", ORANGE)})
    states = Look(PLAIN, values={"firing": ("firing", RED), "pending": ("pending", CLEAR)})
    todo = Look(PLAIN, values={alert: (words, TEXT) for alert, words in actions().items()})
    return table_panel(
        Frame(
            "Alerts in force now",
            "Alerts that are firing, or will be if their condition lasts (pending), the worst first. Each "
            "leads to what the coordinator's runbook says of it.",
            "No alert is firing or pending, as far as Prometheus knows",
            24,
            9,
        ),
        [Query(rows, ref="since")],
        [
            Column("alertname", "Alert", width=270, link=f"${{{PAGE}}}/runbook/${{__value.text}}"),
            Column("alertstate", "State", states, Cells.COLOURED),
            Column("severity", "Severity", severities, Cells.COLOURED, width=80),
            Column("do", "What to do", todo, width=270),
            Column("about", "About", width=150),
            Column("since", "Since", Look(CLOCK), width=150),
            Column("component", "Component", width=110),
        ],
        ("State", "Severity", "Alert"),
    )
