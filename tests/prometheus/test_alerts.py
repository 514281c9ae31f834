"""What is written for people: each alert says what it is about, and the runbook what to do."""

import json
import re

import pytest

from grafana.generator.promql import names
from tests.prometheus.committed import ALERTS, RECORDS, ROOT, rules

WATCHDOG = "NighttrainWatchdog"
TRAINERS = "nighttrain-trainers"
BOARDS = {
    board["uid"]: {variable["name"] for variable in board["templating"]["list"]}
    for board in (json.loads(path.read_text()) for path in (ROOT / "grafana" / "dashboards").glob("*.json"))
}
"""The choices that each board offers."""


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_what_and_where_to_read_on(alert):
    rule = ALERTS[alert]
    assert alert.startswith("Nighttrain")
    assert rule["labels"]["severity"] in {"none"} if alert == WATCHDOG else {"critical", "warning"}
    assert rule["labels"]["component"]
    assert set(rule["annotations"]) == {"summary", "description", "action", "runbook_url", "dashboard_url"}
    assert re.fullmatch(r"[A-Z{].*\.", rule["annotations"]["summary"]), "a sentence"
    assert len(rule["annotations"]["action"]) <= 45, "so much fits into a board's column"
    address = "{{ $externalLabels.nighttrain_url }}"
    assert rule["annotations"]["runbook_url"] == f"{address}/runbook#{alert.lower()}"
    assert ("for" in rule) is (alert != WATCHDOG)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_leads_to_a_board_that_is_there_and_to_choices_that_it_has(alert):
    address = re.sub(r"\{\{.*?\}\}", "", ALERTS[alert]["annotations"]["dashboard_url"], count=1)
    assert ALERTS[alert]["annotations"]["dashboard_url"].startswith("{{ $externalLabels.grafana_url }}/d/")
    named = [uid for uid in BOARDS if re.search(rf"\b{uid.removeprefix('nighttrain-')}\b", address)]
    assert named
    assert set(re.findall(r"var-(\w+)=", address)) <= BOARDS[named[0] if len(named) == 1 else TRAINERS]


def runbook():
    parts = re.split(
        r"^## (\S+)$", (ROOT / "deploy/runbook.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_runbook_has_a_heading_for_each_alert_and_for_nothing_else():
    assert list(runbook()) == list(ALERTS)
    assert len(ALERTS) == len(rules("alerts.yml"))


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
