"""What is red on a board, and from which number on: what an alert says, and nothing else."""

import re

import pytest

from grafana.generator.alerts import conditions
from grafana.generator.colours import CLEAR, GREEN, RED, TEXT
from grafana.generator.promql import names
from grafana.generator.vocabulary import declared_in
from tests.grafana.committed import PANELS

NO_STEPS = {"steps": []}


def parts(panel):
    """The queries, steps and mappings of a panel, or of each of its columns that shows a query."""
    defaults = panel["fieldConfig"]["defaults"]
    exprs = {target["refId"]: target["expr"] for target in panel["targets"]}
    columns = {}
    for transformation in panel.get("transformations", ()):
        titles = transformation["options"].get("renameByName", {})
        columns |= {title: source.removeprefix("Value #") for source, title in titles.items()}
    for override in panel["fieldConfig"]["overrides"]:
        settings = {setting["id"]: setting["value"] for setting in override["properties"]}
        source = columns.get(override["matcher"]["options"])
        if source == "Value" or source in exprs:
            asked = [exprs[source]] if source in exprs else list(exprs.values())
            yield asked, steps(settings.get("thresholds", NO_STEPS)), colours(settings["mappings"])
    if not set(columns.values()) & {"Value", *exprs}:
        yield list(exprs.values()), steps(defaults["thresholds"]), colours(defaults["mappings"])


def steps(thresholds):
    return [(step["value"], step["color"]) for step in thresholds["steps"]]


def colours(mappings):
    return {
        result["color"]
        for mapping in mappings
        if mapping["type"] == "value"
        for result in mapping["options"].values()
    }


COLOURED = [
    pytest.param(param.values[1], exprs, found, id=f"{param.id}: {found}")
    for param in PANELS
    for exprs, found, _ in parts(param.values[1])
    if len(found) > 1
]


def is_of_an_alert(exprs, found):
    """Whether the steps turn red where an alert fires that watches what one of the queries shows."""
    if len(found) < 2:
        return False
    for expr in exprs:
        if "ALERTS" in names(expr).metrics:
            return True
        for condition in conditions():
            if not set(declared_in(condition.watched)) & set(declared_in(expr)):
                continue
            limits = {condition.limit, condition.whole}
            if condition.is_floor and found[0] == (None, RED) and found[1][0] in limits:
                return True
            # What is left up to the limit, instead of what is beyond it.
            if found[0] == (None, RED) and found[1][0] == -condition.limit:
                return True
            if not condition.is_floor and found[-1][1] == RED and found[-1][0] in limits:
                return True
    return False


@pytest.mark.parametrize(("panel", "exprs", "found"), COLOURED)
def test_red_is_where_an_alert_fires(panel, exprs, found):
    if RED in {colour for _, colour in found}:
        assert is_of_an_alert(exprs, found)


@pytest.mark.parametrize(("panel", "exprs", "found"), COLOURED)
def test_the_description_says_what_the_colours_mean(panel, exprs, found):
    (_, lowest), *others = found
    meant = {colour for _, colour in others} | ({lowest} - {GREEN}) - {TEXT, CLEAR}
    if RED in meant:
        meant -= {GREEN}
        assert "alert" in panel["description"].lower() or "deadline" in panel["description"]
        meant -= {RED} if panel["type"] == "timeseries" else set()
    assert all(colour in panel["description"].lower() for colour in meant)


def shown(expr):
    """What an expression reads, whichever run, symbol, cell or trainer is chosen."""
    counted = set(re.findall(r"\b(rate|increase|changes)\(", expr))
    return counted, {
        (name, frozenset(matcher for matcher in matchers if "$" not in matcher.value))
        for name, matchers in names(expr).selectors
        if name not in ("nighttrain_run_info", "nighttrain_trainer_info")
    }


@pytest.mark.parametrize(
    "condition",
    [one for one in conditions() if one.suffices],
    ids=lambda one: f"{one.alert}: {one.watched}",
)
def test_what_an_alert_watches_is_red_where_it_is_shown(condition):
    pale = [
        f"{param.id}: {found}"
        for param in PANELS
        for exprs, found, mapped in parts(param.values[1])
        if len(exprs) == 1 and shown(exprs[0]) == shown(condition.watched)
        if RED not in mapped and not is_of_an_alert(exprs, found)
    ]
    assert pale == []
