from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from common.errors import StorageError
from common.protocol.jobs import JobState, TrainingSpec
from common.protocol.reports import Certificate, ChampionComparison, Manifest
from common.protocol.results import Results
from common.protocol.runs import RunState
from common.settings.grid import GridConfig
from common.settings.sections import Lease
from coordinator.champions.files import manifest_bytes
from coordinator.champions.registry import champions
from coordinator.store.tables import promotions
from coordinator.views.jobs import Listing
from coordinator.views.results import read_results
from tests.coordinator.specimens import MakeNight, Night, finish, scores, training_report

ONE = {"symbols": ("BTCUSDT",), "timeframes": ("1h",), "horizons": (1,)}


def direction(night: Night) -> dict[str, Path]:
    return {path.name: path for path in (night.out / "artifacts" / "direction").glob("*")}


def trained(
    night: Night, seed: str = "", synthetic: bool = False, log_loss: float = 0.68, **changes: object
) -> int:
    """Train a night of one cell up to its end, comparing with the champion where there is one."""
    run = night.begin(**{**ONE, **changes})
    night.survey_all(night.register(), synthetic=synthetic)
    grant = night.grant("t1-boot")
    comparison = None
    if grant.champion is not None:
        comparison = ChampionComparison(
            champion=grant.champion.pickle_sha256,
            rows_compared=500,
            scores=grant.champion.scores,
            challenger_scores=scores(log_loss=log_loss),
            detail="",
        )
    night.succeed(grant, seed=seed, log_loss=log_loss, champion=comparison)
    return run


def history(night: Night) -> list[tuple[bool, list[str]]]:
    with night.database.read() as tx:
        rows = tx.connection.execute(
            select(promotions.c.promoted, promotions.c.reasons).order_by(promotions.c.id)
        )
        return [(row.promoted, json.loads(row.reasons)) for row in rows]


# --- The end of a run ---------------------------------------------------------------------------------------


def test_a_run_whose_jobs_are_all_final_is_decided_reported_and_done(night: Night) -> None:
    run = night.begin()
    night.survey_all(night.register(), refused={"15m": "too many bars are missing"})
    night.finish_all("t1-boot")
    assert night.runs.view(run).state is RunState.RUNNING
    night.clock.advance(5)
    night.housekeeping.tick()
    view = night.runs.view(run)
    assert (view.state, view.promoted, view.progress_ratio) == (RunState.DONE, 4, 1.0)
    assert view.finished == night.clock.now
    path = Path(view.results_path)
    assert path == night.out / "logs" / "batch_train_results_20260302_120005.json"
    results = Results.model_validate_json(path.read_bytes())
    assert results.totals.model_dump() | {"peak_memory_bytes": 0} == {
        "jobs": 8,
        "succeeded": 4,
        "failed": 4,
        "cancelled": 0,
        "promoted": 4,
        "attempts": 6,
        "wall_seconds": 5.0,
        "job_seconds": 60.0,
        "peak_memory_bytes": 0,
    }


def test_promoted_models_stand_beside_their_manifests(night: Night) -> None:
    trained(night)
    night.housekeeping.tick()
    files = direction(night)
    stem = "BTCUSDT_1h_H1_logreg_optimized"
    assert sorted(files) == [f"{stem}.json", f"{stem}.pkl"]
    manifest = Manifest.model_validate_json(files[f"{stem}.json"].read_bytes())
    assert hashlib.sha256(files[f"{stem}.pkl"].read_bytes()).hexdigest() == manifest.pickle_sha256


def test_a_model_that_misses_the_gate_is_no_failure_and_is_not_published(night: Night) -> None:
    run = night.begin(**ONE)
    night.survey_all(night.register())
    night.finish_all("t1-boot", auc=0.512)
    night.housekeeping.tick()
    assert night.runs.view(run).training.succeeded == 1 and night.runs.view(run).promoted == 0
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
    assert night.runs.view(run).state is RunState.RUNNING and history(night) == []
    night.succeed(last)
    night.housekeeping.tick()
    assert night.runs.view(run).state is RunState.DONE and len(history(night)) == 2


def test_without_a_valid_certificate_of_this_very_model_there_is_no_promotion(night: Night) -> None:
    night.begin(**{**ONE, "horizons": (1, 3)})
    night.survey_all(night.register())
    night.succeed(night.grant("t1-boot"), certified=False)
    grant = night.grant("t1-boot")
    assert isinstance(grant.spec, TrainingSpec)
    report, content = training_report(grant.spec)
    forged = report.manifest.model_copy(update={"certificate": Certificate(checks=())})
    sha256 = forged.pickle_sha256
    night.artifacts.store(content, sha256)
    night.queue.attach_artifact(grant.lease_id, sha256, len(content))
    night.queue.finish(grant.lease_id, finish(report.model_copy(update={"manifest": forged}), sha256))
    night.housekeeping.tick()
    assert [(promoted, reasons[0][:28]) for promoted, reasons in history(night)] == [
        (False, "the certificate is not valid"),
        (False, "the certificate is not valid"),
    ]


def test_the_next_night_must_not_be_worse_than_the_champion(night: Night) -> None:
    trained(night, "first", log_loss=0.68)
    night.housekeeping.tick()
    trained(night, "worse", log_loss=0.69)
    night.housekeeping.tick()
    trained(night, "better", log_loss=0.67)
    night.housekeeping.tick()
    assert [promoted for promoted, _ in history(night)] == [True, False, True]
    pickle = direction(night)["BTCUSDT_1h_H1_logreg_optimized.pkl"]
    assert pickle.read_bytes() == b"the pickle of BTCUSDT_1h_H1 better"


def test_synthetic_models_are_no_champions_for_real_ones(night: Night) -> None:
    trained(night, "synthetic", synthetic=True)
    night.housekeeping.tick()
    night.begin(**ONE)
    night.survey_all("t1-boot")
    grant = night.grant("t1-boot")
    assert grant.champion is None
    night.succeed(grant, seed="real", log_loss=0.69)
    night.housekeeping.tick()
    trained(night, "synthetic again", synthetic=True, log_loss=0.1)
    night.housekeeping.tick()
    assert [promoted for promoted, _ in history(night)] == [True, True, False]
    assert direction(night)["BTCUSDT_1h_H1_logreg_optimized.pkl"].read_bytes().endswith(b"real")


def test_a_cancelled_run_is_reported_but_promotes_nothing(night: Night) -> None:
    run = trained(night, horizons=(1, 3))
    night.runs.cancel(run)
    night.housekeeping.tick()
    results = Results.model_validate_json(Path(night.runs.view(run).results_path).read_bytes())
    assert [job.state for job in results.jobs] == [JobState.SUCCEEDED, JobState.CANCELLED]
    assert "cancelled before its models were decided on" in results.jobs[0].reasons[0]
    assert direction(night) == {} and history(night) == []


# --- Crashes and full disks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["no pkl", "no manifest", "another pkl", "another manifest"])
def test_files_that_a_crash_left_half_done_are_made_again(make_night: MakeNight, harm: str) -> None:
    night = make_night()
    trained(night)
    night.housekeeping.tick()
    before = {name: path.read_bytes() for name, path in direction(night).items()}
    path = direction(night)[f"BTCUSDT_1h_H1_logreg_optimized.{'json' if 'manifest' in harm else 'pkl'}"]
    path.unlink() if harm.startswith("no") else path.write_bytes(b"{}")
    again = make_night()
    again.housekeeping.start()
    again.housekeeping.stop()
    assert {name: path.read_bytes() for name, path in direction(again).items()} == before


@pytest.mark.parametrize("broken", ["publish", "write_results"])
def test_an_end_that_is_cut_off_is_repeated_with_the_same_outcome(
    make_night: MakeNight, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*arguments: object) -> None:
        raise StorageError("/full/disk cannot be written: No space left on device")

    night = make_night()
    run = trained(night)
    monkeypatch.setattr(f"coordinator.housekeeping.loop.{broken}", cut)
    night.housekeeping.tick()
    assert night.runs.view(run).state is RunState.RUNNING
    [trouble] = night.housekeeping.troubles()
    assert "/full/disk cannot be written: No space left" in trouble
    decided = history(night)
    monkeypatch.undo()
    night.clock.advance(10)
    again = make_night()
    again.housekeeping.tick()
    assert again.runs.view(run).state is RunState.DONE and history(again) == decided == [(True, [])]
    assert again.housekeeping.troubles() == ()
    assert Path(again.runs.view(run).results_path).name == "batch_train_results_20260302_120000.json"


def test_a_damaged_blob_is_never_published(night: Night) -> None:
    run = trained(night)
    [blob] = (night.out / "artifacts" / "blobs").iterdir()
    blob.write_bytes(b"something else")
    night.housekeeping.tick()
    assert night.runs.view(run).state is RunState.RUNNING and direction(night) == {}
    assert "is damaged" in night.housekeeping.troubles()[0]


def test_a_defect_in_one_step_does_not_end_the_watch_over_leases(
    night: Night, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    night.begin()
    night.grant(night.register())
    monkeypatch.setattr(night.housekeeping, "_settle", lambda: 1 / 0)
    for seconds in (14, 14, 14):
        night.clock.advance(seconds)
        night.housekeeping.tick()
    assert night.runs.page(1, 0).runs[0].surveys.leased == 0
    assert "ZeroDivisionError" in night.housekeeping.troubles()[0]
    assert caplog.text.count("the end of the run: ZeroDivisionError") == 1


# --- Leases and progress ------------------------------------------------------------------------------------


def test_when_the_machine_slept_no_lease_expires(night: Night) -> None:
    run = night.begin()
    night.grant(night.register())
    night.housekeeping.tick()
    night.clock.advance(3600)
    night.housekeeping.tick()
    assert night.runs.view(run).surveys.leased == 1
    for _ in range(4):
        night.clock.advance(10)
        night.housekeeping.tick()
    assert night.runs.view(run).surveys.leased == 0


def test_short_leases_expire_too(make_night: MakeNight) -> None:
    night = make_night(lease=Lease(seconds=1))
    run = night.begin()
    night.grant(night.register())
    for _ in range(4):
        night.clock.advance(0.6)
        night.housekeeping.tick()
    assert night.runs.view(run).surveys.leased == 0


def test_a_step_that_failed_is_left_alone_for_a_while(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[object] = []

    def full(*arguments: object) -> None:
        tries.append(arguments)
        raise StorageError("the disk is full")

    monkeypatch.setattr("coordinator.housekeeping.loop.write_results", full)
    run = trained(night)
    for _ in range(11):
        night.housekeeping.tick()
        night.clock.advance(1)
    assert len(tries) == 3 and len(night.housekeeping.troubles()) == 1
    monkeypatch.undo()
    night.clock.advance(5)
    night.housekeeping.tick()
    assert night.runs.view(run).state is RunState.DONE and night.housekeeping.troubles() == ()


def test_progress_is_written_every_thirty_seconds_and_at_the_end(night: Night) -> None:
    path = night.out / "logs" / "night_training_checkpoint.json"
    run = night.begin(**ONE)
    night.housekeeping.tick()
    first = json.loads(path.read_bytes())
    assert first["schema"] == "nighttrain.progress/1" and first["run"]["training"]["queued"] == 1
    night.survey_all(night.register())
    night.clock.advance(10)
    night.housekeeping.tick()
    assert json.loads(path.read_bytes()) == first
    night.clock.advance(10)
    night.housekeeping.tick()
    night.clock.advance(10)
    night.housekeeping.tick()
    assert json.loads(path.read_bytes())["run"]["surveys"]["succeeded"] == 1
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    last = json.loads(path.read_bytes())
    assert last["run"]["id"] == run and last["run"]["state"] == "done"
    assert [job["state"] for job in last["jobs"]] == ["succeeded", "succeeded"]


def test_the_thread_ends_a_run_soon_after_it_is_woken(make_night: MakeNight) -> None:
    night = make_night()
    night.housekeeping.start()
    try:
        run = trained(night)
        night.housekeeping.wake()
        deadline = time.monotonic() + 20
        while night.runs.view(run).state is RunState.RUNNING:
            assert time.monotonic() < deadline, night.housekeeping.troubles()
            time.sleep(0.01)
    finally:
        night.housekeeping.stop()


def test_what_is_published_is_what_the_history_says(night: Night) -> None:
    trained(night)
    night.housekeeping.tick()
    with night.database.read() as tx:
        [(cell, sha256, document)] = champions(tx.connection)
    assert cell.name == "BTCUSDT_1h_H1"
    assert direction(night)["BTCUSDT_1h_H1_logreg_optimized.json"].read_bytes() == manifest_bytes(document)
    detail = Listing(night.database, night.settings).detail(2)
    assert isinstance(detail.spec, TrainingSpec) and detail.report is not None
    assert detail.report.manifest.pickle_sha256 == sha256
    assert GridConfig.model_validate(night.runs.view(1).config) == night.runs.view(1).config
