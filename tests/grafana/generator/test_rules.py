import re

import pytest
import yaml

from grafana.generator.rules import RULES_FILE, recorded, threshold

ALERTS = (RULES_FILE.parent / "alerts.yml").read_text(encoding="utf-8")


def test_a_threshold_is_the_number_that_prometheus_records():
    assert threshold("trainer_memory_ratio") == 0.90
    assert threshold("checkpoint_age_seconds", kind="job") != threshold(
        "checkpoint_age_seconds", kind="night"
    )


@pytest.mark.parametrize("labels", [{}, {"kind": "day"}])
def test_a_threshold_that_does_not_exist_is_refused(labels):
    with pytest.raises(ValueError, match="no threshold"):
        threshold("checkpoint_age_seconds", **labels)


def test_alerts_compare_with_these_thresholds_and_with_no_others():
    named = set(re.findall(r"nighttrain:threshold:\w+", ALERTS))
    assert named == {name for name in recorded() if name.startswith("nighttrain:threshold:")}


def test_a_recorded_series_has_the_labels_of_its_grouping_and_its_own():
    assert recorded()["trainer:nighttrain_silence:seconds"].labels == {"trainer"}
    assert recorded()["nighttrain:threshold:checkpoint_age_seconds"].labels == {"kind"}
    assert recorded()["nighttrain:trainers_live:sum"].labels == set()
    assert recorded()["cause:nighttrain_attempt_failures:increase1h"].labels == {"cause"}


def test_every_rule_is_known():
    groups = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))["groups"]
    assert set(recorded()) == {rule["record"] for group in groups for rule in group["rules"]}
