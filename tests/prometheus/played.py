"""Scenarios for promtool, with those of the rules that they ask for: all rules take it ten times as long."""

import json

import yaml

from tests.prometheus.committed import ALERTS, PROMETHEUS, RECORDS, load


def written(document, folder):
    """The file of a scenario in `folder`, beside its rules."""
    groups = list(groups_for(document["tests"]))
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    kept = {group["name"] for group in groups}
    order = [name for name in document["group_eval_order"] if name in kept]
    file = folder / "scenario.yml"
    file.write_text(yaml.safe_dump({**document, "rule_files": ["rules.yml"], "group_eval_order": order}))
    return file


def groups_for(tests):
    """The groups of the rules that these tests ask for, and of those that they rest on."""
    asked = {check["alertname"] for test in tests for check in test.get("alert_rule_test", ())}
    told = [check["expr"] for test in tests for check in test.get("promql_expr_test", ())]
    told += [json.dumps([ALERTS[name]["expr"], ALERTS[name]["annotations"]]) for name in asked]
    while told:
        found = [one for one in RECORDS if one["record"] not in asked and one["record"] in " ".join(told)]
        asked |= {one["record"] for one in found}
        told = [one["expr"] for one in found]
    for file in ("rules.yml", "alerts.yml"):
        for group in load(PROMETHEUS / file)["groups"]:
            if kept := [one for one in group["rules"] if one.get("alert", one.get("record")) in asked]:
                yield {**group, "rules": kept}
