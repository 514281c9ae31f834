"""A small night of real processes: each declared metric arrives, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from common.metrics.declarations import METRICS
from common.metrics.exposition import Exporter, Kind, Metric
from common.protocol.runs import RunRequest, RunState
from common.settings.grid import GridConfig
from tests.metrics.eventful_night import open_window
from tests.metrics.scrape import Scrape, free_port, is_healthy, scrape
from tests.trainer.real_night import Coordinator, RealNight, eventually
from trainer.sources.sample import write_sample

DAYS = 720
"""Of candles: enough for a cell to be at work during several scrapes."""

FOREIGN = ("process_", "python_")
"""What every process tells of itself, declared by `prometheus_client`."""

TYPES = {Kind.COUNTER: "counter", Kind.GAUGE: "gauge", Kind.INFO: "gauge", Kind.HISTOGRAM: "histogram"}


@dataclass
class Watched:
    """All that was told during two runs, by whom, and the last word of each."""

    coordinator: Scrape
    trainer: Scrape
    last: Scrape
    last_of_trainer: Scrape

    def of(self, exporter: Exporter) -> Scrape:
        return self.coordinator if exporter is Exporter.COORDINATOR else self.trainer


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("night")
    grid = {"symbols": ["BTCUSDT", "NOCANDLES"], "timeframes": ["5m"], "horizons": [1, 3]}
    coordinator = Coordinator(folder, window=open_window(), **grid)
    night = RealNight(coordinator, folder)
    try:
        write_sample(night.data, ["BTCUSDT"], DAYS, 7, lambda *_: None)
        coordinator.start()
        port = free_port()
        night.start_trainer("", "--metrics-port", str(port))
        told, told_by_trainer = Scrape(), Scrape()

        def is_over(run: int) -> bool:
            told.update(scrape(coordinator.url))
            told_by_trainer.update(scrape(f"http://127.0.0.1:{port}"))
            found = night.operator.runs(limit=1).runs
            return bool(found) and (found[0].id, found[0].state) == (run, RunState.DONE)

        eventually(lambda: is_healthy(f"http://127.0.0.1:{port}"))
        # The first run is begun by the schedule, for the window is open.
        eventually(lambda: is_over(1), 60)
        config = GridConfig(**coordinator.settings.grid_config())
        night.operator.create_run(RunRequest(config=config, retrain=True))
        eventually(lambda: is_over(2), 60)
        last, last_of_trainer = scrape(coordinator.url), scrape(f"http://127.0.0.1:{port}")
        told.update(last)
        told_by_trainer.update(last_of_trainer)
        yield Watched(told, told_by_trainer, last, last_of_trainer)
    finally:
        night.close()
        coordinator.close()


def declared(exporter: Exporter) -> list[Metric]:
    return [metric for metric in METRICS.values() if exporter in metric.exporters]


@pytest.mark.parametrize("exporter", Exporter)
def test_each_declared_metric_arrives_with_its_labels_and_type(watched: Watched, exporter: Exporter) -> None:
    found = watched.of(exporter)
    absent, wrong = [], []
    for metric in declared(exporter):
        for name in metric.series:
            labels = {tuple(key for key, _ in one) for one in found[name]}
            wanted = {*metric.label_names, *(["le"] if name.endswith("_bucket") else [])}
            if not labels:
                absent.append(name)
            # A label without a value is told as none.
            elif any(set(one) != wanted for one in labels):
                wrong.append((name, labels))
        family = metric.name.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.name
        if metric.name not in absent and found.types.get(family) != TYPES[metric.kind]:
            wrong.append((metric.name, found.types.get(family)))
    assert (absent, wrong) == ([], [])


@pytest.mark.parametrize("exporter", Exporter)
def test_nothing_arrives_that_is_not_declared(watched: Watched, exporter: Exporter) -> None:
    names = {name for metric in declared(exporter) for name in metric.series}
    told = {name for name, _ in watched.of(exporter).values if not name.startswith(FOREIGN)}
    assert told - names == set()


@pytest.mark.parametrize("exporter", Exporter)
def test_every_label_has_a_declared_value(watched: Watched, exporter: Exporter) -> None:
    strange = [
        (metric.name, label.name, labels[label.name])
        for metric in declared(exporter)
        for name in metric.series
        for labels in map(dict, watched.of(exporter)[name])
        for label in metric.labels
        if label.values and labels[label.name] not in (*label.values, "")
    ]
    assert strange == []


def test_the_facts_of_the_night_are_right(watched: Watched) -> None:
    last = watched.last
    cells = {"symbol": "BTCUSDT", "timeframe": "5m"}
    assert last.value("nighttrain_run_info", run="2", synthetic="true", config=_config(last)) == 1
    assert last.value("nighttrain_run_state", state="done") == 1
    assert last.value("nighttrain_run_jobs", kind="training", state="succeeded") == 2
    assert last.value("nighttrain_run_jobs", kind="training", state="failed") == 2
    assert last.value("nighttrain_run_failed_jobs", symbol="NOCANDLES", cause="data") == 3
    assert last.value("nighttrain_run_failed_jobs", symbol="BTCUSDT", cause="data") == 0
    assert last.value("nighttrain_run_progress_ratio") == 1
    assert last.value("nighttrain_night_open") == 1
    assert last.value("nighttrain_queue_jobs", symbol="BTCUSDT") == 0
    assert last.value("nighttrain_claims_total") == 4
    assert last.value("nighttrain_attempts_total", outcome="succeeded") == 3
    assert last.value("nighttrain_attempt_failures_total", cause="data") == 1
    assert last.value("nighttrain_job_duration_seconds_count", timeframe="5m") == 2
    assert last.value("nighttrain_trainers", state="lost") == 0
    assert last.value("nighttrain_trainer_starts_total", trainer="t1") == 1
    assert last.value("nighttrain_earlier_runs") == 1
    auc = [last.value("nighttrain_cell_auc_ratio", **cells, horizon=horizon) or 0 for horizon in ("1", "3")]
    assert all(0.4 < value < 0.7 for value in auc)
    # The same candles give the same scores, so this run is as good as the one before.
    assert last.value("nighttrain_earlier_runs_auc_mean_ratio") == pytest.approx(sum(auc) / 2, abs=1e-12)
    promoted = [last.value("nighttrain_cell_promoted", **cells, horizon=horizon) for horizon in ("1", "3")]
    assert last.value("nighttrain_run_promoted_models") == sum(one or 0 for one in promoted)
    assert sum(last["nighttrain_run_refused_models"].values()) >= promoted.count(0)


def test_the_window_and_its_openings_are_told(watched: Watched) -> None:
    last, now = watched.last, datetime.now(UTC).timestamp()
    opened = last.value("nighttrain_night_last_opening_timestamp_seconds") or 0
    assert 0 < now - opened < 2 * 3600
    assert last.value("nighttrain_night_next_opening_timestamp_seconds") == opened + 86_400
    assert (last.value("nighttrain_night_deadline_timestamp_seconds") or 0) > now
    assert (last.value("nighttrain_run_started_timestamp_seconds") or 0) > opened


def test_what_the_trainer_did_is_counted(watched: Watched) -> None:
    last = watched.last_of_trainer
    assert (
        last.value("nighttrain_trainer_jobs_total", trainer="t1", kind="training", outcome="succeeded") == 4
    )
    assert last.value("nighttrain_trainer_jobs_total", trainer="t1", kind="survey", outcome="succeeded") == 2
    assert last.value("nighttrain_trainer_jobs_total", trainer="t1", kind="survey", outcome="data") == 2
    assert last.value("nighttrain_trainer_jobs_total", trainer="t1", kind="survey", outcome="lost") == 0

    def requests(cache: str, outcome: str) -> float | None:
        return last.value(
            "nighttrain_trainer_cache_requests_total", trainer="t1", cache=cache, outcome=outcome
        )

    # One matrix serves both horizons and both runs, and the second survey reads no source.
    assert (requests("features", "miss"), requests("features", "hit")) == (1, 3)
    assert requests("candles", "miss") == 1
    assert (requests("candles", "hit") or 0) >= 5
    for cache in ("candles", "features"):
        assert (last.value("nighttrain_trainer_cache_size_bytes", trainer="t1", cache=cache) or 0) > 50_000
    assert (last.value("nighttrain_trainer_candle_rows_total", trainer="t1") or 0) > DAYS * 288 * 4
    assert (last.value("nighttrain_trainer_cpu_seconds_total", trainer="t1") or 0) > 0.5
    assert last.value("nighttrain_trainer_state", trainer="t1", state="idle") == 1
    assert last["nighttrain_trainer_job_info"] == {}


def test_the_job_was_told_while_it_was_worked_on(watched: Watched) -> None:
    jobs = [dict(labels) for labels in watched.trainer["nighttrain_trainer_job_info"]]
    cells = {(job["timeframe"], job["horizon"]) for job in jobs if job["kind"] == "training"}
    assert cells and cells <= {("5m", "1"), ("5m", "3")}
    stages = {job["stage"] for job in jobs if job["kind"] == "training"}
    # Of a job as short as these, only some are there long enough to be seen.
    assert stages & {"features", "folds", "final", "significance", "certificate", "report"}


def _config(found: Scrape) -> str:
    [labels] = [dict(one) for one in found["nighttrain_run_info"]]
    return labels["config"]
