"""Whatever a board, a rule or an alert asks for has an answer from a real Prometheus after a real night."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from grafana.generator.expressions import ALL, expressions
from grafana.generator.promql import operands, text, tree
from tests.grafana.committed import PANELS
from tests.metrics.either import borne_by_another
from tests.metrics.eventful_night import LAST_RUN, eventful_night
from tests.metrics.monitoring import ADDRESS, BOARDS_ADDRESS, Answer, Monitoring

FILLED_IN = {"__range": "60s", "__interval": "1s"}


@pytest.fixture(scope="module")
def monitoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitoring]:
    with eventful_night(tmp_path_factory.mktemp("night")) as watched:
        yield watched


@pytest.mark.parametrize("run", [ALL, LAST_RUN])
def test_every_expression_of_every_board_is_answered(monitoring: Monitoring, run: str) -> None:
    asked = expressions({**FILLED_IN, "run": run})
    assert len(asked) > 150
    silent = {f"{one.board}, {one.place}" for one in asked if not monitoring.ever(one.expr)}
    assert [place for place in sorted(silent) if not borne_by_another(place, silent)] == []


def test_what_has_an_answer_after_every_night_has_one_after_this(monitoring: Monitoring) -> None:
    asked = [one for one in expressions(FILLED_IN) if not one.may_be_empty]
    silent = {f"{one.board}, {one.place}" for one in asked if not monitoring.now(one.expr)}
    assert [place for place in sorted(silent) if not borne_by_another(place, silent)] == []


def test_every_rule_is_evaluated_and_every_recorded_series_has_data(monitoring: Monitoring) -> None:
    rules = monitoring.rules()
    assert [rule["lastError"] for rule in rules if rule["health"] != "ok"] == []
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
    assert len(recorded) > 40
    assert [name for name in sorted(recorded) if not monitoring.ever(name)] == []


def conditions(expr: str) -> list[str]:
    """The alternatives of an alert, which yield 0 where they do not hold instead of nothing.

    Of what must be absent for an alert to fire is asked whether it is there.
    """
    parts = [text(part) for part in operands(tree(expr), "or")]
    alternatives = [re.sub(r"^absent\((.*)\)$", r"\1", part) for part in parts]
    pattern = r'("[^"]*"|\{[^}]*\})|([<>=!]=|[<>])(?:\s+bool)?'
    return [
        re.sub(pattern, lambda found: found[1] or f"{found[2]} bool", alternative)
        for alternative in alternatives
    ]


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        ('a{b!="c"} > 1 and on () d == 0', ['a{b!="c"} > bool 1 and on () d == bool 0']),
        ("a >= on (k) b or absent(c)", ["a >= bool on (k) b", "c"]),
        ('label_join(a < 1, "<", "")', ['label_join(a < bool 1, "<", "")']),
    ],
)
def test_a_condition_is_told_from_its_comparison(expr: str, wanted: list[str]) -> None:
    assert conditions(expr) == wanted


def test_every_condition_of_every_alert_has_something_to_compare(monitoring: Monitoring) -> None:
    alerts = [rule for rule in monitoring.rules() if rule["type"] == "alerting"]
    assert len(alerts) > 20
    asked = [(alert["name"], condition) for alert in alerts for condition in conditions(alert["query"])]
    assert [(name, condition) for name, condition in asked if not monitoring.ever(condition)] == []


def test_every_query_in_the_words_of_an_alert_is_answered(monitoring: Monitoring) -> None:
    words = [
        text
        for rule in monitoring.rules()
        if rule["type"] == "alerting"
        for text in (*rule["annotations"].values(), *rule["labels"].values())
    ]
    quoted = [query for text in words for query in re.findall(r'(?:query|printf) "((?:[^"\\]|\\.)*)"', text)]
    asked = {
        re.sub(r" > 0\b", "", query.replace('\\"', '"').replace("=%q", '=~".+"'))
        for query in quoted
        if ":" in query or "_" in query
    }
    assert len(asked) > 15
    assert [query for query in sorted(asked) if not monitoring.ever(query)] == []


def test_alerts_fired_for_what_happened(monitoring: Monitoring) -> None:
    fired = {one.labels["alertname"] for one in monitoring.ever('ALERTS{alertstate="firing"}')}
    happened = {"NightDidNotStart", "NoTrainer", "CoordinatorDown", "DataRefused", "Watchdog"}
    assert fired >= {f"Nighttrain{name}" for name in happened}


def test_the_links_of_alerts_that_fire_lead_to_the_page_under_its_address(monitoring: Monitoring) -> None:
    links = [
        (alert["annotations"]["runbook_url"], alert["annotations"]["dashboard_url"])
        for rule in monitoring.rules()
        if rule["type"] == "alerting"
        for alert in rule["alerts"]
    ]
    assert links
    assert all(runbook.startswith(f"{ADDRESS}/runbook#") for runbook, _ in links)
    assert all(board.startswith(f"{BOARDS_ADDRESS}/d/nighttrain-") for _, board in links)


def legend(pattern: str, answer: Answer) -> str:
    """What Grafana writes beside a series; a label that the series has not stays as it is."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: answer.labels.get(found[1]) or found[0], pattern)


@pytest.mark.parametrize(
    ("board", "panel"), [param for param in PANELS if param.values[1]["type"] != "table"]
)
def test_every_series_has_a_name_of_its_own(
    monitoring: Monitoring, board: dict[str, Any], panel: dict[str, Any]
) -> None:
    exprs = {one.place: one.expr for one in expressions(FILLED_IN) if one.board == board["title"]}
    bearers: dict[str, set[str]] = defaultdict(set)
    for target in panel["targets"]:
        for answer in monitoring.ever(exprs[f"{panel['title']} ({target['refId']})"]):
            bearers[legend(target["legendFormat"], answer)].add(f"{target['refId']} {answer.labels}")
    assert bearers
    assert not [name for name in bearers if not name or "{{" in name]
    # A panel that is there once for each trainer shows one of them at a time.
    if "repeat" not in panel:
        assert [found for found in bearers.values() if len(found) > 1] == []


@pytest.mark.parametrize(
    ("board", "panel"), [param for param in PANELS if param.values[1]["type"] == "table"]
)
def test_every_label_in_a_table_has_a_column(
    monitoring: Monitoring, board: dict[str, Any], panel: dict[str, Any]
) -> None:
    first, organize = (step["options"] for step in panel["transformations"])
    columns = {*organize["renameByName"], *organize["excludeByName"]}
    columns |= {first[key] for key in ("rowField", "columnField") if key in first}
    exprs = {one.place: one.expr for one in expressions(FILLED_IN) if one.board == board["title"]}
    for target in panel["targets"]:
        answers = monitoring.ever(exprs[f"{panel['title']} ({target['refId']})"])
        assert {label for answer in answers for label in answer.labels} <= columns
