"""Rules and alerts: promtool's own checks, and that every name, heading and scenario they need is there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from common.metrics.declarations import METRICS
from common.metrics.exposition import Exporter
from grafana.generator.promql import names

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "prometheus"
SCENARIOS = sorted((PROMETHEUS / "tests").glob("*.yml"))

# What Prometheus itself, Alertmanager and every Python process export without us.
FOREIGN = {
    "up": {"job", "instance"},
    "process_start_time_seconds": {"job", "instance"},
    "prometheus_config_last_reload_successful": {"job", "instance"},
    "alertmanager_config_last_reload_successful": {"job", "instance"},
}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules(file):
    return [rule for group in load(PROMETHEUS / file)["groups"] for rule in group["rules"]]


RECORDS = rules("rules.yml")
ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}
SERIES = {series: metric for metric in METRICS.values() for series in metric.series}


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


def labels_of(name):
    """The labels that a series can have, or None if nobody makes such a series."""
    if name in FOREIGN:
        return FOREIGN[name]
    if name in SERIES:
        buckets = {"le"} if name.endswith("_bucket") else set()
        return {*SERIES[name].label_names, "job", "instance"} | buckets
    made = [rule for rule in RECORDS if rule["record"] == name]
    if not made:
        return None
    level = name.split(":")[0]
    return (
        set().union(*(rule.get("labels", {}) for rule in made))
        | set(level.split("_")) - {"nighttrain", "cell"}
        | ({"symbol", "timeframe", "horizon"} if level == "cell" else set())
    )


def seconds(duration):
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", str(duration)))


@pytest.fixture(scope="session")
def promtool():
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")

    def run(*arguments):
        done = subprocess.run(
            [found, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_promtool_accepts_the_configuration_and_all_rules(promtool):
    status, output = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert status == 0, output
    assert output.count("rules found") == 2


def test_no_rule_is_there_twice(promtool):
    files = [PROMETHEUS / "rules.yml", PROMETHEUS / "alerts.yml"]
    status, output = promtool("check", "rules", "--lint=all", "--lint-fatal", *files)
    assert status == 0, output


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_scenarios_go_as_written(promtool, scenario):
    status, output = promtool("test", "rules", scenario)
    assert status == 0, output


@pytest.mark.parametrize("alert", ALERTS)
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
            for fed in test["input_series"]:
                ((name, conditions),) = names(fed["series"]).selectors
                assert name in FOREIGN or name in SERIES, name
                matchers = {condition.label: condition.value for condition in conditions}
                assert set(matchers) <= labels_of(name), fed["series"]
                for label in SERIES[name].labels if name in SERIES else ():
                    assert not label.values or matchers.get(label.name, label.values[0]) in label.values, fed[
                        "series"
                    ]


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
        for label in SERIES[name].labels if name in SERIES else ():
            values = matchers.get(label.name, "").split("|") if label.values else []
            assert {value for value in values if value} <= {*label.values, "x"}, f"{rule}: {name}{matchers}"
    assert expression.groupings <= known, f"{rule}: no series has the labels {expression.groupings - known}"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_what_and_where_to_read_on(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["labels"]["component"]
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"deploy/runbook.md#{alert.lower()}"
    assert "for" in rule


def runbook():
    parts = re.split(
        r"^## (\S+)$", (ROOT / "deploy/runbook.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_runbook_has_a_heading_for_each_alert_and_for_nothing_else():
    assert list(runbook()) == list(ALERTS)
    assert sorted(set(ALERTS)) == sorted(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_the_runbook_says_what_it_means_how_to_look_and_what_to_do(alert):
    text = runbook()[alert]
    places = [text.find(f"**{word}.**") for word in ("Means", "Look", "Do")]
    assert -1 not in places
    assert places == sorted(places)
    for link in re.findall(r"\]\(#(\w+)\)", text):
        assert link in {name.lower() for name in ALERTS}


@pytest.mark.parametrize("alert", ALERTS)
def test_the_runbook_names_the_thresholds_in_force(alert):
    text = " ".join(runbook()[alert].split())
    for name in names(ALERTS[alert]["expr"]).metrics:
        for rule in RECORDS:
            if rule["record"] == name and name.startswith("nighttrain:threshold:"):
                value = float(re.fullmatch(r"vector\((.*)\)", rule["expr"])[1])
                forms = {f"{value:g}", f"{value * 100:g} %", f"{value / 60:g} minutes"}
                forms |= {"half an hour"} if value == 1800 else set()
                assert any(form in text for form in forms), f"{name} is {value:g}"


def test_every_exporter_is_scraped_under_its_name():
    jobs = {job["job_name"]: job for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    assert set(jobs) == {*Exporter, "prometheus", "alertmanager"}
    assert jobs["trainer"]["dns_sd_configs"][0]["names"] == ["trainer"]
