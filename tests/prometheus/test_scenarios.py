"""Scenarios: promtool plays them, and each alert has one that goes through its whole life."""

import re

import pytest

from grafana.generator.promql import names
from tests.prometheus.committed import ALERTS, DECLARED, FOREIGN, PROMETHEUS, labels_of, load
from tests.prometheus.played import written

SCENARIOS = sorted((PROMETHEUS / "tests").glob("*.yml"))
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration):
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", str(duration)))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_scenarios_go_as_written(promtool, scenario, tmp_path):
    status, output = promtool("test", "rules", written(load(scenario), tmp_path))
    assert status == 0, output


@pytest.mark.parametrize("alert", [name for name in ALERTS if name != "NighttrainWatchdog"])
def test_an_alert_has_a_scenario_that_is_silent_just_before_firing_just_at_and_silent_after(alert):
    for document in map(load, SCENARIOS):
        step = seconds(document["evaluation_interval"])
        for test in document["tests"]:
            fires = {
                seconds(check["eval_time"]): bool(check.get("exp_alerts"))
                for check in test["alert_rule_test"]
                if check["alertname"] == alert
            }
            first = min((moment for moment, firing in fires.items() if firing), default=None)
            if first is None:
                continue
            just_before = fires.get(first - step) is False
            after = any(not firing for moment, firing in fires.items() if moment > first)
            if just_before and after and test["name"].startswith(alert):
                return
    pytest.fail(f"no scenario of {alert} has the three phases")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_names_all_rules_in_their_order(scenario):
    # Whoever gives the file to promtool as it is gets the same as above.
    document = load(scenario)
    files = [scenario.parent / name for name in document["rule_files"]]
    assert [file.resolve() for file in files] == [PROMETHEUS / "rules.yml", PROMETHEUS / "alerts.yml"]
    assert document["group_eval_order"] == [group["name"] for file in files for group in load(file)["groups"]]


def test_scenarios_are_about_alerts_that_exist():
    named = {
        check["alertname"]
        for document in map(load, SCENARIOS)
        for test in document["tests"]
        for check in test["alert_rule_test"]
    }
    assert named == set(ALERTS)


def test_scenarios_feed_only_series_that_are_exported():
    for document in map(load, SCENARIOS):
        for test in document["tests"]:
            for fed in test.get("input_series", ()):
                ((name, conditions),) = names(fed["series"]).selectors
                assert name in FOREIGN or name in DECLARED, name
                matchers = {condition.label: condition.value for condition in conditions}
                assert set(matchers) <= labels_of(name), fed["series"]
                for label in DECLARED[name].labels if name in DECLARED else ():
                    assert not label.values or matchers.get(label.name, label.values[0]) in label.values, fed[
                        "series"
                    ]
