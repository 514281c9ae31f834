"""Rules, alerts and scenarios as they lie in the repository, for the tests to read."""

from pathlib import Path

import yaml

from common.metrics.declarations import METRICS

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "prometheus"

# What Prometheus itself, Alertmanager and every Python process export without us.
FOREIGN = {
    "up": {"job", "instance"},
    "process_start_time_seconds": {"job", "instance"},
    "prometheus_config_last_reload_successful": {"job", "instance"},
    "alertmanager_config_last_reload_successful": {"job", "instance"},
}


def load(path):
    # The same as safe_load, in C.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def rules(file):
    return [rule for group in load(PROMETHEUS / file)["groups"] for rule in group["rules"]]


RECORDS = rules("rules.yml")
ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}
DECLARED = {series: metric for metric in METRICS.values() for series in metric.series}


def labels_of(name):
    """The labels that a series can have, or None if nobody makes such a series."""
    if name in FOREIGN:
        return FOREIGN[name]
    if name in DECLARED:
        buckets = {"le"} if name.endswith("_bucket") else set()
        return {*DECLARED[name].label_names, "job", "instance"} | buckets
    made = [rule for rule in RECORDS if rule["record"] == name]
    if not made:
        return None
    level = name.split(":")[0]
    return (
        set().union(*(rule.get("labels", {}) for rule in made))
        | set(level.split("_")) - {"nighttrain", "cell"}
        | ({"symbol", "timeframe", "horizon"} if level == "cell" else set())
    )
