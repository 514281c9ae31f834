import random
import shutil
import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from common.metrics import declarations as metrics
from common.metrics.declarations import METRICS
from common.metrics.exposition import (
    Kind,
    Label,
    Metric,
    Readings,
    counter,
    gauge,
    histogram,
    process_registry,
)
from common.protocol.jobs import Cause, JobKind, JobState


class Scrape:
    """A collector that yields what `read` puts into fresh readings, afresh at each scrape."""

    def __init__(self, read):
        self._read = read

    def collect(self):
        readings = Readings()
        self._read(readings)
        yield from readings.families()


def exposed(registry):
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def scraped(read):
    registry = CollectorRegistry()
    registry.register(Scrape(read))
    return exposed(registry)


def test_a_counter_shows_every_known_series_at_zero_before_the_first_event():
    registry = CollectorRegistry()
    refused = counter(metrics.STALE_WRITES, registry)
    before = exposed(registry)
    assert before == {
        ("nighttrain_stale_writes_total", (("operation", operation),)): 0.0
        for operation in metrics.LEASE_WRITES
    }
    refused.labels("finish").inc()
    assert exposed(registry)["nighttrain_stale_writes_total", (("operation", "finish"),)] == 1.0


def test_a_histogram_shows_its_declared_buckets():
    registry = CollectorRegistry()
    histogram(metrics.DATABASE_DURATION, registry).labels("write").observe(0.03)
    series = exposed(registry)
    counts = {
        dict(labels)["le"]: value
        for (name, labels), value in series.items()
        if name.endswith("_bucket") and dict(labels)["mode"] == "write"
    }
    assert list(counts) == [str(float(bound)) for bound in metrics.DATABASE_DURATION.buckets] + ["+Inf"]
    assert (counts["0.025"], counts["0.05"], counts["+Inf"]) == (0.0, 1.0, 1.0)
    assert series["nighttrain_database_transaction_duration_seconds_count", (("mode", "read"),)] == 0.0


def test_a_gauge_is_registered_under_its_name():
    registry = CollectorRegistry()
    gauge(Metric("nighttrain_things", "Things."), registry).set(3)
    assert exposed(registry) == {("nighttrain_things", ()): 3.0}


@pytest.mark.parametrize("make", [counter, gauge, histogram])
def test_an_instrument_refuses_a_declaration_of_another_kind(make):
    with pytest.raises(ValueError, match="nighttrain_run_info is a info"):
        make(metrics.RUN_INFO, CollectorRegistry())


def test_observations_are_exposed_as_an_instrument_would_expose_them():
    durations = [random.Random(7).expovariate(1 / 40) for _ in range(200)] + [0.5, 3600.0, 9000.0]
    registry = CollectorRegistry()
    instrument = histogram(metrics.JOB_DURATION, registry)
    for seconds in durations:
        instrument.labels("1h").observe(seconds)
    expected = {key: value for key, value in exposed(registry).items() if ("timeframe", "1h") in key[1]}
    read = scraped(lambda readings: readings.observations(metrics.JOB_DURATION, durations, timeframe="1h"))
    assert read == pytest.approx(expected)


def test_counts_are_zero_where_nothing_was_counted():
    counts = {(JobKind.TRAINING, JobState.FAILED): 2.0}
    read = scraped(lambda readings: readings.counts(metrics.RUN_JOBS, counts))
    assert len(read) == len(JobKind) * len(JobState)
    assert sum(read.values()) == 2.0
    assert read["nighttrain_run_jobs", (("kind", "training"), ("state", "failed"))] == 2.0


def test_counts_cover_the_symbols_that_they_are_told_of():
    def read(readings):
        readings.counts(metrics.RUN_FAILED_JOBS, {("BTCUSDT", Cause.OOM): 1.0}, symbol=("BTCUSDT", "ETHUSDT"))

    read = scraped(read)
    assert {dict(labels)["symbol"] for _, labels in read} == {"BTCUSDT", "ETHUSDT"}
    assert {dict(labels)["cause"] for _, labels in read} == {"error", "crash", "timeout", "oom", "data"}
    assert sum(read.values()) == 1.0


def test_a_state_is_one_and_the_others_are_zero():
    read = scraped(lambda readings: readings.state(metrics.BREAKER_STATE, "parked", symbol="BTCUSDT"))
    assert {dict(labels)["state"]: value for (_, labels), value in read.items()} == {
        "closed": 0.0,
        "parked": 1.0,
        "probation": 0.0,
    }


def test_a_survey_has_no_timeframe():
    cell = {"symbol": "BTCUSDT", "timeframe": "", "horizon": ""}
    labels = {"trainer": "t1", "kind": "survey", **cell, "stage": "reading"}
    read = scraped(lambda readings: readings.info(metrics.TRAINER_JOB_INFO, **labels))
    assert list(read.values()) == [1.0]


def test_nothing_stale_remains_from_one_scrape_to_the_next():
    symbols = ["BTCUSDT"]
    registry = CollectorRegistry()
    registry.register(
        Scrape(lambda readings: [readings.put(metrics.QUEUE_JOBS, 1, symbol=s) for s in symbols])
    )
    assert set(exposed(registry)) == {("nighttrain_queue_jobs", (("symbol", "BTCUSDT"),))}
    symbols[:] = ["ETHUSDT"]
    assert set(exposed(registry)) == {("nighttrain_queue_jobs", (("symbol", "ETHUSDT"),))}


@pytest.mark.parametrize(
    ("read", "complaint"),
    [
        (lambda r: r.put(metrics.QUEUE_JOBS, 1), r"has the labels \('symbol',\), not \(\)"),
        (lambda r: r.put(metrics.QUEUE_JOBS, 1, symbol="A", run="1"), "not"),
        (lambda r: r.put(metrics.RUN_ETA, 1, percentile="99"), "percentile cannot be '99'"),
        (lambda r: r.put(metrics.RUN_INFO, 1, run="1", config="a", synthetic="true"), "is a info"),
        (lambda r: r.put(metrics.JOB_DURATION, 1, timeframe="1h"), "is a histogram"),
        (lambda r: r.info(metrics.RUN_PROGRESS), "is a gauge"),
        (lambda r: r.state(metrics.RUN_STATE, "asleep"), "state cannot be 'asleep'"),
        (lambda r: r.counts(metrics.ATTEMPTS, {("running",): 1}), "outcome cannot be 'running'"),
        (lambda r: r.observations(metrics.RUN_PROGRESS, [1.0]), "is a gauge"),
        (lambda r: [r.put(metrics.RUN_PROGRESS, 1), r.put(metrics.RUN_PROGRESS, 1)], "was read already"),
    ],
)
def test_what_is_not_declared_is_refused(read, complaint):
    with pytest.raises(ValueError, match=complaint):
        read(Readings())


def test_the_exposition_of_every_metric_pleases_prometheus_own_linter():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    registry = CollectorRegistry()
    registry.register(Scrape(everything))
    text = generate_latest(registry)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def everything(readings):
    for metric in METRICS.values():
        labels = {label.name: value(label) for label in metric.labels}
        if metric.kind is Kind.HISTOGRAM:
            readings.observations(metric, [1.0], **labels)
        elif metric.kind is Kind.INFO:
            readings.info(metric, **labels)
        else:
            readings.put(metric, 1.0, **labels)


def value(label: Label) -> str:
    return label.values[0] if label.values else "x"


def test_a_process_tells_of_itself_and_of_no_time_of_creation():
    registry = process_registry()
    counter(metrics.RENEWALS, registry).inc()
    text = generate_latest(registry).decode()
    assert "nighttrain_renewals_total 1.0" in text
    assert "process_start_time_seconds" in text
    assert "python_info{" in text
    assert "_created" not in text
