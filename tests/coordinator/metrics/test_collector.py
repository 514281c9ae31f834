"""What the coordinator tells Prometheus, on nights whose clock stands still."""

from __future__ import annotations

import time as wall
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from common.protocol.jobs import Cause, TrainingSpec
from common.protocol.trainers import NoWork
from common.settings.sections import Breaker, Retry, Window
from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.metrics.collector import NightCollector
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import (
    NOON,
    Clock,
    MakeNight,
    Night,
    checkpoint,
    claim,
    failure,
    hello,
    renewal,
    settings,
)

TOKEN = "the-token-of-these-tests-is-long-enough"
ONE_CELL: dict[str, Any] = {"symbols": ("BTCUSDT",), "timeframes": ("1h",), "horizons": (3,)}
CELL = {"symbol": "BTCUSDT", "timeframe": "1h", "horizon": "3"}


class Told:
    """One scrape of a night, series by series."""

    def __init__(self, text: str) -> None:
        self.values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.values.get((f"nighttrain_{name}", tuple(sorted(labels.items()))))

    def names(self) -> set[str]:
        return {name.removeprefix("nighttrain_") for name, _ in self.values}


def scraped(night: Night) -> Told:
    registry = CollectorRegistry()
    registry.register(NightCollector(night.database, night.settings, night.out, night.forecast, "0.1.0"))
    return Told(generate_latest(registry).decode())


def surveyed(night: Night, **changes: Any) -> str:
    """Begin a run and survey it by one trainer."""
    night.begin(**{**ONE_CELL, **changes})
    boot = night.register()
    night.survey_all(boot)
    return boot


def ended(night: Night, **changes: Any) -> None:
    """A whole run of one cell."""
    boot = surveyed(night)
    night.finish_all(boot, **changes)
    night.housekeeping.tick()


class TestTheRun:
    def test_before_the_first_one_there_are_counts_and_no_run(self, night: Night) -> None:
        told = scraped(night)
        assert told("claims_total") == 0
        assert told("attempts_total", outcome="expired") == 0
        assert told("trainers", state="lost") == 0
        assert not {name for name in told.names() if name.startswith(("run_", "cell_", "queue_"))}

    def test_its_progress_counts_saved_folds_of_jobs_that_are_not_over(self, night: Night) -> None:
        boot = surveyed(night, horizons=(1, 3))
        assert scraped(night)("run_progress_ratio") == 0
        grant = night.grant(boot)
        night.queue.save_checkpoint(grant.lease_id, checkpoint(3))
        assert scraped(night)("run_progress_ratio") == pytest.approx(0.5 * 3 / 5)
        assert night.run_listing.view(1).progress_ratio == scraped(night)("run_progress_ratio")
        night.succeed(grant)
        assert scraped(night)("run_progress_ratio") == 0.5
        assert night.run_listing.view(1).progress_ratio == 0.5

    def test_the_folds_of_a_job_that_has_failed_count_no_second_time(self, make_night: MakeNight) -> None:
        night = make_night(retry=Retry(error=1))
        boot = surveyed(night, horizons=(1, 3))
        grant = night.grant(boot)
        night.queue.save_checkpoint(grant.lease_id, checkpoint(3))
        night.queue.fail(grant.lease_id, failure(Cause.ERROR))
        assert night.run_listing.view(1).progress_ratio == scraped(night)("run_progress_ratio") == 0.5

    def test_more_folds_than_the_run_has_are_no_more_than_the_whole_job(self, night: Night) -> None:
        boot = surveyed(night, horizons=(1, 3))
        night.queue.save_checkpoint(night.grant(boot).lease_id, checkpoint(9))
        assert night.run_listing.view(1).progress_ratio == scraped(night)("run_progress_ratio") == 0.5

    def test_its_end_is_estimated_while_it_is_going(self, night: Night) -> None:
        ended(night)
        assert scraped(night)("run_eta_timestamp_seconds", percentile="90") is None
        assert scraped(night)("run_finished_timestamp_seconds") == NOON.timestamp()
        surveyed(night)
        told = scraped(night)
        assert (told("run_eta_timestamp_seconds", percentile="90") or 0) > NOON.timestamp()
        assert told("run_finished_timestamp_seconds") is None

    def test_failures_are_told_by_symbol_and_cause(self, make_night: MakeNight) -> None:
        night = make_night(retry=Retry(error=1))
        boot = surveyed(night, symbols=("BTCUSDT", "ETHUSDT"))
        failed = night.grant(boot)
        assert isinstance(failed.spec, TrainingSpec)
        night.queue.fail(failed.lease_id, failure(Cause.ERROR))
        told = scraped(night)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            count = told("run_failed_jobs", symbol=symbol, cause="error")
            assert count == (symbol == failed.spec.cell.symbol)
        assert told("attempt_failures_total", cause="error") == 1
        assert told("run_jobs", kind="training", state="failed") == 1

    def test_another_run_begins_its_counts_anew(self, night: Night) -> None:
        ended(night)
        assert scraped(night)("claims_total") == 2
        night.begin(**ONE_CELL)
        told = scraped(night)
        assert (told("claims_total"), told("attempts_total", outcome="succeeded")) == (0, 0)
        assert told("last_claim_timestamp_seconds") == NOON.timestamp()


class TestTheWindow:
    def test_openings_are_told_as_long_as_there_is_a_schedule(self, make_night: MakeNight) -> None:
        window = Window(start=time(11), end=time(13))
        told = scraped(make_night(window=window))
        hour = timedelta(hours=1)
        assert told("night_open") == 1
        assert told("night_deadline_timestamp_seconds") == (NOON + hour).timestamp()
        assert told("night_last_opening_timestamp_seconds") == (NOON - hour).timestamp()
        assert told("night_next_opening_timestamp_seconds") == (NOON + 23 * hour).timestamp()
        for changes in ({"window": window, "training": False}, {}):
            names = scraped(make_night(**changes)).names()
            assert (
                not {"night_last_opening_timestamp_seconds", "night_next_opening_timestamp_seconds"} & names
            )

    def test_a_closed_night_has_no_deadline(self, make_night: MakeNight) -> None:
        told = scraped(make_night(window=Window(start=time(22), end=time(6))))
        assert told("night_open") == 0
        assert told("night_deadline_timestamp_seconds") is None
        assert told("night_last_opening_timestamp_seconds") == (NOON - timedelta(hours=14)).timestamp()


class TestTheQueue:
    def test_waits_grow_from_the_survey_on(self, night: Night) -> None:
        night.begin(**ONE_CELL)
        night.clock.advance(10)
        told = scraped(night)
        assert (
            told("queue_jobs", symbol="BTCUSDT"),
            told("queue_oldest_wait_seconds", symbol="BTCUSDT"),
        ) == (2, 10)
        boot = night.register()
        night.survey_all(boot)
        night.clock.advance(7)
        told = scraped(night)
        assert (
            told("queue_jobs", symbol="BTCUSDT"),
            told("queue_oldest_wait_seconds", symbol="BTCUSDT"),
        ) == (1, 7)

    def test_a_backoff_is_no_wait(self, night: Night) -> None:
        boot = surveyed(night)
        night.clock.advance(100)
        night.queue.fail(night.grant(boot).lease_id, failure())
        assert scraped(night)("queue_oldest_wait_seconds", symbol="BTCUSDT") == 0

    def test_a_parked_symbol_says_so(self, make_night: MakeNight) -> None:
        night = make_night(breaker=Breaker(failures=1, park_seconds=60))
        boot = surveyed(night)
        assert scraped(night)("breaker_state", symbol="BTCUSDT", state="closed") == 1
        night.queue.fail(night.grant(boot).lease_id, failure())
        assert scraped(night)("breaker_state", symbol="BTCUSDT", state="parked") == 1
        night.clock.advance(61)
        told = scraped(night)
        assert told("breaker_state", symbol="BTCUSDT", state="probation") == 1
        assert told("breaker_state", symbol="BTCUSDT", state="parked") == 0


class TestTheRunningJob:
    def test_says_since_when_and_how_long_it_should_take(self, night: Night) -> None:
        ended(night)
        boot = surveyed(night)
        assert scraped(night)("running_job_started_timestamp_seconds", **CELL) is None
        night.grant(boot)
        night.clock.advance(5)
        told = scraped(night)
        assert told("running_job_started_timestamp_seconds", **CELL) == NOON.timestamp()
        assert told("running_job_expected_seconds", **CELL) == pytest.approx(10.0)

    def test_its_progress_is_safe_from_its_last_checkpoint_or_its_start_on(self, night: Night) -> None:
        boot = surveyed(night)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") is None
        grant = night.grant(boot)
        night.clock.advance(20)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") == NOON.timestamp()
        night.queue.save_checkpoint(grant.lease_id, checkpoint(1))
        saved = night.clock.now.timestamp()
        night.clock.advance(5)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") == saved
        # A day later another attempt goes on from these folds: nothing of it is in danger yet.
        night.clock.advance(31)
        night.queue.expire()
        night.clock.advance(86_400)
        night.grant(boot)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="job") == night.clock.now.timestamp()

    def test_the_nights_file_is_told_while_a_run_is_going(self, night: Night) -> None:
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") is None
        boot = surveyed(night)
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") == NOON.timestamp()
        night.housekeeping.tick()
        written = (night.out / "logs" / "night_training_checkpoint.json").stat().st_mtime
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") == pytest.approx(
            max(written, NOON.timestamp()), abs=0.001
        )
        night.finish_all(boot)
        night.housekeeping.tick()
        assert scraped(night)("checkpoint_timestamp_seconds", kind="night") is None


class TestTrainers:
    def test_a_lost_one_stays_for_an_hour_and_a_stopped_one_does_not(self, night: Night) -> None:
        boot = surveyed(night)
        night.register("t2")
        grant = night.grant(boot)
        night.clock.advance(20)
        night.queue.renew(grant.lease_id, renewal())
        heard = night.clock.now.timestamp()
        told = scraped(night)
        assert (told("trainers", state="working"), told("trainers", state="idle")) == (1, 1)
        assert told("trainer_last_seen_timestamp_seconds", trainer="t1") == heard
        night.clock.advance(31)
        night.queue.expire()
        told = scraped(night)
        assert (told("trainers", state="lost"), told("trainers", state="idle")) == (1, 0)
        assert told("trainer_last_seen_timestamp_seconds", trainer="t1") == heard
        assert told("trainer_last_seen_timestamp_seconds", trainer="t2") is None
        night.clock.advance(3600)
        assert scraped(night)("trainers", state="lost") == 0

    def test_each_start_under_a_name_counts(self, night: Night) -> None:
        for number in range(3):
            night.register("t1", f"boot-{number}")
        assert scraped(night)("trainer_starts_total", trainer="t1") == 3

    def test_one_that_cannot_write_says_so_until_it_can(self, night: Night) -> None:
        boot = surveyed(night)
        night.register("t2")
        night.queue.fail(night.grant(boot).lease_id, failure(Cause.STORAGE))
        told = scraped(night)
        assert (told("trainer_blocked", trainer="t1"), told("trainer_blocked", trainer="t2")) == (1, 0)
        night.clock.advance(5)
        grant = night.grant(boot)
        assert scraped(night)("trainer_blocked", trainer="t1") == 1
        night.succeed(grant)
        assert scraped(night)("trainer_blocked", trainer="t1") == 0

    def test_of_a_lost_one_nobody_knows_whether_it_can_write(self, night: Night) -> None:
        night.grant(surveyed(night))
        night.clock.advance(60)
        night.queue.expire()
        told = scraped(night)
        assert told("trainers", state="lost") == 1
        assert told("trainer_blocked", trainer="t1") is None


class TestModels:
    def test_scores_and_refusals_are_told_by_cell_and_reason(self, night: Night) -> None:
        boot = surveyed(night)
        night.succeed(night.grant(boot), auc=0.51, p_value=0.5)
        told = scraped(night)
        assert told("cell_auc_ratio", **CELL) == 0.51
        assert told("cell_brier_ratio", **CELL) == 0.245
        assert told("cell_promoted", **CELL) is None
        night.housekeeping.tick()
        told = scraped(night)
        assert (told("cell_promoted", **CELL), told("run_promoted_models")) == (0, 0)
        refused = {
            reason: told("run_refused_models", reason=reason) for reason in ("auc", "significance", "brier")
        }
        assert refused == {"auc": 1, "significance": 1, "brier": 0}

    def test_one_class_only_has_no_auc(self, night: Night) -> None:
        boot = surveyed(night)
        night.succeed(night.grant(boot), auc=None)
        told = scraped(night)
        assert (told("cell_auc_ratio", **CELL), told("cell_accuracy_ratio", **CELL)) == (None, 0.54)

    def test_a_run_is_measured_by_the_five_before_it_of_its_kind(self, night: Night) -> None:
        for auc in (0.51, 0.52, 0.53, 0.54, 0.55, 0.56):
            ended(night, auc=auc)
            night.clock.advance(60)
        night.begin(**{**ONE_CELL, "n_splits": 4})
        told = scraped(night)
        assert (told("earlier_runs"), told("earlier_runs_auc_mean_ratio")) == (0, None)
        night.runs.cancel(7)
        night.begin(**ONE_CELL)
        told = scraped(night)
        assert told("earlier_runs") == 5
        assert told("earlier_runs_auc_mean_ratio") == pytest.approx(0.54)
        boot = night.register()
        # Synthetic candles are no measure for real ones, nor the other way round.
        night.survey_all(boot, synthetic=True)
        assert scraped(night)("earlier_runs") == 0


class TestTheMachine:
    def test_its_figures_are_plausible(self, night: Night) -> None:
        told = scraped(night)
        assert (told("host_cpus") or 0) >= 1
        assert 0 < (told("host_memory_available_bytes") or 0) < (told("host_memory_size_bytes") or 0)
        assert 0 < (told("host_disk_free_bytes") or 0) < (told("host_disk_size_bytes") or 0)
        assert (told("database_size_bytes") or 0) > 50_000

    def test_the_cpu_share_is_that_since_the_last_scrape(self, night: Night) -> None:
        registry = CollectorRegistry()
        registry.register(NightCollector(night.database, night.settings, night.out, night.forecast, "0.1.0"))
        busy_until = wall.monotonic() + 0.7
        while wall.monotonic() < busy_until:
            pass
        ratio = Told(generate_latest(registry).decode())("host_cpu_ratio") or 0.0
        assert 0.5 / (Told(generate_latest(registry).decode())("host_cpus") or 1) < ratio <= 1.0


def test_a_thousand_jobs_are_told_in_a_moment(make_night: MakeNight) -> None:
    symbols = tuple(f"S{number:02d}USDT" for number in range(28))
    night = make_night(timeframes=("1m", "5m", "15m", "1h", "4h", "1d"))
    night.begin(symbols=symbols, timeframes=night.settings.timeframes, horizons=(1, 2, 3, 4, 5, 6))
    night.survey_all(night.register())
    scraped(night)
    began = wall.process_time()
    told = scraped(night)
    assert wall.process_time() - began < 1.0
    assert sum(told("queue_jobs", symbol=symbol) or 0 for symbol in symbols) == 28 * 36


# --- Counts of the process ----------------------------------------------------------------------------------


@pytest.fixture
def parts(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Parts]:
    database = Database(database_url, clock)
    yield assemble(database, settings(), tmp_path, TOKEN, True, Random(1))
    database.close()


@pytest.fixture
def client(parts: Parts) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        served(make_app(parts)) as url,
        httpx.Client(base_url=url, headers=headers, trust_env=False) as opened,
    ):
        yield opened


@pytest.fixture
def night_of(parts: Parts, tmp_path: Path) -> Night:
    return Night(parts.database, settings(), tmp_path)


def post(client: httpx.Client, path: str, message: Any, method: str = "POST") -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return client.request(method, path, content=message.model_dump_json(), headers=headers)


def told_by(client: httpx.Client) -> Told:
    return Told(client.get("/metrics").raise_for_status().text)


def test_what_leases_are_used_for_is_counted(client: httpx.Client, night_of: Night) -> None:
    boot = surveyed(night_of)
    lease = night_of.grant(boot).lease_id
    assert post(client, f"/api/leases/{lease}/renewals", renewal()).status_code == 200
    assert post(client, f"/api/leases/{lease}/checkpoint", checkpoint(), "PUT").status_code == 204
    night_of.runs.cancel(1)
    # Whoever renews a cancelled job is told so; nothing is renewed by that.
    assert post(client, f"/api/leases/{lease}/renewals", renewal()).status_code == 200
    for _ in range(2):
        assert post(client, f"/api/leases/{lease}/checkpoint", checkpoint(), "PUT").status_code == 409
    assert post(client, f"/api/leases/{lease}/failure", failure()).status_code == 409
    told = told_by(client)
    assert (told("renewals_total"), told("checkpoint_writes_total")) == (1, 1)
    late = {
        operation: told("stale_writes_total", operation=operation)
        for operation in ("checkpoint", "failure", "finish")
    }
    assert late == {"checkpoint": 2, "failure": 1, "finish": 0}


def test_refused_claims_are_counted_by_reason(client: httpx.Client) -> None:
    post(client, "/api/trainers", hello())
    for _ in range(3):
        assert post(client, "/api/claims", claim("t1-boot")).status_code == 204
    told = told_by(client)
    assert told("admission_refusals_total", reason=NoWork.EMPTY) == 3
    assert told("admission_refusals_total", reason=NoWork.MEMORY_PRESSURE) == 0


def test_requests_are_timed_by_the_template_of_their_path(client: httpx.Client) -> None:
    client.get("/api/jobs/17")
    client.get("/api/jobs/18")
    client.get("/nowhere/at/all")
    client.get("/healthz", headers={"Host": "evil.example"})
    client.request("PROPFIND", "/api/status")
    told = told_by(client)

    def count(method: str, route: str, status: str) -> float | None:
        return told("http_request_duration_seconds_count", method=method, route=route, status=status)

    assert count("GET", "/api/jobs/{job}", "4xx") == 2
    assert count("GET", "unmatched", "4xx") == 2
    assert count("other", "/api/status", "4xx") == 1


def test_transactions_are_timed_by_what_they_do(client: httpx.Client) -> None:
    before = told_by(client)
    post(client, "/api/trainers", hello())
    after = told_by(client)
    grown = {
        mode: (after("database_transaction_duration_seconds_count", mode=mode) or 0)
        - (before("database_transaction_duration_seconds_count", mode=mode) or 0)
        for mode in ("read", "write")
    }
    assert grown == {"read": 1, "write": 1}
