"""Rules and alerts: promtool's own checks, and that every name in an expression is there."""

import json
import re

import pytest

from common.metrics.exposition import Exporter
from grafana.generator.promql import names
from tests.prometheus.committed import ALERTS, DECLARED, PROMETHEUS, RECORDS, labels_of, load


def queries(rule):
    """The expressions in the texts of an alert."""
    for text in [*rule["annotations"].values(), *rule["labels"].values()]:
        for quoted in re.findall(r'"(?:[^"\\]|\\.)*"', text):
            inner = json.loads(quoted).replace("%q", '"x"')
            if re.search(r"nighttrain[_:]", inner):
                yield inner


EXPRESSIONS = (
    [(rule["record"], rule["expr"]) for rule in RECORDS]
    + [(name, rule["expr"]) for name, rule in ALERTS.items()]
    + [(name, query) for name, rule in ALERTS.items() for query in queries(rule)]
)


def test_promtool_accepts_the_configuration_and_all_rules(promtool):
    status, output = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert status == 0, output
    assert output.count("rules found") == 2


def test_no_rule_is_there_twice(promtool):
    files = [PROMETHEUS / "rules.yml", PROMETHEUS / "alerts.yml"]
    status, output = promtool("check", "rules", "--lint=all", "--lint-fatal", *files)
    assert status == 0, output


@pytest.mark.parametrize(("rule", "text"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_an_expression_names_only_what_is_there(rule, text):
    expression = names(text)
    known = set()
    for name, conditions in expression.selectors:
        matchers = {condition.label: condition.value for condition in conditions}
        labels = labels_of(name)
        assert labels is not None, f"{rule}: nobody exports or records {name}"
        known |= labels
        assert set(matchers) <= labels, f"{rule}: {name} has no label {set(matchers) - labels}"
        for label in DECLARED[name].labels if name in DECLARED else ():
            values = matchers.get(label.name, "").split("|") if label.values else []
            assert {value for value in values if value} <= {*label.values, "x"}, f"{rule}: {name}{matchers}"
    assert expression.groupings <= known, f"{rule}: no series has the labels {expression.groupings - known}"


def test_every_exporter_is_scraped_under_its_name():
    jobs = {job["job_name"]: job for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    assert set(jobs) == {*Exporter, "prometheus", "alertmanager"}
    assert jobs["trainer"]["dns_sd_configs"][0]["names"] == ["trainer"]
