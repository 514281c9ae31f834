"""What is kept of earlier runs from one scrape to the next."""

from __future__ import annotations

from coordinator.metrics.earlier_runs import EarlierRuns
from coordinator.store.rows import newest_run
from tests.coordinator.metrics.scraped import ONE_CELL, ended
from tests.coordinator.specimens import Night


def means(earlier: EarlierRuns, night: Night) -> tuple[float, ...]:
    with night.database.read() as tx:
        run = newest_run(tx)
        assert run is not None
        return earlier.mean_aucs(tx, run)


def test_what_is_kept_is_what_is_read_anew_whichever_run_is_the_newest(night: Night) -> None:
    kept = EarlierRuns()
    found = []
    for auc in (0.51, 0.55):
        ended(night, auc=auc)
        night.clock.advance(60)
        found.append([means(kept, night), means(kept, night), means(EarlierRuns(), night)])
    other = night.begin(**{**ONE_CELL, "n_splits": 4})
    found.append([means(kept, night), means(EarlierRuns(), night)])
    night.cancel(other)
    night.begin(**ONE_CELL)
    found.append([means(kept, night), means(EarlierRuns(), night)])
    assert found == [[()] * 3, [(0.51,)] * 3, [()] * 2, [(0.55, 0.51)] * 2]
