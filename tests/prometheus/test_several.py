"""Rules and alerts where several coordinators are scraped: nothing counts twice, nothing is left out."""

import json
import re

import pytest

from grafana.generator.instances import doubled, undercounted
from grafana.generator.promql import names
from tests.prometheus.committed import ALERTS, DECLARED, RECORDS, load
from tests.prometheus.played import written
from tests.prometheus.test_rules import EXPRESSIONS
from tests.prometheus.test_scenarios import SCENARIOS


@pytest.mark.parametrize(("rule", "text"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_a_rule_counts_what_coordinators_share_once_and_what_each_did_for_all(rule, text):
    del rule
    assert doubled(text) == []
    assert undercounted(text) == []


def beside(series, instance):
    """The same series as another coordinator reports it."""
    kept = re.sub(r'(?<=[{,])instance="[^"]*",?', "", series)
    name, _, labels = kept.removesuffix("}").partition("{")
    return f"{name}{{{','.join(filter(None, (labels.rstrip(','), f'instance={json.dumps(instance)}')))}}}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_goes_the_same_if_another_coordinator_reports_the_same(promtool, scenario, tmp_path):
    document = load(scenario)
    changed = []
    for test in document["tests"]:
        fed = test.get("input_series", [])
        shared = [
            {**one, "series": beside(one["series"], "another:5000")}
            for one in fed
            for name, _ in names(one["series"]).selectors
            if name in DECLARED and DECLARED[name].is_shared
        ]
        if shared:
            changed.append({**test, "input_series": [*fed, *shared]})
    # What watches the monitoring itself reads nothing of a coordinator's.
    assert changed or scenario.stem == "monitoring"
    if not changed:
        return
    status, output = promtool("test", "rules", written({**document, "tests": changed}, tmp_path))
    assert status == 0, output


def test_every_shared_metric_that_a_rule_reads_is_played_with_a_second_coordinator():
    fed = {
        name
        for document in map(load, SCENARIOS)
        for test in document["tests"]
        for one in test.get("input_series", ())
        for name, _ in names(one["series"]).selectors
    }
    read = {
        name
        for text in [*(rule["expr"] for rule in ALERTS.values()), *(rule["expr"] for rule in RECORDS)]
        for name in names(text).metrics
        if name in DECLARED and DECLARED[name].is_shared
    }
    assert len(read) > 20
    assert sorted(read - fed) == []
