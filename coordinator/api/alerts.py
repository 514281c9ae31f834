"""Alerts over HTTP: Alertmanager brings them, operators read them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from common.protocol.alerts import AlertPage
from coordinator.alerts import Notification
from coordinator.api.access import may_read, may_write
from coordinator.api.errors import READING, WRITING, answers
from coordinator.api.examples import operators as examples
from coordinator.api.openapi import answered, asked
from coordinator.api.operators import Limit, Offset
from coordinator.api.query import known_query
from coordinator.assembly import PartsOf

router = APIRouter(prefix="/api/alerts", tags=["alerts"])


@router.post(
    "",
    summary="Take a notification of Alertmanager",
    status_code=204,
    dependencies=[Depends(may_write), Depends(known_query)],
    responses=answers(*WRITING),
)
def take_alerts(
    notification: Annotated[Notification, asked(a_trainer_is_lost=examples.NOTIFICATION)], parts: PartsOf
) -> None:
    """Store each alert that its webhook (version 4) tells of, log it, and show it in the status.

    The same notification may come any number of times. While the database is away Alertmanager tries again.
    """
    parts.alerts.take(notification)


@router.get(
    "",
    summary="List alerts",
    dependencies=[Depends(may_read), Depends(known_query)],
    responses=answers(*READING) | answered("The alerts.", one_that_fires=examples.ALERT_PAGE),
)
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
