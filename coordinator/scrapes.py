"""When Prometheus last scraped this process: without it no alert begins or ends, and silence means nothing.

Where nobody scrapes (no Prometheus was set up) nothing is missed. So scrapes are missed only after the first
one, or from the start on where they are expected.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

OVERDUE = timedelta(seconds=120)
"""Eight scrapes of `prometheus/prometheus.yml`. Alertmanager takes an alert for resolved four minutes after
Prometheus last reported it, so this is found out before."""


class Scrapes:
    """The scrapes of one coordinator process.

    Parameters
    ----------
    clock : callable
        Returns the present time, aware.
    expected : bool
        Whether they are missed from the start on, and not only after the first one.
    """

    def __init__(self, clock: Callable[[], datetime], expected: bool = False) -> None:
        self._clock = clock
        self._last = clock() if expected else None
        self._regular_since = clock()

    def record(self) -> None:
        """Note that Prometheus has just asked."""
        now = self._clock()
        if self._last is None or now - self._last > OVERDUE:
            self._regular_since = now
        self._last = now

    @property
    def are_overdue(self) -> bool:
        """Whether Prometheus should have asked again by now."""
        return self._last is not None and self._clock() - self._last > OVERDUE

    @property
    def regular_since(self) -> datetime:
        """Since when alerts could begin and end: the first scrape after a pause, or now while in one."""
        return self._clock() if self.are_overdue else self._regular_since

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for the operator while scrapes are overdue."""
        if self._last is None or not self.are_overdue:
            return ()
        minutes = (self._clock() - self._last) // timedelta(minutes=1)
        return (
            f"Prometheus has not scraped the coordinator for {minutes} minutes: no alert can begin or end "
            "until it does; look at it with docker compose ps prometheus",
        )
