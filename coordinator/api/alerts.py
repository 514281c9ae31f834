"""Alerts over HTTP: Alertmanager brings them, operators read them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from common.protocol.alerts import AlertPage
from coordinator.alerts import Notification
from coordinator.api.access import FILTERED, WRITES, Limit, Offset, Parameters, PartsOf
from coordinator.api.errors import READING, WRITING, answers

router = APIRouter(prefix="/api/alerts", tags=["alerts"])


class AlertQuery(Parameters):
    """Which alerts are listed."""

    firing: Annotated[
        bool | None, Field(description="Only those that are firing, or only those that are not.")
    ] = None
    limit: Limit = 100
    offset: Offset = 0


@router.post(
    "",
    summary="Accept a notification from Alertmanager",
    status_code=204,
    dependencies=WRITES,
    responses=answers(*WRITING),
)
def take_alerts(notification: Notification, parts: PartsOf) -> None:
    """Store each alert that its webhook (version 4) reports, log it, and show it in the status.

    The same notification may come any number of times. While the database is away Alertmanager retries.
    """
    parts.alerts.accept(notification)


@router.get("", summary="List alerts", dependencies=FILTERED, responses=answers(*READING))
def list_alerts(parts: PartsOf, query: Annotated[AlertQuery, Query()]) -> AlertPage:
    """Return alerts: those that are firing first, then those that have ended, the latest first."""
    return parts.alerts.page(query.firing, query.limit, query.offset)
