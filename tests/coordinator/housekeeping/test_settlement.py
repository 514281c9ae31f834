"""The end of a run, whole and cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import StorageError
from common.protocol.jobs import JobState
from common.protocol.results import Results
from common.protocol.runs import RunState
from coordinator.housekeeping.settlement import write_results
from coordinator.views.results import read_results
from tests.coordinator.one_cell import ONE, direction, history, trained
from tests.coordinator.specimens import MakeNight, Night


def test_a_run_whose_jobs_are_all_final_is_decided_reported_and_done(night: Night) -> None:
    run = night.begin()
    night.survey_all(night.register(), refused={"15m": "too many bars are missing"})
    night.finish_all("t1-boot")
    assert night.run_listing.view(run).state is RunState.RUNNING
    night.clock.advance(5)
    night.housekeeping.tick()
    view = night.run_listing.view(run)
    assert (view.state, view.promoted, view.progress_ratio) == (RunState.DONE, 4, 1.0)
    assert view.finished == night.clock.now
    path = Path(view.results_path)
    assert path == night.out / "logs" / "batch_train_results_20260302_120005.json"
    results = Results.model_validate_json(path.read_bytes())
    assert results.totals.model_dump() | {"peak_memory_bytes": 0} == {
        "jobs": 8,
        "succeeded": 4,
        "reused": 0,
        "failed": 4,
        "untrainable": 4,
        "cancelled": 0,
        "promoted": 4,
        "attempts": 6,
        "wall_seconds": 5.0,
        "job_seconds": 60.0,
        "peak_memory_bytes": 0,
    }


def test_nights_that_end_within_a_second_have_results_of_their_own(night: Night) -> None:
    paths = []
    for kept in range(3):
        run = night.begin(**ONE)
        night.survey_all(night.register())
        if kept == 1:
            night.cancel(run)
        else:
            night.finish_all("t1-boot")
        night.housekeeping.tick()
        night.clock.advance(0.1)
        paths.append(Path(night.run_listing.view(run).results_path))
        assert Results.model_validate_json(paths[-1].read_bytes()).run == run
    assert len(set(paths)) == 3
    assert paths == sorted(paths)


def test_a_model_that_misses_the_gate_is_no_failure_and_is_not_published(night: Night) -> None:
    run = night.begin(**ONE)
    night.survey_all(night.register())
    night.finish_all("t1-boot", auc=0.512)
    night.housekeeping.tick()
    assert night.run_listing.view(run).training.succeeded == 1 and night.run_listing.view(run).promoted == 0
    [job] = read_results(night.database, run).jobs
    assert (job.state, job.promoted) == (JobState.SUCCEEDED, False)
    assert job.reasons == ("AUC 0.512 is below 0.52",) and job.refused_by == ("auc",)
    assert direction(night) == {} and history(night) == [(False, ["AUC 0.512 is below 0.52"])]


def test_nothing_ends_while_a_job_is_not_final(night: Night) -> None:
    run = night.begin(**{**ONE, "horizons": (1, 3)})
    night.survey_all(night.register())
    night.succeed(night.grant("t1-boot"))
    night.housekeeping.tick()
    last = night.grant("t1-boot")
    night.housekeeping.tick()
    assert night.run_listing.view(run).state is RunState.RUNNING and history(night) == []
    night.succeed(last)
    night.housekeeping.tick()
    assert night.run_listing.view(run).state is RunState.DONE and len(history(night)) == 2


def test_a_cancelled_run_is_reported_but_promotes_nothing(night: Night) -> None:
    run = trained(night, horizons=(1, 3))
    night.cancel(run)
    night.housekeeping.tick()
    results = Results.model_validate_json(Path(night.run_listing.view(run).results_path).read_bytes())
    assert [job.state for job in results.jobs] == [JobState.SUCCEEDED, JobState.CANCELLED]
    assert "cancelled before its models were decided on" in results.jobs[0].reasons[0]
    assert direction(night) == {} and history(night) == []


@pytest.mark.parametrize("broken", ["publication.publish", "settlement.write_results"])
def test_an_end_that_is_cut_off_is_repeated_with_the_same_outcome(
    make_night: MakeNight, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*arguments: object) -> None:
        raise StorageError("/full/disk cannot be written: No space left on device")

    night = make_night()
    run = trained(night)
    monkeypatch.setattr(f"coordinator.housekeeping.{broken}", cut)
    night.housekeeping.tick()
    assert night.run_listing.view(run).state is RunState.RUNNING
    [trouble] = night.housekeeping.troubles()
    assert "/full/disk cannot be written: No space left" in trouble
    decided = history(night)
    monkeypatch.undo()
    night.clock.advance(10)
    again = make_night()
    again.housekeeping.tick()
    assert again.run_listing.view(run).state is RunState.DONE and history(again) == decided == [(True, [])]
    assert again.housekeeping.troubles() == ()
    assert Path(again.run_listing.view(run).results_path).name == "batch_train_results_20260302_120000.json"


def test_a_damaged_blob_is_never_published(night: Night) -> None:
    run = trained(night)
    [blob] = (night.out / "artifacts" / "blobs").iterdir()
    blob.write_bytes(b"something else")
    night.housekeeping.tick()
    assert night.run_listing.view(run).state is RunState.RUNNING and direction(night) == {}
    assert "is damaged" in night.housekeeping.troubles()[0]


def test_a_night_has_taken_until_its_models_were_decided_on(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*given: object) -> None:
        night.clock.advance(90)
        write_results(*given)

    run = trained(night)
    decided = night.clock.now
    monkeypatch.setattr("coordinator.housekeeping.settlement.write_results", late)
    night.housekeeping.tick()
    assert night.run_listing.view(run).finished == decided < night.clock.now
