"""Nights by the clock: a run of the coordinator's own settings begins when the window opens.

Nothing of it is remembered here. Whether an opening has had its run is read from the database, so that a
restart neither misses a night nor begins one twice.
"""

from __future__ import annotations

import logging
from datetime import datetime

from common.protocol.runs import RunRequest
from common.settings.grid import GridConfig
from common.settings.night import NightSettings
from coordinator.policy.window import is_missed, last_opening, night_at
from coordinator.runs.runs import Runs
from coordinator.store.database import Database
from coordinator.store.rows import RunRow, newest_run

logger = logging.getLogger(__name__)


def is_due(settings: NightSettings, now: datetime, newest: RunRow | None) -> bool:
    """Return whether the schedule has to begin a run.

    An opening is served by any run that was under way at some moment since: one that the schedule or an
    operator has begun, one that was cancelled, and one that was carried over from the night before. Without
    a window there is no schedule.

    Parameters
    ----------
    settings : NightSettings
        The window, and whether training is switched on.
    now : datetime
        An aware time.
    newest : RunRow or None
        The newest run of all; earlier ones had ended before it was made.
    """
    window = settings.window
    if window is None or not settings.training or not night_at(window, now).open or is_missed(window, now):
        return False
    return newest is None or (newest.finished is not None and newest.finished < last_opening(window, now))


def begin_if_due(database: Database, settings: NightSettings) -> RunRow | None:
    """Begin the run of an opening that has had none, and return it.

    Raises
    ------
    ConflictError
        Another run was begun at the very same moment.
    """
    with database.read() as tx:
        if not is_due(settings, tx.now, newest_run(tx)):
            return None
    request = RunRequest(config=GridConfig(**settings.grid_config()))
    # Another coordinator may have begun it meanwhile, and a small run may even have ended.
    run = Runs(database).begin(request, lambda tx: is_due(settings, tx.now, newest_run(tx)))
    if run is not None:
        logger.info("run %d was begun by the schedule: the window has opened", run.id)
    return run
