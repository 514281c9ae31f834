"""Candle times as moments: milliseconds since the epoch and back, exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def moment_of(milliseconds: int) -> datetime:
    """Return the moment of a candle time, exactly."""
    return _EPOCH + int(milliseconds) * _MILLISECOND


def milliseconds_of(moment: datetime) -> int:
    """Return a moment as a candle time."""
    return (moment - _EPOCH) // _MILLISECOND
