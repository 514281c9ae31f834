"""Runs as operators see them."""

from __future__ import annotations

from common.protocol.runs import RunRequest
from tests.coordinator.specimens import Night, grid


def test_runs_come_in_pages_the_newest_first(night: Night) -> None:
    made = [night.runs.submit(RunRequest(config=grid(), fresh=True))[0].id for _ in range(3)]
    page = night.run_listing.page(2, 1)
    assert (page.total, [run.id for run in page.runs]) == (3, [made[1], made[0]])


def test_a_run_says_how_far_it_is(night: Night) -> None:
    run = night.begin()
    night.survey_all(night.register(), synthetic=True)
    for _ in range(2):
        night.succeed(night.grant("t1-boot"))
    night.grant("t1-boot")
    view = night.run_listing.view(run)
    assert view.synthetic and view.progress_ratio == 0.25
    assert (view.training.succeeded, view.training.leased, view.training.queued, view.training.total) == (
        2,
        1,
        5,
        8,
    )
