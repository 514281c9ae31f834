"""What can be computed of how boards look: nothing red is off the screen, and nothing neutral is loud."""

import pytest

from common.metrics.declarations import METRICS
from common.timeframes import Timeframe
from tests.grafana.committed import BOARDS, PANELS

EDGE, GAP, GRID = 16, 8, 24
FRAME = 18
"""Pixels of a panel's border and padding, left and right together."""
GRAFANAS_OWN = 150
"""Pixels that a column takes without a least width of its own."""
DEFAULT_TIMEFRAMES = 6

TABLES = [param for param in PANELS if param.values[1]["type"] == "table"]
IN_COLUMNS = [
    param
    for param in TABLES
    if not any(step["id"] == "groupingToMatrix" for step in param.values[1]["transformations"])
]
MATRICES = [param for param in TABLES if param not in IN_COLUMNS]


def room(panel, screen):
    """How many pixels a panel's columns have on a screen of so many."""
    column = (screen - 2 * EDGE - GAP * (GRID - 1)) / GRID
    width = panel["gridPos"]["w"]
    return width * column + (width - 1) * GAP - FRAME


def settings(panel):
    return {
        override["matcher"]["options"]: {each["id"]: each["value"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }


def columns(panel, screen):
    """The width of each column as Grafana lays them out, in their order, and whether it may turn red.

    A column without a width of its own takes its share of what the others leave, and its least width at
    least.
    """
    organize = panel["transformations"][-1]["options"]
    order = sorted(organize["indexByName"], key=organize["indexByName"].get)
    found = [settings(panel)[organize["renameByName"][source]] for source in order]
    fixed = [one["custom.width"] for one in found if "custom.width" in one]
    share = (room(panel, screen) - sum(fixed)) / max(1, len(found) - len(fixed))
    for one in found:
        least = max(share, one.get("custom.minWidth", GRAFANAS_OWN))
        yield one.get("custom.width", least), "red" in repr(one)


@pytest.mark.parametrize(("board", "panel"), IN_COLUMNS)
def test_all_columns_fit_on_a_wide_screen(board, panel):
    assert sum(width for width, _ in columns(panel, 1600)) <= room(panel, 1600) + 0.5


@pytest.mark.parametrize(("board", "panel"), IN_COLUMNS)
def test_what_may_be_red_is_on_a_narrow_screen_too(board, panel):
    taken, off = 0, []
    for width, may_be_red in columns(panel, 1000):
        taken += width
        if may_be_red and taken > room(panel, 1000):
            off.append(taken)
    assert off == []


@pytest.mark.parametrize(("board", "panel"), MATRICES)
def test_the_usual_matrix_fits_on_a_wide_screen_and_on_a_narrow_one(board, panel):
    (grouping,) = (step for step in panel["transformations"] if step["id"] == "groupingToMatrix")
    field = grouping["options"]["columnField"]
    values = next(
        label.values for metric in METRICS.values() for label in metric.labels if label.name == field
    )
    shown = DEFAULT_TIMEFRAMES if tuple(values) == tuple(Timeframe) else len(values)
    cell = panel["fieldConfig"]["defaults"]["custom"].get("minWidth", GRAFANAS_OWN)
    (names,) = (found["custom.width"] for found in settings(panel).values() if "custom.width" in found)
    for screen in (1000, 1600):
        share = (room(panel, screen) - names) / shown
        assert names + shown * max(cell, share) <= room(panel, screen) + 0.5


def backgrounds(panel):
    """The colours that may stand behind the cells of a table."""
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"].get("cellOptions", {})
    looks = [(custom, defaults)]
    for found in settings(panel).values():
        options = found.get("custom.cellOptions", custom)
        looks.append((options, {"thresholds": defaults["thresholds"], **found}))
    for options, look in looks:
        if options.get("type") == "color-background":
            yield from (step["color"] for step in look["thresholds"]["steps"])
            for mapping in look.get("mappings", ()):
                found = mapping["options"]
                results = found.values() if mapping["type"] == "value" else [found["result"]]
                yield from (result["color"] for result in results)


@pytest.mark.parametrize(("board", "panel"), TABLES)
def test_no_neutral_cell_is_the_brightest_of_the_board(board, panel):
    numbers = panel["fieldConfig"]["defaults"]["color"]["mode"]
    assert numbers != "thresholds" or "text" not in set(backgrounds(panel))


@pytest.mark.parametrize(("board", "panel"), [param for param in PANELS if param.values[1]["type"] == "stat"])
def test_names_stand_above_their_values_where_there_are_few(board, panel):
    assert len(panel["targets"]) >= 4 or panel["options"]["wideLayout"] is False


@pytest.mark.parametrize(
    ("board", "panel"), [param for param in IN_COLUMNS if len(param.values[1]["targets"]) > 1]
)
def test_a_table_of_several_queries_has_an_answer_where_all_are_empty(board, panel):
    """Of several that come back empty Grafana draws the heads of columns and not the panel's words."""
    answers = [
        target for target in panel["targets"] if "or on () label_replace(vector(0) / 0" in target["expr"]
    ]
    assert len(answers) == 1


def test_what_is_of_now_says_so_where_an_old_run_can_be_chosen():
    of_now = ("ALERTS", "up{", "nighttrain:trainers_live:sum", "nighttrain_night_open")
    for panel in BOARDS["night"]["panels"]:
        first = panel.get("targets", [{"expr": ""}])[0]["expr"]
        if any(name in first.partition("or on ()")[0] for name in of_now):
            assert "now" in panel["title"], panel["title"]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_title_has_room_on_a_narrow_screen(board, panel):
    letters, sign = 7.4, 63  # of the title's own font, and the sign of its description with padding
    assert len(panel["title"]) * letters + sign <= room(panel, 1000) + FRAME
