"""The results of a run, read from the database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import NotFoundError
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobState
from common.protocol.reports import FoldResult
from common.protocol.results import Results
from coordinator.views.results import read_results
from tests.coordinator.specimens import Night, failure, fold


def test_the_results_hold_what_was_promised_and_in_the_order_of_the_grid(night: Night) -> None:
    run = night.begin(symbols=("ETHUSDT", "BTCUSDT"), timeframes=("1h",), horizons=(3, 1))
    night.survey_all(night.register(), synthetic=True)
    night.queue.fail(night.grant("t1-boot", last_symbol="BTCUSDT").lease_id, failure())
    night.clock.advance(5)
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    written = json.loads(Path(night.run_listing.view(run).results_path).read_bytes())
    assert written["schema"] == "nighttrain.results/1" and written["synthetic"] is True
    assert set(written) == {
        "schema",
        "run",
        "config",
        "synthetic",
        "started",
        "finished",
        "totals",
        "jobs",
        "surveys",
        "champions",
        "champion_changes",
    }
    assert [(job["symbol"], job["horizon"]) for job in written["jobs"]] == [
        ("ETHUSDT", 3),
        ("ETHUSDT", 1),
        ("BTCUSDT", 3),
        ("BTCUSDT", 1),
    ]
    promised = "symbol timeframe horizon state cause message rows span scores folds p_value promoted reasons"
    assert set(written["jobs"][0]) >= {*promised.split(), "seconds", "peak_memory_bytes", "attempts"}
    assert set(written["jobs"][0]["scores"]) == {"auc", "brier", "accuracy", "log_loss", "base_rate", "n"}
    assert set(written["jobs"][0]["folds"][0]) == set(FoldResult.model_fields)
    assert written["started"] == "2026-03-02T12:00:00Z"
    assert [survey["symbol"] for survey in written["surveys"]] == ["ETHUSDT", "BTCUSDT"]
    assert written["surveys"][0]["report"]["files"] == ["ETHUSDT.parquet"]


def test_scores_and_folds_come_through_to_the_last_digit(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    night.survey_all(night.register())
    exact = 0.1 + 0.2
    night.finish_all("t1-boot", auc=exact * 2, p_value=exact / 1e3)
    night.housekeeping.tick()
    [job] = read_results(night.database, run).jobs
    assert job.scores is not None and job.scores.auc == exact * 2 and job.p_value == exact / 1e3
    assert job.folds[1].log_losses == fold(1).log_losses and len(job.folds) == 5
    assert job.rows == 12_000


def test_a_check_that_failed_is_told_by_name_and_detail(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3))
    night.survey_all(night.register())
    night.succeed(night.grant("t1-boot"), certified=False)
    night.succeed(night.grant("t1-boot"))
    night.housekeeping.tick()
    uncertified, certified = read_results(night.database, run).jobs
    [check] = uncertified.failed_checks
    assert (check.name, check.passed, check.detail) == ("recompute", False, "exact")
    assert uncertified.refused_by == ("certificate",)
    assert uncertified.reasons[0] == "the certificate is not valid: check recompute: exact"
    assert certified.failed_checks == () and certified.promoted


def test_every_attempt_is_kept_with_its_cause(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    night.survey_all(night.register())
    for message in ("first", "second", "third"):
        night.queue.fail(night.grant("t1-boot").lease_id, failure(message=message))
        night.clock.advance(10)
    night.housekeeping.tick()
    [job] = read_results(night.database, run).jobs
    assert (job.state, job.cause, job.message) == (JobState.FAILED, Cause.ERROR, "third")
    assert [(one.outcome, one.cause, one.message) for one in job.attempts] == [
        (Outcome.FAILED, Cause.ERROR, message) for message in ("first", "second", "third")
    ]
    assert job.reasons == ("it was not trained: third",) and job.scores is None and job.folds == ()


def test_of_a_run_that_goes_on_there_is_what_was_trained_so_far(night: Night) -> None:
    run = night.begin()
    results = read_results(night.database, run, so_far=True)
    assert results.totals.succeeded == 0 and results.totals.jobs == len(results.jobs) > 0
    assert {job.reasons for job in results.jobs} == {("it is not trained yet",)}
    assert not any(job.promoted for job in results.jobs)


def test_a_run_that_goes_on_has_no_results(night: Night) -> None:
    with pytest.raises(NotFoundError, match="has not ended"):
        read_results(night.database, night.begin())
    with pytest.raises(NotFoundError, match="there is no night 9"):
        read_results(night.database, 9)


def test_cells_without_candles_are_counted_among_the_failed_and_apart(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3, 5))
    night.survey_all(night.register())
    night.queue.fail(night.grant("t1-boot").lease_id, failure(Cause.DATA, "too few"))
    for _ in range(3):
        night.queue.fail(night.grant("t1-boot").lease_id, failure(message="broken"))
        night.clock.advance(10)
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    totals = read_results(night.database, run).totals
    assert (totals.jobs, totals.succeeded, totals.failed, totals.untrainable) == (3, 1, 2, 1)


def test_results_are_equal_to_what_is_read_from_their_file(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3))
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    written = Path(night.run_listing.view(run).results_path).read_bytes()
    assert Results.model_validate_json(written) == read_results(night.database, run)
