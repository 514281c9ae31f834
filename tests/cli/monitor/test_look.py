"""A look asks for what has changed since the last one, and is what asking for all would be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.monitor.look import Source
from common.protocol.job_views import JobPage
from common.protocol.jobs import Cause, JobState
from tests.coordinator.specimens import Night, checkpoint, failure, renewal


@pytest.fixture
def source(address: str, token: Path, tmp_path: Path) -> Iterator[Source]:
    source = Source(address, token, tmp_path / "nowhere")
    yield source
    source.close()


def told(source: Source, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns how many jobs each answer has from now on."""
    counts: list[int] = []
    ask = source.client.jobs

    def counted(**query: int | None) -> JobPage:
        page = ask(**query)  # type: ignore[arg-type]
        counts.append(len(page.jobs))
        return page

    monkeypatch.setattr(source.client, "jobs", counted)
    return counts


def test_only_what_has_changed_or_is_at_work_is_asked_for(
    source: Source, work: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = work.start()
    counts = told(source, monkeypatch)
    first = work.grant(boot)
    assert len(source.look().jobs) == counts[-1] == 10
    work.queue.renew(first.lease_id, renewal(done=2, total=5))
    work.queue.save_checkpoint(first.lease_id, checkpoint())
    seen = {job.id: job for job in source.look().jobs}
    assert counts[-1] == 1
    progress = seen[first.job_id].progress
    assert progress is not None and progress.done == 2
    work.succeed(first)
    second = work.grant(boot)
    jobs = source.look().jobs
    assert counts[-1] == 2
    states = {job.id: job.state for job in jobs}
    assert (states[first.job_id], states[second.job_id]) == (JobState.SUCCEEDED, JobState.LEASED)
    assert [job.id for job in jobs] == [job.id for job in work.jobs(run_id=1)]


def test_all_are_asked_for_where_it_matters_why_they_wait(
    source: Source, work: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = work.start()
    grant = work.grant(boot)
    counts = told(source, monkeypatch)
    source.look()
    work.queue.fail(grant.lease_id, failure(Cause.DATA))
    assert {job.state for job in source.look().jobs} == {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.QUEUED,
    }
    # Nobody is at work: perhaps nothing can be, and then the reasons are shown.
    assert counts == [10, 10]


def test_another_night_is_looked_at_afresh(source: Source, work: Night) -> None:
    boot = work.start()
    work.grant(boot)
    source.look()
    work.cancel(1)
    work.begin(symbols=("BTCUSDT",))
    work.grant(boot)
    assert {job.run_id for job in source.look().jobs} == {2}
