"""Alerts as Alertmanager reports them: each is kept from its first firing on, also after it has ended.

Alertmanager reports the same alert again and again, until it ends and once more after that; what is reported
twice changes nothing. An alert is one row for each time that it fires, and fires in one row at a time.

While Prometheus does not scrape, Alertmanager reports as resolved what it merely no longer hears of. That is
not believed: the alert stays until it is reported as resolved, or no longer reported, by those who can see.

The end of an alert may never be reported: Alertmanager or Prometheus was restarted in between, with or
without its data, or the alert was silenced. So one that is no longer reported is presumed resolved, and says
so; if it is reported after all, it fires again.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import Row, Select, case, func, select, update

from common.bounds import FIRST_MOMENT, LAST_MOMENT, Evidence, Identity, Moment, ShortLine
from common.frozen import Frozen
from common.protocol.alerts import AlertPage, AlertView
from coordinator.scrapes import Scrapes
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import all_of
from coordinator.store.tables import alerts

logger = logging.getLogger(__name__)

SHOWN_SECONDS = 24 * 3600.0
"""For how long the status shows an alert that has ended."""

SILENCE_SECONDS = 15 * 60.0
"""An alert that fires and is not reported for so long is presumed resolved. Alertmanager reports it to the
coordinator again at least twice within this time (repeat_interval and group_interval in
`prometheus/alertmanager.yml`)."""

SHOWN_ALERTS = 20
LEVELS = {"critical": logging.ERROR, "warning": logging.WARNING}


class _Sent(Frozen):
    """A part of what Alertmanager sends; what else it may send is ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class ToldAlert(_Sent):
    """One alert."""

    status: Literal["firing", "resolved"]
    """Whether it fires or has ended."""
    labels: dict[ShortLine, ShortLine]
    """Its labels; `alertname` and `severity` among them."""
    annotations: dict[ShortLine, Evidence] = Field(default_factory=dict)
    """Its annotations: `summary`, `description` and `runbook_url` are shown."""
    starts_at: Moment
    """When it began to fire."""
    ends_at: AwareDatetime
    """When it ended; says nothing while it fires, as the year 1."""
    fingerprint: Identity
    """Identifies it among all others."""


class Notification(_Sent):
    """What Alertmanager's webhook sends, in version 4 of its format.

    Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """

    version: Literal["4"]
    """Version of the format."""
    alerts: tuple[ToldAlert, ...]
    """The alerts of a group."""


class Alerts:
    """The alerts of this coordinator.

    Parameters
    ----------
    database : Database
        Where they are kept; this object holds no state.
    scrapes : Scrapes
        Whether Prometheus can know what it reports.
    """

    def __init__(self, database: Database, scrapes: Scrapes) -> None:
        self.database = database
        self.scrapes = scrapes

    def accept(self, notification: Notification) -> None:
        """Store what was reported, and log what has changed by it."""
        believed = [
            reported
            for reported in notification.alerts
            if reported.status == "firing" or not self.scrapes.are_overdue
        ]
        with self.database.write() as tx:
            changed = [reported for reported in believed if _store(tx, reported)]
        for reported in changed:
            _log(reported)

    def presume_resolved(self, listening: datetime) -> None:
        """End the alerts that should have been reported again and were not.

        Parameters
        ----------
        listening : datetime
            Since when reports could reach this coordinator: before that there was no silence.
        """
        with self.database.read() as tx:
            if not _silent(tx, FIRING, listening):
                return
        with self.database.write() as tx:
            over = _silent(tx, FIRING.with_for_update(), listening)
            for row in over:
                words = f"{row.description} {_silence_words(row.received)}".strip()
                values = {"ends": tx.now, "description": words}
                tx.connection.execute(update(alerts).where(alerts.c.id == row.id).values(**values))
        for row in over:
            logger.warning("alert %s is presumed resolved: %s", row.name, _silence_words(row.received))

    def page(self, firing: bool | None, limit: int, offset: int) -> AlertPage:
        """Return alerts, the firing ones first; `firing` leaves only those that do, or only the others."""
        wanted = [] if firing is None else [alerts.c.ends.is_(None) if firing else alerts.c.ends.is_not(None)]
        with self.database.read() as tx:
            total = tx.connection.execute(
                select(func.count()).select_from(alerts).where(*wanted)
            ).scalar_one()
            query = IN_ORDER.where(*wanted).limit(limit).offset(offset)
            found = tuple(_view(row) for row in tx.connection.execute(query))
        return AlertPage(total=total, limit=limit, offset=offset, alerts=found)


IN_ORDER = all_of(alerts).order_by(
    alerts.c.ends.is_not(None),
    case((alerts.c.severity == "critical", 0), else_=1),
    func.coalesce(alerts.c.ends, alerts.c.starts).desc(),
    alerts.c.id.desc(),
)


FIRING = all_of(alerts).where(alerts.c.ends.is_(None)).order_by(alerts.c.id)


def present_alerts(tx: Transaction) -> tuple[AlertView, ...]:
    """Return the alerts that fire, and then those that ended lately."""
    since = tx.now - timedelta(seconds=SHOWN_SECONDS)
    query = IN_ORDER.where(alerts.c.ends.is_(None) | (alerts.c.ends >= since)).limit(SHOWN_ALERTS)
    return tuple(_view(row) for row in tx.connection.execute(query))


def is_silent(received: datetime, listening: datetime, now: datetime) -> bool:
    """Return whether an alert that fires should have been reported again by now.

    Parameters
    ----------
    received : datetime
        When it was last reported.
    listening : datetime
        Since when it could be reported.
    now : datetime
        An aware time.
    """
    return now - max(received, listening) > timedelta(seconds=SILENCE_SECONDS)


def store_own(
    tx: Transaction,
    *,
    name: str,
    labels: dict[str, str],
    summary: str,
    description: str,
    runbook: str,
    starts: datetime,
    ends: datetime,
) -> None:
    """Store an alert that the coordinator raises itself, of something that has ended."""
    values = {
        "fingerprint": name,
        "name": name,
        "severity": labels["severity"],
        "labels": json.dumps(labels, sort_keys=True),
        "summary": summary,
        "description": description,
        "runbook": runbook,
        "starts": starts,
        "ends": ends,
        "received": tx.now,
    }
    tx.connection.execute(alerts.insert().values(**values))


def _silent(tx: Transaction, firing: Select[Any], listening: datetime) -> list[Row[Any]]:
    return [row for row in tx.connection.execute(firing) if is_silent(row.received, listening, tx.now)]


def _silence_words(received: datetime) -> str:
    return f"Not reported since {received:%Y-%m-%d %H:%M} UTC; its end was never reported."


def _store(tx: Transaction, reported: ToldAlert) -> bool:
    """Store one alert, and return whether it has begun or ended by that."""
    query = all_of(alerts).where(alerts.c.fingerprint == reported.fingerprint).with_for_update()
    firing = tx.connection.execute(query.where(alerts.c.ends.is_(None))).first()
    same = tx.connection.execute(query.where(alerts.c.starts == reported.starts_at)).first()
    ends = None
    if reported.status == "resolved":
        ends = min(max(reported.ends_at, FIRST_MOMENT), LAST_MOMENT)
    # Prometheus may forget when an alert began; the row of one that fires is kept nevertheless.
    row = (same or firing) if ends is not None else (firing or same)
    values = {
        "name": reported.labels.get("alertname", ""),
        "severity": reported.labels.get("severity", ""),
        "labels": json.dumps(reported.labels, sort_keys=True),
        "summary": reported.annotations.get("summary", ""),
        "description": reported.annotations.get("description", ""),
        "runbook": reported.annotations.get("runbook_url", ""),
        "ends": ends,
        "received": tx.now,
    }
    if row is None:
        fresh = {**values, "fingerprint": reported.fingerprint, "starts": reported.starts_at}
        tx.connection.execute(alerts.insert().values(**fresh))
        return True
    tx.connection.execute(update(alerts).where(alerts.c.id == row.id).values(**values))
    return (row.ends is None) != (ends is None)


def _log(reported: ToldAlert) -> None:
    name, severity = reported.labels.get("alertname", ""), reported.labels.get("severity", "")
    words = reported.annotations.get("description") or reported.annotations.get("summary", "")
    text = " ".join(words.split())
    if reported.status == "firing":
        logger.log(LEVELS.get(severity, logging.WARNING), "alert %s (%s): %s", name, severity, text)
    else:
        logger.info("alert %s is resolved: %s", name, reported.annotations.get("summary", ""))


def _view(row: Row[*tuple[object, ...]]) -> AlertView:
    return AlertView.of(row, firing=row.ends is None, labels=json.loads(row.labels))
