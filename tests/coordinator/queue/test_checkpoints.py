"""The folds of a job outlive its attempt."""

from __future__ import annotations

from tests.coordinator.specimens import (
    Night,
    checkpoint,
    release,
)


def test_the_next_attempt_gets_the_saved_folds(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    grant = night.grant(boot)
    night.queue.save_checkpoint(grant.lease_id, checkpoint(1))
    night.queue.save_checkpoint(grant.lease_id, checkpoint(3))
    assert night.detail(grant.job_id).checkpoint == checkpoint(3)
    night.queue.release(grant.lease_id, release())
    again = night.grant(boot)
    assert again.checkpoint == checkpoint(3)
    night.succeed(again, resumed_folds=3)
    assert night.detail(grant.job_id).checkpoint is None
