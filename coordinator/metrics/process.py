"""What this process counts in memory: from zero at each start, as Prometheus expects."""

from __future__ import annotations

import platform
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from common.metrics import declarations as metrics
from common.metrics.declarations import HTTP_METHODS
from common.metrics.exposition import Readings, counter, gauge, histogram


class Measures:
    """Counters and histograms of one coordinator process, all registered and at zero.

    Parameters
    ----------
    registry : CollectorRegistry
        Where they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.renewals = counter(metrics.RENEWALS, registry)
        self.checkpoint_writes = counter(metrics.CHECKPOINT_WRITES, registry)
        self._stale_writes = counter(metrics.STALE_WRITES, registry)
        self._refusals = counter(metrics.ADMISSION_REFUSALS, registry)
        self._wrong_tokens = counter(metrics.WRONG_TOKENS, registry)
        self._leads = gauge(metrics.LEADS, registry)
        self._requests = histogram(metrics.HTTP_DURATION, registry)
        self._transactions = histogram(metrics.DATABASE_DURATION, registry)

    def leads_while(self, instance: str, leads: Callable[[], bool]) -> None:
        """Report at each scrape whether this process leads; `instance` is its name among several."""
        self._leads.labels(instance).set_function(lambda: float(leads()))

    def refused_stale(self, operation: str) -> None:
        """Count a write whose lease was no longer held; `operation` is the last part of its path."""
        self._stale_writes.labels(operation).inc()

    def refused_claim(self, reason: str) -> None:
        """Count a claim that got no job."""
        self._refusals.labels(reason).inc()

    def wrong_token(self, answer: str) -> None:
        """Count a token that is nobody's, ``refused`` or ``throttled``."""
        self._wrong_tokens.labels(answer).inc()

    def transaction_took(self, mode: str, seconds: float) -> None:
        """Count a transaction of the database, ``read`` or ``write``."""
        self._transactions.labels(mode).observe(seconds)

    def request_took(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request by its method, the template of its path, and its status."""
        known = method if method in HTTP_METHODS else "other"
        self._requests.labels(known, route, f"{status // 100}xx").observe(seconds)


def read_build(readings: Readings, version: str) -> None:
    """Read what this process runs."""
    readings.info(metrics.BUILD_INFO, version=version, python=platform.python_version())
