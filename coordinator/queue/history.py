"""What earlier attempts say about the jobs to come: duration and memory, by timeframe and rows."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any

from sqlalchemy import Connection, bindparam, select

from common.bounds import MOST_BYTES, MOST_ROWS, MOST_SECONDS, clamped
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.tables import measurements

RECENT_ATTEMPTS = 300
"""How many measured attempts are looked back on: several nights of the default grid."""

NEWEST_ATTEMPTS = 16
"""How many of them are looked at each time, to see whether there is another."""

WHOLE_SECONDS = 5.0
"""What was read is read whole again after so long."""

MANY_MEASUREMENTS = 100
SETTLED_SECONDS = 0.25
"""Where there are so many, a claim does without those of the last so many seconds: small jobs end hundreds of
times a second, and each would have all of them looked at anew.
"""

SURVEY = ""
"""Surveys are measured under this name in place of a timeframe, with no rows."""


@dataclass(frozen=True)
class Measurement:
    """One survey, or one training job that ran from its first fold to its end."""

    timeframe: str
    rows: int
    seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class History:
    """Measured attempts, and the estimates that are made from them."""

    measurements: tuple[Measurement, ...] = ()

    @cached_property
    def _by_timeframe(self) -> dict[str, list[Measurement]]:
        groups: dict[str, list[Measurement]] = {}
        for measurement in self.measurements:
            groups.setdefault(measurement.timeframe, []).append(measurement)
        return groups

    @cached_property
    def _line(self) -> tuple[float, float]:
        # Least squares of seconds on rows, with neither a negative start nor a negative slope.
        trained = [m for m in self.measurements if m.timeframe != SURVEY]
        if not trained:
            return 0.0, 0.0
        mean_rows = sum(m.rows for m in trained) / len(trained)
        mean_seconds = sum(m.seconds for m in trained) / len(trained)
        spread = sum((m.rows - mean_rows) ** 2 for m in trained)
        if spread > 0:
            joint = sum((m.rows - mean_rows) * (m.seconds - mean_seconds) for m in trained)
            slope = max(0.0, joint / spread)
            start = mean_seconds - slope * mean_rows
            if start >= 0:
                return start, slope
        return 0.0, mean_seconds / max(1.0, mean_rows)

    @cached_property
    def _pace(self) -> dict[str, float]:
        """The median of seconds a row, by timeframe."""
        groups = self._by_timeframe.items()
        return {timeframe: median(m.seconds / max(m.rows, 1) for m in same) for timeframe, same in groups}

    @cached_property
    def _typical(self) -> dict[str, float]:
        """The median of seconds, by timeframe."""
        return {timeframe: median(m.seconds for m in same) for timeframe, same in self._by_timeframe.items()}

    @cached_property
    def _peaks(self) -> dict[str, tuple[int, float]]:
        """The highest peak, and the highest peak a row, both in bytes, by timeframe."""
        return {
            timeframe: (
                max(m.peak_memory_bytes for m in same),
                max(m.peak_memory_bytes / max(m.rows, 1) for m in same),
            )
            for timeframe, same in self._by_timeframe.items()
        }

    def seconds(self, timeframe: str, rows: int | None) -> float | None:
        """Return the expected duration of a job in seconds, or None where nothing can be said.

        Jobs of the same timeframe speak first, in proportion to their rows; else a line through all
        measurements.
        """
        if not self.measurements:
            return None
        estimate = self._estimate(timeframe, rows)
        return estimate if estimate > 0 else None

    def _estimate(self, timeframe: str, rows: int | None) -> float:
        # Asked for each of thousands of queued jobs: no measurement may be looked at again here.
        if timeframe in self._by_timeframe:
            return self._typical[timeframe] if rows is None else self._pace[timeframe] * max(rows, 1)
        if rows is None or timeframe == SURVEY:
            return 0.0
        start, slope = self._line
        return start + slope * rows

    def peak_memory_bytes(self, timeframe: str, rows: int | None) -> int | None:
        """Return the expected peak memory in bytes of a job, or None where its timeframe was never measured.

        It is the highest peak seen, raised in proportion where the job has more rows than the one that was
        measured.
        """
        if timeframe not in self._peaks:
            return None
        highest, a_row = self._peaks[timeframe]
        # A peak that was measured at these very rows is not to grow by a rounding.
        return max(highest, round(a_row * (rows or 0)))

    def residuals(self) -> list[float]:
        """Return measured over expected duration of each measurement; 1 means exactly as expected."""
        ratios = []
        for measurement in self.measurements:
            expected = self.seconds(measurement.timeframe, measurement.rows)
            if expected:
                ratios.append(measurement.seconds / expected)
        return ratios


def record_measurement(tx: Transaction, attempt_id: int, measurement: Measurement) -> None:
    """Keep what an attempt took that succeeded and did not resume from finished folds."""
    values = {"attempt_id": attempt_id, **asdict(measurement)}
    _RECORD.on(tx.connection, values)


def recent_history(connection: Connection) -> History:
    """Return the newest measurements, of which the last few may be missing where there are many."""
    known = _last.get(connection.engine.url.render_as_string())
    if known is None or len(known.rows) < MANY_MEASUREMENTS:
        return read_history(connection)
    return known.history if time.monotonic() - known.looked < SETTLED_SECONDS else read_history(connection)


def read_history(connection: Connection) -> History:
    """Return the newest measurements of all runs; while there is no newer one, the same object again.

    What was read before is kept, so that a claim reads the last few alone.
    """
    newest = [tuple(row) for row in _NEWEST.on(connection, {"most": NEWEST_ATTEMPTS})]
    database = connection.engine.url.render_as_string()
    known = _last.get(database)
    now = time.monotonic()
    if known is not None and now - known.read >= WHOLE_SECONDS:
        known = None
    if known is None or known.newest != newest:
        rows, read = _joined(known, newest), now if known is None else known.read
        if rows is None:
            found = _NEWEST.on(connection, {"most": RECENT_ATTEMPTS}).all()
            rows, read = {row.attempt_id: _measurement(*row) for row in reversed(found)}, now
        known = _Known(newest, rows, read, now, _same(_last.get(database), rows))
    else:
        known = replace(known, looked=now)
    _last.clear()
    _last[database] = known
    return known.history


@dataclass(frozen=True)
class _Known:
    """What was read: the newest rows, and all by attempt.

    `read` is when all were read, `looked` when the newest were, by the monotonic clock.
    """

    newest: list[tuple[Any, ...]]
    rows: dict[int, Measurement]
    read: float
    looked: float
    history: History


def _same(before: _Known | None, rows: dict[int, Measurement]) -> History:
    """Return the history of rows, the same object as before where they are the same."""
    if before is not None and before.rows == rows:
        return before.history
    return History(tuple(rows.values()))


def _joined(known: _Known | None, newest: list[tuple[Any, ...]]) -> dict[int, Measurement] | None:
    """Return what is known with the newest rows; None where it does not reach to them.

    Attempts end in another order than they began, so that a row may come before others that are known: one
    that comes before the newest few is missed until all are read again, `WHOLE_SECONDS` later at the latest:
    it is one of those that took long.
    """
    late = {number: _measurement(number, *values) for number, *values in reversed(newest)}
    if len(newest) < NEWEST_ATTEMPTS:
        return late
    first = newest[-1][0]
    if known is None or known.rows.get(first) != late[first]:
        return None
    rows = {number: row for number, row in known.rows.items() if number < first} | late
    return dict(list(rows.items())[-RECENT_ATTEMPTS:])


def _measurement(
    number: int, timeframe: str, rows: int, seconds: float, peak_memory_bytes: int
) -> Measurement:
    """Return a row within its bounds: an earlier version stored whatever a trainer said."""
    del number
    return Measurement(
        timeframe,
        clamped(rows, 0, MOST_ROWS),
        clamped(seconds, 0.0, MOST_SECONDS),
        clamped(peak_memory_bytes, 0, MOST_BYTES),
    )


_RECORD = Prepared(measurements.insert())
_NEWEST = Prepared(select(measurements).order_by(measurements.c.attempt_id.desc()).limit(bindparam("most")))
_last: dict[str, _Known] = {}
