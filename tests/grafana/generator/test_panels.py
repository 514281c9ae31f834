import json

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.generator.colours import GREEN, RED
from grafana.generator.panels import Drawing, bar_panel, graph_panel, stat_panel, timeline_panel
from grafana.generator.queries import Query
from grafana.generator.style import COUNT, Frame, Look

FRAME = Frame("Trainers", "What it shows.", "Nothing", 8, 5)
QUERIES = [Query("nighttrain:trainers_live:sum", "alive"), Query("up", "up", ref="targets")]
PLAIN, WITH_LIMIT = Look(COUNT), Look(COUNT, ((None, GREEN), (3, RED)))


def made(panel):
    return json.loads(json.dumps(panel.build(), cls=JSONEncoder))


def drawn(panel):
    return made(panel)["fieldConfig"]["defaults"]["custom"]


def different(panel):
    overrides = made(panel)["fieldConfig"]["overrides"]
    return {
        override["matcher"]["options"]: {each["id"]: each["value"] for each in override["properties"]}
        for override in overrides
    }


@pytest.mark.parametrize(
    ("drawing", "style", "stacking"),
    [(Drawing.LINES, "line", "none"), (Drawing.STACKED, "line", "normal")],
)
def test_a_graph_is_drawn_as_it_is_told(drawing, style, stacking):
    custom = drawn(graph_panel(FRAME, QUERIES, PLAIN, drawing))
    assert (custom["drawStyle"], custom["stacking"]["mode"]) == (style, stacking)


def test_a_graph_draws_its_thresholds_where_it_has_some():
    assert drawn(graph_panel(FRAME, QUERIES, WITH_LIMIT))["thresholdsStyle"]["mode"] == "dashed"
    assert drawn(graph_panel(FRAME, QUERIES, PLAIN))["thresholdsStyle"]["mode"] == "off"


def test_a_limit_is_a_dashed_red_line_and_is_not_stacked():
    found = different(graph_panel(FRAME, QUERIES, PLAIN, limits=["up"], colours={"alive": GREEN}))
    assert found["up"]["custom.lineStyle"]["fill"] == "dash"
    assert found["up"]["custom.stacking"]["mode"] == "none"
    assert found["up"]["color"]["fixedColor"] == RED
    assert found["alive"] == {"color": {"mode": "fixed", "fixedColor": GREEN}}


def test_the_legend_stands_beside_a_graph_only_where_there_is_room():
    wide = Frame("Trainers", "What it shows.", "Nothing", 12, 5)
    below = made(graph_panel(FRAME, QUERIES, PLAIN))["options"]["legend"]
    beside = made(graph_panel(wide, QUERIES, PLAIN))["options"]["legend"]
    assert (below["placement"], below["displayMode"]) == ("bottom", "list")
    assert (beside["placement"], beside["displayMode"]) == ("right", "table")
    assert (beside["sortBy"], beside["sortDesc"]) == ("Last *", True)


def test_a_graph_of_zeros_has_an_axis_of_its_own():
    assert drawn(graph_panel(FRAME, QUERIES, Look(COUNT, reach=5)))["axisSoftMax"] == 5
    assert "axisSoftMax" not in drawn(graph_panel(FRAME, QUERIES, PLAIN))


def test_a_number_has_the_colour_of_its_query():
    found = different(stat_panel(FRAME, QUERIES, PLAIN, colours={"targets": RED}))
    assert found == {"targets": {"color": {"mode": "fixed", "fixedColor": RED}}}


@pytest.mark.parametrize(
    ("panel", "instant"),
    [
        (stat_panel(FRAME, QUERIES, PLAIN), True),
        (bar_panel(FRAME, QUERIES, PLAIN), True),
        (graph_panel(FRAME, QUERIES, PLAIN), False),
        (timeline_panel(FRAME, QUERIES[0], PLAIN), False),
    ],
    ids=["stat", "bars", "graph", "timeline"],
)
def test_numbers_are_of_the_end_of_the_range_and_drawings_of_all_of_it(panel, instant):
    targets = made(panel)["targets"]
    assert {(target["instant"], target["range"]) for target in targets} == {(instant, not instant)}
    assert [target["refId"] for target in targets] == ["A", "targets"][: len(targets)]


def test_a_panel_has_the_size_the_words_and_the_unit_that_it_is_given():
    found = made(stat_panel(FRAME, QUERIES, Look(COUNT, decimals=0, minimum=0)))
    assert (found["gridPos"]["w"], found["gridPos"]["h"]) == (8, 5)
    assert (found["title"], found["description"]) == ("Trainers", "What it shows.")
    defaults = found["fieldConfig"]["defaults"]
    assert (defaults["unit"], defaults["decimals"], defaults["min"]) == (COUNT, 0, 0)
    assert "max" not in defaults
    assert defaults["noValue"] == "Nothing"
