"""Alerts on the screen."""

from __future__ import annotations

from cli.screen.columns import columns, moment
from common.protocol.alerts import AlertPage


def alert_table(page: AlertPage) -> str:
    """Return alerts as a table: those that fire, then those that ended, with where to read what to do."""
    if not page.alerts:
        return "no alert"
    rows = [
        (
            "fires" if one.firing else "ended",
            one.severity,
            one.name,
            moment(one.starts),
            moment(one.ends),
            one.runbook,
            one.summary,
        )
        for one in page.alerts
    ]
    return columns(("", "severity", "alert", "from (UTC)", "to", "what to do", "what"), rows)
