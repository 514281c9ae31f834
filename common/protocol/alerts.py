"""Alerts as Alertmanager reported them and as operators see them."""

from __future__ import annotations

from datetime import datetime

from common.frozen import Frozen


class AlertView(Frozen):
    """An alert that Alertmanager reported by labels and annotations, or an absence of the coordinator."""

    id: int
    """The alert's id."""
    name: str
    """Its name, such as `NighttrainTrainerLost`."""
    severity: str
    """`critical`, `warning` or `info`."""
    firing: bool
    """Whether it fires."""
    labels: dict[str, str]
    """All its labels."""
    summary: str
    """What it is about, in one line."""
    description: str
    """What happened and what it means."""
    runbook: str
    """Where the runbook says what to do."""
    starts: datetime
    """When it began to fire."""
    ends: datetime | None
    """When it ended, or was presumed resolved as nobody reported it any more; null while it fires."""
    received: datetime
    """When it was last reported: one that fires is reported again every few minutes."""


class AlertPage(Frozen):
    """Some of the alerts that match a filter."""

    total: int
    """How many alerts match the filter in all."""
    limit: int
    """How many were asked for at most."""
    offset: int
    """How many were skipped."""
    alerts: tuple[AlertView, ...]
    """The alerts: those that fire first, then those that ended, the latest first."""
