import json
import re
import shutil
import subprocess

import pytest
import yaml

from common.metrics.declarations import METRICS
from grafana.generator.expressions import expressions
from grafana.generator.vocabulary import check, declared_in
from tests.grafana.committed import BOARDS

ONE_RUN = {"run": "3", "symbol": "BTCUSDT|ETHUSDT", "timeframe": "1h", "horizon": "3", "trainer": "t1"}


def test_every_expression_is_grammatical(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing: install Debian's package prometheus")
    rules = [
        {"record": f"e{number}", "expr": expression.expr}
        for number, expression in enumerate([*expressions(), *expressions(ONE_RUN)])
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules)} rules found" in checked.stdout


@pytest.mark.parametrize(
    "expression", expressions(), ids=lambda expression: f"{expression.board}: {expression.place}"
)
def test_every_expression_names_what_exists(expression):
    check(expression.expr)


def test_every_declared_metric_is_shown():
    shown = {name for expression in expressions() for name in declared_in(expression.expr)}
    assert shown == set(METRICS)


def test_panels_variables_and_annotations_are_all_found():
    found = expressions()
    text = "".join(json.dumps(board) for board in BOARDS.values())
    assert len(found) == len(re.findall(r'"expr": ', text)) + len(re.findall(r"label_values\(", text))
    assert {expression.board for expression in found} == {board["title"] for board in BOARDS.values()}


def test_variables_are_filled_in():
    filled = {expression.expr for expression in expressions({"run": "3", "__range": "777s"})}
    assert not any("$" in expr for expr in filled)
    assert any('run="3"' in expr for expr in filled)
    assert any("[777s:15s]" in expr for expr in filled)


def test_a_variable_that_no_board_has_is_refused():
    with pytest.raises(ValueError, match="symbl"):
        expressions({"symbl": "BTCUSDT"})


def test_an_expression_with_a_variable_that_nobody_fills_in_is_refused(tmp_path):
    board = {
        "title": "Board",
        "panels": [{"title": "Panel", "targets": [{"refId": "A", "expr": "up == $limit", "instant": True}]}],
        "templating": {"list": []},
        "annotations": {"list": []},
    }
    (tmp_path / "board.json").write_text(json.dumps(board), encoding="utf-8")
    with pytest.raises(ValueError, match=r"\$limit"):
        expressions(folder=tmp_path)


def test_what_may_be_empty_says_why():
    reasons = {expression.expr: expression.may_be_empty for expression in expressions()}
    assert all(reasons[expr] for expr in reasons if "ALERTS" in expr)
    assert reasons["nighttrain:host_disk_free_at_night_end:bytes"] == "the run has ended"
    assert not reasons['max(up{job="coordinator"})']
    assert not reasons["route:nighttrain_http_requests:rate5m > 0"]
    assert reasons["60 * sum by (operation) (rate(nighttrain_stale_writes_total[5m])) > 0"]
    assert sum(not reason for reason in reasons.values()) > len(reasons) / 2
