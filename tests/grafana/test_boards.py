"""The committed boards: that they keep the house rules."""

import json
import re
from itertools import combinations

import pytest

from grafana.generator.layout import TITLES
from tests.grafana.committed import BOARDS, PANELS

GRID_WIDTH = 24
GRAFANAS_OWN = {"__range", "__interval", "__rate_interval", "__data", "__value"}


def test_a_board_cannot_be_saved_and_asks_the_source_that_is_chosen():
    for board in BOARDS.values():
        assert board["editable"] is False
        (source,) = (one for one in board["templating"]["list"] if one["type"] == "datasource")
        assert (source["name"], source["query"]) == ("datasource", "prometheus")
        assert all(mark["datasource"]["uid"] == "${datasource}" for mark in board["annotations"]["list"])


def test_boards_and_their_panels_have_titles_and_ids_of_their_own():
    assert {board["uid"]: board["title"] for board in BOARDS.values()} == TITLES
    for board in BOARDS.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]
        assert len(titles) == len(set(titles))


@pytest.mark.parametrize("name", BOARDS)
def test_boards_lead_to_each_other_with_run_and_time(name):
    board = BOARDS[name]
    assert [link["url"] for link in board["links"]] == [f"/d/{uid}" for uid in TITLES if uid != board["uid"]]
    assert all(link["includeVars"] and link["keepTime"] for link in board["links"])


@pytest.mark.parametrize("name", BOARDS)
def test_alerts_are_marked_on_every_board(name):
    marked = " ".join(mark["target"]["expr"] for mark in BOARDS[name]["annotations"]["list"])
    assert 'severity="critical"' in marked
    assert 'severity="warning"' in marked


@pytest.mark.parametrize("name", BOARDS)
def test_no_two_panels_lie_upon_each_other(name):
    places = [panel["gridPos"] for panel in BOARDS[name]["panels"]]
    for one, other in combinations(places, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(place["x"] + place["w"] <= GRID_WIDTH for place in places)


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_what_its_silence_means(board, panel):
    assert len(panel["description"]) > 8
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    if panel["type"] in ("stat", "bargauge"):
        special = [mapping for mapping in defaults["mappings"] if mapping["type"] == "special"]
        assert [mapping["options"]["result"]["text"] for mapping in special] == [defaults["noValue"]]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_asks_prometheus_under_distinct_names(board, panel):
    refs = [target["refId"] for target in panel["targets"]]
    assert refs
    assert len(refs) == len(set(refs))
    assert all(
        target["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for target in panel["targets"]
    )


def variables(panel):
    """The board's variables that a panel's queries and links use."""
    asked = json.dumps([panel["targets"], panel["fieldConfig"]["overrides"]])
    return set(re.findall(r"\$\{?([a-z_]\w*)", asked)) - GRAFANAS_OWN


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_offers_the_variables_that_its_panels_use_and_no_others(name):
    board = BOARDS[name]
    panels = [panel for panel in board["panels"] if "targets" in panel]
    offered = {variable["name"] for variable in board["templating"]["list"]}
    assert offered == set().union(*map(variables, panels))


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_title_or_a_repetition_is_by_a_variable_of_the_panel(board, panel):
    assert set(re.findall(r"\$(\w+)", panel["title"])) <= variables(panel)
    assert panel.get("repeat") in {None, *variables(panel)}


def test_the_board_of_the_trainers_says_how_to_find_a_container():
    (words,) = (panel for panel in BOARDS["trainers"]["panels"] if panel["type"] == "text")
    assert "`docker ps -a --filter id=NAME`" in words["options"]["content"]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_what_differs_by_name_has_that_name(board, panel):
    """An override whose name nothing bears would be ignored without a word."""
    shown = {target["legendFormat"] for target in panel["targets"]}
    patterns = {re.sub(r"\\{\\{\w+\\}\\}", r"[\\w-]+", re.escape(legend)) for legend in shown}
    for transformation in panel.get("transformations", ()):
        if transformation["id"] == "organize":
            shown |= set(transformation["options"]["renameByName"].values())
    for override in panel["fieldConfig"]["overrides"]:
        name = override["matcher"]["options"]
        if override["matcher"]["id"] == "byName":
            assert name in shown or any(re.fullmatch(pattern, name) for pattern in patterns)
        if override["matcher"]["id"] == "byFrameRefID":
            assert name in {target["refId"] for target in panel["targets"]}


@pytest.mark.parametrize(
    ("board", "panel"), [param for param in PANELS if param.values[1]["type"] == "table"]
)
def test_a_table_is_sorted_and_shows_each_of_its_queries_or_hides_its_number(board, panel):
    organize = panel["transformations"][-1]["options"]
    shown = set(organize["renameByName"].values())
    assert {column["displayName"] for column in panel["options"]["sortBy"]} <= shown
    assert panel["options"]["sortBy"]
    values = [f"Value #{target['refId']}" for target in panel["targets"]]
    if len(values) > 1:
        handled = set(organize["renameByName"]) | set(organize["excludeByName"])
        assert set(values) <= handled
        assert panel["transformations"][0]["id"] == "merge"
    assert all(target["format"] == "table" and target["instant"] for target in panel["targets"])


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_link_is_made_of_columns_of_its_own_table(board, panel):
    settings = [each for override in panel["fieldConfig"]["overrides"] for each in override["properties"]]
    urls = " ".join(link["url"] for each in settings if each["id"] == "links" for link in each["value"])
    used = set(re.findall(r"__data\.fields\.(\w+)", urls))
    assert used <= {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert set(re.findall(r"/d/([\w-]+)", urls)) <= set(TITLES)
