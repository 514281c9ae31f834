"""How often an object store that is away is asked again, and what is said of it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Standing:
    """How many objects wait to be sent, since when the oldest does, and what is in the way.

    `problem` is empty where nothing is. Until a store has answered for the first time all may be
    missing there.
    """

    waiting: int
    since: datetime | None
    problem: str

    def oldest_seconds(self, now: datetime) -> float:
        """Return for how long the oldest has been waiting; 0 where none is."""
        return 0.0 if self.since is None else max(0.0, (now - self.since).total_seconds())


NOTHING_WAITS = Standing(0, None, "")


def pause_seconds(failures: int) -> float:
    """Return how long to wait after so many failures in a row: twice as long each time, up to a minute."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(max(failures - 1, 0), 10))


def standing_words(standing: Standing, url: str) -> str:
    """Return in one sentence what waits, since when, and why."""
    if not standing.waiting:
        return f"artifacts: {standing.problem or f'all is in {url}'}"
    what = "1 file waits" if standing.waiting == 1 else f"{standing.waiting} files wait"
    since = "" if standing.since is None else f" since {standing.since:%Y-%m-%d %H:%M} UTC"
    why = f": {standing.problem}" if standing.problem else ""
    return f"artifacts: {what}{since} to be sent to {url}{why}"
