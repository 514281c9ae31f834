"""The lengths of a bar that can be trained."""

from __future__ import annotations

SECONDS: dict[str, int] = {
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "4h": 14400,
    "6h": 21600,
    "8h": 28800,
    "12h": 43200,
    "1d": 86400,
}
"""Length of one bar of each timeframe that can be trained, in seconds; the order is from fine to coarse."""


CONTEXT_TIMEFRAMES = ("1h", "1d")
"""Timeframes that every cell reads besides its own, where they exist, for their trend and volatility."""
