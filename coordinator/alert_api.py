"""Alerts over HTTP: Alertmanager brings them, operators read them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from common.errors import (
    InvalidRequestError,
    StorageError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from common.status import AlertPage
from coordinator.access import may_read, may_write
from coordinator.alerts import Notification
from coordinator.operator_api import Limit, Offset
from coordinator.parts import PartsOf
from coordinator.problems import answers

EXAMPLE = {
    "version": "4",
    "groupKey": '{}:{component="trainer"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "night",
    "groupLabels": {"component": "trainer"},
    "commonLabels": {"alertname": "TrainerLost", "component": "trainer", "severity": "warning"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "TrainerLost", "severity": "warning", "trainer": "trainer-2"},
            "annotations": {
                "summary": "Trainer trainer-2 is lost",
                "runbook_url": "deploy/runbook.md#trainerlost",
            },
            "startsAt": "2026-03-02T01:12:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": "9b1c0f2a7d3e4c55",
        }
    ],
}
_READING = (UnauthorizedError, InvalidRequestError, UnavailableError)

router = APIRouter(prefix="/api/alerts", tags=["alerts"])


@router.post(
    "",
    summary="Take a notification of Alertmanager",
    status_code=204,
    dependencies=[Depends(may_write)],
    responses=answers(*_READING, TooLargeError, StorageError),
)
def take_alerts(
    notification: Annotated[
        Notification, Body(openapi_examples={"firing": {"summary": "a trainer is lost", "value": EXAMPLE}})
    ],
    parts: PartsOf,
) -> None:
    """Store each alert that its webhook (version 4) tells of, log it, and show it in the status.

    The same notification may come any number of times. While the database is away Alertmanager tries again.
    """
    parts.alerts.take(notification)


@router.get("", summary="List alerts", dependencies=[Depends(may_read)], responses=answers(*_READING))
def list_alerts(
    parts: PartsOf,
    firing: Annotated[
        bool | None, Query(description="Only those that fire, or only those that do not.")
    ] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> AlertPage:
    """Return alerts: those that fire first, then those that ended, the latest first."""
    return parts.alerts.page(firing, limit, offset)
