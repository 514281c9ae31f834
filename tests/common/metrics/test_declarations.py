import re

import pytest

from common.metrics.declarations import METRICS, RUN_INFO, SYMBOL
from common.metrics.exposition import Exporter, Kind, Source

UNIT_WORDS = {"milliseconds", "minutes", "hours", "days", "kilobytes", "megabytes", "gigabytes", "percent"}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
class TestEachDeclaration:
    def test_has_a_conventional_name(self, metric):
        assert re.fullmatch(r"nighttrain(_[a-z]+)+", metric.name)
        words = set(metric.name.split("_"))
        assert not words & UNIT_WORDS, "base units only"
        assert not words & {"count", "sum", "bucket"}, "kept for the series of histograms"
        assert "timestamp" not in words or metric.name.endswith("_timestamp_seconds")

    def test_says_in_a_sentence_what_it_is(self, metric):
        assert metric.help[0].isalnum()
        assert metric.help.endswith(".")
        assert "\n" not in metric.help

    def test_bounds_every_label(self, metric):
        for label in metric.labels:
            assert bool(label.values) != bool(label.bound), label
            assert len(label.values) == len(set(label.values)), label
            assert "" not in label.values, label

    def test_takes_no_label_that_prometheus_sets(self, metric):
        assert not {"job", "instance", "le", "__name__"} & set(metric.label_names)
        assert len(metric.label_names) == len(set(metric.label_names))

    def test_keeps_the_run_out_of_its_labels(self, metric):
        assert metric is RUN_INFO or "run" not in metric.label_names

    def test_has_ascending_buckets_and_a_unit_if_it_is_a_histogram(self, metric):
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert metric.kind is not Kind.HISTOGRAM or metric.unit == "seconds"

    def test_counts_what_the_trainer_alone_knows_in_its_process(self, metric):
        assert Exporter.COORDINATOR in metric.exporters or metric.source is not Source.DATABASE


def test_the_name_says_kind_and_unit():
    kinds = {name: (metric.kind, metric.unit) for name, metric in METRICS.items()}
    assert kinds["nighttrain_claims_total"] == (Kind.COUNTER, "")
    assert kinds["nighttrain_trainer_cpu_seconds_total"] == (Kind.COUNTER, "seconds")
    assert kinds["nighttrain_run_info"] == (Kind.INFO, "")
    assert kinds["nighttrain_job_duration_seconds"] == (Kind.HISTOGRAM, "seconds")
    assert kinds["nighttrain_cell_auc_ratio"] == (Kind.GAUGE, "ratio")
    assert kinds["nighttrain_trainer_cache_size_bytes"] == (Kind.GAUGE, "bytes")
    assert kinds["nighttrain_queue_jobs"] == (Kind.GAUGE, "")


def test_one_label_name_means_one_thing():
    bounds = {}
    for metric in METRICS.values():
        for label in metric.labels:
            bounds.setdefault(label.name, set()).add(label)
    assert bounds["symbol"] == {SYMBOL}
    assert all(len(bounds[name]) == 1 for name in ("timeframe", "horizon", "cache"))


def test_facts_of_the_night_come_from_the_database():
    night = [
        name for name in METRICS if name.startswith(("nighttrain_run", "nighttrain_cell", "nighttrain_queue"))
    ]
    assert len(night) > 15
    assert all(METRICS[name].source is Source.DATABASE for name in night)
